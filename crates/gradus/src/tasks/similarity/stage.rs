//! A stage made ready: data read and tokenised, objective built, steps counted.

use super::encoding::{EncodingPlan, seen, texts_of};
use super::examples::Examples;
use super::learnable::{check_rates, check_texts, small_last_batch};
use super::objective::{build, describe};
use super::overlap::Watch;
use super::plan::StagePlan;
use super::prompting::Prompting;
use crate::Result;
use crate::data::{DataRoot, RowKind};
use crate::losses::Objective;
use crate::models::SentenceEncoder;
use crate::nn::training_bytes;
use crate::recipe::{Freeze, Stage, StageSteps};
use crate::teacher::TeacherVectors;
use crate::text::{Repetition, TextCounts, Tokens};
use crate::training::{ParameterGroups, Schedule, StepExamples, TrainError};
use gradus_kernels::Backend;
use sha2::Sha256;
use std::path::Path;

pub(crate) struct Prepared {
    pub settings: Stage,
    pub objective: Box<dyn Objective>,
    pub texts: Vec<Tokens>,
    pub prompting: Prompting,
    /// What makes the second views of texts.
    pub repetition: Option<Repetition>,
    /// How many texts an example has.
    pub columns: usize,
    /// The texts of each example.
    pub rows: Vec<u32>,
    pub labels: Vec<f64>,
    pub weights: Vec<f32>,
    pub tolerances: Vec<Option<f32>>,
    /// The texts that the stage's teachers encode, by their numbers: the
    /// first of each example that a step will see.
    pub for_teachers: Vec<(u32, String)>,
    /// The stage's texts, where a cross-encoder scores pairs of them.
    pub for_cross_encoder: Vec<String>,
    /// The texts that are encoded once, where the encoder is frozen.
    pub encoded: Vec<u32>,
    /// Each teacher's vectors of them, once computed.
    pub teachers: Vec<TeacherVectors>,
    pub schedule: Schedule,
    pub groups: ParameterGroups,
    pub plan: StagePlan,
    /// What may be amiss with it.
    pub warnings: Vec<String>,
}

/// Where and what for pairs are loaded.
pub(crate) struct StageContext<'a> {
    pub seed: u64,
    pub base_dir: &'a Path,
    pub data_root: &'a DataRoot,
    pub evaluate_every: Option<u64>,
    pub has_dev: bool,
}

