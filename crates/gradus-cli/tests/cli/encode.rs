//! `gradus encode`.

use crate::support::{backend, gradus, model, stdout};
use gradus::Embeddings;
use gradus::models::SentenceEncoder;
use predicates::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn vectors(texts: &[&str]) -> Embeddings {
    let encoder = SentenceEncoder::load(model("bert-small"), backend()).unwrap();
    encoder.encode(texts).unwrap()
}

/// Checks that `lines` are `texts` and exactly their vectors.
fn check(lines: &str, texts: &[&str]) {
    let expected = vectors(texts);
    assert_eq!(lines.lines().count(), texts.len());
    for (i, line) in lines.lines().enumerate() {
        let object: Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["text"], texts[i]);
        let values = object["embedding"].as_array().unwrap();
        let values: Vec<f32> = values.iter().map(|v| v.as_f64().unwrap() as f32).collect();
        assert_eq!(values, expected.row(i), "{}", texts[i]);
    }
}

#[test]
fn texts_of_the_command_line() {
    let args = ["encode", &model("bert-small"), "a cat", "", "two \"dogs\""];
    check(&stdout(gradus().args(args)), &["a cat", "", "two \"dogs\""]);
}

#[test]
fn lines_of_standard_input_with_empty_ones() {
    let args = ["encode", &model("bert-small")];
    let out = stdout(
        gradus()
            .args(args)
            .write_stdin("\u{feff}a cat\r\n\ntwo dogs"),
    );
    check(&out, &["a cat", "", "two dogs"]);
    assert_eq!(stdout(gradus().args(args).write_stdin("")), "");
}

#[test]
fn json_lines_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("posts.jsonl");
    fs::write(&path, "{\"text\": \"a cat\", \"body\": \"two dogs\"}\n").unwrap();
    let run = |args: &[&str]| {
        let base = ["encode", &model("bert-small"), "--input"];
        stdout(gradus().args(base).arg(&path).args(args))
    };
    check(&run(&[]), &["a cat"]);
    check(&run(&["--field", "body"]), &["two dogs"]);
    let args = ["encode", &model("bert-small"), "--jsonl"];
    let out = stdout(gradus().args(args).write_stdin("{\"text\": \"\\n\"}"));
    check(&out, &["\n"]);
}

/// Shape and values of an array file, its header checked against the format.
fn read_npy(path: &Path) -> (String, Vec<f32>) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert!((10 + length).is_multiple_of(64));
    let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
    assert!(header.ends_with('\n'));
    let start = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
    let rest = header.trim_end().strip_prefix(start).unwrap();
    let values = bytes[10 + length..].as_chunks::<4>().0;
    let values = values.iter().map(|b| f32::from_le_bytes(*b)).collect();
    (rest.strip_suffix(", }").unwrap().to_owned(), values)
}

