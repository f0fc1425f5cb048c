//! Natural language inference in its published forms, and triplets.

use std::fs;
use std::io::Write;
use std::path::Path;

use gradus::data::{DataRoot, Format, LabelMap, Loaded, PairFile, Source, Triplet};
use proptest::prelude::*;

fn try_load(recipe: &str, name: &str, bytes: &[u8]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    let source: Source = toml::from_str(&format!("path = {name:?}\n{recipe}")).unwrap();
    let root = DataRoot::resolve(Some(folder.path()));
    let loaded = source.load(folder.path(), &root);
    let place = folder.path().display().to_string() + "/";
    loaded.map_err(|e| e.to_string().replace(&place, ""))
}

fn rows(loaded: &Loaded) -> Vec<(&str, &str, f64)> {
    let pairs = loaded.pairs.iter();
    let row = pairs.map(|p| (p.first.as_str(), p.second.as_str(), p.label));
    row.collect()
}

const SNLI_JSONL: &str = r#"{"annotator_labels": ["neutral"], "captionID": "1.jpg#4", "gold_label": "-", "pairID": "1.jpg#4r1n", "sentence1": "A person rides.", "sentence1_binary_parse": "( ( A person ) rides )", "sentence1_parse": "(ROOT)", "sentence2": "It \"rains\".", "sentence2_binary_parse": "x", "sentence2_parse": "y"}
{"annotator_labels": ["neutral"], "captionID": "1.jpg#4", "gold_label": "neutral", "pairID": "1.jpg#4r1n", "sentence1": "A person rides.", "sentence1_binary_parse": "( ( A person ) rides )", "sentence1_parse": "(ROOT)", "sentence2": "He trains.", "sentence2_binary_parse": "x", "sentence2_parse": "y"}
{"annotator_labels": ["entailment"], "captionID": "1.jpg#4", "gold_label": "entailment", "pairID": "1.jpg#4r1e", "sentence1": "A person rides.", "sentence1_binary_parse": "", "sentence1_parse": "", "sentence2": "Somebody rides.", "sentence2_binary_parse": "", "sentence2_parse": ""}
{"annotator_labels": ["contradiction"], "captionID": "1.jpg#4", "gold_label": "contradiction", "pairID": "1.jpg#4r1c", "sentence1": "A person rides.", "sentence1_binary_parse": "", "sentence1_parse": "", "sentence2": "Nobody rides.", "sentence2_binary_parse": "", "sentence2_parse": ""}
"#;

const MNLI_TEXT: &str = "gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tpromptID\tpairID\tgenre\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\n\
neutral\t( A \")\t( B )\t(ROOT\t(ROOT\tA person rides.\tHe trains.\t31193\t31193n\tgovernment\tneutral\t\t\t\t\n\
-\t( A )\t( B )\t(ROOT\t(ROOT\tA person rides.\tIt \"rains\".\t1\t1n\ttravel\tneutral\tentailment\n\
entailment\t( A )\t( B )\t(ROOT\t(ROOT\tA person rides.\tSomebody rides.\t1\t1n\ttravel\tneutral\n\
contradiction\t( A )\t( B )\t(ROOT\t(ROOT\tA person rides.\tNobody rides.\t1\t1n\ttravel\tneutral\n";

const ALL_NLI: &str = "split\tdataset\tfilename\tsentence1\tsentence2\tlabel\n\
train\tMultiNLI\tmultinli_1.0_train.txt\tA person rides.\tHe trains.\tneutral\n\
dev\tSNLI\tsnli_1.0_dev.txt\tA \"dog\".\tA cat.\tcontradiction\n\
train\tSNLI\tsnli_1.0_train.txt\tA person rides.\tSomebody rides.\tentailment\n\
train\tSNLI\tsnli_1.0_train.txt\tA person rides.\tNobody rides.\tcontradiction\n\
test\tSNLI\tsnli_1.0_test.txt\tB\tC\tneutral\n";

