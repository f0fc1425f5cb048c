//! `gradus bench`: what it reports, not how fast.

use crate::support::{gradus, model, stdout};
use serde_json::Value;
use std::fs;

fn report(args: &[&str]) -> Value {
    let base = ["bench", &model("bert-small"), "--format", "json"];
    let out = stdout(gradus().args(base).args(args));
    serde_json::from_str(&out).unwrap()
}

fn number(json: &Value) -> f64 {
    let number = json.as_f64().unwrap();
    assert!(number > 0.0, "{number}");
    number
}

#[test]
fn numbers_of_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("texts.txt");
    fs::write(
        &path,
        "\u{feff}a cat\r\n\n  \ntwo dogs\nthe cat is sleeping",
    )
    .unwrap();
    let text = path.to_str().unwrap();
    let json = report(&["--text", text, "--repeat", "4", "--threads", "1"]);
    assert_eq!(json["model"], model("bert-small"));
    let backend = json["backend"].as_str().unwrap();
    assert!(backend.contains("CPU") && backend.contains("1 thread,"));
    // Lines without a word are no sentences; each has two special tokens.
    assert_eq!(json["sentences"], 3);
    let tokens = number(&json["tokens"]);
    assert!((9.0..40.0).contains(&tokens), "{tokens}");

    let seconds: Vec<f64> = json["seconds"]
        .as_array()
        .unwrap()
        .iter()
        .map(number)
        .collect();
    assert_eq!(seconds.len(), 4);
    let rate = number(&json["sentences_per_second"]);
    let (low, high) = (3.0 / rate * 0.999, 3.0 / rate * 1.001);
    assert!(seconds.iter().any(|s| *s <= high) && seconds.iter().any(|s| *s >= low));
    let per_token = number(&json["tokens_per_second"]) / rate;
    assert!((per_token - tokens / 3.0).abs() < 1e-9, "{per_token}");
    number(&json["tokenising_share"]);
    let latency = &json["latency"];
    assert_eq!(latency["queries"], 3);
    assert!(number(&latency["median_ms"]) <= number(&latency["p95_ms"]));
    if cfg!(target_os = "linux") {
        assert!(number(&json["peak_memory_bytes"]) > 1e6);
    }

    let json = report(&["--text", text, "--sentences", "2", "--repeat", "1"]);
    assert_eq!(json["sentences"], 2);
    assert_eq!(json["seconds"].as_array().unwrap().len(), 1);
    assert_eq!(json["tokenised"], false);

    let tokens = &json["tokens"];
    let json = report(&[
        "--text",
        text,
        "--sentences",
        "2",
        "--repeat",
        "1",
        "--tokenised",
    ]);
    assert_eq!(
        (&json["tokenised"], &json["tokens"]),
        (&true.into(), tokens)
    );
    assert!(number(&json["sentences_per_second"]) > 0.0);
}

#[test]
fn the_built_in_text_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    let model = model("bert-small");
    let args = ["bench", &model, "--sentences", "300", "--output"];
    assert_eq!(stdout(gradus().args(args).arg(&path)), "");
    let report = fs::read_to_string(path).unwrap();
    let keys: Vec<&str> = report.lines().map(|line| line[..10].trim()).collect();
    let expected = [
        "model",
        "runs on",
        "text",
        "encoding",
        "tokenising",
        "one query",
        "memory",
    ];
    assert_eq!(keys, expected, "{report}");
    for says in [
        "300 sentences, ",
        "median of 3 passes",
        "(200 queries)",
        "CPU",
    ] {
        assert!(report.contains(says), "{report}");
    }
}

#[test]
fn the_machine_alone() {
    let base = ["bench", "--machine", "--threads", "1"];
    let json = stdout(gradus().args(base).args(["--format", "json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["threads"], 1);
    let f32 = number(&json["f32_operations_per_second"]);
    number(&json["read_bytes_per_second"]);
    number(&json["update_bytes_per_second"]);
    if let Some(bf16) = json["bf16_operations_per_second"].as_f64() {
        assert!(bf16 > f32 / 4.0, "{bf16} {f32}");
    }
    let text = stdout(gradus().args(base).env("GRADUS_ISA", "portable"));
    assert!(text.contains("portable code") && text.contains("no instructions for it"));
    gradus()
        .args(["bench", "--machine", &model("bert-small")])
        .assert()
        .code(2);
    gradus().arg("bench").assert().code(2);
}
