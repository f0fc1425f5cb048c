//! The [`Backend`] trait on [`Plain`].

use super::{
    Matrix, Plain, PlainArena, PlainAttended, PlainBatch, PlainFeedForward, PlainScored, attention,
    lock, norm, optimizer, pointwise, pooling, products,
};
use gradus_kernels::{
    Activation, AdamWArenas, AdamWSegment, AdamWStep, AttentionInput, AttentionSpec, Backend,
    BackendFailure, Clip, DistanceBias, EmbeddingTables, FeedForwardLayers, GateOrder,
    LayerNormOutput, LayerNormSaved, Linear, NormSpec, Packed, Pooling, QueryKeyNorms, Rotary,
    RowDropout, ScoredRow, View,
};
use std::ops::Range;

impl Backend for Plain {
    type Tensor = Matrix;
    type Arena = PlainArena;
    type Batch = PlainBatch;
    type FeedForwardSaved = PlainFeedForward;
    type Attended = PlainAttended;
    type Scored = PlainScored;
    type GradientNorm = f64;

    fn describe(&self) -> String {
        "plain loops in f64".into()
    }

    fn arithmetic(&self) -> String {
        "plain, f64".into()
    }

    fn failure(&self) -> Option<BackendFailure> {
        lock(&self.failure).clone()
    }

    fn batch(&self, packed: Packed) -> PlainBatch {
        self.note("batch");
        PlainBatch::new(packed)
    }

