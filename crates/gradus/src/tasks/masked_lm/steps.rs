//! The steps of a run: masked texts in, updates out.

use super::corpus::chunks;
use super::run::{Run, STAGE};
use super::{HeldOut, Observer, StepReport};
use crate::Result;
use crate::models::Score;
use crate::text::Masked;
use crate::training::{
    Checkpoint, Metrics, Optimizer, Rates, RunFolder, State, TrainError, Updated,
};
use gradus_kernels::Backend;
use gradus_kernels::dropout::Dropout;
use std::time::Instant;

/// Tokens of a forward and backward pass: a step has several, which bounds the
/// activations held at a time.
const PASS_TOKENS: usize = 1024;

/// The step whose masks the texts held out have.
const HELD_OUT_STEP: u64 = u64::MAX;

/// What changes while a run goes on.
pub(crate) struct Progress<B: Backend> {
    pub state: State,
    pub optimizer: Optimizer<B>,
    pub metrics: Metrics,
    pub last_checkpoint: Instant,
    /// When this process began to train, at which step, and on how many tokens
    /// it did.
    pub began: Instant,
    pub first_step: u64,
    pub tokens: usize,
}

impl<B: Backend> Progress<B> {
    pub fn new(state: State, optimizer: Optimizer<B>, metrics: Metrics) -> Self {
        Self {
            first_step: state.step,
            state,
            optimizer,
            metrics,
            last_checkpoint: Instant::now(),
            began: Instant::now(),
            tokens: 0,
        }
    }
}

