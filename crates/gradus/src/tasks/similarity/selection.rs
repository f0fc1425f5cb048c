//! Scoring the dev set in the course of a run, keeping the best model, and
//! handing it from stage to stage.

use super::DevEvaluation;
use super::card::card;
use super::progress::Progress;
use super::run::Run;
use crate::Result;
use crate::eval::Correlation;
use crate::format::{Provenance, Selection, TrainingRun};
use crate::nn::RegressionHead;
use crate::recipe::{Freeze, NextFrom};
use crate::training::events::{Observer, Standing};
use crate::training::{Checkpoint, RunFolder, State};
use gradus_kernels::Backend;
use std::time::Instant;

/// What the best model is the best by.
const SELECTED_BY: &str = "Spearman correlation of the cosines";

impl<B: Backend> Run<B> {
    /// Scores the dev set; keeps the model if it is the stage's best.
    pub(crate) fn evaluate(
        &mut self,
        progress: &mut Progress<B>,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let Some(dev) = &self.dev else { return Ok(()) };
        let s = progress.state.stage;
        let stage = &self.stages[s];
        let head = self.head(s, &progress.head);
        let evaluation = dev.evaluate(
            &self.model,
            head.as_ref(),
            &stage.settings.name,
            progress.state.step,
        );
        self.model.backend().check()?;
        let selects = stage.settings.freeze == Freeze::None;
        let state = &mut progress.state;
        let mut standing = Standing::Other;
        match (state.step, evaluation.spearman) {
            (0, spearman) => {
                state.stage_initial = spearman.value();
                if s == 0 {
                    state.initial = spearman.value();
                }
            }
            (_, Correlation::Value(score)) if selects => {
                if state.best.is_none_or(|best| score > best) {
                    state.best = Some(score);
                    state.best_step = state.step;
                    state.stale = 0;
                    let starts = [state.initial, state.stage_initial];
                    standing = match starts.iter().flatten().any(|start| score < *start) {
                        true => Standing::BelowStart,
                        false => Standing::Best,
                    };
                } else {
                    state.stale += 1;
                }
            }
            // A score that does not exist is no worse than the best.
            _ => {}
        }
        self.log_evaluation(progress, &evaluation)?;
        observer.evaluated(&evaluation, standing);
        if let (Correlation::Undefined(why), true) = (evaluation.spearman, selects) {
            observer.warn(&format!(
                "the score on {} at step {} is undefined, as {why}: nothing is selected by it",
                evaluation.dev, evaluation.step
            ));
        }
        if let Some(warning) = evaluation.geometry.collapse_warning() {
            observer.warn(&warning);
        }
        if standing != Standing::Other {
            self.save(progress, folder, observer)?;
        }
        Ok(())
    }

    pub(crate) fn head(&self, s: usize, parameters: &[f32]) -> Option<RegressionHead> {
        self.stages
            .get(s)
            .and_then(|stage| stage.objective.head(parameters, self.model.dim()))
    }

    pub(crate) fn save(
        &mut self,
        progress: &Progress<B>,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let head = self.head(progress.state.stage, &progress.head);
        self.model.set_head(head);
        let template = self.model.template();
        let card = card(&self.recipe, &self.plan, &progress.state, template);
        let provenance = self.provenance(&progress.state);
        let warn = &mut |message: &str| observer.warn(message);
        folder.save(&self.model, &card, &provenance, warn)
    }

    /// The training runs behind the model, this one first.
    fn provenance(&self, state: &State) -> Provenance {
        let selection = match (&self.plan.dev, state.best) {
            (Some(dev), Some(score)) => Some(Selection {
                dev: dev.clone(),
                metric: SELECTED_BY.to_string(),
                score,
                stage: self
                    .plan
                    .stages
                    .get(state.stage)
                    .map_or(String::new(), |stage| stage.name.clone()),
                step: state.best_step,
            }),
            _ => None,
        };
        let mut runs = vec![TrainingRun {
            model: self.plan.model.clone(),
            seed: self.recipe.seed,
            selection,
            overlap: self.plan.overlap.by_set(),
            not_compared: self.plan.overlap.not_compared.clone(),
        }];
        runs.extend(self.earlier.runs.iter().cloned());
        Provenance { runs }
    }

