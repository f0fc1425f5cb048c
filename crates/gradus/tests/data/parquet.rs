//! Parquet files of pairs.

use gradus::data::{DataRoot, Format, LabelMap, PairFile, ParquetFile, Source};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type,
};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a column holds; `None` is null.
enum Values<'a> {
    Text(&'a [Option<&'a str>]),
    Bytes(&'a [u8]),
    Integer(&'a [Option<i64>]),
    Single(&'a [Option<f32>]),
    Double(&'a [Option<f64>]),
    Truth(&'a [Option<bool>]),
}

const CLASSES: &str = r#"{"info": {"features": {"label": {"names":
    ["entailment", "neutral", "contradiction"], "_type": "ClassLabel"},
    "score": {"dtype": "float32", "_type": "Value"}}}}"#;

/// Writes row groups of two rows, as far as there are columns to read.
fn write(
    path: &Path,
    schema: &str,
    columns: &[Values],
    compression: Compression,
    features: Option<&str>,
) {
    let described = features.map(|json| {
        let (key, value) = ("huggingface".to_string(), Some(json.to_string()));
        vec![KeyValue { key, value }]
    });
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_key_value_metadata(described)
        .build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for group in 0.. {
        let rows = 2 * group..2 * group + 2;
        let mut none = true;
        let mut out = writer.next_row_group().unwrap();
        for column in columns {
            let mut column_out = out.next_column().unwrap().unwrap();
            fn put<T: DataType>(
                out: &mut parquet::file::writer::SerializedColumnWriter,
                values: Vec<Option<T::T>>,
            ) {
                let levels: Vec<i16> = values.iter().map(|v| i16::from(v.is_some())).collect();
                let values: Vec<_> = values.into_iter().flatten().collect();
                let out = out.typed::<T>();
                out.write_batch(&values, Some(&levels), None).unwrap();
            }
            let some = |n: usize| rows.start.min(n)..rows.end.min(n);
            match column {
                Values::Text(v) => {
                    let part = &v[some(v.len())];
                    none &= part.is_empty();
                    let text = |t: &Option<&str>| t.map(ByteArray::from);
                    put::<ByteArrayType>(&mut column_out, part.iter().map(text).collect());
                }
                Values::Bytes(v) => {
                    let part = if group == 0 { &v[..] } else { &[] };
                    none &= part.is_empty();
                    let bytes = (!part.is_empty()).then(|| Some(ByteArray::from(part.to_vec())));
                    put::<ByteArrayType>(&mut column_out, bytes.into_iter().collect());
                }
                Values::Integer(v) => put::<Int64Type>(&mut column_out, v[some(v.len())].to_vec()),
                Values::Single(v) => put::<FloatType>(&mut column_out, v[some(v.len())].to_vec()),
                Values::Double(v) => put::<DoubleType>(&mut column_out, v[some(v.len())].to_vec()),
                Values::Truth(v) => put::<BoolType>(&mut column_out, v[some(v.len())].to_vec()),
            }
            column_out.close().unwrap();
        }
        out.close().unwrap();
        if none {
            break;
        }
    }
    writer.close().unwrap();
}

const PAIRS: &str = "message schema {
    optional binary idx (STRING); optional binary sentence1 (STRING);
    optional binary sentence2 (STRING); optional float score;
}";

fn pairs(path: &Path, compression: Compression) {
    let columns = [
        Values::Text(&[Some("a"), None, Some("c"), Some("d"), Some("e")]),
        Values::Text(&[
            Some("A cat."),
            Some("tab\tand\nline"),
            Some("x"),
            Some("y"),
            Some("\u{e9}"),
        ]),
        Values::Text(&[Some("A dog."), Some("b"), Some("x"), Some("z"), Some("q")]),
        Values::Single(&[Some(3.8), Some(0.2), Some(5.0), Some(0.0), Some(1.0)]),
    ];
    write(path, PAIRS, &columns, compression, None);
}

fn in_folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    (folder, path)
}

fn load(path: &Path) -> gradus::Result<Vec<(String, String, f64)>> {
    let loaded = Source::file(path).load(Path::new(""), &DataRoot::resolve(None))?;
    let pairs = loaded.pairs.into_iter();
    Ok(pairs.map(|p| (p.first, p.second, p.label)).collect())
}

#[test]
fn pairs_are_read_whatever_the_compression() {
    let (_folder, path) = in_folder();
    let kinds = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4_RAW,
    ];
    for compression in kinds {
        pairs(&path, compression);
        let found = load(&path).unwrap();
        assert_eq!(found.len(), 5, "{compression:?}");
        assert_eq!(found[0], ("A cat.".into(), "A dog.".into(), 3.8));
        assert_eq!(found[1].0, "tab\tand\nline");
        assert_eq!((found[4].0.as_str(), found[4].2), ("\u{e9}", 1.0));
    }
    assert_eq!(ParquetFile::open(&path).unwrap().row_count(), 5);
}