const WANT: [(&str, &str, f64); 3] = [
    ("A person rides.", "He trains.", 1.0),
    ("A person rides.", "Somebody rides.", 2.0),
    ("A person rides.", "Nobody rides.", 0.0),
];

fn gz(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[test]
fn published_inference_is_read_as_it_is() {
    for (name, bytes, recipe, without_gold) in [
        (
            "snli_1.0_train.jsonl",
            SNLI_JSONL.as_bytes().to_vec(),
            "",
            1,
        ),
        ("snli_1.0_train.jsonl.gz", gz(SNLI_JSONL), "", 1),
        (
            "multinli_1.0_train.txt",
            MNLI_TEXT.as_bytes().to_vec(),
            "",
            1,
        ),
        ("multinli_1.0_train.txt.gz", gz(MNLI_TEXT), "", 1),
        ("AllNLI.tsv.gz", gz(ALL_NLI), "split = \"train\"", 0),
        (
            "AllNLI.tsv",
            ALL_NLI.as_bytes().to_vec(),
            "split = \"train\"",
            0,
        ),
    ] {
        let loaded = try_load(recipe, name, &bytes).unwrap();
        assert_eq!(rows(&loaded), WANT, "{name}");
        assert_eq!(loaded.scale, Some((0.0, 2.0)), "{name}");
        let skipped = loaded.skipped.get("-").copied().unwrap_or(0);
        assert_eq!(skipped, without_gold, "{name}");
        assert_eq!(loaded.skipped.values().sum::<usize>(), without_gold);
    }
    let dev = try_load("split = \"dev\"", "AllNLI.tsv", ALL_NLI.as_bytes()).unwrap();
    assert_eq!(rows(&dev), [("A \"dog\".", "A cat.", 0.0)]);
    let csv = ALL_NLI.replace('\t', ",").replace("A \"dog\".", "dog");
    let test = try_load("split = \"test\"", "AllNLI.csv", csv.as_bytes()).unwrap();
    assert_eq!(rows(&test), [("B", "C", 1.0)]);
}

#[test]
fn labels_may_be_mapped_otherwise() {
    let recipe = "labels = { from = [0, 2], to = [0, 5], rounding = \"floor\" }";
    let loaded = try_load(recipe, "a.jsonl", SNLI_JSONL.as_bytes()).unwrap();
    let labels: Vec<f64> = loaded.pairs.iter().map(|p| p.label).collect();
    assert_eq!(labels, [2.0, 5.0, 0.0]);
    let two = "labels = { classes = { contradiction = 0, entailment = 1 }, skip = [\"neutral\"] }";
    let loaded = try_load(two, "a.txt", MNLI_TEXT.as_bytes()).unwrap();
    let labels: Vec<f64> = loaded.pairs.iter().map(|p| p.label).collect();
    assert_eq!(labels, [1.0, 0.0]);
    assert_eq!((loaded.skipped["-"], loaded.skipped["neutral"]), (1, 1));
    // The same columns with numbers, as in the files of Zhang & Li.
    let text = "gold_label,sentence1,sentence2\n4.75,a,b\n0,c,d\n";
    let loaded = try_load("", "merged.csv", text.as_bytes()).unwrap();
    assert_eq!(rows(&loaded), [("a", "b", 4.75), ("c", "d", 0.0)]);
    // Copies with numbers, in another order.
    let json = "{\"premise\":\"a\",\"hypothesis\":\"b\",\"label\":-1}\n{\"premise\":\"a\",\"hypothesis\":\"b\",\"label\":0}\n";
    let turned = r#"labels = { classes = { "0" = 2, "1" = 1, "2" = 0 }, skip = ["-1"] }"#;
    let loaded = try_load(turned, "hub.jsonl", json.as_bytes()).unwrap();
    assert_eq!(rows(&loaded), [("a", "b", 2.0)]);
    // Classes are known by the first label, whatever its column is called.
    let text = "sentence1,sentence2,label\na,b,entailment\nc,d,neutral\n";
    let loaded = try_load("", "mine.csv", text.as_bytes()).unwrap();
    assert_eq!(rows(&loaded), [("a", "b", 2.0), ("c", "d", 1.0)]);
}

#[test]
fn damaged_files_name_line_and_remedy() {
    let train = "split = \"train\"";
    for (recipe, name, text, parts) in [
        (
            "",
            "AllNLI.tsv",
            ALL_NLI.to_string(),
            [
                "data source AllNLI.tsv",
                "set `split` to train, dev or test",
            ],
        ),
        (
            "split = \"train\"",
            "snli.txt",
            MNLI_TEXT.to_string(),
            [
                "data source snli.txt",
                "remove `split`: such a file is one split",
            ],
        ),
        (
            train,
            "AllNLI.tsv",
            ALL_NLI.replace("dev\t", "devel\t"),
            ["AllNLI.tsv:3: split is \"devel\"", "train, dev or test"],
        ),
        (
            train,
            "AllNLI.tsv",
            ALL_NLI.replace("\tentailment", ""),
            ["AllNLI.tsv:4: 5 columns", "where the first row has 6"],
        ),
        (
            "",
            "snli.jsonl",
            SNLI_JSONL.replace("\"entailment\",", "\"entailed\","),
            ["snli.jsonl:3: unknown class \"entailed\"", "labels.skip"],
        ),
        (
            "",
            "snli.jsonl",
            SNLI_JSONL.replace("\"Nobody rides.\"", "7"),
            ["snli.jsonl:4: \"sentence2\" is a number", "a string"],
        ),
        (
            "",
            "mnli.txt",
            MNLI_TEXT.replace("Somebody rides.", " "),
            [
                "mnli.txt:4: the sentence in sentence2 is empty",
                "remove the row",
            ],
        ),
        (
            "",
            "mnli.txt",
            MNLI_TEXT.replace("entailment\t( A", "1\t( A"),
            ["mnli.txt:4: unknown class \"1\"", "classes"],
        ),
    ] {
        let error = try_load(recipe, name, text.as_bytes()).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{part} not in: {error}");
        }
    }
}

