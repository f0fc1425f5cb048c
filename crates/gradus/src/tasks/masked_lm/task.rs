//! Masked language models as the engine trains them.

use super::corpus::chunks;
use super::{Batches, Corpus, HeldOutScores, PretrainingPlan, PretrainingSettings};
use crate::Result;
use crate::data::{DataError, Source};
use crate::format::{ModelError, Provenance};
use crate::models::{MaskedLm, Score};
use crate::text::{Masked, Masking, Vocabulary};
use crate::training::{
    self, Details, ENCODER, Evaluation, Identity, Moment, Network, Networks, Pace, ParamSet,
    ParamSets, ParameterGroups, RunDescription, RunFolder, RunInputs, Schedule, StageOutline,
    StageRecord, State, StepLoss, Task, TrainError, TrainingObserver, seconds_per_step,
};
use crate::util::Observer;
use gradus_kernels::Backend;
use gradus_kernels::dropout::Dropout;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Tokens of a forward and backward pass: a step may have several, which bounds the
/// activations held at a time.
const PASS_TOKENS: usize = 1024;

/// The same on a device that works apart, whose products want more rows.
const PASS_TOKENS_APART: usize = 8192;

/// The step whose masks the texts held out have.
const HELD_OUT_STEP: u64 = u64::MAX;

/// What errors call the run.
pub(crate) const STAGE: &str = "pretraining";

/// Evaluations of a run for which no number of steps between them is given.
const EVALUATIONS: u64 = 10;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PretrainingSummary {
    /// The model's folder.
    pub model: PathBuf,
    /// The last evaluation.
    #[serde(flatten)]
    pub held_out: HeldOutScores,
    /// Tokens per second since this process began or resumed the run.
    pub tokens_per_second: f64,
    /// Wall time since then, in seconds.
    pub seconds: f64,
}

/// A pretraining, prepared.
pub struct Pretraining<B: Backend> {
    settings: PretrainingSettings,
    model: MaskedLm<B>,
    vocabulary: Vocabulary,
    mask: u32,
    corpus: Corpus,
    batches: Batches,
    outline: [StageOutline; 1],
    groups: ParameterGroups,
    plan: PretrainingPlan,
    fingerprint: String,
    /// What else its numbers depend on.
    inputs: RunInputs,
    /// What is known of the model that it goes on from.
    earlier: Provenance,
    /// The last scores.
    held_out: Option<HeldOutScores>,
}

impl<B: Backend> Pretraining<B> {
    /// Loads the model from `model_folder`, tokenises `texts`, counts the
    /// steps, and where only minutes are given measures how many fit them.
    ///
    /// # Errors
    /// Anything wrong with settings, texts or model is found here.
    pub fn prepare(
        settings: PretrainingSettings,
        texts: &[String],
        model_folder: &Path,
        backend: B,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        settings.validate()?;
        let mut model = MaskedLm::load(model_folder, backend, settings.seed)?;
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
        let vocabulary = encoder.tokenizer().vocabulary();
        let mask = mask_of(&model, &vocabulary)?;
        let corpus = Corpus::new(texts, encoder.tokenizer(), &vocabulary, settings.seed)?;
        if corpus.train().is_empty() {
            let path = settings
                .texts
                .first()
                .map(Source::describe)
                .unwrap_or_default();
            return Err(DataError::NoTexts { path: path.into() }.into());
        }
        let batches = Batches::new(&corpus, settings.batch_tokens, settings.seed);
        let plan = PretrainingPlan {
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
            outline: [outline(Schedule::new(settings.schedule, 0, 1))],
            settings,
            model,
            vocabulary,
            mask,
            corpus,
            batches,
            groups,
            plan,
            held_out: None,
        };
        let steps = match (run.settings.steps, run.settings.minutes) {
            (Some(steps), _) => steps,
            (None, Some(minutes)) => run.fit(60.0 * minutes, observer)?,
            (None, None) => {
                let epochs = run.settings.epochs.unwrap_or(1.0);
                (epochs * run.batches.per_epoch() as f64).ceil().max(1.0) as u64
            }
        };
        run.set_steps(steps);
        let rate = run.settings.learning_rate;
        if !run.outline[0].schedule.moves(rate, steps) {
            let message = format!(
                "the learning rate is 0 in all {steps} steps: nothing would be trained; take a smaller share to warm up, or more steps"
            );
            let stage = STAGE.to_owned();
            return Err(TrainError::Stage { stage, message }.into());
        }
        Ok(run)
    }

    fn set_steps(&mut self, steps: u64) {
        let warmup = (self.settings.warmup * steps as f64).round() as u64;
        let every = self.settings.evaluate_every;
        let every = every.unwrap_or(steps.div_ceil(EVALUATIONS)).max(1);
        (self.settings.steps, self.settings.evaluate_every) = (Some(steps), Some(every));
        (self.plan.steps, self.plan.warmup_steps) = (steps, warmup);
        self.plan.evaluate_every = every;
        self.outline = [StageOutline {
            steps,
            steps_per_epoch: self.plan.steps_per_epoch,
            evaluate_every: Some(every),
            ..outline(Schedule::new(self.settings.schedule, warmup, steps))
        }];
    }