    /// Ends a stage: its best model, or its last, goes on to the next.
    pub(crate) fn hand_over(
        &mut self,
        progress: &mut Progress<B>,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        progress.auxiliary = None;
        let s = progress.state.stage;
        if let Some(warning) = without_gradient(&self.stages[s].settings.name, &progress.state) {
            observer.warn(&warning);
        }
        let last = s + 1 == self.stages.len();
        let selected = progress.state.best.is_some();
        if selected {
            if let (Some(initial), Some(best)) = (progress.state.initial, progress.state.best)
                && last
                && best < initial
            {
                observer.warn(&format!(
                    "no model of this run reaches the dev score before training: best {:.2}, before {:.2}",
                    100.0 * best,
                    100.0 * initial
                ));
            }
            if self.stages[s].settings.next_from == NextFrom::Best && !last {
                self.model.reload(&folder.model())?;
                if let Some(head) = self
                    .model
                    .head()
                    .filter(|h| h.values.len() == progress.head.len())
                {
                    progress.head = head.values.clone();
                }
            }
        } else {
            let selects = self.stages[s].settings.freeze == Freeze::None;
            if let (Some(dev), true) = (&self.dev, selects) {
                observer.warn(&format!(
                    "stage `{}`: no score on {} was defined, so that its last model is taken",
                    self.stages[s].settings.name, dev.name
                ));
            }
            if last {
                self.save(progress, folder, observer)?;
            }
        }
        if last {
            progress.state.stage += 1;
            // The run is over: a resumed process finds nothing left to do.
            progress.optimizer = self.optimizer(progress.state.stage);
            progress.moments = 0;
            progress.head = vec![];
            return self.checkpoint(progress, folder);
        }
        let carried = std::mem::replace(&mut progress.head, self.new_head(s + 1));
        if carried.len() == progress.head.len() {
            progress.head = carried;
        }
        progress.optimizer = self.optimizer(s + 1);
        progress.moments = self.moments(s + 1);
        progress.state = State {
            stage: s + 1,
            initial: progress.state.initial,
            fingerprint: self.fingerprint.clone(),
            inputs: self.inputs.clone(),
            ..State::default()
        };
        self.checkpoint(progress, folder)
    }

    pub(crate) fn checkpoint(&self, progress: &mut Progress<B>, folder: &RunFolder) -> Result<()> {
        progress.state.metrics_len = progress.metrics.flush()?;
        progress.state.events_len = progress.metrics.events_len();
        let checkpoint = Checkpoint::take(
            progress.state.clone(),
            self.model.backend(),
            self.model.params(),
            self.model.layout().len(),
            &progress.optimizer,
            progress.moments,
            &progress.head,
        );
        let checkpoint = match &progress.auxiliary {
            Some(auxiliary) => checkpoint.with_discriminator(auxiliary.values()),
            None => checkpoint,
        };
        self.model.backend().check()?;
        checkpoint.write(&folder.checkpoints())?;
        progress.last_checkpoint = Instant::now();
        let over = progress.state.stage == self.stages.len();
        let state = &progress.state;
        progress.recorder.write(folder.root(), state, over)
    }

    pub(crate) fn log_evaluation(
        &self,
        progress: &mut Progress<B>,
        evaluation: &DevEvaluation,
    ) -> Result<()> {
        progress.metrics.write("evaluation", evaluation)?;
        progress.metrics.flush().map(|_| ())
    }
}

/// What to say of a stage where all or most steps had a gradient of exactly zero.
fn without_gradient(stage: &str, state: &State) -> Option<String> {
    let (zero, steps) = (state.zero_steps, state.step);
    if zero == 0 || 2 * zero < steps {
        return None;
    }
    Some(if zero == steps {
        format!(
            "stage `{stage}`: the gradient was exactly zero in all {steps} steps, so that nothing was learned: every pair already lies where its loss is 0, or no batch holds examples that differ; look at the objective's settings and at the data"
        )
    } else {
        format!(
            "stage `{stage}`: the gradient was exactly zero in {zero} of {steps} steps, which taught nothing"
        )
    })
}
