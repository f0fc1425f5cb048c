//! Batches beyond what memory holds: encoded in chunks, twice.

use super::on_device::ContrastOnDevice;
use crate::Embeddings;
use crate::losses::Output;
use crate::models::SentenceEncoder;
use crate::text::{Tokens, batches};
use gradus_kernels::Backend;
use gradus_kernels::dropout::Dropout;

/// An input, and the stream of its dropout masks.
pub(crate) type Sequence<'a> = (&'a Tokens, u64);

/// How inputs are encoded for a step.
#[derive(Clone, Copy)]
pub(crate) struct Pass {
    pub dropout: Dropout,
    /// The most tokens of texts that are held at a time.
    pub limit: Option<usize>,
    /// Whether templates' own biases are subtracted.
    pub denoise: bool,
}

/// Adds the gradients of what `objective` makes of the embeddings of
/// `sequences`, in one pass where they have at most `limit` tokens.
///
/// Otherwise the embeddings come first, chunk by chunk, and nothing else of
/// those passes is kept; then each chunk is encoded again, with the same
/// dropout, for its backward pass (GradCache; Gao et al. 2021, "Scaling Deep
/// Contrastive Learning Batch Size under Memory Limited Setup"). Gradients are
/// those of one pass but for the order of their sums: bare templates, too, have the
/// same dropout in every chunk.
///
/// `on_device` takes the objective's place where vectors of one pass can stay on the device.
pub(crate) fn accumulate<B: Backend>(
    model: &SentenceEncoder<B>,
    sequences: &[Sequence<'_>],
    pass: Pass,
    on_device: Option<ContrastOnDevice<'_>>,
    objective: impl FnOnce(&Embeddings) -> Output,
    grads: &mut B::Arena,
) -> Output {
    let packed = |chunk: &[Sequence<'_>]| model.pack_as(chunk.iter().copied(), pass.denoise);
    let forward = |chunk| model.forward(packed(chunk), Some(pass.dropout));
    let limit = pass.limit.unwrap_or(usize::MAX);
    let chunks = batches(sequences, |(tokens, _)| tokens.ids.len(), limit, 1);
    if let [whole] = chunks[..] {
        let passed = model.pass(packed(whole), Some(pass.dropout));
        if let Some(contrast) = on_device.filter(|_| !model.is_truncated()) {
            let (output, gradient) = contrast.evaluate(model.backend(), passed.vectors());
            model.backward_from(passed, gradient, grads);
            return output;
        }
        let passed = model.on_host(passed);
        let output = objective(passed.embeddings());
        model.backward(passed, &output.embeddings, grads);
        return output;
    }
    let mut values = Vec::with_capacity(sequences.len() * model.dim());
    for chunk in &chunks {
        values.extend_from_slice(forward(chunk).embeddings().as_slice());
    }
    let output = objective(&Embeddings::new(model.dim(), values));
    let mut gradients = &output.embeddings[..];
    for chunk in &chunks {
        let (own, rest) = gradients.split_at(chunk.len() * model.dim());
        model.backward(forward(chunk), own, grads);
        gradients = rest;
    }
    output
}
