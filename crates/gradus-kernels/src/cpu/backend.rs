//! The [`Backend`] trait on [`Cpu`]: each operation's file does the work.

use super::aligned::Aligned;
use super::arena::Arena;
use super::feed_forward::{self, FeedForwardSaved};
use super::matmul::Rhs;
use super::sparse_rows::SparseRows;
use super::{
    Cpu, Precision, ROW_GRAIN, Tensor, Threads, adamw, attention, cosine, cross_entropy, distance,
    embed, gated, gather, linear, norm, pool, query_key_norm, rotary,
};
use crate::{
    Activation, AdamWArenas, AdamWSegment, AdamWStep, AttentionInput, AttentionSpec, Backend, Clip,
    DistanceBias, EmbeddingTables, FeedForwardLayers, GateOrder, LayerNormOutput, LayerNormSaved,
    Linear, NormSpec, Packed, Pooling, QueryKeyNorms, Rotary, RowDropout, ScoredRow, View,
};
use std::ops::Range;

/// What vectors kept from another build are known by: to be changed with every change
/// after which a model's vectors come out in other bits.
const F32_REVISION: &str = ", 3";
/// The same in bf16.
const BF16_REVISION: &str = ", 4";
/// The same in bytes.
const INT8_REVISION: &str = ", 2";

impl Backend for Cpu {
    type Tensor = Tensor;
    type Arena = Arena;
    /// It lies in main memory already.
    type Batch = Packed;
    type FeedForwardSaved = FeedForwardSaved;
    /// Backward computes the probabilities anew.
    type Attended = ();
    type Scored = Vec<ScoredRow>;
    type GradientNorm = f64;

    fn describe(&self) -> String {
        let (precision, isa) = (self.precision(), self.used());
        let threads = self.threads();
        let plural = if threads == 1 { "" } else { "s" };
        format!("CPU, {precision}, {threads} thread{plural}, {isa}")
    }

    fn arithmetic(&self) -> String {
        let (precision, isa) = (self.precision(), self.used());
        let revision = match precision {
            Precision::F32 => F32_REVISION,
            Precision::Bf16 => BF16_REVISION,
            Precision::Int8 => INT8_REVISION,
        };
        format!("CPU, {precision}, {isa}{revision}")
    }

    fn lanes(&self) -> usize {
        self.threads()
    }

    fn in_lanes<I: Send, R: Send>(
        &self,
        jobs: Vec<I>,
        job: impl Fn(&Self, I) -> R + Send + Sync,
    ) -> Vec<R> {
        self.share_out(jobs, |who, own| match (who, &self.threads) {
            (Some(who), Threads::Team { lanes, .. }) => job(&lanes[who], own),
            _ => job(self, own),
        })
    }

    fn batch(&self, packed: Packed) -> Packed {
        packed
    }