    /// How many steps fit some seconds: measured on steps that leave the model as it
    /// is, and on an evaluation.
    fn fit(&mut self, seconds: f64, observer: &mut dyn Observer) -> Result<u64> {
        observer.note("measuring the speed");
        self.outline[0].steps_per_epoch = self.plan.steps_per_epoch;
        let a_step = seconds_per_step(self, 0)?;
        let began = Instant::now();
        self.score_held_out(0);
        let evaluation = began.elapsed().as_secs_f64();
        let steps = match self.settings.evaluate_every {
            Some(every) => seconds / (a_step + evaluation / every.max(1) as f64),
            None => (seconds - EVALUATIONS as f64 * evaluation) / a_step,
        };
        self.plan.seconds = Some(seconds);
        Ok((steps as u64).max(1))
    }

    /// What the run will do.
    pub fn plan(&self) -> &PretrainingPlan {
        &self.plan
    }

    /// The settings with the number of steps and all else that was left open.
    pub fn settings(&self) -> &PretrainingSettings {
        &self.settings
    }

    /// The model in its current state.
    pub fn model(&self) -> &MaskedLm<B> {
        &self.model
    }

    pub(crate) fn masking(&self) -> Masking<'_> {
        let s = &self.settings;
        Masking::new(
            &self.vocabulary,
            self.mask,
            s.mask_rate,
            s.whole_words,
            s.seed,
        )
    }

    /// Carries the run out, from its latest checkpoint if there is one.
    ///
    /// # Errors
    /// As [`train`](training::train).
    pub fn execute(
        &mut self,
        folder: &RunFolder,
        observer: &mut dyn TrainingObserver,
    ) -> Result<PretrainingSummary> {
        observer.note(self.plan.describe().trim_end());
        let found = training::train(self, folder, observer)?;
        let held_out = match self.held_out.clone() {
            Some(held_out) => held_out,
            None => self.score_held_out(self.plan.steps),
        };
        Ok(PretrainingSummary {
            model: found.model,
            held_out,
            tokens_per_second: found.per_second,
            seconds: found.seconds,
        })
    }

    fn pass_tokens(&self) -> usize {
        match self.model.encoder().backend().is_apart() {
            true => PASS_TOKENS_APART,
            false => PASS_TOKENS,
        }
    }

    /// Texts as they are masked at a step, each with its own number.
    fn masked(&self, step: u64, texts: &[u32]) -> Vec<(Masked, u64)> {
        let masking = self.masking();
        let texts = texts.iter().map(|&text| {
            let ids = self.corpus.text(text);
            (masking.apply(step, u64::from(text), ids), u64::from(text))
        });
        texts.collect()
    }

    fn write_model(&mut self, folder: &RunFolder, observer: &mut dyn Observer) -> Result<()> {
        // Not known where all steps were taken by an earlier process.
        let held_out = match self.held_out.take() {
            Some(held_out) => held_out,
            None => self.score_held_out(self.plan.steps),
        };
        let card = super::card::card(&self.settings, &self.plan, &held_out);
        self.held_out = Some(held_out);
        let warn = &mut |message: &str| observer.warn(message);
        folder.save(self.model.encoder(), &card, &self.earlier, warn)
    }

    /// The score of the texts held out after so many steps, always under the same
    /// masks.
    fn score_held_out(&self, step: u64) -> HeldOutScores {
        let texts = self.masked(HELD_OUT_STEP, self.corpus.held_out());
        let mut score = Score::default();
        for chunk in chunks(&texts, self.pass_tokens()) {
            let texts = chunk.iter().map(|(text, stream)| (text, *stream));
            score += self.model.score(&self.model.pack(texts));
        }
        HeldOutScores {
            step,
            loss: score.mean_loss(),
            masked_accuracy: score.accuracy(),
            masked: score.masked,
        }
    }
}

fn outline(schedule: Schedule) -> StageOutline {
    StageOutline {
        name: STAGE.into(),
        steps: 1,
        steps_per_epoch: 1,
        schedule,
        evaluate_every: None,
        selected_by: None,
        next_from_best: false,
        unit: "tokens",
    }
}

impl<B: Backend> Networks<B> for Pretraining<B> {
    fn network(&self, name: &str) -> Option<&dyn Network<B>> {
        (name == ENCODER).then_some(self.model.encoder())
    }

    fn network_mut(&mut self, name: &str) -> Option<&mut dyn Network<B>> {
        (name == ENCODER).then_some(self.model.encoder_mut())
    }
}

impl<B: Backend> Task<B> for Pretraining<B> {
    fn backend(&self) -> Arc<B> {
        self.model.encoder().shared_backend()
    }

