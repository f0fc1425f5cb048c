//! Queries with several documents, in every form that is read.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use gradus::data::{
    DataRoot, LabelledList, LabelledLists, PairIndex, ParquetFile, RowKind, Source,
};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;

/// Reads the lists of a source written in TOML over a file `name` with these bytes,
/// without the pair of "held" and "out".
fn try_lists(recipe: &str, name: &str, bytes: &[u8]) -> Result<LabelledLists, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    let recipe = format!("path = {name:?}\nrows = \"lists\"\n{recipe}");
    let source: Source = toml::from_str(&recipe).map_err(|e| e.to_string())?;
    let mut held = PairIndex::default();
    held.insert("held", "out");
    let root = DataRoot::resolve(Some(folder.path()));
    let found = source.lists(&held, folder.path(), &root);
    let folder_name = folder.path().display().to_string() + "/";
    found.map_err(|e| e.to_string().replace(&folder_name, ""))
}

fn lists(recipe: &str, name: &str, text: &str) -> Vec<LabelledList> {
    try_lists(recipe, name, text.as_bytes()).unwrap().lists
}

fn error(recipe: &str, name: &str, text: &str) -> String {
    try_lists(recipe, name, text.as_bytes()).unwrap_err()
}

fn list(query: &str, documents: &[(&str, f64)]) -> LabelledList {
    LabelledList {
        query: query.into(),
        documents: documents.iter().map(|(d, _)| d.to_string()).collect(),
        labels: documents.iter().map(|(_, label)| *label).collect(),
    }
}

#[test]
fn rows_of_documents_and_labels() {
    let want = [
        list("q", &[("a", 1.0), ("b", 0.0)]),
        list("r", &[("c", 2.5)]),
    ];
    for (recipe, text) in [
        (
            "",
            "{\"query\": \"q\", \"docs\": [\"a\", \"b\"], \"labels\": [1, 0]}\n\n{\"query\": \"r\", \"docs\": [\"c\"], \"labels\": [2.5]}\n",
        ),
        // As the mining of sentence-transformers names them.
        (
            "",
            "[{\"question\": \"q\", \"answer\": [\"a\", \"b\"], \"labels\": [true, false]}, {\"question\": \"r\", \"answer\": [\"c\"], \"labels\": [\"2.5\"]}]",
        ),
        (
            "first = \"x\"\nsecond = \"y\"\nlabel = \"z\"",
            "{\"z\": [1, 0], \"x\": \"q\", \"y\": [\"a\", \"b\"], \"query\": 1}\n{\"z\": [2.5], \"x\": \"r\", \"y\": [\"c\"]}",
        ),
    ] {
        assert_eq!(lists(recipe, "a.jsonl", text), want, "{text}");
    }
    let cells =
        "query,docs,labels\nq,\"[\"\"a\"\", \"\"b\"\"]\",\"[1, 0]\"\nr,\"[\"\"c\"\"]\",[2.5]\n";
    assert_eq!(lists("", "a.csv", cells), want);
    // A list with another is another, also of the same query.
    let twice = "{\"query\": \"q\", \"docs\": [\"a\"], \"labels\": [1]}\n".repeat(2);
    assert_eq!(lists("", "a.jsonl", &twice).len(), 2);
    assert_eq!(lists("max_pairs = 1", "a.jsonl", &twice).len(), 1);
}

