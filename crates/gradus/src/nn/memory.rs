//! What training needs of memory.

use crate::families::{EncoderConfig, FeedForward};
use gradus_kernels::Backend;

/// About the bytes of so many parameters, with gradients and moments, and of the activations that
/// a pass over `tokens` keeps for its way back.
pub(crate) fn training_bytes<B: Backend>(
    backend: &B,
    config: &EncoderConfig,
    parameters: usize,
    tokens: usize,
) -> u64 {
    let (values, side) = (tokens * config.layers, config.intermediate_size);
    // Of a layer: queries, keys, values, context, and twice a norm's output and normalised input.
    let hidden = 8 * config.hidden_size;
    match config.feed_forward {
        FeedForward::Plain => backend.training_bytes(parameters, values * hidden, values * side),
        // Gate and up, and what they make.
        FeedForward::Gated { .. } => {
            backend.training_bytes(parameters, values * (hidden + 3 * side), 0)
        }
    }
}
