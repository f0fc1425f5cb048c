use crate::dropout::Dropout;
use crate::{
    Activation, AdamWSegment, AdamWStep, AttentionSpec, BackendFailure, DistanceBias,
    EmbeddingTables, FeedForwardLayers, GateOrder, LayerNormOutput, LayerNormSaved, Linear,
    NormSpec, Packed, Pooling, QueryKeyNorms, Rotary, ScoredRow, View,
};
use std::ops::Range;

/// What attention works on.
pub struct AttentionInput<'a, B: Backend> {
    /// `[tokens, AttentionSpec::qkv_width]`: queries, keys and values side by
    /// side.
    pub qkv: &'a B::Tensor,
    /// Where sequences begin and end.
    pub batch: &'a B::Batch,
    /// Of [`Backend::distance_bias`], added to the scaled scores.
    pub bias: Option<&'a B::Tensor>,
    /// Of the probabilities; see [`Dropout::head_row_key`].
    pub dropout: Option<Dropout>,
}

impl<B: Backend> Clone for AttentionInput<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for AttentionInput<'_, B> {}

/// Dropout on the rows of a batch; see [`Dropout::row_key`].
pub struct RowDropout<'a, B: Backend> {
    /// Whose sequences name the masks.
    pub batch: &'a B::Batch,
    /// Probability, key and site.
    pub dropout: Dropout,
}

impl<B: Backend> Clone for RowDropout<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for RowDropout<'_, B> {}

/// What an optimizer's step reads and changes: arenas of one layout.
pub struct AdamWArenas<'a, B: Backend> {
    /// Parameters.
    pub params: &'a mut B::Arena,
    /// Their gradients.
    pub grads: &'a B::Arena,
    /// First moments.
    pub first: &'a mut B::Arena,
    /// Second moments.
    pub second: &'a mut B::Arena,
}

/// How a step depends on the norm of the gradients.
pub struct Clip<'a, B: Backend> {
    /// The norm of all gradients of the step. Where it is no finite number, the
    /// step changes nothing.
    pub norm: &'a B::GradientNorm,
    /// Gradients are scaled down to this norm, as PyTorch's `clip_grad_norm_`
    /// does: by `min(1, most / (norm + 1e-6))`.
    pub most: Option<f64>,
}

impl<B: Backend> Clone for Clip<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Clip<'_, B> {}