#[test]
fn tuples_have_a_positive_and_negatives() {
    let want = [
        list("q", &[("a", 1.0), ("b", 0.0), ("[c", 0.0)]),
        list("r", &[("d", 1.0), ("e", 0.0), ("f", 0.0)]),
    ];
    for (recipe, name, text) in [
        (
            "",
            "a.tsv",
            "query\tpositive\tnegative_1\tnegative_2\nq\ta\tb\t[c\nr\td\te\tf\n",
        ),
        (
            "",
            "a.csv",
            "negative_2,anchor,id,positive,negative_1\n[c,q,1,a,b\nf,r,2,d,e\n",
        ),
        (
            "",
            "a.jsonl",
            "{\"query\": \"q\", \"pos\": [\"a\"], \"neg\": [\"b\", \"[c\"]}\n{\"query\": \"r\", \"pos\": [\"d\"], \"neg\": [\"e\", \"f\"]}",
        ),
        (
            "first = \"x\"\nsecond = \"y\"\nnegative = \"n\"",
            "a.jsonl",
            "{\"x\": \"q\", \"y\": \"a\", \"n_1\": \"b\", \"n_2\": \"[c\"}\n{\"x\": \"r\", \"y\": \"d\", \"n_1\": \"e\", \"n_2\": \"f\"}",
        ),
    ] {
        assert_eq!(lists(recipe, name, text), want, "{text}");
    }
    // A triplet is a tuple.
    let triplet = lists("", "a.tsv", "anchor\tpositive\tnegative\nq\ta\tb\n");
    assert_eq!(triplet, [list("q", &[("a", 1.0), ("b", 0.0)])]);
}

#[test]
fn tuples_may_have_scores_of_a_teacher() {
    let want = [list("q", &[("a", 7.5), ("b", -1.0)])];
    let json =
        "{\"query\": \"q\", \"positive\": \"a\", \"negative_1\": \"b\", \"score\": [7.5, -1]}";
    assert_eq!(lists("", "a.jsonl", json), want);
    let tsv = "query\tpositive\tnegative_1\tscores\nq\ta\tb\t[7.5, -1.0]\n";
    assert_eq!(lists("", "a.tsv", tsv), want);
    let named = json.replace("score", "teacher");
    let recipe =
        "first = \"query\"\nsecond = \"positive\"\nnegative = \"negative\"\nlabel = \"teacher\"";
    let named = named.replace("negative_1", "negative");
    assert_eq!(lists(recipe, "a.jsonl", &named), want);
}

#[test]
fn graded_pairs_are_gathered_by_their_first_text() {
    let want = [
        list("q", &[("a", 2.0), ("c", 0.0), ("a", 1.0)]),
        list("r", &[("b", 1.0)]),
    ];
    for (name, text) in [
        ("a.tsv", "q\ta\t2\nr\tb\t1\nq\tc\t0\nq\ta\t1\n"),
        (
            "a.csv",
            "label,query,document\n2,q,a\n1,r,b\n0,q,c\n1,q,a\n",
        ),
        (
            "a.jsonl",
            "{\"query\":\"q\",\"passage\":\"a\",\"score\":2}\n{\"query\":\"r\",\"passage\":\"b\",\"score\":1}\n{\"query\":\"q\",\"passage\":\"c\",\"score\":0}\n{\"query\":\"q\",\"passage\":\"a\",\"score\":1}",
        ),
    ] {
        assert_eq!(lists("", name, text), want, "{text}");
        // What belongs to the first list is still read.
        assert_eq!(lists("max_pairs = 1", name, text), want[..1], "{text}");
    }
}

#[test]
fn labels_go_through_the_label_map() {
    let json = "{\"query\": \"q\", \"docs\": [\"a\", \"b\", \"c\"], \"labels\": [\"exact\", \"none\", \"-\"]}\n{\"query\": \"r\", \"docs\": [\"a\"], \"labels\": [\"-\"]}";
    let recipe = "labels.classes = { none = 0, exact = 3 }\nlabels.skip = [\"-\"]";
    let found = try_lists(recipe, "a.jsonl", json.as_bytes()).unwrap();
    assert_eq!(found.lists, [list("q", &[("a", 3.0), ("b", 0.0)])]);
    assert_eq!((found.skipped["-"], found.scale), (2, Some((0.0, 3.0))));
    let json = "{\"query\": \"q\", \"docs\": [\"a\", \"b\"], \"labels\": [1, 4]}";
    let scaled = lists("labels.from = [1, 5]\nlabels.to = [0, 1]", "a.jsonl", json);
    assert_eq!(scaled[0].labels, [0.0, 0.75]);
}

