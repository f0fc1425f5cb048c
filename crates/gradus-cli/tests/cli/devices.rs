//! `gradus info --devices` and `--device cuda`, with a library that stands in for the driver.

use crate::support::{gradus, model, stdout};
use assert_cmd::Command;
use predicates::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process;

/// A folder with the driver that stands in, and libraries beside it.
fn driver() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().to_path_buf();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fake_driver.c");
    let made = process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(folder.join("libcuda.so.1"))
        .arg(source)
        .status();
    assert!(made.unwrap().success());
    std::fs::write(folder.join("libcublasLt.so.13"), "").unwrap();
    (place, folder)
}

/// The command where the folder is looked at first, and no other toolkit is known.
fn at(folder: &Path, fake: &[(&str, &str)]) -> Command {
    let mut command = gradus();
    command.env("GRADUS_CUDA_LIBS", folder);
    command.env_remove("CUDA_VISIBLE_DEVICES");
    fake.iter().for_each(|(name, value)| {
        command.env(name, value);
    });
    command
}

#[test]
fn cards_and_libraries_are_listed() {
    let (_place, folder) = driver();
    let json = stdout(at(&folder, &[]).args(["info", "--devices", "--json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["processor"]["name"].is_string() && json["processor"]["backend"].is_string());
    assert_eq!(json["cuda"]["version"], "12.4");
    let cards = json["cuda"]["cards"].as_array().unwrap();
    assert_eq!(cards.len(), 2);
    assert_eq!(
        (&cards[1]["device"], &cards[1]["name"]),
        (&"cuda:1".into(), &"Fake Card 1".into())
    );
    assert_eq!(cards[1]["memory"], 2u64 << 34);
    assert_eq!(cards[1]["compute_capability"], "9.0");
    let library = folder.join("libcublasLt.so.13");
    assert_eq!(json["libraries"][0]["path"], library.to_str().unwrap());
    let text = stdout(at(&folder, &[]).args(["info", "--devices"]));
    assert!(text.contains("cuda:0") && text.contains("Fake Card 0") && text.contains("16.0 GiB"));
}

#[test]
fn what_is_missing_is_said() {
    let (_place, folder) = driver();
    let not_there = |fake: &[(&str, &str)], says: &str| {
        let json = stdout(at(&folder, fake).args(["info", "--devices", "--json"]));
        let json: Value = serde_json::from_str(&json).unwrap();
        let missing = json["cuda"]["missing"].as_str().unwrap();
        assert!(missing.contains(says), "{missing}");
        let words = ["encode", &model("bert-small"), "a", "--device", "cuda:1"];
        let asked = at(&folder, fake).args(words).assert().failure();
        asked.stderr(predicate::str::contains(says));
    };
    not_there(&[("FAKE_CARDS", "0")], "the driver sees no card");
    not_there(
        &[("FAKE_INIT", "100"), ("CUDA_VISIBLE_DEVICES", "")],
        "CUDA_VISIBLE_DEVICES is \"\"",
    );
    not_there(
        &[("FAKE_CUDA", "11080")],
        "of CUDA 11.8, and 12.0 is needed",
    );
    not_there(
        &[("FAKE_INIT", "803")],
        "does not want to (error 803); the driver's library",
    );
    // Of a driver that is well.
    let refused = |fake: &[(&str, &str)], device: &str, says: &str| {
        let words = ["encode", &model("bert-small"), "a", "--device", device];
        let asked = at(&folder, fake).args(words).assert().failure();
        asked.stderr(predicate::str::contains(says));
    };
    refused(
        &[],
        "cuda:2",
        "no cuda:2: this machine has 2 (cuda:0 to cuda:1)",
    );
    refused(
        &[("FAKE_CAPABILITY", "75")],
        "cuda:1",
        "a Fake Card 1 of compute capability 7.5",
    );
    refused(&[], "cuda:1", "has no cu");
    // A file that is no library.
    std::fs::write(folder.join("libcuda.so.1"), "no library").unwrap();
    let text = stdout(at(&folder, &[]).args(["info", "--devices"]));
    assert!(text.contains("processor"), "{text}");
}

#[test]
fn the_device_is_named_by_the_environment_too() {
    let (_place, folder) = driver();
    let words = ["encode", &model("bert-small"), "a"];
    let asked = at(&folder, &[("GRADUS_DEVICE", "cuda:5")])
        .args(words)
        .assert()
        .failure();
    asked.stderr(predicate::str::contains("no cuda:5"));
    let mut command = at(&folder, &[("GRADUS_DEVICE", "cuda:5")]);
    stdout(command.args(words).args(["--device", "cpu"]));
    let asked = at(&folder, &[("GRADUS_DEVICE", "gpu")])
        .args(words)
        .assert()
        .failure();
    asked.stderr(predicate::str::contains("no such device"));
}
