//! `config.json`: fields of every wrong kind, and sizes that the weights do
//! not bear out.

use crate::folder::Folder;
use serde_json::{Value, json};

const FILE: &str = "config.json";

const SIZES: [&str; 6] = [
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
];

fn wrong_sizes() -> Vec<Value> {
    let text = "1".repeat(100_000);
    vec![
        json!(0),
        json!(-1),
        json!(1u64 << 40),
        json!(u64::MAX),
        json!(1e300),
        json!(1.5),
        json!("12"),
        json!(text),
        json!(true),
        json!([12]),
        json!({"a": 12}),
    ]
}

#[test]
fn sizes_of_every_wrong_kind() {
    let folder = Folder::of("bert-small");
    let sound = folder.read(FILE);
    for field in SIZES.into_iter().chain(["type_vocab_size"]) {
        let named = format!("`{field}` is ");
        for value in wrong_sizes() {
            folder.write(FILE, &sound).set(FILE, field, value);
            folder.refuses("Config", FILE, &[&named, "a whole number from 1 to"]);
        }
    }
    for field in SIZES {
        let named = format!("`{field}` is missing");
        folder.write(FILE, &sound).set(FILE, field, Value::Null);
        folder.refuses("Config", FILE, &[&named]);
        folder.write(FILE, &sound).edit(FILE, |c| {
            c.as_object_mut().unwrap().remove(field);
        });
        folder.refuses("Config", FILE, &[&named]);
    }
}

#[test]
fn other_fields_of_every_wrong_kind() {
    let cases = [
        ("layer_norm_eps", json!(0), "`layer_norm_eps` is 0"),
        ("layer_norm_eps", json!(1e-300), "`layer_norm_eps` is 0"),
        ("layer_norm_eps", json!(-1e-5), "`layer_norm_eps` is -"),
        ("layer_norm_eps", json!(1e300), "`layer_norm_eps` is inf"),
        ("layer_norm_eps", json!("small"), "not a number"),
        (
            "hidden_dropout_prob",
            json!(1),
            "`hidden_dropout_prob` is 1",
        ),
        ("hidden_dropout_prob", json!(-0.1), "`hidden_dropout_prob`"),
        ("hidden_dropout_prob", json!(1e300), "`hidden_dropout_prob`"),
        ("attention_probs_dropout_prob", json!(1e300), "[0, 1)"),
        ("attention_probs_dropout_prob", json!("x"), "not a number"),
        ("hidden_act", json!(5), "`hidden_act` is 5, not a text"),
        ("model_type", json!(["bert"]), "`model_type` is a list"),
        ("position_embedding_type", json!(1), "not a text"),
        ("is_decoder", json!("no"), "`is_decoder` is `no`"),
        ("num_attention_heads", json!(5), "is not a multiple of"),
    ];
    let folder = Folder::of("bert-small");
    let sound = folder.read(FILE);
    for (field, value, part) in cases {
        folder.write(FILE, &sound).set(FILE, field, value);
        folder.refuses("Config", FILE, &[field, part]);
    }
    for (field, value) in [
        ("model_type", json!("gpt2")),
        ("model_type", json!("x".repeat(100_000))),
        ("model_type", json!(null)),
        ("hidden_act", json!("mish")),
        ("position_embedding_type", json!("relative_key")),
        ("is_decoder", json!(true)),
    ] {
        folder.write(FILE, &sound).set(FILE, field, value);
        folder.refuses("Unsupported", FILE, &["unsupported", "supported: "]);
    }
}

#[test]
fn positions_that_start_behind_their_table() {
    let folder = Folder::of("roberta-small");
    for pad in [json!(39), json!(1u64 << 40), json!(u64::MAX)] {
        folder.set(FILE, "pad_token_id", pad);
        folder.refuses("Config", FILE, &["leaves no room: positions start at"]);
    }
    for pad in [json!(-1), json!(1e300), json!("1"), json!([])] {
        folder.set(FILE, "pad_token_id", pad);
        folder.refuses("Config", FILE, &["`pad_token_id` is ", "a whole number"]);
    }
}

/// Terabytes and more, were they allocated before the weights are looked at.
#[test]
fn sizes_that_the_weights_do_not_bear_out() {
    const HUGE: usize = 1 << 24;
    const WORDS: &str = "`embeddings.word_embeddings.weight` has shape [150, 32]";
    type Sizes = &'static [(&'static str, usize)];
    let cases: [(Sizes, &str, &str); 7] = [
        (&[("vocab_size", HUGE)], "Shape", WORDS),
        (
            &[("hidden_size", HUGE), ("num_attention_heads", 1)],
            "Shape",
            "has shape [32], the configuration says [16777216]",
        ),
        (
            &[("intermediate_size", HUGE)],
            "Shape",
            "dense.bias` has shape [64]",
        ),
        (
            &[("max_position_embeddings", HUGE)],
            "Shape",
            "`embeddings.position_embeddings.weight`",
        ),
        (
            &[("type_vocab_size", HUGE)],
            "Shape",
            "`embeddings.token_type_embeddings.weight`",
        ),
        (
            &[("num_hidden_layers", 1024)],
            "MissingTensor",
            "`encoder.layer.2.attention.self.query.weight` is missing",
        ),
        (
            &[
                ("vocab_size", HUGE),
                ("hidden_size", HUGE),
                ("intermediate_size", HUGE),
                ("num_hidden_layers", 1024),
            ],
            "Shape",
            "the configuration says",
        ),
    ];
    for (changes, kind, part) in cases {
        let folder = Folder::of("bert-small");
        for (field, value) in changes {
            folder.set(FILE, field, json!(value));
        }
        folder.refuses(kind, "model.safetensors", &["tensor `", part]);
    }
    let folder = Folder::of("bert-small");
    folder.set(FILE, "num_hidden_layers", json!(1));
    folder.refuses(
        "UnknownTensor",
        "model.safetensors",
        &[
            "`encoder.layer.1.",
            "does not belong to a BERT with 1 layers",
        ],
    );
}
