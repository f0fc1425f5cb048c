use crate::dropout::Dropout;
use crate::{Activation, DistanceBias, GateOrder, Packed, Pooling, Rotary, View};

/// A linear layer's place in the arena: `y = x W^T + b`, `W` is `[out, in]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: View,
    /// `[1, out]`, where there is one.
    pub bias: Option<View>,
}

/// The feed-forward part of a transformer's layer: `f(x U^T + a) D^T + b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedForwardLayers {
    /// `U` and `a`.
    pub up: Linear,
    /// `f`.
    pub activation: Activation,
    /// `D` and `b`.
    pub down: Linear,
}

/// A layer norm's place in the arena.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerNorm {
    /// `[1, width]`.
    pub gamma: View,
    /// `[1, width]`.
    pub beta: View,
    /// Added to the variance.
    pub eps: f32,
}

/// The layer norms of queries and of keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueryKeyNorms {
    /// Over a token's queries of all heads.
    pub queries: LayerNorm,
    /// Over its keys.
    pub keys: LayerNorm,
}

/// The embedding tables' places in the arena, each `[entries, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddingTables {
    /// By token id.
    pub words: View,
    /// By position.
    pub positions: Option<View>,
    /// By segment.
    pub segments: Option<View>,
}

/// What a layer norm's backward needs.
#[derive(Debug)]
pub struct Standardized<T> {
    /// The normalised input before scale and shift, `[rows, width]`.
    pub normalized: T,
    /// `1 / sqrt(variance + eps)` of each row, `[rows, 1]`.
    pub inverse_deviation: T,
}

/// A layer norm's output and what its backward needs.
#[derive(Debug)]
pub struct Normed<T> {
    /// `[rows, width]`.
    pub out: T,
    /// For [`Backend::add_layer_norm_backward`].
    pub kept: Standardized<T>,
}

/// A row of scores beside the class that was to be found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ScoredRow {
    /// Its cross-entropy, in nats.
    pub loss: f64,
    /// Whether no class has a higher score than the right one.
    pub correct: bool,
}

/// A run of arena values that share a learning rate and weight decay.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamWSegment {
    /// Indices into the arena.
    pub range: std::ops::Range<usize>,
    /// Learning rate at this step.
    pub learning_rate: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
}

/// One step of AdamW (Loshchilov & Hutter 2019), as PyTorch computes it.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamWStep {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// The step's number, from 1.
    pub step: u64,
    /// Gradients are multiplied by this first (clipping).
    pub gradient_scale: f32,
}

