//! Pairs that mean about the same.

use super::texts;
use crate::index::Place;
use crate::support::{gradus, model};
use predicates::str::contains;
use serde_json::Value;
use std::fs;

fn mined(text: &str) -> Vec<Value> {
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn pairs_are_scored_as_gradus_score_does() {
    let place = Place::new();
    place.file("texts.txt", &texts());
    let small = model("bert-small");
    let mine = [
        "mine",
        "texts.txt",
        "--model",
        &small,
        "--threshold",
        "0.2",
        "--format",
        "json",
    ];
    let said = place.run(&[&mine[..], &["--vectors", "v.index"]].concat());
    let pairs = mined(&said);
    assert!(pairs.len() > 20, "{}", pairs.len());
    let cosines: Vec<f64> = pairs
        .iter()
        .map(|p| p["cosine"].as_f64().unwrap())
        .collect();
    assert!(cosines.is_sorted_by(|a, b| a >= b) && cosines.iter().all(|c| *c >= 0.2));
    for pair in pairs.iter().take(5) {
        let of = |key: &str| pair[key].as_str().unwrap();
        let said = place.run(&[
            "score",
            &small,
            of("sentence1"),
            of("sentence2"),
            "--format",
            "json",
        ]);
        let score: Value = serde_json::from_str(&said).unwrap();
        let apart = score["cosine"].as_f64().unwrap() - pair["cosine"].as_f64().unwrap();
        assert!(apart.abs() < 1e-5, "{apart}");
    }
    // The index was kept, and serves the others; the best come first.
    let same = [
        "mine",
        "v.index",
        "--threshold",
        "0.2",
        "--format",
        "json",
        "--threads",
        "3",
    ];
    assert_eq!(place.run(&same), said);
    let best = place.run(&[&same[..], &["--top", "4"]].concat());
    assert_eq!(mined(&best), pairs[..4]);
    let near = mined(&place.run(&[&same[..], &["--neighbours", "1"]].concat()));
    assert!(near.len() < pairs.len() && near.iter().all(|pair| pairs.contains(pair)));
    let tsv = place.run(&["mine", "v.index", "--threshold", "0.2", "--top", "2"]);
    let cells: Vec<&str> = tsv.lines().next().unwrap().split('\t').collect();
    assert_eq!(
        (cells.len(), cells[5], cells[7]),
        (
            9,
            pairs[0]["id1"].as_str().unwrap(),
            pairs[0]["sentence1"].as_str().unwrap(),
        )
    );
    let mut command = gradus();
    command.current_dir(place.folder.path());
    command
        .args(["mine", "v.index", "--output", "p.tsv"])
        .assert()
        .success();
    let mut command = gradus();
    command.current_dir(place.folder.path());
    command.args(["mine", "v.index", "--output", "p.tsv"]);
    command.assert().code(2).stderr(contains("--overwrite"));
}

#[test]
fn a_calibrated_model_grades_pairs() {
    let place = Place::new();
    place.file("texts.txt", &texts());
    let graded: String = (0..40)
        .map(|i| {
            let lines: Vec<String> = texts().lines().map(str::to_owned).collect();
            let (a, b) = (i % 18, (i * 5 + 1) % 18);
            format!(
                "{}\t{}\t{}\n",
                lines[a],
                lines[b],
                if a % 3 == b % 3 { 5 } else { 1 }
            )
        })
        .collect();
    place.file("graded.tsv", &graded);
    // A copy, as a calibration is written into the model's folder.
    let from = model("bert-small");
    fs::create_dir(place.path("model")).unwrap();
    copy(from.as_ref(), &place.path("model"));
    place.run(&["calibrate", "model", "graded.tsv"]);
    let said = place.run(&[
        "mine",
        "texts.txt",
        "--model",
        "model",
        "--threshold",
        "0.2",
        "--format",
        "json",
    ]);
    let pairs = mined(&said);
    assert!(!pairs.is_empty());
    for pair in pairs {
        let grade = &pair["calibrated"];
        assert_eq!(pair["recommended_is"], "calibrated");
        assert!(grade["low"].as_f64() <= grade["grade"].as_f64(), "{pair}");
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => {
                fs::create_dir(&to).unwrap();
                copy(&entry.path(), &to);
            }
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}