/// The operations that an encoder is written over.
///
/// Activations are matrices of type [`Backend::Tensor`] with one row per token
/// (`[tokens, width]`) or per sequence. Parameters, gradients and optimizer
/// moments are flat arenas of equal layout, addressed by [`View`]s. Backward
/// operations *add* to the gradient arena.
///
/// Every implementation keeps two promises: a sequence's results do not depend
/// on the rest of the batch, and nothing depends on the degree of parallelism.
///
/// # What waits for the device
///
/// An operation may return before the device has done it. The host waits where
/// values come back: [`Backend::read`], [`Backend::read_arena`],
/// [`Backend::scored`] and [`Backend::norm`], nowhere else. So a training step
/// calls the last two only when all of its work has been queued. Operations
/// do not fail: the first failure stays in the backend, later operations do
/// nothing of use, and [`Backend::check`] is called wherever something was read.
pub trait Backend: Sized + Send + Sync + 'static {
    /// A matrix of activations on the device.
    type Tensor: Send + Sync;
    /// A flat arena of f32 values on the device.
    type Arena: Send + Sync;
    /// A batch on the device: token ids, positions, segments, where sequences
    /// begin, their dropout streams.
    type Batch: Send + Sync;
    /// What a feed-forward part's backward needs.
    type FeedForwardSaved: Send + Sync;
    /// What attention's backward needs besides its inputs and its result, such
    /// as the logarithm of each softmax's sum.
    type Attended: Send + Sync;
    /// How rows of scores fare, on the device.
    type Scored: Send;
    /// The norm of gradients, on the device.
    type GradientNorm: Send + Sync;

    /// What this runs on, for people.
    fn describe(&self) -> String;

    /// What the bits of results depend on: device, precision, instructions. Not
    /// the number of threads, on which nothing depends.
    fn arithmetic(&self) -> String;

    /// How many tokens in a batch suit inference.
    fn batch_tokens(&self) -> usize {
        512
    }

    /// Whether it works apart from the host's processor, which can prepare what comes next
    /// meanwhile.
    fn is_apart(&self) -> bool {
        false
    }

    /// Bytes of the device's own memory that are free or held for this; none where it works in
    /// the host's.
    fn own_memory(&self) -> Option<u64> {
        None
    }

    /// About how many bytes training takes of so many parameters, with gradients and moments, of so
    /// many values of activations, and of `inner` values between the feed-forward parts' matrices, which are
    /// kept before the activation and behind it, unless a backend makes one of them again.
    fn training_bytes(&self, parameters: usize, activations: usize, inner: usize) -> u64 {
        4 * (4 * parameters + activations + 2 * inner) as u64
    }

    /// The first thing that went wrong on the device, if anything did.
    fn failure(&self) -> Option<BackendFailure> {
        None
    }
    /// Whether all went well, to be called where something was read.
    ///
    /// # Errors
    /// [`Backend::failure`], if there is one.
    fn check(&self) -> Result<(), BackendFailure> {
        self.failure().map_or(Ok(()), Err)
    }

    /// Does a job of many operations where they start fastest.
    fn enter<R: Send>(&self, job: impl FnOnce() -> R + Send) -> R {
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
    ) -> Vec<R> {
        jobs.into_iter().map(|i| job(self, i)).collect()
    }

    /// Moves a batch to the device: once for each pass.
    fn batch(&self, packed: Packed) -> Self::Batch;
    /// The same for a pass of training. Its matrices of tokens may have rows behind the last token, which
    /// belong to no text and get no gradient: a device repeats faster what has one of few shapes.
    fn training_batch(&self, packed: Packed) -> Self::Batch {
        self.batch(packed)
    }
    /// The batch as the host knows it.
    fn packed<'a>(&self, batch: &'a Self::Batch) -> &'a Packed;

    /// Copies a `[rows, cols]` matrix to the device.
    fn tensor(&self, rows: usize, cols: usize, values: &[f32]) -> Self::Tensor;
    /// A `[rows, cols]` matrix of zeros.
    fn zeros(&self, rows: usize, cols: usize) -> Self::Tensor;
    /// The same values again.
    fn copy(&self, x: &Self::Tensor) -> Self::Tensor;
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
    fn read_arena(&self, arena: &Self::Arena, range: Range<usize>) -> Vec<f32>;
    /// Overwrites part of an arena from `offset` on.
    fn write_arena(&self, arena: &mut Self::Arena, offset: usize, values: &[f32]);
    /// Sets every value to zero.
    fn zero(&self, arena: &mut Self::Arena);

    /// Sums the tables' rows for each token: `[tokens, width]`.
    fn embed(
        &self,
        params: &Self::Arena,
        tables: &EmbeddingTables,
        batch: &Self::Batch,
    ) -> Self::Tensor;
    /// Scatters `dy` into the tables' gradients.
    fn embed_backward(
        &self,
        tables: &EmbeddingTables,
        batch: &Self::Batch,
        dy: &Self::Tensor,
        grads: &mut Self::Arena,
    );

    /// `x W^T + b`.
    fn linear(&self, params: &Self::Arena, layer: &Linear, x: &Self::Tensor) -> Self::Tensor;
    /// The same for inference alone: of an encoder's layers, and in bytes
    /// ([`crate::int8`]) where the backend has that precision.
    fn linear_inferred(
        &self,
        params: &Self::Arena,
        layer: &Linear,
        x: &Self::Tensor,
    ) -> Self::Tensor {
        self.linear(params, layer, x)
    }
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
    /// Adds `dy^T x` and the column sums of `dy` to the gradients and returns
    /// `dy W`, added to `onto` where that is given: a residual's gradient gets
    /// its share without a pass of its own.
    fn linear_backward(
        &self,
        params: &Self::Arena,
        layer: &Linear,
        x: &Self::Tensor,
        dy: &Self::Tensor,
        onto: Option<Self::Tensor>,
        grads: &mut Self::Arena,
    ) -> Self::Tensor;
    /// `f(x U^T + a) D^T + b`, both layers of a transformer's feed-forward part,
    /// for inference; in bytes as [`Backend::linear_inferred`].
    fn feed_forward(
        &self,
        params: &Self::Arena,
        layers: &FeedForwardLayers,
        x: &Self::Tensor,
    ) -> Self::Tensor;
    /// The same for training, with what its backward needs.
    fn feed_forward_kept(
        &self,
        params: &Self::Arena,
        layers: &FeedForwardLayers,
        x: &Self::Tensor,
    ) -> (Self::Tensor, Self::FeedForwardSaved);
    /// Adds to the gradients of both layers and returns that of `x`, added to
    /// `onto` where that is given.
    fn feed_forward_backward(
        &self,
        params: &Self::Arena,
        layers: &FeedForwardLayers,
        x_and_saved: (&Self::Tensor, Self::FeedForwardSaved),
        dy: &Self::Tensor,
        onto: Option<Self::Tensor>,
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

    /// The norm of `x`, which stays as it is: for blocks that normalise before
    /// their layers and go on with `x`.
    fn norm_of(
        &self,
        params: &Self::Arena,
        norm: &NormSpec,
        x: &Self::Tensor,
    ) -> LayerNormOutput<Self::Tensor> {
        self.add_norm(params, norm, self.copy(x), None, None)
    }
    /// The norm of `dropout(x) + residual`.
    fn add_norm(
        &self,
        params: &Self::Arena,
        norm: &NormSpec,
        x: Self::Tensor,
        residual: Option<&Self::Tensor>,
        dropout: Option<RowDropout<'_, Self>>,
    ) -> LayerNormOutput<Self::Tensor>;
    /// The norm of `x + residual` for inference: nothing is saved.
    fn norm_inferred(
        &self,
        params: &Self::Arena,
        norm: &NormSpec,
        x: Self::Tensor,
        residual: Option<&Self::Tensor>,
    ) -> Self::Tensor {
        self.add_norm(params, norm, x, residual, None).out
    }
    /// The backward of both. Adds to the gradients of scale and shift; returns
    /// the gradient of the sum, which is the residual's, and that of `x` before
    /// dropout where there was one (`None` means the same as the residual's).
    fn add_norm_backward(
        &self,
        params: &Self::Arena,
        norm: &NormSpec,
        saved: LayerNormSaved<&Self::Tensor>,
        dy: &Self::Tensor,
        dropout: Option<RowDropout<'_, Self>>,
        grads: &mut Self::Arena,
    ) -> (Self::Tensor, Option<Self::Tensor>);

    /// Queries, keys and values, with a norm over a token's queries and one over
    /// its keys. What is saved has both side by side, queries first.
    fn query_key_norm(
        &self,
        params: &Self::Arena,
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
        qkv: Self::Tensor,
    ) -> (Self::Tensor, LayerNormSaved<Self::Tensor>);
    /// Adds to the gradients of scales and shifts; returns that of `qkv` before,
    /// given that of the result.
    fn query_key_norm_backward(
        &self,
        params: &Self::Arena,
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
        saved: LayerNormSaved<&Self::Tensor>,
        dy: Self::Tensor,
        grads: &mut Self::Arena,
    ) -> Self::Tensor;

    /// Queries, keys and values, queries and keys turned by their positions.
    fn rotary(
        &self,
        rotary: &Rotary,
        spec: &AttentionSpec,
        batch: &Self::Batch,
        qkv: Self::Tensor,
    ) -> Self::Tensor;
    /// The gradient of what was turned, given that of the result: the same
    /// turns back.
    fn rotary_backward(
        &self,
        rotary: &Rotary,
        spec: &AttentionSpec,
        batch: &Self::Batch,
        dy: Self::Tensor,
    ) -> Self::Tensor;

    /// The bias on the scores of every head at every distance that the batch
    /// has, `[heads, 2 * longest - 1]`: column `longest - 1 + j - i` is for the
    /// key of token `j` and the query of token `i`. Empty batches have none.
    fn distance_bias(
        &self,
        params: &Self::Arena,
        bias: &DistanceBias,
        batch: &Self::Batch,
        heads: usize,
    ) -> Self::Tensor;
    /// Adds to the gradient of a learned table.
    fn distance_bias_backward(
        &self,
        bias: &DistanceBias,
        batch: &Self::Batch,
        dy: &Self::Tensor,
        grads: &mut Self::Arena,
    );

    /// Multi-head self-attention within each sequence: the context,
    /// `[tokens, q_width]`.
    fn attention(&self, spec: &AttentionSpec, input: AttentionInput<'_, Self>) -> Self::Tensor;
    /// The same for training, with what its backward needs.
    fn attention_kept(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
    ) -> (Self::Tensor, Self::Attended);
    /// The gradient of `qkv`, given the context and what was saved with it. That
    /// of the bias is added to `dbias`, of the bias's shape, where it is wanted.
    fn attention_backward(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
        context_and_saved: (&Self::Tensor, Self::Attended),
        dy: &Self::Tensor,
        dbias: Option<&mut Self::Tensor>,
    ) -> Self::Tensor;

    /// `x` with values dropped and the rest scaled up; its own backward.
    fn dropout(&self, x: Self::Tensor, dropout: RowDropout<'_, Self>) -> Self::Tensor;
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
    /// The first rows of `x`, as many as there are in `of`, each less the row of
    /// `x` that `of` names.
    fn subtract_rows(&self, x: Self::Tensor, of: &[u32]) -> Self::Tensor;
    /// The gradient of `x`, which has `total` rows; `of` names none of the first
    /// rows, as many as there are in `of`.
    fn subtract_rows_backward(&self, dy: Self::Tensor, of: &[u32], total: usize) -> Self::Tensor;
    /// The softmax cross-entropy of each row of `scores`, `[rows, classes]`,
    /// with its target class, and the gradient of `scale` times their sum,
    /// which takes the place of `scores`.
    fn cross_entropy(
        &self,
        scores: Self::Tensor,
        targets: &[u32],
        scale: f32,
    ) -> (Self::Scored, Self::Tensor);
    /// Copies from the device how rows fared: after backward, so that the device
    /// does not wait for the host.
    fn scored(&self, scored: Self::Scored) -> Vec<ScoredRow>;

    /// `[sequences, width * modes]`.
    fn pool(&self, modes: &[Pooling], batch: &Self::Batch, x: &Self::Tensor) -> Self::Tensor;
    /// The gradient of `x`, `[tokens, width]`.
    fn pool_backward(
        &self,
        modes: &[Pooling],
        batch: &Self::Batch,
        x: &Self::Tensor,
        dy: &Self::Tensor,
    ) -> Self::Tensor;
    /// Each row divided by its Euclidean length (at least 1e-12).
    fn normalize(&self, x: &Self::Tensor) -> Self::Tensor;
    /// The gradient of `x`.
    fn normalize_backward(&self, x: &Self::Tensor, dy: &Self::Tensor) -> Self::Tensor;
    /// The cosines of every row of `a` with every row of `b`, in f32 whatever
    /// the precision of products: `[rows of a, rows of b]`. Lengths are at least
    /// 1e-12.
    fn cosines(&self, a: &Self::Tensor, b: &Self::Tensor) -> Self::Tensor;
    /// The gradients of `a` and of `b`.
    fn cosines_backward(
        &self,
        a: &Self::Tensor,
        b: &Self::Tensor,
        dy: &Self::Tensor,
    ) -> (Self::Tensor, Self::Tensor);
    /// Similarities times `steepness`, in f32, and minus infinity at some places, each
    /// `row * cols + col`: what a softmax leaves out.
    fn logits(&self, x: Self::Tensor, steepness: f32, left_out: &[u32]) -> Self::Tensor {
        let (rows, cols) = self.shape(&x);
        let mut values = self.read(&x);
        values.iter_mut().for_each(|x| *x *= steepness);
        for place in left_out {
            values[*place as usize] = f32::NEG_INFINITY;
        }
        self.tensor(rows, cols, &values)
    }

    /// The root of the sum of squares, accumulated in f64, of some ranges and of
    /// `rest`, a sum of squares that the host has.
    fn gradient_norm(
        &self,
        grads: &Self::Arena,
        ranges: &[Range<usize>],
        rest: f64,
    ) -> Self::GradientNorm;
    /// The norm of two sets of gradients together.
    fn joint_norm(&self, a: &Self::GradientNorm, b: &Self::GradientNorm) -> Self::GradientNorm;
    /// Copies a norm from the device: after the step that it belongs to.
    fn norm(&self, norm: &Self::GradientNorm) -> f64;
    /// One optimizer step over the given segments; values outside stay.
    fn adamw(
        &self,
        arenas: AdamWArenas<'_, Self>,
        segments: &[AdamWSegment],
        step: &AdamWStep,
        clip: Clip<'_, Self>,
    );
    /// Moves the first `len` values of `average` a `share` of the way to those of
    /// `params`: `a + share (p - a)`, as for a moving average.
    fn approach(&self, average: &mut Self::Arena, params: &Self::Arena, len: usize, share: f32) {
        let mut values = self.read_arena(average, 0..len);
        for (a, p) in values.iter_mut().zip(self.read_arena(params, 0..len)) {
            *a += share * (p - *a);
        }
        self.write_arena(average, 0, &values);
    }
}
