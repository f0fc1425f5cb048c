//! `config.json` of the families that have keys and settings of their own.

use crate::folder::Folder;
use serde_json::{Value, json};

const FILE: &str = "config.json";

/// Every size of a family, wrong and missing.
fn sizes(folder: &Folder, fields: &[&str]) {
    let sound = folder.read(FILE);
    for field in fields {
        for value in [json!(0), json!(-1), json!(1e300), json!("12"), json!([12])] {
            folder.write(FILE, &sound).set(FILE, field, value);
            let named = format!("`{field}` is ");
            folder.refuses("Config", FILE, &[&named, "a whole number"]);
        }
        folder.write(FILE, &sound).set(FILE, field, Value::Null);
        folder.refuses("Config", FILE, &[&format!("`{field}` is missing")]);
        // More than the weights bear out, or more than there can be.
        folder.write(FILE, &sound).set(FILE, field, json!(1 << 24));
        let error = folder.load().err().unwrap_or_else(|| panic!("{field}"));
        assert!(error.to_string().len() < 1000, "{error}");
    }
}

/// Settings that are refused by name.
fn unsupported(model: &str, cases: &[(&str, Value)]) {
    let folder = Folder::of(model);
    let sound = folder.read(FILE);
    for (field, value) in cases {
        folder.write(FILE, &sound).set(FILE, field, value.clone());
        let named = format!("unsupported {field}: ");
        folder.refuses("Unsupported", FILE, &[&named, "supported: "]);
    }
}

#[test]
fn distilbert() {
    const SIZES: [&str; 6] = [
        "vocab_size",
        "dim",
        "n_layers",
        "n_heads",
        "hidden_dim",
        "max_position_embeddings",
    ];
    sizes(&Folder::of("distilbert-small"), &SIZES);
    unsupported("distilbert-small", &[("activation", json!("mish"))]);
    let folder = Folder::of("distilbert-small");
    folder.set(FILE, "n_heads", json!(5));
    folder.refuses(
        "Config",
        FILE,
        &["`dim` 24 is not a multiple of `n_heads` 5"],
    );
    folder
        .set(FILE, "n_heads", json!(3))
        .set(FILE, "dropout", json!(2));
    folder.refuses("Config", FILE, &["`dropout` is 2"]);
}

/// The keys that Nomic BERT's own code knows, and transformers'.
const NOMIC: [(&str, &str); 8] = [
    ("n_embd", "hidden_size"),
    ("n_layer", "num_hidden_layers"),
    ("n_head", "num_attention_heads"),
    ("n_inner", "intermediate_size"),
    ("layer_norm_epsilon", "layer_norm_eps"),
    ("activation_function", "hidden_act"),
    ("resid_pdrop", "hidden_dropout_prob"),
    ("rotary_emb_base", "rope_parameters"),
];

/// A model whose configuration has one kind of keys alone.
fn nomic(own: bool) -> Folder {
    let folder = Folder::of("nomic-small");
    folder.edit(FILE, |c| {
        let c = c.as_object_mut().unwrap();
        for (mine, theirs) in NOMIC {
            c.remove(if own { theirs } else { mine });
        }
    });
    folder
}

#[test]
fn nomic_bert_under_either_kind_of_keys() {
    let both = Folder::of("nomic-small").load().unwrap();
    let texts = ["a dog in the park", "the old house by the river"];
    let vectors = both.encode(&texts).unwrap();
    for own in [true, false] {
        let model = nomic(own).load().unwrap();
        assert_eq!(model.config(), both.config());
        let again = model.encode(&texts).unwrap();
        assert_eq!(again.as_slice(), vectors.as_slice());
    }
    let folder = Folder::of("nomic-small");
    let sound = folder.read(FILE);
    for (field, value) in [
        ("n_embd", json!(48)),
        ("n_layer", json!(1)),
        ("n_head", json!(2)),
        ("hidden_size", json!(48)),
        ("rotary_emb_base", json!(10_000)),
        ("layer_norm_eps", json!(1e-5)),
        ("resid_pdrop", json!(0.5)),
    ] {
        folder.write(FILE, &sound).set(FILE, field, value);
        if field == "resid_pdrop" {
            folder.set(FILE, "embd_pdrop", json!(0.5));
        }
        folder.refuses("Config", FILE, &[field, " is ", " and "]);
    }
}

#[test]
fn nomic_bert() {
    sizes(
        &nomic(true),
        &["vocab_size", "n_embd", "n_layer", "n_head", "n_inner"],
    );
    let own = nomic(true);
    own.set(FILE, "n_layer", json!(1025));
    own.refuses("Config", FILE, &["`n_layer` is 1025"]);
    unsupported(
        "nomic-small",
        &[
            ("prenorm", json!(true)),
            ("parallel_block", json!(true)),
            ("use_rms_norm", json!(true)),
            ("causal", json!(true)),
            ("qkv_proj_bias", json!(true)),
            ("mlp_fc1_bias", json!(true)),
            ("mlp_fc2_bias", json!(true)),
            ("rotary_emb_interleaved", json!(true)),
            ("rotary_emb_fraction", json!(0.5)),
            ("rotary_emb_scale_base", json!(512)),
            ("moe_every_n_layers", json!(2)),
            ("activation_function", json!("gelu")),
            ("embd_pdrop", json!(0.1)),
            ("head_dim", json!(4)),
        ],
    );
    let folder = Folder::of("nomic-small");
    let sound = folder.read(FILE);
    for (field, value, part) in [
        ("rotary_emb_base", json!(0), "`rotary_emb_base` is 0"),
        ("rotary_emb_base", json!(-1e300), "`rotary_emb_base` is -"),
        ("rotary_emb_base", json!("x"), "not a number"),
        ("rope_parameters", json!("x"), "an object is expected"),
        ("prenorm", json!("no"), "not true or false"),
        ("n_head", json!(24), "heads of 1 values cannot be turned"),
        (
            "n_head",
            json!(5),
            "`n_embd` 24 is not a multiple of `n_head` 5",
        ),
    ] {
        folder.write(FILE, &sound).set(FILE, field, value);
        for other in ["num_attention_heads", "head_dim"] {
            folder.set(FILE, other, Value::Null);
        }
        if field == "rotary_emb_base" {
            folder.set(FILE, "rope_parameters", Value::Null);
        }
        folder.refuses("Config", FILE, &[part]);
    }
    folder
        .write(FILE, &sound)
        .set(FILE, "rope_parameters", json!({"rope_type": "yarn"}));
    folder.refuses("Unsupported", FILE, &["unsupported rope_type: yarn"]);
}