#[test]
fn a_triplet_gives_an_entailment_and_a_contradiction() {
    let want = [
        ("A dog, running.", "A dog runs.", 2.0),
        ("A dog, running.", "The dog \"sleeps\".", 0.0),
        ("b", "c", 2.0),
        ("b", "d", 0.0),
    ];
    let csv = "sent0,sent1,hard_neg\n\"A dog, running.\",A dog runs.,\"The dog \"\"sleeps\"\".\"\nb,c,d\n";
    let tsv = "A dog, running.\tA dog runs.\tThe dog \"sleeps\".\nb\tc\td\n";
    let json = "{\"anchor\":\"A dog, running.\",\"positive\":\"A dog runs.\",\"negative\":\"The dog \\\"sleeps\\\".\"}\n{\"anchor\":\"b\",\"positive\":\"c\",\"negative\":\"d\"}\n";
    let named = format!("anchor\tpositive\tnegative\n{tsv}");
    for (recipe, name, text) in [
        ("", "nli_for_simcse.csv", csv),
        ("", "a.jsonl", json),
        ("", "a.tsv", named.as_str()),
        ("first = 0\nsecond = 1\nnegative = 2", "a.tsv", tsv),
    ] {
        let loaded = try_load(recipe, name, text.as_bytes()).unwrap();
        assert_eq!(rows(&loaded), want, "{name}");
        assert_eq!(loaded.scale, Some((0.0, 2.0)));
    }
    let packed = try_load("", "nli_for_simcse.csv.gz", &gz(csv)).unwrap();
    assert_eq!(rows(&packed), want);
    let few = try_load("max_pairs = 3", "a.csv", csv.as_bytes()).unwrap();
    assert_eq!(rows(&few), want[..3]);
    for (recipe, text, part) in [
        (
            "",
            csv.replace("b,c,d", "b,c, "),
            "a.csv:3: the sentence in hard_neg is empty",
        ),
        (
            "",
            csv.replace("b,c,d", "b,c"),
            "a.csv:3: 2 columns where the first row has 3",
        ),
        (
            "negative = \"hard_neg\"",
            csv.to_string(),
            "set `first` and `second` too",
        ),
        (
            "first = 0\nsecond = 1\nlabel = 2\nnegative = 2",
            csv.to_string(),
            "remove `label`, or `negative`",
        ),
        (
            "labels.classes = { yes = 1 }",
            csv.to_string(),
            "a.csv:2: unknown class \"entailment\"",
        ),
    ] {
        let error = try_load(recipe, "a.csv", text.as_bytes()).unwrap_err();
        assert!(error.contains(part), "{part} not in: {error}");
    }
}

