//! Sources as recipes write them, over small files of every form.

use std::fs;
use std::path::Path;

use gradus::data::{DataRoot, GradedPair, Loaded, Source};
use proptest::prelude::*;

/// Loads a source written in TOML over a file `name` with these bytes.
fn try_load(recipe: &str, name: &str, bytes: &[u8]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    let recipe = format!("path = {name:?}\n{recipe}");
    let source: Source = toml::from_str(&recipe).map_err(|e| e.to_string())?;
    let root = DataRoot::resolve(Some(folder.path()));
    let folder_name = folder.path().display().to_string() + "/";
    let loaded = source.load(folder.path(), &root);
    loaded.map_err(|e| e.to_string().replace(&folder_name, ""))
}

fn load(recipe: &str, name: &str, text: &str) -> Loaded {
    try_load(recipe, name, text.as_bytes()).unwrap()
}

fn error(recipe: &str, name: &str, text: &str) -> String {
    try_load(recipe, name, text.as_bytes()).unwrap_err()
}

#[test]
fn every_form_gives_the_same_pairs() {
    let want = [
        GradedPair::new("A \"b\".", "C, d", 4.5),
        GradedPair::new("e", "f", 0.0),
    ];
    for (recipe, name, text) in [
        ("", "a.tsv", "4.5\tA \"b\".\tC, d\n\n0\te\tf\n"),
        ("", "a.txt", "A \"b\".\tC, d\t4.5\r\ne\tf\t0"),
        (
            "",
            "a.csv",
            "\u{feff}score,sentence1,sentence2\n4.5,\"A \"\"b\"\".\",\"C, d\"\n0,e,f\n",
        ),
        (
            "",
            "a.jsonl",
            "{\"sentence1\":\"A \\\"b\\\".\",\"sentence2\":\"C, d\",\"score\":4.5}\n{\"score\":\"0\",\"sentence2\":\"f\",\"sentence1\":\"e\"}\n",
        ),
        (
            "header = true",
            "a.tsv",
            "x\tscore\tsentence_A\tsentence_B\n1\t4.5\tA \"b\".\tC, d\n2\t0\te\tf\n",
        ),
        (
            "first = 1\nsecond = 2\nlabel = 3",
            "a.tsv",
            "x\tA \"b\".\tC, d\t4.5\nx\te\tf\t0\n",
        ),
        (
            "format = \"tsv\"\ndelimiter = \"|\"",
            "a.dat",
            "A \"b\".|C, d|4.5\ne|f|0\n",
        ),
        (
            "header = false\nfirst = 0\nsecond = 1\nlabel = 2",
            "a.csv",
            "\"A \"\"b\"\".\",\"C, d\",4.5\ne,f,0\n",
        ),
    ] {
        assert_eq!(load(recipe, name, text).pairs, want, "{recipe} {text}");
    }
}

#[test]
fn weight_and_tolerance_come_from_their_columns() {
    let text = "premise,hypothesis,label,weight,tolerance\na,b,1,0.5,\nc,d,2,,0.25\n";
    let pairs = load("", "a.csv", text).pairs;
    let got: Vec<_> = pairs.iter().map(|p| (p.weight, p.tolerance)).collect();
    assert_eq!(got, [(0.5, None), (1.0, Some(0.25))]);
    let json = "{\"first\":\"a\",\"second\":\"b\",\"label\":1}\n{\"first\":\"a\",\"second\":\"b\",\"label\":1,\"w\":2}\n";
    let pairs = load("weight = \"w\"", "a.jsonl", json).pairs;
    assert_eq!((pairs[0].weight, pairs[1].weight), (1.0, 2.0));
    for bad in ["-1", "NaN", "1e300", "much"] {
        let text = format!("premise,hypothesis,label,weight\na,b,1,{bad}\n");
        let error = error("", "a.csv", &text);
        assert!(error.starts_with("a.csv:2: weight is"), "{error}");
    }
}

