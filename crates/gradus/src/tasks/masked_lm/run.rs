use super::steps::Progress;
use super::{Batches, Corpus, HeldOut, Observer, Plan, Settings};
use crate::data::{DataError, Source};
use crate::format::{ModelError, Provenance};
use crate::models::LanguageModel;
use crate::text::Masking;
use crate::text::Pieces;
use crate::training::{
    Checkpoint, Metrics, Optimizer, ParameterGroups, Rates, RunFolder, RunInputs, Schedule, State,
    TrainError, Updated,
};
use crate::{Error, Result};
use gradus_kernels::Backend;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What errors call the run.
pub(crate) const STAGE: &str = "pretraining";

/// Evaluations of a run for which no number of steps between them is given.
const EVALUATIONS: u64 = 10;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The model's folder.
    pub model: PathBuf,
    /// The last evaluation.
    #[serde(flatten)]
    pub held_out: HeldOut,
    /// Tokens per second since this process began or resumed the run.
    pub tokens_per_second: f64,
    /// Wall time since then, in seconds.
    pub seconds: f64,
}

/// A pretraining made ready to be carried out.
pub struct Run<B: Backend> {
    pub(crate) settings: Settings,
    pub(crate) model: LanguageModel<B>,
    pub(crate) pieces: Pieces,
    pub(crate) mask: u32,
    pub(crate) corpus: Corpus,
    pub(crate) batches: Batches,
    pub(crate) schedule: Schedule,
    pub(crate) groups: ParameterGroups,
    pub(crate) plan: Plan,
    fingerprint: String,
    /// What else its numbers depend on.
    inputs: RunInputs,
    /// What is known of the model that it goes on from.
    earlier: Provenance,
}

impl<B: Backend> Run<B> {
    /// Loads the model from `model_folder`, tokenises `texts`, counts the
    /// steps, and where only minutes are given measures how many fit them.
    ///
    /// # Errors
    /// Anything wrong with settings, texts or model is found here.
    pub fn prepare(
        settings: Settings,
        texts: &[String],
        model_folder: &Path,
        backend: B,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        settings.validate()?;
        let mut model = LanguageModel::load(model_folder, backend, settings.seed)?;
        let encoder = model.encoder_mut();
        encoder
            .tokenizer_mut()
            .set_max_tokens(settings.max_tokens)?;
        let (hidden, attention) = match settings.dropout {
            Some(p) => (p, p),
            None => (
                encoder.config().hidden_dropout,
                encoder.config().attention_dropout,
            ),
        };
        encoder.set_dropout(hidden, attention);
        observer.note("tokenising the texts");
        let encoder = model.encoder();
        let pieces = encoder.tokenizer().pieces();
        let mask = mask_of(&model, &pieces)?;
        let corpus = Corpus::new(texts, encoder.tokenizer(), &pieces, settings.seed)?;
        if corpus.train().is_empty() {
            let path = settings
                .texts
                .first()
                .map(Source::describe)
                .unwrap_or_default();
            return Err(DataError::NoTexts { path: path.into() }.into());
        }
        let batches = Batches::new(&corpus, settings.batch_tokens, settings.seed);
        let plan = Plan {
            from: settings.from.clone(),
            parameters: encoder.layout().len(),
            vocabulary: encoder.config().vocab_size,
            fresh_head: model.has_fresh_head(),
            backend: encoder.backend().describe(),
            texts: corpus.train().len(),
            held_out: corpus.held_out().len(),
            shortened: encoder.tokenizer().counts().truncated,
            unknown: encoder.tokenizer().counts().unknown,
            tokens: batches.tokens(),
            steps_per_epoch: batches.per_epoch(),
            steps: 1,
            warmup_steps: 0,
            peak_rate: settings.learning_rate,
            mask_rate: settings.mask_rate,
            whole_words: settings.whole_words,
            evaluate_every: 1,
            seconds: None,
        };
        // Modules behind the encoder have no part in this.
        let groups = ParameterGroups::of(encoder.layout(), settings.weight_decay, 1.0, |named| {
            !named.name.contains('/')
        });
        let mut run = Self {
            fingerprint: corpus.fingerprint(),
            inputs: RunInputs::of_models(model_folder, &BTreeMap::new())?,
            earlier: Provenance::load(model_folder)?,
            schedule: Schedule::new(settings.schedule, 0, 1),
            settings,
            model,
            pieces,
            mask,
            corpus,
            batches,
            groups,
            plan,
        };
        let steps = match (run.settings.steps, run.settings.minutes) {
            (Some(steps), _) => steps,
            (None, Some(minutes)) => run.fit(60.0 * minutes, observer),
            (None, None) => {
                let epochs = run.settings.epochs.unwrap_or(1.0);
                (epochs * run.batches.per_epoch() as f64).ceil().max(1.0) as u64
            }
        };
        run.lay_out(steps);
        let rate = run.settings.learning_rate;
        if !run.schedule.moves(rate, steps) {
            let message = format!(
                "the learning rate is 0 in all {steps} steps: nothing would be trained; take a smaller share to warm up, or more steps"
            );
            let stage = STAGE.to_owned();
            return Err(TrainError::Stage { stage, message }.into());
        }
        Ok(run)
    }

    fn lay_out(&mut self, steps: u64) {
        let warmup = (self.settings.warmup * steps as f64).round() as u64;
        self.schedule = Schedule::new(self.settings.schedule, warmup, steps);
        let every = self.settings.evaluate_every;
        let every = every.unwrap_or(steps.div_ceil(EVALUATIONS)).max(1);
        (self.settings.steps, self.settings.evaluate_every) = (Some(steps), Some(every));
        (self.plan.steps, self.plan.warmup_steps) = (steps, warmup);
        self.plan.evaluate_every = every;
    }

