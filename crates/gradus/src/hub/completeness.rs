//! Whether a folder that somebody else filled holds a model that can be used.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::select::module_folders;

/// Whether `folder` has a configuration, a tokenizer and all weights. With
/// modules, each that must have a configuration has it.
pub(super) fn holds_model(folder: &Path) -> bool {
    let modules = fs::read(folder.join("modules.json"))
        .map(|json| module_folders(&json))
        .unwrap_or_default();
    // Old models keep the transformer in a folder of its own.
    let transformer = modules.iter().find(|name| name.ends_with("_Transformer"));
    let root = transformer.map_or(folder.to_path_buf(), |name| folder.join(name));
    let configured = |name: &String| {
        name.ends_with("_Normalize") || folder.join(name).join("config.json").is_file()
    };
    let tokenizer = ["tokenizer.json", "vocab.txt"];
    root.join("config.json").is_file()
        && (tokenizer.iter().any(|name| root.join(name).is_file()))
        && modules
            .iter()
            .all(|name| Some(name) == transformer || configured(name))
        && has_weights(&root)
}

fn has_weights(folder: &Path) -> bool {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    if folder.join("model.safetensors").is_file() {
        return true;
    }
    let Ok(json) = fs::read(folder.join("model.safetensors.index.json")) else {
        return false;
    };
    let Ok(index) = serde_json::from_slice::<Index>(&json) else {
        return false;
    };
    let shards: BTreeSet<_> = index.weight_map.values().collect();
    !shards.is_empty() && shards.iter().all(|shard| folder.join(shard).is_file())
}
