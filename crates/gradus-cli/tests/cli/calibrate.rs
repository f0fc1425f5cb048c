//! `gradus calibrate`, and what `gradus score` makes of it.

use crate::support::{gradus, model, stdout, with_head};
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder with a model of one's own, and graded pairs on 1 to 5.
pub fn workplace() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let (model, pairs) = (place.path().join("model"), place.path().join("graded.tsv"));
    with_head(&model);
    let words = ["cat", "dog", "man", "woman", "park", "book", "mat"];
    let mut text = String::new();
    for i in 0..147 {
        let (a, b) = (words[i % 7], words[i / 7 % 7]);
        let grade = if a == b { 5 } else { 1 + i % 4 };
        text += &format!(
            "the {a} is here\tthe {b} is {}here\t{grade}\n",
            "very ".repeat(i / 49)
        );
    }
    fs::write(&pairs, text).unwrap();
    (place, model, pairs)
}

fn calibrate(model: &Path, pairs: &Path, args: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command.arg("calibrate").arg(model).arg(pairs).args(args);
    command
}

fn score(model: &Path, args: &[&str]) -> String {
    let texts = ["the cat is here", "the dog is here"];
    stdout(gradus().arg("score").arg(model).args(texts).args(args))
}

#[test]
fn scores_come_on_the_users_scale_with_an_interval() {
    let (_place, model, pairs) = workplace();
    let bare = score(&model, &["--format", "tsv"]);
    let bare: Vec<&str> = bare.trim_end().split('\t').collect();
    let args = ["--score", "cosine", "--scale", "0,6"];
    let said = stdout(&mut calibrate(&model, &pairs, &args));
    assert!(
        said.starts_with("cosine to grades on 0 to 6 by 147 pairs of graded.tsv"),
        "{said}"
    );
    let tsv = score(&model, &["--format", "tsv"]);
    let cells: Vec<&str> = tsv.trim_end().split('\t').collect();
    assert_eq!(cells[3..], bare[3..], "cosine and head's grade stay: {tsv}");
    assert_eq!(
        bare[..3],
        [bare[4], "", ""],
        "the head's grade was the best"
    );
    let numbers: Vec<f64> = cells.iter().map(|n| n.parse().unwrap()).collect();
    let [grade, low, high, _, _] = numbers[..] else {
        panic!("{tsv}")
    };
    assert!(
        0.0 <= low && low <= grade && grade <= high && high <= 6.0,
        "{tsv}"
    );
    assert!((1.0..=5.0).contains(&grade), "{tsv}");
    let json: Value = serde_json::from_str(&score(&model, &["--format", "json"])).unwrap();
    assert_eq!(json["calibrated"]["grade"], grade);
    assert_eq!(json["calibrated"]["low"], low);
    assert_eq!(json["recommended"], grade);
    assert_eq!(json["recommended_is"], "calibrated");
    let text = score(&model, &["--format", "text"]);
    assert!(
        text.contains("80 % within") && text.contains("by 147 pairs of graded.tsv"),
        "{text}"
    );
}

#[test]
fn the_head_or_the_cosine_is_chosen_and_can_be_named() {
    let (_place, model, pairs) = workplace();
    let read = |args: &[&str]| -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&stdout(&mut calibrate(&model, &pairs, &args))).unwrap()
    };
    let error = |json: &Value| json["mean_absolute_error"].as_f64().unwrap();
    let (cosine, grade) = (read(&["--score", "cosine"]), read(&["--score", "grade"]));
    assert_eq!(grade["score"], "grade");
    let best = read(&["--coverage", "0.5"]);
    assert_eq!(error(&best), error(&cosine).min(error(&grade)));
    assert_eq!(best["coverage"], 0.5);
    assert_eq!(best["scale"], serde_json::json!([1.0, 5.0]));
}

#[test]
fn models_of_others_are_copied_not_changed() {
    let (place, own, pairs) = workplace();
    let mut of_the_hub = calibrate(Path::new("org/name"), &pairs, &[]);
    of_the_hub.assert().code(2).stderr(contains("--output DIR"));
    let copy = place.path().join("copy");
    let path = copy.display().to_string();
    stdout(&mut calibrate(
        Path::new(&model("bert-small")),
        &pairs,
        &["--output", &path],
    ));
    assert!(copy.join("calibration.json").is_file());
    assert!(
        !Path::new(&model("bert-small"))
            .join("calibration.json")
            .exists()
    );
    assert_eq!(
        score(&copy, &["--format", "tsv"])
            .split_whitespace()
            .count(),
        4
    );
    calibrate(&own, &pairs, &["--output", &path])
        .assert()
        .code(2)
        .stderr(contains("exists already"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (_place, own, pairs) = workplace();
    let refused = |args: &[&str], code: i32, says: &str| {
        calibrate(&own, &pairs, args)
            .assert()
            .code(code)
            .stderr(contains(says));
    };
    refused(&["--coverage", "1.5"], 3, "above 0 and below 1");
    refused(&["--scale", "5,1"], 2, "lower one first");
    refused(&["--scale", "2,5"], 3, "outside of the scale 2 to 5");
    fs::write(own.join("calibration.json"), "{\"format\": 1, \"score\": ").unwrap();
    let texts = ["a", "b"];
    gradus()
        .arg("score")
        .arg(&own)
        .args(texts)
        .assert()
        .code(4)
        .stderr(contains("calibration.json"));
    // It may be anybody's; a new fit mends it where that is wished for.
    refused(&["--score", "grade"], 2, "add `--overwrite`");
    let anew = ["--score", "grade", "--overwrite"];
    stdout(&mut calibrate(&own, &pairs, &anew));
    score(&own, &[]);
    fs::remove_file(own.join("gradus_head.json")).unwrap();
    gradus()
        .arg("score")
        .arg(&own)
        .args(texts)
        .assert()
        .code(4)
        .stderr(contains("regression head"));
    calibrate(&own, &pairs, &["--score", "grade"])
        .assert()
        .code(2)
        .stderr(contains("no regression head"));
}
