use super::SentenceEncoder;
use crate::Result;
use crate::format::ModelError;
use crate::nn::PassContext;
use crate::nn::mlm_head::MlmHead;
use crate::text::Masked;
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{Backend, LayerNormOutput, Packed, Sequence};
use std::path::Path;
use std::sync::Arc;

/// An encoder with the masked-language-model head. Only masked positions go
/// through the head.
pub struct MaskedLm<B: Backend> {
    encoder: SentenceEncoder<B>,
    head: MlmHead,
    fresh_head: bool,
}

/// Masked texts, packed.
#[derive(Debug, Clone)]
pub struct MaskedBatch {
    texts: Packed,
    /// The rows to be output, and what they should be.
    rows: Vec<u32>,
    targets: Vec<u32>,
}

impl MaskedBatch {
    /// How many tokens are to be output.
    pub fn masked(&self) -> usize {
        self.rows.len()
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.texts.tokens()
    }
}

/// How well masked tokens were output.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Score {
    /// The sum of the cross-entropies, in nats.
    pub loss: f64,
    /// How many tokens were the likeliest.
    pub correct: usize,
    /// How many there were to mlm_forward.
    pub masked: usize,
}

impl std::ops::AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.masked += other.masked;
    }
}

impl Score {
    /// The mean cross-entropy; 0 of nothing.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.masked.max(1) as f64
    }

    /// The share of tokens that were output right; 0 of nothing.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.masked.max(1) as f64
    }
}

/// What the head makes of the rows that are to be output.
struct MlmOutput<B: Backend> {
    x: B::Tensor,
    pre: B::Tensor,
    normed: LayerNormOutput<B::Tensor>,
    scores: B::Tensor,
}

impl<B: Backend> MaskedLm<B> {
    /// Loads the model in `root`, and its head; a model without one gets one
    /// that is drawn from `seed`. A regression head that came with the model
    /// goes: it was made for other vectors.
    ///
    /// # Errors
    /// As [`SentenceEncoder::load`]; [`ModelError::Unsupported`] for a model
    /// whose decoder is not its embedding of words.
    pub fn load(root: &Path, backend: B, seed: u64) -> Result<Self> {
        Self::load_beside(root, Arc::new(backend), seed)
    }

    /// The same onto a backend that other models are on.
    ///
    /// # Errors
    /// As [`MaskedLm::load`].
    pub(crate) fn load_beside(root: &Path, backend: Arc<B>, seed: u64) -> Result<Self> {
        let (mut encoder, fresh_head) = SentenceEncoder::load_with_mlm_head(root, backend, seed)?;
        if encoder.folder().has_own_decoder()? {
            return Err(ModelError::Unsupported {
                path: encoder.folder().encoder.join("config.json"),
                what: "decoder".into(),
                found: "`tie_word_embeddings: false`".into(),
                supported: "one that shares its weight with the embedding of words".into(),
            }
            .into());
        }
        encoder.set_head(None);
        encoder.tokenizer_mut().set_prompt("");
        let head = encoder.layout().mlm_head.clone();
        let head = head.ok_or_else(|| crate::Error::Internal("no language head".into()))?;
        Ok(Self {
            encoder,
            head,
            fresh_head,
        })
    }

    /// The encoder, whose layout and parameters hold the head, too.
    pub fn encoder(&self) -> &SentenceEncoder<B> {
        &self.encoder
    }

    /// The encoder.
    pub fn encoder_mut(&mut self) -> &mut SentenceEncoder<B> {
        &mut self.encoder
    }

    /// Whether the head was drawn, as the model had none.
    pub fn has_fresh_head(&self) -> bool {
        self.fresh_head
    }

