//! The [`Backend`] trait on [`Cuda`].

use crate::batch::Batch;
use crate::blas::Blas;
use crate::cuda::Cuda;
use crate::ops::attention::Attended;
use crate::ops::ends::Scored;
use crate::ops::optimizer::GradientNorm;
use crate::tensor::{Arena, Tensor};
use crate::zeros::Zeros;
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{
    Activation, AdamWArenas, AdamWSegment, AdamWStep, AttentionInput, AttentionSpec, Backend,
    BackendFailure, Clip, DistanceBias, EmbeddingTables, FeedForwardLayers, GateOrder,
    LayerNormOutput, LayerNormSaved, Linear, NormSpec, Packed, Pooling, QueryKeyNorms, Rotary,
    RowDropout, ScoredRow, View,
};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Mutex;

use crate::context::lock;

/// Batches that are encoded at a time: while one is copied, the next is computed.
const LANES: usize = 2;
/// Tokens in a batch of inference.
const TOKENS: usize = 32_768;

fn batch_and_dropout<'a>(drop: Option<RowDropout<'a, Cuda>>) -> Option<(&'a Batch, Dropout)> {
    drop.map(|d| (d.batch, d.dropout))
}

impl Backend for Cuda {
    type Tensor = Tensor;
    type Arena = Arena;
    type Batch = Batch;
    type FeedForwardSaved = Tensor;
    type Attended = Attended;
    type Scored = Scored;
    type GradientNorm = GradientNorm;

    fn describe(&self) -> String {
        let card = self.card();
        let precision = if self.reduced() { "bf16" } else { "f32" };
        format!("{} (cuda:{}), {precision}", card.name, card.index)
    }

    fn arithmetic(&self) -> String {
        let (major, minor) = self.card().capability;
        let products = match (&self.shared.blas, self.reduced()) {
            (Some(blas), _) => format!("bf16, cublasLt {}", blas.version),
            (None, true) => "bf16".to_owned(),
            (None, false) => "f32".to_owned(),
        };
        format!("cuda, sm_{major}{minor}, {products}")
    }

    fn batch_tokens(&self) -> usize {
        TOKENS
    }

    fn is_apart(&self) -> bool {
        true
    }

    fn own_memory(&self) -> Option<u64> {
        Some((self.memory_left() + self.memory_held()) as u64)
    }

    fn training_bytes(&self, parameters: usize, activations: usize, inner: usize) -> u64 {
        // What comes behind an activation is made again. Parameters have a copy in bf16, which
        // activations are in as well.
        let kept = activations + inner;
        let own = match self.reduced() {
            true => 18 * parameters + 2 * kept,
            false => 4 * (4 * parameters + kept),
        };
        let workspace = self.shared.blas.as_ref().map_or(0, |_| Blas::WORKSPACE);
        (own + workspace) as u64
    }

    fn failure(&self) -> Option<BackendFailure> {
        self.shared.context.failure()
    }

    fn lanes(&self) -> usize {
        LANES
    }

    fn in_lanes<I: Send, R: Send>(
        &self,
        jobs: Vec<I>,
        job: impl Fn(&Self, I) -> R + Send + Sync,
    ) -> Vec<R> {
        if jobs.len() < 2 {
            return jobs.into_iter().map(|i| job(self, i)).collect();
        }
        // What parameters were last written by.
        self.lane.wait();
        let mut results: Vec<Option<R>> = jobs.iter().map(|_| None).collect();
        let queue: VecDeque<(usize, I)> = jobs.into_iter().enumerate().collect();
        let (queue, done) = (Mutex::new(queue), Mutex::new(&mut results));
        std::thread::scope(|scope| {
            for _ in 0..LANES {
                scope.spawn(|| {
                    let lane = self.other_lane();
                    loop {
                        let next = lock(&queue).pop_front();
                        let Some((at, input)) = next else { break };
                        let result = job(&lane, input);
                        lock(&done)[at] = Some(result);
                    }
                    lane.retire();
                });
            }
        });
        results
            .into_iter()
            .map(|r| r.unwrap_or_else(|| unreachable!("every job was done")))
            .collect()
    }

    fn batch(&self, packed: Packed) -> Batch {
        Batch::new(&self.lane, packed)
    }

    fn training_batch(&self, packed: Packed) -> Batch {
        Batch::for_training(&self.lane, packed)
    }

