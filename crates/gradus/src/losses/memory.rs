use crate::Embeddings;

/// Vectors of earlier steps that stand among the negatives of a batch. They are
/// constants: no gradient reaches them, nor goes through them to a projection.
#[derive(Debug, Clone, Copy)]
pub struct Memory<'a> {
    /// `[entries, dim]`, from where the embeddings of the batch are from, too: what is
    /// done to those before a loss is done to these.
    pub vectors: &'a Embeddings,
    /// Of each example, the entries that are negatives of its first text.
    pub negatives: &'a [Vec<u32>],
    /// What is added to the logits of these negatives.
    pub log_weight: f64,
}