    fn packed<'a>(&self, batch: &'a Packed) -> &'a Packed {
        batch
    }

    fn tensor(&self, rows: usize, cols: usize, values: &[f32]) -> Tensor {
        let mut tensor = self.uninit(rows, cols);
        tensor.values_mut().copy_from_slice(values);
        tensor
    }

    fn zeros(&self, rows: usize, cols: usize) -> Tensor {
        let mut zeros = self.uninit(rows, cols);
        zeros.values_mut().fill(0.0);
        zeros
    }

    fn copy(&self, x: &Tensor) -> Tensor {
        let mut copy = x.like();
        copy.values_mut().copy_from_slice(x.values());
        copy
    }

    fn read(&self, tensor: &Tensor) -> Vec<f32> {
        tensor.values().to_vec()
    }

    fn shape(&self, tensor: &Tensor) -> (usize, usize) {
        (tensor.rows(), tensor.cols())
    }

    fn arena(&self, values: Vec<f32>) -> Arena {
        Arena::new(values[..].into())
    }

    fn gradient_arena(&self, len: usize, sparse: Option<View>) -> Arena {
        Arena::gradients(Aligned::zeros(len), sparse.map(SparseRows::new))
    }

    fn read_arena(&self, arena: &Arena, range: Range<usize>) -> Vec<f32> {
        arena.part_of(range).into_owned()
    }

    fn write_arena(&self, arena: &mut Arena, offset: usize, values: &[f32]) {
        arena.change()[offset..offset + values.len()].copy_from_slice(values);
    }

    fn zero(&self, arena: &mut Arena) {
        arena.zero(self);
    }

    fn embed(&self, params: &Arena, tables: &EmbeddingTables, batch: &Packed) -> Tensor {
        embed::forward(self, params, tables, batch)
    }

    fn embed_backward(
        &self,
        tables: &EmbeddingTables,
        batch: &Packed,
        dy: &Tensor,
        grads: &mut Arena,
    ) {
        embed::backward(self, tables, batch, dy, grads);
    }

    fn linear(&self, params: &Arena, layer: &Linear, x: &Tensor) -> Tensor {
        linear::forward(self, params, (layer, Rhs::Transposed), x)
    }

    fn linear_inferred(&self, params: &Arena, layer: &Linear, x: &Tensor) -> Tensor {
        let rhs = linear::inferring(self, layer.weight.cols);
        linear::forward(self, params, (layer, rhs), x)
    }

    fn linear_activated(
        &self,
        params: &Arena,
        layer: &Linear,
        activation: Activation,
        x: &Tensor,
    ) -> (Tensor, Tensor) {
        linear::forward_activated(self, params, layer, activation, x)
    }

    fn activated(
        &self,
        params: &Arena,
        layer: &Linear,
        activation: Activation,
        x: &Tensor,
    ) -> Tensor {
        let layer = (layer, Rhs::Transposed);
        linear::forward_activated_only(self, params, layer, activation, x)
    }

    fn feed_forward(&self, params: &Arena, layers: &FeedForwardLayers, x: &Tensor) -> Tensor {
        feed_forward::infer(self, params, layers, x)
    }

    fn feed_forward_kept(
        &self,
        params: &Arena,
        layers: &FeedForwardLayers,
        x: &Tensor,
    ) -> (Tensor, FeedForwardSaved) {
        feed_forward::forward(self, params, layers, x)
    }

    fn feed_forward_backward(
        &self,
        params: &Arena,
        layers: &FeedForwardLayers,
        x_and_saved: (&Tensor, FeedForwardSaved),
        dy: &Tensor,
        onto: Option<Tensor>,
        grads: &mut Arena,
    ) -> Tensor {
        feed_forward::backward(self, params, layers, x_and_saved, dy, onto, grads)
    }

    fn linear_backward(
        &self,
        params: &Arena,
        layer: &Linear,
        x: &Tensor,
        dy: &Tensor,
        onto: Option<Tensor>,
        grads: &mut Arena,
    ) -> Tensor {
        linear::backward(self, params, layer, x, dy, onto, grads)
    }

    fn activation_backward(&self, activation: Activation, pre: &Tensor, dy: Tensor) -> Tensor {
        linear::activation_backward(self, activation, pre, dy)
    }

    fn gated(&self, activation: Activation, order: GateOrder, pre: &Tensor) -> Tensor {
        gated::forward(self, activation, order, pre)
    }

    fn gated_backward(
        &self,
        activation: Activation,
        order: GateOrder,
        pre: Tensor,
        dy: &Tensor,
    ) -> Tensor {
        gated::backward(self, activation, order, pre, dy)
    }

    fn add_norm(
        &self,
        params: &Arena,
        norm: &NormSpec,
        x: Tensor,
        residual: Option<&Tensor>,
        dropout: Option<RowDropout<'_, Self>>,
    ) -> LayerNormOutput<Tensor> {
        norm::forward(self, params, norm, x, residual, dropout)
    }

    fn norm_inferred(
        &self,
        params: &Arena,
        norm: &NormSpec,
        x: Tensor,
        residual: Option<&Tensor>,
    ) -> Tensor {
        norm::infer(self, params, norm, x, residual)
    }

    fn add_norm_backward(
        &self,
        params: &Arena,
        norm: &NormSpec,
        saved: LayerNormSaved<&Tensor>,
        dy: &Tensor,
        dropout: Option<RowDropout<'_, Self>>,
        grads: &mut Arena,
    ) -> (Tensor, Option<Tensor>) {
        norm::backward(self, params, norm, saved, dy, dropout, grads)
    }

    fn query_key_norm(
        &self,
        params: &Arena,
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
        qkv: Tensor,
    ) -> (Tensor, LayerNormSaved<Tensor>) {
        query_key_norm::forward(self, params, norms, spec, qkv)
    }

    fn query_key_norm_backward(
        &self,
        params: &Arena,
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
        saved: LayerNormSaved<&Tensor>,
        dy: Tensor,
        grads: &mut Arena,
    ) -> Tensor {
        query_key_norm::backward(self, params, norms, spec, saved, dy, grads)
    }

    fn rotary(&self, rotary: &Rotary, spec: &AttentionSpec, batch: &Packed, qkv: Tensor) -> Tensor {
        rotary::turn(self, rotary, spec, batch, qkv, 1.0)
    }

    fn rotary_backward(
        &self,
        rotary: &Rotary,
        spec: &AttentionSpec,
        batch: &Packed,
        dy: Tensor,
    ) -> Tensor {
        rotary::turn(self, rotary, spec, batch, dy, -1.0)
    }

    fn distance_bias(
        &self,
        params: &Arena,
        bias: &DistanceBias,
        batch: &Packed,
        heads: usize,
    ) -> Tensor {
        distance::forward(self, params, bias, batch, heads)
    }

    fn distance_bias_backward(
        &self,
        bias: &DistanceBias,
        batch: &Packed,
        dy: &Tensor,
        grads: &mut Arena,
    ) {
        distance::backward(bias, batch, dy, grads);
    }

    fn attention(&self, spec: &AttentionSpec, input: AttentionInput<'_, Self>) -> Tensor {
        attention::forward(self, spec, input)
    }

    fn attention_kept(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
    ) -> (Tensor, ()) {
        (attention::forward(self, spec, input), ())
    }

    fn attention_backward(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
        _: (&Tensor, ()),
        dy: &Tensor,
        dbias: Option<&mut Tensor>,
    ) -> Tensor {
        attention::backward(self, spec, input, dy, dbias)
    }

    fn dropout(&self, x: Tensor, dropout: RowDropout<'_, Self>) -> Tensor {
        norm::dropout(self, x, dropout)
    }

    fn add(&self, mut a: Tensor, b: &Tensor) -> Tensor {
        let cols = a.cols();
        self.rows_mut(
            &mut a,
            ROW_GRAIN,
            #[inline(always)]
            |part, range| {
                let b = &b.values()[range.start * cols..range.end * cols];
                for (a, b) in part.iter_mut().zip(b) {
                    *a += b;
                }
            },
        );
        a
    }

    fn gather(&self, x: &Tensor, rows: &[u32]) -> Tensor {
        gather::forward(self, x, rows)
    }

    fn gather_backward(&self, dy: &Tensor, rows: &[u32], total: usize) -> Tensor {
        gather::backward(self, dy, rows, total)
    }

    fn replace_rows(&self, x: Tensor, rows: &[u32], values: &Tensor) -> Tensor {
        gather::replace(x, rows, values)
    }

    fn subtract_rows(&self, x: Tensor, of: &[u32]) -> Tensor {
        gather::subtract(self, &x, of)
    }

    fn subtract_rows_backward(&self, dy: Tensor, of: &[u32], total: usize) -> Tensor {
        gather::subtract_backward(self, &dy, of, total)
    }

    fn cross_entropy(
        &self,
        scores: Tensor,
        targets: &[u32],
        scale: f32,
    ) -> (Vec<ScoredRow>, Tensor) {
        cross_entropy::cross_entropy(self, scores, targets, scale)
    }

    fn scored(&self, scored: Vec<ScoredRow>) -> Vec<ScoredRow> {
        scored
    }

    fn pool(&self, modes: &[Pooling], batch: &Packed, x: &Tensor) -> Tensor {
        pool::forward(self, modes, batch, x)
    }

    fn pool_backward(&self, modes: &[Pooling], batch: &Packed, x: &Tensor, dy: &Tensor) -> Tensor {
        pool::backward(self, modes, batch, x, dy)
    }

    fn normalize(&self, x: &Tensor) -> Tensor {
        pool::normalize(self, x)
    }

    fn normalize_backward(&self, x: &Tensor, dy: &Tensor) -> Tensor {
        pool::normalize_backward(self, x, dy)
    }

    fn cosines(&self, a: &Tensor, b: &Tensor) -> Tensor {
        cosine::forward(self, a, b)
    }

    fn cosines_backward(&self, a: &Tensor, b: &Tensor, dy: &Tensor) -> (Tensor, Tensor) {
        cosine::backward(self, a, b, dy)
    }

    fn gradient_norm(&self, grads: &Arena, ranges: &[Range<usize>], rest: f64) -> f64 {
        (adamw::sum_of_squares(self, grads, ranges) + rest).sqrt()
    }

    fn joint_norm(&self, a: &f64, b: &f64) -> f64 {
        a.hypot(*b)
    }

    fn norm(&self, norm: &f64) -> f64 {
        *norm
    }

    fn adamw(
        &self,
        arenas: AdamWArenas<'_, Self>,
        segments: &[AdamWSegment],
        step: &AdamWStep,
        clip: Clip<'_, Self>,
    ) {
        adamw::step(self, arenas, segments, step, clip);
    }

    fn approach(&self, average: &mut Arena, params: &Arena, len: usize, share: f32) {
        adamw::approach(self, average, params, len, share);
    }
}
