//! The functions in SQL, in one process and on two executors of Ballista.

use ballista::prelude::SessionContextExt;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_executor::new_standalone_executor_from_state;
use ballista_scheduler::standalone::new_standalone_scheduler_from_state;
use datafusion::arrow::array::{Array, AsArray, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema};
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::{CsvReadOptions, SessionConfig, SessionContext};
use gradus::jobs::Environment;
use gradus::jobs::score::Scorer;
use gradus::util::Silent;
use gradus_datafusion::{Models, register};
use std::path::Path;
use std::sync::Arc;

const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/gradus/tests/fixtures/models/bert-small"
);

fn texts() -> Vec<String> {
    let words = ["dog", "park", "cat", "two", "birds", "man", "book"];
    let text = |i: usize| -> String {
        let own: Vec<&str> = (0..1 + i % 9).map(|k| words[(i * k + k) % 7]).collect();
        own.join(" ")
    };
    (0..200).map(text).collect()
}

/// A table `items` of two partitions, the last text null.
fn with_items(context: &SessionContext) -> Result<()> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("place", DataType::Int32, false),
        Field::new("text", DataType::Utf8, true),
    ]));
    let all: Vec<Option<String>> = texts().into_iter().map(Some).chain([None]).collect();
    let batch = |from: usize, to: usize| {
        let places = Int32Array::from_iter_values(from as i32..to as i32);
        let texts = StringArray::from(all[from..to].to_vec());
        RecordBatch::try_new(schema.clone(), vec![Arc::new(places), Arc::new(texts)])
    };
    let partitions = vec![vec![batch(0, 70)?, batch(70, 100)?], vec![batch(100, 201)?]];
    let table = MemTable::try_new(schema.clone(), partitions)?;
    context.register_table("items", Arc::new(table))?;
    Ok(())
}

fn session() -> Result<SessionContext> {
    let mut context = SessionContext::new();
    register(&mut context, &Models::default())?;
    with_items(&context)?;
    Ok(context)
}

async fn rows(context: &SessionContext, sql: &str) -> Result<RecordBatch> {
    let frame = context.sql(sql).await?;
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let batches = frame.collect().await?;
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    let schema = batches.first().map_or(schema, |batch| batch.schema());
    Ok(datafusion::arrow::compute::concat_batches(
        &schema, batches,
    )?)
}

fn encode() -> Vec<Vec<f32>> {
    let environment = Environment::default();
    let model = environment.find(MODEL, &mut Silent).unwrap();
    let encoder = environment.load(&model.folder, None, &mut Silent).unwrap();
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = encoder.encode(&texts).unwrap();
    (0..texts.len())
        .map(|row| vectors.row(row).to_vec())
        .collect()
}

/// The vectors of a result's column, and that its last row has none.
fn vectors(batch: &RecordBatch, column: usize) -> Vec<Vec<f32>> {
    let lists = batch.column(column).as_list::<i32>();
    let last = lists.len() - 1;
    assert!(lists.is_null(last));
    let row = |row| {
        lists
            .value(row)
            .as_primitive::<Float32Type>()
            .values()
            .to_vec()
    };
    (0..last).map(row).collect()
}

#[tokio::test]
async fn vectors_are_those_of_the_library() -> Result<()> {
    let context = session()?;
    let sql = format!("SELECT place, embed(text, '{MODEL}') FROM items ORDER BY place");
    let found = rows(&context, &sql).await?;
    assert!(vectors(&found, 1) == encode());
    Ok(())
}

