use super::Plan;
use super::evaluation::{DevSet, check_dev};
use super::overlap::Watch;
use super::plan::shortages;
use super::prompting::{set_prompt, set_template};
use super::stage::{Context, Prepared};
use crate::Result;
use crate::calibration::Calibration;
use crate::data::DataRoot;
use crate::format::Provenance;
use crate::losses::LossName;
use crate::models::{ModelFolder, SentenceEncoder};
use crate::nn::RegressionHead;
use crate::recipe::{Recipe, Stage};
use crate::teacher::{self, TeacherVectors};
use crate::training::events::{Observer, check_cancelled};
use crate::training::{RunFolder, RunInputs, TrainError};
use crate::util::machine::free_memory;
use gradus_kernels::Backend;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

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

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The best model's folder.
    pub model: PathBuf,
    /// The dev score before training.
    pub initial: Option<f64>,
    /// The best dev score of the last stage.
    pub best: Option<f64>,
    /// The step it was reached at.
    pub best_step: u64,
    /// Wall time since this process began or resumed the run, in seconds.
    pub seconds: f64,
}

/// A recipe made ready to be carried out.
pub struct Run<B: Backend> {
    pub(crate) recipe: Recipe,
    pub(crate) model: SentenceEncoder<B>,
    pub(crate) stages: Vec<Prepared>,
    pub(crate) dev: Option<DevSet>,
    pub(crate) plan: Plan,
    pub(crate) fingerprint: String,
    /// What else its numbers depend on.
    pub(crate) inputs: RunInputs,
    /// Whether the model is calibrated on the dev set in the end.
    calibrated: bool,
    /// The training runs behind the model that this one begins with.
    pub(crate) earlier: Provenance,
    /// The folders of teachers and generators.
    pub(crate) beside: BTreeMap<String, PathBuf>,
    /// The folder of the model that the run begins with.
    pub(crate) start: PathBuf,
    /// The head that came with the model, for the first stage.
    pub(crate) given_head: Option<RegressionHead>,
}

impl<B: Backend> Run<B> {
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
        let context = Context {
            seed: recipe.seed,
            base_dir: &options.base_dir,
            data_root: &options.data_root,
            evaluate_every: recipe.evaluation.every,
            has_dev: recipe.evaluation.dev.is_some(),
        };
        let mut inputs = RunInputs::of_models(model_folder, &options.teachers)?;
        let dev_pairs = match &recipe.evaluation.dev {
            Some(source) => {
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
        let mut watch = Watch::new(&recipe, held_dev, &options.data_root)?;
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
        let plan = Plan {
            model: recipe.model.clone(),
            parameters: model.layout().len(),
            backend: model.backend().describe(),
            dev: dev.as_ref().map(|d| d.name.clone()),
            overlap,
            stages: stages.iter().map(|s| s.plan.clone()).collect(),
        };
        let fingerprint = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        let mut run = Self {
            recipe,
            beside: options.teachers.clone(),
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
        };
        // What is wrong with an auxiliary network shows now; it is loaded again
        // when its stage begins.
        for s in 0..run.stages.len() {
            if let Some(auxiliary) = run.auxiliary(s)? {
                run.plan.stages[s].memory_bytes += auxiliary.generator_bytes();
            }
        }
        if let Some(free) = free_memory() {
            for shortage in shortages(&run.plan.stages, free) {
                observer.warn(&shortage);
            }
        }
        Ok(run)
    }

    /// Leaves no calibration with the model: the dev set's labels are no grades.
    pub fn uncalibrated(&mut self) {
        self.calibrated = false;
    }

    /// What the run will do.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The model in its current state.
    pub fn model(&self) -> &SentenceEncoder<B> {
        &self.model
    }

    /// Carries the run out, from its latest checkpoint if there is one.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`]; [`TrainError::Folder`] where a checkpoint
    /// does not belong to this recipe's data; [`crate::Error::Io`].
    pub fn execute(&mut self, folder: &RunFolder, observer: &mut dyn Observer) -> Result<Summary> {
        let started = Instant::now();
        // A run that goes on keeps what it found in the beginning, so that its
        // model card does not depend on the data folder of the day.
        match folder.read_overlap() {
            Some(overlap) => self.plan.overlap = overlap,
            None => folder.write_overlap(&self.plan.overlap)?,
        }
        observer.begin(&self.plan);
        let mut progress = match folder.take_up(&mut |message| observer.warn(message))? {
            Some(checkpoint) => self.resume(folder, checkpoint)?,
            None => self.at_start(folder)?,
        };
        if progress.state.stage < self.stages.len() {
            let state = &progress.state;
            progress.recorder.write(folder.root(), state, false)?;
        }
        while progress.state.stage < self.stages.len() {
            check_cancelled(observer, "between stages, with a checkpoint")?;
            self.stage(&mut progress, folder, observer)?;
            self.hand_over(&mut progress, folder, observer)?;
        }
        progress.metrics.flush()?;
        self.calibrate(folder, observer)?;
        observer.end();
        Ok(Summary {
            model: folder.model(),
            initial: progress.state.initial,
            best: progress.state.best,
            best_step: progress.state.best_step,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Has a stage's teachers look at its texts, or finds what they made of them
    /// before.
    pub(crate) fn ask_teachers(&mut self, s: usize, observer: &mut dyn Observer) -> Result<()> {
        let stage = &self.stages[s];
        let texts = stage.asked();
        let mut taught = vec![];
        for teacher in &stage.settings.teachers {
            let backend = self.model.shared_backend();
            let model = &self.beside[&teacher.model];
            let cache = teacher::cache_folder();
            let vectors = TeacherVectors::prepare(model, backend, &texts, &cache, observer)?;
            taught.push(vectors);
        }
        self.stages[s].teachers = taught;
        Ok(())
    }

    /// Leaves a calibration with the model of a run that is over, fitted on its
    /// dev set.
    fn calibrate(&mut self, folder: &RunFolder, observer: &mut dyn Observer) -> Result<()> {
        let model = folder.model();
        let Some(dev) = &self.dev else { return Ok(()) };
        if !self.calibrated || Calibration::path(&model).exists() {
            return Ok(());
        }
        self.model.reload(&model)?;
        match dev.calibrate(&self.model) {
            Ok(calibration) => {
                calibration.save(&model)?;
                observer.note(&format!("calibrated: {}", calibration.describe()));
            }
            Err(why) => observer.warn(&format!("the model is not calibrated: {why}")),
        }
        Ok(())
    }
}

/// Whether teachers whose vectors are to be imitated have the student's width.
fn check_teachers(stage: &Stage, teachers: &BTreeMap<String, PathBuf>, dim: usize) -> Result<()> {
    if !stage.objectives().any(|o| o.loss == LossName::EmbeddingMse) {
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
