use super::{EncodingPlan, RunOverlap};
use crate::Result;
use crate::recipe::SelectionMetric;
use crate::text::TextCounts;
use crate::training::{StageRecord, TrainError};
use crate::util::Observer;
use crate::util::machine::free_memory;
use gradus_kernels::Backend;
use serde::Serialize;

/// What a run will do, worked out before it begins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainingPlan {
    /// The model trained.
    pub model: String,
    /// All parameters of the encoder and the modules behind it.
    pub parameters: usize,
    /// What it runs on.
    pub backend: String,
    /// Of what the metric chooses the best model: `cosine` or `score`.
    pub selected_by: String,
    /// By what the best model is chosen.
    pub metric: SelectionMetric,
    /// The set that it is the best on.
    pub dev: Option<String>,
    /// What the training data shares with evaluation sets.
    pub overlap: RunOverlap,
    /// The stages.
    pub stages: Vec<StagePlan>,
}

/// What a stage will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StagePlan {
    /// Its name.
    pub name: String,
    /// What it minimises.
    pub objective: String,
    /// Whether the encoder is left alone.
    pub encoder_frozen: bool,
    /// What its examples are: pairs, texts or triplets.
    pub unit: String,
    /// Examples after filters.
    pub pairs: usize,
    /// Pairs that label maps skipped.
    pub skipped: usize,
    /// Pairs left out because evaluation sets hold them.
    pub excluded: usize,
    /// Lowest and highest training label.
    pub label_range: (f64, f64),
    /// Pairs per forward pass.
    pub batch: usize,
    /// Pairs per optimizer step.
    pub effective_batch: usize,
    /// Optimizer steps per epoch.
    pub steps_per_epoch: u64,
    /// Optimizer steps in all.
    pub steps: u64,
    /// Of which these warm up.
    pub warmup_steps: u64,
    /// The highest learning rate, of the top layer.
    pub peak_rate: f64,
    /// The head's highest learning rate.
    pub head_peak_rate: f64,
    /// The rate at the last step.
    pub final_rate: f64,
    /// Optimizer steps between evaluations.
    pub evaluate_every: Option<u64>,
    /// How many texts an example has: two of a pair, or two views of a text.
    pub texts_per_example: usize,
    /// Tokens of all texts of an example, averaged over examples.
    pub tokens_per_pair: f64,
    /// Tokens that the stage will process.
    pub tokens: u64,
    /// Of its different texts, those that are cut or hardly known.
    pub texts: TextCounts,
    /// The buffer that anchors get further negatives from.
    pub buffer: Option<String>,
    /// Texts that are encoded once, before the steps.
    pub encodings: Vec<EncodingPlan>,
    /// Measured on a few batches that are not trained on, where asked for.
    pub seconds: Option<f64>,
    /// Parameters, gradients, moments and the activations of one batch; a buffer with
    /// the moving average that fills it.
    pub memory_bytes: u64,
}

impl StagePlan {
    /// What `run.json` says of the stage.
    pub(crate) fn record(&self) -> StageRecord {
        StageRecord {
            name: self.name.clone(),
            objective: self.objective.clone(),
            encoder_frozen: self.encoder_frozen,
            unit: self.unit.clone(),
            examples: self.pairs,
            skipped: self.skipped,
            excluded: self.excluded,
            steps: self.steps,
            batch: self.effective_batch,
            peak_rate: match self.encoder_frozen {
                true => self.head_peak_rate,
                false => self.peak_rate,
            },
        }
    }
}

/// Warns of stages that need more of the machine's memory than is free.
///
/// # Errors
/// [`TrainError::DeviceMemory`] where a device has not as much of its own.
pub(crate) fn check_memory<B: Backend>(
    backend: &B,
    stages: &[StagePlan],
    observer: &mut dyn Observer,
) -> Result<()> {
    if let Some(own) = backend.own_memory() {
        return match shortages(stages, own).pop() {
            Some(shortage) => Err(TrainError::DeviceMemory {
                device: backend.describe(),
                shortage,
            }
            .into()),
            None => Ok(()),
        };
    }
    if let Some(free) = free_memory() {
        for shortage in shortages(stages, free) {
            observer.warn(&shortage);
        }
    }
    Ok(())
}

/// The stages that need more than `free` bytes of memory, a sentence each.
fn shortages(stages: &[StagePlan], free: u64) -> Vec<String> {
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    let short = stages.iter().filter(|s| s.memory_bytes > free);
    short
        .map(|s| {
            format!(
                "stage `{}` needs about {:.1} GB of memory and {:.1} GB are free: set `chunk_tokens` in it, or fewer than {} as `batch`",
                s.name,
                gigabytes(s.memory_bytes),
                gigabytes(free),
                s.batch
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, memory_bytes: u64) -> StagePlan {
        StagePlan {
            name: name.into(),
            objective: String::new(),
            encoder_frozen: false,
            unit: "pairs".into(),
            pairs: 9,
            skipped: 0,
            excluded: 0,
            label_range: (0.0, 1.0),
            batch: 512,
            effective_batch: 512,
            steps_per_epoch: 1,
            steps: 1,
            warmup_steps: 0,
            peak_rate: 1e-5,
            head_peak_rate: 1e-5,
            final_rate: 1e-5,
            evaluate_every: None,
            texts_per_example: 2,
            tokens_per_pair: 9.0,
            tokens: 81,
            texts: TextCounts::default(),
            buffer: None,
            encodings: vec![],
            seconds: None,
            memory_bytes,
        }
    }

    #[test]
    fn stages_that_do_not_fit_are_named() {
        let stages = [stage("small", 1_000_000_000), stage("big", 21_100_000_000)];
        let short = shortages(&stages, 15_000_000_000);
        assert_eq!(short.len(), 1);
        for part in [
            "`big`",
            "21.1 GB",
            "15.0 GB are free",
            "chunk_tokens",
            "512",
        ] {
            assert!(short[0].contains(part), "{part}: {}", short[0]);
        }
        assert!(shortages(&stages, u64::MAX).is_empty());
    }
}
