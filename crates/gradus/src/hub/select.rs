//! Which of a model's files are needed: weights once and in one format, not
//! the ONNX, TensorFlow and other copies that lie beside them.

use super::HubError;

const SMALL_FILES: [&str; 9] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "README.md",
];

/// The folders of a model's modules, from its `modules.json`.
pub(super) fn module_folders(modules_json: &[u8]) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Module {
        #[serde(default)]
        path: String,
    }
    // Whoever loads the model reads this file in earnest, and complains.
    let modules: Vec<Module> = serde_json::from_slice(modules_json).unwrap_or_default();
    let path = |module: Module| module.path.trim_matches('/').to_string();
    modules
        .into_iter()
        .map(path)
        .filter(|path| !path.is_empty())
        .collect()
}

/// The files to fetch out of `names`, given the folders of the modules.
pub(super) fn model_files<'a>(names: &[&'a str], modules: &[String]) -> Vec<&'a str> {
    let mut wanted = Vec::new();
    for folder in folders(modules) {
        let inside = in_folder(names, folder);
        let weights = weight_files(&inside);
        wanted.extend(inside.iter().filter(|(_, file)| {
            SMALL_FILES.contains(file)
                || weights.contains(file)
                || (file.starts_with("gradus") && file.ends_with(".json"))
                || file.starts_with("regression_head")
        }));
    }
    wanted.into_iter().map(|(name, _)| name).collect()
}

/// Complains if a module has weights, but none that can be read.
pub(super) fn check_weights(
    names: &[&str],
    modules: &[String],
    what: &str,
) -> Result<(), HubError> {
    let mut any = false;
    let mut other_formats = Vec::new();
    for folder in folders(modules) {
        let inside = in_folder(names, folder);
        if !weight_files(&inside).is_empty() {
            any = true;
        } else if let Some((name, _)) = inside.iter().find(|(_, file)| is_other_format(file)) {
            other_formats.push((folder, *name));
        }
    }
    let (folder, found) = match other_formats.first() {
        Some((folder, name)) => (*folder, *name),
        None if !any => ("", "files without weights"),
        None => return Ok(()),
    };
    Err(HubError::NoSafetensors {
        what: what.into(),
        folder: folder.into(),
        found: found.into(),
    })
}

/// The root and the modules' folders.
fn folders(modules: &[String]) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(modules.iter().map(String::as_str))
}

/// The files directly in `folder`: full name, and name within.
fn in_folder<'a>(names: &[&'a str], folder: &str) -> Vec<(&'a str, &'a str)> {
    let within = |name: &'a str| match folder {
        "" => Some(name),
        _ => name.strip_prefix(folder)?.strip_prefix('/'),
    };
    let files = names.iter().filter_map(|name| Some((*name, within(name)?)));
    files.filter(|(_, file)| !file.contains('/')).collect()
}

/// The weights among a folder's files: the one file, else the shards and their
/// index, else whatever safetensors there are.
fn weight_files<'a>(inside: &[(&'a str, &'a str)]) -> Vec<&'a str> {
    const INDEX: &str = "model.safetensors.index.json";
    let files = inside.iter().map(|(_, file)| *file);
    let all =
        files.filter(|file| file.ends_with(".safetensors") && !file.starts_with("regression_head"));
    let has = |wanted: &str| inside.iter().any(|(_, file)| *file == wanted);
    if has("model.safetensors") {
        vec!["model.safetensors"]
    } else if has(INDEX) {
        all.filter(|file| file.starts_with("model-"))
            .chain([INDEX])
            .collect()
    } else {
        all.collect()
    }
}

fn is_other_format(file: &str) -> bool {
    ["pytorch_model", "tf_model.h5", "flax_model", "model.onnx"]
        .iter()
        .any(|start| file.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn one_copy_of_the_weights_and_what_belongs_to_it() {
        let names = [
            ".gitattributes",
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "2_Dense/model.safetensors",
            "2_Dense/pytorch_model.bin",
            "README.md",
            "config.json",
            "gradus.json",
            "model.fp16.safetensors",
            "model.safetensors",
            "onnx/config.json",
            "onnx/model.safetensors",
            "pytorch_model.bin",
            "regression_head.safetensors",
            "train_script.py",
            "vocab.txt",
        ];
        let modules = module_folders(
            br#"[{"path":""},{"path":"1_Pooling"},{"path":"2_Dense/"},{"path":"3_Normalize"}]"#,
        );
        assert_eq!(modules, ["1_Pooling", "2_Dense", "3_Normalize"]);
        assert_eq!(
            model_files(&names, &modules),
            [
                "README.md",
                "config.json",
                "gradus.json",
                "model.safetensors",
                "regression_head.safetensors",
                "vocab.txt",
                "1_Pooling/config.json",
                "2_Dense/config.json",
                "2_Dense/model.safetensors",
            ]
        );
        check_weights(&names, &modules, "m").unwrap();
    }

    #[test]
    fn shards_and_a_transformer_in_its_own_folder() {
        let names = [
            "0_Transformer/model-00001-of-00002.safetensors",
            "0_Transformer/model-00002-of-00002.safetensors",
            "0_Transformer/model.safetensors.index.json",
            "0_Transformer/consolidated.safetensors",
            "0_Transformer/tokenizer.json",
            "modules.json",
        ];
        let modules = strings(&["0_Transformer"]);
        assert_eq!(
            model_files(&names, &modules),
            [
                "modules.json",
                "0_Transformer/model-00001-of-00002.safetensors",
                "0_Transformer/model-00002-of-00002.safetensors",
                "0_Transformer/model.safetensors.index.json",
                "0_Transformer/tokenizer.json",
            ]
        );
    }

    #[test]
    fn weights_in_other_formats_only_are_named() {
        let fault = |names: &[&str], modules: &[&str]| {
            check_weights(names, &strings(modules), "model o/n").map_err(|e| e.to_string())
        };
        let root = fault(&["config.json", "pytorch_model.bin"], &[]).unwrap_err();
        assert!(
            root.contains("pytorch_model.bin") && root.contains("model o/n"),
            "{root}"
        );
        let dense = ["model.safetensors", "2_Dense/pytorch_model.bin"];
        assert!(
            fault(&dense, &["2_Dense"])
                .unwrap_err()
                .contains("in 2_Dense")
        );
        assert!(fault(&["config.json"], &[]).is_err());
    }
}