    /// Packs masked texts; `streams` name their dropout masks.
    pub fn pack<'a>(&self, texts: impl IntoIterator<Item = (&'a Masked, u64)>) -> MaskedBatch {
        let texts: Vec<(&Masked, u64)> = texts.into_iter().collect();
        let (mut rows, mut targets, mut first) = (vec![], vec![], 0);
        for (text, _) in &texts {
            for &(place, id) in &text.targets {
                rows.push(first + place);
                targets.push(id);
            }
            first += text.ids.len() as u32;
        }
        let sequences = texts.iter().map(|&(text, stream)| Sequence {
            ids: &text.ids,
            segments: &[],
            stream,
        });
        MaskedBatch {
            texts: Packed::new(sequences, self.encoder.config().first_position as u32),
            rows,
            targets,
        }
    }

    /// How well the model predicts the masked tokens of a batch, without dropout.
    pub fn score(&self, batch: &MaskedBatch) -> Score {
        self.encoder.backend().enter(|| {
            if batch.rows.is_empty() {
                return Score::default();
            }
            let (b, p) = (self.encoder.backend(), self.encoder.params());
            let texts = b.batch(batch.texts.clone());
            let pass = PassContext::inference(b, p, &texts);
            let hidden = self.encoder.encoder().infer(pass);
            let output = self.mlm_forward(batch, &hidden);
            let (scored, _) = b.cross_entropy(output.scores, &batch.targets, 0.0);
            sum(&b.scored(scored))
        })
    }

    /// The score of a training pass; adds the gradients of `scale` times the
    /// sum of the losses to `grads`.
    pub fn gradients(
        &self,
        batch: &MaskedBatch,
        scale: f32,
        dropout: Option<Dropout>,
        grads: &mut B::Arena,
    ) -> Score {
        let backend = self.encoder.backend();
        backend.enter(|| match batch.rows.is_empty() {
            true => Score::default(),
            false => self.gradients_here(batch, scale, dropout, grads),
        })
    }

    fn gradients_here(
        &self,
        batch: &MaskedBatch,
        scale: f32,
        dropout: Option<Dropout>,
        grads: &mut B::Arena,
    ) -> Score {
        let (b, p, head) = (self.encoder.backend(), self.encoder.params(), &self.head);
        let encoder = self.encoder.encoder();
        let texts = b.batch(batch.texts.clone());
        let pass = PassContext::inference(b, p, &texts).with_dropout(dropout);
        let tokens = encoder.forward(pass);
        let output = self.mlm_forward(batch, tokens.output());
        let (scored, d) = b.cross_entropy(output.scores, &batch.targets, scale);
        let normed = &output.normed;
        let d = b.linear_backward(p, &head.decoder, &normed.out, &d, None, grads);
        let (d, _) = b.add_norm_backward(p, &head.norm, normed.saved.as_ref(), &d, None, grads);
        let d = b.activation_backward(head.activation, &output.pre, d);
        let d = b.linear_backward(p, &head.dense, &output.x, &d, None, grads);
        let d = b.gather_backward(&d, &batch.rows, batch.texts.tokens());
        encoder.backward(pass, tokens, d, grads);
        // When all of backward is under way.
        sum(&b.scored(scored))
    }

    /// The vectors of all tokens of some texts, packed, by inference.
    pub(crate) fn hidden<'a>(
        &self,
        backend: &B,
        texts: impl IntoIterator<Item = &'a [u32]>,
    ) -> B::Tensor {
        let texts = texts.into_iter().map(|ids| Sequence {
            ids,
            segments: &[],
            stream: 0,
        });
        let batch = Packed::new(texts, self.encoder.config().first_position as u32);
        let batch = backend.batch(batch);
        let (encoder, params) = (self.encoder.encoder(), self.encoder.params());
        encoder.infer(PassContext::inference(backend, params, &batch))
    }

    /// The scores of every token at some rows of such vectors, by inference.
    pub(crate) fn scores(&self, backend: &B, hidden: &B::Tensor, rows: &[u32]) -> B::Tensor {
        let (b, p, head) = (backend, self.encoder.params(), &self.head);
        let x = b.gather(hidden, rows);
        let x = b.activated(p, &head.dense, head.activation, &x);
        let x = b.add_norm(p, &head.norm, x, None, None).out;
        b.linear(p, &head.decoder, &x)
    }

    /// The scores of every token at the rows to be output.
    fn mlm_forward(&self, batch: &MaskedBatch, hidden: &B::Tensor) -> MlmOutput<B> {
        let (b, p, head) = (self.encoder.backend(), self.encoder.params(), &self.head);
        let x = b.gather(hidden, &batch.rows);
        let (pre, post) = b.linear_activated(p, &head.dense, head.activation, &x);
        let normed = b.add_norm(p, &head.norm, post, None, None);
        let scores = b.linear(p, &head.decoder, &normed.out);
        MlmOutput {
            x,
            pre,
            normed,
            scores,
        }
    }
}

fn sum(scored: &[gradus_kernels::ScoredRow]) -> Score {
    Score {
        loss: scored.iter().map(|row| row.loss).sum(),
        correct: scored.iter().filter(|row| row.correct).count(),
        masked: scored.len(),
    }
}
