//! What a stage minimises: built by its recipe, or the caller's own.

use super::Similarity;
use super::examples::Examples;
use super::learnable::check_batches;
use crate::Result;
use crate::losses::{ExampleTexts, Objective, Projected, TrainingSet, WeightedSum};
use crate::recipe::{Freeze, Stage};
use crate::training::TrainError;
use gradus_kernels::Backend;

/// The stage's objectives, summed, behind its projection.
pub(super) fn build(
    settings: &Stage,
    examples: &Examples,
    dim: usize,
) -> Result<Box<dyn Objective>> {
    let fail = |source| TrainError::Objective {
        stage: settings.name.clone(),
        source,
    };
    let weights: Vec<f64> = settings.teachers.iter().map(|t| t.weight).collect();
    let data = TrainingSet {
        labels: &examples.labels,
        weights: &examples.weights,
        columns: examples.columns,
        teachers: &weights,
    };
    let mut parts = vec![];
    for config in settings.objectives() {
        let part = config.build(data).map_err(fail)?;
        parts.push((config.weight, part));
    }
    let alone = parts.len() == 1 && parts[0].0 == 1.0;
    let objective: Box<dyn Objective> = match parts.pop() {
        Some((_, only)) if alone => only,
        last => {
            parts.extend(last);
            Box::new(WeightedSum::new(parts).map_err(fail)?)
        }
    };
    let objective = match settings.projection {
        // A projection that is kept is a module of the model already.
        Some(projection) if !settings.keep_projection => {
            Box::new(Projected::new(projection, objective))
        }
        _ => objective,
    };
    let texts = ExampleTexts {
        columns: examples.columns,
        texts: &examples.rows,
    };
    check(settings, texts, &*objective, dim)?;
    if settings.views < 2 && examples.columns > 1 {
        let message = "`views` is for sources with `rows = \"texts\"`; leave it out";
        return Err(refused(settings, message));
    }
    Ok(objective)
}

fn refused(settings: &Stage, message: impl Into<String>) -> crate::Error {
    let (stage, message) = (settings.name.clone(), message.into());
    TrainError::Stage { stage, message }.into()
}

/// Whether an objective fits the stage, its examples, and a model whose vectors have
/// width `dim`.
fn check(
    settings: &Stage,
    texts: ExampleTexts<'_>,
    objective: &dyn Objective,
    dim: usize,
) -> Result<()> {
    let invalid = |message: String| Err(refused(settings, message));
    objective.check(dim).map_err(|source| {
        let stage = settings.name.clone();
        TrainError::Objective { stage, source }
    })?;
    if settings.freeze == Freeze::Encoder && objective.decayed(dim).is_empty() {
        return invalid(
            "with `freeze = \"encoder\"` nothing is trained: its objective has no parameters"
                .into(),
        );
    }
    check_batches(settings, texts, objective).or_else(invalid)?;
    if settings.buffer.is_some() && !objective.uses_memory() {
        return invalid("no objective of it takes negatives from `buffer`; remove it".into());
    }
    match (objective.teachers(), settings.teachers.len()) {
        // A buffer asks them for false negatives.
        (0, 1..) if settings.buffer.is_some() => {}
        (0, 1..) => {
            return invalid("no objective of it learns from `teachers`; remove them".into());
        }
        (wanted, there) if wanted > there => {
            return invalid(format!(
                "its objective learns from {wanted} teachers, and `teachers` names {there}"
            ));
        }
        _ => {}
    }
    match (objective.columns(), texts.columns) {
        (wanted, there) if wanted == there => Ok(()),
        (2, 3..) => invalid("its objective takes pairs, its sources give triplets".into()),
        (wanted, there) => invalid(format!(
            "its objective takes {wanted} texts an example, its sources give {there}"
        )),
    }
}

/// All that the stage minimises, in one line.
pub(super) fn describe(settings: &Stage, objective: &dyn Objective) -> String {
    let difference = settings.difference.as_ref().map(|d| d.describe());
    let parts = std::iter::once(objective.describe()).chain(difference);
    parts.collect::<Vec<_>>().join(" + ")
}

impl<B: Backend> Similarity<B> {
    /// Puts an objective of the caller's own in the place of the one that the recipe
    /// describes for a stage. The recipe's still says whether the sources are read with
    /// grades.
    ///
    /// Plan and model card have its [`Objective::describe`]. A stopped run goes on only
    /// with an objective of the same description.
    ///
    /// # Errors
    /// Where the recipe has no such stage, or the objective does not fit its examples
    /// or the model.
    pub fn replace_objective(&mut self, stage: &str, objective: Box<dyn Objective>) -> Result<()> {
        let mut stages = self.stages.iter_mut().zip(&mut self.plan.stages);
        let Some((prepared, plan)) = stages.find(|(s, _)| s.settings.name == stage) else {
            let names = self.recipe.stages.iter().map(|s| format!("`{}`", s.name));
            let names = names.collect::<Vec<_>>().join(", ");
            let message = format!("the recipe has no such stage; it has {names}");
            let stage = stage.to_owned();
            return Err(TrainError::Stage { stage, message }.into());
        };
        let (settings, dim) = (&prepared.settings, self.model.dim());
        let texts = ExampleTexts {
            columns: prepared.columns,
            texts: &prepared.rows,
        };
        check(settings, texts, &*objective, dim)?;
        let parameters = objective.initial_parameters(dim, 0).len();
        let decayed = objective.decayed(dim).len();
        if parameters != decayed {
            let message = format!(
                "its objective has {parameters} parameters, and says of {decayed} whether they decay"
            );
            return Err(refused(settings, message));
        }
        let described = describe(settings, &*objective);
        let what = format!("the objective of stage `{stage}`");
        self.inputs.add(&what, described.clone());
        (prepared.plan.objective, plan.objective) = (described.clone(), described);
        prepared.objective = objective;
        Ok(())
    }
}
