//! What is encoded once: only what the steps will see, counted and shown.

use crate::support::{gradus, model, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::path::Path;

/// 300 texts, a frozen stage, and one with a teacher.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let words = [
        "dog", "cat", "man", "woman", "river", "park", "house", "guitar",
    ];
    let word = |i: usize| words[i % words.len()];
    let text = |i: usize| format!("a {} and the {} {} {i}", word(i), word(i / 8), word(i / 64));
    let texts: String = (0..300).map(|i| text(i) + "\n").collect();
    let graded: String = (0..150)
        .map(|i| format!("{}\t{}\t{}\n", i % 6, text(i), text(299 - i)))
        .collect();
    fs::write(place.path().join("texts.txt"), texts).unwrap();
    fs::write(place.path().join("graded.tsv"), graded).unwrap();
    let frozen = format!(
        "model = '{}'\n[[stage]]\nname = 'head'\nfreeze = 'encoder'\nobjective = {{ loss = 'mse' }}\n\
         train = [{{ path = 'graded.tsv' }}]\nsteps = 3\nbatch = 10\nlearning_rate = 1e-2\n",
        model("bert-small")
    );
    fs::write(place.path().join("frozen.toml"), frozen).unwrap();
    let taught = format!(
        "model = '{}'\n[[stage]]\nname = 'rank'\nobjective = {{ loss = 'list_net' }}\nviews = 1\n\
         teachers = [{{ model = '{}' }}]\ntrain = [{{ path = 'texts.txt' }}]\nsteps = 4\nbatch = 8\n\
         learning_rate = 1e-3\n",
        model("bert-small"),
        model("roberta-small")
    );
    fs::write(place.path().join("taught.toml"), taught).unwrap();
    place
}

fn train(place: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command.current_dir(place).arg("train").args(arguments);
    command.env("XDG_CACHE_HOME", place.join("cache"));
    command
}

fn stderr(command: &mut assert_cmd::Command) -> String {
    let assert = command.assert().success();
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

fn weights(place: &Path, run: &str) -> Vec<u8> {
    let model = place.join(run).join("model");
    [
        fs::read(model.join("model.safetensors")),
        fs::read(model.join("gradus_head.json")),
    ]
    .into_iter()
    .flat_map(|file| file.unwrap_or_default())
    .collect()
}

#[test]
fn a_frozen_stage_encodes_what_its_steps_see() {
    let place = workplace();
    let dry = ["frozen.toml", "--dry-run"];
    train(place.path(), &dry)
        .assert()
        .success()
        .stdout(contains(
            "encoding 60 of 300 texts once, by the frozen encoder, about",
        ));
    let json = stdout(train(place.path(), &dry).arg("--json"));
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    let encoding = &plan["stages"][0]["encodings"][0];
    assert_eq!(
        (&encoding["texts"], &encoding["of"]),
        (&60.into(), &300.into())
    );
    assert!(encoding["seconds"].as_f64().unwrap() > 0.0);
    let said = stderr(&mut train(
        place.path(),
        &["frozen.toml", "--output", "runs/a"],
    ));
    assert!(
        said.contains("frozen encoder: encoding 60 texts once"),
        "{said}"
    );
    // An epoch sees everything.
    let whole = [
        "frozen.toml",
        "--dry-run",
        "--untimed",
        "--set",
        "stage.0.epochs=1",
    ];
    let whole = stdout(&mut train(place.path(), &whole));
    assert!(whole.contains("encoding 300 of 300 texts once"), "{whole}");
}

#[test]
fn a_teacher_is_asked_for_what_the_steps_see_and_a_longer_run_asks_for_the_rest() {
    let place = workplace();
    let run = |output: &str, steps: &str, cache: &str| {
        let steps = format!("stage.0.steps={steps}");
        let mut command = train(place.path(), &["taught.toml", "--output", output]);
        command
            .args(["--set", &steps])
            .env("XDG_CACHE_HOME", place.path().join(cache));
        stderr(&mut command)
    };
    let short = run("runs/short", "4", "cache");
    assert!(
        short.contains("encoding 32 of 300 texts once, by the teacher"),
        "{short}"
    );
    assert!(short.contains(": encoding 32 texts once"), "{short}");
    // Twice as long: half is there.
    let longer = run("runs/longer", "8", "cache");
    assert!(longer.contains(": encoding 32 texts once"), "{longer}");
    let again = run("runs/again", "6", "cache");
    assert!(again.contains("vectors found for 48 texts"), "{again}");
    // From nothing, the bits are the same.
    let fresh = run("runs/fresh", "8", "fresh");
    assert!(fresh.contains(": encoding 64 texts once"), "{fresh}");
    assert_eq!(
        weights(place.path(), "runs/longer"),
        weights(place.path(), "runs/fresh")
    );
    let dry = ["taught.toml", "--dry-run", "--set", "stage.0.steps=10"];
    train(place.path(), &dry).assert().success().stdout(
        contains("encoding 80 of 300 texts once").and(contains("64 of them by an earlier run")),
    );
}
