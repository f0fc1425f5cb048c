//! The steps of a stage: batches in, updates out.

use super::auxiliary::Auxiliary;
use super::chunks::{Pass, accumulate};
use super::events::{Observer, StepReport};
use super::frozen::Frozen;
use super::optimizer::Rates;
use super::progress::Progress;
use super::run::Run;
use super::{Freeze, RunFolder, TrainError};
use crate::difference::DifferenceReport;
use crate::{Embeddings, Result};
use gradus_kernels::dropout::{Dropout, mix64};
use gradus_kernels::{AdamWSegment, Backend};
use serde::Serialize;
use std::time::Instant;

impl<B: Backend> Run<B> {
    /// Trains the stage under way to its end.
    pub(super) fn stage(
        &mut self,
        progress: &mut Progress<B>,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let s = progress.state.stage;
        let frozen = self.stages[s].settings.freeze == Freeze::Encoder;
        if let Some(p) = self.stages[s].settings.dropout {
            self.model.set_dropout(p, p);
        } else {
            let config = self.model.config();
            let (hidden, attention) = (config.hidden_dropout, config.attention_dropout);
            self.model.set_dropout(hidden, attention);
        }
        observer.stage(s, progress.state.step);
        if progress.state.step == 0 {
            self.evaluate(progress, folder, observer)?;
        }
        self.ask_teachers(s, observer)?;
        let vectors = frozen.then(|| Frozen::new(&self.stages[s], &self.model, observer));
        let mut grads = match frozen {
            true => self.model.backend().arena(vec![]),
            false => self.model.gradient_arena(),
        };
        if progress.auxiliary.is_none() {
            progress.auxiliary = self.auxiliary(s)?;
        }
        let mut order = None;
        let (began, mut pairs_done) = (Instant::now(), 0usize);
        let steps = self.stages[s].plan.steps;
        let every = self.stages[s].plan.evaluate_every;
        let patience = self.recipe.evaluation.patience;
        while progress.state.step < steps {
            let step = progress.state.step;
            let examples = self.stages[s].examples(self.recipe.seed, s, step, &mut order);
            let mut head_grads = vec![0.0; progress.head.len()];
            let loss = match &vectors {
                Some(vectors) => {
                    self.head_gradients(s, &examples, vectors, &progress.head, &mut head_grads)
                }
                None => {
                    self.model.backend().zero(&mut grads);
                    self.gradients(
                        s,
                        step,
                        &examples,
                        &progress.head,
                        &mut grads,
                        &mut head_grads,
                        progress.auxiliary.as_mut(),
                    )
                }
            }?;
            let stage = &self.stages[s];
            let factor = stage.schedule.factor(step);
            let encoder = match frozen {
                true => vec![],
                false => stage.groups.segments(stage.settings.learning_rate * factor),
            };
            let head_rate = stage
                .settings
                .head_learning_rate
                .unwrap_or(stage.settings.learning_rate);
            let head = head_segments(
                &stage.objective.decayed(self.model.dim()),
                head_rate * factor,
                stage.settings.weight_decay,
            );
            let rates = Rates {
                encoder: &encoder,
                head: &head,
            };
            let norm =
                progress
                    .optimizer
                    .gradient_norm(self.model.backend(), &grads, &head_grads, &rates);
            // One norm for all that is trained.
            let norm = match &progress.auxiliary {
                Some(auxiliary) => norm.hypot(auxiliary.gradient_norm()),
                None => norm,
            };
            if !(loss.is_finite() && norm.is_finite()) {
                let auxiliary = progress.auxiliary.as_ref();
                let own = (!frozen).then_some(&grads);
                return Err(self.not_finite(s, step + 1, loss, own, auxiliary, folder));
            }
            if let Some(auxiliary) = &mut progress.auxiliary {
                auxiliary.step(stage.settings.learning_rate * factor, norm);
            }
            let (backend, params) = self.model.params_mut();
            progress.optimizer.step(
                backend,
                params,
                &grads,
                &mut progress.head,
                &head_grads,
                &rates,
                norm,
            );
            progress.state.step += 1;
            pairs_done += examples.len();

            let report = StepReport {
                stage: s,
                step: step + 1,
                steps,
                loss,
                gradient_norm: norm,
                learning_rate: head_rate.max(stage.settings.learning_rate) * factor,
                pairs: examples.len(),
                pairs_per_second: pairs_done as f64 / began.elapsed().as_secs_f64().max(1e-9),
                difference: progress.auxiliary.as_ref().map(|a| a.score().report()),
            };
            observer.step(&report);
            if (step + 1).is_multiple_of(self.recipe.log_every.max(1)) || step + 1 == steps {
                self.log_step(progress, &report)?;
            }
            let last = progress.state.step == steps;
            let due = last || every.is_some_and(|n| progress.state.step.is_multiple_of(n.max(1)));
            if due {
                self.evaluate(progress, folder, observer)?;
                if !last && patience.is_some_and(|p| progress.state.stale >= p) {
                    observer.note(&format!(
                        "stopping early: no new best in {} evaluations",
                        progress.state.stale
                    ));
                    break;
                }
            }
            let by_steps = self
                .recipe
                .checkpoint_steps
                .is_some_and(|n| progress.state.step.is_multiple_of(n.max(1)));
            let by_time =
                progress.last_checkpoint.elapsed().as_secs() >= self.recipe.checkpoint_seconds;
            if !last && (by_steps || by_time) {
                self.checkpoint(progress, folder)?;
            }
        }
        Ok(())
    }

