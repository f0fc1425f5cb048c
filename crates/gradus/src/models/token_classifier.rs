use super::ModelFolder;
use super::weights;
use crate::Result;
use crate::nn::Layout;
use crate::nn::encoder::{Encoder, PassContext};
use crate::nn::initial::initial_values;
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{Backend, Linear, Packed, ScoredRow, Sequence};
use std::path::Path;
use std::sync::Arc;

/// An encoder with a linear layer that sorts every token into classes, where
/// the first token of each text is a vector from elsewhere.
pub struct TokenClassifier<B: Backend> {
    backend: Arc<B>,
    layout: Layout,
    encoder: Encoder,
    classifier: Linear,
    params: B::Arena,
    first_position: u32,
}

impl<B: Backend> TokenClassifier<B> {
    /// The encoder of the model in `root`, without Dense modules, and a layer of
    /// `classes` classes drawn from `seed`.
    ///
    /// # Errors
    /// As [`SentenceEncoder::load`](super::SentenceEncoder::load).
    pub fn load(root: &Path, backend: Arc<B>, classes: usize, seed: u64) -> Result<Self> {
        let mut folder = ModelFolder::open(root)?;
        folder.modules.dense.clear();
        let encoder = Layout::new(&folder.config, &[]);
        let mut values = weights::load(&folder, &encoder)?.arena;
        let (layout, classifier) = encoder.with_classifier(folder.config.hidden_size, classes);
        for named in &layout.named()[layout.named().len() - 2..] {
            values.extend(initial_values(named, seed));
        }
        Ok(Self {
            encoder: Encoder::new(&folder.config, &layout),
            params: backend.arena(values),
            first_position: folder.config.first_position as u32,
            backend,
            layout,
            classifier,
        })
    }

    /// What it runs on.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Where each parameter lies in the arena; the linear layer's come last.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The parameters.
    pub fn params(&self) -> &B::Arena {
        &self.params
    }

    /// The backend and the parameters, to update them.
    pub fn params_mut(&mut self) -> (&B, &mut B::Arena) {
        (&self.backend, &mut self.params)
    }

    /// Replaces the configured dropout probabilities.
    pub fn set_dropout(&mut self, hidden: f32, attention: f32) {
        self.encoder.set_dropout(hidden, attention);
    }

    /// An arena for the parameters' gradients, all zero.
    pub fn gradient_arena(&self) -> B::Arena {
        let words = self.layout.embeddings.words;
        self.backend.gradient_arena(self.layout.len(), Some(words))
    }

    /// Packs texts of at least one token each.
    pub fn pack<'a>(&self, texts: impl IntoIterator<Item = Sequence<'a>>) -> Packed {
        Packed::new(texts, self.first_position)
    }

    /// How each token is sorted, where `first`, `[sequences, hidden]`, stands
    /// for the embeddings of the first tokens and `classes` are the right ones.
    /// Adds the gradients of `scale` times the sum of the cross-entropies to
    /// `grads`; returns that of `first`, too.
    pub fn gradients(
        &self,
        batch: Packed,
        first: &[f32],
        classes: &[u32],
        scale: f32,
        dropout: Option<Dropout>,
        grads: &mut B::Arena,
    ) -> (Vec<ScoredRow>, Vec<f32>) {
        self.backend.enter(|| {
            let (b, p) = (&*self.backend, &self.params);
            let width = self.classifier.weight.cols;
            let first = b.tensor(batch.sequences(), width, first);
            let batch = b.batch(batch);
            let pass = PassContext::inference(b, p, &batch).with_dropout(dropout);
            let tokens = self.encoder.forward_with_first(pass, &first);
            let scores = b.linear(p, &self.classifier, tokens.output());
            let (scored, d) = b.cross_entropy(scores, classes, scale);
            let d = b.linear_backward(p, &self.classifier, tokens.output(), &d, None, grads);
            let d = self.encoder.backward_with_first(pass, tokens, d, grads);
            (b.scored(scored), b.read(&d))
        })
    }
}
