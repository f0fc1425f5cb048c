//! `gradus info`: what a model is, and what models can run on.

mod devices;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use gradus::calibration::Calibration;
use gradus::families::{FeedForward, Positions};
use gradus::format::Provenance;
use gradus::models::{CrossDescription, ModelFolder, ScoreActivation};
use gradus::nn::{Features, Layout, RegressionHead};
use gradus::{Error, Precision};
use indicatif::{DecimalBytes, HumanCount};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const EXAMPLES: &str = "\
Configuration, tokenizer and regression head are read, the weights are not.

--devices lists the processor, the cards that NVIDIA's driver sees, and where its \
libraries are (also those of folders in GRADUS_CUDA_LIBS), or says what is missing.

Examples:
  gradus info all-MiniLM-L6-v2
  gradus info ./model --json | jq .parameters
  gradus info --devices";

/// Which model, and how it is shown.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model
    #[arg(required_unless_present = "devices")]
    pub model: Option<String>,
    /// What models can run on: processor, cards, driver, libraries
    #[arg(long, conflicts_with = "model")]
    pub devices: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// A model in numbers.
#[derive(Serialize)]
struct Info {
    model: String,
    folder: String,
    /// "sentence encoder" or "cross-encoder"; of the second what follows the
    /// transformer is the head that scores.
    kind: &'static str,
    labels: Option<usize>,
    score_activation: Option<ScoreActivation>,
    architecture: &'static str,
    layers: usize,
    hidden_size: usize,
    heads: usize,
    intermediate_size: usize,
    activation: String,
    feed_forward: &'static str,
    positions: &'static str,
    vocabulary: usize,
    parameters: usize,
    /// What weights are saved in, where that is not a floating-point format.
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<&'static str>,
    max_tokens: usize,
    tokenizer: String,
    prompt: String,
    prompts: BTreeMap<String, String>,
    include_prompt: bool,
    truncated_to: Option<usize>,
    notes: Vec<String>,
    pooling: Vec<String>,
    template: Option<TemplateInfo>,
    modules_described: bool,
    dense: Vec<DenseInfo>,
    normalize: bool,
    embedding_size: Option<usize>,
    regression_head: Option<HeadInfo>,
    #[serde(skip_serializing_if = "Provenance::is_unknown")]
    training: Provenance,
    calibration: Option<String>,
    files: Vec<FileInfo>,
    bytes: u64,
}

#[derive(Serialize)]
struct TemplateInfo {
    text: String,
    denoise: bool,
}

#[derive(Serialize)]
struct DenseInfo {
    input: usize,
    output: usize,
    bias: bool,
    activation: String,
    residual: bool,
}

#[derive(Serialize)]
struct HeadInfo {
    features: Features,
    outputs: usize,
    scale: Vec<f64>,
}

#[derive(Serialize)]
struct FileInfo {
    name: String,
    bytes: u64,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let Some(model) = args.model else {
        return devices::run(args.json, context);
    };
    let root = context.find(&model)?;
    let info = Info::read(model, &root).map_err(Failure::Model)?;
    let mut output = Output::open(None)?;
    if args.json {
        let json = serde_json::to_string_pretty(&info);
        let json = json.map_err(|e| Error::Internal(e.to_string()))?;
        output.line(&json)?;
    } else {
        let lines = info.lines();
        let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        for (key, value) in lines {
            output.line(format!("{key:width$}  {value}").trim_end())?;
        }
    }
    output.finish()
}