#[test]
fn classes_are_mapped_and_skipped_as_told() {
    let text = "entailment\ta\tb\n-\tc\td\nneutral\te\tf\n-\tg\th\n";
    let classes = "labels.classes = { contradiction = 0, neutral = 1, entailment = 2 }\n";
    let loaded = load(&format!("{classes}labels.skip = [\"-\"]"), "a.tsv", text);
    let labels: Vec<_> = loaded.pairs.iter().map(|p| p.label).collect();
    assert_eq!(labels, [2.0, 1.0]);
    assert_eq!(loaded.skipped["-"], 2);
    assert_eq!(loaded.scale, Some((0.0, 2.0)));
    let error = error(classes, "a.tsv", text);
    assert!(error.starts_with("a.tsv:2: unknown class \"-\""), "{error}");
}

#[test]
fn excluded_and_surplus_pairs_are_counted_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("a.tsv"),
        "A b!\tc\t1\nd\te\t2\nf\tg\t3\nh\ti\t4\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("test.jsonl"),
        "{\"text1\":\"C\",\"text2\":\"a  b\"}\n",
    )
    .unwrap();
    let source = |extra: &str| -> Source {
        toml::from_str(&format!(
            "path = \"a.tsv\"\nexclude = [\"test.jsonl\"]\n{extra}"
        ))
        .unwrap()
    };
    let root = DataRoot::resolve(Some(folder.path()));
    let load = |extra| source(extra).load(folder.path(), &root).unwrap();
    assert_eq!((load("").pairs.len(), load("").excluded), (3, 1));
    let exact = load("exclude_by = \"exact\"");
    assert_eq!((exact.pairs.len(), exact.excluded), (4, 0));
    let two = load("max_pairs = 2").pairs;
    assert_eq!(two.iter().map(|p| p.label).collect::<Vec<_>>(), [2.0, 3.0]);
    let nothing: Source = toml::from_str("path = \"a.tsv\"\nexclude = [\"a.tsv\"]").unwrap();
    let error = nothing.load(folder.path(), &root).unwrap_err().to_string();
    assert!(
        error.contains("no pair is left: 0 skipped by label, 4 excluded"),
        "{error}"
    );
}

