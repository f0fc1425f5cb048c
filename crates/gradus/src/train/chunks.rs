//! Batches beyond what memory holds: encoded in chunks, twice.

use crate::model::SentenceEncoder;
use crate::text::{Tokens, batches};
use crate::{Embeddings, objective::Output};
use gradus_kernels::Backend;
use gradus_kernels::dropout::Dropout;

/// An input, and the stream of its dropout masks.
pub(super) type Sequence<'a> = (&'a Tokens, u64);

/// Adds the gradients of what `objective` makes of the embeddings of
/// `sequences`, in one pass where they have at most `limit` tokens.
///
/// Otherwise the embeddings come first, chunk by chunk, and nothing else of
/// those passes is kept; then each chunk is encoded again, with the same
/// dropout, for its backward pass (GradCache; Gao et al. 2021, "Scaling Deep
/// Contrastive Learning Batch Size under Memory Limited Setup"). Gradients are
/// those of one pass but for the order of their sums.
pub(super) fn accumulate<B: Backend>(
    model: &SentenceEncoder<B>,
    sequences: &[Sequence<'_>],
    dropout: Dropout,
    limit: Option<usize>,
    objective: impl FnOnce(&Embeddings) -> Output,
    grads: &mut B::Arena,
) -> Output {
    let forward = |chunk: &[Sequence<'_>]| {
        let batch = model.pack(chunk.iter().copied());
        model.forward(batch, Some(dropout))
    };
    let limit = limit.unwrap_or(usize::MAX);
    let chunks = batches(sequences, |(tokens, _)| tokens.ids.len(), limit, 1);
    if let [whole] = chunks[..] {
        let passed = forward(whole);
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
