//! A stage made ready: data read and tokenised, loss built, steps counted.

use super::examples::Examples;
use crate::Result;
use crate::data::DataRoot;
use crate::losses::{ScoreLoss, ScoreTrainingSet, ScoreUnit};
use crate::models::CrossEncoder;
use crate::nn::training_bytes;
use crate::recipe::{CrossEncoderStage, StageSteps};
use crate::tasks::similarity::{StagePlan, Watch};
use crate::text::{TextCounts, Tokens};
use crate::training::{ParameterGroups, Schedule, StepExamples, TrainError};
use gradus_kernels::Backend;
use sha2::Sha256;
use std::path::Path;

pub(crate) struct Prepared {
    pub settings: CrossEncoderStage,
    pub loss: Box<dyn ScoreLoss>,
    /// Each row's pair as one input.
    pub tokens: Vec<Tokens>,
    pub targets: Vec<f64>,
    pub weights: Vec<f32>,
    pub tolerances: Vec<Option<f32>>,
    /// Offsets of examples among the rows.
    pub lists: Vec<usize>,
    pub schedule: Schedule,
    pub groups: ParameterGroups,
    pub plan: StagePlan,
}

/// Reads a stage's examples and builds its loss: what must be known before the model
/// is, whose head has as many labels as the loss has outputs.
pub(crate) fn read(
    settings: &CrossEncoderStage,
    from: (&Path, &DataRoot),
    watch: &mut Watch,
    hash: &mut Sha256,
) -> Result<(Examples, Box<dyn ScoreLoss>)> {
    let examples = Examples::load(settings, from, watch, hash)?;
    let built = settings.objective.build(ScoreTrainingSet {
        labels: &examples.targets,
        weights: &examples.weights,
        lists: &examples.lists,
    });
    let loss = built.map_err(|e| TrainError::Stage {
        stage: settings.name.clone(),
        message: format!("objective: {e}"),
    })?;
    Ok((examples, loss))
}

impl Prepared {
    pub fn new<B: Backend>(
        settings: &CrossEncoderStage,
        (examples, loss): (Examples, Box<dyn ScoreLoss>),
        model: &CrossEncoder<B>,
        evaluate_every: Option<Option<u64>>,
    ) -> Result<Self> {
        let fail = |message: String| TrainError::Stage {
            stage: settings.name.clone(),
            message,
        };
        let texts: Vec<(&str, &str)> = examples
            .rows
            .iter()
            .map(|[a, b]| {
                let text = |place: &u32| examples.texts[*place as usize].as_str();
                (text(a), text(b))
            })
            .collect();
        let tokens = model.tokenizer().encode_pairs(&texts)?;
        let n = examples.len();
        let StageSteps {
            per_epoch,
            steps,
            warmup,
            schedule,
        } = settings.pace().steps_over(n);
        let rate = settings.learning_rate;
        if !schedule.moves(rate, steps) {
            return Err(fail(format!(
                "the learning rate is 0 in all of its {steps} steps, of which {warmup} warm up: nothing would be trained; set a smaller `warmup`, or more `steps` or `epochs`"
            ))
            .into());
        }
        let lengths: Vec<usize> = examples
            .lists
            .windows(2)
            .map(|ends| tokens[ends[0]..ends[1]].iter().map(|t| t.ids.len()).sum())
            .collect();
        let (longest, total) = (
            lengths.iter().copied().max().unwrap_or(0),
            lengths.iter().sum::<usize>(),
        );
        let range = examples
            .targets
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &y| {
                (l.min(y), h.max(y))
            });
        let batch = settings.batch.min(n);
        let held = (batch * longest)
            .min(batch * total / n.max(1) * 2)
            .min(settings.chunk_tokens.unwrap_or(usize::MAX).max(longest));
        let plan = StagePlan {
            name: settings.name.clone(),
            objective: loss.describe(),
            encoder_frozen: false,
            unit: examples.unit.to_owned(),
            pairs: n,
            skipped: examples.skipped,
            excluded: examples.excluded,
            label_range: range,
            batch: settings.batch,
            effective_batch: settings.batch * settings.accumulate,
            steps_per_epoch: per_epoch,
            steps,
            warmup_steps: warmup,
            peak_rate: rate,
            head_peak_rate: rate,
            final_rate: rate * schedule.factor(steps - 1),
            evaluate_every: evaluate_every.map(|every| every.unwrap_or(per_epoch)),
            texts_per_example: match settings.objective.unit() {
                ScoreUnit::Pairs => 2,
                ScoreUnit::Lists => 1,
            },
            tokens_per_pair: total as f64 / n as f64,
            tokens: (total as f64 * steps as f64 / per_epoch as f64) as u64,
            texts: TextCounts::of(tokens.iter().map(|text| &text.coverage)),
            buffer: None,
            encodings: vec![],
            seconds: None,
            memory_bytes: memory(model, held),
        };
        Ok(Self {
            groups: ParameterGroups::new(
                model.layout(),
                settings.weight_decay,
                settings.layer_decay,
            ),
            settings: settings.clone(),
            loss,
            tokens,
            targets: examples.targets,
            weights: examples.weights,
            tolerances: examples.tolerances,
            lists: examples.lists,
            schedule,
            plan,
        })
    }

    /// The examples of an optimizer step, counted from 0. `cache` keeps the order of
    /// the epoch last asked for.
    pub fn examples(
        &self,
        seed: u64,
        stage: usize,
        step: u64,
        cache: &mut Option<(u64, Vec<u32>)>,
    ) -> Vec<u32> {
        let steps = StepExamples {
            examples: self.plan.pairs,
            per_step: self.plan.effective_batch,
            shuffle: self.settings.shuffle,
        };
        steps.of((seed, stage, step), cache)
    }
}

/// Bytes of parameters, gradients and moments, and of the activations that a batch of
/// `tokens` keeps for its backward pass.
fn memory<B: Backend>(model: &CrossEncoder<B>, tokens: usize) -> u64 {
    let config = &model.folder().config;
    training_bytes(model.backend(), config, model.layout().len(), tokens)
}