impl Info {
    fn read(model: String, root: &Path) -> gradus::Result<Self> {
        let cross = match ModelFolder::is_cross_encoder(root)? {
            true => Some(CrossDescription::open(root)?),
            false => None,
        };
        let folder = match &cross {
            Some(cross) => cross.folder.clone(),
            None => ModelFolder::open(root)?,
        };
        let (config, modules) = (&folder.config, &folder.modules);
        // A cross-encoder makes no vectors.
        let width = modules.out_width(config.hidden_size);
        let embedding_size = cross.is_none().then_some(width);
        let head = match embedding_size {
            Some(width) => RegressionHead::load(&folder.root, width)?,
            None => None,
        };
        let pooling = embedding_size.map_or(&[][..], |_| &modules.pooling);
        let mut files = Vec::new();
        list(root, "", &mut files)?;
        Ok(Self {
            model,
            folder: root.display().to_string(),
            kind: match cross {
                Some(_) => "cross-encoder",
                None => "sentence encoder",
            },
            labels: cross.as_ref().map(|cross| cross.labels),
            score_activation: cross.as_ref().map(|cross| cross.activation),
            architecture: config.architecture.name(),
            layers: config.layers,
            hidden_size: config.hidden_size,
            heads: config.heads,
            intermediate_size: config.intermediate_size,
            activation: snake(config.activation),
            feed_forward: match config.feed_forward {
                FeedForward::Plain => "plain",
                FeedForward::Gated { .. } => "gated",
            },
            positions: match config.positions {
                Positions::Learned => "learned",
                Positions::Rotary(_) => "rotary",
                Positions::Alibi => "alibi",
                Positions::Relative { .. } => "relative",
            },
            vocabulary: config.vocab_size,
            weights: (ModelFolder::precision(root)? == Precision::Int8).then_some("int8"),
            parameters: match &cross {
                Some(cross) => cross.parameters,
                None => Layout::new(config, &modules.dense).len(),
            },
            max_tokens: folder.max_tokens,
            tokenizer: tokenizer_kind(&folder.encoder)?,
            prompt: modules.default_prompt(),
            prompts: modules.prompts.named.iter().cloned().collect(),
            include_prompt: modules.include_prompt,
            truncated_to: modules.truncate,
            notes: notes(&folder)?,
            pooling: pooling.iter().map(snake).collect(),
            template: modules.template.as_ref().map(|t| TemplateInfo {
                text: t.text.clone(),
                denoise: t.denoise,
            }),
            modules_described: modules.described,
            dense: modules
                .dense
                .iter()
                .map(|d| DenseInfo {
                    input: d.in_width,
                    output: d.out_width,
                    bias: d.bias,
                    activation: snake(d.activation),
                    residual: d.residual,
                })
                .collect(),
            normalize: modules.normalize,
            embedding_size,
            training: Provenance::load(&folder.root)?,
            regression_head: head.map(|h| HeadInfo {
                features: h.features,
                outputs: h.outputs,
                scale: h.scale,
            }),
            calibration: Calibration::load(root)?.map(|c| c.describe()),
            bytes: files.iter().map(|f| f.bytes).sum(),
            files,
        })
    }

    /// Keys and values for people.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![
            ("model", self.model.clone()),
            ("folder", self.folder.clone()),
            ("kind", self.kind.to_owned()),
            ("architecture", self.architecture.to_owned()),
            (
                "layers",
                format!(
                    "{} of width {}, {} heads, {} in between ({}, {})",
                    self.layers,
                    self.hidden_size,
                    self.heads,
                    self.intermediate_size,
                    self.activation,
                    self.feed_forward
                ),
            ),
            ("positions", self.positions.to_owned()),
            (
                "parameters",
                match self.weights {
                    Some(kind) => format!("{}, in {kind}", HumanCount(self.parameters as u64)),
                    None => HumanCount(self.parameters as u64).to_string(),
                },
            ),
            (
                "tokenizer",
                format!(
                    "{}, {} ids",
                    self.tokenizer,
                    HumanCount(self.vocabulary as u64)
                ),
            ),
            ("max tokens", self.max_tokens.to_string()),
        ];
        if !self.prompt.is_empty() {
            lines.push(("default prompt", format!("{:?}", self.prompt)));
        }
        for (name, text) in &self.prompts {
            lines.push(("prompt", format!("{name}: {text:?}")));
        }
        if !self.include_prompt {
            lines.push(("", "a prompt's tokens are not pooled".to_owned()));
        }
        lines.extend(match self.labels {
            Some(labels) => self.scores(labels),
            None => self.vectors(),
        });
        let notes = self.training.notes();
        lines.extend(notes.into_iter().map(|note| ("training", note)));
        if let Some(calibration) = &self.calibration {
            lines.push(("calibration", calibration.clone()));
        }
        lines.extend(self.notes.iter().map(|note| ("note", note.clone())));
        for file in &self.files {
            let size = DecimalBytes(file.bytes);
            lines.push(("file", format!("{} ({size})", file.name)));
        }
        lines.push(("size", DecimalBytes(self.bytes).to_string()));
        lines
    }
}

