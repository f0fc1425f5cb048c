//! Students with layers of their own over a teacher's vocabulary.

use super::principal::{Basis, principal_directions};
use crate::Result;
use crate::families::EncoderConfig;
use crate::models::save::{carry_description, carry_tokenizer_across, write_json};
use crate::models::save::{write_modules, write_weights};
use crate::models::weights;
use crate::models::{ModelFolder, Modules};
use crate::nn::initial::initial_values;
use crate::nn::{Dense, Layout};
use gradus_kernels::{Activation, View};
use serde_json::json;
use std::path::Path;

/// The longest input of a student whose teacher takes longer ones.
const MOST_TOKENS: usize = 512;

/// The Dense module that gives vectors the teacher's width.
const DENSE: &str = "2_Dense";

pub(crate) struct Sizes {
    pub layers: usize,
    pub hidden: usize,
    pub heads: usize,
    pub intermediate: usize,
}

/// Fills `folder` with a BERT of these sizes.
pub(crate) fn fill(
    folder: &Path,
    teacher: &ModelFolder,
    sizes: &Sizes,
    same_width: bool,
    seed: u64,
) -> Result<()> {
    let described = describe(folder, teacher, sizes, same_width)?;
    carry_tokenizer_across(teacher, folder)?;
    carry_description(teacher, folder)?;
    write_modules(folder, &described)?;

    let of_teacher = Layout::new(&teacher.config, &teacher.modules.dense);
    let loaded = weights::load(teacher, &of_teacher)?;
    let layout = Layout::new(&described.config, &described.modules.dense);
    let mut arena = Vec::with_capacity(layout.len());
    for named in layout.named() {
        arena.extend(initial_values(named, seed));
    }
    let tables = (&of_teacher.embeddings, &layout.embeddings);
    let words = tables.0.words.of(&loaded.arena);
    let basis = principal_directions(words, teacher.config.hidden_size, sizes.hidden);
    let mut project = |from: View, first: usize, to: View| {
        let rows = from.rows.saturating_sub(first).min(to.rows);
        let source = &from.of(&loaded.arena)[first * from.cols..(first + rows) * from.cols];
        let projected = basis.project(source);
        arena[to.range()][..projected.len()].copy_from_slice(&projected);
    };
    project(tables.0.words, 0, tables.1.words);
    if let (Some(from), Some(to)) = (tables.0.positions, tables.1.positions) {
        project(from, teacher.config.first_position, to);
    }
    if let (Some(from), Some(to)) = (tables.0.segments, tables.1.segments) {
        project(from, 0, to);
    }
    if let Some(dense) = layout.dense.first() {
        back(&basis, teacher, dense.linear.weight, &mut arena);
    }
    write_weights(folder, &described, &layout, &arena, &[])
}

/// Where the teacher pools token vectors once and has no Dense modules, its
/// vectors lie in the space of its token vectors: the student's Dense module
/// begins as the way back there.
fn back(basis: &Basis, teacher: &ModelFolder, weight: View, arena: &mut [f32]) {
    let plain = teacher.modules.dense.is_empty() && teacher.modules.pooling.len() == 1;
    if plain && (weight.rows, weight.cols) == (basis.rows(), basis.cols()) {
        arena[weight.range()].copy_from_slice(&basis.values());
    }
}

fn describe(
    folder: &Path,
    teacher: &ModelFolder,
    sizes: &Sizes,
    same_width: bool,
) -> Result<ModelFolder> {
    let of_teacher = &teacher.config;
    let max_tokens = teacher.max_tokens.min(MOST_TOKENS);
    let config = json!({
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": of_teacher.vocab_size,
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.intermediate,
        "max_position_embeddings": max_tokens,
        "type_vocab_size": of_teacher.type_vocab_size.max(1),
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
    });
    let config_path = folder.join("config.json");
    let parsed = EncoderConfig::parse(&config_path, &config.to_string())?;
    write_json(folder, "config.json", &config)?;
    let pooled = sizes.hidden * teacher.modules.pooling.len();
    let wanted = teacher.modules.whole_width(of_teacher.hidden_size);
    let dense = (same_width && pooled != wanted).then(|| Dense {
        folder: DENSE.to_owned(),
        in_width: pooled,
        out_width: wanted,
        bias: true,
        activation: Activation::Identity,
        residual: false,
    });
    Ok(ModelFolder {
        root: folder.to_path_buf(),
        encoder: folder.to_path_buf(),
        modules: Modules {
            dense: dense.into_iter().collect(),
            described: true,
            ..teacher.modules.clone()
        },
        max_tokens,
        config: parsed,
        notes: Vec::new(),
        transformer: teacher.transformer.clone(),
    })
}
