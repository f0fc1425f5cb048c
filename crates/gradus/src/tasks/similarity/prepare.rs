//! A recipe made ready: everything is read, checked and counted before any training.

use super::evaluation::{DevSet, check_dev};
use super::overlap::Watch;
use super::plan::check_memory;
use super::prompting::{set_prompt, set_template};
use super::stage::{Prepared, StageContext};
use super::{Similarity, TrainingPlan};
use crate::Result;
use crate::data::DataRoot;
use crate::format::Provenance;
use crate::losses::LossName;
use crate::models::{ModelFolder, SentenceEncoder};
use crate::recipe::{Freeze, NextFrom, Recipe, SelectionMetric, Stage};
use crate::training::{RunInputs, StageOutline, TrainError};
use crate::util::Observer;
use crate::util::content_hash::hex;
use gradus_kernels::Backend;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a run finds its data.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Relative paths of sources start here.
    pub base_dir: PathBuf,
    /// Known data sets lie here.
    pub data_root: DataRoot,
    /// The folders of the recipe's teachers and generators, by the names that it
    /// has for them.
    pub teachers: BTreeMap<String, PathBuf>,
}

impl<B: Backend> Similarity<B> {
    /// Loads the model from `model_folder`, reads and tokenises all data,
    /// builds every objective and counts every step.
    ///
    /// # Errors
    /// Anything wrong with the recipe, its data or its model is found here.
    pub fn prepare(
        recipe: Recipe,
        model_folder: &Path,
        backend: B,
        options: &RunOptions,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        recipe.validate()?;
        let mut model = SentenceEncoder::load(model_folder, backend)?;
        if let Some(max_tokens) = recipe.max_tokens {
            model.tokenizer_mut().set_max_tokens(max_tokens)?;
        }
        if let Some(pooling) = recipe.pooling {
            model.set_pooling(pooling)?;
        }
        set_prompt(&recipe, &mut model, observer)?;
        set_template(&recipe, &mut model)?;
        if let Some(normalize) = recipe.normalize {
            model.set_normalize(normalize);
        }
        if recipe.stages.first().is_some_and(|s| s.keep_projection) {
            model.append_mlp(recipe.seed);
        }
        observer.note("reading and tokenising the data");
        let mut hash = Sha256::new();
        let context = StageContext {
            seed: recipe.seed,
            base_dir: &options.base_dir,
            data_root: &options.data_root,
            evaluate_every: recipe.evaluation.every,
            has_dev: recipe.evaluation.dev.is_some(),
        };
        let mut inputs = RunInputs::of_models(model_folder, &options.teachers)?;
        let dev_pairs = match &recipe.evaluation.dev {
            Some(source) => {
                if SelectionMetric::of(source) != SelectionMetric::Spearman {
                    let dev = DevSet::name_of(source);
                    return Err(TrainError::DevOfLists { dev }.into());
                }
                let loaded = source.load(&options.base_dir, &options.data_root)?;
                let what = format!("the dev set {}", source.describe());
                inputs = inputs.with_pairs(&what, &loaded.pairs, loaded.scale);
                let name = DevSet::name_of(source);
                check_dev(&name, &loaded.pairs)?;
                Some((name, loaded))
            }
            None => None,
        };
        let held_dev = dev_pairs.as_ref().map(|(n, l)| (n.clone(), &l.pairs[..]));
        for name in recipe.stages.iter().flat_map(|s| s.auxiliary_models()) {
            if !options.teachers.contains_key(name) {
                let path = options.base_dir.join(name);
                let message = "no folder of this model was given".to_owned();
                return Err(TrainError::Folder { path, message }.into());
            }
        }
        for stage in &recipe.stages {
            check_teachers(stage, &options.teachers, model.dim())?;
        }
        let mut watch = Watch::new(recipe.exclude_overlap, held_dev, &options.data_root)?;
        let stages = recipe
            .stages
            .iter()
            .enumerate()
            .map(|stage| Prepared::new(stage, &model, &context, &mut watch, &mut hash))
            .collect::<Result<Vec<_>>>()?;
        let dev = match dev_pairs {
            Some((name, loaded)) => Some(DevSet::new(name, &loaded.pairs, loaded.scale, &model)?),
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
        for warning in stages.iter().flat_map(|stage| &stage.warnings) {
            observer.warn(warning);
        }
        let overlap = watch.finish();
        observer.note(&format!("overlap    {}", overlap.describe()));
        let plan = TrainingPlan {
            model: recipe.model.clone(),
            parameters: model.layout().len(),
            backend: model.backend().describe(),
            selected_by: "cosine".to_owned(),
            metric: SelectionMetric::Spearman,
            dev: dev.as_ref().map(|d| d.name.clone()),
            overlap,
            stages: stages.iter().map(|s| s.plan.clone()).collect(),
        };
        let fingerprint = hex(hash.finalize());
        let mut task = Self {
            outlines: stages.iter().map(|s| outline(s, dev.as_ref())).collect(),
            recipe,
            other_models: options.teachers.clone(),
            start: model_folder.to_path_buf(),
            earlier: Provenance::load(model_folder)?,
            given_head: model.head().cloned(),
            model,
            stages,
            dev,
            plan,
            fingerprint,
            inputs,
            calibrated: true,
            frozen: None,
            auxiliary: None,
            cross_targets: None,
            buffer: None,
            order: None,
        };
        // What is wrong with an auxiliary network shows now; it is loaded again
        // when its stage begins.
        for s in 0..task.stages.len() {
            if let Some(auxiliary) = task.load_auxiliary(s)? {
                task.plan.stages[s].memory_bytes += auxiliary.generator_bytes();
            }
            if let Some(targets) = task.load_cross_targets(s)? {
                task.plan.stages[s].memory_bytes += targets.bytes();
            }
            let buffer = task.buffer_bytes(s)?;
            task.plan.stages[s].memory_bytes += buffer;
        }
        check_memory(task.model.backend(), &task.plan.stages, observer)?;
        Ok(task)
    }
}

/// How the loop goes through a stage.
fn outline(stage: &Prepared, dev: Option<&DevSet>) -> StageOutline {
    StageOutline {
        name: stage.plan.name.clone(),
        steps: stage.plan.steps,
        steps_per_epoch: stage.plan.steps_per_epoch,
        schedule: stage.schedule,
        evaluate_every: stage.plan.evaluate_every,
        selected_by: match stage.settings.freeze {
            Freeze::None => dev.map(|dev| dev.name.clone()),
            Freeze::Encoder => None,
        },
        next_from_best: stage.settings.next_from == NextFrom::Best,
        unit: "pairs",
    }
}

/// Whether teachers whose vectors are to be imitated have the student's width.
fn check_teachers(stage: &Stage, teachers: &BTreeMap<String, PathBuf>, dim: usize) -> Result<()> {
    if !stage
        .objectives()
        .any(|o| o.loss.name() == LossName::EmbeddingMse)
    {
        return Ok(());
    }
    for teacher in &stage.teachers {
        let Some(root) = teachers.get(&teacher.model) else {
            continue;
        };
        let folder = ModelFolder::open(root)?;
        let width = folder.modules.out_width(folder.config.hidden_size);
        if width != dim {
            return Err(TrainError::Stage {
                stage: stage.name.clone(),
                message: format!(
                    "`embedding_mse` wants vectors of one width: those of the teacher `{}` have {width} values, the model's {dim}; give the model a Dense module of that width, or take `list_mle`, which follows teachers of any width",
                    teacher.model
                ),
            }
            .into());
        }
    }
    Ok(())
}
