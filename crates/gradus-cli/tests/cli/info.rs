//! `gradus info`.

use crate::support::{gradus, model, stdout, with_head};
use serde_json::Value;

#[test]
fn a_model_in_numbers() {
    let args = ["info", &model("bert-gelu-new"), "--json"];
    let json: Value = serde_json::from_str(&stdout(gradus().args(args))).unwrap();
    for (key, value) in [
        ("architecture", Value::from("BERT")),
        ("layers", 1.into()),
        ("hidden_size", 24.into()),
        ("heads", 3.into()),
        ("activation", "gelu_tanh".into()),
        ("vocabulary", 150.into()),
        ("parameters", 10_120.into()),
        ("max_tokens", 20.into()),
        ("tokenizer", "WordPiece".into()),
        ("pooling", vec!["cls"].into()),
        ("normalize", true.into()),
        ("embedding_size", 16.into()),
        ("regression_head", Value::Null),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    assert_eq!(json["dense"][0]["output"], 16);
    let files = json["files"].as_array().unwrap();
    let sum: u64 = files.iter().map(|f| f["bytes"].as_u64().unwrap()).sum();
    assert_eq!(json["bytes"], sum);
    assert!(
        files
            .iter()
            .any(|f| f["name"] == "2_Dense/model.safetensors")
    );
}

#[test]
fn what_families_differ_in() {
    for (name, architecture, positions, feed_forward, longest) in [
        ("distilbert-small", "DistilBERT", "learned", "plain", 40),
        ("nomic-small", "Nomic BERT", "rotary", "gated", 48),
        ("jina-small", "Jina BERT v2", "alibi", "gated", 8192),
        (
            "jina-qk-norm",
            "Jina BERT v2 (QK norm)",
            "alibi",
            "gated",
            8192,
        ),
        ("electra-small", "ELECTRA", "learned", "plain", 48),
        ("mpnet-small", "MPNet", "relative", "plain", 180),
    ] {
        let args = ["info", &model(name), "--json"];
        let json: Value = serde_json::from_str(&stdout(gradus().args(args))).unwrap();
        assert_eq!(json["architecture"], architecture);
        assert_eq!(json["positions"], positions);
        assert_eq!(json["feed_forward"], feed_forward);
        assert_eq!(json["max_tokens"], longest);
    }
}

#[test]
fn for_people() {
    let text = stdout(gradus().args(["info", &model("roberta-small")]));
    assert!(text.contains("\narchitecture     RoBERTa\n"), "{text}");
    assert!(text.contains("BPE"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let graded = folder.path().join("graded");
    with_head(&graded);
    let text = stdout(gradus().arg("info").arg(&graded));
    let head = "regression head  on [|u-v|], grades 0 to 5";
    assert!(text.contains(head), "{text}");
}
