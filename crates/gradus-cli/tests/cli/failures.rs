//! Exit codes and messages of what goes wrong.

use crate::support::{environment, gradus, model};
use predicates::prelude::*;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

/// Runs with `input`; checks the exit code, that there is one `error:` that
/// contains `says`, and nothing like a backtrace.
fn fails(args: &[&str], input: &[u8], code: i32, says: &str) {
    let mut command = gradus();
    let assert = command.args(args).write_stdin(input).assert();
    let assert = assert.code(code).stderr(predicate::str::contains(says));
    let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert_eq!(stderr.matches("error: ").count(), 1, "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn wrong_usage_is_2() {
    let model = model("bert-small");
    fails(&["scor"], b"", 2, "a similar subcommand exists: 'score'");
    fails(&["score", &model, "one"], b"", 2, "2 values required");
    fails(&["score", &model, "--columns", "1"], b"", 2, "two columns");
    fails(
        &["score", &model, "--columns", "1,1"],
        b"",
        2,
        "same column",
    );
    fails(&["encode", &model, "--threads", "0"], b"", 2, "1..=1024");
    fails(
        &["encode", &model, "a", "--input", "b"],
        b"",
        2,
        "cannot be used with",
    );
    fails(&["eval"], b"", 2, "required");
    for option in ["--repeat", "--sentences"] {
        fails(&["bench", &model, option, "0"], b"", 2, "0 is not in 1..");
    }
    fails(&["info", "not a name"], b"", 2, "names look like org/name");
}

#[test]
fn bad_data_is_3() {
    let model = model("bert-small");
    let score = ["score", model.as_str()];
    fails(
        &score,
        b"a\tb\nonly one\n",
        3,
        "standard input:2: 1 column where the first row has 2; take tabs",
    );
    fails(
        &score,
        b"a\tb\n\t\n",
        3,
        "standard input:2: the sentence in column 0 is empty",
    );
    fails(
        &score,
        b"one\n",
        3,
        "put the delimiter (a tab, in csv a comma) between",
    );
    fails(&score, b"a\tb\nc\t\xe9\n", 3, "standard input:2: byte 3");
    let json = ["score", model.as_str(), "--jsonl"];
    let line = b"{\"sentence1\": \"a\", \"sentence2\": \"b\"}\nno\n";
    fails(&json, line, 3, "standard input:2: not a JSON object");
    fails(
        &["encode", &model],
        b"a\n\xe9\n",
        3,
        "standard input:2: byte 1",
    );
    let missing = ["score", &model, "--pairs", "no-such-file.tsv"];
    fails(&missing, b"", 3, "no-such-file.tsv: No such file");
    let missing = ["encode", &model, "--input", "no-such-file"];
    fails(&missing, b"", 3, "no-such-file: No such file");
    let missing = ["bench", &model, "--text", "no-such-file"];
    fails(&missing, b"", 3, "no-such-file: No such file");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("texts.txt");
    let bench = ["bench", &model, "--text", path.to_str().unwrap()];
    fs::write(&path, b"\n \n").unwrap();
    fails(&bench, b"", 3, "texts.txt: holds no sentences; one is");
    fs::write(&path, b"a cat\n\xe9\n").unwrap();
    fails(&bench, b"", 3, "texts.txt:2: byte 1");
}

#[test]
fn answers_before_a_bad_line_are_given() {
    let mut command = gradus();
    command.args(["score", &model("bert-small")]);
    let assert = command.write_stdin("a\ta\na\n").assert();
    assert.code(3).stdout("1\t\t\t1\t\t\n");
}

#[test]
fn an_unusable_model_is_4() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    fails(&["info", &path], b"", 4, "no model");
    fails(&["info", "./no-such-folder"], b"", 4, "no such folder");
    let copy = |name: &str| {
        let from = format!("{}/{name}", model("roberta-small"));
        fs::copy(from, folder.path().join(name)).unwrap();
    };
    copy("config.json");
    fails(&["encode", &path, "a"], b"", 4, "tokenizer.json: missing");
    copy("tokenizer.json");
    fails(
        &["encode", &path, "a"],
        b"",
        4,
        "model.safetensors: missing",
    );
    fs::write(folder.path().join("model.safetensors"), b"damaged").unwrap();
    fails(
        &["encode", &path, "a"],
        b"",
        4,
        "not a sound safetensors file",
    );
    fs::write(
        folder.path().join("config.json"),
        b"{\"model_type\": \"t5\"}",
    )
    .unwrap();
    fails(&["info", &path], b"", 4, "unsupported architecture: `t5`");
    fails(&["bench", &path], b"", 4, "unsupported architecture: `t5`");
}

#[test]
fn what_cannot_be_written_is_1() {
    let args = ["encode", &model("bert-small"), "a", "--output"];
    let says = predicate::str::contains("no-such-folder").and(predicate::str::contains("No such"));
    let mut command = gradus();
    command.args(args).arg("no-such-folder/out.jsonl");
    command.assert().code(1).stderr(says);
    let mut command = gradus();
    let folder = tempfile::tempdir().unwrap();
    command.args(args).arg(folder.path()).assert().code(1);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_1() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(assert_cmd::cargo::cargo_bin!("gradus"))
        .args(["encode", &model("bert-small"), "a", "--quiet"])
        .envs(environment())
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error: standard output: No space left"));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    for command in ["encode", "score"] {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("gradus"))
            .args([command, &model("bert-small"), "--quiet"])
            .envs(environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Writes until the command is gone; then the pipe breaks here too.
        let writer =
            std::thread::spawn(move || while stdin.write_all(b"a cat\ttwo dogs\n").is_ok() {});
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        drop(reader);
        assert!(child.wait().unwrap().success());
        writer.join().unwrap();
        let mut stderr = String::new();
        child.stderr.unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(stderr, "", "{command}");
    }
}

#[test]
fn every_command_shows_examples() {
    for command in [
        "quickstart",
        "train",
        "eval",
        "score",
        "encode",
        "bench",
        "info",
        "pull",
    ] {
        let says = predicate::str::contains("Examples:\n  gradus ");
        gradus()
            .args([command, "--help"])
            .assert()
            .success()
            .stdout(says);
    }
    let says = predicate::str::starts_with(concat!("gradus ", env!("CARGO_PKG_VERSION")));
    gradus().arg("--version").assert().success().stdout(says);
}