    /// The networks that a stage trains beside the model, at their start.
    pub(super) fn auxiliary(&self, s: usize) -> Result<Option<Auxiliary<B>>> {
        let Some(stage) = self.stages.get(s) else {
            return Ok(None);
        };
        let Some(settings) = &stage.settings.difference else {
            return Ok(None);
        };
        let folders = (
            self.start.as_path(),
            self.beside[&settings.generator].as_path(),
        );
        let seed = mix64(self.recipe.seed ^ ((s as u64) << 32) ^ 0x6175_7869);
        Auxiliary::load(stage, &self.model, folders, seed)
    }

    /// The loss of a step's examples; adds their gradients, and those of the
    /// stage's auxiliary network to that one's own.
    #[allow(clippy::too_many_arguments)] // what a step is, and where gradients go
    pub(super) fn gradients(
        &self,
        s: usize,
        step: u64,
        examples: &[u32],
        head: &[f32],
        grads: &mut B::Arena,
        head_grads: &mut [f32],
        mut auxiliary: Option<&mut Auxiliary<B>>,
    ) -> Result<f64> {
        let stage = &self.stages[s];
        if let Some(auxiliary) = auxiliary.as_deref_mut() {
            auxiliary.begin();
        }
        let dropout = Dropout::for_step(0.0, mix64(self.recipe.seed ^ ((s as u64) << 32)), step);
        let mut total = 0.0;
        for (m, micro) in examples.chunks(stage.settings.batch).enumerate() {
            let share = micro.len() as f64 / examples.len() as f64;
            let texts = stage.texts_of(micro);
            let first_stream = (stage.columns * m * stage.settings.batch) as u64;
            let sequences: Vec<_> = texts
                .iter()
                .zip(first_stream..)
                .enumerate()
                .map(|(i, (&t, stream))| {
                    let tokens = stage.prompting.tokens(&stage.texts, t, i / micro.len());
                    (tokens, stream)
                })
                .collect();
            let taught = stage.taught(micro)?;
            let limit = stage.settings.chunk_tokens;
            let objective = |embeddings: &Embeddings| {
                let mut output = match auxiliary.as_deref_mut() {
                    None => stage.evaluate(micro, embeddings, &taught, head, None),
                    Some(auxiliary) => {
                        let mut beside = |vectors: &Embeddings| {
                            auxiliary.evaluate((step, &sequences), vectors, limit, share)
                        };
                        stage.evaluate(micro, embeddings, &taught, head, Some(&mut beside))
                    }
                };
                for g in &mut output.embeddings {
                    *g *= share as f32;
                }
                output
            };
            let pass = Pass {
                dropout,
                limit,
                denoise: stage.prompting.denoise,
            };
            let output = accumulate(&self.model, &sequences, pass, objective, grads);
            total += share * output.loss;
            for (sum, g) in head_grads.iter_mut().zip(&output.parameters) {
                *sum += share as f32 * g;
            }
        }
        Ok(total)
    }

    /// The same where the encoder is frozen.
    pub(super) fn head_gradients(
        &self,
        s: usize,
        examples: &[u32],
        vectors: &Frozen,
        head: &[f32],
        head_grads: &mut [f32],
    ) -> Result<f64> {
        let stage = &self.stages[s];
        let embeddings = vectors.gather(&stage.texts_of(examples));
        let output = stage.evaluate(examples, &embeddings, &stage.taught(examples)?, head, None);
        head_grads.copy_from_slice(&output.parameters);
        Ok(output.loss)
    }

    pub(super) fn not_finite(
        &self,
        s: usize,
        step: u64,
        loss: f64,
        grads: Option<&B::Arena>,
        auxiliary: Option<&Auxiliary<B>>,
        folder: &RunFolder,
    ) -> crate::Error {
        let what = if !loss.is_finite() {
            format!("the loss ({loss})")
        } else {
            let (backend, layout) = (self.model.backend(), self.model.layout());
            let values = grads.map_or(vec![], |g| backend.read_arena(g, 0..layout.len()));
            let own = values.iter().position(|g| !g.is_finite());
            let beside = auxiliary.and_then(|a| a.not_finite());
            match (own, beside) {
                (Some(i), _) => format!("the gradient of `{}`", layout.name_at(i)),
                (None, Some(name)) => format!("the gradient of the discriminator's `{name}`"),
                (None, None) => "the gradient of the regression head".into(),
            }
        };
        TrainError::NotFinite {
            stage: self.stages[s].settings.name.clone(),
            step,
            what,
            advice: folder.advice(),
        }
        .into()
    }

    pub(super) fn log_step(&self, progress: &mut Progress<B>, report: &StepReport) -> Result<()> {
        #[derive(Serialize)]
        struct Line<'a> {
            stage: &'a str,
            step: u64,
            loss: f64,
            learning_rate: f64,
            gradient_norm: f64,
            #[serde(skip_serializing_if = "Option::is_none")]
            difference: Option<DifferenceReport>,
            pairs_per_second: f64,
        }
        let line = Line {
            stage: &self.stages[report.stage].settings.name,
            step: report.step,
            loss: report.loss,
            learning_rate: report.learning_rate,
            gradient_norm: report.gradient_norm,
            difference: report.difference,
            pairs_per_second: report.pairs_per_second,
        };
        progress.metrics.write("step", &line)
    }
}

/// The optimizer's segments of a head whose parameters are decayed or not.
fn head_segments(decayed: &[bool], rate: f64, weight_decay: f64) -> Vec<AdamWSegment> {
    let mut segments: Vec<AdamWSegment> = Vec::new();
    for (i, &decayed) in decayed.iter().enumerate() {
        let weight_decay = if decayed { weight_decay as f32 } else { 0.0 };
        match segments.last_mut() {
            Some(last) if last.weight_decay == weight_decay => last.range.end = i + 1,
            _ => segments.push(AdamWSegment {
                range: i..i + 1,
                learning_rate: rate as f32,
                weight_decay,
            }),
        }
    }
    segments
}
