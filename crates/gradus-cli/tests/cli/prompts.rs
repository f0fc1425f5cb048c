//! Prompts by name and by text, in every command that makes vectors, and notes
//! on odd folders.

use crate::support::{backend, gradus, model, stdout};
use gradus::models::SentenceEncoder;
use predicates::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A copy of a stored model with prompts.
fn with_prompts(prompts: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = model("bert-small");
    for file in [
        "config.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "1_Pooling/config.json",
    ] {
        let to = folder.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(Path::new(&source).join(file), to).unwrap();
    }
    let path = folder.path().join("config_sentence_transformers.json");
    fs::write(path, prompts.to_string()).unwrap();
    folder
}

fn named() -> Value {
    json!({"prompts": {"query": "the dogs: ", "q": "a man "}})
}

/// The vector of a text in the folder as it is.
fn vector(folder: &Path, text: &str) -> Vec<f32> {
    let encoder = SentenceEncoder::load(folder, backend()).unwrap();
    let vectors = encoder.encode(&[text]).unwrap();
    vectors.row(0).to_vec()
}

/// What `encode` gives for `a cat` with these options.
fn encoded(folder: &Path, options: &[&str]) -> Vec<f32> {
    let folder = folder.to_str().unwrap();
    let out = stdout(gradus().args(["encode", folder, "a cat"]).args(options));
    let line: Value = serde_json::from_str(out.trim()).unwrap();
    let values = line["embedding"].as_array().unwrap();
    values.iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

#[test]
fn a_prompt_goes_before_every_text() {
    let folder = with_prompts(&named());
    let folder = folder.path();
    let cases: [(&[&str], &str); 6] = [
        (&[], "a cat"),
        (&["--prompt", "q"], "a man a cat"),
        (&["--prompt-text", "two "], "two a cat"),
        (&["--prompt-text", ""], "a cat"),
        (&["--as", "query"], "the dogs: a cat"),
        (&["--as", "document"], "a cat"),
    ];
    for (options, text) in cases {
        assert_eq!(
            encoded(folder, options),
            vector(folder, text),
            "{options:?}"
        );
    }
}

#[test]
fn an_unknown_prompt_lists_the_known_ones() {
    let folder = with_prompts(&named());
    let folder = folder.path().to_str().unwrap();
    for command in [
        vec!["encode", folder, "a cat"],
        vec!["score", folder, "a cat", "a dog"],
    ] {
        gradus()
            .args(command)
            .args(["--prompt", "passage"])
            .assert()
            .code(4)
            .stderr(predicate::str::contains("no prompt `passage`"))
            .stderr(predicate::str::contains("query, q"));
    }
    gradus()
        .args(["encode", folder, "a", "--as", "query", "--prompt", "q"])
        .assert()
        .code(2);
}

#[test]
fn prompts_that_nobody_chose_are_noted_once() {
    let folder = with_prompts(&named());
    let folder = folder.path().to_str().unwrap();
    let note = "the model has prompts (query, q) and no default";
    let count = |command: &mut assert_cmd::Command| {
        let output = command.assert().success().get_output().clone();
        let text = String::from_utf8(output.stderr).unwrap();
        text.matches(note).count()
    };
    let texts = ["score", folder, "a cat", "a dog"];
    assert_eq!(count(gradus().args(texts)), 1);
    assert_eq!(count(gradus().args(texts).args(["--prompt", "q"])), 0);
    assert_eq!(count(gradus().args(texts).arg("--quiet")), 0);
}

#[test]
fn a_model_has_the_prompt_it_was_trained_with() {
    let place = tempfile::tempdir().unwrap();
    let base = with_prompts(&named());
    let recipe = format!(
        "model = {:?}\nprecision = \"f32\"\n[[stage]]\nname = \"s\"\nsteps = 1\nbatch = 2\n\
         learning_rate = 1e-4\ntrain = [{{ path = 'pairs.tsv' }}]\n\
         objective = {{ loss = 'mse', form = 'cosine' }}\n",
        base.path().to_str().unwrap()
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    let pairs = "4.0\ta cat\tthe cat\n1.0\ta dog\ttwo guitars\n3.0\ta man\tan old man\n";
    fs::write(place.path().join("pairs.tsv"), pairs).unwrap();
    for (options, text, name) in [
        (["--prompt", "q"], "a man ", "q"),
        (["--prompt-text", "all \"of\" "], "all \"of\" ", "trained"),
    ] {
        let output = place.path().join(name);
        gradus()
            .current_dir(place.path())
            .args(["train", "recipe.toml", "--output", name])
            .args(options)
            .assert()
            .success();
        let saved = fs::read(output.join("model/config_sentence_transformers.json")).unwrap();
        let saved: Value = serde_json::from_slice(&saved).unwrap();
        assert_eq!(saved["default_prompt_name"], name);
        assert_eq!(saved["prompts"][name], text);
    }
    gradus()
        .current_dir(place.path())
        .args(["train", "recipe.toml", "--output", "none", "--set=prompt=q"])
        .args(["--set=prompt_text=x"])
        .assert()
        .failure()
        .stderr(predicate::str::contains("keep one"));
}
