//! What the settings of a recipe alone say of it, before any data is read.

use super::{Freeze, Recipe, Stage};
use crate::losses::{Form, Objective, Projection, TrainingSet};
use crate::training::{AdamW, Schedule, ScheduleKind, TrainError};
use std::path::Path;

impl Recipe {
    /// Checks the settings, as reading a recipe does; files and models are not looked
    /// at.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] or [`TrainError::Stage`], naming the setting and its
    /// bounds.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.validate_at(Path::new("recipe"))
    }

    /// The same of the recipe in a file.
    pub(crate) fn validate_at(&self, path: &Path) -> Result<(), TrainError> {
        let fail = |message: String| {
            let path = path.to_path_buf();
            Err(TrainError::Recipe { path, message })
        };
        if self.stages.is_empty() {
            return fail("there is no [[stage]]".into());
        }
        if self.template.is_some() && self.pooling.is_some() {
            return fail("`pooling` and `template` both say what the vector is: keep one".into());
        }
        if self.prompt.is_some() && self.prompt_text.is_some() {
            return fail(
                "`prompt` and `prompt_text` both say what goes before texts: keep one".into(),
            );
        }
        for (i, stage) in self.stages.iter().enumerate() {
            if self.stages[..i].iter().any(|s| s.name == stage.name) {
                return fail(format!("two stages are called `{}`", stage.name));
            }
            if i > 0 && stage.keep_projection {
                let (stage, message) = (stage.name.clone(), "`keep_projection` belongs into the first stage: the model has the module from there on".into());
                return Err(TrainError::Stage { stage, message });
            }
            stage.validate()?;
        }
        Ok(())
    }
}

impl Stage {
    /// Checks the settings; files and models are not looked at.
    ///
    /// # Errors
    /// [`TrainError::Stage`], naming the setting and its bounds.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.check().map_err(|message| TrainError::Stage {
            stage: self.name.clone(),
            message,
        })
    }

    pub(crate) fn pace(&self) -> StagePace<'_> {
        StagePace {
            epochs: self.epochs,
            steps: self.steps,
            batch: self.batch,
            accumulate: self.accumulate,
            chunk_tokens: self.chunk_tokens,
            learning_rate: self.learning_rate,
            schedule: self.schedule,
            warmup: self.warmup,
            weight_decay: self.weight_decay,
            layer_decay: self.layer_decay,
            clip: self.clip,
            dropout: self.dropout,
            adamw: &self.adamw,
        }
    }

    fn check(&self) -> Result<(), String> {
        self.pace().check()?;
        within(
            "head_learning_rate",
            self.head_learning_rate.unwrap_or(1.0),
            f64::MIN_POSITIVE,
            10.0,
        )?;
        within("views", self.views as f64, 1.0, 2.0)?;
        if self.train.is_empty() {
            return Err("`train` names no source".into());
        }
        check_templates(self)?;
        match (self.keep_projection, self.projection) {
            (false, _) => {}
            (true, Some(Projection::Mlp)) if self.freeze == Freeze::None => {}
            (true, Some(Projection::Mlp)) => {
                return Err("`keep_projection` needs an encoder that is not frozen".into());
            }
            (true, Some(Projection::BatchNorm)) => {
                return Err("`keep_projection` is for `projection = \"mlp\"`: what batch norm makes of a text depends on its batch".into());
            }
            (true, None) => {
                return Err("`keep_projection` is set without `projection = \"mlp\"`".into());
            }
        }
        let alone = self.also.is_empty();
        let on_cosine = matches!(self.objective.loss.form(), Some(Form::Cosine(_)));
        if self.freeze == Freeze::Encoder && alone && on_cosine {
            return Err(
                "the cosine form has no head: with `freeze = \"encoder\"` nothing is trained"
                    .into(),
            );
        }
        if let Some(difference) = &self.difference {
            difference.check()?;
            if self.freeze == Freeze::Encoder {
                return Err(
                    "`difference` trains the encoder: it does not go with `freeze = \"encoder\"`"
                        .into(),
                );
            }
        }
        if let Some(buffer) = &self.buffer {
            buffer.check(self)?;
        }
        if let Some(rate) = self.repetition {
            within("repetition", rate, f64::MIN_POSITIVE, 1.0)?;
            check_repetition(self)?;
        }
        if let Some(settings) = &self.self_distillation {
            settings.check()?;
            if self.freeze == Freeze::Encoder {
                return Err("`self_distillation` trains the encoder: it does not go with `freeze = \"encoder\"`".into());
            }
        }
        for teacher in &self.teachers {
            within("teachers.weight", teacher.weight, f64::MIN_POSITIVE, 1e9)?;
        }
        // Its settings alone; what depends on the data shows when that is read.
        let weights: Vec<f64> = self.teachers.iter().map(|t| t.weight).collect();
        let data = TrainingSet {
            labels: &[0.0, 1.0],
            weights: &[1.0, 1.0],
            columns: self.views,
            teachers: &weights,
        };
        for objective in self.objectives() {
            let built = objective.build(data);
            let built = built.map_err(|e| format!("objective: {e}"))?;
            check_batch_size(self, &*built)?;
        }
        Ok(())
    }
}