    fn packed<'a>(&self, batch: &'a Batch) -> &'a Packed {
        &batch.packed
    }

    fn tensor(&self, rows: usize, cols: usize, values: &[f32]) -> Tensor {
        assert_eq!(values.len(), rows * cols, "values of a matrix");
        let tensor = self.fresh(rows, cols, false);
        self.lane.write(tensor.address(), values);
        self.typed(tensor, self.shared.uploads_half)
    }

    fn zeros(&self, rows: usize, cols: usize) -> Tensor {
        self.zeroed(rows, cols, false)
    }

    fn copy(&self, x: &Tensor) -> Tensor {
        self.duplicate(x)
    }

    fn read(&self, tensor: &Tensor) -> Vec<f32> {
        let mut place = None;
        let full = self.as_type(tensor, false, &mut place);
        self.lane.read(full.address(), full.count())
    }

    fn shape(&self, tensor: &Tensor) -> (usize, usize) {
        (tensor.rows, tensor.cols)
    }

    fn arena(&self, values: Vec<f32>) -> Arena {
        let arena = Arena::new(&self.lane, values.len());
        self.lane.write(arena.at(0), &values);
        arena
    }

    fn gradient_arena(&self, len: usize, sparse: Option<View>) -> Arena {
        let arena = Arena::new(&self.lane, len);
        self.lane.clear(arena.at(0), 4 * len);
        *lock(&arena.zeros) = Zeros::of_gradients(&self.lane, sparse);
        arena
    }

    fn read_arena(&self, arena: &Arena, range: Range<usize>) -> Vec<f32> {
        assert!(range.end <= arena.len, "a range beyond the arena");
        arena.settle();
        self.lane.read(arena.at(range.start), range.len())
    }

    fn write_arena(&self, arena: &mut Arena, offset: usize, values: &[f32]) {
        assert!(
            offset + values.len() <= arena.len,
            "values beyond the arena"
        );
        let place = arena.change(View::new(offset, 1, values.len()));
        self.lane.write(place, values);
        arena.changed();
    }

    fn zero(&self, arena: &mut Arena) {
        self.begin_anew(arena);
        arena.changed();
    }

    fn embed(&self, params: &Arena, tables: &EmbeddingTables, batch: &Batch) -> Tensor {
        self.look_up(params, tables, batch)
    }

    fn embed_backward(
        &self,
        tables: &EmbeddingTables,
        batch: &Batch,
        dy: &Tensor,
        grads: &mut Arena,
    ) {
        self.look_up_backward(tables, batch, dy, grads);
    }

    fn linear(&self, params: &Arena, layer: &Linear, x: &Tensor) -> Tensor {
        self.forward(params, layer, x)
    }

    fn linear_activated(
        &self,
        params: &Arena,
        layer: &Linear,
        activation: Activation,
        x: &Tensor,
    ) -> (Tensor, Tensor) {
        self.forward_activated(params, layer, activation, x)
    }

    fn activated(
        &self,
        params: &Arena,
        layer: &Linear,
        activation: Activation,
        x: &Tensor,
    ) -> Tensor {
        let mut y = self.forward(params, layer, x);
        self.activation_in_place(activation, &mut y);
        y
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
        self.linear_gradients(params, layer, (x, dy), onto, grads)
    }

    fn feed_forward(&self, params: &Arena, layers: &FeedForwardLayers, x: &Tensor) -> Tensor {
        self.both(params, layers, x, false).0
    }

    fn feed_forward_kept(
        &self,
        params: &Arena,
        layers: &FeedForwardLayers,
        x: &Tensor,
    ) -> (Tensor, Tensor) {
        let (y, pre) = self.both(params, layers, x, true);
        (y, pre.unwrap_or_else(|| unreachable!("what was asked for")))
    }

    fn feed_forward_backward(
        &self,
        params: &Arena,
        layers: &FeedForwardLayers,
        x_and_saved: (&Tensor, Tensor),
        dy: &Tensor,
        onto: Option<Tensor>,
        grads: &mut Arena,
    ) -> Tensor {
        self.both_backward(params, layers, x_and_saved, dy, onto, grads)
    }

    fn activation_backward(&self, activation: Activation, pre: &Tensor, dy: Tensor) -> Tensor {
        self.activation_slope(activation, pre, dy)
    }

    fn gated(&self, activation: Activation, order: GateOrder, pre: &Tensor) -> Tensor {
        self.gate(activation, order, pre)
    }

    fn gated_backward(
        &self,
        activation: Activation,
        order: GateOrder,
        pre: Tensor,
        dy: &Tensor,
    ) -> Tensor {
        self.gate_backward(activation, order, pre, dy)
    }

    fn norm_of(&self, params: &Arena, norm: &NormSpec, x: &Tensor) -> LayerNormOutput<Tensor> {
        self.norm_kept(params, norm, x, None, None)
    }

    fn add_norm(
        &self,
        params: &Arena,
        norm: &NormSpec,
        x: Tensor,
        residual: Option<&Tensor>,
        dropout: Option<RowDropout<'_, Self>>,
    ) -> LayerNormOutput<Tensor> {
        self.norm_kept(params, norm, &x, residual, batch_and_dropout(dropout))
    }

    fn norm_inferred(
        &self,
        params: &Arena,
        norm: &NormSpec,
        x: Tensor,
        residual: Option<&Tensor>,
    ) -> Tensor {
        self.norm_sum(params, norm, &x, residual, None, false).0
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
        self.norm_sum_backward(params, norm, saved, dy, batch_and_dropout(dropout), grads)
    }

    fn query_key_norm(
        &self,
        params: &Arena,
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
        qkv: Tensor,
    ) -> (Tensor, LayerNormSaved<Tensor>) {
        self.norm_queries_and_keys(params, norms, spec, qkv)
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
        self.norm_queries_and_keys_backward(params, norms, spec, saved, dy, grads)
    }

    fn rotary(&self, rotary: &Rotary, spec: &AttentionSpec, batch: &Batch, qkv: Tensor) -> Tensor {
        self.turn(rotary, spec, batch, qkv, 1.0)
    }

    fn rotary_backward(
        &self,
        rotary: &Rotary,
        spec: &AttentionSpec,
        batch: &Batch,
        dy: Tensor,
    ) -> Tensor {
        self.turn(rotary, spec, batch, dy, -1.0)
    }

    fn distance_bias(
        &self,
        params: &Arena,
        bias: &DistanceBias,
        batch: &Batch,
        heads: usize,
    ) -> Tensor {
        self.bias_of(params, bias, batch, heads)
    }

    fn distance_bias_backward(
        &self,
        bias: &DistanceBias,
        batch: &Batch,
        dy: &Tensor,
        grads: &mut Arena,
    ) {
        self.bias_backward(bias, batch, dy, grads);
    }

    fn attention(&self, spec: &AttentionSpec, input: AttentionInput<'_, Self>) -> Tensor {
        self.attend(spec, input, false).0
    }

    fn attention_kept(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
    ) -> (Tensor, Attended) {
        let (out, kept) = self.attend(spec, input, true);
        (
            out,
            kept.unwrap_or_else(|| unreachable!("what was asked for")),
        )
    }

    fn attention_backward(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
        context_and_saved: (&Tensor, Attended),
        dy: &Tensor,
        dbias: Option<&mut Tensor>,
    ) -> Tensor {
        self.attend_backward(spec, input, context_and_saved, dy, dbias)
    }

    fn dropout(&self, x: Tensor, dropout: RowDropout<'_, Self>) -> Tensor {
        self.drop_values(x, dropout.batch, dropout.dropout)
    }

    fn add(&self, a: Tensor, b: &Tensor) -> Tensor {
        self.sum(a, b)
    }

    fn gather(&self, x: &Tensor, rows: &[u32]) -> Tensor {
        self.pick(x, rows)
    }

    fn gather_backward(&self, dy: &Tensor, rows: &[u32], total: usize) -> Tensor {
        self.spread(dy, rows, 0, 1.0, total)
    }

    fn replace_rows(&self, x: Tensor, rows: &[u32], values: &Tensor) -> Tensor {
        self.overwrite(x, rows, values)
    }

    fn subtract_rows(&self, x: Tensor, of: &[u32]) -> Tensor {
        self.difference(&x, of)
    }

    fn subtract_rows_backward(&self, dy: Tensor, of: &[u32], total: usize) -> Tensor {
        self.spread(&dy, of, of.len(), -1.0, total)
    }

    fn cross_entropy(&self, scores: Tensor, targets: &[u32], scale: f32) -> (Scored, Tensor) {
        self.score(scores, targets, scale)
    }

    fn scored(&self, scored: Scored) -> Vec<ScoredRow> {
        self.read_scored(&scored)
    }

    fn pool(&self, modes: &[Pooling], batch: &Batch, x: &Tensor) -> Tensor {
        self.pooled(modes, batch, x)
    }

    fn pool_backward(&self, modes: &[Pooling], batch: &Batch, x: &Tensor, dy: &Tensor) -> Tensor {
        self.pooled_backward(modes, batch, x, dy)
    }

    fn normalize(&self, x: &Tensor) -> Tensor {
        self.directions(x)
    }

    fn normalize_backward(&self, x: &Tensor, dy: &Tensor) -> Tensor {
        self.directions_backward(x, dy)
    }

    fn cosines(&self, a: &Tensor, b: &Tensor) -> Tensor {
        self.all_cosines(a, b)
    }

    fn cosines_backward(&self, a: &Tensor, b: &Tensor, dy: &Tensor) -> (Tensor, Tensor) {
        self.all_cosines_backward(a, b, dy)
    }

    fn logits(&self, x: Tensor, steepness: f32, left_out: &[u32]) -> Tensor {
        self.steep(x, steepness, left_out)
    }

    fn gradient_norm(&self, grads: &Arena, ranges: &[Range<usize>], rest: f64) -> GradientNorm {
        self.norm_of_gradients(grads, ranges, rest)
    }

    fn joint_norm(&self, a: &GradientNorm, b: &GradientNorm) -> GradientNorm {
        self.joint(a, b)
    }

    fn norm(&self, norm: &GradientNorm) -> f64 {
        self.read_norm(norm)
    }

    fn adamw(
        &self,
        arenas: AdamWArenas<'_, Self>,
        segments: &[AdamWSegment],
        step: &AdamWStep,
        clip: Clip<'_, Self>,
    ) {
        let all = [
            &*arenas.params,
            arenas.grads,
            &*arenas.first,
            &*arenas.second,
        ];
        self.step(all, segments, step, clip.norm, clip.most);
    }

    fn approach(&self, average: &mut Arena, params: &Arena, len: usize, share: f32) {
        self.move_towards(average, params, len, share);
    }
}
