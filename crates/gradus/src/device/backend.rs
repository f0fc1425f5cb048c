//! Each operation on the device that there is.

use super::Compute;
use super::sides::{On, on, on_cpu, on_cuda};
use gradus_cuda::Cuda;
use gradus_kernels::cpu::Cpu;
use gradus_kernels::{
    Activation, AdamWArenas, AdamWSegment, AdamWStep, AttentionInput, AttentionSpec, Backend,
    BackendFailure, Clip, DistanceBias, EmbeddingTables, FeedForwardLayers, GateOrder,
    LayerNormOutput, LayerNormSaved, Linear, NormSpec, Packed, Pooling, QueryKeyNorms, Rotary,
    RowDropout, ScoredRow, View,
};
use std::ops::Range;

impl Backend for Compute {
    type Tensor = On<<Cpu as Backend>::Tensor, <Cuda as Backend>::Tensor>;
    type Arena = On<<Cpu as Backend>::Arena, <Cuda as Backend>::Arena>;
    type Batch = On<<Cpu as Backend>::Batch, <Cuda as Backend>::Batch>;
    type FeedForwardSaved =
        On<<Cpu as Backend>::FeedForwardSaved, <Cuda as Backend>::FeedForwardSaved>;
    type Attended = On<<Cpu as Backend>::Attended, <Cuda as Backend>::Attended>;
    type Scored = On<<Cpu as Backend>::Scored, <Cuda as Backend>::Scored>;
    type GradientNorm = On<<Cpu as Backend>::GradientNorm, <Cuda as Backend>::GradientNorm>;

    fn describe(&self) -> String {
        on!(self, b => b.describe())
    }

    fn arithmetic(&self) -> String {
        on!(self, b => b.arithmetic())
    }

    fn own_memory(&self) -> Option<u64> {
        on!(self, b => b.own_memory())
    }

    fn training_bytes(&self, parameters: usize, activations: usize, inner: usize) -> u64 {
        on!(self, b => b.training_bytes(parameters, activations, inner))
    }

    fn failure(&self) -> Option<BackendFailure> {
        on!(self, b => b.failure())
    }

    fn enter<R: Send>(&self, job: impl FnOnce() -> R + Send) -> R {
        on!(self, b => b.enter(job))
    }

    fn in_lanes<I: Send, R: Send>(
        &self,
        jobs: Vec<I>,
        job: impl Fn(&Self, I) -> R + Send + Sync,
    ) -> Vec<R> {
        match self {
            Self::Cpu(cpu, lanes) => cpu.share_out(jobs, |who, own| {
                job(who.map_or(self, |who| &lanes[who]), own)
            }),
            Self::Cuda(cuda) => {
                cuda.in_lanes(jobs, |lane, own| job(&Self::Cuda(lane.clone()), own))
            }
        }
    }

    fn adamw(
        &self,
        arenas: AdamWArenas<'_, Self>,
        segments: &[AdamWSegment],
        step: &AdamWStep,
        clip: Clip<'_, Self>,
    ) {
        on!(self, b => {
            let arenas = AdamWArenas {
                params: arenas.params.own(),
                grads: arenas.grads.own(),
                first: arenas.first.own(),
                second: arenas.second.own(),
            };
            let clip = Clip { norm: clip.norm.own(), most: clip.most };
            b.adamw(arenas, segments, step, clip)
        })
    }

    fn batch_tokens(&self) -> usize {
        on!(self, device => device.batch_tokens())
    }

    fn is_apart(&self) -> bool {
        on!(self, device => device.is_apart())
    }

    fn lanes(&self) -> usize {
        on!(self, device => device.lanes())
    }

    fn batch(&self, packed: Packed) -> Self::Batch {
        on!(self, device => put(device.batch(packed)))
    }

    fn training_batch(&self, packed: Packed) -> Self::Batch {
        on!(self, device => put(device.training_batch(packed)))
    }

