//! The gradients of an optimizer step.

use super::buffer::Buffer;
use super::chunks::{Pass, accumulate};
use super::cross_targets::CrossTargets;
use super::frozen::Frozen;
use super::micro_batch::MicroBatch;
use super::on_device::{ContrastOnDevice, OnDevice};
use super::stage::Prepared;
use crate::losses::Comparer;
use crate::models::SentenceEncoder;
use crate::tasks::diffcse::Auxiliary;
use crate::training::Moment;
use crate::{Embeddings, Result};
use gradus_kernels::Backend;
use gradus_kernels::dropout::{Dropout, mix64};

/// The examples of a step, and the objective's own parameters with their gradients,
/// which are zero.
pub(crate) struct StepGradients<'a> {
    pub stage: &'a Prepared,
    pub examples: &'a [u32],
    pub parameters: &'a [f32],
    pub head: &'a mut [f32],
}

/// Terms of a stage's loss that are no objectives.
pub(crate) struct AuxiliaryTerms<'a, B: Backend> {
    /// Difference prediction, and the gradients of its network.
    pub difference: Option<(&'a mut Auxiliary<B>, &'a mut B::Arena)>,
    /// Self distillation.
    pub cross_targets: Option<&'a mut CrossTargets<B>>,
}

/// Adds a term's loss and gradient.
fn add(sum: &mut (f64, Vec<f32>), (loss, gradient): (f64, Vec<f32>)) {
    sum.0 += loss;
    for (sum, g) in sum.1.iter_mut().zip(gradient) {
        *sum += g;
    }
}

impl StepGradients<'_> {
    /// The loss of the examples, with negatives of a buffer. Adds its gradients to those
    /// of the encoder and, with an auxiliary loss, to its network's.
    pub fn of_all<B: Backend>(
        self,
        model: &SentenceEncoder<B>,
        seed: u64,
        at: Moment,
        encoder: &mut B::Arena,
        mut buffer: Option<&mut Buffer<B>>,
        mut terms: AuxiliaryTerms<'_, B>,
    ) -> Result<f64> {
        let stage = self.stage;
        let AuxiliaryTerms {
            difference: auxiliary,
            cross_targets,
        } = &mut terms;
        if let Some(targets) = cross_targets {
            targets.begin();
        }
        if let Some((auxiliary, _)) = auxiliary {
            auxiliary.begin();
        }
        if let Some(buffer) = &mut buffer {
            buffer.begin();
        }
        let of_stage = mix64(seed ^ ((at.stage as u64) << 32));
        let pass = Pass {
            dropout: Dropout::for_step(0.0, of_stage, at.step),
            limit: stage.settings.chunk_tokens,
            denoise: stage.prompting.denoise,
        };
        let has_terms = auxiliary.is_some() || cross_targets.is_some();
        let mut total = 0.0;
        for (m, micro) in self.examples.chunks(stage.settings.batch).enumerate() {
            let share = micro.len() as f64 / self.examples.len() as f64;
            let batch = MicroBatch::new(stage, micro)?;
            let first_stream = (stage.columns * m * stage.settings.batch) as u64;
            let repeated = stage.repeated(micro, at.step);
            let texts = batch.texts.iter().zip(first_stream..).enumerate();
            let sequences: Vec<_> = texts
                .map(|(i, (&text, stream))| {
                    let column = i / micro.len();
                    let as_it_is = || stage.prompting.tokens(&stage.texts, text, column);
                    // A second view follows the first ones.
                    let repeated = i.checked_sub(micro.len()).and_then(|i| repeated.get(i));
                    (repeated.unwrap_or_else(as_it_is), stream)
                })
                .collect();
            let on_device = OnDevice(model.backend());
            let comparer = model
                .backend()
                .is_apart()
                .then_some(&on_device as &dyn Comparer);
            let alone = model.backend().is_apart() && buffer.is_none() && !has_terms;
            let plain = alone.then(|| batch.plain_contrast()).flatten();
            let contrast = plain.map(|contrast| ContrastOnDevice {
                contrast,
                texts: &batch.texts,
                parameters: self.parameters,
                share: share as f32,
            });
            let mut failure = None;
            let objective = |embeddings: &Embeddings| {
                let negatives = buffer.as_mut().map(|buffer| {
                    let place = (seed, at, m * stage.settings.batch);
                    let objective = (&*stage.objective, self.parameters);
                    buffer.negatives(place, &batch, objective, embeddings)
                });
                let memory = buffer.as_deref().zip(negatives.as_deref());
                let memory = memory.and_then(|(buffer, negatives)| buffer.memory(negatives));
                let mut loss = |vectors: &Embeddings| {
                    let mut sum = match auxiliary {
                        None => (0.0, vec![0.0; vectors.as_slice().len()]),
                        Some((auxiliary, gradients)) => {
                            let texts = (at.step, &sequences[..]);
                            auxiliary.evaluate(texts, vectors, pass.limit, share, gradients)
                        }
                    };
                    if let Some(targets) = cross_targets {
                        let rows = (micro.len(), &batch.texts[..]);
                        let key = of_stage ^ mix64(at.step) ^ m as u64;
                        match targets.evaluate(vectors, rows, share, key) {
                            Ok(term) => add(&mut sum, term),
                            Err(error) => failure = Some(error),
                        }
                    }
                    sum
                };
                let parameters = self.parameters;
                let mut output = match has_terms {
                    false => batch.evaluate(embeddings, parameters, comparer, memory, None),
                    true => {
                        batch.evaluate(embeddings, parameters, comparer, memory, Some(&mut loss))
                    }
                };
                for g in &mut output.embeddings {
                    *g *= share as f32;
                }
                output
            };
            let output = accumulate(model, &sequences, pass, contrast, objective, encoder);
            if let Some(error) = failure {
                return Err(error);
            }
            total += share * output.loss;
            for (sum, g) in self.head.iter_mut().zip(&output.parameters) {
                *sum += share as f32 * g;
            }
        }
        Ok(total)
    }

    /// The same where the encoder is frozen.
    pub fn of_head(self, vectors: &Frozen) -> Result<f64> {
        let batch = MicroBatch::new(self.stage, self.examples)?;
        let vectors = vectors.gather(&batch.texts);
        let output = batch.evaluate(&vectors, self.parameters, None, None, None);
        self.head.copy_from_slice(&output.parameters);
        Ok(output.loss)
    }
}