    fn packed<'a>(&self, batch: &'a PlainBatch) -> &'a Packed {
        &batch.packed
    }

    fn tensor(&self, rows: usize, cols: usize, values: &[f32]) -> Matrix {
        self.note("tensor");
        assert_eq!(values.len(), rows * cols, "values of a matrix");
        let values = values.iter().map(|&x| f64::from(x)).collect();
        Matrix { rows, cols, values }
    }

    fn zeros(&self, rows: usize, cols: usize) -> Matrix {
        self.note("zeros");
        Matrix::zeros(rows, cols)
    }

    fn copy(&self, x: &Matrix) -> Matrix {
        self.note("copy");
        x.clone()
    }

    fn read(&self, tensor: &Matrix) -> Vec<f32> {
        self.note("read");
        tensor.values.iter().map(|&x| x as f32).collect()
    }

    fn shape(&self, tensor: &Matrix) -> (usize, usize) {
        (tensor.rows, tensor.cols)
    }

    fn arena(&self, values: Vec<f32>) -> PlainArena {
        self.note("arena");
        PlainArena(values)
    }

    fn gradient_arena(&self, len: usize, _: Option<View>) -> PlainArena {
        self.note("gradient_arena");
        PlainArena(vec![0.0; len])
    }

    fn read_arena(&self, arena: &PlainArena, range: Range<usize>) -> Vec<f32> {
        self.note("read_arena");
        arena.0[range].to_vec()
    }

    fn write_arena(&self, arena: &mut PlainArena, offset: usize, values: &[f32]) {
        self.note("write_arena");
        arena.0[offset..offset + values.len()].copy_from_slice(values);
    }

    fn zero(&self, arena: &mut PlainArena) {
        self.note("zero");
        arena.0.fill(0.0);
    }

    fn embed(&self, params: &PlainArena, tables: &EmbeddingTables, batch: &PlainBatch) -> Matrix {
        self.note("embed");
        pooling::embed(params, tables, batch)
    }

    fn embed_backward(
        &self,
        tables: &EmbeddingTables,
        batch: &PlainBatch,
        dy: &Matrix,
        grads: &mut PlainArena,
    ) {
        self.note("embed_backward");
        pooling::embed_backward(tables, batch, dy, grads);
    }

    fn linear(&self, params: &PlainArena, layer: &Linear, x: &Matrix) -> Matrix {
        self.note("linear");
        products::forward(params, layer, x)
    }

    fn linear_activated(
        &self,
        params: &PlainArena,
        layer: &Linear,
        activation: Activation,
        x: &Matrix,
    ) -> (Matrix, Matrix) {
        self.note("linear_activated");
        let pre = products::forward(params, layer, x);
        let post = pointwise::activate(activation, pre.clone());
        (pre, post)
    }

    fn activated(
        &self,
        params: &PlainArena,
        layer: &Linear,
        activation: Activation,
        x: &Matrix,
    ) -> Matrix {
        self.note("activated");
        pointwise::activate(activation, products::forward(params, layer, x))
    }

    fn linear_backward(
        &self,
        params: &PlainArena,
        layer: &Linear,
        x: &Matrix,
        dy: &Matrix,
        onto: Option<Matrix>,
        grads: &mut PlainArena,
    ) -> Matrix {
        self.note("linear_backward");
        products::backward(params, layer, x, dy, onto, grads)
    }

    fn feed_forward(&self, params: &PlainArena, layers: &FeedForwardLayers, x: &Matrix) -> Matrix {
        self.note("feed_forward");
        let inner = products::forward(params, &layers.up, x);
        let inner = pointwise::activate(layers.activation, inner);
        products::forward(params, &layers.down, &inner)
    }

    fn feed_forward_kept(
        &self,
        params: &PlainArena,
        layers: &FeedForwardLayers,
        x: &Matrix,
    ) -> (Matrix, PlainFeedForward) {
        self.note("feed_forward_kept");
        let pre = products::forward(params, &layers.up, x);
        let post = pointwise::activate(layers.activation, pre.clone());
        let y = products::forward(params, &layers.down, &post);
        (y, PlainFeedForward { pre, post })
    }

    fn feed_forward_backward(
        &self,
        params: &PlainArena,
        layers: &FeedForwardLayers,
        (x, saved): (&Matrix, PlainFeedForward),
        dy: &Matrix,
        onto: Option<Matrix>,
        grads: &mut PlainArena,
    ) -> Matrix {
        self.note("feed_forward_backward");
        let PlainFeedForward { pre, post } = saved;
        let d = products::backward(params, &layers.down, &post, dy, None, grads);
        let d = pointwise::activation_backward(layers.activation, &pre, d);
        products::backward(params, &layers.up, x, &d, onto, grads)
    }

    fn activation_backward(&self, activation: Activation, pre: &Matrix, dy: Matrix) -> Matrix {
        self.note("activation_backward");
        pointwise::activation_backward(activation, pre, dy)
    }

    fn gated(&self, activation: Activation, order: GateOrder, pre: &Matrix) -> Matrix {
        self.note("gated");
        pointwise::gated(activation, order, pre)
    }

    fn gated_backward(
        &self,
        activation: Activation,
        order: GateOrder,
        pre: Matrix,
        dy: &Matrix,
    ) -> Matrix {
        self.note("gated_backward");
        pointwise::gated_backward(activation, order, pre, dy)
    }

    fn add_norm(
        &self,
        params: &PlainArena,
        norm: &NormSpec,
        x: Matrix,
        residual: Option<&Matrix>,
        dropout: Option<RowDropout<'_, Self>>,
    ) -> LayerNormOutput<Matrix> {
        self.note("add_norm");
        norm::forward(params, norm, x, residual, dropout)
    }

    fn add_norm_backward(
        &self,
        params: &PlainArena,
        norm: &NormSpec,
        saved: LayerNormSaved<&Matrix>,
        dy: &Matrix,
        dropout: Option<RowDropout<'_, Self>>,
        grads: &mut PlainArena,
    ) -> (Matrix, Option<Matrix>) {
        self.note("add_norm_backward");
        norm::backward(params, norm, saved, dy, dropout, grads)
    }

    fn query_key_norm(
        &self,
        params: &PlainArena,
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
        qkv: Matrix,
    ) -> (Matrix, LayerNormSaved<Matrix>) {
        self.note("query_key_norm");
        norm::queries_and_keys(params, norms, spec, qkv)
    }

    fn query_key_norm_backward(
        &self,
        params: &PlainArena,
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
        saved: LayerNormSaved<&Matrix>,
        dy: Matrix,
        grads: &mut PlainArena,
    ) -> Matrix {
        self.note("query_key_norm_backward");
        norm::queries_and_keys_backward(params, norms, spec, saved, dy, grads)
    }

    fn rotary(
        &self,
        rotary: &Rotary,
        spec: &AttentionSpec,
        batch: &PlainBatch,
        qkv: Matrix,
    ) -> Matrix {
        self.note("rotary");
        attention::turn(rotary, spec, batch, qkv, 1.0)
    }

    fn rotary_backward(
        &self,
        rotary: &Rotary,
        spec: &AttentionSpec,
        batch: &PlainBatch,
        dy: Matrix,
    ) -> Matrix {
        self.note("rotary_backward");
        attention::turn(rotary, spec, batch, dy, -1.0)
    }

    fn distance_bias(
        &self,
        params: &PlainArena,
        bias: &DistanceBias,
        batch: &PlainBatch,
        heads: usize,
    ) -> Matrix {
        self.note("distance_bias");
        pooling::distance_bias(params, bias, batch, heads)
    }

    fn distance_bias_backward(
        &self,
        bias: &DistanceBias,
        batch: &PlainBatch,
        dy: &Matrix,
        grads: &mut PlainArena,
    ) {
        self.note("distance_bias_backward");
        pooling::distance_bias_backward(bias, batch, dy, grads);
    }

    fn attention(&self, spec: &AttentionSpec, input: AttentionInput<'_, Self>) -> Matrix {
        self.note("attention");
        attention::forward(spec, input).0
    }

    fn attention_kept(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
    ) -> (Matrix, PlainAttended) {
        self.note("attention_kept");
        attention::forward(spec, input)
    }

    fn attention_backward(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
        context_and_saved: (&Matrix, PlainAttended),
        dy: &Matrix,
        dbias: Option<&mut Matrix>,
    ) -> Matrix {
        self.note("attention_backward");
        attention::backward(spec, input, context_and_saved, dy, dbias)
    }

    fn dropout(&self, x: Matrix, dropout: RowDropout<'_, Self>) -> Matrix {
        self.note("dropout");
        norm::drop(x, dropout)
    }

    fn add(&self, a: Matrix, b: &Matrix) -> Matrix {
        self.note("add");
        a.zip(b, |a, b| a + b)
    }

    fn gather(&self, x: &Matrix, rows: &[u32]) -> Matrix {
        self.note("gather");
        let mut out = Matrix::zeros(rows.len(), x.cols);
        for (i, &row) in rows.iter().enumerate() {
            out.row_mut(i).copy_from_slice(x.row(row as usize));
        }
        out
    }

    fn gather_backward(&self, dy: &Matrix, rows: &[u32], total: usize) -> Matrix {
        self.note("gather_backward");
        let mut dx = Matrix::zeros(total, dy.cols);
        for (i, &row) in rows.iter().enumerate() {
            for (dx, dy) in dx.row_mut(row as usize).iter_mut().zip(dy.row(i)) {
                *dx += dy;
            }
        }
        dx
    }

    fn replace_rows(&self, mut x: Matrix, rows: &[u32], values: &Matrix) -> Matrix {
        self.note("replace_rows");
        for (i, &row) in rows.iter().enumerate() {
            x.row_mut(row as usize).copy_from_slice(values.row(i));
        }
        x
    }

    fn subtract_rows(&self, x: Matrix, of: &[u32]) -> Matrix {
        self.note("subtract_rows");
        let mut out = Matrix::zeros(of.len(), x.cols);
        for (i, &row) in of.iter().enumerate() {
            let pairs = x.row(i).iter().zip(x.row(row as usize));
            for (out, (x, other)) in out.row_mut(i).iter_mut().zip(pairs) {
                *out = x - other;
            }
        }
        out
    }

    fn subtract_rows_backward(&self, dy: Matrix, of: &[u32], total: usize) -> Matrix {
        self.note("subtract_rows_backward");
        let mut dx = Matrix::zeros(total, dy.cols);
        for (i, &row) in of.iter().enumerate() {
            dx.row_mut(i).copy_from_slice(dy.row(i));
            for (dx, dy) in dx.row_mut(row as usize).iter_mut().zip(dy.row(i)) {
                *dx -= dy;
            }
        }
        dx
    }

    fn cross_entropy(&self, scores: Matrix, targets: &[u32], scale: f32) -> (PlainScored, Matrix) {
        self.note("cross_entropy");
        pointwise::cross_entropy(scores, targets, scale)
    }

    fn scored(&self, scored: PlainScored) -> Vec<ScoredRow> {
        self.note("scored");
        scored.0
    }

    fn pool(&self, modes: &[Pooling], batch: &PlainBatch, x: &Matrix) -> Matrix {
        self.note("pool");
        pooling::pool(modes, batch, x)
    }

    fn pool_backward(
        &self,
        modes: &[Pooling],
        batch: &PlainBatch,
        x: &Matrix,
        dy: &Matrix,
    ) -> Matrix {
        self.note("pool_backward");
        pooling::pool_backward(modes, batch, x, dy)
    }

    fn normalize(&self, x: &Matrix) -> Matrix {
        self.note("normalize");
        pooling::normalize(x)
    }

    fn normalize_backward(&self, x: &Matrix, dy: &Matrix) -> Matrix {
        self.note("normalize_backward");
        pooling::normalize_backward(x, dy)
    }

    fn cosines(&self, a: &Matrix, b: &Matrix) -> Matrix {
        self.note("cosines");
        pooling::cosines(a, b)
    }

    fn cosines_backward(&self, a: &Matrix, b: &Matrix, dy: &Matrix) -> (Matrix, Matrix) {
        self.note("cosines_backward");
        pooling::cosines_backward(a, b, dy)
    }

    fn gradient_norm(&self, grads: &PlainArena, ranges: &[Range<usize>], rest: f64) -> f64 {
        self.note("gradient_norm");
        optimizer::norm(grads, ranges, rest)
    }

    fn joint_norm(&self, a: &f64, b: &f64) -> f64 {
        self.note("joint_norm");
        a.hypot(*b)
    }

    fn norm(&self, norm: &f64) -> f64 {
        self.note("norm");
        *norm
    }

    fn adamw(
        &self,
        arenas: AdamWArenas<'_, Self>,
        segments: &[AdamWSegment],
        step: &AdamWStep,
        clip: Clip<'_, Self>,
    ) {
        self.note("adamw");
        optimizer::step(arenas, segments, step, clip);
    }
}