impl Info {
    /// What a cross-encoder makes of a pair.
    fn scores(&self, labels: usize) -> Vec<(&'static str, String)> {
        let of = match self.score_activation {
            Some(ScoreActivation::Sigmoid) => "the sigmoid of the logit",
            _ => "the logit",
        };
        let scores = match labels {
            1 => format!("1 a pair: {of}"),
            n => format!("{n} a pair, one a label: {of}"),
        };
        vec![("scores", scores)]
    }

    /// How a sentence encoder makes vectors.
    fn vectors(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        let assumed = match self.modules_described {
            true => "",
            false => " (assumed: the folder has no modules.json)",
        };
        lines.push(("pooling", format!("{}{assumed}", self.pooling.join(" + "))));
        if let Some(template) = &self.template {
            let bias = match template.denoise {
                true => ", its bias subtracted",
                false => "",
            };
            lines.push(("template", format!("{}{bias}", template.text)));
        }
        for dense in &self.dense {
            let bias = if dense.bias { "" } else { ", no bias" };
            let (input, output, activation) = (dense.input, dense.output, &dense.activation);
            let residual = if dense.residual { ", residual" } else { "" };
            let dense = format!("{input} to {output}, {activation}{bias}{residual}");
            lines.push(("dense", dense));
        }
        let normalize = if self.normalize { "yes" } else { "no" };
        lines.push(("normalised", normalize.to_owned()));
        let cut = match self.truncated_to {
            Some(_) => " (`truncate_dim`)",
            None => "",
        };
        let size = self.embedding_size.unwrap_or(0);
        lines.push(("embedding", format!("{size} values{cut}")));
        lines.push((
            "regression head",
            self.regression_head
                .as_ref()
                .map_or("none".to_owned(), HeadInfo::describe),
        ));
        lines
    }
}

impl HeadInfo {
    fn describe(&self) -> String {
        let features = self.features.notation();
        let scale: Vec<String> = self.scale.iter().map(f64::to_string).collect();
        match (self.outputs, scale.is_empty()) {
            (1, true) => format!("on {features}"),
            (1, false) => format!("on {features}, grades {}", scale.join(" to ")),
            (n, _) => format!("on {features}, {n} classes: {}", scale.join(", ")),
        }
    }
}

/// A variant's name in snake case.
fn snake(variant: impl std::fmt::Debug) -> String {
    let mut out = String::new();
    for c in format!("{variant:?}").chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// The algorithm of the tokenizer in `folder`.
fn tokenizer_kind(folder: &Path) -> gradus::Result<String> {
    #[derive(Deserialize)]
    struct File {
        model: Model,
    }
    #[derive(Deserialize)]
    struct Model {
        r#type: Option<String>,
    }
    let path = folder.join("tokenizer.json");
    if !path.is_file() {
        let vocab = folder.join("vocab.txt").is_file();
        return Ok(if vocab { "WordPiece" } else { "none" }.to_owned());
    }
    let json = std::fs::read(&path).map_err(Error::io(&path))?;
    let file: File =
        serde_json::from_slice(&json).map_err(|e| gradus::format::ModelError::Tokenizer {
            path,
            message: e.to_string(),
        })?;
    // Early files do not name it.
    Ok(file
        .model
        .r#type
        .unwrap_or_else(|| "unnamed kind".to_owned()))
}

/// What a user should know of a model, its tokenizer included.
fn notes(folder: &ModelFolder) -> gradus::Result<Vec<String>> {
    let tokenizer = folder.tokenizer()?;
    let all = folder.notes.iter().chain(tokenizer.notes());
    Ok(all.cloned().chain(folder.modules.prompts.note()).collect())
}

/// The files under `folder`, by name.
fn list(folder: &Path, prefix: &str, files: &mut Vec<FileInfo>) -> gradus::Result<()> {
    let mut entries = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .map_err(Error::io(folder))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // The hub's cache is made of links: what they point to counts.
        let meta = std::fs::metadata(&path).map_err(Error::io(&path))?;
        if meta.is_file() {
            let bytes = meta.len();
            files.push(FileInfo { name, bytes });
        } else if meta.is_dir() && prefix.is_empty() {
            // Modules lie one level down; deeper there is nothing of the model.
            list(&path, &format!("{name}/"), files)?;
        }
    }
    Ok(())
}