#[test]
fn held_out_pairs_are_left_out_of_their_lists() {
    let json = "{\"query\": \"held\", \"docs\": [\"out\", \"in\"], \"labels\": [1, 0]}\n{\"query\": \"out\", \"docs\": [\"Held!\"], \"labels\": [1]}";
    let found = try_lists("", "a.jsonl", json.as_bytes()).unwrap();
    assert_eq!(found.lists, [list("held", &[("in", 0.0)])]);
    assert_eq!(found.excluded, 2);
    let pairs = "held\tout\t1\nheld\tin\t0\n";
    let found = try_lists("", "a.tsv", pairs.as_bytes()).unwrap();
    assert_eq!((found.lists.len(), found.excluded), (1, 1));
    let nothing = error("", "a.tsv", "held\tout\t1\n");
    assert!(nothing.contains("no list is left"), "{nothing}");
    assert!(nothing.contains("1 excluded"), "{nothing}");
}

#[test]
fn errors_name_the_line_and_what_is_wrong() {
    let good = "{\"query\": \"q\", \"docs\": [\"a\"], \"labels\": [1]}\n";
    for (row, what) in [
        (
            "{\"query\": \"q\", \"docs\": [], \"labels\": []}",
            "a.jsonl:2: docs is an empty list",
        ),
        (
            "{\"query\": \"q\", \"docs\": [\"a\"], \"labels\": [1, 0]}",
            "a.jsonl:2: labels has 2 numbers for 1 documents",
        ),
        (
            "{\"query\": \"q\", \"docs\": [\"a\"], \"labels\": [\"NaN\"]}",
            "a.jsonl:2: labels is \"NaN\"; it must be a finite number",
        ),
        (
            "{\"query\": \"q\", \"docs\": [\"a\"], \"labels\": [null]}",
            "a.jsonl:2: \"labels\" is null; it must be a list of numbers",
        ),
        (
            "{\"query\": \"q\", \"docs\": [\"a\"], \"labels\": 1}",
            "a.jsonl:2: \"labels\" is a number; it must be a list of numbers",
        ),
        (
            "{\"query\": \"q\", \"docs\": [\"a\"]}",
            "a.jsonl:2: \"labels\" is missing",
        ),
        (
            "{\"query\": \"q\", \"docs\": [\" \"], \"labels\": [1]}",
            "a.jsonl:2: the sentence in docs is empty",
        ),
        (
            "{\"query\": \"\", \"docs\": [\"a\"], \"labels\": [1]}",
            "a.jsonl:2: the sentence in query is empty",
        ),
        (
            "{\"query\": \"q\", \"docs\": [1], \"labels\": [1]}",
            "a.jsonl:2: \"docs\" is a number; it must be a list of strings",
        ),
        (
            "{\"docs\": [\"a\"], \"labels\": [1]}",
            "a.jsonl:2: \"query\" is missing",
        ),
    ] {
        let error = error("", "a.jsonl", &format!("{good}{row}\n"));
        assert!(error.starts_with(what), "{error}");
    }
    let tuples = "query\tpositive\tnegative_1\nq\ta\tb\n";
    let wide = error("", "a.tsv", &format!("{tuples}q\ta\tb\tc\n"));
    assert!(wide.starts_with("a.tsv:3: 4 columns where"), "{wide}");
    let empty = error("", "a.tsv", &format!("{tuples}q\ta\t\n"));
    assert!(
        empty.starts_with("a.tsv:3: the sentence in negative_1"),
        "{empty}"
    );
    let scores = "query\tpositive\tnegative_1\tscore\nq\ta\tb\t0.5\n";
    let scores = error("", "a.tsv", scores);
    assert!(
        scores.starts_with("a.tsv:2: \"score\" is a string"),
        "{scores}"
    );
}

