//! Which device is taken, and where memory ends.

use super::{at, emulator, workplace};
use crate::support::{model, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;

#[test]
fn auto_takes_the_card_and_says_so() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let words = ["encode", &model("bert-small"), "a cat"];
    let said = at(place.path()).args(words).assert().success();
    said.stderr(contains("cuda:0, the first card"));
    let said = at(place.path())
        .args(words)
        .args(["--device", "cpu"])
        .assert()
        .success();
    assert!(!String::from_utf8_lossy(&said.get_output().stderr).contains("cuda"));
    // int8 is the processor's.
    at(place.path())
        .args(words)
        .args(["--precision", "int8"])
        .assert()
        .success();
    let refused = at(place.path())
        .args(words)
        .args(["--precision", "int8", "--device", "cuda"])
        .assert()
        .failure();
    refused.stderr(contains("cuda:0 does not compute in int8"));
    let listed = stdout(at(place.path()).args(["info", "--devices"]));
    assert!(
        listed.contains("emulated card") && listed.contains("auto"),
        "{listed}"
    );
}

#[test]
fn a_card_whose_memory_is_used_up_is_named() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let words = ["encode", &model("bert-small"), "a cat", "--device", "cuda"];
    let full = at(place.path())
        .env("GRADUS_EMULATED_MEMORY", "100000")
        .args(words)
        .assert()
        .failure();
    full.stderr(contains("the card's memory is used up"));
}

#[test]
fn a_stage_that_a_card_has_no_memory_for_does_not_begin() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let recipe = format!(
        "model = '{}'\n[[stage]]\nname = 'tune'\nobjective = {{ loss = 'info_nce' }}\nbatch = 64\nlearning_rate = 1e-3\n\
         train = [{{ path = 'texts.txt' }}]\nsteps = 5\n",
        model("bert-small")
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    let mut command = at(place.path());
    command.args(["train", "recipe.toml", "--device", "cuda"]);
    let short = command
        .env("GRADUS_EMULATED_MEMORY", "1000000")
        .assert()
        .failure();
    short.stderr(contains("stage `tune` needs about").and(contains("chunk_tokens")));
    assert!(!place.path().join("runs/recipe/metrics.jsonl").exists());
}
