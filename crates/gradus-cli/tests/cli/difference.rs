//! `gradus train` with difference prediction.

use crate::kills::{kill_until_done, two_threads};
use crate::support::{gradus, model, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::path::Path;

/// A folder with texts and a recipe: InfoNCE, consistency, ranking after a
/// teacher, and difference prediction.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../gradus/tests/fixtures");
    let pairs = fs::read_to_string(format!("{fixtures}/training/pairs.tsv")).unwrap();
    let texts = pairs.lines().map(|l| l.split('\t').nth(1).unwrap());
    let texts: Vec<&str> = texts.take(60).collect();
    fs::write(place.path().join("texts.txt"), texts.join("\n")).unwrap();
    let recipe = format!(
        "model = '{}'\nnormalize = false\nlog_every = 1\ncheckpoint_steps = 1\n\
         [[stage]]\nname = 'one'\nsteps = 24\nbatch = 8\naccumulate = 2\nlearning_rate = 1e-3\n\
         dropout = 0.1\nobjective = {{ loss = 'info_nce' }}\nprojection = 'batch_norm'\n\
         also = [{{ loss = 'list_mle', temperature = 0.1 }}, {{ loss = 'consistency' }}]\n\
         teachers = [{{ model = '{}' }}]\n\
         difference = {{ generator = '{fixtures}/pretraining/bert', weight = 0.5 }}\n\
         train = [{{ path = 'texts.txt' }}]\n",
        model("bert-small"),
        model("bert-odd"),
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    place
}

fn train(place: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command.current_dir(place).arg("train").args(arguments);
    command
}

/// The model's weights, and the lines of the metrics without the speed.
fn bits(run: &Path) -> (Vec<u8>, Vec<String>) {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = metrics.lines();
    let lines = lines.map(|l| l.split(",\"pairs_per_second\"").next().unwrap().to_owned());
    let weights = fs::read(run.join("model/model.safetensors")).unwrap();
    (weights, lines.collect())
}

#[test]
fn a_killed_run_goes_on_with_its_discriminator() {
    let place = workplace();
    let arguments = ["recipe.toml", "--output", "whole", "--threads", "1"];
    train(place.path(), &arguments)
        .assert()
        .success()
        .stderr(contains("0.5 x difference prediction (30 % masked").and(contains("(difference ")));
    let expected = bits(&place.path().join("whole"));
    for line in &expected.1 {
        for part in [
            "\"difference\":{\"loss\":",
            "\"generator_accuracy\":",
            "\"accuracy_on_kept\":",
        ] {
            assert!(line.contains(part), "{line}");
        }
    }
    for attempt in 0..3u64 {
        let name = format!("killed-{attempt}");
        let run = place.path().join(&name);
        let arguments = ["train", "recipe.toml", "--output", &name].map(str::to_owned);
        let resume = ["train", "--resume", &name].map(str::to_owned);
        let begun = run.join("recipe.toml");
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
    // What the model is, and what TensorBoard gets.
    let told = place.path().join("whole/tensorboard");
    let events = fs::read_dir(told).unwrap().next().unwrap().unwrap();
    let events = fs::read(events.path()).unwrap();
    let name = b"one/difference/replaced";
    assert!(events.windows(name.len()).any(|w| w == name));
    let mut encode = gradus();
    let model = place.path().join("whole/model");
    let line = stdout(encode.arg("encode").arg(model).arg("a dog in the park"));
    assert!(line.contains("embedding"));
}

#[test]
fn what_does_not_fit_is_refused_before_the_run() {
    let place = workplace();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../gradus/tests/fixtures");
    let other = format!("stage.0.difference.generator={fixtures}/pretraining/roberta");
    let headless = format!("stage.0.difference.generator={}", model("bert-small"));
    for (set, part) in [
        (other.as_str(), "train one with `gradus pretrain"),
        (&headless, "without the masked-language-model head"),
        ("stage.0.difference.generator=nowhere", "nowhere"),
        ("stage.0.difference.mask_rate=2", "between 0 and 1"),
        ("stage.0.difference.lambda=2", "lambda"),
    ] {
        train(place.path(), &["recipe.toml", "--set", set])
            .assert()
            .failure()
            .stderr(contains(part));
        assert!(!place.path().join("runs").exists(), "{set}");
    }
    let plan = train(place.path(), &["recipe.toml", "--dry-run"])
        .assert()
        .success()
        .get_output()
        .clone();
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(plan.contains("difference prediction"), "{plan}");
}
