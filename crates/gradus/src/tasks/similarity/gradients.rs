//! The gradients of an optimizer step.

use super::chunks::{Pass, accumulate};
use super::frozen::Frozen;
use super::micro_batch::MicroBatch;
use super::run::Run;
use crate::tasks::diffcse::auxiliary::Auxiliary;
use crate::{Embeddings, Result};
use gradus_kernels::Backend;
use gradus_kernels::dropout::{Dropout, mix64};

/// The gradients of all that a stage trains but its auxiliary network, which
/// has its own.
pub(crate) struct Gradients<B: Backend> {
    pub encoder: B::Arena,
    /// Of the objective's parameters.
    pub head: Vec<f32>,
}

impl<B: Backend> Gradients<B> {
    fn clear(&mut self, backend: &B) {
        backend.zero(&mut self.encoder);
        self.head.fill(0.0);
    }
}

impl<B: Backend> Run<B> {
    /// The loss of a step's examples and its gradients, also those of the
    /// stage's auxiliary network.
    pub(crate) fn gradients(
        &self,
        (s, step): (usize, u64),
        examples: &[u32],
        head: &[f32],
        grads: &mut Gradients<B>,
        mut auxiliary: Option<&mut Auxiliary<B>>,
    ) -> Result<f64> {
        let stage = &self.stages[s];
        grads.clear(self.model.backend());
        if let Some(auxiliary) = auxiliary.as_deref_mut() {
            auxiliary.begin();
        }
        let pass = Pass {
            dropout: Dropout::for_step(0.0, mix64(self.recipe.seed ^ ((s as u64) << 32)), step),
            limit: stage.settings.chunk_tokens,
            denoise: stage.prompting.denoise,
        };
        let mut total = 0.0;
        for (m, micro) in examples.chunks(stage.settings.batch).enumerate() {
            let share = micro.len() as f64 / examples.len() as f64;
            let batch = MicroBatch::new(stage, micro)?;
            let first_stream = (stage.columns * m * stage.settings.batch) as u64;
            let texts = batch.texts.iter().zip(first_stream..).enumerate();
            let sequences: Vec<_> = texts
                .map(|(i, (&text, stream))| {
                    let column = i / micro.len();
                    let tokens = stage.prompting.tokens(&stage.texts, text, column);
                    (tokens, stream)
                })
                .collect();
            let objective = |embeddings: &Embeddings| {
                let mut output = match auxiliary.as_deref_mut() {
                    None => batch.evaluate(embeddings, head, None),
                    Some(auxiliary) => {
                        let mut beside = |vectors: &Embeddings| {
                            auxiliary.evaluate((step, &sequences), vectors, pass.limit, share)
                        };
                        batch.evaluate(embeddings, head, Some(&mut beside))
                    }
                };
                for g in &mut output.embeddings {
                    *g *= share as f32;
                }
                output
            };
            let output = accumulate(&self.model, &sequences, pass, objective, &mut grads.encoder);
            total += share * output.loss;
            for (sum, g) in grads.head.iter_mut().zip(&output.parameters) {
                *sum += share as f32 * g;
            }
        }
        Ok(total)
    }

    /// The same where the encoder is frozen.
    pub(crate) fn head_gradients(
        &self,
        s: usize,
        examples: &[u32],
        vectors: &Frozen,
        head: &[f32],
        grads: &mut Gradients<B>,
    ) -> Result<f64> {
        let batch = MicroBatch::new(&self.stages[s], examples)?;
        let output = batch.evaluate(&vectors.gather(&batch.texts), head, None);
        grads.head.copy_from_slice(&output.parameters);
        Ok(output.loss)
    }
}