#[test]
fn errors_name_the_line_and_what_to_do() {
    let indexed = "first = 0\nsecond = 1\nlabel = 2";
    for (recipe, name, text, start, remedy) in [
        (
            "",
            "a.tsv",
            "a\tb\t1\nc\td\n",
            "a.tsv:2: 2 columns where the first row has 3",
            "take tabs",
        ),
        (
            "",
            "a.tsv",
            "a\tb\t1\n\nc\t \t2\n",
            "a.tsv:3: the sentence in column 1 is empty",
            "remove",
        ),
        (
            "",
            "a.tsv",
            "a\tb\t1\nc\td\tNaN\n",
            "a.tsv:2: column 2 is \"NaN\"",
            "finite number",
        ),
        (
            "",
            "a.tsv",
            "a\tb\t1\nc\td\te\t2\n",
            "a.tsv:2: 4 columns where the first row has 3",
            "out of the texts",
        ),
        ("", "a.tsv", "", "a.tsv: holds no pairs", ""),
        ("", "a.tsv", "\n\r\n", "a.tsv: holds no pairs", ""),
        (
            "",
            "a.csv",
            "sentence1,sentence2,score\n",
            "a.csv: holds no pairs",
            "",
        ),
        (
            "header = false",
            "a.tsv",
            "sentence1\tsentence2\tscore\na\tb\t1\n",
            "a.tsv: cannot tell",
            "`header = true`",
        ),
        (
            indexed,
            "a.csv",
            "a,b,1\nc,d,2\n",
            "a.csv: it cannot be told whether the first row holds names",
            "`header = false`",
        ),
        (
            "",
            "a.csv",
            "first;second;score\na;b;1\n",
            "a.csv: cannot tell",
            "`delimiter = \";\"`",
        ),
        (
            "",
            "a.tsv",
            "{\"first\": \"a\"}\n",
            "a.tsv: cannot tell",
            "`format = \"jsonl\"`",
        ),
        (
            "",
            "a.tsv",
            "a\tb\t1,5\nc\td\t2\n",
            "a.tsv: cannot tell which column is the label",
            "`label`",
        ),
        (
            "decimal = \"comma\"",
            "a.tsv",
            "a\tb\t1,5\nc\td\t2.5\n",
            "a.tsv:2: column 2 is \"2.5\"; it must be a number with a decimal comma",
            "`decimal = \"point\"`",
        ),
        (
            "",
            "a.tsv",
            "a\tb\t1\nc\td\t1,250.5\n",
            "a.tsv:2: column 2 is \"1,250.5\"",
            "separator of thousands",
        ),
        (
            "",
            "a.tsv",
            "a\tb\t1\nc\td\t2,5\n",
            "a.tsv:2: column 2 is \"2,5\"",
            "`decimal = \"comma\"`",
        ),
        (
            "",
            "a.csv",
            "x\t1\t4\ta, b\tc\n",
            "a.csv: cannot tell",
            "`format = \"tsv\"`",
        ),
        (
            "",
            "a.csv",
            "a,b,1\nc,d,2\n",
            "a.csv: cannot tell",
            "`header = false`",
        ),
        (
            "",
            "a.tsv",
            "a\tb\nc\td\n",
            "a.tsv: cannot tell which column is the label",
            "`label`",
        ),
        (
            "",
            "a.tsv",
            "x\ty\ta\tb\t1\n",
            "a.tsv: cannot tell which column is the sentence pair: 5 columns",
            "`first`",
        ),
        (
            "first = \"text\"\nsecond = \"s2\"",
            "a.csv",
            "texts,s2,score\na,b,1\n",
            "a.csv: no column \"text\" (did you mean \"texts\"?)",
            "it has",
        ),
        (
            "",
            "a.csv",
            "sentence1,sentence2,score\na,b, and more,1\n",
            "a.csv:2: 4 columns where the first row has 3",
            "double quotes",
        ),
        (
            "",
            "a.jsonl",
            "{\"sentence1\":\"a\",\"sentence2\":\"b\",\"score\":1}\n{\"sentence1\":\"a\",\"score\":1}\n",
            "a.jsonl:2: \"sentence2\" is missing",
            "a string",
        ),
        (
            "",
            "a.jsonl",
            "{\"sentence1\":\"a\",\"sentence2\":3,\"score\":1}\n",
            "a.jsonl:1: \"sentence2\" is a number",
            "a string",
        ),
        (
            "",
            "a.jsonl",
            "{\"sentence1\":\"a\",\"sentence2\":\"b\",\"score\":[1]}\n",
            "a.jsonl:1: \"score\" is an array",
            "",
        ),
        (
            "",
            "a.jsonl",
            "{\"sentence1\":\"a\",\"sentence2\":\"b\",\"score\":null}\n",
            "a.jsonl:1: score is \"\"",
            "labels.skip",
        ),
        (
            indexed,
            "a.jsonl",
            "{\"a\":\"b\"}\n",
            "a.jsonl: cannot tell",
            "`first` and `second`",
        ),
        (
            "labels.from = [0, 5]",
            "a.tsv",
            "a\tb\t1\nc\td\t5.01\n",
            "a.tsv:2: the label 5.01 is outside 0..5",
            "from",
        ),
    ] {
        let error = error(recipe, name, text);
        assert!(error.starts_with(start), "{recipe}: {error}");
        assert!(error.contains(remedy), "{remedy}: {error}");
    }
    let bytes = b"a\tb\t1\nc\xc3\td\t1\n";
    let error = try_load("", "a.tsv", bytes).unwrap_err();
    assert!(
        error.starts_with("a.tsv:2: byte 2 of the line is not UTF-8"),
        "{error}"
    );
}

