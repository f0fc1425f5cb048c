//! `gradus pretrain`.

use crate::kills::{kill_until_done, two_threads};
use crate::support::{backend, gradus, model, stdout, with_head};
use gradus_kernels::cpu;
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A folder with texts as lines and as pairs.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let pairs = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gradus/tests/fixtures/training/pairs.tsv"
    );
    let text = fs::read_to_string(pairs).unwrap();
    let lines: String = text
        .lines()
        .take(150)
        .map(|line| line.split('\t').nth(1).unwrap().to_owned() + "\n\n")
        .collect();
    fs::write(place.path().join("lines.txt"), lines).unwrap();
    fs::write(place.path().join("pairs.tsv"), text).unwrap();
    place
}

fn pretrain(place: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command.current_dir(place).arg("pretrain").args(arguments);
    command
}

const TEXTS: [&str; 4] = ["lines.txt", "pairs.tsv", "--columns", "1,2"];

const SMALL: [&str; 14] = [
    "--layers",
    "1",
    "--hidden",
    "16",
    "--heads",
    "2",
    "--intermediate",
    "32",
    "--vocab",
    "200",
    "--max-tokens",
    "24",
    "--batch-tokens",
    "256",
];

fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn a_fresh_model_learns_and_other_commands_take_it() {
    let place = workplace();
    let rest = [
        "--steps",
        "60",
        "--learning-rate",
        "0.02",
        "--output",
        "run",
        "--json",
    ];
    let printed = stdout(&mut pretrain(
        place.path(),
        &[&TEXTS[..], &SMALL, &rest].concat(),
    ));
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&summary["model"], &summary["step"]),
        (&"run/model".into(), &60.into())
    );
    let run = place.path().join("run");
    let metrics = metrics(&run);
    let of = |kind: &str| {
        metrics
            .iter()
            .filter(|m| m["kind"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    let (steps, evaluations) = (of("step"), of("evaluation"));
    // Every tenth step; before, ten times within, the last time at the end.
    assert_eq!((steps.len(), evaluations.len()), (6, 11));
    let loss = |line: &Value| line["loss"].as_f64().unwrap();
    let (first, last) = (loss(&evaluations[0]), loss(&evaluations[10]));
    // A fresh model tells nothing: the logarithm of the vocabulary's size.
    assert!(
        (first - 200f64.ln()).abs() < 0.3 && last < first - 0.8,
        "{first} {last}"
    );
    assert_eq!(summary["loss"], evaluations[10]["loss"]);
    for key in [
        "learning_rate",
        "gradient_norm",
        "masked_accuracy",
        "tokens_per_second",
    ] {
        assert!(steps[5][key].as_f64().is_some(), "{key}");
    }
    let settings = fs::read_to_string(run.join("pretrain.toml")).unwrap();
    assert!(settings.contains("steps = 60") && settings.contains("evaluate_every = 6"));
    let card = fs::read_to_string(run.join("model/README.md")).unwrap();
    assert!(
        card.contains("- pairs.tsv") && card.contains("60 steps"),
        "{card}"
    );

    let mut score = gradus();
    score
        .args(["score", "--format", "tsv"])
        .arg(run.join("model"))
        .args(["a dog", "a cat"]);
    let answer = stdout(&mut score);
    let cosine: f64 = answer.split('\t').next().unwrap().parse().unwrap();
    assert!((-1.0..=1.0).contains(&cosine));
    let recipe = "model = 'run/model'\n[[stage]]\nname = 'x'\nsteps = 3\nlearning_rate = 1e-3\n\
                  objective = { loss = 'mse', form = 'cosine' }\ntrain = [{ path = 'pairs.tsv' }]\n";
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    let mut train = gradus();
    train
        .current_dir(place.path())
        .args(["train", "recipe.toml"]);
    train.assert().success();

    // The folder is taken; a finished run resumes to nothing left to do.
    let weights = fs::read(run.join("model/model.safetensors")).unwrap();
    pretrain(place.path(), &["lines.txt", "--output", "run"])
        .assert()
        .code(2)
        .stderr(contains("--resume"));
    let mut train = gradus();
    train
        .current_dir(place.path())
        .args(["train", "recipe.toml", "--output", "run"]);
    train.assert().code(2);
    fs::remove_dir_all(run.join("model")).unwrap();
    pretrain(place.path(), &["--resume", "run"])
        .assert()
        .success();
    assert!(fs::read(run.join("model/model.safetensors")).unwrap() == weights);
    let other = match backend().precision() {
        cpu::Precision::F32 => "bf16",
        _ => "f32",
    };
    pretrain(place.path(), &["--resume", "run", "--precision", other])
        .assert()
        .code(2)
        .stderr(contains("leave --precision out"));
    let text = fs::read_to_string(place.path().join("lines.txt")).unwrap();
    fs::write(place.path().join("lines.txt"), text + "one line more\n").unwrap();
    pretrain(place.path(), &["--resume", "run"])
        .assert()
        .code(1)
        .stderr(contains("the texts or the tokenizer changed"));
}

#[test]
fn a_model_is_adapted_to_texts() {
    let place = workplace();
    with_head(&place.path().join("given"));
    let rest = [
        "--from",
        "given",
        "--epochs",
        "2",
        "--whole-words",
        "--output",
        "run",
    ];
    let sizes = [
        "--batch-tokens",
        "128",
        "--max-tokens",
        "24",
        "--dropout",
        "0.2",
    ];
    let printed = stdout(&mut pretrain(
        place.path(),
        &[&TEXTS[..], &sizes, &rest].concat(),
    ));
    assert_eq!(Path::new(printed.trim()), Path::new("run/model"));
    let run = place.path().join("run");
    assert!(!run.join("start").exists());
    let adapted = run.join("model");
    // Modules stay; the regression head was made for other vectors.
    let modules = fs::read_to_string(adapted.join("modules.json")).unwrap();
    assert!(modules.contains("Normalize"), "{modules}");
    assert!(place.path().join("given/gradus_head.json").exists());
    assert!(!adapted.join("gradus_head.json").exists());
    let evaluations: Vec<f64> = metrics(&run)
        .iter()
        .filter(|m| m["kind"] == "evaluation")
        .map(|m| m["loss"].as_f64().unwrap())
        .collect();
    assert!(evaluations.last() < evaluations.first(), "{evaluations:?}");
    // It goes on with the head that it has now, to the bit.
    let rest = [
        "--from",
        "run/model",
        "--steps",
        "1",
        "--whole-words",
        "--output",
        "again",
    ];
    let sizes = ["--max-tokens", "24"];
    pretrain(place.path(), &[&TEXTS[..], &sizes, &rest].concat())
        .assert()
        .success();
    let again = metrics(&place.path().join("again"));
    assert_eq!(again[0]["loss"].as_f64(), evaluations.last().copied());
}

#[test]
fn minutes_are_laid_out_once() {
    let place = workplace();
    let rest = [
        "--minutes",
        "0.02",
        "--evaluate-every",
        "1000",
        "--output",
        "run",
    ];
    pretrain(place.path(), &[&TEXTS[..], &SMALL, &rest].concat())
        .assert()
        .success();
    let run = place.path().join("run");
    let settings = fs::read_to_string(run.join("pretrain.toml")).unwrap();
    let steps = settings
        .lines()
        .find_map(|line| line.strip_prefix("steps = "));
    let steps: u64 = steps.unwrap().parse().unwrap();
    assert!(steps > 1, "{steps}");
    let metrics = metrics(&run);
    let last = metrics.iter().rfind(|m| m["kind"] == "step").unwrap();
    assert_eq!(last["step"], steps);
}

/// Everything that must be the same bits.
fn bits(run: &Path) -> Vec<Vec<u8>> {
    let files = [
        "model/model.safetensors",
        "model/README.md",
        "model/tokenizer.json",
    ];
    let mut bits: Vec<Vec<u8>> = files
        .iter()
        .map(|f| fs::read(run.join(f)).unwrap())
        .collect();
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    // Speed is the one thing that may differ.
    let lines = metrics
        .lines()
        .map(|line| line.split(",\"tokens_per_second\"").next().unwrap());
    bits.push(lines.collect::<Vec<_>>().join("\n").into_bytes());
    bits
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let place = workplace();
    let rest = ["--steps", "200", "--checkpoint-steps", "1", "--whole-words"];
    let all = [&["pretrain"][..], &TEXTS, &SMALL, &rest].concat();
    let mut whole = gradus();
    whole
        .current_dir(place.path())
        .args(&all)
        .args(["--output", "whole", "--threads", "1"]);
    whole.assert().success();
    let expected = bits(&place.path().join("whole"));
    for attempt in 0..4u64 {
        let name = format!("killed-{attempt}");
        let mut arguments: Vec<String> = all.iter().map(|a| (*a).to_owned()).collect();
        arguments.extend(["--output".into(), name.clone()]);
        let resume = ["pretrain".to_owned(), "--resume".into(), name.clone()];
        let run = place.path().join(&name);
        let begun = run.join("pretrain.toml");
        kill_until_done(
            place.path(),
            &arguments,
            &resume,
            &begun,
            attempt,
            two_threads,
        );
        assert!(bits(&run) == expected, "{name} differs");
    }
}

#[test]
fn mistakes_are_named_before_any_work() {
    let place = workplace();
    let bert = model("bert-small");
    fs::write(place.path().join("empty.txt"), "\n \n").unwrap();
    for (arguments, code, part) in [
        (&["lines.txt"][..], 2, "--output"),
        (&["--resume", "nowhere"], 2, "no pretrain.toml"),
        (&["--resume", "x", "lines.txt"], 2, "cannot be used with"),
        (
            &["--resume", "x", "--mask-rate", "0.2"],
            2,
            "cannot be used with",
        ),
        (
            &["--resume", "x", "--layers", "2"],
            2,
            "cannot be used with",
        ),
        (
            &[
                "lines.txt",
                "--output",
                "r",
                "--from",
                &bert,
                "--layers",
                "2",
            ],
            2,
            "cannot be used",
        ),
        (
            &[
                "lines.txt",
                "--output",
                "r",
                "--steps",
                "2",
                "--epochs",
                "2",
            ],
            2,
            "cannot be used",
        ),
        (
            &["lines.txt", "--output", "r", "--batch-tokens", "100"],
            2,
            "at least 128",
        ),
        (
            &["lines.txt", "--output", "r", "--mask-rate", "2"],
            2,
            "`mask_rate` is 2",
        ),
        (
            &["lines.txt", "--output", "r", "--vocab", "9"],
            2,
            "--vocab: a vocabulary of 9",
        ),
        (
            &[
                "lines.txt",
                "--output",
                "r",
                "--vocab",
                "200",
                "--heads",
                "3",
            ],
            4,
            "not a multiple",
        ),
        (&["missing.txt", "--output", "r"], 3, "missing.txt"),
        (&["empty.txt", "--output", "r"], 3, "no texts"),
        (
            &["lines.txt", "--output", "r", "--from", "nowhere/at-all"],
            5,
            "nowhere/at-all",
        ),
    ] {
        pretrain(place.path(), arguments)
            .assert()
            .code(code)
            .stderr(contains(part));
    }
    assert!(!place.path().join("r/pretrain.toml").exists());
}
