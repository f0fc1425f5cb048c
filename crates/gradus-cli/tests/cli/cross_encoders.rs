//! Cross-encoders in the commands that use models.

use crate::support::{cross_encoder, gradus, stdout};
use serde_json::Value;
use std::fs;

#[test]
fn two_texts_get_one_score() {
    let args = ["score", &cross_encoder("bert"), "a cat", "two dogs"];
    let tsv = stdout(gradus().args(args));
    let cells: Vec<&str> = tsv.trim_end_matches('\n').split('\t').collect();
    let score: f64 = cells[0].parse().unwrap();
    assert!((0.0..1.0).contains(&score), "{score}");
    assert_eq!(cells[1..], ["", "", "", "", cells[0]]);
    let text = stdout(gradus().args(args).args(["--format", "text"]));
    assert_eq!(text, format!("score  {score:7.4}\n"));
    let json = stdout(gradus().args(args).args(["--format", "json"]));
    let object: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(object["recommended_is"], "score");
    assert_eq!(object["score"], object["recommended"]);
    assert!(object.get("cosine").is_none());
    // The answers can be questions again.
    let again = [
        "score",
        &cross_encoder("bert"),
        "--jsonl",
        "--format",
        "json",
    ];
    assert_eq!(
        stdout(gradus().args(again).write_stdin(json.as_str())),
        json
    );
    let prompted = gradus().args(args).args(["--prompt-text", "q: "]).assert();
    let prompted = prompted.code(2);
    let error = String::from_utf8_lossy(&prompted.get_output().stderr).into_owned();
    assert!(error.contains("takes no prompt"), "{error}");
}

#[test]
fn a_report_names_what_it_correlated() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = folder.path().join("own.tsv");
    fs::write(
        &pairs,
        "5\ta cat\ta cat\n1\ta cat\ttwo dogs\n3\ta man\tthe man\n",
    )
    .unwrap();
    let eval = |format: &str| {
        let models = [cross_encoder("bert"), crate::support::model("bert-small")];
        let mut command = gradus();
        let command = command.arg("eval").args(models).arg("--only-pairs");
        let command = command.arg("--pairs").arg(&pairs);
        stdout(command.args(["--format", format]))
    };
    assert!(eval("table").contains("similarity: score, cosine\n"));
    let json: Value = serde_json::from_str(&eval("json")).unwrap();
    assert_eq!(json["models"][0]["similarity"], "score");
    assert_eq!(json["models"][1]["similarity"], "cosine");
    assert!(json["models"][0]["tasks"][0]["all"]["spearman"].is_number());
}

#[test]
fn a_cross_encoder_is_described() {
    let args = ["info", &cross_encoder("bert-three-labels"), "--json"];
    let json: Value = serde_json::from_str(&stdout(gradus().args(args))).unwrap();
    assert_eq!(json["kind"], "cross-encoder");
    assert_eq!(json["labels"], 3);
    assert_eq!(json["score_activation"], "identity");
    assert_eq!(json["embedding_size"], Value::Null);
    assert_eq!(json["pooling"], Value::Array(vec![]));
    let text = stdout(gradus().args(["info", &cross_encoder("roberta")]));
    assert!(text.contains("1 a pair: "), "{text}");
    assert!(
        !text.contains("pooling") && !text.contains("embedding"),
        "{text}"
    );
    assert!(!text.contains("head is left out"), "{text}");
}

#[test]
fn pairs_a_second_are_measured() {
    let args = [
        "bench",
        &cross_encoder("bert"),
        "--sentences",
        "5",
        "--repeat",
        "2",
    ];
    let json = stdout(gradus().args(args).args(["--format", "json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["pairs"], 5);
    assert!(json["pairs_per_second"].as_f64().unwrap() > 0.0);
    assert!(json.get("sentences").is_none());
    assert!(stdout(gradus().args(args)).contains(" pairs/s, "));
}

#[test]
fn a_cross_encoder_makes_no_vectors() {
    let error = |name: &str| {
        let run = gradus()
            .args(["encode", &cross_encoder(name), "a cat"])
            .assert();
        let run = run.code(4).stdout("");
        String::from_utf8_lossy(&run.get_output().stderr).into_owned()
    };
    let said = error("bert-library-6");
    assert!(
        said.contains("use `gradus score` or `gradus rerank`"),
        "{said}"
    );
    // One that only transformers describes may be meant for vectors.
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(cross_encoder("bert")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let path = copy.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let fields = config.as_object_mut().unwrap();
    fields.remove("sentence_transformers");
    fields.remove("sbert_ce_default_activation_function");
    fs::write(&path, config.to_string()).unwrap();
    let run = gradus()
        .arg("encode")
        .arg(copy.path())
        .arg("a cat")
        .assert();
    let run = run.success();
    let note = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(note.contains("its head is left out"), "{note}");
}
