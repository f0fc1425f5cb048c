//! `config.json` of the families that have keys and settings of their own.

use crate::folder::Folder;
use serde_json::{Value, json};

const FILE: &str = "config.json";

/// Every size of a family, wrong and missing.
fn sizes(model: &str, fields: &[&str]) {
    let folder = Folder::of(model);
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
        let error = folder
            .load()
            .err()
            .unwrap_or_else(|| panic!("{model}: {field}"));
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
    sizes("distilbert-small", &SIZES);
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
