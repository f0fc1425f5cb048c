//! `gradus score`.

use crate::support::{environment, gradus, model, stdout, with_head};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

/// The first column of tab-separated answers, whose layout is checked.
fn numbers(text: &str) -> Vec<f64> {
    let first = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells.len(), 6, "{line}");
        cells[0].parse().unwrap()
    };
    text.lines().map(first).collect()
}

#[test]
fn two_texts_give_one_cosine() {
    let args = ["score", &model("bert-small"), "the cat", "the cat"];
    assert_eq!(stdout(gradus().args(args)), "1\t\t\t1\t\t\n");
    let args = ["score", &model("bert-small"), "a cat", "two dogs"];
    let cosine = numbers(&stdout(gradus().args(args)))[0];
    assert!((0.0..1.0).contains(&cosine), "{cosine}");
    let text = stdout(gradus().args(args).args(["--format", "text"]));
    assert_eq!(text, format!("cosine {cosine:7.4}\n"));
}

#[test]
fn the_head_of_a_model_gives_grades() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("graded");
    with_head(&model);
    let score = |args: &[&str]| stdout(gradus().arg("score").arg(&model).args(args));
    assert_eq!(score(&["a cat", "a cat"]), "5\t\t\t1\t5\t\n");
    let named = score(&["a cat", "a cat", "--output-header"]);
    assert_eq!(
        named,
        "recommended\tlow\thigh\tcosine\tgrade\tscore\n5\t\t\t1\t5\t\n"
    );
    let text = score(&["a cat", "a cat", "--format", "text"]);
    assert_eq!(text, "grade   5.000 (on 0 to 5)\nalso    cosine 1.0000\n");
    let json = score(&["a cat", "two dogs", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let grade = json["grade"].as_f64().unwrap();
    assert!((0.0..5.0).contains(&grade), "{json}");
    assert_eq!(json["recommended"], grade);
    assert_eq!(json["recommended_is"], "grade");
    assert_eq!(json["sentence2"], "two dogs");
}

#[test]
fn many_pairs_of_standard_input_keep_their_order() {
    // More than one chunk, and every pair's score differs from its neighbours'.
    let words = ["cat", "dog", "man", "woman", "park", "book", "mat"];
    let mut input = String::new();
    for i in 0..2500 {
        let (a, b) = (words[i % 7], words[i / 7 % 7]);
        writeln!(input, "the {a} and {}\ta {b}", "very ".repeat(i % 5)).unwrap();
    }
    let score = |threads: &str| {
        let args = ["score", &model("bert-small"), "--threads", threads];
        stdout(gradus().args(args).write_stdin(input.as_str()))
    };
    let all = score("2");
    assert_eq!(all, score("1"), "threads change nothing");
    let all = numbers(&all);
    assert_eq!(all.len(), 2500);
    for i in [0, 1, 1023, 1024, 2499] {
        let (a, b) = input.lines().nth(i).unwrap().split_once('\t').unwrap();
        let one = stdout(gradus().args(["score", &model("bert-small"), a, b]));
        assert_eq!(numbers(&one), [all[i]], "pair {i}");
    }
}

#[test]
fn an_answer_comes_before_the_next_question() {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("gradus"))
        .args(["score", &model("bert-small")])
        .envs(environment())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut questions = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..3 {
        questions.write_all(b"the cat\tthe cat\n").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "1\t\t\t1\t\t\n");
    }
    drop(questions);
    assert!(child.wait().unwrap().success());
}

#[test]
fn files_are_read_by_their_form() {
    let folder = tempfile::tempdir().unwrap();
    let score = |name: &str, text: &str, args: &[&str]| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let pairs = ["score", &model("bert-small"), "--pairs"];
        stdout(gradus().args(pairs).arg(path).args(args))
    };
    let want = score("a.tsv", "a cat\ttwo dogs\n", &[]);
    assert_eq!(score("b.tsv", "4.5\ta cat\ttwo dogs\n", &[]), want);
    assert_eq!(
        score(
            "c.csv",
            "score,sentence1,sentence2\n1,a cat,two dogs\n",
            &[]
        ),
        want
    );
    let named = ["--columns", "left,right"];
    assert_eq!(
        score("d.csv", "id,left,right\n7,a cat,two dogs\n", &named),
        want
    );
    assert_eq!(
        score("e.tsv", "id\tleft\tright\n7\ta cat\ttwo dogs\n", &named),
        want
    );
    let placed = ["--columns", "2,0", "--no-header"];
    assert_eq!(score("f.csv", "two dogs,x,a cat\n", &placed), want);
    let json = "{\"premise\": \"a cat\", \"hypothesis\": \"two dogs\"}\n";
    assert_eq!(score("g.jsonl", json, &[]), want);
    assert_eq!(score("h.data", json, &["--jsonl"]), want);
    assert_eq!(score("i.data", json, &["--pairs-format", "jsonl"]), want);
    assert_eq!(score("empty.tsv", "", &[]), "");
}

#[test]
fn json_lines_come_in_and_go_out() {
    let input = "{\"sentence1\": \"a \\\"cat\\\"\\n\", \"sentence2\": \"ü\"}\n";
    let args = ["score", &model("bert-small"), "--jsonl", "--format", "json"];
    let once = stdout(gradus().args(args).write_stdin(input));
    let object: Value = serde_json::from_str(&once).unwrap();
    assert_eq!(object["sentence1"], "a \"cat\"\n");
    assert!(object.get("grade").is_none());
    assert_eq!(object["recommended_is"], "cosine");
    assert_eq!(object["recommended"], object["cosine"]);
    // The answers can be questions again.
    assert_eq!(stdout(gradus().args(args).write_stdin(once.as_str())), once);
}

#[test]
fn no_input_is_no_output() {
    let args = ["score", &model("bert-small")];
    assert_eq!(stdout(gradus().args(args).write_stdin("")), "");
    let args = ["score", &model("bert-small"), "--jsonl"];
    assert_eq!(stdout(gradus().args(args).write_stdin("\n")), "");
}

#[test]
fn texts_that_the_vocabulary_does_not_know_are_noted_once_and_marked() {
    let long = "cat ".repeat(500);
    let input = format!("a cat\ttwo dogs\n\u{1f355}\ta cat\n\u{1f355} \u{1f355}\t{long}\n");
    let args = ["score", &model("bert-small"), "--format", "json"];
    let run = gradus().args(args).write_stdin(input).assert().success();
    let output = run.get_output();
    let marks: Vec<(Value, Value)> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|object: Value| (object["unknown"].clone(), object["truncated"].clone()))
        .collect();
    let mark = |unknown: bool, truncated: bool| (unknown.into(), truncated.into());
    assert_eq!(
        marks,
        [mark(false, false), mark(true, false), mark(true, true)]
    );
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(
        notes.contains("2 texts are empty or mostly unknown to the model's vocabulary:"),
        "{notes}"
    );
    assert_eq!(notes.matches("mostly unknown").count(), 1);
    assert!(notes.contains("1 text was cut"), "{notes}");
    // Nothing is noted of texts that are read as they are, or under --quiet.
    let known = ["score", &model("bert-small"), "a cat", "two dogs"];
    let known = gradus().args(known).assert().success();
    assert!(!String::from_utf8_lossy(&known.get_output().stderr).contains("unknown"));
    let args = ["score", &model("bert-small"), "\u{1f355}", "", "--quiet"];
    gradus().args(args).assert().success().stderr("");
}
