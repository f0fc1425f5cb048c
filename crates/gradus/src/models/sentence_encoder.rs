use super::ModelFolder;
use super::weights::{self, Spare};
use crate::embeddings::cosine;
use crate::families::EncoderConfig;
use crate::format::{ModelError, PromptChoice};
use crate::nn::encoder::Encoder;
use crate::nn::initial::initial_values;
use crate::nn::layout::{DenseViews, Layout};
use crate::nn::mlm_head::is_known;
use crate::nn::{Dense, PoolingMode, RegressionHead};
use crate::text::{Tokenizer, Tokens};
use crate::{Compute, Embeddings, Result};
use gradus_kernels::{Backend, Packed, Sequence};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Text in, one vector per text out: tokenizer, transformer, pooling, Dense
/// and Normalize modules.
pub struct SentenceEncoder<B: Backend = Compute> {
    pub(crate) backend: Arc<B>,
    pub(crate) folder: ModelFolder,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) layout: Layout,
    pub(crate) encoder: Encoder,
    pub(crate) params: B::Arena,
    pub(crate) spare: Vec<Spare>,
    pub(crate) head: Option<RegressionHead>,
    /// The prompt before every text.
    pub(crate) prompt: PromptChoice,
    /// So many tokens at the beginning of every text are not pooled.
    pub(crate) unpooled: usize,
}

/// How [`SentenceEncoder::encode_with`] goes about its work; its result does not
/// depend on any of this.
#[derive(Debug, Clone, Copy, Default)]
pub struct EncodeOptions {
    /// Tokens per packed batch, a bound on memory; what suits the backend where
    /// none is set. A longer text goes alone.
    pub batch_tokens: Option<usize>,
}

impl<B: Backend> SentenceEncoder<B> {
    /// Loads the model in `root` onto `backend`.
    ///
    /// # Errors
    /// Where a file is missing, damaged, or asks for something unsupported;
    /// the message names file and tensor.
    pub fn load(root: impl AsRef<Path>, backend: B) -> Result<Self> {
        Self::load_beside(root, Arc::new(backend))
    }

    /// The same onto a backend that other models are on.
    ///
    /// # Errors
    /// As [`SentenceEncoder::load`].
    pub fn load_beside(root: impl AsRef<Path>, backend: Arc<B>) -> Result<Self> {
        let folder = ModelFolder::open(root)?;
        let layout = Layout::new(&folder.config, &folder.modules.dense);
        Ok(Self::assemble(folder, layout, backend)?.0)
    }

    /// The same with the head that predicts masked tokens, which is drawn from
    /// `seed` where the model has none; whether it was is returned, too.
    ///
    /// # Errors
    /// As [`SentenceEncoder::load`].
    pub(crate) fn load_with_mlm_head(
        root: &Path,
        backend: Arc<B>,
        seed: u64,
    ) -> Result<(Self, bool)> {
        let folder = ModelFolder::open(root)?;
        if !is_known(folder.config.architecture) {
            let unsupported = ModelError::Unsupported {
                path: root.to_path_buf(),
                what: "family for predicting masked tokens".into(),
                found: folder.config.architecture.name().to_owned(),
                supported: "BERT, RoBERTa, XLM-RoBERTa, DistilBERT, MPNet".into(),
            };
            return Err(unsupported.into());
        }
        let layout = Layout::with_mlm_head(&folder.config, &folder.modules.dense);
        let (mut model, fresh) = Self::assemble(folder, layout, backend)?;
        // Masked tokens are predicted in texts as they are.
        model.tokenizer.set_template(None);
        let named = model.layout.named().iter();
        for named in named.filter(|n| fresh.contains(&n.name)) {
            let values = initial_values(named, seed);
            let (backend, params) = (&model.backend, &mut model.params);
            backend.write_arena(params, named.view.offset, &values);
        }
        Ok((model, !fresh.is_empty()))
    }

