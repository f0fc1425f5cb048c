//! Reading safetensors, single and sharded, into an arena.
//!
//! First every tensor gets its place and its shape is compared with the
//! layout's, from the files' headers alone. Only then is the arena allocated,
//! so that a configuration cannot ask for more memory than its files bear out.

use super::ModelFolder;
use crate::Result;
use crate::format::ModelError;
use crate::format::fields::{Fields, brief};
use crate::format::files::{is_plain_name, is_there, read_json};
use crate::format::tensor_file::TensorFile;
use crate::nn::mlm_head::is_of_mlm_head;
use crate::nn::sequence_head::{self, HeadPart};
use crate::nn::{Layout, NamedView};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Prefixes under which checkpoints keep the encoder.
const PREFIXES: [&str; 11] = [
    "",
    "bert.",
    "roberta.",
    "distilbert.",
    "nomic_bert.",
    "mpnet.",
    "electra.",
    "model.",
    "0.auto_model.",
    "auto_model.",
    "encoder.",
];

/// Parts of a checkpoint that sentence vectors do not need: pre-training
/// heads, poolers, counters.
pub(crate) fn is_spare(name: &str) -> bool {
    const HEADS: [&str; 10] = [
        "pooler.",
        "cls.",
        "lm_head.",
        "classifier.",
        "pre_classifier.",
        "qa_outputs.",
        "discriminator_predictions.",
        "vocab_transform.",
        "vocab_layer_norm.",
        "vocab_projector.",
    ];
    HEADS
        .iter()
        .any(|p| name.starts_with(p) || name.contains(&format!(".{p}")))
        || name.ends_with("position_ids")
        || name.ends_with("embeddings.token_type_ids")
}

/// A tensor of the checkpoint that the encoder does not use but that goes back
/// into a saved model, so that other software finds what it expects.
#[derive(Debug, Clone)]
pub(crate) struct Spare {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Everything read from a model folder's weights.
pub(crate) struct Loaded {
    pub arena: Vec<f32>,
    pub spare: Vec<Spare>,
    /// The layout's tensors of heads that the files have nothing of: their values
    /// are 0.
    pub fresh: BTreeSet<String>,
}

/// The heads of an encoder, and their parts: each is in the files as a whole or not
/// at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Head {
    /// What predicts masked tokens.
    MaskedTokens,
    /// What scores a whole input.
    Sequence(HeadPart),
}

/// The head that a tensor of this name is of.
fn head_of(name: &str) -> Option<Head> {
    match is_of_mlm_head(name) {
        true => Some(Head::MaskedTokens),
        false => sequence_head::part_of(name).map(Head::Sequence),
    }
}

/// The heads of which the files have something; a classifier is nothing without its
/// pooler.
fn heads_found(places: &Places<'_>) -> BTreeSet<Head> {
    let mut found: BTreeSet<Head> = places.keys().filter_map(|name| head_of(name)).collect();
    if found.contains(&Head::Sequence(HeadPart::Classifier)) {
        found.insert(Head::Sequence(HeadPart::Pooler));
    }
    found
}

/// Where tensors are found: the file and the name there, by the name in the
/// layout or in a saved model.
type Places<'a> = BTreeMap<String, (&'a TensorFile, String)>;

pub(crate) fn load(folder: &ModelFolder, layout: &Layout) -> Result<Loaded> {
    let (encoder, dense): (Vec<&NamedView>, Vec<&NamedView>) =
        layout.named().iter().partition(|n| !n.name.contains('/'));

    let (source, paths) = weight_files(&folder.encoder)?;
    let files = open_all(&paths)?;
    let mut spare = Places::new();
    let mut places = place_encoder(folder, &encoder, &source, &files, &mut spare)?;
    let modules = folder.modules.dense.iter();
    let paths: Vec<PathBuf> = modules
        .map(|d| folder.root.join(&d.folder).join("model.safetensors"))
        .collect();
    let modules = open_all(&paths)?;
    for (module, file) in folder.modules.dense.iter().zip(&modules) {
        place_dense(&module.folder, &dense, file, &mut places)?;
    }

    let found = heads_found(&places);
    let of_heads = layout.named().iter().map(|n| &n.name);
    let fresh: BTreeSet<String> = of_heads
        .filter(|name| head_of(name).is_some_and(|head| !found.contains(&head)))
        .cloned()
        .collect();

    let mut arena = Vec::new();
    arena
        .try_reserve_exact(layout.len())
        .map_err(|_| ModelError::TooLarge {
            path: folder.root.clone(),
            parameters: layout.len(),
        })?;
    for named in layout.named() {
        if fresh.contains(&named.name) {
            arena.resize(named.view.range().end, 0.0);
            continue;
        }
        let place = places.get(&named.name);
        let (file, tensor) = place.ok_or_else(|| missing(&source, named.name.clone()))?;
        file.read(tensor, &mut arena)?;
    }
    let spare = spare.into_iter().map(|(name, (file, tensor))| {
        let shape = file.shape(&tensor)?.to_vec();
        let mut values = vec![];
        file.read(&tensor, &mut values)?;
        Ok(Spare {
            name,
            shape,
            values,
        })
    });
    Ok(Loaded {
        spare: spare.collect::<Result<_>>()?,
        arena,
        fresh,
    })
}

fn open_all(paths: &[PathBuf]) -> Result<Vec<TensorFile>> {
    const REMEDY: &str = "its weights are needed as safetensors; fetch the whole model, or save it again with sentence-transformers' save_pretrained";
    paths.iter().map(|p| TensorFile::open(p, REMEDY)).collect()
}

