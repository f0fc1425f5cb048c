//! What changes while a run goes on: at its start, and as a checkpoint left it.

use super::run::Run;
use crate::Result;
use crate::recipe::Freeze;
use crate::tasks::diffcse::auxiliary::Auxiliary;
use crate::training::metrics::Metrics;
use crate::training::record::Recorder;
use crate::training::{Checkpoint, Optimizer, RunFolder, State, TrainError};
use gradus_kernels::Backend;
use gradus_kernels::dropout::mix64;
use std::time::Instant;

/// What changes while a run goes on.
pub(crate) struct Progress<B: Backend> {
    pub state: State,
    pub optimizer: Optimizer<B>,
    /// How many of the model's parameters the stage keeps moments for.
    pub moments: usize,
    pub head: Vec<f32>,
    /// What the stage under way trains beside the model, once it began.
    pub auxiliary: Option<Auxiliary<B>>,
    pub metrics: Metrics,
    pub last_checkpoint: Instant,
    pub recorder: Recorder,
}

impl<B: Backend> Run<B> {
    /// Before the first step.
    pub(crate) fn at_start(&self, folder: &RunFolder) -> Result<Progress<B>> {
        let state = State {
            fingerprint: self.fingerprint.clone(),
            inputs: self.inputs.clone(),
            ..State::default()
        };
        Ok(Progress {
            state,
            optimizer: self.optimizer(0),
            moments: self.moments(0),
            head: self.new_head(0),
            auxiliary: None,
            metrics: Metrics::open(folder, 0, 0)?,
            last_checkpoint: Instant::now(),
            recorder: Recorder::new(folder.root(), &self.plan),
        })
    }

    pub(crate) fn moments(&self, stage: usize) -> usize {
        match self.stages.get(stage).map(|s| s.settings.freeze) {
            Some(Freeze::None) => self.model.layout().len(),
            _ => 0,
        }
    }

    pub(crate) fn optimizer(&self, stage: usize) -> Optimizer<B> {
        let (settings, clip, head) = match self.stages.get(stage) {
            Some(s) => (
                s.settings.adamw,
                s.settings.clip,
                self.new_head(stage).len(),
            ),
            None => Default::default(),
        };
        Optimizer::new(
            self.model.backend(),
            settings,
            clip,
            self.moments(stage),
            head,
        )
    }

    /// A stage's head at its start, where no stage before it hands one on: the
    /// first stage goes on with a head of the same kind that came with the
    /// model.
    pub(crate) fn new_head(&self, s: usize) -> Vec<f32> {
        let Some(stage) = self.stages.get(s) else {
            return vec![];
        };
        let fresh = stage
            .objective
            .initial_parameters(self.model.dim(), mix64(self.recipe.seed ^ s as u64));
        match (&self.given_head, self.head(s, &fresh)) {
            (Some(given), Some(own))
                if s == 0
                    && given.values.len() == fresh.len()
                    && (given.features, given.outputs) == (own.features, own.outputs) =>
            {
                given.values.clone()
            }
            _ => fresh,
        }
    }

    pub(crate) fn resume(
        &mut self,
        folder: &RunFolder,
        mut checkpoint: Checkpoint,
    ) -> Result<Progress<B>> {
        let fail = |message: &str| TrainError::Folder {
            path: folder.root().to_path_buf(),
            message: message.to_owned(),
        };
        let state = checkpoint.state.clone();
        if state.fingerprint != self.fingerprint {
            return Err(fail(
                "the training data changed since this run began; restore it, or start a new run",
            )
            .into());
        }
        self.inputs.check(&state.inputs, folder.root())?;
        let mut progress = Progress {
            optimizer: self.optimizer(state.stage),
            moments: self.moments(state.stage),
            head: vec![],
            auxiliary: None,
            metrics: Metrics::open(folder, state.metrics_len, state.events_len)?,
            last_checkpoint: Instant::now(),
            recorder: Recorder::new(folder.root(), &self.plan),
            state,
        };
        let head = self.new_head(progress.state.stage).len();
        let unfit = || fail("the checkpoint does not fit the recipe's model; start a new run");
        // A stage that has not begun has no values of it.
        if progress.state.step > 0
            && let Some(mut auxiliary) = self.auxiliary(progress.state.stage)?
        {
            let values = checkpoint.discriminator();
            let steps = progress.state.step;
            if !values.is_some_and(|v| auxiliary.restore(v, steps)) {
                return Err(unfit().into());
            }
            progress.auxiliary = Some(auxiliary);
        }
        if progress.state.stage > self.stages.len()
            || !checkpoint.fits(self.model.layout().len(), progress.moments, head)
        {
            return Err(unfit().into());
        }
        let (backend, params) = self.model.params_mut();
        checkpoint.restore(backend, params, &mut progress.optimizer, &mut progress.head);
        Ok(progress)
    }
}
