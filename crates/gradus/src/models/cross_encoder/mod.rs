//! Two texts in, a score out: an encoder over both texts as one input, with a head on
//! the first token.

mod activation;
mod description;
mod passes;
mod predict;
mod save;

pub use activation::ScoreActivation;
pub use description::CrossDescription;
pub(crate) use description::{is_classifier, is_of_library};
pub use passes::CrossForward;
pub use predict::{RankedDocument, Scores};

use super::ModelFolder;
use super::weights;
use crate::format::ModelError;
use crate::format::files::read_json;
use crate::nn::encoder::Encoder;
use crate::nn::initial::initial_values;
use crate::nn::layout::Layout;
use crate::nn::sequence_head::{self, SequenceHead};
use crate::text::Tokenizer;
use crate::{Compute, Result};
use description::HeadDescription;
use gradus_kernels::Backend;
use std::path::Path;
use std::sync::Arc;

/// A cross-encoder: reads two texts as one input and scores the pair, as
/// sentence-transformers' `CrossEncoder` over transformers' models for sequence
/// classification.
pub struct CrossEncoder<B: Backend = Compute> {
    backend: Arc<B>,
    folder: ModelFolder,
    tokenizer: Tokenizer,
    layout: Layout,
    encoder: Encoder,
    head: SequenceHead,
    params: B::Arena,
    labels: usize,
    activation: ScoreActivation,
    head_dropout: f32,
    /// The configured one.
    own_head_dropout: f32,
    /// Whether the head, or a part of it, was drawn.
    fresh_head: bool,
}

impl<B: Backend> CrossEncoder<B> {
    /// Loads the cross-encoder in `root`.
    ///
    /// # Errors
    /// Where a file is missing, damaged, or asks for something unsupported; where the
    /// model has no head for scores: for one to be trained see
    /// [`CrossEncoder::load_to_train`].
    pub fn load(root: impl AsRef<Path>, backend: B) -> Result<Self> {
        Self::load_beside(root, Arc::new(backend))
    }

    /// The same onto a backend that other models are on.
    ///
    /// # Errors
    /// As [`CrossEncoder::load`].
    pub fn load_beside(root: impl AsRef<Path>, backend: Arc<B>) -> Result<Self> {
        let folder = ModelFolder::open_cross_encoder(root)?;
        let description = HeadDescription::read(&folder)?;
        let Some(labels) = description.labels else {
            return Err(not_a_cross_encoder(&folder).into());
        };
        let model = Self::assemble(folder, &description, labels, 0, backend)?;
        match model.fresh_head {
            true => Err(not_a_cross_encoder(&model.folder).into()),
            false => Ok(model),
        }
    }

    /// Loads the model in `root` to be trained: with its head where it has one of
    /// `labels` labels, else with one drawn from `seed`, as of a sentence encoder or
    /// a pre-trained model.
    ///
    /// # Errors
    /// As [`CrossEncoder::load`], but for the last.
    pub fn load_to_train(
        root: impl AsRef<Path>,
        backend: Arc<B>,
        labels: usize,
        seed: u64,
    ) -> Result<Self> {
        let folder = ModelFolder::open_cross_encoder(root)?;
        let mut description = HeadDescription::read(&folder)?;
        if description.labels != Some(labels) {
            description.activation = None;
        }
        let same = description.labels.is_none_or(|own| own == labels);
        if !same {
            return Err(ModelError::Config {
                path: folder.encoder.join("config.json"),
                message: format!(
                    "the model has a head of {} labels, and {labels} are to be trained; begin with a model without a head, or take a loss for as many labels",
                    description.labels.unwrap_or(0)
                ),
            }
            .into());
        }
        Self::assemble(folder, &description, labels, seed, backend)
    }

    fn assemble(
        folder: ModelFolder,
        description: &HeadDescription,
        labels: usize,
        seed: u64,
        backend: Arc<B>,
    ) -> Result<Self> {
        check_family(&folder)?;
        let layout = Layout::with_sequence_head(&folder.config, labels);
        let head = layout.sequence_head.clone();
        let head = head.ok_or_else(|| crate::Error::Internal("no sequence head".into()))?;
        let tokenizer = folder.tokenizer()?;
        let mut loaded = weights::load(&folder, &layout)?;
        for named in layout.named() {
            if loaded.fresh.contains(&named.name) {
                let values = initial_values(named, seed);
                loaded.arena[named.view.range()].copy_from_slice(&values);
            }
        }
        Ok(Self {
            encoder: Encoder::new(&folder.config, &layout),
            params: backend.arena(loaded.arena),
            fresh_head: !loaded.fresh.is_empty(),
            activation: description
                .activation
                .unwrap_or(ScoreActivation::default_of(labels)),
            head_dropout: description.dropout,
            own_head_dropout: description.dropout,
            backend,
            folder,
            tokenizer,
            layout,
            head,
            labels,
        })
    }