#[test]
fn values_of_every_kind_come_as_objects() {
    let (_folder, path) = in_folder();
    let schema = "message schema { optional int64 n; optional double d; optional boolean b;
        optional binary t (STRING); }";
    let columns = [
        Values::Integer(&[Some(-7), None, Some(2)]),
        Values::Double(&[Some(0.1), Some(f64::NAN), None]),
        Values::Truth(&[None, Some(true), Some(false)]),
        Values::Text(&[Some("x"), Some(""), None]),
    ];
    write(&path, schema, &columns, Compression::SNAPPY, None);
    let file = ParquetFile::open(&path).unwrap();
    assert_eq!(file.names(), ["n", "d", "b", "t"]);
    let rows = file.rows(&["t", "n", "d", "b"], &[]).unwrap();
    let rows: Vec<String> = rows
        .map(|row| serde_json::to_string(&row.unwrap().object).unwrap())
        .collect();
    let want = [
        r#"{"t":"x","n":-7,"d":0.1,"b":null}"#,
        r#"{"t":"","n":null,"d":"NaN","b":true}"#,
        r#"{"t":null,"n":2,"d":null,"b":false}"#,
    ];
    assert_eq!(rows, want);
    let error = ParquetFile::open(&path).unwrap().rows(&["m"], &[]);
    let error = error.err().unwrap().to_string();
    assert!(error.contains("no column \"m\" (did you mean"), "{error}");
}

#[test]
fn classes_of_inference_are_known_by_their_names() {
    let (_folder, path) = in_folder();
    let schema = "message schema { optional binary premise (STRING);
        optional binary hypothesis (STRING); optional int64 label; }";
    let texts = [Some("a"), Some("b"), Some("c")];
    let columns = [
        Values::Text(&texts),
        Values::Text(&[Some("d"), Some("e"), Some("f")]),
        Values::Integer(&[Some(0), Some(2), Some(1)]),
    ];
    let compression = Compression::SNAPPY;
    // 0 is entailment here, and 2 in the order of inference.
    write(&path, schema, &columns, compression, Some(CLASSES));
    let labels = |path: &Path| -> Vec<f64> { load(path).unwrap().iter().map(|p| p.2).collect() };
    assert_eq!(labels(&path), [2.0, 0.0, 1.0]);
    // A map that names the numbers gets numbers.
    let file = PairFile::new(&path, Format::Parquet);
    let by_number: LabelMap = toml::from_str("classes = { 0 = 9, 1 = 8, 2 = 7 }").unwrap();
    let first = file.rows(&by_number).unwrap().next().unwrap().unwrap();
    assert_eq!(first.label.as_deref(), Some("0"));
    write(&path, schema, &columns, compression, None);
    assert_eq!(labels(&path), [0.0, 2.0, 1.0]);
}

#[test]
fn what_cannot_be_read_names_its_row() {
    let (_folder, path) = in_folder();
    let message = |path: &Path| load(path).unwrap_err().to_string();
    let two = "message schema { optional binary sentence1 (STRING);
        optional binary sentence2 (STRING); optional double score; }";
    let columns = [
        Values::Text(&[Some("a"), Some("b"), None]),
        Values::Text(&[Some("a"), Some("b"), Some("c")]),
        Values::Double(&[Some(1.0), Some(2.0), Some(3.0)]),
    ];
    write(&path, two, &columns, Compression::SNAPPY, None);
    let error = message(&path);
    assert!(
        error.contains("a.parquet, row 3: \"sentence1\" is null"),
        "{error}"
    );

    let columns = [
        Values::Bytes(b"\xff\xfe"),
        Values::Text(&[Some("a")]),
        Values::Double(&[Some(1.0)]),
    ];
    write(&path, two, &columns, Compression::SNAPPY, None);
    let error = message(&path);
    assert!(error.contains("row 1: \"sentence1\" is bytes"), "{error}");

    let nested = "message schema { optional group sentence1 { optional binary en (STRING); }
        optional binary sentence2 (STRING); optional double score; }";
    let columns = [Values::Text(&[]), Values::Text(&[]), Values::Double(&[])];
    write(&path, nested, &columns, Compression::SNAPPY, None);
    let error = message(&path);
    assert!(
        error.contains("\"sentence1\" is a nested column"),
        "{error}"
    );

    std::fs::write(&path, "no parquet at all").unwrap();
    assert!(message(&path).contains("not readable as Parquet"));
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let (_folder, path) = in_folder();
    pairs(&path, Compression::SNAPPY);
    let whole = std::fs::read(&path).unwrap();
    for end in (0..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..end]).unwrap();
        assert!(load(&path).is_err(), "cut at {end}");
    }
    for at in (0..whole.len()).step_by(3) {
        for flip in [1, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            std::fs::write(&path, &bytes).unwrap();
            // Without checksums some damage only changes a text.
            let _ = load(&path);
        }
    }
}