/// There is no table to run out of: the configuration says how far turns go.
#[test]
fn nomic_bert_reads_as_far_as_it_was_trained() {
    let folder = Folder::of("nomic-small");
    folder.set("sentence_bert_config.json", "max_seq_length", json!(8192));
    for (field, value, most) in [
        ("max_position_embeddings", json!(100), 100),
        ("max_position_embeddings", json!(8192), 2048),
        ("max_position_embeddings", Value::Null, 2048),
        ("n_positions", json!(70), 70),
        ("max_trained_positions", json!(60), 60),
    ] {
        folder.set(FILE, field, value);
        let model = folder.load().unwrap();
        assert_eq!(model.folder().max_tokens, most, "{field}");
        let text = "house ".repeat(3000);
        assert_eq!(
            model.tokenizer().encode(&[&text]).unwrap()[0].ids.len(),
            most
        );
        let vectors = model.encode(&[&text]).unwrap();
        assert!(vectors.as_slice().iter().all(|x| x.is_finite()));
    }
}

#[test]
fn jina_bert() {
    const SIZES: [&str; 5] = [
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
    ];
    sizes(&Folder::of("jina-small"), &SIZES);
    unsupported(
        "jina-small",
        &[
            ("feed_forward_type", json!("original")),
            ("feed_forward_type", json!("swiglu")),
            ("feed_forward_type", Value::Null),
            ("position_embedding_type", json!("relative_key")),
        ],
    );
    let folder = Folder::of("jina-small");
    folder.set(FILE, "position_embedding_type", json!("absolute"));
    folder.refuses(
        "Unsupported",
        FILE,
        &["unsupported feed_forward_type: geglu"],
    );
    folder.set(FILE, "position_embedding_type", json!("alibi"));
    // By its name the weights are those of the other variant, which they are not.
    folder.set(
        FILE,
        "_name_or_path",
        json!("jinaai/jina-bert-v2-qk-post-norm"),
    );
    folder.refuses(
        "UnknownTensor",
        "model.safetensors",
        &["encoder.layer.0.mlp.gated_layers.weight", "(QK norm)"],
    );
    // The other gate makes other vectors of the same weights.
    let folder = Folder::of("jina-small");
    let encode = |folder: &Folder| {
        let model = folder.load().unwrap();
        let vectors = model.encode(&["a dog"]).unwrap();
        vectors.as_slice().to_vec()
    };
    let gelu = encode(&folder);
    folder.set(FILE, "feed_forward_type", json!("reglu"));
    assert_ne!(encode(&folder), gelu);
}

/// As long as the configuration says, far behind any table.
#[test]
fn jina_bert_reads_long_texts() {
    let folder = Folder::of("jina-small");
    let model = folder.load().unwrap();
    let text = "house ".repeat(3000);
    let tokens = model.tokenizer().encode(&[&text]).unwrap();
    assert_eq!(tokens[0].ids.len(), 3002);
    let vectors = model.encode(&[&text]).unwrap();
    assert!(vectors.as_slice().iter().all(|x| x.is_finite()));
}

#[test]
fn electra() {
    let folder = Folder::of("electra-small");
    folder.set(FILE, "embedding_size", json!(16));
    folder.refuses("Unsupported", FILE, &["embedding_size", "16, narrower"]);
    // transformers takes 128 where the file does not say.
    folder.set(FILE, "embedding_size", Value::Null);
    folder.refuses("Unsupported", FILE, &["128"]);
    unsupported(
        "electra-small",
        &[
            ("position_embedding_type", json!("relative_key")),
            ("hidden_act", json!("mish")),
        ],
    );
}

#[test]
fn mpnet() {
    const SIZES: [&str; 6] = [
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
    ];
    let folder = Folder::of("mpnet-small");
    sizes(&folder, &SIZES);
    unsupported(
        "mpnet-small",
        &[
            ("relative_attention_num_buckets", json!(0)),
            ("relative_attention_num_buckets", json!(64)),
            ("hidden_act", json!("mish")),
        ],
    );
    let folder = Folder::of("mpnet-small");
    folder.set(FILE, "relative_attention_num_buckets", json!("32"));
    folder.refuses(
        "Config",
        FILE,
        &["`relative_attention_num_buckets` is `32`"],
    );
    folder.set(FILE, "relative_attention_num_buckets", Value::Null);
    folder.load().unwrap();
    folder.set(FILE, "max_position_embeddings", json!(2));
    folder.refuses("Config", FILE, &["leaves no room: positions start at 2"]);
    // A table of another shape: a column is a head's.
    let folder = Folder::of("mpnet-small");
    folder.set(FILE, "num_attention_heads", json!(4));
    folder.refuses(
        "Shape",
        "model.safetensors",
        &["`encoder.relative_attention_bias.weight` has shape [32, 3]"],
    );
}