#[test]
fn what_is_unclear_says_what_to_set() {
    for (name, text, what) in [
        (
            "a.jsonl",
            "{\"query\": \"q\", \"docs\": [\"a\"]}",
            "no usual name of the list of labels",
        ),
        (
            "a.csv",
            "text,positive,negative\na,b,c\n",
            "no usual name of the query",
        ),
        (
            "a.csv",
            "query,pos,answer,negative\na,b,c,d\n",
            "several usual names of the positive",
        ),
    ] {
        let error = error("", name, text);
        assert!(error.contains(what), "{error}");
        assert!(
            error.contains("set `first` to the column of the query"),
            "{error}"
        );
    }
    let split = error(
        "split = \"train\"",
        "a.tsv",
        "anchor\tpositive\tnegative\nq\ta\tb\n",
    );
    assert!(split.contains("remove `split`"), "{split}");
    let unknown = error(
        "first = \"query\"\nsecond = \"doc\"",
        "a.jsonl",
        "{\"query\": \"q\", \"docs\": [\"a\"], \"labels\": [1]}",
    );
    assert!(unknown.contains("did you mean \"docs\""), "{unknown}");
}

#[test]
fn lists_are_no_rows_without_labels() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.tsv"), "q\ta\t1\n").unwrap();
    let source = Source {
        rows: Some(RowKind::Lists),
        ..Source::file("a.tsv")
    };
    let root = DataRoot::resolve(Some(folder.path()));
    let refused = source.unlabelled(&PairIndex::default(), folder.path(), &root);
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("set `rows` to texts, pairs or triplets"),
        "{refused}"
    );
}

const NESTED: &str = "message schema {
    optional binary query (STRING);
    optional group docs (LIST) { repeated group list { optional binary element (STRING); } }
    optional group labels (LIST) { repeated group list { required double element; } }
    required group ids (LIST) { repeated int64 array; }
}";

/// A query, documents (null as `None`) and labels.
type NestedRow<'a> = (&'a str, Option<&'a [Option<&'a str>]>, &'a [f64]);

/// Writes such rows, two a row group.
fn write(path: &Path, rows: &[NestedRow]) {
    let schema = Arc::new(parse_message_type(NESTED).unwrap());
    let file = fs::File::create(path).unwrap();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    for rows in rows.chunks(2) {
        let mut out = writer.next_row_group().unwrap();
        let mut column = out.next_column().unwrap().unwrap();
        let texts: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(row.0)).collect();
        let levels = vec![1; rows.len()];
        let queries = column.typed::<ByteArrayType>();
        queries.write_batch(&texts, Some(&levels), None).unwrap();
        column.close().unwrap();

        let (mut values, mut levels, mut repeats) = (vec![], vec![], vec![]);
        for (_, documents, _) in rows {
            match documents {
                None => (levels.push(0), repeats.push(0)),
                Some([]) => (levels.push(1), repeats.push(0)),
                Some(documents) => {
                    for (i, document) in documents.iter().enumerate() {
                        values.extend(document.map(ByteArray::from));
                        levels.push(if document.is_some() { 3 } else { 2 });
                        repeats.push(i16::from(i > 0));
                    }
                    ((), ())
                }
            };
        }
        let mut column = out.next_column().unwrap().unwrap();
        let documents = column.typed::<ByteArrayType>();
        documents
            .write_batch(&values, Some(&levels), Some(&repeats))
            .unwrap();
        column.close().unwrap();

        let (mut values, mut levels, mut repeats) = (vec![], vec![], vec![]);
        for (_, _, labels) in rows {
            if labels.is_empty() {
                levels.push(1);
                repeats.push(0);
            }
            for (i, label) in labels.iter().enumerate() {
                values.push(*label);
                levels.push(2);
                repeats.push(i16::from(i > 0));
            }
        }
        let mut column = out.next_column().unwrap().unwrap();
        let labels = column.typed::<DoubleType>();
        labels
            .write_batch(&values, Some(&levels), Some(&repeats))
            .unwrap();
        column.close().unwrap();

        let mut column = out.next_column().unwrap().unwrap();
        let ids = column.typed::<Int64Type>();
        let levels = vec![0; rows.len()];
        ids.write_batch(&[], Some(&levels), Some(&levels)).unwrap();
        column.close().unwrap();
        out.close().unwrap();
    }
    writer.close().unwrap();
}

fn parquet(rows: &[NestedRow]) -> Result<LabelledLists, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write(&path, rows);
    try_lists("", "a.parquet", &fs::read(&path).unwrap())
}

