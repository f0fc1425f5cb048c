use super::auxiliary::Auxiliary;
use super::evaluation::DevSet;
use super::events::Observer;
use super::metrics::Metrics;
use super::overlap::Watch;
use super::prompting::set_template;
use super::record::Recorder;
use super::stage::{Context, Prepared};
use super::{
    Checkpoint, Freeze, Optimizer, Plan, Rates, Recipe, RunFolder, Stage, State, TrainError,
};
use crate::Result;
use crate::calibration::Calibration;
use crate::data::DataRoot;
use crate::model::{ModelFolder, Provenance, RegressionHead, SentenceEncoder};
use crate::objective::LossName;
use crate::teacher::{self, TeacherVectors};
use gradus_kernels::Backend;
use gradus_kernels::dropout::mix64;
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
    pub(super) recipe: Recipe,
    pub(super) model: SentenceEncoder<B>,
    pub(super) stages: Vec<Prepared>,
    pub(super) dev: Option<DevSet>,
    pub(super) plan: Plan,
    pub(super) fingerprint: String,
    /// The training runs behind the model that this one begins with.
    pub(super) earlier: Provenance,
    /// The folders of teachers and generators.
    pub(super) beside: BTreeMap<String, PathBuf>,
    /// The folder of the model that the run begins with.
    pub(super) start: PathBuf,
    /// The head that came with the model, for the first stage.
    pub(super) given_head: Option<RegressionHead>,
}

/// What changes while a run goes on.
pub(super) struct Progress<B: Backend> {
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
            base_dir: &options.base_dir,
            data_root: &options.data_root,
            evaluate_every: recipe.evaluation.every,
            has_dev: recipe.evaluation.dev.is_some(),
        };
        let dev_pairs = match &recipe.evaluation.dev {
            Some(source) => {
                let loaded = source.load(&options.base_dir, &options.data_root)?;
                Some((DevSet::name_of(source), loaded))
            }
            None => None,
        };
        let held_dev = dev_pairs.as_ref().map(|(n, l)| (n.clone(), &l.pairs[..]));
        for name in recipe.stages.iter().flat_map(|s| s.models_beside()) {
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
            .map(|stage| Prepared::new(stage, &model, &context, &mut watch, &mut hash))
            .collect::<Result<Vec<_>>>()?;
        let dev = match dev_pairs {
            Some((name, loaded)) => Some(DevSet::new(name, &loaded.pairs, loaded.scale, &model)?),
            None => None,
        };
        let overlap = watch.finish();
        observer.note(&overlap.line());
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
        };
        // What is wrong with an auxiliary network shows now; it is loaded again
        // when its stage begins.
        for s in 0..run.stages.len() {
            if let Some(auxiliary) = run.auxiliary(s)? {
                run.plan.stages[s].memory_bytes += auxiliary.generator_bytes();
            }
        }
        Ok(run)
    }

    /// What the run will do.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The model in its current state.
    pub fn model(&self) -> &SentenceEncoder<B> {
        &self.model
    }

    /// Times a few steps per stage at a rate of 0, which leaves the model as it
    /// is, and puts the stages' expected durations into the plan.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn estimate(&mut self) -> Result<()> {
        const PASSES: u64 = 3;
        for s in 0..self.stages.len() {
            let stage = &self.stages[s];
            if stage.settings.freeze == Freeze::Encoder {
                continue;
            }
            let head = stage
                .objective
                .initial_parameters(self.model.dim(), self.recipe.seed);
            let mut grads = self.model.gradient_arena();
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
                let mut head_grads = vec![0.0; head.len()];
                let beside = auxiliary.as_mut();
                self.gradients(
                    s,
                    spread,
                    &examples,
                    &head,
                    &mut grads,
                    &mut head_grads,
                    beside,
                )?;
                let (rates, backend) = (
                    Rates {
                        encoder: &still,
                        head: &[],
                    },
                    self.model.shared_backend(),
                );
                let (_, params) = self.model.params_mut();
                let (own, of_head) = (&mut vec![], &[]);
                optimizer.step(&backend, params, &grads, own, of_head, &rates, 1.0);
                if let Some(auxiliary) = &mut auxiliary {
                    auxiliary.step(0.0, 1.0);
                }
                // The first pass warms caches up.
                if pass > 0 {
                    seconds += started.elapsed().as_secs_f64();
                }
            }
            self.plan.stages[s].seconds = Some(seconds / PASSES as f64 * stage.plan.steps as f64);
        }
        Ok(())
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
        let (checkpoint, damaged) = folder.latest()?;
        for message in damaged {
            observer.warn(&format!("{message}; the one before it is used"));
        }
        let mut progress = match checkpoint {
            Some(checkpoint) => self.resume(folder, checkpoint)?,
            None => {
                let state = State {
                    fingerprint: self.fingerprint.clone(),
                    ..State::default()
                };
                Progress {
                    state,
                    optimizer: self.optimizer(0),
                    moments: self.moments(0),
                    head: self.new_head(0),
                    auxiliary: None,
                    metrics: Metrics::open(folder, 0, 0)?,
                    last_checkpoint: Instant::now(),
                    recorder: Recorder::new(folder.root(), &self.plan),
                }
            }
        };
        if progress.state.stage < self.stages.len() {
            let state = &progress.state;
            progress.recorder.write(folder.root(), state, false)?;
        }
        while progress.state.stage < self.stages.len() {
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
    pub(super) fn ask_teachers(&mut self, s: usize, observer: &mut dyn Observer) -> Result<()> {
        let stage = &self.stages[s];
        let texts: Vec<&str> = stage.for_teachers.iter().map(String::as_str).collect();
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
        if Calibration::path(&model).exists() {
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

    pub(super) fn moments(&self, stage: usize) -> usize {
        match self.stages.get(stage).map(|s| s.settings.freeze) {
            Some(Freeze::None) => self.model.layout().len(),
            _ => 0,
        }
    }

    pub(super) fn optimizer(&self, stage: usize) -> Optimizer<B> {
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
    pub(super) fn new_head(&self, s: usize) -> Vec<f32> {
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

    pub(super) fn resume(
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