    fn packed<'a>(&self, batch: &'a Self::Batch) -> &'a Packed {
        on!(self, device => device.packed(batch.own()))
    }

    fn tensor(&self, rows: usize, cols: usize, values: &[f32]) -> Self::Tensor {
        on!(self, device => put(device.tensor(rows, cols, values)))
    }

    fn zeros(&self, rows: usize, cols: usize) -> Self::Tensor {
        on!(self, device => put(device.zeros(rows, cols)))
    }

    fn copy(&self, x: &Self::Tensor) -> Self::Tensor {
        on!(self, device => put(device.copy(x.own())))
    }

    fn read(&self, tensor: &Self::Tensor) -> Vec<f32> {
        on!(self, device => device.read(tensor.own()))
    }

    fn shape(&self, tensor: &Self::Tensor) -> (usize, usize) {
        on!(self, device => device.shape(tensor.own()))
    }

    fn arena(&self, values: Vec<f32>) -> Self::Arena {
        on!(self, device => put(device.arena(values)))
    }

    fn gradient_arena(&self, len: usize, sparse: Option<View>) -> Self::Arena {
        on!(self, device => put(device.gradient_arena(len, sparse)))
    }

    fn read_arena(&self, arena: &Self::Arena, range: Range<usize>) -> Vec<f32> {
        on!(self, device => device.read_arena(arena.own(), range))
    }

    fn write_arena(&self, arena: &mut Self::Arena, offset: usize, values: &[f32]) {
        on!(self, device => device.write_arena(arena.own(), offset, values))
    }

    fn zero(&self, arena: &mut Self::Arena) {
        on!(self, device => device.zero(arena.own()))
    }

    fn embed(
        &self,
        params: &Self::Arena,
        tables: &EmbeddingTables,
        batch: &Self::Batch,
    ) -> Self::Tensor {
        on!(self, device => put(device.embed(params.own(), tables, batch.own())))
    }

    fn embed_backward(
        &self,
        tables: &EmbeddingTables,
        batch: &Self::Batch,
        dy: &Self::Tensor,
        grads: &mut Self::Arena,
    ) {
        on!(self, device => device.embed_backward(tables, batch.own(), dy.own(), grads.own()))
    }

    fn linear(&self, params: &Self::Arena, layer: &Linear, x: &Self::Tensor) -> Self::Tensor {
        on!(self, device => put(device.linear(params.own(), layer, x.own())))
    }

    fn linear_inferred(
        &self,
        params: &Self::Arena,
        layer: &Linear,
        x: &Self::Tensor,
    ) -> Self::Tensor {
        on!(self, device => put(device.linear_inferred(params.own(), layer, x.own())))
    }

    fn linear_activated(
        &self,
        params: &Self::Arena,
        layer: &Linear,
        activation: Activation,
        x: &Self::Tensor,
    ) -> (Self::Tensor, Self::Tensor) {
        on!(self, device => { let (y, z) = device.linear_activated(params.own(), layer, activation, x.own()); (put(y), put(z)) })
    }

    fn activated(
        &self,
        params: &Self::Arena,
        layer: &Linear,
        activation: Activation,
        x: &Self::Tensor,
    ) -> Self::Tensor {
        on!(self, device => put(device.activated(params.own(), layer, activation, x.own())))
    }

    fn linear_backward(
        &self,
        params: &Self::Arena,
        layer: &Linear,
        x: &Self::Tensor,
        dy: &Self::Tensor,
        onto: Option<Self::Tensor>,
        grads: &mut Self::Arena,
    ) -> Self::Tensor {
        on!(self, device => put(device.linear_backward(params.own(), layer, x.own(), dy.own(), onto.own(), grads.own())))
    }

    fn feed_forward(
        &self,
        params: &Self::Arena,
        layers: &FeedForwardLayers,
        x: &Self::Tensor,
    ) -> Self::Tensor {
        on!(self, device => put(device.feed_forward(params.own(), layers, x.own())))
    }

    fn feed_forward_kept(
        &self,
        params: &Self::Arena,
        layers: &FeedForwardLayers,
        x: &Self::Tensor,
    ) -> (Self::Tensor, Self::FeedForwardSaved) {
        on!(self, device => { let (y, z) = device.feed_forward_kept(params.own(), layers, x.own()); (put(y), put(z)) })
    }

    fn feed_forward_backward(
        &self,
        params: &Self::Arena,
        layers: &FeedForwardLayers,
        (x, saved): (&Self::Tensor, Self::FeedForwardSaved),
        dy: &Self::Tensor,
        onto: Option<Self::Tensor>,
        grads: &mut Self::Arena,
    ) -> Self::Tensor {
        on!(self, device => put(device.feed_forward_backward(params.own(), layers, (x.own(), saved.own()), dy.own(), onto.own(), grads.own())))
    }

    fn activation_backward(
        &self,
        activation: Activation,
        pre: &Self::Tensor,
        dy: Self::Tensor,
    ) -> Self::Tensor {
        on!(self, device => put(device.activation_backward(activation, pre.own(), dy.own())))
    }

    fn gated(&self, activation: Activation, order: GateOrder, pre: &Self::Tensor) -> Self::Tensor {
        on!(self, device => put(device.gated(activation, order, pre.own())))
    }

    fn gated_backward(
        &self,
        activation: Activation,
        order: GateOrder,
        pre: Self::Tensor,
        dy: &Self::Tensor,
    ) -> Self::Tensor {
        on!(self, device => put(device.gated_backward(activation, order, pre.own(), dy.own())))
    }

    fn norm_of(
        &self,
        params: &Self::Arena,
        norm: &NormSpec,
        x: &Self::Tensor,
    ) -> LayerNormOutput<Self::Tensor> {
        on!(self, device => put_normed(device.norm_of(params.own(), norm, x.own())))
    }

    fn add_norm(
        &self,
        params: &Self::Arena,
        norm: &NormSpec,
        x: Self::Tensor,
        residual: Option<&Self::Tensor>,
        dropout: Option<RowDropout<'_, Self>>,
    ) -> LayerNormOutput<Self::Tensor> {
        on!(self, device => put_normed(device.add_norm(params.own(), norm, x.own(), residual.own(), dropout.own())))
    }

    fn norm_inferred(
        &self,
        params: &Self::Arena,
        norm: &NormSpec,
        x: Self::Tensor,
        residual: Option<&Self::Tensor>,
    ) -> Self::Tensor {
        on!(self, device => put(device.norm_inferred(params.own(), norm, x.own(), residual.own())))
    }

    fn add_norm_backward(
        &self,
        params: &Self::Arena,
        norm: &NormSpec,
        saved: LayerNormSaved<&Self::Tensor>,
        dy: &Self::Tensor,
        dropout: Option<RowDropout<'_, Self>>,
        grads: &mut Self::Arena,
    ) -> (Self::Tensor, Option<Self::Tensor>) {
        on!(self, device => { let (y, z) = device.add_norm_backward(params.own(), norm, saved.own(), dy.own(), dropout.own(), grads.own()); (put(y), z.map(put)) })
    }

    fn query_key_norm(
        &self,
        params: &Self::Arena,
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
        qkv: Self::Tensor,
    ) -> (Self::Tensor, LayerNormSaved<Self::Tensor>) {
        on!(self, device => { let (y, saved) = device.query_key_norm(params.own(), norms, spec, qkv.own()); (put(y), put_saved(saved)) })
    }

    fn query_key_norm_backward(
        &self,
        params: &Self::Arena,
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
        saved: LayerNormSaved<&Self::Tensor>,
        dy: Self::Tensor,
        grads: &mut Self::Arena,
    ) -> Self::Tensor {
        on!(self, device => put(device.query_key_norm_backward(params.own(), norms, spec, saved.own(), dy.own(), grads.own())))
    }

    fn rotary(
        &self,
        rotary: &Rotary,
        spec: &AttentionSpec,
        batch: &Self::Batch,
        qkv: Self::Tensor,
    ) -> Self::Tensor {
        on!(self, device => put(device.rotary(rotary, spec, batch.own(), qkv.own())))
    }

    fn rotary_backward(
        &self,
        rotary: &Rotary,
        spec: &AttentionSpec,
        batch: &Self::Batch,
        dy: Self::Tensor,
    ) -> Self::Tensor {
        on!(self, device => put(device.rotary_backward(rotary, spec, batch.own(), dy.own())))
    }

    fn distance_bias(
        &self,
        params: &Self::Arena,
        bias: &DistanceBias,
        batch: &Self::Batch,
        heads: usize,
    ) -> Self::Tensor {
        on!(self, device => put(device.distance_bias(params.own(), bias, batch.own(), heads)))
    }

    fn distance_bias_backward(
        &self,
        bias: &DistanceBias,
        batch: &Self::Batch,
        dy: &Self::Tensor,
        grads: &mut Self::Arena,
    ) {
        on!(self, device => device.distance_bias_backward(bias, batch.own(), dy.own(), grads.own()))
    }

    fn attention(&self, spec: &AttentionSpec, input: AttentionInput<'_, Self>) -> Self::Tensor {
        on!(self, device => put(device.attention(spec, input.own())))
    }

    fn attention_kept(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
    ) -> (Self::Tensor, Self::Attended) {
        on!(self, device => { let (y, z) = device.attention_kept(spec, input.own()); (put(y), put(z)) })
    }

    fn attention_backward(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
        (context, saved): (&Self::Tensor, Self::Attended),
        dy: &Self::Tensor,
        dbias: Option<&mut Self::Tensor>,
    ) -> Self::Tensor {
        on!(self, device => put(device.attention_backward(spec, input.own(), (context.own(), saved.own()), dy.own(), dbias.own())))
    }

    fn dropout(&self, x: Self::Tensor, dropout: RowDropout<'_, Self>) -> Self::Tensor {
        on!(self, device => put(device.dropout(x.own(), dropout.own())))
    }

    fn add(&self, a: Self::Tensor, b: &Self::Tensor) -> Self::Tensor {
        on!(self, device => put(device.add(a.own(), b.own())))
    }

    fn gather(&self, x: &Self::Tensor, rows: &[u32]) -> Self::Tensor {
        on!(self, device => put(device.gather(x.own(), rows)))
    }

    fn gather_backward(&self, dy: &Self::Tensor, rows: &[u32], total: usize) -> Self::Tensor {
        on!(self, device => put(device.gather_backward(dy.own(), rows, total)))
    }

    fn replace_rows(&self, x: Self::Tensor, rows: &[u32], values: &Self::Tensor) -> Self::Tensor {
        on!(self, device => put(device.replace_rows(x.own(), rows, values.own())))
    }

    fn subtract_rows(&self, x: Self::Tensor, of: &[u32]) -> Self::Tensor {
        on!(self, device => put(device.subtract_rows(x.own(), of)))
    }

    fn subtract_rows_backward(&self, dy: Self::Tensor, of: &[u32], total: usize) -> Self::Tensor {
        on!(self, device => put(device.subtract_rows_backward(dy.own(), of, total)))
    }

    fn cross_entropy(
        &self,
        scores: Self::Tensor,
        targets: &[u32],
        scale: f32,
    ) -> (Self::Scored, Self::Tensor) {
        on!(self, device => { let (y, z) = device.cross_entropy(scores.own(), targets, scale); (put(y), put(z)) })
    }

    fn scored(&self, scored: Self::Scored) -> Vec<ScoredRow> {
        on!(self, device => device.scored(scored.own()))
    }

    fn pool(&self, modes: &[Pooling], batch: &Self::Batch, x: &Self::Tensor) -> Self::Tensor {
        on!(self, device => put(device.pool(modes, batch.own(), x.own())))
    }

    fn pool_backward(
        &self,
        modes: &[Pooling],
        batch: &Self::Batch,
        x: &Self::Tensor,
        dy: &Self::Tensor,
    ) -> Self::Tensor {
        on!(self, device => put(device.pool_backward(modes, batch.own(), x.own(), dy.own())))
    }

    fn normalize(&self, x: &Self::Tensor) -> Self::Tensor {
        on!(self, device => put(device.normalize(x.own())))
    }

    fn normalize_backward(&self, x: &Self::Tensor, dy: &Self::Tensor) -> Self::Tensor {
        on!(self, device => put(device.normalize_backward(x.own(), dy.own())))
    }

    fn cosines(&self, a: &Self::Tensor, b: &Self::Tensor) -> Self::Tensor {
        on!(self, device => put(device.cosines(a.own(), b.own())))
    }

    fn cosines_backward(
        &self,
        a: &Self::Tensor,
        b: &Self::Tensor,
        dy: &Self::Tensor,
    ) -> (Self::Tensor, Self::Tensor) {
        on!(self, device => { let (y, z) = device.cosines_backward(a.own(), b.own(), dy.own()); (put(y), put(z)) })
    }

    fn logits(&self, x: Self::Tensor, steepness: f32, left_out: &[u32]) -> Self::Tensor {
        on!(self, device => put(device.logits(x.own(), steepness, left_out)))
    }

    fn gradient_norm(
        &self,
        grads: &Self::Arena,
        ranges: &[Range<usize>],
        rest: f64,
    ) -> Self::GradientNorm {
        on!(self, device => put(device.gradient_norm(grads.own(), ranges, rest)))
    }

    fn joint_norm(&self, a: &Self::GradientNorm, b: &Self::GradientNorm) -> Self::GradientNorm {
        on!(self, device => put(device.joint_norm(a.own(), b.own())))
    }

    fn norm(&self, norm: &Self::GradientNorm) -> f64 {
        on!(self, device => device.norm(norm.own()))
    }

    fn approach(&self, average: &mut Self::Arena, params: &Self::Arena, len: usize, share: f32) {
        on!(self, device => device.approach(average.own(), params.own(), len, share))
    }
}
