//! The [`Backend`] trait on [`Cpu`]: each operation's file does the work.

use super::aligned::Aligned;
use super::arena::{Arena, SparseRows};
use super::feed_forward::{self, Inner};
use super::{
    Cpu, ROW_GRAIN, Tensor, Threads, adamw, attention, cross_entropy, distance, embed, gated,
    gather, linear, norm, pool, query_key_norm, rotary,
};
use crate::dropout::Dropout;
use crate::{
    Activation, AdamWSegment, AdamWStep, Backend, DistanceBias, EmbeddingTables, FeedForwardLayers,
    GateOrder, LayerNorm, Linear, Normed, Packed, Pooling, QueryKeyNorms, Rotary, ScoredRow,
    Standardized, View,
};
use rayon::prelude::*;
use std::ops::Range;

impl Backend for Cpu {
    type Tensor = Tensor;
    type Arena = Arena;
    type Inner = Inner;

    fn describe(&self) -> String {
        let (precision, isa) = (self.precision(), self.used());
        let threads = self.threads();
        let plural = if threads == 1 { "" } else { "s" };
        format!("CPU, {precision}, {threads} thread{plural}, {isa}")
    }

    fn arithmetic(&self) -> String {
        format!("CPU, {}, {}", self.precision(), self.used())
    }

    fn enter<R: Send>(&self, job: impl FnOnce() -> R + Send) -> R {
        match &self.threads {
            Threads::One => job(),
            // On a thread of the pool, so that no operation wakes one up.
            Threads::Pool { pool, .. } => pool.install(job),
        }
    }

    fn lanes(&self) -> usize {
        self.threads()
    }

    fn in_lanes<I: Send, R: Send>(
        &self,
        jobs: Vec<I>,
        job: impl Fn(&Self, I) -> R + Send + Sync,
    ) -> Vec<R> {
        match &self.threads {
            // Too few to go round: each job has all threads in turn.
            _ if jobs.len() < self.threads() => jobs.into_iter().map(|i| job(self, i)).collect(),
            Threads::One => jobs.into_iter().map(|i| job(self, i)).collect(),
            Threads::Pool { pool, lanes } => pool.install(|| {
                let jobs = jobs.into_par_iter().with_max_len(1);
                jobs.map(|i| {
                    let lane = rayon::current_thread_index().and_then(|i| lanes.get(i));
                    job(lane.unwrap_or(self), i)
                })
                .collect()
            }),
        }
    }

    fn tensor(&self, rows: usize, cols: usize, values: &[f32]) -> Tensor {
        let mut tensor = self.uninit(rows, cols);
        tensor.values_mut().copy_from_slice(values);
        tensor
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
        arena.settled()[range].to_vec()
    }

    fn write_arena(&self, arena: &mut Arena, offset: usize, values: &[f32]) {
        arena.change()[offset..offset + values.len()].copy_from_slice(values);
    }

    fn zero(&self, arena: &mut Arena) {
        arena.zero(self);
    }

    fn sum_of_squares(&self, arena: &Arena, ranges: &[Range<usize>]) -> f64 {
        adamw::sum_of_squares(self, arena, ranges)
    }

    fn embed(&self, params: &Arena, tables: &EmbeddingTables, batch: &Packed) -> Tensor {
        embed::forward(self, params.values(), tables, batch)
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
        linear::forward(self, params, layer, x)
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
    ) -> (Tensor, Inner) {
        feed_forward::forward(self, params, layers, x)
    }

    fn feed_forward_backward(
        &self,
        params: &Arena,
        layers: &FeedForwardLayers,
        (x, inner): (&Tensor, Inner),
        dy: &Tensor,
        grads: &mut Arena,
    ) -> Tensor {
        feed_forward::backward(self, params, layers, (x, inner), dy, grads)
    }

    fn linear_backward(
        &self,
        params: &Arena,
        layer: &Linear,
        x: &Tensor,
        dy: &Tensor,
        grads: &mut Arena,
    ) -> Tensor {
        linear::backward(self, params, layer, x, dy, grads)
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

    fn add_layer_norm(
        &self,
        params: &Arena,
        norm: &LayerNorm,
        batch: &Packed,
        x: Tensor,
        residual: Option<&Tensor>,
        dropout: Option<Dropout>,
    ) -> Normed<Tensor> {
        norm::forward(self, params, norm, batch, x, residual, dropout)
    }

    fn add_layer_norm_backward(
        &self,
        params: &Arena,
        norm: &LayerNorm,
        batch: &Packed,
        saved: &Standardized<Tensor>,
        dy: &Tensor,
        dropout: Option<Dropout>,
        grads: &mut Arena,
    ) -> (Tensor, Option<Tensor>) {
        norm::backward(self, params, norm, batch, saved, dy, dropout, grads)
    }

    fn query_key_norm(
        &self,
        params: &Arena,
        norms: &QueryKeyNorms,
        qkv: Tensor,
    ) -> (Tensor, Standardized<Tensor>) {
        query_key_norm::forward(self, params, norms, qkv)
    }

    fn query_key_norm_backward(
        &self,
        params: &Arena,
        norms: &QueryKeyNorms,
        saved: &Standardized<Tensor>,
        dy: Tensor,
        grads: &mut Arena,
    ) -> Tensor {
        query_key_norm::backward(self, params, norms, saved, dy, grads)
    }

    fn rotary(&self, rotary: &Rotary, batch: &Packed, heads: usize, qkv: Tensor) -> Tensor {
        rotary::turn(self, rotary, batch, heads, qkv, 1.0)
    }

    fn rotary_backward(&self, rotary: &Rotary, batch: &Packed, heads: usize, dy: Tensor) -> Tensor {
        rotary::turn(self, rotary, batch, heads, dy, -1.0)
    }

    fn distance_bias(
        &self,
        params: &Arena,
        bias: &DistanceBias,
        batch: &Packed,
        heads: usize,
    ) -> Tensor {
        distance::forward(self, params.values(), bias, batch, heads)
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

    fn attention(
        &self,
        qkv: &Tensor,
        batch: &Packed,
        heads: usize,
        bias: Option<&Tensor>,
        dropout: Option<Dropout>,
    ) -> Tensor {
        attention::forward(self, qkv, batch, heads, bias, dropout)
    }

    fn attention_backward(
        &self,
        qkv: &Tensor,
        batch: &Packed,
        heads: usize,
        bias: Option<&Tensor>,
        dropout: Option<Dropout>,
        dy: &Tensor,
        dbias: Option<&mut Tensor>,
    ) -> Tensor {
        attention::backward(self, qkv, batch, heads, bias, dropout, dy, dbias)
    }

    fn dropout(&self, batch: &Packed, x: Tensor, dropout: Dropout) -> Tensor {
        norm::dropout(self, batch, x, dropout)
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

    fn cross_entropy(
        &self,
        scores: Tensor,
        targets: &[u32],
        scale: f32,
    ) -> (Vec<ScoredRow>, Tensor) {
        cross_entropy::cross_entropy(self, scores, targets, scale)
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

    fn adamw(
        &self,
        params: &mut Arena,
        grads: &Arena,
        first_moment: &mut Arena,
        second_moment: &mut Arena,
        segments: &[AdamWSegment],
        step: &AdamWStep,
    ) {
        adamw::step(
            self,
            params,
            grads,
            first_moment,
            second_moment,
            segments,
            step,
        );
    }
}
