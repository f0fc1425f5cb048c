//! Odd model folders give the vectors of sentence-transformers, or an error.
//! `bench/odd_folders.py --expected` wrote the folders and the vectors.

mod common;

use common::{copy_of, distance, fixture, json, numbers, strings};
use gradus::format::PromptChoice;
use gradus::models::SentenceEncoder;
use gradus_kernels::cpu::Cpu;
use serde_json::Value;
use std::path::Path;

/// The rows that sentence-transformers loads and this program refuses, with what
/// it names.
const REFUSED: [(&str, &str); 17] = [
    ("the same, weighted mean", "include_prompt"),
    ("a sparse model's folder", "model_type"),
    ("Dense with other code", "my.Tanh"),
    ("Dense on tokens", "module_input_name"),
    ("Dense beside the vector", "module_output_name"),
    ("Dense with an unknown key", "scale"),
    ("Normalize on tokens", "module_input_name"),
    (
        "processing_kwargs without special tokens",
        "add_special_tokens",
    ),
    ("config_args that change the model", "hidden_act"),
    ("another task", "transformer_task"),
    ("a class of other models", "WordPiece"),
    ("an unknown key of the tokenizer", "lower_everything"),
    ("an unknown key of config.json", "rope_scaling"),
    ("a decoder", "is_decoder"),
    ("relative positions", "relative_key"),
    ("padding_side left", "padding_side"),
    ("padding left in tokenizer.json", "padding_side"),
];

/// Writes the files of a row into a copy of its model.
fn folder_of(row: &Value) -> tempfile::TempDir {
    let folder = copy_of(row["model"].as_str().unwrap());
    for (name, content) in row["files"].as_object().unwrap() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match content {
            Value::Null => std::fs::remove_file(path).unwrap(),
            Value::String(text) => std::fs::write(path, text).unwrap(),
            other => std::fs::write(path, bytes_of(other["hex"].as_str().unwrap())).unwrap(),
        }
    }
    folder
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let byte = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn choice_of(row: &Value) -> PromptChoice {
    match strings(&row["options"])[..] {
        [] => PromptChoice::Default,
        ["--prompt", name] => PromptChoice::Named(name.to_owned()),
        ["--prompt-text", text] => PromptChoice::Text(text.to_owned()),
        ["--as", "query"] => PromptChoice::Query,
        ["--as", "document"] => PromptChoice::Document,
        ref other => panic!("{other:?}"),
    }
}

fn load(folder: &Path) -> gradus::Result<SentenceEncoder<Cpu>> {
    SentenceEncoder::load(folder, Cpu::new(2))
}

#[test]
fn vectors_of_odd_folders() {
    let stored = json(fixture("odd_folders.json"));
    let texts = strings(&stored["texts"]);
    for row in stored["rows"].as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        let folder = folder_of(row);
        let refused = REFUSED.iter().find(|(known, _)| *known == name);
        let mut model = match (load(folder.path()), refused) {
            (Err(error), Some((_, part))) => {
                assert!(error.to_string().contains(part), "{name}: {error}");
                continue;
            }
            (Ok(_), Some(_)) => panic!("{name}: loaded"),
            (Err(error), None) => panic!("{name}: {error}"),
            (Ok(model), None) => model,
        };
        let choice = choice_of(row);
        if choice != PromptChoice::Default {
            model.set_prompt(choice).unwrap();
        }
        let wanted = numbers(&row["vectors"]);
        let check = |model: &SentenceEncoder<Cpu>, what: &str| {
            let vectors = model.encode(&texts).unwrap();
            let off = distance(vectors.as_slice(), &wanted);
            assert!(off <= 1e-5, "{name}{what}: off by {off:e}");
        };
        check(&model, "");
        // A saved model is used with the same prompt by default.
        let target = folder.path().join("saved");
        model.save(&target, "").unwrap();
        check(&load(&target).unwrap(), ", saved");
    }
}