impl<B: Backend> Run<B> {
    /// Trains to the end; returns the last evaluation.
    pub(crate) fn train(
        &mut self,
        progress: &mut Progress<B>,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<HeldOut> {
        if progress.state.step == 0 {
            self.evaluate(progress, observer)?;
            progress.began = Instant::now();
        }
        let mut grads = self.model.encoder().gradient_arena();
        let steps = self.plan.steps;
        while progress.state.step < steps {
            let report = self.step(progress, &mut grads, folder)?;
            observer.step(&report);
            let step = progress.state.step;
            if step.is_multiple_of(self.settings.log_every.max(1)) || step == steps {
                progress.metrics.write("step", &report)?;
            }
            if step < steps && step.is_multiple_of(self.plan.evaluate_every) {
                self.evaluate(progress, observer)?;
            }
            let every = self.settings.checkpoint_steps;
            let by_steps = every.is_some_and(|n| step.is_multiple_of(n.max(1)));
            let since = progress.last_checkpoint.elapsed().as_secs();
            let by_time = since >= self.settings.checkpoint_seconds;
            let cancelled = step < steps && observer.cancelled();
            if by_steps || by_time || cancelled || step == steps {
                self.checkpoint(progress, folder)?;
            }
            if cancelled {
                let done = format!("after step {step} of {steps}, with a checkpoint");
                return Err(TrainError::Stopped(done).into());
            }
        }
        if progress.state.zero_steps == steps {
            observer.warn(&format!(
                "the gradient was exactly zero in all {steps} steps, so that nothing was learned: no token of them was masked; mask a larger share"
            ));
        }
        // After the last checkpoint, so that a run that has ended does it again.
        let held_out = self.evaluate(progress, observer)?;
        progress.metrics.flush()?;
        Ok(held_out)
    }

    fn step(
        &mut self,
        progress: &mut Progress<B>,
        grads: &mut B::Arena,
        folder: &RunFolder,
    ) -> Result<StepReport> {
        let step = progress.state.step;
        let (score, tokens) = self.gradients(step, grads);
        let rate = self.settings.learning_rate * self.schedule.factor(step);
        let segments = self.groups.segments(rate);
        let rates = Rates {
            encoder: &segments,
            head: &[],
        };
        let backend = self.model.encoder().backend();
        let optimizer = &mut progress.optimizer;
        let norm = optimizer.gradient_norm(backend, grads, &[], &rates);
        if score.loss.is_finite() {
            let (backend, params) = self.model.encoder_mut().params_mut();
            let updated = Updated {
                params,
                grads,
                head: &mut vec![],
                head_grads: &[],
            };
            optimizer.step(backend, updated, &rates, &norm);
        }
        // A norm that is no number has changed nothing.
        let backend = self.model.encoder().backend();
        let norm = backend.norm(&norm);
        backend.check()?;
        if !(score.loss.is_finite() && norm.is_finite()) {
            return Err(self.not_finite(step + 1, score.loss, grads, folder));
        }
        progress.state.step += 1;
        progress.state.zero_steps += u64::from(norm == 0.0);
        progress.tokens += tokens;
        let elapsed = progress.began.elapsed().as_secs_f64().max(1e-9);
        let done = progress.state.step - progress.first_step;
        Ok(StepReport {
            step: step + 1,
            steps: self.plan.steps,
            loss: score.mean_loss(),
            masked_accuracy: score.accuracy(),
            learning_rate: rate,
            gradient_norm: norm,
            tokens_per_second: progress.tokens as f64 / elapsed,
            seconds_left: elapsed / done as f64 * (self.plan.steps - step - 1) as f64,
        })
    }

    /// Puts the gradients of a step's mean loss in `grads`; returns its score
    /// and number of tokens.
    pub(crate) fn gradients(&mut self, step: u64, grads: &mut B::Arena) -> (Score, usize) {
        let texts = self.batches.texts(&self.corpus, step).to_vec();
        let texts = self.masked(step, &texts);
        let encoder = self.model.encoder();
        encoder.backend().zero(grads);
        let masked: usize = texts.iter().map(|(text, _)| text.targets.len()).sum();
        let scale = 1.0 / masked.max(1) as f32;
        let dropout = Dropout::for_step(0.0, self.settings.seed, step);
        let (mut score, mut tokens) = (Score::default(), 0);
        for chunk in chunks(&texts, PASS_TOKENS) {
            let batch = self
                .model
                .pack(chunk.iter().map(|(text, stream)| (text, *stream)));
            tokens += batch.tokens();
            score += self.model.gradients(&batch, scale, Some(dropout), grads);
        }
        (score, tokens)
    }

    /// Texts as they are masked at a step, each with its own number.
    fn masked(&self, step: u64, texts: &[u32]) -> Vec<(Masked, u64)> {
        let masking = self.masking();
        let texts = texts.iter().map(|&text| {
            let ids = self.corpus.text(text);
            (masking.apply(step, u64::from(text), ids), u64::from(text))
        });
        texts.collect()
    }

    /// The score of the texts held out after so many steps, always under the
    /// same masks.
    pub(crate) fn score_held_out(&self, step: u64) -> HeldOut {
        let texts = self.masked(HELD_OUT_STEP, self.corpus.held_out());
        let mut score = Score::default();
        for chunk in chunks(&texts, PASS_TOKENS) {
            let batch = self
                .model
                .pack(chunk.iter().map(|(text, stream)| (text, *stream)));
            score += self.model.score(&batch);
        }
        HeldOut {
            step,
            loss: score.mean_loss(),
            masked_accuracy: score.accuracy(),
            masked: score.masked,
        }
    }

    fn evaluate(&self, progress: &mut Progress<B>, observer: &mut dyn Observer) -> Result<HeldOut> {
        let held_out = self.score_held_out(progress.state.step);
        self.model.encoder().backend().check()?;
        progress.metrics.write("evaluation", &held_out)?;
        observer.evaluated(&held_out);
        Ok(held_out)
    }

    fn checkpoint(&self, progress: &mut Progress<B>, folder: &RunFolder) -> Result<()> {
        progress.state.metrics_len = progress.metrics.flush()?;
        progress.state.events_len = progress.metrics.events_len();
        let encoder = self.model.encoder();
        let len = encoder.layout().len();
        let checkpoint = Checkpoint::take(
            progress.state.clone(),
            encoder.backend(),
            encoder.params(),
            len,
            &progress.optimizer,
            len,
            &[],
        );
        encoder.backend().check()?;
        checkpoint.write(&folder.checkpoints())?;
        progress.last_checkpoint = Instant::now();
        Ok(())
    }

    fn not_finite(
        &self,
        step: u64,
        loss: f64,
        grads: &B::Arena,
        folder: &RunFolder,
    ) -> crate::Error {
        let encoder = self.model.encoder();
        let layout = encoder.layout();
        let values = encoder.backend().read_arena(grads, 0..layout.len());
        let what = match values.iter().position(|g| !g.is_finite()) {
            _ if !loss.is_finite() => format!("the loss ({loss})"),
            Some(i) => format!("the gradient of `{}`", layout.name_at(i)),
            None => "the norm of the gradients".into(),
        };
        TrainError::NotFinite {
            stage: STAGE.into(),
            step,
            what,
            advice: folder.advice(),
        }
        .into()
    }
}
