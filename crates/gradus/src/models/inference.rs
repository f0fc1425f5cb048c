//! Texts to vectors, without anything that only training needs.

use super::ahead::{ahead, pays};
use super::sentence_encoder::{EncodeOptions, SentenceEncoder};
use super::{Batch, PromptedTokenizer};
use crate::nn::encoder::PassContext;
use crate::text::{Tokenizer, Tokens, batches};
use crate::{Embeddings, Result};
use gradus_kernels::Backend;

impl<B: Backend> SentenceEncoder<B> {
    /// One vector per input, in their order.
    pub fn encode_tokens(&self, tokens: &[Tokens], options: EncodeOptions) -> Embeddings {
        let denoise = self.template().is_some_and(|t| t.denoise);
        self.encode_as(tokens, denoise, options)
    }

    /// The same of what [`SentenceEncoder::prompted`] tokenised: `unpooled` is its
    /// [`PromptedTokenizer::unpooled`](super::PromptedTokenizer::unpooled).
    pub fn encode_prompted(
        &self,
        tokens: &[Tokens],
        unpooled: usize,
        options: EncodeOptions,
    ) -> Embeddings {
        let denoise = self.template().is_some_and(|t| t.denoise);
        self.encode_by(tokens, denoise, unpooled, options)
    }

    /// The same where it is said whether templates' own biases are subtracted.
    pub(crate) fn encode_as(
        &self,
        tokens: &[Tokens],
        denoise: bool,
        options: EncodeOptions,
    ) -> Embeddings {
        self.encode_by(tokens, denoise, self.unpooled, options)
    }

    fn encode_by(
        &self,
        tokens: &[Tokens],
        denoise: bool,
        unpooled: usize,
        options: EncodeOptions,
    ) -> Embeddings {
        let limit = self.most_tokens(options);
        let batches = batches(tokens, |t| t.ids.len(), limit, self.backend.lanes());
        let vectors = self.backend.in_lanes(batches, |lane, batch| {
            self.batch_vectors(lane, batch, denoise, unpooled)
        });
        Embeddings::new(self.dim(), self.truncated(vectors.concat()))
    }

    /// The tokens and vectors of texts behind the model's prompt. On a device that works apart,
    /// many are tokenised while it has others.
    ///
    /// # Errors
    /// Where the tokenizer fails, or the device.
    pub fn encode_texts(
        &self,
        texts: &[&str],
        options: EncodeOptions,
    ) -> Result<(Vec<Tokens>, Embeddings)> {
        self.encode_all(&self.tokenizer, self.unpooled, texts, options)
    }

    /// The same behind the prompt of [`SentenceEncoder::prompted`].
    ///
    /// # Errors
    /// Where the tokenizer fails, or the device.
    pub fn encode_texts_behind(
        &self,
        prompted: &PromptedTokenizer,
        texts: &[&str],
        options: EncodeOptions,
    ) -> Result<(Vec<Tokens>, Embeddings)> {
        self.encode_all(prompted.tokenizer(), prompted.unpooled(), texts, options)
    }

    fn encode_all(
        &self,
        tokenizer: &Tokenizer,
        unpooled: usize,
        texts: &[&str],
        options: EncodeOptions,
    ) -> Result<(Vec<Tokens>, Embeddings)> {
        let denoise = self.template().is_some_and(|t| t.denoise);
        let (tokens, vectors) = match pays(self.backend(), texts.len()) {
            true => {
                let (tokens, values) = ahead(
                    self.backend(),
                    texts,
                    self.most_tokens(options),
                    |texts| tokenizer.encode(texts),
                    |lane, batch| self.batch_vectors(lane, batch, denoise, unpooled),
                )?;
                let vectors = Embeddings::new(self.dim(), self.truncated(values));
                (tokens, vectors)
            }
            false => {
                let tokens = tokenizer.encode(texts)?;
                let vectors = self.encode_by(&tokens, denoise, unpooled, options);
                (tokens, vectors)
            }
        };
        self.backend.check()?;
        Ok((tokens, vectors))
    }

    /// The most tokens of a batch.
    fn most_tokens(&self, options: EncodeOptions) -> usize {
        let suits = || self.backend.batch_tokens();
        options.batch_tokens.unwrap_or_else(suits)
    }

    /// The vectors of one batch, as wide as the model makes them.
    pub(super) fn batch_vectors(
        &self,
        lane: &B,
        tokens: &[Tokens],
        denoise: bool,
        unpooled: usize,
    ) -> Vec<f32> {
        let batch = self.pack_as(tokens.iter().map(|t| (t, 0)), denoise);
        lane.enter(|| lane.read(&self.infer(lane, batch, unpooled)))
    }

    fn infer(&self, b: &B, batch: Batch, unpooled: usize) -> B::Tensor {
        let (p, biases) = (&self.params, batch.biases);
        let batch = b.batch(batch.packed);
        let pass = PassContext::inference(b, p, &batch);
        let pooled = match self.pools_first_alone(unpooled) {
            true => self.encoder.infer_first(pass),
            false => self.pool(b, &batch, &self.encoder.infer(pass), unpooled),
        };
        let mut x = Batch::subtract(b, &biases, pooled);
        for (dense, views) in self.dense() {
            let out = b.activated(p, &views.linear, dense.activation, &x);
            x = match (dense.residual, &views.residual) {
                (false, _) => out,
                (true, None) => b.add(out, &x),
                (true, Some(second)) => b.add(out, &b.linear(p, second, &x)),
            };
        }
        if self.folder.modules.normalize {
            x = b.normalize(&x);
        }
        x
    }

    /// The transformer's vector of every token of each input, before pooling:
    /// `[tokens, hidden_size]`, the special tokens' included. The bits do not depend on
    /// the other inputs.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn token_vectors(
        &self,
        tokens: &[Tokens],
        options: EncodeOptions,
    ) -> Result<Vec<Embeddings>> {
        let limit = self.most_tokens(options);
        let width = self.folder.config.hidden_size;
        let batches = batches(tokens, |t| t.ids.len(), limit, self.backend.lanes());
        let vectors = self.backend.in_lanes(batches, |backend, batch| {
            let packed = backend.batch(self.pack(batch.iter().map(|t| (t, 0))));
            let values = backend.enter(|| {
                let pass = PassContext::inference(backend, &self.params, &packed);
                backend.read(&self.encoder.infer(pass))
            });
            let mut rest = values.as_slice();
            let of_text = batch.iter().map(|t| {
                let (own, after) = rest.split_at(t.ids.len() * width);
                rest = after;
                Embeddings::new(width, own.to_vec())
            });
            of_text.collect::<Vec<_>>()
        });
        self.backend.check()?;
        Ok(vectors.into_iter().flatten().collect())
    }
}