    fn assemble(
        folder: ModelFolder,
        layout: Layout,
        backend: Arc<B>,
    ) -> Result<(Self, BTreeSet<String>)> {
        let tokenizer = folder.tokenizer()?;
        let described = folder.modules.template.clone();
        let loaded = weights::load(&folder, &layout)?;
        let width = folder.modules.out_width(folder.config.hidden_size);
        let head = RegressionHead::load(&folder.root, width)?;
        let mut model = Self {
            encoder: Encoder::new(&folder.config, &layout),
            params: backend.arena(loaded.arena),
            spare: loaded.spare,
            backend,
            folder,
            tokenizer,
            layout,
            head,
            prompt: PromptChoice::Default,
            unpooled: 0,
        };
        model.set_prompt(PromptChoice::Default)?;
        if let Some(template) = described {
            model.set_template(template)?;
        }
        Ok((model, loaded.fresh))
    }

    /// The same model once more, to go on by itself.
    pub(crate) fn twin(&self) -> Self {
        let values = self.backend.read_arena(&self.params, 0..self.layout.len());
        Self {
            backend: Arc::clone(&self.backend),
            folder: self.folder.clone(),
            tokenizer: self.tokenizer.clone(),
            layout: self.layout.clone(),
            encoder: self.encoder.clone(),
            params: self.backend.arena(values),
            spare: vec![],
            head: self.head.clone(),
            prompt: self.prompt.clone(),
            unpooled: self.unpooled,
        }
    }

    /// Takes the weights and head of a saved model of the same shape.
    ///
    /// # Errors
    /// As [`SentenceEncoder::load`].
    pub fn reload(&mut self, root: &Path) -> Result<()> {
        let folder = ModelFolder::open(root)?;
        let loaded = weights::load(&folder, &self.layout)?;
        self.backend.write_arena(&mut self.params, 0, &loaded.arena);
        self.head = RegressionHead::load(root, self.dim())?;
        Ok(())
    }

    /// What the model runs on.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The description the model was loaded from.
    pub fn folder(&self) -> &ModelFolder {
        &self.folder
    }

