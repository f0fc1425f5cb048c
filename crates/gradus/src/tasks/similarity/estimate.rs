//! How long a run will take.

use super::gradients::Gradients;
use super::run::Run;
use crate::Result;
use crate::recipe::Freeze;
use crate::training::optimizer::{Optimizer, Rates, Updated};
use crate::util::machine::free_memory;
use gradus_kernels::Backend;
use std::time::Instant;

impl<B: Backend> Run<B> {
    /// Puts into the plan how long the stages take: what they encode once, and
    /// their steps.
    ///
    /// # Errors
    /// As [`estimate_encoding`](Self::estimate_encoding).
    pub fn estimate(&mut self) -> Result<()> {
        self.estimate_encoding()?;
        self.estimate_steps()
    }

    /// Times a few steps per stage at a rate of 0, which leaves the model as it
    /// is, and puts the stages' expected durations into the plan. A stage that
    /// needs more memory than is free is not tried.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn estimate_steps(&mut self) -> Result<()> {
        const PASSES: u64 = 3;
        for s in 0..self.stages.len() {
            let stage = &self.stages[s];
            let free = free_memory().unwrap_or(u64::MAX);
            if stage.settings.freeze == Freeze::Encoder || stage.plan.memory_bytes > free {
                continue;
            }
            let head = stage
                .objective
                .initial_parameters(self.model.dim(), self.recipe.seed);
            let mut grads = Gradients {
                encoder: self.model.gradient_arena(),
                head: vec![0.0; head.len()],
            };
            let (adamw, clip) = (stage.settings.adamw, stage.settings.clip);
            let moments = self.moments(s);
            let mut optimizer = Optimizer::new(self.model.backend(), adamw, clip, moments, 0);
            let still = stage.groups.segments(0.0);
            let mut auxiliary = self.auxiliary(s)?;
            let mut order = None;
            let mut seconds = 0.0;
            for pass in 0..=PASSES {
                let stage = &self.stages[s];
                let started = Instant::now();
                let spread = pass * stage.plan.steps_per_epoch / (PASSES + 1);
                let examples = stage.examples(self.recipe.seed, s, spread, &mut order);
                let beside = auxiliary.as_mut();
                self.gradients((s, spread), &examples, &head, &mut grads, beside)?;
                let (rates, backend) = (
                    Rates {
                        encoder: &still,
                        head: &[],
                    },
                    self.model.shared_backend(),
                );
                let (_, params) = self.model.params_mut();
                let norm = optimizer.gradient_norm(&backend, &grads.encoder, &[], &rates);
                let updated = Updated {
                    params,
                    grads: &grads.encoder,
                    head: &mut vec![],
                    head_grads: &[],
                };
                optimizer.step(&backend, updated, &rates, &norm);
                if let Some(auxiliary) = &mut auxiliary {
                    auxiliary.step(0.0, &norm);
                }
                backend.norm(&norm);
                // The first pass warms caches up.
                if pass > 0 {
                    seconds += started.elapsed().as_secs_f64();
                }
            }
            self.plan.stages[s].seconds = Some(seconds / PASSES as f64 * stage.plan.steps as f64);
        }
        Ok(())
    }
}
