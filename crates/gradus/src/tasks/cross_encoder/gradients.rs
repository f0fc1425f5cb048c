//! The gradients of an optimizer step.

use super::stage::Prepared;
use crate::losses::{ScoreInput, ScoreOutput};
use crate::models::CrossEncoder;
use crate::text::{Tokens, batches};
use crate::training::Moment;
use gradus_kernels::Backend;
use gradus_kernels::dropout::{Dropout, mix64};

/// A pair's tokens, and the stream of its dropout masks.
type Row<'a> = (&'a Tokens, u64);

/// The loss of some examples of a stage. Adds its gradients to `grads`.
pub(crate) fn step<B: Backend>(
    stage: &Prepared,
    examples: &[u32],
    model: &CrossEncoder<B>,
    (seed, at): (u64, Moment),
    grads: &mut B::Arena,
) -> f64 {
    let of_stage = mix64(seed ^ ((at.stage as u64) << 32));
    let dropout = Dropout::for_step(0.0, of_stage, at.step);
    let (mut total, mut stream) = (0.0, 0);
    for micro in examples.chunks(stage.settings.batch) {
        let share = micro.len() as f64 / examples.len() as f64;
        let batch = Batch::new(stage, micro, &mut stream);
        let loss = |logits: &[f32]| {
            let mut output = batch.evaluate(stage, logits);
            for g in &mut output.logits {
                *g *= share as f32;
            }
            output
        };
        let limit = stage.settings.chunk_tokens;
        total += share * accumulate(model, &batch.rows, (dropout, limit), loss, grads);
    }
    total
}

/// The rows of a forward and backward pass.
struct Batch<'a> {
    rows: Vec<Row<'a>>,
    targets: Vec<f64>,
    weights: Vec<f32>,
    tolerances: Vec<Option<f32>>,
    lists: Vec<usize>,
}

impl<'a> Batch<'a> {
    fn new(stage: &'a Prepared, examples: &[u32], stream: &mut u64) -> Self {
        let mut batch = Self {
            rows: vec![],
            targets: vec![],
            weights: vec![],
            tolerances: vec![],
            lists: vec![0],
        };
        for &example in examples {
            let example = example as usize;
            for row in stage.lists[example]..stage.lists[example + 1] {
                batch.rows.push((&stage.tokens[row], *stream));
                batch.targets.push(stage.targets[row]);
                batch.weights.push(stage.weights[row]);
                batch.tolerances.push(stage.tolerances[row]);
                *stream += 1;
            }
            batch.lists.push(batch.rows.len());
        }
        batch
    }

    fn evaluate(&self, stage: &Prepared, logits: &[f32]) -> ScoreOutput {
        stage.loss.evaluate(&ScoreInput {
            logits,
            outputs: stage.loss.outputs(),
            targets: &self.targets,
            weights: &self.weights,
            tolerances: &self.tolerances,
            lists: &self.lists,
        })
    }
}

/// The loss of what `loss` makes of the rows' logits, in one pass where they have at
/// most as many tokens as the limit says; else logits come first, chunk by chunk, and
/// each chunk is run again, with the same dropout, for its backward pass.
fn accumulate<B: Backend>(
    model: &CrossEncoder<B>,
    rows: &[Row<'_>],
    (dropout, limit): (Dropout, Option<usize>),
    loss: impl FnOnce(&[f32]) -> ScoreOutput,
    grads: &mut B::Arena,
) -> f64 {
    let forward =
        |chunk: &[Row<'_>]| model.forward(model.pack(chunk.iter().copied()), Some(dropout));
    let limit = limit.unwrap_or(usize::MAX);
    let chunks = batches(rows, |(tokens, _)| tokens.ids.len(), limit, 1);
    if let [whole] = chunks[..] {
        let passed = forward(whole);
        let output = loss(passed.logits());
        model.backward(passed, &output.logits, grads);
        return output.loss;
    }
    let logits: Vec<Vec<f32>> = chunks
        .iter()
        .map(|chunk| forward(chunk).logits().to_vec())
        .collect();
    let output = loss(&logits.concat());
    let mut gradients = &output.logits[..];
    for chunk in &chunks {
        let (own, rest) = gradients.split_at(chunk.len() * model.labels());
        model.backward(forward(chunk), own, grads);
        gradients = rest;
    }
    output.loss
}