#[test]
fn an_array_file_holds_all_rows_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("texts.npy");
    let texts: Vec<String> = (0..1500)
        .map(|i| format!("{} cats {}", i % 1000, "very ".repeat(i % 9)))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let args = ["encode", &model("bert-small"), "--format", "npy"];
    let run = |input: String| {
        let mut command = gradus();
        command.args(args).arg("--output").arg(&path);
        stdout(command.write_stdin(input))
    };
    assert_eq!(run(texts.join("\n")), "");
    let (shape, values) = read_npy(&path);
    assert_eq!(shape, "(1500, 32)");
    assert_eq!(values, vectors(&texts).as_slice());
    fs::remove_file(&path).unwrap();
    run(String::new());
    assert_eq!(read_npy(&path), ("(0, 32)".to_owned(), vec![]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_appears_when_all_is_well_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    for format in ["jsonl", "npy"] {
        let args = ["encode", &model("bert-small"), "--format", format];
        let mut command = gradus();
        command.args(args).arg("--output").arg(&path);
        let bad: &[u8] = b"a cat\n\xff\n";
        let says = predicate::str::contains("standard input:2: byte 1 ");
        command.write_stdin(bad).assert().code(3).stderr(says);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn an_array_needs_a_file() {
    let args = ["encode", &model("bert-small"), "--format", "npy", "a"];
    let says = predicate::str::contains("--output FILE");
    gradus().args(args).assert().code(2).stderr(says);
    #[cfg(unix)]
    {
        let says = predicate::str::contains("not a pipe or device");
        let mut command = gradus();
        command.args(args).args(["--output", "/dev/null"]);
        command.assert().code(2).stderr(says);
    }
}

#[test]
fn a_json_line_without_the_key_is_named() {
    let args = ["encode", &model("bert-small"), "--jsonl"];
    for (line, says) in [
        ("{\"body\": \"a\"}", "standard input:2: \"text\" is missing"),
        ("{\"text\": 3}", "standard input:2: \"text\" is a number"),
        ("[]", "standard input:2: not a JSON object"),
    ] {
        let mut command = gradus();
        let input = format!("{{\"text\": \"a\"}}\n{line}\n");
        let assert = command.args(args).write_stdin(input).assert();
        let assert = assert.code(3).stderr(predicate::str::contains(says));
        // What came before the bad line was answered.
        assert_eq!(assert.get_output().stdout.split(|b| *b == b'\n').count(), 2);
    }
}

#[test]
fn texts_beyond_the_limit_are_told_of() {
    let long = "cat ".repeat(3000);
    let told = predicate::str::contains("1 text was cut to the model's");
    let mut command = gradus();
    command.args(["encode", &model("bert-small"), &long, "a cat"]);
    command.assert().success().stderr(told.clone());
    let mut command = gradus();
    command.args(["score", &model("bert-small"), "a cat", &long]);
    command.assert().success().stderr(told.clone());
    let mut command = gradus();
    command.args(["encode", &model("bert-small"), "a cat"]);
    command.assert().success().stderr(told.not());
}

#[test]
fn vectors_can_be_shorter() {
    let run = |args: &[&str]| {
        let base = ["encode", &model("bert-small"), "a cat", "two dogs"];
        stdout(gradus().args(base).args(args))
    };
    let read = |lines: &str| -> Vec<Vec<f32>> {
        let row = |line: &str| {
            let object: Value = serde_json::from_str(line).unwrap();
            let values = object["embedding"].as_array().unwrap().iter();
            values.map(|v| v.as_f64().unwrap() as f32).collect()
        };
        lines.lines().map(row).collect()
    };
    let (whole, cut) = (read(&run(&[])), read(&run(&["--dim", "5"])));
    for (whole, cut) in whole.iter().zip(&cut) {
        assert_eq!(&whole[..5], cut);
    }
    let unit = read(&run(&["--dim", "5", "--normalize"]));
    let norm = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>().sqrt();
    for (cut, unit) in cut.iter().zip(&unit) {
        assert!((norm(unit) - 1.0).abs() < 1e-6);
        assert!((cut[0] / norm(cut) - unit[0]).abs() < 1e-6);
    }
    let width = whole[0].len();
    let refused = |dim: &str, says: String| {
        let args = ["encode", &model("bert-small"), "a cat", "--dim", dim];
        let stderr = predicate::str::contains(says);
        gradus().args(args).assert().code(2).stderr(stderr);
    };
    refused("0", "0".into());
    refused(
        &(width + 1).to_string(),
        format!("more than the {width} values"),
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.npy");
    run(&[
        "--dim",
        "5",
        "--format",
        "npy",
        "--output",
        path.to_str().unwrap(),
    ]);
    assert_eq!(read_npy(&path).0, "(2, 5)");
}

#[test]
fn texts_that_mean_nothing_are_marked() {
    let args = [
        "encode",
        &model("bert-small"),
        "a cat",
        "",
        "\u{1f355}",
        "[SEP]",
    ];
    let run = gradus().args(args).assert().success();
    let output = run.get_output();
    let marks: Vec<bool> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|object| {
            assert_eq!(object["truncated"], false);
            object["unknown"].as_bool().unwrap()
        })
        .collect();
    assert_eq!(marks, [false, true, true, true]);
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(
        notes.contains(
            "3 texts are empty or mostly unknown to the model's vocabulary (2 of them empty)"
        ),
        "{notes}"
    );
}