    /// What a user should know of the model: where its folder is not what it
    /// seems, and what that does to vectors.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        let all = self.folder.notes.iter().chain(self.tokenizer.notes());
        all.map(String::as_str)
    }

    /// The encoder's configuration.
    pub fn config(&self) -> &EncoderConfig {
        &self.folder.config
    }

    /// The transformer, which works on [`SentenceEncoder::params`].
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Where each parameter lies in the arena.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The tokenizer, to shorten its inputs.
    pub fn tokenizer_mut(&mut self) -> &mut Tokenizer {
        &mut self.tokenizer
    }

    /// Width of a sentence vector.
    pub fn dim(&self) -> usize {
        self.folder
            .modules
            .out_width(self.folder.config.hidden_size)
    }

    /// The regression head saved with the model, where there is one.
    pub fn head(&self) -> Option<&RegressionHead> {
        self.head.as_ref()
    }

    /// Replaces or removes the regression head.
    pub fn set_head(&mut self, head: Option<RegressionHead>) {
        self.head = head;
    }

    /// Replaces the configured dropout probabilities for training.
    pub fn set_dropout(&mut self, hidden: f32, attention: f32) {
        self.encoder.set_dropout(hidden, attention);
    }

    /// Adds or drops the final division of vectors by their length. A head that
    /// came with the model was made for the other kind of vector and goes.
    pub fn set_normalize(&mut self, normalize: bool) {
        if self.folder.modules.normalize != normalize {
            self.folder.modules.normalize = normalize;
            self.head = None;
        }
    }

    /// Replaces the pooling. A head that came with the model was made for the
    /// other kind of vector and goes.
    ///
    /// # Errors
    /// [`ModelError::Config`](crate::format::ModelError) where a Dense module wants
    /// another width.
    pub fn set_pooling(&mut self, mode: PoolingMode) -> Result<()> {
        let modules = &mut self.folder.modules;
        if modules.pooling != [mode.0] {
            modules.pooling = vec![mode.0];
            modules.template = None;
            self.tokenizer.set_template(None);
            self.head = None;
        }
        modules.check_widths(&self.folder.root, self.folder.config.hidden_size)
    }

    /// An arena for the parameters' gradients, all zero.
    pub fn gradient_arena(&self) -> B::Arena {
        // A decoder tied to the embedding of words gives all of them gradients.
        let tied = self.layout.mlm_head.is_some();
        let sparse = (!tied).then_some(self.layout.embeddings.words);
        self.backend.gradient_arena(self.layout.len(), sparse)
    }

    /// The parameters.
    pub fn params(&self) -> &B::Arena {
        &self.params
    }

    /// The backend, for another model beside this one.
    pub fn shared_backend(&self) -> Arc<B> {
        Arc::clone(&self.backend)
    }

    /// The backend and the parameters, to update them.
    pub fn params_mut(&mut self) -> (&B, &mut B::Arena) {
        (&self.backend, &mut self.params)
    }

    /// Packs inputs; `streams` names each one's dropout masks.
    pub fn pack<'a>(&self, tokens: impl IntoIterator<Item = (&'a Tokens, u64)>) -> Packed {
        let mut frames = Vec::new();
        let sequences = tokens.into_iter().map(|(t, stream)| {
            frames.push(t.frame.as_ref());
            Sequence {
                ids: &t.ids,
                segments: &t.segments,
                stream,
            }
        });
        let mut batch = Packed::new(sequences, self.folder.config.first_position as u32);
        for (sequence, frame) in frames.iter().enumerate() {
            if let Some(frame) = frame {
                batch.mark(sequence, frame.mask);
                batch.leave_gap(sequence, frame.text.end, frame.gap as u32);
            }
        }
        batch
    }

    /// One vector per text, in their order: `[texts, dim]`. The bits of a vector do
    /// not depend on the other texts.
    ///
    /// ```
    /// # fn main() -> gradus::Result<()> {
    /// // A folder, or a name such as "all-MiniLM-L6-v2".
    /// let name = "tests/fixtures/models/bert-small";
    /// let model = gradus::SentenceEncoder::from_pretrained(name)?;
    /// let vectors = model.encode(&["a dog in the park", "the dog is in a park"])?;
    /// assert_eq!((vectors.rows(), vectors.dim()), (2, 32));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Where the tokenizer fails, or the device.
    pub fn encode<S: AsRef<str>>(&self, texts: &[S]) -> Result<Embeddings> {
        self.encode_with(texts, EncodeOptions::default())
    }

    /// The cosines of all `first` texts' vectors with all `second` ones':
    /// `first.rows()` rows of `second.rows()` values.
    ///
    /// ```
    /// # fn main() -> gradus::Result<()> {
    /// # let name = "tests/fixtures/models/bert-small";
    /// let model = gradus::SentenceEncoder::from_pretrained(name)?;
    /// let queries = model.encode(&["a dog"])?;
    /// let texts = model.encode(&["a dog", "the house is red"])?;
    /// let cosines = model.similarity(&queries, &texts);
    /// assert!(cosines[0][0] > cosines[0][1]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn similarity(&self, first: &Embeddings, second: &Embeddings) -> Vec<Vec<f64>> {
        let row = |i| (0..second.rows()).map(move |j| cosine(first.row(i), second.row(j)));
        (0..first.rows()).map(|i| row(i).collect()).collect()
    }

    /// As [`SentenceEncoder::encode`], with options.
    ///
    /// # Errors
    /// Where the tokenizer fails, or the device.
    pub fn encode_with<S: AsRef<str>>(
        &self,
        texts: &[S],
        options: EncodeOptions,
    ) -> Result<Embeddings> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        Ok(self.encode_texts(&texts, options)?.1)
    }

    /// The values of vectors, each cut to the model's width.
    pub(super) fn truncated(&self, vectors: Vec<f32>) -> Vec<f32> {
        let modules = &self.folder.modules;
        let (whole, most) = (
            modules.whole_width(self.folder.config.hidden_size),
            self.dim(),
        );
        if most == whole {
            return vectors;
        }
        let rows = vectors.chunks_exact(whole);
        rows.flat_map(|row| &row[..most]).copied().collect()
    }

    pub(super) fn dense(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&Dense, &DenseViews)> + ExactSizeIterator {
        self.folder.modules.dense.iter().zip(&self.layout.dense)
    }
}

impl<B: Backend> crate::eval::Embedder for SentenceEncoder<B> {
    fn embed(&self, texts: &[&str]) -> Result<Embeddings> {
        self.encode(texts)
    }
}