/// The encoder's tensors, checked against their shapes; `spare` gets those
/// that only go along.
fn place_encoder<'a>(
    folder: &ModelFolder,
    named: &[&NamedView],
    source: &Path,
    files: &'a [TensorFile],
    spare: &mut Places<'a>,
) -> Result<Places<'a>> {
    let expected: BTreeMap<&str, Vec<usize>> = named
        .iter()
        .map(|n| (n.name.as_str(), shape_of(n)))
        .collect();
    let width = folder.config.hidden_size;
    let pooler = BTreeMap::from([
        ("pooler.dense.weight", vec![width, width]),
        ("pooler.dense.bias", vec![width]),
    ]);
    let architecture = folder.config.architecture.name();
    let owner = format!("a {architecture} with {} layers", folder.config.layers);
    let prefix = find_prefix(source, files)?;
    let mut places = Places::new();
    for file in files {
        for tensor in file.names() {
            let local = modern_name(tensor.strip_prefix(prefix).unwrap_or(tensor));
            let places = if let Some(shape) = expected.get(local.as_str()) {
                file.check(tensor, shape.clone())?;
                &mut places
            } else if let Some(shape) = pooler.get(local.as_str()) {
                file.check(tensor, shape.clone())?;
                &mut *spare
            } else if is_spare(tensor) {
                continue;
            } else {
                return Err(file.unknown(tensor, &owner).into());
            };
            if places.insert(local, (file, tensor.to_owned())).is_some() {
                return Err(ModelError::RepeatedTensor {
                    path: file.path().to_path_buf(),
                    tensor: tensor.to_owned(),
                }
                .into());
            }
        }
    }
    let found = heads_found(&places);
    let mut needed = named
        .iter()
        .filter(|n| head_of(&n.name).is_none_or(|head| found.contains(&head)));
    match needed.find(|n| !places.contains_key(&n.name)) {
        None => Ok(places),
        Some(named)
            if head_of(&named.name).is_some_and(|h| h != Head::Sequence(HeadPart::Pooler)) =>
        {
            Err(missing(source, named.name.clone()))
        }
        Some(named) => Err(missing(source, format!("{prefix}{}", named.name))),
    }
}

/// Adds the tensors of one Dense module, which are all that its file has.
fn place_dense<'a>(
    module: &str,
    named: &[&NamedView],
    file: &'a TensorFile,
    places: &mut Places<'a>,
) -> Result<()> {
    let mut known = vec![];
    for named in named {
        let Some((folder, tensor)) = named.name.split_once('/') else {
            continue;
        };
        if folder == module {
            file.check(tensor, shape_of(named))?;
            places.insert(named.name.clone(), (file, tensor.to_owned()));
            known.push(tensor);
        }
    }
    file.only(&known, &format!("the Dense module {module}"))?;
    Ok(())
}

/// Old conversions call a layer norm's parameters gamma and beta.
fn modern_name(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("LayerNorm.gamma") {
        format!("{stem}LayerNorm.weight")
    } else if let Some(stem) = name.strip_suffix("LayerNorm.beta") {
        format!("{stem}LayerNorm.bias")
    } else {
        name.to_owned()
    }
}

/// The file that says what weights there are, and the files that hold them.
fn weight_files(folder: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
    let single = folder.join("model.safetensors");
    if is_there(&single)? {
        return Ok((single.clone(), vec![single]));
    }
    let index = folder.join("model.safetensors.index.json");
    if is_there(&index)? {
        let shards = shards(&index)?;
        let paths = shards.iter().map(|name| folder.join(name)).collect();
        return Ok((index, paths));
    }
    let remedy = if folder.join("pytorch_model.bin").is_file() {
        "only safetensors are read; load pytorch_model.bin in transformers once and call save_pretrained"
    } else {
        "the weights are not in this folder; fetch the whole model"
    };
    let path = single;
    Err(ModelError::MissingFile { path, remedy }.into())
}

/// The files that an index of shards names.
fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let json = read_json(index)?;
    let fields = Fields::new(index, &json)?;
    let map = fields.get("weight_map").and_then(|map| map.as_object());
    fields
        .required("weight_map", map)?
        .iter()
        .map(|(tensor, shard)| match shard.as_str() {
            Some(name) if is_plain_name(name) => Ok(name.to_owned()),
            _ => {
                let shard = brief(shard);
                let message = format!("tensor `{tensor}` lies in {shard}, not in a file here");
                Err(fields.error(message).into())
            }
        })
        .collect()
}

fn find_prefix(source: &Path, files: &[TensorFile]) -> Result<&'static str> {
    const TELLTALE: &str = "embeddings.word_embeddings.weight";
    let found = PREFIXES.into_iter().find(|prefix| {
        let name = format!("{prefix}{TELLTALE}");
        files.iter().any(|file| file.shape(&name).is_ok())
    });
    found.ok_or_else(|| missing(source, TELLTALE.into()))
}

fn missing(source: &Path, tensor: String) -> crate::Error {
    let path = source.to_path_buf();
    ModelError::MissingTensor { path, tensor }.into()
}

/// A parameter's shape in safetensors.
pub(crate) fn shape_of(named: &NamedView) -> Vec<usize> {
    if named.vector {
        vec![named.view.cols]
    } else {
        vec![named.view.rows, named.view.cols]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spares_are_told_from_unknowns() {
        for name in [
            "pooler.dense.weight",
            "bert.pooler.dense.bias",
            "cls.predictions.bias",
            "embeddings.position_ids",
        ] {
            assert!(is_spare(name), "{name}");
        }
        for name in [
            "encoder.layer.0.output.dense.weight",
            "encoder.layer.7.extra.weight",
            "weights",
        ] {
            assert!(!is_spare(name), "{name}");
        }
    }
}
