//! Data sets in the shapes that the hub has them in, made from the released
//! files.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use flate2::{Compression, write::GzEncoder};
use gradus::data::{DataRoot, GradedPair, Known, LabelMap, Split, TextVariant};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::server::Hub;

/// The pairs of a split as released.
pub fn released(root: &DataRoot, known: Known, split: Split) -> Vec<GradedPair> {
    let located = known.locate(root, split, TextVariant::Original).unwrap();
    // Grades as they stand.
    let subsets = located.load(&LabelMap::default()).unwrap();
    subsets
        .into_iter()
        .flat_map(|subset| subset.pairs)
        .collect()
}

pub fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text.as_ref()).unwrap();
    out.finish().unwrap()
}

/// Rows as `mteb/` has them.
pub fn json_lines(pairs: &[GradedPair]) -> String {
    let row = |pair: &GradedPair| {
        let row = serde_json::json!({
            "sentence1": pair.first, "sentence2": pair.second, "score": pair.label
        });
        format!("{row}\n")
    };
    pairs.iter().map(row).collect()
}

/// A column of a Parquet file.
pub enum Cells<'a> {
    Text(Vec<&'a str>),
    Double(Vec<f64>),
    Float(Vec<f32>),
    Integer(Vec<i64>),
}

/// A Parquet file as the `datasets` library writes one: optional columns, some
/// rows in each group.
pub fn parquet(columns: &[(&str, Cells)]) -> Vec<u8> {
    let fields = columns.iter().map(|(name, cells)| match cells {
        Cells::Text(_) => format!("OPTIONAL BYTE_ARRAY {name} (UTF8);"),
        Cells::Double(_) => format!("OPTIONAL DOUBLE {name};"),
        Cells::Float(_) => format!("OPTIONAL FLOAT {name};"),
        Cells::Integer(_) => format!("OPTIONAL INT64 {name};"),
    });
    let fields: String = fields.collect();
    let schema = Arc::new(parse_message_type(&format!("message schema {{ {fields} }}")).unwrap());
    let properties = Arc::new(WriterProperties::default());
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (_, cells) in columns {
        let mut column = group.next_column().unwrap().unwrap();
        macro_rules! write {
            ($kind:ty, $values:expr) => {{
                let values: Vec<_> = $values;
                let levels = vec![1; values.len()];
                let typed = column.typed::<$kind>();
                typed.write_batch(&values, Some(&levels), None).unwrap();
            }};
        }
        match cells {
            Cells::Text(texts) => {
                write!(
                    ByteArrayType,
                    texts.iter().map(|t| ByteArray::from(*t)).collect()
                )
            }
            Cells::Double(values) => write!(DoubleType, values.clone()),
            Cells::Float(values) => write!(FloatType, values.clone()),
            Cells::Integer(values) => write!(Int64Type, values.clone()),
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    out
}

/// Graded pairs as the hub converts them.
pub fn parquet_of(pairs: &[GradedPair], single: bool) -> Vec<u8> {
    let scores = match single {
        true => Cells::Float(pairs.iter().map(|p| p.label as f32).collect()),
        false => Cells::Double(pairs.iter().map(|p| p.label).collect()),
    };
    parquet(&[
        (
            "sentence1",
            Cells::Text(pairs.iter().map(|p| p.first.as_str()).collect()),
        ),
        (
            "sentence2",
            Cells::Text(pairs.iter().map(|p| p.second.as_str()).collect()),
        ),
        ("score", scores),
    ])
}

/// All of SICK, train, trial and test together.
pub fn all_of_sick(root: &DataRoot) -> Vec<GradedPair> {
    let splits = [Split::Train, Split::Dev, Split::Test];
    splits
        .into_iter()
        .flat_map(|split| released(root, Known::SickR, split))
        .collect()
}

/// Publishes the seven tasks as they are on the hub now, from the released
/// files; the training set of 2012, which is not among them, is made up.
#[allow(dead_code, reason = "the command's tests use it")]
pub fn publish_sts(hub: &Hub, root: &DataRoot) {
    let packed = |pairs: &[GradedPair]| gzip(json_lines(pairs));
    for known in &Known::SUITE[..5] {
        let repo = format!("datasets/{}", known.on_hub().unwrap().repository);
        let test = packed(&released(root, *known, Split::Test));
        let mut files: Vec<(&str, &[u8])> = vec![("README.md", b"---"), ("test.jsonl.gz", &test)];
        let train: Vec<_> = (0..2234)
            .map(|i| GradedPair::new(format!("Sentence {i}."), "Another.", f64::from(i % 6)))
            .collect();
        let train = packed(&train);
        if *known == Known::Sts12 {
            files.push(("train.jsonl.gz", &train));
        }
        hub.publish(&repo, '1', &files);
    }
    let [train, dev, test] = [Split::Train, Split::Dev, Split::Test]
        .map(|split| packed(&released(root, Known::StsB, split)));
    hub.publish(
        "datasets/mteb/stsbenchmark-sts",
        '2',
        &[
            ("test.jsonl.gz", &test),
            ("train.jsonl.gz", &train),
            ("validation.jsonl.gz", &dev),
        ],
    );
    let all = packed(&all_of_sick(root));
    hub.publish("datasets/mteb/sickr-sts", '3', &[("test.jsonl.gz", &all)]);
}

/// Publishes small sets in the shapes of the others: AllNLI in Parquet with its
/// forms side by side, SimCSE's two files.
pub fn publish_training(hub: &Hub) {
    let texts = |what: &'static str| Cells::Text([what; 6].to_vec());
    let numbers = |form: &str| match form {
        "pair-class" => Cells::Integer(vec![0, 1, 2, 0, 1, 2]),
        _ => Cells::Double(vec![1.0, 0.5, 0.0, 1.0, 0.5, 0.0]),
    };
    let mut files = vec![("README.md".to_string(), b"---".to_vec())];
    for form in ["pair-class", "pair-score"] {
        let [first, second] = match form {
            "pair-class" => ["premise", "hypothesis"],
            _ => ["sentence1", "sentence2"],
        };
        let label = if form == "pair-class" {
            "label"
        } else {
            "score"
        };
        let bytes = parquet(&[
            (first, texts("A man is eating.")),
            (second, texts("Somebody eats.")),
            (label, numbers(form)),
        ]);
        for split in ["train", "dev", "test"] {
            files.push((
                format!("{form}/{split}-00000-of-00001.parquet"),
                bytes.clone(),
            ));
        }
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), &b[..])).collect();
    hub.publish("datasets/sentence-transformers/all-nli", '4', &files);
    let triplets = "sent0,sent1,hard_neg\n\
        A man eats.,\"Somebody eats, it seems.\",Nobody eats.\n\
        \"The \"\"dog\"\" runs.\",An animal moves.,A dog sleeps.\n";
    hub.publish(
        "datasets/princeton-nlp/datasets-for-simcse",
        '5',
        &[
            ("nli_for_simcse.csv", triplets.as_bytes()),
            ("senteval.tar", b"not wanted"),
            (
                "wiki1m_for_simcse.txt",
                "YMCA in South Australia\nIt was.\n\nÉté.\n".as_bytes(),
            ),
        ],
    );
}

/// What lies in a folder, by name.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
