use super::card::card;
use super::evaluation::DevSet;
use super::events::{Observer, StepReport};
use super::frozen::Frozen;
use super::metrics::Metrics;
use super::optimizer::Rates;
use super::stage::{Context, Prepared};
use super::{
    Checkpoint, DevEvaluation, Freeze, NextFrom, Optimizer, Plan, Recipe, RunFolder, State,
    TrainError,
};
use crate::data::DataRoot;
use crate::model::{RegressionHead, SentenceEncoder};
use crate::objective::{Input, Output};
use crate::{Embeddings, Result};
use gradus_kernels::dropout::{Dropout, mix64};
use gradus_kernels::{AdamWSegment, Backend};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where a run finds its data.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Relative paths of sources start here.
    pub base_dir: PathBuf,
    /// Known data sets lie here.
    pub data_root: DataRoot,
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
    recipe: Recipe,
    model: SentenceEncoder<B>,
    stages: Vec<Prepared>,
    dev: Option<DevSet>,
    plan: Plan,
    fingerprint: String,
    /// The head that came with the model, for the first stage.
    given_head: Option<RegressionHead>,
}

/// What changes while a run goes on.
struct Progress<B: Backend> {
    state: State,
    optimizer: Optimizer<B>,
    /// How many of the model's parameters the stage keeps moments for.
    moments: usize,
    head: Vec<f32>,
    metrics: Metrics,
    last_checkpoint: Instant,
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
        observer.note("reading and tokenising the data");
        let mut hash = Sha256::new();
        let context = Context {
            base_dir: &options.base_dir,
            data_root: &options.data_root,
            evaluate_every: recipe.evaluation.every,
            has_dev: recipe.evaluation.dev.is_some(),
        };
        let stages = recipe
            .stages
            .iter()
            .map(|stage| Prepared::new(stage, &model, &context, &mut hash))
            .collect::<Result<Vec<_>>>()?;
        let dev = match &recipe.evaluation.dev {
            Some(source) => {
                let loaded = source.load(&options.base_dir, &options.data_root)?;
                Some(DevSet::new(
                    DevSet::name_of(source),
                    &loaded.pairs,
                    loaded.scale,
                    &model,
                )?)
            }
            None => None,
        };
        let plan = Plan {
            model: recipe.model.clone(),
            parameters: model.layout().len(),
            backend: model.backend().describe(),
            dev: dev.as_ref().map(|d| d.name.clone()),
            stages: stages.iter().map(|s| s.plan.clone()).collect(),
        };
        let fingerprint = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        Ok(Self {
            recipe,
            given_head: model.head().cloned(),
            model,
            stages,
            dev,
            plan,
            fingerprint,
        })
    }

    /// What the run will do.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The model in its current state.
    pub fn model(&self) -> &SentenceEncoder<B> {
        &self.model
    }

    /// Times a few forward and backward passes per stage, without training,
    /// and puts the stages' expected durations into the plan.
    pub fn estimate(&mut self) {
        const PASSES: u64 = 3;
        for s in 0..self.stages.len() {
            let stage = &self.stages[s];
            if stage.settings.freeze == Freeze::Encoder {
                continue;
            }
            let head = stage
                .objective
                .initial_parameters(self.model.dim(), self.recipe.seed);
            let mut grads = self
                .model
                .backend()
                .arena(vec![0.0; self.model.layout().len()]);
            let mut order = None;
            let mut seconds = 0.0;
            for pass in 0..=PASSES {
                let started = Instant::now();
                let spread = pass * stage.plan.steps_per_epoch / (PASSES + 1);
                let examples = stage.examples(self.recipe.seed, s, spread, &mut order);
                let mut head_grads = vec![0.0; head.len()];
                self.gradients(s, spread, &examples, &head, &mut grads, &mut head_grads);
                // The first pass warms caches up.
                if pass > 0 {
                    seconds += started.elapsed().as_secs_f64();
                }
            }
            self.plan.stages[s].seconds = Some(seconds / PASSES as f64 * stage.plan.steps as f64);
        }
    }

    /// Carries the run out, from its latest checkpoint if there is one.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`]; [`TrainError::Folder`] where a checkpoint
    /// does not belong to this recipe's data; [`crate::Error::Io`].
    pub fn execute(&mut self, folder: &RunFolder, observer: &mut dyn Observer) -> Result<Summary> {
        let started = Instant::now();
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
                    metrics: Metrics::open(&folder.metrics(), 0)?,
                    last_checkpoint: Instant::now(),
                }
            }
        };
        while progress.state.stage < self.stages.len() {
            self.stage(&mut progress, folder, observer)?;
            self.hand_over(&mut progress, folder, observer)?;
        }
        progress.metrics.flush()?;
        observer.end();
        Ok(Summary {
            model: folder.model(),
            initial: progress.state.initial,
            best: progress.state.best,
            best_step: progress.state.best_step,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    fn moments(&self, stage: usize) -> usize {
        match self.stages.get(stage).map(|s| s.settings.freeze) {
            Some(Freeze::None) => self.model.layout().len(),
            _ => 0,
        }
    }

    fn optimizer(&self, stage: usize) -> Optimizer<B> {
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
    fn new_head(&self, s: usize) -> Vec<f32> {
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

    fn resume(&mut self, folder: &RunFolder, checkpoint: Checkpoint) -> Result<Progress<B>> {
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
            metrics: Metrics::open(&folder.metrics(), state.metrics_len)?,
            last_checkpoint: Instant::now(),
            state,
        };
        let head = self.new_head(progress.state.stage).len();
        if progress.state.stage > self.stages.len()
            || !checkpoint.fits(self.model.layout().len(), progress.moments, head)
        {
            return Err(
                fail("the checkpoint does not fit the recipe's model; start a new run").into(),
            );
        }
        let (backend, params) = self.model.params_mut();
        checkpoint.restore(backend, params, &mut progress.optimizer, &mut progress.head);
        Ok(progress)
    }

    /// Trains the stage under way to its end.
    fn stage(
        &mut self,
        progress: &mut Progress<B>,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let s = progress.state.stage;
        let frozen = self.stages[s].settings.freeze == Freeze::Encoder;
        if let Some(p) = self.stages[s].settings.dropout {
            self.model.set_dropout(p, p);
        } else {
            let config = self.model.config();
            let (hidden, attention) = (config.hidden_dropout, config.attention_dropout);
            self.model.set_dropout(hidden, attention);
        }
        observer.stage(s, progress.state.step);
        if progress.state.step == 0 {
            self.evaluate(progress, folder, observer)?;
        }
        let vectors = frozen.then(|| {
            observer.note("encoding the stage's texts once: the encoder is frozen");
            Frozen::new(&self.stages[s], &self.model)
        });
        let mut grads = self.model.backend().arena(vec![0.0; progress.moments]);
        let mut order = None;
        let (began, mut pairs_done) = (Instant::now(), 0usize);
        let steps = self.stages[s].plan.steps;
        let every = self.stages[s].plan.evaluate_every;
        let patience = self.recipe.evaluation.patience;
        while progress.state.step < steps {
            let step = progress.state.step;
            let examples = self.stages[s].examples(self.recipe.seed, s, step, &mut order);
            let mut head_grads = vec![0.0; progress.head.len()];
            let loss = match &vectors {
                Some(vectors) => {
                    self.head_gradients(s, &examples, vectors, &progress.head, &mut head_grads)
                }
                None => {
                    self.model.backend().zero(&mut grads);
                    self.gradients(
                        s,
                        step,
                        &examples,
                        &progress.head,
                        &mut grads,
                        &mut head_grads,
                    )
                }
            };
            let stage = &self.stages[s];
            let factor = stage.schedule.factor(step);
            let encoder = match frozen {
                true => vec![],
                false => stage.groups.segments(stage.settings.learning_rate * factor),
            };
            let head_rate = stage
                .settings
                .head_learning_rate
                .unwrap_or(stage.settings.learning_rate);
            let head = head_segments(
                &stage.objective.decayed(self.model.dim()),
                head_rate * factor,
                stage.settings.weight_decay,
            );
            let rates = Rates {
                encoder: &encoder,
                head: &head,
            };
            let norm =
                progress
                    .optimizer
                    .gradient_norm(self.model.backend(), &grads, &head_grads, &rates);
            if !(loss.is_finite() && norm.is_finite()) {
                return Err(self.not_finite(s, step + 1, loss, &grads, frozen, folder));
            }
            let (backend, params) = self.model.params_mut();
            progress.optimizer.step(
                backend,
                params,
                &grads,
                &mut progress.head,
                &head_grads,
                &rates,
                norm,
            );
            progress.state.step += 1;
            pairs_done += examples.len();

            let report = StepReport {
                stage: s,
                step: step + 1,
                steps,
                loss,
                gradient_norm: norm,
                learning_rate: head_rate.max(stage.settings.learning_rate) * factor,
                pairs: examples.len(),
                pairs_per_second: pairs_done as f64 / began.elapsed().as_secs_f64().max(1e-9),
            };
            observer.step(&report);
            if (step + 1).is_multiple_of(self.recipe.log_every.max(1)) || step + 1 == steps {
                self.log_step(progress, &report)?;
            }
            let last = progress.state.step == steps;
            let due = last || every.is_some_and(|n| progress.state.step.is_multiple_of(n.max(1)));
            if due {
                self.evaluate(progress, folder, observer)?;
                if !last && patience.is_some_and(|p| progress.state.stale >= p) {
                    observer.note(&format!(
                        "stopping early: no new best in {} evaluations",
                        progress.state.stale
                    ));
                    break;
                }
            }
            let by_steps = self
                .recipe
                .checkpoint_steps
                .is_some_and(|n| progress.state.step.is_multiple_of(n.max(1)));
            let by_time =
                progress.last_checkpoint.elapsed().as_secs() >= self.recipe.checkpoint_seconds;
            if !last && (by_steps || by_time) {
                self.checkpoint(progress, folder)?;
            }
        }
        Ok(())
    }

    /// The loss of a step's pairs; adds their gradients.
    fn gradients(
        &self,
        s: usize,
        step: u64,
        examples: &[u32],
        head: &[f32],
        grads: &mut B::Arena,
        head_grads: &mut [f32],
    ) -> f64 {
        let stage = &self.stages[s];
        let dropout = Dropout::for_step(0.0, mix64(self.recipe.seed ^ ((s as u64) << 32)), step);
        let mut total = 0.0;
        for (m, micro) in examples.chunks(stage.settings.batch).enumerate() {
            let share = micro.len() as f64 / examples.len() as f64;
            let texts = stage.columns(micro);
            let first_stream = 2 * (m * stage.settings.batch) as u64;
            let batch = self.model.pack(
                texts
                    .iter()
                    .zip(first_stream..)
                    .map(|(&t, stream)| (&stage.texts[t as usize], stream)),
            );
            let passed = self.model.forward(batch, Some(dropout));
            let mut output = self.objective(stage, micro, passed.embeddings(), head);
            total += share * output.loss;
            for g in &mut output.embeddings {
                *g *= share as f32;
            }
            for (sum, g) in head_grads.iter_mut().zip(&output.parameters) {
                *sum += share as f32 * g;
            }
            self.model.backward(passed, &output.embeddings, grads);
        }
        total
    }

    /// The same where the encoder is frozen.
    fn head_gradients(
        &self,
        s: usize,
        examples: &[u32],
        vectors: &Frozen,
        head: &[f32],
        head_grads: &mut [f32],
    ) -> f64 {
        let stage = &self.stages[s];
        let embeddings = vectors.gather(&stage.columns(examples));
        let output = self.objective(stage, examples, &embeddings, head);
        head_grads.copy_from_slice(&output.parameters);
        output.loss
    }

    fn objective(
        &self,
        stage: &Prepared,
        examples: &[u32],
        embeddings: &Embeddings,
        head: &[f32],
    ) -> Output {
        let (labels, weights, tolerances) = stage.labels_of(examples);
        stage.objective.evaluate(
            head,
            &Input {
                embeddings,
                labels: &labels,
                weights: &weights,
                tolerances: &tolerances,
            },
        )
    }

    fn not_finite(
        &self,
        s: usize,
        step: u64,
        loss: f64,
        grads: &B::Arena,
        frozen: bool,
        folder: &RunFolder,
    ) -> crate::Error {
        let what = if !loss.is_finite() {
            format!("the loss ({loss})")
        } else {
            let values = match frozen {
                true => vec![],
                false => self
                    .model
                    .backend()
                    .read_arena(grads, 0..self.model.layout().len()),
            };
            match values.iter().position(|g| !g.is_finite()) {
                Some(i) => format!("the gradient of `{}`", self.model.layout().name_at(i)),
                None => "the gradient of the regression head".into(),
            }
        };
        let advice = match Checkpoint::list(&folder.checkpoints()) {
            Ok(list) if !list.is_empty() => format!(
                "Lower the learning rate or set `clip` and start anew; the last good checkpoint is {}.",
                list[0].display()
            ),
            _ => "Lower the learning rate or set `clip` and start anew; no checkpoint was written yet.".into(),
        };
        TrainError::NotFinite {
            stage: self.stages[s].settings.name.clone(),
            step,
            what,
            advice,
        }
        .into()
    }

    /// Scores the dev set; keeps the model if it is the stage's best.
    fn evaluate(
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
            self.save(progress, folder)?;
        }
        Ok(())
    }

    fn head(&self, s: usize, parameters: &[f32]) -> Option<RegressionHead> {
        self.stages
            .get(s)
            .and_then(|stage| stage.objective.head(parameters))
    }

    fn save(&mut self, progress: &Progress<B>, folder: &RunFolder) -> Result<()> {
        let head = self.head(progress.state.stage, &progress.head);
        self.model.set_head(head);
        let card = card(&self.recipe, &self.plan, &progress.state);
        self.model.save(&folder.model(), &card)?;
        Ok(())
    }

    /// Ends a stage: its best model, or its last, goes on to the next.
    fn hand_over(
        &mut self,
        progress: &mut Progress<B>,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
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
            self.save(progress, folder)?;
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
            ..State::default()
        };
        self.checkpoint(progress, folder)
    }

    fn checkpoint(&self, progress: &mut Progress<B>, folder: &RunFolder) -> Result<()> {
        progress.state.metrics_len = progress.metrics.flush()?;
        Checkpoint::take(
            progress.state.clone(),
            self.model.backend(),
            self.model.params(),
            self.model.layout().len(),
            &progress.optimizer,
            progress.moments,
            &progress.head,
        )
        .write(&folder.checkpoints())?;
        progress.last_checkpoint = Instant::now();
        Ok(())
    }

    fn log_step(&self, progress: &mut Progress<B>, report: &StepReport) -> Result<()> {
        #[derive(Serialize)]
        struct Line<'a> {
            stage: &'a str,
            step: u64,
            loss: f64,
            learning_rate: f64,
            gradient_norm: f64,
            pairs_per_second: f64,
        }
        let line = Line {
            stage: &self.stages[report.stage].settings.name,
            step: report.step,
            loss: report.loss,
            learning_rate: report.learning_rate,
            gradient_norm: report.gradient_norm,
            pairs_per_second: report.pairs_per_second,
        };
        progress.metrics.write("step", &line)
    }

    fn log_evaluation(&self, progress: &mut Progress<B>, evaluation: &DevEvaluation) -> Result<()> {
        progress.metrics.write("evaluation", evaluation)?;
        progress.metrics.flush().map(|_| ())
    }
}

/// The optimizer's segments of a head whose parameters are decayed or not.
fn head_segments(decayed: &[bool], rate: f64, weight_decay: f64) -> Vec<AdamWSegment> {
    let mut segments: Vec<AdamWSegment> = Vec::new();
    for (i, &decayed) in decayed.iter().enumerate() {
        let weight_decay = if decayed { weight_decay as f32 } else { 0.0 };
        match segments.last_mut() {
            Some(last) if last.weight_decay == weight_decay => last.range.end = i + 1,
            _ => segments.push(AdamWSegment {
                range: i..i + 1,
                learning_rate: rate as f32,
                weight_decay,
            }),
        }
    }
    segments
}