#[tokio::test]
async fn cosines_and_grades() -> Result<()> {
    let context = session()?;
    let sql = format!(
        "SELECT place, cosine(embed(text, '{MODEL}'), embed('a dog', '{MODEL}')),
                grade(text, 'a dog', '{MODEL}') FROM items ORDER BY place"
    );
    let found = rows(&context, &sql).await?;
    let environment = Environment::default();
    let model = environment.find(MODEL, &mut Silent).unwrap();
    let scorer = Scorer::load(&model, None, &environment, &mut Silent).unwrap();
    let texts = texts();
    let pairs: Vec<(&str, &str)> = texts.iter().map(|text| (&**text, "a dog")).collect();
    let expected = scorer.score(&pairs).unwrap();
    let cosines = found.column(1).as_primitive::<Float64Type>();
    let grades = found.column(2).as_primitive::<Float64Type>();
    assert!(cosines.is_null(200) && grades.is_null(200));
    for (row, score) in expected.iter().enumerate() {
        assert!((cosines.value(row) - score.cosine.unwrap()).abs() < 1e-5);
        assert_eq!(grades.value(row), score.recommended);
    }
    // Lists of other kinds, vectors without length, and none.
    let sql = "SELECT cosine([1.0, 0.0], [1, 1]), cosine([0.0], [1.0]), cosine(NULL, [1.0])";
    let found = rows(&context, sql).await?;
    let value = |column: usize| {
        let column = found.column(column).as_primitive::<Float64Type>();
        column.is_valid(0).then(|| column.value(0))
    };
    assert!((value(0).unwrap() - 0.5f64.sqrt()).abs() < 1e-12);
    assert_eq!((value(1), value(2)), (None, None));
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_said() -> Result<()> {
    let context = session()?;
    for (sql, says) in [
        ("SELECT embed(text, text) FROM items", "no literal"),
        ("SELECT embed('a', '/nowhere')", "/nowhere"),
        ("SELECT embed(text, '/nowhere') FROM items", "/nowhere"),
        (
            "SELECT cosine([1.0], [1.0, 2.0])",
            "vectors of 1 and of 2 values",
        ),
        ("SELECT cosine('a', 'b')", "expected a list of numbers"),
        ("SELECT cosine([1.0])", "expected two vectors"),
    ] {
        let error = rows(&context, sql).await.unwrap_err();
        assert!(error.to_string().contains(says), "{sql}: {error}");
    }
    Ok(())
}

/// A session's state with the functions.
fn state(models: &Models) -> Result<SessionState> {
    let config = SessionConfig::new().with_target_partitions(8);
    let state = SessionStateBuilder::new().with_default_features();
    let mut state = state.with_config(config).build();
    register(&mut state, models)?;
    Ok(state)
}

/// The items in eight files, which all executors can read.
async fn with_files(context: &SessionContext, folder: &Path) -> Result<()> {
    let all: Vec<String> = texts().into_iter().chain([String::new()]).collect();
    for (part, some) in all.chunks(26).enumerate() {
        let line = |(i, text): (usize, &String)| format!("{},{text}\n", 26 * part + i);
        let lines: String = some.iter().enumerate().map(line).collect();
        std::fs::write(folder.join(format!("{part}.csv")), lines)?;
    }
    let schema = Schema::new(vec![
        Field::new("place", DataType::Int32, false),
        Field::new("text", DataType::Utf8, true),
    ]);
    let options = CsvReadOptions::new().has_header(false).schema(&schema);
    let options = options.null_regex(Some("^$".into()));
    let folder = folder.to_string_lossy();
    context.register_csv("items", &*folder, options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_executors_give_the_same_bits() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let executors = [Models::default(), Models::default()];
    let own = state(&Models::default())?;
    let scheduler = new_standalone_scheduler_from_state(&own).await?;
    for models in &executors {
        let url = format!("http://localhost:{}", scheduler.port());
        let client = SchedulerGrpcClient::connect(url).await?;
        new_standalone_executor_from_state(client, 1, &state(models)?).await?;
    }
    let url = format!("df://localhost:{}", scheduler.port());
    let mut context = SessionContext::remote_with_state(&url, own).await?;
    register(&mut context, &Models::default())?;
    let folder = tempfile::tempdir()?;
    with_files(&context, folder.path()).await?;
    let sql = format!(
        "SELECT place, embed(text, '{MODEL}') AS vector,
                cosine(embed(text, '{MODEL}'), embed('a dog', '{MODEL}')) AS cosine
         FROM items ORDER BY place"
    );
    let found = rows(&context, &sql).await?;
    assert!(vectors(&found, 1) == encode());
    let here = rows(&session()?, &sql).await?;
    assert_eq!(found.column(2), here.column(2));
    // Both had a part in it.
    for models in &executors {
        assert!(format!("{models:?}").contains("bert-small"), "{models:?}");
    }
    Ok(())
}
