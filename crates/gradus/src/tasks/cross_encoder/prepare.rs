//! A recipe made ready: everything is read, checked and counted before any training.

use super::CrossEncoding;
use super::dev::{CrossDevSet, DevRows};
use super::stage::{Prepared, read};
use crate::Result;
use crate::format::Provenance;
use crate::losses::{ScoreLoss, ScoreUnit};
use crate::models::{CrossEncoder, ScoreActivation};
use crate::recipe::{CrossEncoderRecipe, NextFrom, SelectionMetric};
use crate::tasks::similarity::{RunOptions, TrainingPlan, Watch, check_memory};
use crate::training::{RunInputs, StageOutline, TrainError};
use crate::util::Observer;
use crate::util::content_hash::hex;
use gradus_kernels::Backend;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Of what the metric chooses the best model.
const SELECTED_BY: &str = "score";

impl<B: Backend> CrossEncoding<B> {
    /// Loads the model from `model_folder`, reads and tokenises all data, builds
    /// every loss and counts every step.
    ///
    /// # Errors
    /// Anything wrong with the recipe, its data or its model is found here.
    pub fn prepare(
        recipe: CrossEncoderRecipe,
        model_folder: &Path,
        backend: B,
        options: &RunOptions,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        recipe.validate()?;
        observer.note("reading and tokenising the data");
        let from = (&*options.base_dir, &options.data_root);
        let mut inputs = RunInputs::of_models(model_folder, &BTreeMap::new())?;
        let dev_rows = match &recipe.evaluation.dev {
            Some(source) => {
                let rows = DevRows::read(source, from)?;
                inputs = rows.add_to(inputs);
                Some(rows)
            }
            None => None,
        };
        let held_dev = dev_rows.as_ref().map(|d| (d.name.clone(), &d.pairs[..]));
        let mut watch = Watch::new(recipe.exclude_overlap, held_dev, from.1)?;
        let mut hash = Sha256::new();
        let examples = recipe
            .stages
            .iter()
            .map(|settings| read(settings, from, &mut watch, &mut hash))
            .collect::<Result<Vec<_>>>()?;
        let losses: Vec<&dyn ScoreLoss> = examples.iter().map(|(_, loss)| &**loss).collect();
        let outputs = same_outputs(&recipe, &losses)?;
        let mut model =
            CrossEncoder::load_to_train(model_folder, Arc::new(backend), outputs, recipe.seed)?;
        if let Some(max_tokens) = recipe.max_tokens {
            model.tokenizer_mut().set_max_tokens(max_tokens)?;
        }
        if let Some(last) = losses.last() {
            model.set_activation(match last.sigmoid() {
                true => ScoreActivation::Sigmoid,
                false => ScoreActivation::Identity,
            });
        }
        // A fresh head that predicts grades begins at their mean: the steps that it
        // would take to get there would pull at the encoder for nothing.
        if let (true, Some((first, loss))) = (model.has_fresh_head(), examples.first())
            && recipe.stages[0].objective.unit() == ScoreUnit::Pairs
            && !loss.sigmoid()
            && outputs == 1
        {
            let mean = first.targets.iter().sum::<f64>() / first.targets.len() as f64;
            model.set_output_bias(mean as f32);
        }
        let every = dev_rows.is_some().then_some(recipe.evaluation.every);
        let stages = recipe
            .stages
            .iter()
            .zip(examples)
            .map(|(settings, examples)| Prepared::new(settings, examples, &model, every))
            .collect::<Result<Vec<_>>>()?;
        let dev = match dev_rows {
            Some(rows) => Some(CrossDevSet::new(rows, &model)?),
            None => None,
        };
        let most = model.tokenizer().max_tokens();
        for stage in &stages {
            for note in stage.plan.texts.describe(most) {
                observer.note(&format!("stage `{}`: {note}", stage.plan.name));
            }
        }
        if let Some(dev) = &dev {
            for note in dev.counts().describe(most) {
                observer.note(&format!("{}: {note}", dev.name));
            }
        }
        let overlap = watch.finish();
        observer.note(&format!("overlap    {}", overlap.describe()));
        let plan = TrainingPlan {
            model: recipe.model.clone(),
            parameters: model.layout().len(),
            backend: model.backend().describe(),
            selected_by: SELECTED_BY.to_owned(),
            metric: match &recipe.evaluation.dev {
                Some(source) => SelectionMetric::of(source),
                None => SelectionMetric::default(),
            },
            dev: dev.as_ref().map(|d| d.name.clone()),
            overlap,
            stages: stages.iter().map(|s| s.plan.clone()).collect(),
        };
        check_memory(model.backend(), &plan.stages, observer)?;
        Ok(Self {
            outlines: stages.iter().map(|s| outline(s, dev.as_ref())).collect(),
            earlier: Provenance::load(model_folder)?,
            fingerprint: hex(hash.finalize()),
            recipe,
            model,
            stages,
            dev,
            plan,
            inputs,
            calibrated: true,
            order: None,
        })
    }
}

/// The number of outputs that all losses have.
fn same_outputs(recipe: &CrossEncoderRecipe, losses: &[&dyn ScoreLoss]) -> Result<usize> {
    let outputs = losses.first().map_or(1, |loss| loss.outputs());
    for (stage, loss) in recipe.stages.iter().zip(losses) {
        if loss.outputs() != outputs {
            return Err(TrainError::Stage {
                stage: stage.name.clone(),
                message: format!(
                    "its loss has {} outputs, that of the first stage {outputs}: a model has one head",
                    loss.outputs()
                ),
            }
            .into());
        }
    }
    Ok(outputs)
}

/// How the loop goes through a stage.
fn outline(stage: &Prepared, dev: Option<&CrossDevSet>) -> StageOutline {
    StageOutline {
        name: stage.plan.name.clone(),
        steps: stage.plan.steps,
        steps_per_epoch: stage.plan.steps_per_epoch,
        schedule: stage.schedule,
        evaluate_every: stage.plan.evaluate_every,
        selected_by: dev.map(|dev| dev.name.clone()),
        next_from_best: stage.settings.next_from == NextFrom::Best,
        unit: "pairs",
    }
}