/// The operations that an encoder is written over.
///
/// Activations are matrices of type [`Backend::Tensor`] with one row per token
/// (`[tokens, width]`) or per sequence. Parameters, gradients and optimizer
/// moments are flat arenas of equal layout, addressed by [`View`]s. Backward
/// operations *add* to the gradient arena.
///
/// Every implementation keeps two promises: a sequence's results do not depend
/// on the rest of the batch, and nothing depends on the degree of parallelism.
pub trait Backend: Send + Sync + 'static {
    /// A matrix of activations on the device.
    type Tensor: Send + Sync;
    /// A flat arena of f32 values on the device.
    type Arena: Send + Sync;
    /// What a feed-forward part keeps for its backward pass.
    type Inner: Send + Sync;

    /// What this runs on, for people.
    fn describe(&self) -> String;

    /// What the bits of results depend on: device, precision, instructions. Not
    /// the number of threads, on which nothing depends.
    fn arithmetic(&self) -> String;

    /// Does a job of many operations where they start fastest.
    fn enter<R: Send>(&self, job: impl FnOnce() -> R + Send) -> R
    where
        Self: Sized,
    {
        job()
    }
    /// How many independent batches at a time suit the device.
    fn lanes(&self) -> usize {
        1
    }
    /// Does independent jobs, as many at a time as there are lanes, each with a
    /// backend for its lane; results come in the jobs' order.
    fn in_lanes<I: Send, R: Send>(
        &self,
        jobs: Vec<I>,
        job: impl Fn(&Self, I) -> R + Send + Sync,
    ) -> Vec<R>
    where
        Self: Sized,
    {
        jobs.into_iter().map(|i| job(self, i)).collect()
    }

    /// Copies a `[rows, cols]` matrix to the device.
    fn tensor(&self, rows: usize, cols: usize, values: &[f32]) -> Self::Tensor;
    /// Copies a matrix from the device.
    fn read(&self, tensor: &Self::Tensor) -> Vec<f32>;
    /// `(rows, cols)`.
    fn shape(&self, tensor: &Self::Tensor) -> (usize, usize);

    /// Moves values to the device as an arena.
    fn arena(&self, values: Vec<f32>) -> Self::Arena;
    /// An arena of `len` zeros for gradients. Of a `sparse` table, such as the
    /// embedding of words, few rows at a time get any; there is none where the
    /// table is also a layer's weight.
    fn gradient_arena(&self, len: usize, sparse: Option<View>) -> Self::Arena;
    /// Copies part of an arena from the device.
    fn read_arena(&self, arena: &Self::Arena, range: std::ops::Range<usize>) -> Vec<f32>;
    /// Overwrites part of an arena from `offset` on.
    fn write_arena(&self, arena: &mut Self::Arena, offset: usize, values: &[f32]);
    /// Sets every value to zero.
    fn zero(&self, arena: &mut Self::Arena);
    /// The sum of squares of some ranges, accumulated in f64.
    fn sum_of_squares(&self, arena: &Self::Arena, ranges: &[std::ops::Range<usize>]) -> f64;

    /// Sums the tables' rows for each token: `[tokens, width]`.
    fn embed(&self, params: &Self::Arena, tables: &EmbeddingTables, batch: &Packed)
    -> Self::Tensor;
    /// Scatters `dy` into the tables' gradients.
    fn embed_backward(
        &self,
        tables: &EmbeddingTables,
        batch: &Packed,
        dy: &Self::Tensor,
        grads: &mut Self::Arena,
    );

    /// `x W^T + b`.
    fn linear(&self, params: &Self::Arena, layer: &Linear, x: &Self::Tensor) -> Self::Tensor;
    /// `(pre, f(pre))` with `pre = x W^T + b`.
    fn linear_activated(
        &self,
        params: &Self::Arena,
        layer: &Linear,
        activation: Activation,
        x: &Self::Tensor,
    ) -> (Self::Tensor, Self::Tensor);
    /// `f(x W^T + b)` alone, which is all that inference needs.
    fn activated(
        &self,
        params: &Self::Arena,
        layer: &Linear,
        activation: Activation,
        x: &Self::Tensor,
    ) -> Self::Tensor;
    /// `f(x U^T + a) D^T + b`, both layers of a transformer's feed-forward part,
    /// for inference.
    fn feed_forward(
        &self,
        params: &Self::Arena,
        layers: &FeedForwardLayers,
        x: &Self::Tensor,
    ) -> Self::Tensor;
    /// The same for training, with what its backward pass needs.
    fn feed_forward_kept(
        &self,
        params: &Self::Arena,
        layers: &FeedForwardLayers,
        x: &Self::Tensor,
    ) -> (Self::Tensor, Self::Inner);
    /// Adds to the gradients of both layers and returns that of `x`.
    fn feed_forward_backward(
        &self,
        params: &Self::Arena,
        layers: &FeedForwardLayers,
        x_and_inner: (&Self::Tensor, Self::Inner),
        dy: &Self::Tensor,
        grads: &mut Self::Arena,
    ) -> Self::Tensor;
    /// Adds `dy^T x` and the column sums of `dy` to the gradients and returns
    /// `dy W`.
    fn linear_backward(
        &self,
        params: &Self::Arena,
        layer: &Linear,
        x: &Self::Tensor,
        dy: &Self::Tensor,
        grads: &mut Self::Arena,
    ) -> Self::Tensor;
    /// `dy * f'(pre)`.
    fn activation_backward(
        &self,
        activation: Activation,
        pre: &Self::Tensor,
        dy: Self::Tensor,
    ) -> Self::Tensor;

    /// `f(gate) * up` (Shazeer 2020), where `pre`, `[tokens, 2 * inner]`, holds
    /// gate and up side by side in the given order: `[tokens, inner]`.
    fn gated(&self, activation: Activation, order: GateOrder, pre: &Self::Tensor) -> Self::Tensor;
    /// The gradient of `pre`, whose memory it may take.
    fn gated_backward(
        &self,
        activation: Activation,
        order: GateOrder,
        pre: Self::Tensor,
        dy: &Self::Tensor,
    ) -> Self::Tensor;

    /// Layer norm of `dropout(x) + residual`.
    fn add_layer_norm(
        &self,
        params: &Self::Arena,
        norm: &LayerNorm,
        batch: &Packed,
        x: Self::Tensor,
        residual: Option<&Self::Tensor>,
        dropout: Option<Dropout>,
    ) -> Normed<Self::Tensor>;
    /// Adds to the gradients of scale and shift; returns the gradient of the
    /// sum, which is the residual's, and that of `x` before dropout where
    /// there was one (`None` means the same as the residual's).
    #[allow(clippy::too_many_arguments)] // all of them are the operation's own
    fn add_layer_norm_backward(
        &self,
        params: &Self::Arena,
        norm: &LayerNorm,
        batch: &Packed,
        saved: &Standardized<Self::Tensor>,
        dy: &Self::Tensor,
        dropout: Option<Dropout>,
        grads: &mut Self::Arena,
    ) -> (Self::Tensor, Option<Self::Tensor>);

    /// `qkv`, `[tokens, 3 * width]`, with a layer norm over a token's queries of
    /// all heads and one over its keys; what is kept has both, side by side, and
    /// two deviations a row.
    fn query_key_norm(
        &self,
        params: &Self::Arena,
        norms: &QueryKeyNorms,
        qkv: Self::Tensor,
    ) -> (Self::Tensor, Standardized<Self::Tensor>);
    /// Adds to the gradients of scales and shifts; returns that of `qkv` before,
    /// given that of the result.
    fn query_key_norm_backward(
        &self,
        params: &Self::Arena,
        norms: &QueryKeyNorms,
        saved: &Standardized<Self::Tensor>,
        dy: Self::Tensor,
        grads: &mut Self::Arena,
    ) -> Self::Tensor;

    /// `qkv`, `[tokens, 3 * width]`, with queries and keys turned by their
    /// positions.
    fn rotary(
        &self,
        rotary: &Rotary,
        batch: &Packed,
        heads: usize,
        qkv: Self::Tensor,
    ) -> Self::Tensor;
    /// The gradient of what was turned, given that of the result: the same
    /// turns back.
    fn rotary_backward(
        &self,
        rotary: &Rotary,
        batch: &Packed,
        heads: usize,
        dy: Self::Tensor,
    ) -> Self::Tensor;

    /// The bias on the scores of every head at every distance that the batch
    /// has, `[heads, 2 * longest - 1]`: column `longest - 1 + j - i` is for the
    /// key of token `j` and the query of token `i`. Empty batches have none.
    fn distance_bias(
        &self,
        params: &Self::Arena,
        bias: &DistanceBias,
        batch: &Packed,
        heads: usize,
    ) -> Self::Tensor;
    /// Adds to the gradient of a learned table.
    fn distance_bias_backward(
        &self,
        bias: &DistanceBias,
        batch: &Packed,
        dy: &Self::Tensor,
        grads: &mut Self::Arena,
    );

    /// Multi-head self-attention within each sequence. `qkv` is
    /// `[tokens, 3 * width]`: queries, keys, values side by side. A `bias` of
    /// [`Backend::distance_bias`] is added to the scaled scores. Returns the
    /// context `[tokens, width]`.
    fn attention(
        &self,
        qkv: &Self::Tensor,
        batch: &Packed,
        heads: usize,
        bias: Option<&Self::Tensor>,
        dropout: Option<Dropout>,
    ) -> Self::Tensor;
    /// The gradient of `qkv`. That of the bias is added to `dbias`, of the
    /// bias's shape, where it is wanted.
    #[allow(clippy::too_many_arguments)] // all of them are the operation's own
    fn attention_backward(
        &self,
        qkv: &Self::Tensor,
        batch: &Packed,
        heads: usize,
        bias: Option<&Self::Tensor>,
        dropout: Option<Dropout>,
        dy: &Self::Tensor,
        dbias: Option<&mut Self::Tensor>,
    ) -> Self::Tensor;

    /// `x` with values dropped and the rest scaled up; its own backward.
    fn dropout(&self, batch: &Packed, x: Self::Tensor, dropout: Dropout) -> Self::Tensor;
    /// `a + b`, reusing `a`.
    fn add(&self, a: Self::Tensor, b: &Self::Tensor) -> Self::Tensor;

    /// The given rows of `x`, in their order.
    fn gather(&self, x: &Self::Tensor, rows: &[u32]) -> Self::Tensor;
    /// The gradient of `x`, which has `total` rows.
    fn gather_backward(&self, dy: &Self::Tensor, rows: &[u32], total: usize) -> Self::Tensor;
    /// `x` with the given rows, each named once, overwritten by those of
    /// `values`. The gradient of `values` is [`Backend::gather`] of the
    /// result's; that of `x` is zero there.
    fn replace_rows(&self, x: Self::Tensor, rows: &[u32], values: &Self::Tensor) -> Self::Tensor;
    /// The softmax cross-entropy of each row of `scores`, `[rows, classes]`,
    /// with its target class, and the gradient of `scale` times their sum,
    /// which takes the place of `scores`.
    fn cross_entropy(
        &self,
        scores: Self::Tensor,
        targets: &[u32],
        scale: f32,
    ) -> (Vec<ScoredRow>, Self::Tensor);

    /// `[sequences, width * modes]`.
    fn pool(&self, modes: &[Pooling], batch: &Packed, x: &Self::Tensor) -> Self::Tensor;
    /// The gradient of `x`, `[tokens, width]`.
    fn pool_backward(
        &self,
        modes: &[Pooling],
        batch: &Packed,
        x: &Self::Tensor,
        dy: &Self::Tensor,
    ) -> Self::Tensor;
    /// Each row divided by its Euclidean length (at least 1e-12).
    fn normalize(&self, x: &Self::Tensor) -> Self::Tensor;
    /// The gradient of `x`.
    fn normalize_backward(&self, x: &Self::Tensor, dy: &Self::Tensor) -> Self::Tensor;

    /// One optimizer step over the given segments; values outside stay.
    fn adamw(
        &self,
        params: &mut Self::Arena,
        grads: &Self::Arena,
        first_moment: &mut Self::Arena,
        second_moment: &mut Self::Arena,
        segments: &[AdamWSegment],
        step: &AdamWStep,
    );
}