/// Whether a setting lies within its bounds; a `low` of the least positive number
/// stands for 0, which is not within.
fn within(name: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&value) {
        Ok(())
    } else if low == f64::MIN_POSITIVE {
        Err(format!(
            "`{name}` is {value}, it must lie above 0 and not above {high}"
        ))
    } else {
        Err(format!(
            "`{name}` is {value}, it must lie in [{low}, {high}]"
        ))
    }
}

/// The settings of a stage that say how it steps, whatever is trained.
pub(crate) struct StagePace<'a> {
    pub epochs: Option<f64>,
    pub steps: Option<u64>,
    pub batch: usize,
    pub accumulate: usize,
    pub chunk_tokens: Option<usize>,
    pub learning_rate: f64,
    pub schedule: ScheduleKind,
    pub warmup: f64,
    pub weight_decay: f64,
    pub layer_decay: f64,
    pub clip: Option<f64>,
    pub dropout: Option<f32>,
    pub adamw: &'a AdamW,
}

/// How many steps a stage has.
pub(crate) struct StageSteps {
    pub per_epoch: u64,
    pub steps: u64,
    pub warmup: u64,
    pub schedule: Schedule,
}

impl StagePace<'_> {
    pub fn check(&self) -> Result<(), String> {
        within("learning_rate", self.learning_rate, f64::MIN_POSITIVE, 10.0)?;
        within("warmup", self.warmup, 0.0, 1.0)?;
        within("weight_decay", self.weight_decay, 0.0, 1.0)?;
        within("layer_decay", self.layer_decay, 0.01, 1.0)?;
        within("clip", self.clip.unwrap_or(1.0), f64::MIN_POSITIVE, 1e9)?;
        within("dropout", f64::from(self.dropout.unwrap_or(0.0)), 0.0, 0.99)?;
        within("batch", self.batch as f64, 1.0, 65536.0)?;
        let chunk = self.chunk_tokens.unwrap_or(1);
        within("chunk_tokens", chunk as f64, 1.0, 1e12)?;
        within("accumulate", self.accumulate as f64, 1.0, 65536.0)?;
        within("adamw.beta1", self.adamw.beta1, 0.0, 0.999_999)?;
        within("adamw.beta2", self.adamw.beta2, 0.0, 0.999_999_9)?;
        within("adamw.eps", self.adamw.eps, 0.0, 1.0)?;
        match (self.epochs, self.steps) {
            (Some(_), Some(_)) => Err("give `epochs` or `steps`, not both".into()),
            (None, None) => Err("give `epochs` or `steps`".into()),
            (Some(epochs), None) => within("epochs", epochs, 1e-6, 1e6),
            (None, Some(steps)) => within("steps", steps as f64, 1.0, 1e12),
        }
    }

    /// The steps over so many examples.
    pub fn steps_over(&self, examples: usize) -> StageSteps {
        let per_epoch = examples.div_ceil(self.batch * self.accumulate) as u64;
        let of_epochs = |epochs: f64| (epochs * per_epoch as f64).ceil().max(1.0) as u64;
        let steps = self
            .steps
            .unwrap_or_else(|| of_epochs(self.epochs.unwrap_or(1.0)));
        let warmup = (self.warmup * steps as f64).round() as u64;
        StageSteps {
            per_epoch,
            steps,
            warmup,
            schedule: Schedule::new(self.schedule, warmup, steps),
        }
    }
}

