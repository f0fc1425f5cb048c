//! Every description and list of a model folder: missing, not a file, not
//! text, not JSON, cut short.

use crate::folder::Folder;
use gradus::nn::{Features, RegressionHead};

/// A model with each file that can be read, and the error for text that is
/// none of that file's.
const FILES: [(&str, &str, &str); 12] = [
    ("bert-small", "config.json", "Config"),
    ("bert-small", "modules.json", "Config"),
    ("bert-small", "1_Pooling/config.json", "Config"),
    ("bert-small", "sentence_bert_config.json", "Config"),
    ("bert-small", "tokenizer.json", "Tokenizer"),
    ("bert-small", "gradus_head.json", "Config"),
    ("bert-gelu-new", "2_Dense/config.json", "Config"),
    (
        "bert-gelu-new",
        "config_sentence_transformers.json",
        "Config",
    ),
    ("bert-gelu-new", "tokenizer_config.json", "Config"),
    ("bert-relu-prefixed", "tokenizer_config.json", "Config"),
    (
        "bert-relu-prefixed",
        "model.safetensors.index.json",
        "Config",
    ),
    ("roberta-small", "tokenizer.json", "Tokenizer"),
];

fn folder_with_head(model: &str) -> Folder {
    let folder = Folder::of(model);
    let head = RegressionHead {
        features: Features::Difference,
        scale: vec![0.0, 5.0],
        outputs: 1,
        values: vec![0.0; 33],
    };
    if model == "bert-small" {
        head.save(&folder.path("."), 32).unwrap();
    }
    folder
}

#[test]
fn text_that_is_no_description() {
    for (model, file, kind) in FILES {
        let folder = folder_with_head(model);
        let sound = String::from_utf8(folder.read(file)).unwrap();
        for text in [
            String::new(),
            " \n".into(),
            "null".into(),
            "5".into(),
            "\"text\"".into(),
            "{\"a\": 1} {}".into(),
            "\u{feff}{}".into(),
            "\0".repeat(1000),
            "[".repeat(100_000),
            "{\"a\":".repeat(100_000),
            "{\"a\": 1e999}".into(),
        ] {
            folder.write(file, text).refuses(kind, file, &[]);
        }
        for length in (0..sound.len() - 1).step_by(sound.len() / 20 + 1) {
            let cut = sound.floor_char_boundary(length);
            folder.write(file, &sound[..cut]).refuses(kind, file, &[]);
        }
        let mut bytes = sound.clone().into_bytes();
        bytes.insert(1, 0xFF);
        folder
            .write(file, bytes)
            .refuses("Config", file, &["byte 2 is not UTF-8"]);
        folder
            .inflate(file)
            .refuses("Config", file, &["68719476736 bytes long"]);
        folder.write(file, &sound).load().unwrap();
    }
}

#[test]
fn no_file_where_one_is_expected() {
    let weights = [
        ("bert-small", "model.safetensors", ""),
        ("bert-small", "regression_head.safetensors", ""),
        ("bert-gelu-new", "2_Dense/model.safetensors", ""),
        ("bert-relu-prefixed", "model-00002-of-00002.safetensors", ""),
        ("bert-relu-prefixed", "vocab.txt", ""),
    ];
    for (model, file, _) in FILES.into_iter().chain(weights) {
        let folder = folder_with_head(model);
        folder.remove(file);
        std::fs::create_dir(folder.path(file)).unwrap();
        folder.refuses("NotAFile", file, &["not a file"]);
        #[cfg(unix)]
        {
            std::fs::remove_dir(folder.path(file)).unwrap();
            std::os::unix::fs::symlink("nothing", folder.path(file)).unwrap();
            folder.refuses("NotAFile", file, &["not a file"]);
        }
    }
}

#[test]
fn files_that_are_needed() {
    let cases = [
        ("bert-small", "config.json", "NotAModel", ""),
        ("bert-small", "1_Pooling/config.json", "MissingFile", ""),
        ("bert-small", "tokenizer.json", "MissingFile", "vocab.txt"),
        ("bert-small", "model.safetensors", "MissingFile", "fetch"),
        (
            "bert-small",
            "regression_head.safetensors",
            "MissingFile",
            "",
        ),
        ("bert-gelu-new", "2_Dense/config.json", "MissingFile", ""),
        (
            "bert-gelu-new",
            "2_Dense/model.safetensors",
            "MissingFile",
            "",
        ),
        (
            "bert-relu-prefixed",
            "model-00001-of-00002.safetensors",
            "MissingFile",
            "",
        ),
    ];
    for (model, file, kind, part) in cases {
        let folder = folder_with_head(model);
        folder.remove(file);
        let named = if kind == "NotAModel" { "" } else { file };
        folder.refuses(kind, named, &[part]);
    }
    let folder = Folder::of("bert-relu-prefixed");
    folder.remove("model.safetensors.index.json");
    folder.refuses("MissingFile", "model.safetensors", &["fetch"]);
    folder.write("pytorch_model.bin", "");
    folder.refuses("MissingFile", "model.safetensors", &["save_pretrained"]);
    folder.remove("vocab.txt");
    folder.refuses("MissingFile", "tokenizer.json", &["vocab.txt"]);
}

#[test]
fn files_that_may_be_absent() {
    for (model, file) in [
        ("bert-small", "modules.json"),
        ("bert-small", "sentence_bert_config.json"),
        ("bert-small", "tokenizer_config.json"),
        ("bert-gelu-new", "config_sentence_transformers.json"),
    ] {
        Folder::of(model).remove(file).load().unwrap();
    }
}
