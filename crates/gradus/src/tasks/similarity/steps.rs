//! The steps of a stage: batches in, updates out.

use super::frozen::Frozen;
use super::gradients::Gradients;
use super::progress::Progress;
use super::run::Run;
use crate::Result;
use crate::recipe::Freeze;
use crate::tasks::diffcse::DifferenceReport;
use crate::tasks::diffcse::auxiliary::Auxiliary;
use crate::training::events::{Observer, StepReport};
use crate::training::optimizer::{Rates, Updated};
use crate::training::{RunFolder, TrainError};
use gradus_kernels::dropout::mix64;
use gradus_kernels::{AdamWSegment, Backend};
use serde::Serialize;
use std::time::Instant;

/// What the steps of a stage share.
struct Workspace<B: Backend> {
    /// The texts' vectors where the encoder is frozen.
    vectors: Option<Frozen>,
    grads: Gradients<B>,
    /// The order of the epoch under way.
    order: Option<(u64, Vec<u32>)>,
    began: Instant,
    /// Examples seen since then.
    seen: usize,
}

impl<B: Backend> Run<B> {
    /// Trains the stage under way to its end.
    pub(crate) fn stage(
        &mut self,
        progress: &mut Progress<B>,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let s = progress.state.stage;
        let config = self.model.config();
        let own = (config.hidden_dropout, config.attention_dropout);
        let (hidden, attention) = self.stages[s].settings.dropout.map_or(own, |p| (p, p));
        self.model.set_dropout(hidden, attention);
        observer.stage(s, progress.state.step);
        if progress.state.step == 0 {
            self.evaluate(progress, folder, observer)?;
        }
        self.ask_teachers(s, observer)?;
        let frozen = self.stages[s].settings.freeze == Freeze::Encoder;
        let mut workspace = Workspace {
            vectors: match frozen {
                true => Some(Frozen::new(&self.stages[s], &self.model, observer)?),
                false => None,
            },
            grads: Gradients {
                encoder: match frozen {
                    true => self.model.backend().arena(vec![]),
                    false => self.model.gradient_arena(),
                },
                head: vec![0.0; progress.head.len()],
            },
            order: None,
            began: Instant::now(),
            seen: 0,
        };
        if progress.auxiliary.is_none() {
            progress.auxiliary = self.auxiliary(s)?;
        }
        workspace.began = Instant::now();
        let plan = &self.stages[s].plan;
        let (steps, every) = (plan.steps, plan.evaluate_every);
        let due =
            |every: Option<u64>, step: u64| every.is_some_and(|n| step.is_multiple_of(n.max(1)));
        while progress.state.step < steps {
            let report = self.step(progress, &mut workspace, folder)?;
            observer.step(&report);
            let (step, last) = (report.step, report.step == steps);
            if last || due(Some(self.recipe.log_every), step) {
                self.log_step(progress, &report)?;
            }
            if last || due(every, step) {
                self.evaluate(progress, folder, observer)?;
                let (stale, patience) = (progress.state.stale, self.recipe.evaluation.patience);
                if !last && patience.is_some_and(|p| stale >= p) {
                    observer.note(&format!(
                        "stopping early: no new best in {stale} evaluations"
                    ));
                    break;
                }
            }
            let by_time =
                progress.last_checkpoint.elapsed().as_secs() >= self.recipe.checkpoint_seconds;
            let cancelled = !last && observer.cancelled();
            if !last && (by_time || cancelled || due(self.recipe.checkpoint_steps, step)) {
                self.checkpoint(progress, folder)?;
            }
            if cancelled {
                let name = &self.stages[s].settings.name;
                return Err(TrainError::Stopped(format!(
                    "after step {step} of {steps} of stage `{name}`, with a checkpoint"
                ))
                .into());
            }
        }
        Ok(())
    }

    /// Takes one optimizer step.
    fn step(
        &mut self,
        progress: &mut Progress<B>,
        workspace: &mut Workspace<B>,
        folder: &RunFolder,
    ) -> Result<StepReport> {
        let (s, step) = (progress.state.stage, progress.state.step);
        let Workspace {
            vectors,
            grads,
            order,
            began,
            seen,
        } = workspace;
        let examples = self.stages[s].examples(self.recipe.seed, s, step, order);
        let (head, auxiliary) = (&progress.head, progress.auxiliary.as_mut());
        let loss = match &vectors {
            Some(vectors) => self.head_gradients(s, &examples, vectors, head, grads),
            None => self.gradients((s, step), &examples, head, grads, auxiliary),
        }?;
        let (stage, frozen) = (&self.stages[s], vectors.is_some());
        let (settings, factor) = (&stage.settings, stage.schedule.factor(step));
        let rate = settings.learning_rate * factor;
        let head_rate = settings.head_learning_rate.map_or(rate, |r| r * factor);
        let encoder = match frozen {
            true => vec![],
            false => stage.groups.segments(rate),
        };
        let decayed = stage.objective.decayed(self.model.dim());
        let rates = Rates {
            encoder: &encoder,
            head: &head_segments(&decayed, head_rate, settings.weight_decay),
        };
        let (backend, optimizer) = (self.model.backend(), &progress.optimizer);
        let norm = optimizer.gradient_norm(backend, &grads.encoder, &grads.head, &rates);
        // One norm for all that is trained.
        let norm = match &progress.auxiliary {
            Some(auxiliary) => backend.joint_norm(&norm, &auxiliary.gradient_norm()),
            None => norm,
        };
        if loss.is_finite() {
            if let Some(auxiliary) = &mut progress.auxiliary {
                auxiliary.step(rate, &norm);
            }
            let (backend, params) = self.model.params_mut();
            let updated = Updated {
                params,
                grads: &grads.encoder,
                head: &mut progress.head,
                head_grads: &grads.head,
            };
            progress.optimizer.step(backend, updated, &rates, &norm);
        }
        // Read when all of the step is under way; one that is no number has
        // changed nothing.
        let backend = self.model.backend();
        let norm = backend.norm(&norm);
        backend.check()?;
        if !(loss.is_finite() && norm.is_finite()) {
            let auxiliary = progress.auxiliary.as_ref();
            let own = (!frozen).then_some(&grads.encoder);
            return Err(self.not_finite(s, step + 1, loss, own, auxiliary, folder));
        }
        progress.state.step += 1;
        progress.state.zero_steps += u64::from(norm == 0.0);
        *seen += examples.len();
        Ok(StepReport {
            stage: s,
            step: step + 1,
            steps: stage.plan.steps,
            loss,
            gradient_norm: norm,
            learning_rate: head_rate.max(rate),
            pairs: examples.len(),
            pairs_per_second: *seen as f64 / began.elapsed().as_secs_f64().max(1e-9),
            difference: progress.auxiliary.as_ref().map(|a| a.score().report()),
        })
    }

    /// The networks that a stage trains beside the model, at their start.
    pub(crate) fn auxiliary(&self, s: usize) -> Result<Option<Auxiliary<B>>> {
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

    pub(crate) fn not_finite(
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

    pub(crate) fn log_step(&self, progress: &mut Progress<B>, report: &StepReport) -> Result<()> {
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