    fn stages(&self) -> &[StageOutline] {
        &self.outline
    }

    fn pace(&self) -> Pace {
        Pace {
            log_every: self.settings.log_every,
            checkpoint_seconds: self.settings.checkpoint_seconds,
            checkpoint_steps: self.settings.checkpoint_steps,
            patience: None,
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            fingerprint: self.fingerprint.clone(),
            changed: "the texts or the tokenizer changed since this run began; restore them",
            inputs: self.inputs.clone(),
        }
    }

    fn describe(&self) -> RunDescription {
        let plan = &self.plan;
        let stage = StageRecord {
            name: STAGE.into(),
            objective: format!("masked tokens, {:.0} %", 100.0 * plan.mask_rate),
            encoder_frozen: false,
            unit: "texts".into(),
            examples: plan.texts,
            skipped: 0,
            excluded: 0,
            steps: plan.steps,
            batch: plan.texts.div_ceil(plan.steps_per_epoch.max(1) as usize),
            peak_rate: plan.peak_rate,
        };
        RunDescription {
            backend: plan.backend.clone(),
            parameters: plan.parameters,
            stages: vec![stage],
        }
    }

    fn param_sets(&mut self, stage: usize) -> Result<ParamSets<B>> {
        let encoder = self.model.encoder();
        let (backend, settings) = (encoder.backend(), &self.settings);
        let set = match stage {
            0 => ParamSet::of_network(
                ENCODER,
                backend,
                (encoder.gradient_arena(), encoder.layout().len()),
                self.groups.clone(),
                settings.learning_rate,
            ),
            _ => ParamSet::frozen(ENCODER, backend),
        };
        Ok(ParamSets::new(settings.adamw, settings.clip, vec![set]))
    }

    fn gradients(&mut self, at: Moment, sets: &mut ParamSets<B>) -> Result<StepLoss> {
        let [encoder] = sets.each_mut([ENCODER]);
        let Some(grads) = encoder.and_then(|set| set.gradients_mut()) else {
            return Ok(StepLoss::default());
        };
        let texts = self.batches.texts(&self.corpus, at.step).to_vec();
        let texts = self.masked(at.step, &texts);
        let masked: usize = texts.iter().map(|(text, _)| text.targets.len()).sum();
        let scale = 1.0 / masked.max(1) as f32;
        let dropout = Dropout::for_step(0.0, self.settings.seed, at.step);
        let (mut score, mut units) = (Score::default(), 0);
        for chunk in chunks(&texts, self.pass_tokens()) {
            let texts = chunk.iter().map(|(text, stream)| (text, *stream));
            let batch = self.model.pack(texts);
            units += batch.tokens();
            score += self.model.gradients(&batch, scale, Some(dropout), grads);
        }
        let accuracy = score.accuracy();
        Ok(StepLoss {
            loss: score.mean_loss(),
            units,
            details: Details {
                words: format!("masked-token accuracy {:.1} %", 100.0 * accuracy),
                fields: Map::from_iter([("masked_accuracy".to_owned(), json!(accuracy))]),
            },
        })
    }

    fn evaluate(&mut self, at: Moment, _sets: &ParamSets<B>) -> Result<Option<Evaluation>> {
        let held_out = self.score_held_out(at.step);
        let mut fields = Map::from_iter([("stage".to_owned(), json!(STAGE))]);
        if let Ok(Value::Object(scores)) = serde_json::to_value(&held_out) {
            fields.extend(scores);
        }
        let evaluation = Evaluation {
            stage: STAGE.into(),
            step: at.step,
            score: None,
            details: Details {
                words: held_out.describe(),
                fields,
            },
            warnings: vec![],
        };
        self.held_out = Some(held_out);
        Ok(Some(evaluation))
    }

    fn save(
        &mut self,
        _sets: &ParamSets<B>,
        _state: &State,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        self.write_model(folder, observer)
    }

    /// A run that was over before leaves its model once more, so that one that was
    /// removed is there again.
    fn finish(&mut self, folder: &RunFolder, observer: &mut dyn Observer) -> Result<()> {
        match self.held_out {
            Some(_) => Ok(()),
            None => self.write_model(folder, observer),
        }
    }

    fn zero_gradient_advice(&self) -> &'static str {
        "no token of them was masked; mask a larger share"
    }
}

/// The id of the mask, which the model must have a vector for.
fn mask_of<B: Backend>(model: &MaskedLm<B>, vocabulary: &Vocabulary) -> Result<u32> {
    let encoder = model.encoder();
    let message = match vocabulary.mask() {
        Some(mask) if vocabulary.len() <= encoder.config().vocab_size => return Ok(mask),
        Some(_) => "it has more tokens than the model's vocabulary; they do not belong together",
        None => "it has neither `[MASK]` nor `<mask>`, which pretraining needs; choose another",
    };
    Err(ModelError::Tokenizer {
        path: encoder.folder().encoder.clone(),
        message: message.into(),
    }
    .into())
}
