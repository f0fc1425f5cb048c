//! A stage made ready: data read and tokenised, objective built, steps counted.

use super::batches::{epoch_key, order};
use super::evaluation::Unique;
use super::overlap::Watch;
use super::plan::StagePlan;
use super::{Freeze, ParameterGroups, Schedule, Stage, TrainError};
use crate::Result;
use crate::data::{DataRoot, GradedPair};
use crate::model::SentenceEncoder;
use crate::objective::{Facts, Objective};
use crate::text::Tokens;
use gradus_kernels::Backend;
use sha2::{Digest, Sha256};
use std::path::Path;

pub(super) struct Prepared {
    pub settings: Stage,
    pub objective: Box<dyn Objective>,
    pub texts: Vec<Tokens>,
    /// The texts of each pair.
    pub pairs: Vec<(u32, u32)>,
    pub labels: Vec<f64>,
    pub weights: Vec<f32>,
    pub tolerances: Vec<Option<f32>>,
    pub schedule: Schedule,
    pub groups: ParameterGroups,
    pub plan: StagePlan,
}

/// Where and what for pairs are loaded.
pub(super) struct Context<'a> {
    pub base_dir: &'a Path,
    pub data_root: &'a DataRoot,
    pub evaluate_every: Option<u64>,
    pub has_dev: bool,
}

impl Prepared {
    pub fn new<B: Backend>(
        settings: &Stage,
        model: &SentenceEncoder<B>,
        context: &Context<'_>,
        watch: &mut Watch,
        hash: &mut Sha256,
    ) -> Result<Self> {
        let fail = |message: String| TrainError::Stage {
            stage: settings.name.clone(),
            message,
        };
        let mut pairs: Vec<GradedPair> = Vec::new();
        let (mut skipped, mut excluded) = (0, 0);
        for source in &settings.train {
            let (base_dir, root) = (context.base_dir, context.data_root);
            let loaded = source.load_without(&watch.held_out, base_dir, root)?;
            watch.see(&settings.name, source, &loaded.pairs);
            skipped += loaded.skipped.values().sum::<usize>();
            excluded += loaded.excluded;
            pairs.extend(loaded.pairs);
        }
        let most = settings.objective.widest_tolerance();
        for pair in &pairs {
            if let Some(t) = pair
                .tolerance
                .filter(|&t| !(0.0..=most).contains(&f64::from(t)))
            {
                return Err(fail(format!(
                    "the tolerance {t} of the pair {:?} / {:?} lies outside of [0, {most}] (half the label spacing)",
                    pair.first, pair.second
                ))
                .into());
            }
            for text in [&pair.first, &pair.second] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
            hash.update(pair.label.to_le_bytes());
            hash.update(pair.weight.to_le_bytes());
            hash.update(pair.tolerance.unwrap_or(-1.0).to_le_bytes());
        }
        let labels: Vec<f64> = pairs.iter().map(|p| p.label).collect();
        let objective = settings
            .objective
            .build(Facts {
                labels: &labels,
                columns: 2,
                teachers: &[],
            })
            .map_err(|source| TrainError::Objective {
                stage: settings.name.clone(),
                source,
            })?;
        let mut unique = Unique::default();
        let places: Vec<(u32, u32)> = pairs
            .iter()
            .map(|p| {
                (
                    unique.place(&p.first) as u32,
                    unique.place(&p.second) as u32,
                )
            })
            .collect();
        let texts = model.tokenizer().encode(&unique.texts)?;

        let n = pairs.len();
        let effective_batch = settings.batch * settings.accumulate;
        let steps_per_epoch = n.div_ceil(effective_batch) as u64;
        let steps = match (settings.steps, settings.epochs) {
            (Some(steps), _) => steps,
            (None, epochs) => (epochs.unwrap_or(1.0) * steps_per_epoch as f64)
                .ceil()
                .max(1.0) as u64,
        };
        let warmup_steps = (settings.warmup * steps as f64).round() as u64;
        let schedule = Schedule::new(settings.schedule, warmup_steps, steps);
        let len = |t: u32| texts[t as usize].ids.len();
        let tokens: usize = places.iter().map(|&(a, b)| len(a) + len(b)).sum();
        let longest = places
            .iter()
            .map(|&(a, b)| len(a) + len(b))
            .max()
            .unwrap_or(0);
        let frozen = settings.freeze == Freeze::Encoder;
        let range = labels
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &y| {
                (l.min(y), h.max(y))
            });
        let plan = StagePlan {
            name: settings.name.clone(),
            objective: objective.describe(),
            encoder_frozen: frozen,
            pairs: n,
            skipped,
            excluded,
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
            tokens_per_pair: tokens as f64 / n as f64,
            tokens: (tokens as f64 / n as f64 * (steps as f64 / steps_per_epoch as f64) * n as f64)
                as u64,
            seconds: None,
            memory_bytes: memory(
                model,
                frozen,
                (settings.batch * longest)
                    .min(settings.batch * tokens / n * 2)
                    .min(settings.chunk_tokens.unwrap_or(usize::MAX).max(longest)),
            ),
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
            pairs: places,
            labels,
            weights: pairs.iter().map(|p| p.weight).collect(),
            tolerances: pairs.iter().map(|p| p.tolerance).collect(),
            schedule,
            plan,
        })
    }

    /// The pairs of an optimizer step, counted from 0. `cache` keeps the order
    /// of the epoch last asked for.
    pub fn examples(
        &self,
        seed: u64,
        stage: usize,
        step: u64,
        cache: &mut Option<(u64, Vec<u32>)>,
    ) -> Vec<u32> {
        let epoch = step / self.plan.steps_per_epoch;
        if cache.as_ref().is_none_or(|c| c.0 != epoch) {
            let key = self.settings.shuffle.then(|| epoch_key(seed, stage, epoch));
            *cache = Some((epoch, order(self.pairs.len(), key)));
        }
        let from = (step % self.plan.steps_per_epoch) as usize * self.plan.effective_batch;
        let order = cache.as_ref().map_or(&[][..], |c| &c.1);
        order[from..(from + self.plan.effective_batch).min(order.len())].to_vec()
    }

    /// What the objective knows of some pairs besides their embeddings.
    pub fn labels_of(&self, examples: &[u32]) -> (Vec<f64>, Vec<f32>, Vec<Option<f32>>) {
        let pick = |i: &u32| *i as usize;
        (
            examples.iter().map(|i| self.labels[pick(i)]).collect(),
            examples.iter().map(|i| self.weights[pick(i)]).collect(),
            examples.iter().map(|i| self.tolerances[pick(i)]).collect(),
        )
    }

    /// The texts of some pairs: all first ones, then all second ones.
    pub fn columns(&self, examples: &[u32]) -> Vec<u32> {
        let pairs = || examples.iter().map(|&i| self.pairs[i as usize]);
        pairs().map(|p| p.0).chain(pairs().map(|p| p.1)).collect()
    }
}

/// Bytes of parameters, gradients and moments, and of the activations that a
/// batch of `tokens` keeps for its backward pass.
fn memory<B: Backend>(model: &SentenceEncoder<B>, frozen: bool, tokens: usize) -> u64 {
    let config = model.config();
    let arenas = if frozen { 1 } else { 4 };
    // Per layer: qkv, context, and twice a norm's output and normalised input;
    // the feed-forward's two sides.
    let per_token = config.layers * (8 * config.hidden_size + 2 * config.intermediate_size);
    let activations = if frozen { 0 } else { tokens * per_token };
    4 * (arenas * model.layout().len() + activations) as u64
}
