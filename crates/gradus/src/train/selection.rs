//! Scoring the dev set in the course of a run, keeping the best model, and
//! handing it from stage to stage.

use super::card::card;
use super::events::Observer;
use super::progress::Progress;
use super::run::Run;
use super::{Checkpoint, DevEvaluation, Freeze, NextFrom, RunFolder, State};
use crate::Result;
use crate::model::{Provenance, RegressionHead, Selection, TrainingRun};
use gradus_kernels::Backend;
use std::time::Instant;

/// What the best model is the best by.
const SELECTED_BY: &str = "Spearman correlation of the cosines";

impl<B: Backend> Run<B> {
    /// Scores the dev set; keeps the model if it is the stage's best.
    pub(super) fn evaluate(
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
        let score = evaluation.spearman.value();
        let mut best = false;
        if progress.state.step == 0 {
            if s == 0 {
                progress.state.initial = score;
            }
        } else if stage.settings.freeze == Freeze::None {
            best = score.is_some_and(|score| progress.state.best.is_none_or(|b| score > b));
            if best {
                progress.state.best = score;
                progress.state.best_step = progress.state.step;
                progress.state.stale = 0;
            } else {
                progress.state.stale += 1;
            }
        }
        self.log_evaluation(progress, &evaluation)?;
        observer.evaluated(&evaluation, best);
        if let Some(warning) = evaluation.geometry.collapse_warning() {
            observer.warn(&warning);
        }
        if best {
            self.save(progress, folder, observer)?;
        }
        Ok(())
    }

    pub(super) fn head(&self, s: usize, parameters: &[f32]) -> Option<RegressionHead> {
        self.stages
            .get(s)
            .and_then(|stage| stage.objective.head(parameters, self.model.dim()))
    }

    pub(super) fn save(
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
    pub(super) fn hand_over(
        &mut self,
        progress: &mut Progress<B>,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        progress.auxiliary = None;
        let s = progress.state.stage;
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
        } else if last {
            self.save(progress, folder, observer)?;
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

    pub(super) fn checkpoint(&self, progress: &mut Progress<B>, folder: &RunFolder) -> Result<()> {
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
        checkpoint.write(&folder.checkpoints())?;
        progress.last_checkpoint = Instant::now();
        let over = progress.state.stage == self.stages.len();
        let state = &progress.state;
        progress.recorder.write(folder.root(), state, over)
    }

    pub(super) fn log_evaluation(
        &self,
        progress: &mut Progress<B>,
        evaluation: &DevEvaluation,
    ) -> Result<()> {
        progress.metrics.write("evaluation", evaluation)?;
        progress.metrics.flush().map(|_| ())
    }
}
