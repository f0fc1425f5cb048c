//! Weights in several files, and the index that names them.

use crate::folder::Folder;
use crate::tensors::Tensors;
use serde_json::json;

const INDEX: &str = "model.safetensors.index.json";
const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";

#[test]
fn an_index_that_names_no_shards() {
    let cases = [
        (json!({}), "Config", "`weight_map` is missing"),
        (json!([]), "Config", "an object is expected"),
        (json!({"weight_map": [FIRST]}), "Config", "`weight_map`"),
        (json!({"weight_map": {"a": 5}}), "Config", "`a` lies in 5"),
        (
            json!({"weight_map": {"a": null}}),
            "Config",
            "`a` lies in null",
        ),
        (
            json!({"weight_map": {}}),
            "MissingTensor",
            "`embeddings.word_embeddings.weight` is missing",
        ),
    ];
    let folder = Folder::of("bert-relu-prefixed");
    for (index, kind, part) in cases {
        folder.write(INDEX, index.to_string());
        folder.refuses(kind, INDEX, &[part]);
    }
}

#[test]
fn shards_outside_of_the_folder() {
    let folder = Folder::of("bert-relu-prefixed");
    let long = "../".repeat(10_000);
    for shard in [
        "..",
        "../model.safetensors",
        "/dev/zero",
        "a/../model-00001-of-00002.safetensors",
        "./model-00001-of-00002.safetensors",
        "..\\model.safetensors",
        "",
        "a\0b",
        &long,
    ] {
        folder.edit(INDEX, |index| {
            let map = index["weight_map"].as_object_mut().unwrap();
            *map.values_mut().next_back().unwrap() = json!(shard);
        });
        folder.refuses("Config", INDEX, &["tensor `", "not in a file here"]);
    }
}

#[test]
fn shards_that_do_not_make_a_model() {
    let folder = Folder::of("bert-relu-prefixed");
    let sound = folder.read(INDEX);
    folder.edit(INDEX, |index| {
        let map = index["weight_map"].as_object_mut().unwrap();
        map.insert("a".into(), json!("model-00003-of-00003.safetensors"));
    });
    let third = "model-00003-of-00003.safetensors";
    folder.refuses("MissingFile", third, &["fetch"]);
    // A copy of another shard gives every parameter twice.
    folder.write(third, folder.read(SECOND));
    folder.refuses("RepeatedTensor", third, &["tensor `bert."]);

    folder.write(INDEX, &sound).edit(INDEX, |index| {
        let map = index["weight_map"].as_object_mut().unwrap();
        map.retain(|_, shard| shard == FIRST);
    });
    folder.refuses("MissingTensor", INDEX, &["tensor `bert.encoder.layer."]);

    let mut shard = Tensors::of(&folder, SECOND);
    shard.push("bert.encoder.layer.7.output.dense.bias", "F16", &[20], 40);
    folder.write(INDEX, &sound).write(SECOND, shard.bytes());
    folder.refuses("UnknownTensor", SECOND, &["`bert.encoder.layer.7."]);
    folder.write(SECOND, &shard.bytes()[..1000]);
    folder.refuses("Weights", SECOND, &[]);
}