    /// How many steps fit some seconds: measured on steps that leave the model
    /// as it is, and on an evaluation.
    fn fit(&mut self, seconds: f64, observer: &mut dyn Observer) -> u64 {
        const STEPS: u64 = 8;
        observer.note("measuring the speed");
        let encoder = self.model.encoder();
        let len = encoder.layout().len();
        let before = encoder.backend().read_arena(encoder.params(), 0..len);
        let mut optimizer = self.optimizer();
        let mut grads = encoder.gradient_arena();
        let still = self.groups.segments(0.0);
        let mut began = Instant::now();
        for step in 0..=STEPS {
            let spread = step * self.batches.per_epoch() / (STEPS + 1);
            self.gradients(spread, &mut grads);
            let rates = Rates {
                encoder: &still,
                head: &[],
            };
            let (backend, params) = self.model.encoder_mut().params_mut();
            let norm = optimizer.gradient_norm(backend, &grads, &[], &rates);
            let updated = Updated {
                params,
                grads: &grads,
                head: &mut vec![],
                head_grads: &[],
            };
            optimizer.step(backend, updated, &rates, &norm);
            backend.norm(&norm);
            // The first one warms caches up.
            if step == 0 {
                began = Instant::now();
            }
        }
        let a_step = began.elapsed().as_secs_f64() / STEPS as f64;
        let began = Instant::now();
        self.score_held_out(0);
        let evaluation = began.elapsed().as_secs_f64();
        let (backend, params) = self.model.encoder_mut().params_mut();
        backend.write_arena(params, 0, &before);

        let steps = match self.settings.evaluate_every {
            Some(every) => seconds / (a_step + evaluation / every.max(1) as f64),
            None => (seconds - EVALUATIONS as f64 * evaluation) / a_step,
        };
        self.plan.seconds = Some(seconds);
        (steps as u64).max(1)
    }

    /// What the run will do.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The settings with the number of steps and all else that was left open.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The model in its current state.
    pub fn model(&self) -> &LanguageModel<B> {
        &self.model
    }

    pub(crate) fn masking(&self) -> Masking<'_> {
        let s = &self.settings;
        Masking::new(&self.pieces, self.mask, s.mask_rate, s.whole_words, s.seed)
    }

    fn optimizer(&self) -> Optimizer<B> {
        let encoder = self.model.encoder();
        let (settings, len) = (&self.settings, encoder.layout().len());
        Optimizer::new(encoder.backend(), settings.adamw, settings.clip, len, 0)
    }

    /// Carries the run out, from its latest checkpoint if there is one.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`]; [`TrainError::Folder`] where a checkpoint
    /// does not belong to these texts; [`Error::Io`].
    pub fn execute(&mut self, folder: &RunFolder, observer: &mut dyn Observer) -> Result<Summary> {
        let started = Instant::now();
        let mut progress = match folder.take_up(&mut |message| observer.warn(message))? {
            Some(checkpoint) => self.resume(folder, checkpoint)?,
            None => {
                let state = State {
                    fingerprint: self.fingerprint.clone(),
                    inputs: self.inputs.clone(),
                    ..State::default()
                };
                let metrics = Metrics::open(folder, 0, 0)?;
                Progress::new(state, self.optimizer(), metrics)
            }
        };
        observer.begin(&self.plan, progress.state.step);
        let held_out = self.train(&mut progress, folder, observer)?;
        let encoder = self.model.encoder();
        let card = super::card::card(&self.settings, &self.plan, &held_out);
        let warn = &mut |message: &str| observer.warn(message);
        folder.save(encoder, &card, &self.earlier, warn)?;
        observer.end();
        let training = progress.began.elapsed().as_secs_f64();
        Ok(Summary {
            model: folder.model(),
            held_out,
            tokens_per_second: progress.tokens as f64 / training.max(1e-9),
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    fn resume(&mut self, folder: &RunFolder, checkpoint: Checkpoint) -> Result<Progress<B>> {
        let fail = |message: &str| -> Error {
            TrainError::Folder {
                path: folder.root().to_path_buf(),
                message: message.to_owned(),
            }
            .into()
        };
        let state = checkpoint.state.clone();
        if state.fingerprint != self.fingerprint {
            return Err(fail(
                "the texts or the tokenizer changed since this run began; restore them, or start a new run",
            ));
        }
        self.inputs.check(&state.inputs, folder.root())?;
        let len = self.model.encoder().layout().len();
        if !checkpoint.fits(len, len, 0) {
            return Err(fail(
                "the checkpoint does not fit the model; start a new run",
            ));
        }
        let metrics = Metrics::open(folder, state.metrics_len, state.events_len)?;
        let mut progress = Progress::new(state, self.optimizer(), metrics);
        let (backend, params) = self.model.encoder_mut().params_mut();
        checkpoint.restore(backend, params, &mut progress.optimizer, &mut vec![]);
        Ok(progress)
    }
}

/// The id of the mask, which the model must have a vector for.
fn mask_of<B: Backend>(model: &LanguageModel<B>, pieces: &Pieces) -> Result<u32> {
    let encoder = model.encoder();
    let message = match pieces.mask() {
        Some(mask) if pieces.len() <= encoder.config().vocab_size => return Ok(mask),
        Some(_) => "it has more pieces than the model's vocabulary; they do not belong together",
        None => "it has neither `[MASK]` nor `<mask>`, which pretraining needs; choose another",
    };
    Err(ModelError::Tokenizer {
        path: encoder.folder().encoder.clone(),
        message: message.into(),
    }
    .into())
}