/// Refuses templates where nothing would be trained through them.
fn check_templates(stage: &Stage) -> Result<(), String> {
    let set = stage.second_template.is_some() || stage.denoise.is_some();
    match stage.freeze {
        Freeze::Encoder if set => Err(
            "`second_template` and `denoise` mean nothing with `freeze = \"encoder\"`: its texts are encoded once, as the model does".into(),
        ),
        _ => Ok(()),
    }
}

/// Refuses repetition where there is no second view to repeat tokens in.
fn check_repetition(stage: &Stage) -> Result<(), String> {
    if stage.views < 2 {
        return Err(
            "`repetition` makes the second view of a text, and `views` is 1: leave one of them out"
                .into(),
        );
    }
    let others = [
        ("freeze = \"encoder\"", stage.freeze == Freeze::Encoder),
        ("second_template", stage.second_template.is_some()),
        ("difference", stage.difference.is_some()),
    ];
    match others.iter().find(|(_, set)| *set) {
        Some((other, _)) => Err(format!(
            "`repetition` does not go with `{other}`: leave one of them out"
        )),
        None => Ok(()),
    }
}

/// The sizes of the batches that meet the objective.
pub(crate) struct BatchSizes {
    /// Of a full one, or of all examples where there are fewer.
    pub largest: usize,
    /// Of the last one of an epoch.
    pub last: usize,
}

impl BatchSizes {
    /// Where the encoder is frozen, the examples of a step are one batch.
    pub fn of(settings: &Stage, examples: usize) -> Self {
        let a_step = settings.batch * settings.accumulate;
        let batch = match settings.freeze {
            Freeze::Encoder => a_step,
            Freeze::None => settings.batch,
        };
        let rest = |of: usize, by: usize| match of % by {
            0 => by,
            rest => rest,
        };
        Self {
            largest: batch.min(examples),
            last: rest(rest(examples, a_step).min(examples), batch).min(examples),
        }
    }
}

/// Whether a full batch has as many examples as the objective compares.
///
/// # Errors
/// How many it needs.
pub(crate) fn check_batch_size(settings: &Stage, objective: &dyn Objective) -> Result<(), String> {
    let least = objective.min_batch();
    if BatchSizes::of(settings, usize::MAX).largest >= least {
        return Ok(());
    }
    Err(format!(
        "{} compares the examples of a batch: with `batch = {}` it learns nothing, as `accumulate` does not join batches; set `batch` to at least {least}",
        objective.describe(),
        settings.batch
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_steps() {
        let text = "name = 'a'\ntrain = [{ path = 'a.tsv' }]\nobjective = { loss = 'mse' }\n\
                    steps = 1\nlearning_rate = 1.0\n";
        for batch in 1..6 {
            for accumulate in 1..4 {
                for n in 1usize..40 {
                    let text = format!("{text}batch = {batch}\naccumulate = {accumulate}");
                    let stage: Stage = toml::from_str(&text).unwrap();
                    let examples: Vec<usize> = (0..n).collect();
                    let steps = examples.chunks(batch * accumulate);
                    let sizes: Vec<usize> = steps
                        .flat_map(|step| step.chunks(batch).map(<[usize]>::len))
                        .collect();
                    let found = BatchSizes::of(&stage, n);
                    let what = (batch, accumulate, n);
                    assert_eq!(Some(&found.largest), sizes.iter().max(), "{what:?}");
                    assert_eq!(Some(&found.last), sizes.last(), "{what:?}");
                }
            }
        }
    }
}