    /// Takes the weights of a saved model of the same shape.
    ///
    /// # Errors
    /// As [`CrossEncoder::load`].
    pub fn reload(&mut self, root: &Path) -> Result<()> {
        let folder = ModelFolder::open_cross_encoder(root)?;
        let loaded = weights::load(&folder, &self.layout)?;
        if !loaded.fresh.is_empty() {
            return Err(not_a_cross_encoder(&folder).into());
        }
        self.backend.write_arena(&mut self.params, 0, &loaded.arena);
        Ok(())
    }

    /// What the model runs on.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The backend, for another model beside this one.
    pub fn shared_backend(&self) -> Arc<B> {
        Arc::clone(&self.backend)
    }

    /// The description that the model was loaded from.
    pub fn folder(&self) -> &ModelFolder {
        &self.folder
    }

    /// What a user should know of the model.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        let all = self.folder.notes.iter().chain(self.tokenizer.notes());
        all.map(String::as_str)
    }

    /// The tokenizer, which joins the texts of a pair by its own template.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The tokenizer, to shorten its inputs.
    pub fn tokenizer_mut(&mut self) -> &mut Tokenizer {
        &mut self.tokenizer
    }

    /// Where each parameter lies in the arena; the head's come last.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many scores a pair gets.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// What its labels are called, in the order of the logits: as `id2label` says, and
    /// `LABEL_0` and so on where it says nothing, as in transformers.
    ///
    /// # Errors
    /// Where the folder's `config.json` cannot be read any more.
    pub fn label_names(&self) -> Result<Vec<String>> {
        let config = read_json(&self.folder.encoder.join("config.json"))?;
        let named = |label: usize| {
            let name = config.get("id2label")?.get(label.to_string())?;
            name.as_str().map(str::to_owned)
        };
        let labels = 0..self.labels;
        Ok(labels
            .map(|label| named(label).unwrap_or_else(|| format!("LABEL_{label}")))
            .collect())
    }

    /// What is done to logits.
    pub fn activation(&self) -> ScoreActivation {
        self.activation
    }

    /// Sets what is done to logits, also in a saved model.
    pub fn set_activation(&mut self, activation: ScoreActivation) {
        self.activation = activation;
    }

    /// Whether the head was drawn, as the model had none.
    pub fn has_fresh_head(&self) -> bool {
        self.fresh_head
    }

    /// Sets what a head of one label gives before it has learned anything: its bias.
    pub(crate) fn set_output_bias(&mut self, value: f32) {
        if let Some(bias) = self.head.output_bias() {
            let values = vec![value; bias.len()];
            self.backend
                .write_arena(&mut self.params, bias.offset, &values);
        }
    }

    /// Replaces the configured dropout probabilities, the head's included.
    pub fn set_dropout(&mut self, hidden: f32, attention: f32) {
        self.encoder.set_dropout(hidden, attention);
        self.head_dropout = hidden;
    }

    /// Takes the configured dropout probabilities again.
    pub fn reset_dropout(&mut self) {
        let config = &self.folder.config;
        self.encoder
            .set_dropout(config.hidden_dropout, config.attention_dropout);
        self.head_dropout = self.own_head_dropout;
    }

    /// The parameters.
    pub fn params(&self) -> &B::Arena {
        &self.params
    }

    /// The backend and the parameters, to update them.
    pub fn params_mut(&mut self) -> (&B, &mut B::Arena) {
        (&self.backend, &mut self.params)
    }

    /// An arena for the parameters' gradients, all zero.
    pub fn gradient_arena(&self) -> B::Arena {
        let words = self.layout.embeddings.words;
        self.backend.gradient_arena(self.layout.len(), Some(words))
    }
}

/// Refuses families whose heads are not known.
fn check_family(folder: &ModelFolder) -> Result<()> {
    let family = folder.config.architecture;
    if sequence_head::is_known(family) {
        return Ok(());
    }
    Err(ModelError::Unsupported {
        path: folder.root.clone(),
        what: "family for scoring pairs".into(),
        found: family.name().to_owned(),
        supported: sequence_head::KNOWN.into(),
    }
    .into())
}

fn not_a_cross_encoder(folder: &ModelFolder) -> ModelError {
    ModelError::Unsupported {
        path: folder.encoder.join("config.json"),
        what: "model for scoring pairs".into(),
        found: "a model without a head for it".into(),
        supported: "a cross-encoder: one whose `architectures` end in ForSequenceClassification, or one trained by a recipe with `task = \"cross-encoder\"`".into(),
    }
}
