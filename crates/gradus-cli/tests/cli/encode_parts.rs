//! `gradus encode --shard` and `--merge`.

use crate::kills::{kill_until_done, two_threads};
use crate::support::{gradus, model, stdout};
use predicates::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Texts in a file, and the vectors of all of them by one process.
fn workplace(rows: usize) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let place = tempfile::tempdir().unwrap();
    let texts = place.path().join("texts.jsonl");
    let words = ["dog", "park", "cat", "two", "birds", "man", "book"];
    let line = |i: usize| {
        let text: Vec<&str> = (0..1 + i % 9).map(|k| words[(i * k + k) % 7]).collect();
        format!("{{\"text\": \"{}\"}}\n", text.join(" "))
    };
    fs::write(&texts, (0..rows).map(line).collect::<String>()).unwrap();
    let whole = place.path().join("whole.npy");
    let mut command = gradus();
    command.args(["encode", &model("bert-small"), "--format", "npy"]);
    command
        .arg("--input")
        .arg(&texts)
        .arg("--output")
        .arg(&whole);
    stdout(&mut command);
    let whole = fs::read(whole).unwrap();
    (place, texts, whole)
}

fn part(texts: &Path, shard: &str, parts: &Path) -> assert_cmd::Command {
    let mut command = gradus();
    command.args(["encode", &model("bert-small"), "--shard", shard]);
    command.arg("--input").arg(texts).arg("--output").arg(parts);
    command
}

fn merged(parts: &Path, output: &Path) -> assert_cmd::Command {
    let mut command = gradus();
    command.arg("encode").arg("--merge").arg(parts);
    command.arg("--output").arg(output);
    command
}

#[test]
fn parts_together_are_the_bytes_of_one_process() {
    for (rows, of) in [(100, 3), (2, 4), (1, 1)] {
        let (place, texts, whole) = workplace(rows);
        let (parts, all) = (place.path().join("parts"), place.path().join("all.npy"));
        for number in (1..=of).rev() {
            let shard = format!("{number}/{of}");
            let shown = stdout(part(&texts, &shard, &parts).args(["--threads", "1"]));
            assert_eq!(
                Path::new(shown.trim()),
                parts.join(format!("part-{number}-of-{of}.npy"))
            );
        }
        stdout(&mut merged(&parts, &all));
        assert!(fs::read(&all).unwrap() == whole);
        // Beside parts and manifests nothing is left.
        assert_eq!(fs::read_dir(&parts).unwrap().count(), 2 * of);
        // Nothing is left to do.
        let again = part(&texts, &format!("1/{of}"), &parts).assert().success();
        again.stderr(predicate::str::contains("done before"));
    }
}

#[test]
fn a_killed_part_goes_on_to_the_same_bytes() {
    let (place, texts, whole) = workplace(60_000);
    let (parts, all) = (place.path().join("parts"), place.path().join("all.npy"));
    for shard in ["1/2", "2/2"] {
        let words = [
            "encode",
            &model("bert-small"),
            "--shard",
            shard,
            "--commit",
            "256",
        ];
        let mut words: Vec<String> = words.map(str::to_owned).to_vec();
        for (option, path) in [("--input", &texts), ("--output", &parts)] {
            words.extend([option.to_owned(), path.display().to_string()]);
        }
        kill_until_done(place.path(), &words, &words, &parts, 3, two_threads);
    }
    stdout(&mut merged(&parts, &all));
    assert!(fs::read(&all).unwrap() == whole);
}

#[test]
fn what_does_not_go_together_is_said() {
    let (place, texts, _) = workplace(20);
    let (parts, all) = (place.path().join("parts"), place.path().join("all.npy"));
    let refused = |command: &mut assert_cmd::Command, says: &str| {
        command
            .assert()
            .failure()
            .stderr(predicate::str::contains(says));
    };
    refused(&mut merged(place.path(), &all), "holds no parts");
    stdout(&mut part(&texts, "1/3", &parts));
    refused(
        &mut merged(&parts, &all),
        "parts 2/3, 3/3 are missing or have not ended",
    );
    stdout(&mut part(&texts, "2/3", &parts));
    // Another form of vectors.
    refused(
        part(&texts, "2/3", &parts).arg("--normalize"),
        "with another form of vectors",
    );
    stdout(part(&texts, "2/3", &parts).args(["--normalize", "--overwrite"]));
    stdout(&mut part(&texts, "3/3", &parts));
    refused(
        &mut merged(&parts, &all),
        "part-2-of-3.npy: was made with another form",
    );
    stdout(part(&texts, "2/3", &parts).arg("--overwrite"));
    stdout(&mut merged(&parts, &all));
    refused(&mut merged(&parts, &all), "--overwrite");
    stdout(merged(&parts, &all).arg("--overwrite"));
    // A damaged part, and one of another file.
    let damaged = parts.join("part-3-of-3.npy");
    let mut bytes = fs::read(&damaged).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&damaged, bytes).unwrap();
    refused(
        merged(&parts, &all).arg("--overwrite"),
        "part-3-of-3.npy: is not as it was written",
    );
    for name in ["part-3-of-3.npy", "part-3-of-3.json"] {
        fs::remove_file(parts.join(name)).unwrap();
    }
    let other = place.path().join("other.jsonl");
    fs::write(
        &other,
        fs::read_to_string(&texts).unwrap() + "{\"text\": \"a\"}\n",
    )
    .unwrap();
    stdout(&mut part(&other, "3/3", &parts));
    refused(
        merged(&parts, &all).arg("--overwrite"),
        "part-3-of-3.npy: was made with another input",
    );
    stdout(&mut part(&texts, "1/2", &parts));
    refused(
        merged(&parts, &all).arg("--overwrite"),
        "holds parts of 2 and of 3",
    );
    let manifest: Value =
        serde_json::from_slice(&fs::read(parts.join("part-1-of-2.json")).unwrap()).unwrap();
    assert_eq!(manifest["rows"], 10);
    fs::write(parts.join("part-1-of-2.json"), "{").unwrap();
    refused(&mut part(&texts, "1/2", &parts), "is no manifest of a part");
    for (words, says) in [
        (&["encode", "m", "--shard", "4/3"][..], "expected I/N"),
        (&["encode", "m", "a", "--shard", "1/3"], "--input"),
        (
            &["encode", "m", "--merge", "p", "--output", "o"],
            "cannot be used with",
        ),
        (&["encode", "--merge", "p"], "--output"),
        (&["encode"], "MODEL"),
        (
            &[
                "encode", "m", "--input", "t", "--output", "p", "--shard", "1/3", "--format",
                "jsonl",
            ],
            "leave --format out",
        ),
    ] {
        refused(gradus().args(words), says);
    }
}

#[test]
fn a_text_that_cannot_be_read_leaves_no_part() {
    let (place, texts, _) = workplace(5);
    let parts = place.path().join("parts");
    fs::write(
        &texts,
        fs::read_to_string(&texts).unwrap() + "{\"text\": 3}\n",
    )
    .unwrap();
    // Whichever part has the line.
    for shard in ["1/2", "2/2"] {
        let error = part(&texts, shard, &parts).assert().failure();
        error.stderr(predicate::str::contains("texts.jsonl"));
        assert!(
            !parts
                .join(format!("part-{}-of-2.npy", &shard[..1]))
                .exists()
        );
    }
}
