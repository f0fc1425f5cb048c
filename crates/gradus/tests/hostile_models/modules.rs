//! `modules.json`, pooling, Dense layers and prompts.

use crate::folder::Folder;
use serde_json::{Value, json};

const FILE: &str = "modules.json";

fn module(kind: &str, path: impl Into<Value>) -> Value {
    let kind = format!("sentence_transformers.models.{kind}");
    json!({"idx": 0, "name": "0", "path": path.into(), "type": kind})
}

#[test]
fn lists_that_are_no_pipeline() {
    let transformer = || module("Transformer", "");
    let pooling = || module("Pooling", "1_Pooling");
    let dense = || module("Dense", "2_Dense");
    let normalize = || module("Normalize", "3_Normalize");
    let cases = [
        (json!({}), "Config", "a list of modules is expected"),
        (json!([]), "Config", "a Transformer and a Pooling"),
        (
            json!([transformer()]),
            "Config",
            "a Transformer and a Pooling",
        ),
        (json!(["Transformer"]), "Config", "an object is expected"),
        (json!([[]]), "Config", "an object is expected, not a list"),
        (
            json!([{"type": "Transformer"}]),
            "Config",
            "`path` is missing",
        ),
        (json!([{"path": ""}]), "Config", "`type` is missing"),
        (json!([{"type": 5, "path": ""}]), "Config", "`type` is 5"),
        (json!([module("Transformer", 5)]), "Config", "`path` is 5"),
        (
            json!([pooling(), transformer()]),
            "Unsupported",
            "at place 0",
        ),
        (
            json!([transformer(), dense(), pooling()]),
            "Unsupported",
            "Dense` at place 1",
        ),
        (
            json!([transformer(), pooling(), normalize(), dense()]),
            "Unsupported",
            "Dense` at place 3",
        ),
        (
            json!([transformer(), pooling(), module("Pooling", "x")]),
            "Unsupported",
            "Pooling` at place 2",
        ),
        (
            json!([module("CLIPModel", "")]),
            "Unsupported",
            "CLIPModel`, a type of unknown code, at place 0",
        ),
        // A module that follows itself.
        (
            json!([transformer(), pooling(), dense(), dense()]),
            "Config",
            "share the folder `2_Dense`",
        ),
        (
            json!([transformer(), pooling(), module("Dense", "1_Pooling")]),
            "Config",
            "share the folder `1_Pooling`",
        ),
    ];
    let folder = Folder::of("bert-gelu-new");
    for (list, kind, part) in cases {
        folder.write(FILE, list.to_string());
        folder.refuses(kind, FILE, &[part]);
    }
}

#[test]
fn modules_outside_of_the_model() {
    let folder = Folder::of("bert-small");
    let long = "x".repeat(100_000);
    for path in [
        "..",
        "../bert-small/1_Pooling",
        "/etc",
        "1_Pooling/../../x",
        "1_Pooling/",
        "./1_Pooling",
        "a/b",
        "a\\b",
        "nul\0byte",
        ".",
        "",
        &format!("/{long}"),
    ] {
        let list = json!([module("Transformer", ""), module("Pooling", path)]);
        folder.write(FILE, list.to_string());
        folder.refuses("Config", FILE, &["module 1 needs a folder of its own"]);
    }
    let list = json!([
        module("Transformer", "../x"),
        module("Pooling", "1_Pooling")
    ]);
    folder.write(FILE, list.to_string());
    folder.refuses("Config", FILE, &["module 0", "`../x`"]);
}

#[test]
fn pooling_that_is_not_known() {
    const POOLING: &str = "1_Pooling/config.json";
    let cases = [
        (json!({"pooling_mode": "median"}), "Unsupported", "`median`"),
        (
            json!({"pooling_mode": ["cls", 5]}),
            "Unsupported",
            "mode: 5",
        ),
        (json!({"pooling_mode": {}}), "Unsupported", "an object"),
        (json!({"pooling_mode": []}), "Config", "is empty"),
        (
            json!({"pooling_mode": vec!["mean"; 100_000]}),
            "Config",
            "has `mean` twice",
        ),
        (
            json!({"pooling_mode_cls_token": "true"}),
            "Config",
            "`pooling_mode_cls_token` is `true`, not true or false",
        ),
        (
            json!({"include_prompt": 0}),
            "Config",
            "`include_prompt` is 0",
        ),
        (json!([]), "Config", "an object is expected"),
    ];
    let folder = Folder::of("bert-small");
    for (config, kind, part) in cases {
        folder.write(POOLING, config.to_string());
        folder.refuses(kind, POOLING, &[part]);
    }
}

#[test]
fn dense_layers_that_do_not_fit() {
    const DENSE: &str = "2_Dense/config.json";
    const WEIGHTS: &str = "2_Dense/model.safetensors";
    let cases = [
        ("in_features", json!(23), "Config", DENSE, "but 24 come in"),
        (
            "in_features",
            json!(0),
            "Config",
            DENSE,
            "`in_features` is 0",
        ),
        ("in_features", json!(null), "Config", DENSE, "is missing"),
        (
            "out_features",
            json!(1e300),
            "Config",
            DENSE,
            "`out_features`",
        ),
        (
            "out_features",
            json!(1u64 << 40),
            "Config",
            DENSE,
            "from 1 to",
        ),
        ("out_features", json!("16"), "Config", DENSE, "is `16`"),
        ("bias", json!("yes"), "Config", DENSE, "`bias` is `yes`"),
        (
            "activation_function",
            json!("os.system"),
            "Unsupported",
            DENSE,
            "`os.system`",
        ),
        (
            "out_features",
            json!(1 << 24),
            "Shape",
            WEIGHTS,
            "`linear.weight` has shape [16, 24]",
        ),
        (
            "bias",
            json!(false),
            "UnknownTensor",
            WEIGHTS,
            "`linear.bias` does not belong to the Dense module 2_Dense",
        ),
    ];
    for (field, value, kind, file, part) in cases {
        let folder = Folder::of("bert-gelu-new");
        folder.set(DENSE, field, value);
        folder.refuses(kind, file, &[part]);
    }
}

#[test]
fn prompts_that_are_not_there() {
    const PROMPTS: &str = "config_sentence_transformers.json";
    for (config, part) in [
        (json!({"default_prompt_name": "x"}), "`x`, which `prompts`"),
        (
            json!({"default_prompt_name": "x", "prompts": {"x": 5}}),
            "prompt `x` is 5, not a text",
        ),
        (
            json!({"default_prompt_name": "x", "prompts": "x"}),
            "`prompts` is `x`, not an object",
        ),
        (
            json!({"default_prompt_name": 5}),
            "`default_prompt_name` is 5",
        ),
    ] {
        let folder = Folder::of("bert-small");
        folder.write(PROMPTS, config.to_string());
        folder.refuses("Config", PROMPTS, &[part]);
    }
}
