//! Batches beyond what memory holds: encoded in chunks, twice.

use crate::model::SentenceEncoder;
use crate::text::Tokens;
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
    let chunks = cut(sequences, limit.unwrap_or(usize::MAX));
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

/// Runs of at most `limit` tokens, or of one input.
fn cut<'a, 'b>(mut rest: &'a [Sequence<'b>], limit: usize) -> Vec<&'a [Sequence<'b>]> {
    let mut chunks = vec![];
    while !rest.is_empty() {
        let mut sum = 0;
        let fits = rest.iter().take_while(|(tokens, _)| {
            sum += tokens.ids.len();
            sum <= limit
        });
        let (chunk, after) = rest.split_at(fits.count().max(1));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_keep_order_and_limit() {
        let of = |len: usize| Tokens {
            ids: vec![0; len],
            segments: vec![],
        };
        let tokens: Vec<Tokens> = [3, 4, 9, 1, 1, 5].map(of).into();
        let sequences: Vec<Sequence<'_>> = tokens.iter().zip(0..).collect();
        let lengths =
            |limit| -> Vec<usize> { cut(&sequences, limit).iter().map(|c| c.len()).collect() };
        assert_eq!(lengths(7), [2, 1, 3]);
        assert_eq!(lengths(1), [1; 6]);
        assert_eq!(lengths(usize::MAX), [6]);
        assert_eq!(cut(&sequences, 7).concat(), sequences);
    }
}