impl Prepared {
    /// Stage `place` of a run.
    pub fn new<B: Backend>(
        (place, settings): (usize, &Stage),
        model: &SentenceEncoder<B>,
        context: &StageContext<'_>,
        watch: &mut Watch,
        hash: &mut Sha256,
    ) -> Result<Self> {
        let examples = Examples::load(settings, context, watch, hash)?;
        let objective = build(settings, &examples, model.dim())?;
        let unique: Vec<&str> = examples.texts.iter().map(String::as_str).collect();
        let texts = model.tokenizer().encode(&unique)?;
        let invalid = |message: String| TrainError::Stage {
            stage: settings.name.clone(),
            message,
        };
        let graded = settings.objectives().any(|o| o.loss.name().needs_labels());
        let limit = model.tokenizer().max_tokens();
        let few = check_texts(&examples, &texts, graded, limit).map_err(invalid)?;
        let mut warnings: Vec<String> = few
            .map(|few| format!("stage `{}`: {few}", settings.name))
            .into_iter()
            .collect();
        let prompting = Prompting::new(settings, model, &unique)?;
        let repetition = repetition((place, settings), &examples, model, context.seed)?;

        let n = examples.len();
        let effective_batch = settings.batch * settings.accumulate;
        let StageSteps {
            per_epoch: steps_per_epoch,
            steps,
            warmup: warmup_steps,
            schedule,
        } = settings.pace().steps_over(n);
        check_rates(settings, &schedule, steps).map_err(invalid)?;
        if steps >= steps_per_epoch {
            warnings.extend(small_last_batch(settings, n, &*objective));
        }
        let len = |t: &u32| prompting.longest(&texts, *t);
        let lengths = examples.rows.chunks_exact(examples.columns);
        let lengths = lengths.map(|row| match &repetition {
            None => row.iter().map(len).sum::<usize>(),
            Some(repetition) => len(&row[0]) + repetition.expected(&texts[row[0] as usize]),
        });
        let longest = lengths.clone().max().unwrap_or(0);
        let tokens: usize = lengths.sum();
        let frozen = settings.freeze == Freeze::Encoder;
        let range = examples
            .labels
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &y| {
                (l.min(y), h.max(y))
            });
        let drawn = (context.seed, place, settings.shuffle);
        let seen = seen(n, (steps, effective_batch), drawn);
        let seen_texts = |columns| texts_of(&examples.rows, examples.columns, columns, &seen);
        let encoded = match frozen {
            true => seen_texts(examples.columns),
            false => vec![],
        };
        let by_teachers = match settings.teachers.is_empty() {
            true => vec![],
            false => seen_texts(1),
        };
        let encoding = |teacher: Option<&str>, seen: &[u32]| EncodingPlan {
            teacher: teacher.map(str::to_owned),
            texts: seen.len(),
            of: examples.texts.len(),
            found: None,
            seconds: None,
        };
        let teachers = settings.teachers.iter();
        let teachers = teachers.map(|t| encoding(Some(&t.model), &by_teachers));
        let own = frozen.then(|| encoding(None, &encoded));
        let plan = StagePlan {
            encodings: own.into_iter().chain(teachers).collect(),
            texts_per_example: examples.columns,
            name: settings.name.clone(),
            objective: describe(settings, &*objective),
            encoder_frozen: frozen,
            unit: examples.unit.to_owned(),
            pairs: n,
            skipped: examples.skipped,
            excluded: examples.excluded,
            label_range: range,
            batch: settings.batch,
            effective_batch,
            steps_per_epoch,
            steps,
            warmup_steps,
            peak_rate: if frozen { 0.0 } else { settings.learning_rate },
            head_peak_rate: settings
                .head_learning_rate
                .unwrap_or(settings.learning_rate),
            final_rate: settings.learning_rate * schedule.factor(steps - 1),
            evaluate_every: (context.has_dev && !frozen)
                .then(|| context.evaluate_every.unwrap_or(steps_per_epoch)),
            buffer: settings.buffer_rules().map(|rules| rules.describe()),
            tokens_per_pair: tokens as f64 / n as f64,
            tokens: (tokens as f64 / n as f64 * (steps as f64 / steps_per_epoch as f64) * n as f64)
                as u64,
            texts: TextCounts::of(texts.iter().map(|text| &text.coverage)),
            seconds: None,
            // A discriminator is another model of the same size.
            memory_bytes: (1 + u64::from(settings.difference.is_some()))
                * memory(
                    model,
                    frozen,
                    (settings.batch.min(n) * longest)
                        .min(settings.batch.min(n) * tokens / n * 2)
                        .min(settings.chunk_tokens.unwrap_or(usize::MAX).max(longest)),
                )
                + 4 * (encoded.len() * model.dim()) as u64,
        };
        Ok(Self {
            groups: ParameterGroups::new(
                model.layout(),
                settings.weight_decay,
                settings.layer_decay,
            ),
            settings: settings.clone(),
            objective,
            texts,
            prompting,
            repetition,
            columns: examples.columns,
            rows: examples.rows,
            labels: examples.labels,
            weights: examples.weights,
            tolerances: examples.tolerances,
            for_teachers: {
                let text = |n: u32| (n, examples.texts[n as usize].clone());
                by_teachers.into_iter().map(text).collect()
            },
            for_cross_encoder: match settings.self_distillation {
                Some(_) => examples.texts.clone(),
                None => vec![],
            },
            encoded,
            teachers: vec![],
            schedule,
            plan,
            warnings,
        })
    }

    /// The second views of some examples at a step, where they are made by repetition.
    pub fn repeated(&self, examples: &[u32], step: u64) -> Vec<Tokens> {
        let Some(repetition) = &self.repetition else {
            return vec![];
        };
        let texts = self.first_texts(examples).into_iter();
        let of = |(text, &example)| {
            let tokens: &Tokens = &self.texts[text as usize];
            repetition.apply(step, example, tokens)
        };
        texts.zip(examples).map(of).collect()
    }

    /// The first texts of some examples.
    pub fn first_texts(&self, examples: &[u32]) -> Vec<u32> {
        let firsts = examples.iter().map(|&i| i as usize * self.columns);
        firsts.map(|place| self.rows[place]).collect()
    }

    /// The examples of an optimizer step, counted from 0. `cache` keeps the order
    /// of the epoch last asked for.
    pub fn examples(
        &self,
        seed: u64,
        stage: usize,
        step: u64,
        cache: &mut Option<(u64, Vec<u32>)>,
    ) -> Vec<u32> {
        let steps = StepExamples {
            examples: self.labels.len(),
            per_step: self.plan.effective_batch,
            shuffle: self.settings.shuffle,
        };
        steps.of((seed, stage, step), cache)
    }
}

/// What makes second views of a stage's texts by repetition.
fn repetition<B: Backend>(
    (place, settings): (usize, &Stage),
    examples: &Examples,
    model: &SentenceEncoder<B>,
    seed: u64,
) -> Result<Option<Repetition>> {
    let Some(rate) = settings.repetition else {
        return Ok(None);
    };
    let refused = |message: &str| {
        let (stage, message) = (settings.name.clone(), message.to_owned());
        Err(TrainError::Stage { stage, message }.into())
    };
    if examples.unit != RowKind::Texts.plural() {
        return refused("`repetition` is for sources with `rows = \"texts\"`; leave it out");
    }
    if model.template().is_some() {
        return refused(
            "`repetition` does not go with a template, whose words would be repeated, too; leave it out",
        );
    }
    let tokenizer = model.tokenizer();
    let bounds = (tokenizer.prompt_length()?, tokenizer.max_tokens());
    let seed = seed ^ ((place as u64) << 32);
    let vocabulary = tokenizer.vocabulary();
    Ok(Some(Repetition::new(vocabulary, rate, bounds, seed)))
}

/// Bytes of parameters, gradients and moments, and of the activations that a
/// batch of `tokens` keeps for its backward pass.
fn memory<B: Backend>(model: &SentenceEncoder<B>, frozen: bool, tokens: usize) -> u64 {
    let parameters = model.layout().len();
    match frozen {
        true => 4 * parameters as u64,
        false => training_bytes(model.backend(), model.config(), parameters, tokens),
    }
}
