//! Texts that a vocabulary does not know, in every command that encodes.

use crate::support::{gradus, model};
use predicates::str::contains;
use std::fs;

const SAID: &str = "2 texts are empty or mostly unknown to the model's vocabulary:";

#[test]
fn every_command_that_encodes_says_how_many_texts_are_unknown() {
    let place = tempfile::tempdir().unwrap();
    let mut pairs = String::new();
    for i in 0..30 {
        pairs += &format!("{}\tthe cat {i}\tthe dog {i}\n", i % 6);
    }
    pairs += "1\t\u{1f355} \u{1f355}\tthe cat\n2\t\u{1f389}\tthe dog\n";
    fs::write(place.path().join("pairs.tsv"), &pairs).unwrap();
    let texts: Vec<String> = (0..80).map(|i| format!("the cat {i} is here")).collect();
    let texts = texts.join("\n") + "\n\u{1f355}\n\u{1f389}\n";
    fs::write(place.path().join("texts.txt"), texts).unwrap();
    let recipe = format!(
        "model = '{}'\n[evaluation]\ndev = {{ path = 'pairs.tsv' }}\n[[stage]]\nname = 'tune'\n\
         objective = {{ loss = 'mse' }}\ntrain = [{{ path = 'pairs.tsv' }}]\nsteps = 2\n\
         learning_rate = 1e-3\n",
        model("bert-small")
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    let model = model("bert-small");
    let run = |args: &[&str]| {
        let mut command = gradus();
        command.current_dir(place.path()).args(args);
        command.assert().success()
    };
    run(&["eval", &model, "--only-pairs", "--pairs", "pairs.tsv"]).stderr(contains(SAID));
    run(&["calibrate", &model, "pairs.tsv", "--output", "graded"]).stderr(contains(SAID));
    let planned = run(&["train", "recipe.toml", "--dry-run"]);
    let planned = planned.stderr(contains(format!("stage `tune`: {SAID}")));
    planned.stderr(contains(format!("pairs.tsv: {SAID}")));
    let planned = run(&["distill", &model, "texts.txt", "--layers", "1", "--dry-run"]);
    let said = String::from_utf8_lossy(&planned.get_output().stdout).into_owned();
    assert!(
        said.contains(SAID) || said.contains("1 text is empty or mostly"),
        "{said}"
    );
}