#[test]
fn parquet_has_columns_of_lists() {
    let found = parquet(&[
        ("q", Some(&[Some("a"), Some("b")]), &[1.0, 0.5]),
        ("r", Some(&[Some("c")]), &[2.0]),
        (
            "s",
            Some(&[Some("d"), Some("e"), Some("f")]),
            &[3.0, 0.0, -1.0],
        ),
    ]);
    let want = [
        list("q", &[("a", 1.0), ("b", 0.5)]),
        list("r", &[("c", 2.0)]),
        list("s", &[("d", 3.0), ("e", 0.0), ("f", -1.0)]),
    ];
    assert_eq!(found.unwrap().lists, want);
    for (row, what) in [
        (
            ("q", None, &[][..]),
            "a.parquet, row 2: docs is an empty list",
        ),
        (
            ("q", Some(&[][..]), &[]),
            "a.parquet, row 2: docs is an empty list",
        ),
        (
            ("q", Some(&[None]), &[1.0]),
            "a.parquet, row 2: \"docs\" is null; it must be a list of strings",
        ),
        (
            ("q", Some(&[Some("a")]), &[]),
            "a.parquet, row 2: labels has 0 numbers for 1 documents",
        ),
        (
            ("q", Some(&[Some("a")]), &[f64::NAN]),
            "a.parquet, row 2: labels is \"NaN\"",
        ),
    ] {
        let refused = parquet(&[("q", Some(&[Some("a")]), &[1.0]), row]).unwrap_err();
        assert!(refused.starts_with(what), "{refused}");
    }
}

#[test]
fn lists_of_parquet_are_no_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write(&path, &[("q", Some(&[Some("a")]), &[1.0])]);
    let file = ParquetFile::open(&path).unwrap();
    let refused = file
        .rows(&["query", "docs"], &[])
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains("a nested column"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn arbitrary_files_never_panic(
        bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(&b"\t\n\r\",{}:[]1.a"[..])], 0..120),
        form in 0..4usize,
    ) {
        let (name, head) = [
            ("a.jsonl", "{\"query\": \"q\", \"docs\": [\"a\"], \"labels\": [1]}\n"),
            ("a.tsv", "query\tpositive\tnegative_1\nq\ta\tb\n"),
            ("a.csv", "query,docs,labels\n"),
            ("a.jsonl", "{\"query\": \"q\", \"positive\": \"a\", \"negative\": [\"b\"]}\n"),
        ][form];
        let bytes = [head.as_bytes(), &bytes].concat();
        if let Ok(found) = try_lists("", name, &bytes) {
            for list in found.lists {
                prop_assert!(!list.documents.is_empty());
                prop_assert_eq!(list.documents.len(), list.labels.len());
                prop_assert!(list.labels.iter().all(|label| label.is_finite()));
            }
        }
    }

    #[test]
    fn damaged_parquet_is_an_error(at in 4..400usize, to: u8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        write(&path, &[("q", Some(&[Some("a"), Some("b")]), &[1.0, 0.0])]);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.min(bytes.len() - 1);
        bytes[at] = to;
        // What is read is read whole, or refused.
        let _ = try_lists("", "a.parquet", &bytes);
    }

    #[test]
    fn lists_are_read_as_they_were_written(
        rows in proptest::collection::vec(
            ("[a-z\"\\\\,\t]{0,6}x", proptest::collection::vec(("[a-z \"é]{0,5}y", -9.0..9.0f64), 1..5)),
            1..6,
        ),
    ) {
        let mut text = String::new();
        let mut want = Vec::new();
        for (query, documents) in &rows {
            let (docs, labels): (Vec<_>, Vec<_>) = documents.iter().cloned().unzip();
            let row = serde_json::json!({"query": query, "docs": docs, "labels": labels});
            text += &format!("{row}\n");
            want.push(LabelledList { query: query.clone(), documents: docs, labels });
        }
        prop_assert_eq!(lists("", "a.jsonl", &text), want);
    }
}
