//! Passes over packed pairs: for inference, and for training with their backward.

use super::CrossEncoder;
use crate::Result;
use crate::models::ahead::{ahead, pays};
use crate::nn::encoder::{Activations, PassContext};
use crate::nn::sequence_head::HeadSaved;
use crate::text::{Tokens, batches};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{Backend, Packed, Sequence};

/// A training forward pass over packed pairs.
pub struct CrossForward<B: Backend> {
    batch: B::Batch,
    dropout: Option<Dropout>,
    tokens: Activations<B>,
    head: HeadSaved<B>,
    logits: Vec<f32>,
}

impl<B: Backend> CrossForward<B> {
    /// `[pairs, labels]`, row after row.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }
}

impl<B: Backend> CrossEncoder<B> {
    /// Packs inputs; `streams` names each one's dropout masks.
    pub fn pack<'a>(&self, tokens: impl IntoIterator<Item = (&'a Tokens, u64)>) -> Packed {
        let sequences = tokens.into_iter().map(|(t, stream)| Sequence {
            ids: &t.ids,
            segments: &t.segments,
            stream,
        });
        Packed::new(sequences, self.folder.config.first_position as u32)
    }

    /// The logits of inputs, `[inputs, labels]`, row after row. The bits of a row do
    /// not depend on the other inputs.
    pub fn logits(&self, tokens: &[Tokens]) -> Vec<f32> {
        let (limit, lanes) = (self.backend.batch_tokens(), self.backend.lanes());
        let batches = batches(tokens, |t| t.ids.len(), limit, lanes);
        let logits = self
            .backend
            .in_lanes(batches, |lane, batch| self.batch_logits(lane, batch));
        logits.concat()
    }

    /// The tokens and logits of pairs. On a device that works apart, many are tokenised while it
    /// has others.
    ///
    /// # Errors
    /// Where the tokenizer fails, or the device.
    pub fn pair_logits(&self, pairs: &[(&str, &str)]) -> Result<(Vec<Tokens>, Vec<f32>)> {
        let found = match pays(self.backend(), pairs.len()) {
            true => ahead(
                self.backend(),
                pairs,
                self.backend.batch_tokens(),
                |pairs| self.tokenizer.encode_pairs(pairs),
                |lane, batch| self.batch_logits(lane, batch),
            )?,
            false => {
                let tokens = self.tokenizer.encode_pairs(pairs)?;
                let logits = self.logits(&tokens);
                (tokens, logits)
            }
        };
        self.backend.check()?;
        Ok(found)
    }

    fn batch_logits(&self, lane: &B, tokens: &[Tokens]) -> Vec<f32> {
        let packed = self.pack(tokens.iter().map(|t| (t, 0)));
        lane.enter(|| {
            let batch = lane.batch(packed);
            let pass = PassContext::inference(lane, &self.params, &batch);
            let first = self.encoder.infer_first(pass);
            lane.read(&self.head.infer(pass, &first))
        })
    }

    /// A forward pass for training, with dropout where it is given.
    pub fn forward(&self, packed: Packed, dropout: Option<Dropout>) -> CrossForward<B> {
        self.backend.enter(|| {
            let (b, p) = (&*self.backend, &self.params);
            let batch = b.training_batch(packed);
            let pass = PassContext::inference(b, p, &batch).with_dropout(dropout);
            let tokens = self.encoder.forward(pass);
            let head = self.head.forward(pass, tokens.output(), self.head_dropout);
            let logits = b.read(head.logits());
            CrossForward {
                batch,
                dropout,
                tokens,
                head,
                logits,
            }
        })
    }

    /// Adds every parameter's gradient to `grads`, given that of the logits,
    /// `[pairs, labels]`.
    pub fn backward(&self, state: CrossForward<B>, gradient: &[f32], grads: &mut B::Arena) {
        self.backend.enter(|| {
            let (b, p) = (&*self.backend, &self.params);
            let CrossForward {
                batch,
                dropout,
                tokens,
                head,
                ..
            } = state;
            let pass = PassContext::inference(b, p, &batch).with_dropout(dropout);
            let (rows, labels) = b.shape(head.logits());
            let dy = b.tensor(rows, labels, gradient);
            let d = (tokens.output(), dy);
            let d = self.head.backward(pass, head, d, self.head_dropout, grads);
            self.encoder.backward(pass, tokens, d, grads);
        });
    }
}
