//! Ctrl-C, SIGTERM and SIGHUP.
#![cfg(unix)]

use crate::support::{environment, gradus, model};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Ctrl-C, a polite end, and a terminal that goes away, with their exit codes.
const SIGNALS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 129)];

/// The command with signals as a terminal leaves them, also where the tests
/// themselves were started so that some are ignored, which is inherited.
fn with_signals() -> Command {
    let binary = assert_cmd::cargo::cargo_bin!("gradus");
    if cfg!(not(target_os = "linux")) {
        return Command::new(binary);
    }
    let mut command = Command::new("env");
    command.arg("--default-signal=INT,TERM,HUP").arg(binary);
    command
}

fn start(place: &Path, arguments: &[&str]) -> Child {
    let mut command = with_signals();
    command
        .envs(environment())
        .env("XDG_CACHE_HOME", place.join("cache"))
        .env_remove("GRADUS_DATA")
        .current_dir(place)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn send(signal: &str, child: &Child) {
    let id = child.id().to_string();
    let kill = Command::new("kill")
        .args([&format!("-{signal}"), &id])
        .status();
    assert!(kill.unwrap().success());
}

/// Reads standard error until a line holds `part`.
fn wait_for(reader: &mut impl BufRead, part: &str) {
    let mut line = String::new();
    while !line.contains(part) {
        line.clear();
        assert!(
            reader.read_line(&mut line).unwrap() > 0,
            "{part} never came"
        );
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn workplace(steps: u32) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let pairs = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gradus/tests/fixtures/training/pairs.tsv"
    );
    let text = fs::read_to_string(pairs).unwrap();
    let lines = text.lines().map(|line| line.split('\t').nth(1).unwrap());
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    fs::write(place.path().join("lines.txt"), lines).unwrap();
    fs::write(place.path().join("pairs.tsv"), text).unwrap();
    let recipe = format!(
        "model = '{}'\n[evaluation]\ndev = {{ path = 'pairs.tsv', max_pairs = 50 }}\nevery = 10\n\
         [[stage]]\nname = 'tune'\nobjective = {{ loss = 'mse', form = 'cosine' }}\n\
         train = [{{ path = 'pairs.tsv' }}]\nsteps = {steps}\nbatch = 4\nlearning_rate = 1e-4\n",
        model("bert-small")
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    place
}

#[test]
fn an_output_leaves_no_part_behind() {
    for (signal, code) in SIGNALS {
        let place = tempfile::tempdir().unwrap();
        let model = model("bert-small");
        let mut child = start(place.path(), &["encode", &model, "--output", "out.jsonl"]);
        // It waits for more texts, with its output open.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"a cat\n").unwrap();
        while names(place.path()).is_empty() {
            std::thread::yield_now();
        }
        send(signal, &child);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(names(place.path()).is_empty(), "{:?}", names(place.path()));
        let mut told = String::new();
        child.stderr.unwrap().read_to_string(&mut told).unwrap();
        assert!(
            told.contains("stopped by") && !told.contains("--resume"),
            "{told}"
        );
    }
}

/// Starts a run, stops it in the middle, goes on by the printed line, and returns
/// what was printed.
fn stop_and_go_on(
    place: &Path,
    arguments: &[&str],
    wait: &str,
    (signal, code): (&str, i32),
) -> String {
    let mut child = start(place, arguments);
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    wait_for(&mut reader, wait);
    send(signal, &child);
    let mut told = String::new();
    reader.read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(code), "{told}");
    let line = told.lines().find_map(|line| line.strip_prefix("  gradus "));
    let line = line.unwrap_or_else(|| panic!("no line goes on: {told}"));
    let mut command = gradus();
    command
        .current_dir(place)
        .env("XDG_CACHE_HOME", place.join("cache"))
        .args(line.split(' '));
    command.assert().success();
    told
}

#[test]
fn training_ends_with_a_checkpoint_and_the_line_that_goes_on() {
    let place = workplace(400);
    let whole = ["train", "recipe.toml", "--output", "whole"];
    gradus()
        .current_dir(place.path())
        .args(whole)
        .assert()
        .success();
    for (signal, code) in SIGNALS {
        let run = format!("runs/{signal}");
        let arguments = ["train", "recipe.toml", "--output", &run];
        let told = stop_and_go_on(place.path(), &arguments, "step 10:", (signal, code));
        assert!(told.contains("stopping after this step"), "{told}");
        assert!(
            told.contains("of 400 of stage `tune`, with a checkpoint"),
            "{told}"
        );
        assert!(
            told.contains(&format!("  gradus train --resume {run}")),
            "{told}"
        );
        let weights =
            |run: &str| fs::read(place.path().join(run).join("model/model.safetensors")).unwrap();
        assert!(weights(&run) == weights("whole"));
    }
}

#[test]
fn other_runs_do_too() {
    let place = workplace(400);
    let teacher = model("bert-small");
    let pretrain = [
        "pretrain",
        "lines.txt",
        "--from",
        &teacher,
        "--steps",
        "400",
        "--evaluate-every",
        "10",
        "--batch-tokens",
        "256",
        "--output",
        "runs/mini",
    ];
    let told = stop_and_go_on(place.path(), &pretrain, "step 10:", SIGNALS[0]);
    assert!(
        told.contains("gradus pretrain --resume runs/mini"),
        "{told}"
    );
    let distill = [
        "distill",
        &teacher,
        "lines.txt",
        "--steps",
        "200",
        "--batch",
        "8",
        "--evaluate-every",
        "10",
        "--output",
        "small",
        "--no-tests",
    ];
    let told = stop_and_go_on(place.path(), &distill, "step 10:", SIGNALS[1]);
    assert!(told.contains("gradus distill --resume small"), "{told}");
    let sweep = ["sweep", "recipe.toml", "--no-tests", "--seeds", "1,2"];
    let told = stop_and_go_on(place.path(), &sweep, "step 10:", SIGNALS[0]);
    assert!(
        told.contains("gradus sweep --resume sweeps/recipe"),
        "{told}"
    );
    let quickstart = ["quickstart", "--embedded", "--model", &teacher];
    let told = stop_and_go_on(place.path(), &quickstart, "step 20:", SIGNALS[1]);
    assert!(
        told.contains("gradus quickstart --resume runs/quickstart"),
        "{told}"
    );
}

#[test]
fn a_second_signal_ends_at_once() {
    let place = workplace(100_000);
    let mut child = start(place.path(), &["train", "recipe.toml", "--output", "run"]);
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    wait_for(&mut reader, "step 10:");
    for _ in 0..2 {
        send("INT", &child);
    }
    let mut told = String::new();
    reader.read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
    assert!(told.contains("gradus train --resume run"), "{told}");
    let passing = |name: &String| name.ends_with(".new") || name.ends_with(".tmp");
    assert!(!names(&place.path().join("run")).iter().any(passing));
}

#[test]
fn what_is_ignored_from_the_start_stays_ignored() {
    let place = tempfile::tempdir().unwrap();
    let model = model("bert-small");
    // As `nohup` starts it.
    let script = format!(
        "trap '' HUP; exec '{}' encode '{model}' --output out.jsonl",
        assert_cmd::cargo::cargo_bin!("gradus").display()
    );
    let mut child = Command::new("sh")
        .envs(environment())
        .current_dir(place.path())
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"a cat\n").unwrap();
    while names(place.path()).is_empty() {
        std::thread::yield_now();
    }
    send("HUP", &child);
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert_eq!(names(place.path()), ["out.jsonl"]);
}
