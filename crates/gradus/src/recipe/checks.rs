//! What the settings of a recipe alone say of it, before any data is read.

use super::bounds::within;
use super::stages::{own_name, refused, some_sources, some_stages};
use super::{Freeze, Recipe, Stage};
use crate::losses::{Form, Objective, Projection, TrainingSet};
use crate::training::TrainError;
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
        some_stages(path, &self.stages)?;
        if self.template.is_some() && self.pooling.is_some() {
            let both = "`pooling` and `template` both say what the vector is: keep one";
            return Err(refused(path, both));
        }
        if self.prompt.is_some() && self.prompt_text.is_some() {
            let both = "`prompt` and `prompt_text` both say what goes before texts: keep one";
            return Err(refused(path, both));
        }
        for (i, stage) in self.stages.iter().enumerate() {
            let before = self.stages[..i].iter().map(|s| &*s.name);
            own_name(path, before, &stage.name)?;
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

    fn check(&self) -> Result<(), String> {
        self.pace().check()?;
        within(
            "head_learning_rate",
            self.head_learning_rate.unwrap_or(1.0),
            f64::MIN_POSITIVE,
            10.0,
        )?;
        within("views", self.views as f64, 1.0, 2.0)?;
        some_sources(&self.train)?;
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