fn triplets(name: &str, text: &[u8]) -> Result<Vec<Triplet>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    let file = PairFile::new(&path, Format::of(Path::new(name)).unwrap());
    let rows = file.triplets().map_err(|e| e.to_string())?;
    rows.collect::<Result<_, _>>().map_err(|e| e.to_string())
}

#[test]
fn triplets_are_read_as_they_are() {
    let triplet = |anchor: &str, positive: &str, negative: &str| Triplet {
        anchor: anchor.into(),
        positive: positive.into(),
        negative: negative.into(),
    };
    let want = [triplet("a", "b", "c"), triplet("d", "e", "f")];
    for (name, text) in [
        ("a.tsv", "a\tb\tc\nd\te\tf\n"),
        ("a.txt", "sent0\tsent1\thard_neg\na\tb\tc\nd\te\tf\n"),
        ("a.csv", "negative,positive,anchor\nc,b,a\nf,e,d\n"),
        (
            "a.jsonl",
            "{\"sent0\":\"a\",\"sent1\":\"b\",\"hard_neg\":\"c\"}\n{\"sent0\":\"d\",\"sent1\":\"e\",\"hard_neg\":\"f\"}",
        ),
    ] {
        assert_eq!(triplets(name, text.as_bytes()).unwrap(), want, "{name}");
    }
    for (name, text, part) in [
        (
            "a.csv",
            "sentence1,sentence2,score\na,b,1\n",
            "which column is the negative",
        ),
        ("a.csv", "x,y,z\na,b,c\n", "set `first` and `second`"),
        (
            "a.tsv",
            "a\tb\n",
            "a.tsv:1: no column 2: the row has 2 columns",
        ),
        ("a.tsv", "", "holds no pairs"),
    ] {
        let error = triplets(name, text.as_bytes()).unwrap_err();
        assert!(error.contains(part), "{part} not in: {error}");
    }
}

#[test]
fn real_triplets_are_all_read() {
    let Some(root) = crate::support::real_data() else {
        return;
    };
    let path = root.path().join("nli/nli_triplets.tsv");
    let file = PairFile::new(&path, Format::Tsv);
    assert_eq!(file.triplets().unwrap().count(), 16_063);
    let mut pairs = file.clone();
    pairs.columns = toml::from_str("first = 0\nsecond = 1\nnegative = 2").unwrap();
    let rows = pairs.rows(&LabelMap::default()).unwrap();
    assert_eq!(rows.map(Result::unwrap).count(), 2 * 16_063);
}

proptest! {
    #[test]
    fn any_bytes_after_a_published_header_give_rows_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        form in 0..3usize,
    ) {
        let (name, head) = [
            ("a.txt", MNLI_TEXT.lines().next().unwrap()),
            ("a.tsv", ALL_NLI.lines().next().unwrap()),
            ("a.csv", "sent0,sent1,hard_neg"),
        ][form];
        let mut text = format!("{head}\n").into_bytes();
        text.extend(bytes);
        let recipe = if form == 1 { "split = \"train\"" } else { "" };
        let _ = try_load(recipe, name, &text);
        let _ = triplets(name, &text);
    }
}