#[test]
fn descriptions_that_make_no_sense_are_refused() {
    for (recipe, what) in [
        ("dataset = \"stsb\"", "keep one"),
        ("frist = 1", "unknown field `frist`"),
        ("split = \"dev\"", "a file is one split"),
        ("first = 1", "set both"),
        ("first = 1\nsecond = 1", "same column"),
        ("first = -1", "index counted from 0"),
        ("max_pairs = 0", "at least 1"),
        ("delimiter = '\"'", "choose another"),
        ("labels.to = [0, 1]", "set both"),
        ("labels.rounding = \"up\"", "floor"),
        (
            "exclude = [\"sts21\"]",
            "unknown data set \"sts21\" (did you mean",
        ),
        (
            "exclude = [\"stsb/val\"]",
            "no split \"val\"; it has: train, dev, test",
        ),
    ] {
        let error = error(recipe, "a.tsv", "a\tb\t1\n");
        assert!(error.contains(what), "{recipe}: {error}");
    }
    let source: Source = toml::from_str("dataset = \"stsb\"").unwrap();
    let error = source.validate().unwrap_err().to_string();
    assert!(error.contains("it has: train, dev, test"), "{error}");
    let source: Source = toml::from_str("dataset = \"nli\"\nheader = true").unwrap();
    assert!(source.validate().is_err());
    assert!(Source::default().validate().is_err());
}

#[test]
fn a_description_survives_being_written() {
    let recipe = "path = \"a.csv\"\nfirst = 1\nsecond = \"b\"\ndelimiter = \"\\t\"\nexclude = [\"sts\"]\nexclude_by = \"exact\"\n[labels]\nfrom = [1, 5]\nrounding = \"floor\"\n";
    let source: Source = toml::from_str(recipe).unwrap();
    let written = toml::to_string(&source).unwrap();
    assert_eq!(
        toml::from_str::<Source>(&written).unwrap(),
        source,
        "{written}"
    );
    let plain = toml::to_string(&Source::file("a.tsv")).unwrap();
    assert_eq!(plain.trim(), "path = \"a.tsv\"");
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = DataRoot::resolve(Some(folder.path()));
    let error = Source::file("no.tsv").load(Path::new("/nowhere"), &root);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("/nowhere/no.tsv: ")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn arbitrary_files_never_panic(
        bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(&b"\t\n\r\",{}:[]1.a"[..])], 0..120),
        json: bool,
        header: bool,
    ) {
        let recipe = if json { String::new() } else { format!("header = {header}") };
        for name in if json { &["a.jsonl"][..] } else { &["a.tsv", "a.csv", "a.tsv.gz"] } {
            if let Ok(loaded) = try_load(&recipe, name, &bytes) {
                prop_assert!(!loaded.pairs.is_empty());
                for pair in loaded.pairs {
                    prop_assert!(pair.label.is_finite() && !pair.first.trim().is_empty());
                }
            }
        }
    }
}

#[test]
fn numbers_may_have_a_decimal_comma() {
    let recipe = "delimiter = \";\"\ndecimal = \"comma\"";
    let text = "sentence1;sentence2;score;weight\na;b;3,5;0,25\nc;d;-1;\n";
    let loaded = load(recipe, "a.csv", text);
    let found: Vec<_> = loaded.pairs.iter().map(|p| (p.label, p.weight)).collect();
    assert_eq!(found, [(3.5, 0.25), (-1.0, 1.0)]);
}

#[test]
fn the_header_of_tab_separated_files_is_known() {
    let text = "sentence1\tsentence2\tscore\na\tb\t1\n";
    for recipe in ["", "first = 0\nsecond = 1\nlabel = 2"] {
        let loaded = load(recipe, "a.tsv", text);
        assert_eq!(loaded.pairs.len(), 1, "{recipe}");
    }
}

#[test]
fn the_sts_benchmark_is_read_by_its_path_too() {
    let row = |id: u32, more: &str| {
        format!("main-captions\tMSRvid\t2012test\t{id}\t2.5\tA \"cat\".\t\"A dog.\"{more}\n")
    };
    let text = row(1, "") + &row(2, "\tlicence\turl") + &row(3, "");
    for recipe in [
        "format = \"tsv\"",
        "format = \"tsv\"\nfirst = 5\nsecond = 6\nlabel = 4",
    ] {
        let loaded = load(recipe, "sts-dev.csv", &text);
        assert_eq!(loaded.pairs.len(), 3, "{recipe}");
        assert_eq!(loaded.pairs[0].second, "\"A dog.\"");
    }
    let error = error(
        "format = \"tsv\"",
        "a.csv",
        &(row(1, "") + &row(2, "\ta\tb\tc")),
    );
    assert!(
        error.contains(":2: 10 columns where the first row has 7 to 9"),
        "{error}"
    );
}
