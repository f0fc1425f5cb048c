//! One value at a time: activations, gates, dropout, sums, turns.

use crate::batch::Batch;
use crate::context::lock;
use crate::cuda::{Cuda, RowsArgument};
use crate::modules::Module;
use crate::ops::products::PIECE;
use crate::stream::lane::launch;
use crate::stream::memory::Buffer;
use crate::tensor::{Sums, Tensor};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{Activation, AttentionSpec, GateOrder, Rotary};
use std::sync::Arc;

/// As common.cuh numbers them.
fn number(activation: Activation) -> i32 {
    match activation {
        Activation::Identity => 0,
        Activation::Gelu => 1,
        Activation::GeluTanh => 2,
        Activation::Relu => 3,
        Activation::Silu => 4,
        Activation::Tanh => 5,
    }
}

/// Where gate and up begin.
fn halves(order: GateOrder, inner: usize) -> [u32; 2] {
    match order {
        GateOrder::GateFirst => [0, inner as u32],
        GateOrder::UpFirst => [inner as u32, 0],
    }
}

impl Cuda {
    /// Blocks for kernels that take eight values of bf16 a thread.
    fn eights(x: &Tensor) -> [usize; 2] {
        Self::each(if x.half {
            x.count().div_ceil(8)
        } else {
            x.count()
        })
    }

    pub(crate) fn activation(&self, activation: Activation, x: &Tensor) -> Tensor {
        let y = self.fresh(x.rows, x.cols, x.half);
        self.activation_into(activation, x, &y);
        y
    }

    pub(crate) fn activation_in_place(&self, activation: Activation, x: &mut Tensor) {
        x.sums = None;
        self.activation_into(activation, x, x);
    }

    fn activation_into(&self, activation: Activation, x: &Tensor, y: &Tensor) {
        let (kind, n) = (number(activation), x.count() as u64);
        launch!(self.lane, (Module::Elementwise(x.half), "activation"), Self::eights(x), 256;
            x.address(), y.address(), kind, n);
    }

    pub(crate) fn activation_slope(
        &self,
        activation: Activation,
        pre: &Tensor,
        dy: Tensor,
    ) -> Tensor {
        let mut dy = self.typed(dy, pre.half);
        dy.sums = None;
        let (kind, n) = (number(activation), pre.count() as u64);
        launch!(self.lane, (Module::Elementwise(pre.half), "activation_backward"), Self::eights(pre), 256;
            pre.address(), dy.address(), kind, n);
        dy
    }

    /// `dy` becomes the gradient before the activation, and `pre` what came behind it.
    pub(crate) fn activation_again(
        &self,
        activation: Activation,
        pre: Tensor,
        dy: &mut Tensor,
    ) -> Tensor {
        dy.sums = None;
        let kind = number(activation);
        if pre.half && pre.cols.is_multiple_of(2) && pre.rows > 0 {
            let pieces = pre.rows.div_ceil(PIECE);
            let partial = self.lane.room::<f32>(pieces * pre.cols);
            let grid = [pieces, pre.cols.div_ceil(512)];
            let (cols, rows) = (pre.cols as u32, pre.rows as u32);
            launch!(self.lane, (Module::Elementwise(true), "activation_again_summed"), grid, 256;
                pre.address(), dy.address(), kind, partial.address(), cols, rows);
            dy.sums = Some(Sums {
                partial: Arc::new(partial),
                pieces,
                kinds: 1,
            });
            return pre;
        }
        let n = pre.count() as u64;
        launch!(self.lane, (Module::Elementwise(pre.half), "activation_again"), Self::each(pre.count()), 256;
            pre.address(), dy.address(), kind, n);
        pre
    }

    pub(crate) fn gate(&self, activation: Activation, order: GateOrder, pre: &Tensor) -> Tensor {
        let inner = pre.cols / 2;
        let y = self.fresh(pre.rows, inner, pre.half);
        let ([gate, up], kind) = (halves(order, inner), number(activation));
        let (inner, n) = (inner as u32, y.count() as u64);
        launch!(self.lane, (Module::Elementwise(pre.half), "gated"), Self::each(y.count()), 256;
            pre.address(), y.address(), kind, inner, gate, up, n);
        y
    }

    pub(crate) fn gate_backward(
        &self,
        activation: Activation,
        order: GateOrder,
        mut pre: Tensor,
        dy: &Tensor,
    ) -> Tensor {
        let inner = pre.cols / 2;
        let mut place = None;
        let dy = self.as_type(dy, pre.half, &mut place);
        let ([gate, up], kind) = (halves(order, inner), number(activation));
        let (inner, n) = (inner as u32, dy.count() as u64);
        pre.sums = None;
        launch!(self.lane, (Module::Elementwise(pre.half), "gated_backward"), Self::each(dy.count()), 256;
            pre.address(), dy.address(), kind, inner, gate, up, n);
        pre
    }

    pub(crate) fn drop_values(&self, mut x: Tensor, batch: &Batch, dropout: Dropout) -> Tensor {
        x.sums = None;
        let (rows, drop) = (batch.rows(), self.drops(Some(dropout)));
        let (cols, n) = (x.cols as u32, x.count() as u64);
        launch!(self.lane, (Module::Elementwise(x.half), "drop"), Self::each(x.count()), 256;
            x.address(), rows, drop, cols, n);
        x
    }

    pub(crate) fn sum(&self, mut a: Tensor, b: &Tensor) -> Tensor {
        assert_eq!((a.rows, a.cols), (b.rows, b.cols), "both of one shape");
        a.sums = None;
        let mut place = None;
        let b = self.as_type(b, a.half, &mut place);
        let n = a.count() as u64;
        launch!(self.lane, (Module::Elementwise(a.half), "add"), Self::each(a.count()), 256;
            a.address(), b.address(), n);
        a
    }

    /// Queries and keys, turned by their positions, `sign` times.
    pub(crate) fn turn(
        &self,
        rotary: &Rotary,
        spec: &AttentionSpec,
        batch: &Batch,
        mut qkv: Tensor,
        sign: f32,
    ) -> Tensor {
        spec.check(qkv.cols);
        let pairs = spec.head_dim / 2;
        assert_eq!(2 * pairs, spec.head_dim, "a head is pairs");
        let turns = self.turns(rotary, pairs, batch);
        qkv.sums = None;
        let heads = spec.q_heads + spec.kv_heads;
        let n = qkv.rows * heads * pairs;
        let [cols, heads, pairs] = [qkv.cols, heads, pairs].map(|x| x as u32);
        launch!(self.lane, (Module::Elementwise(qkv.half), "rotary"), Self::each(n), 256;
            qkv.address(), turns.address(), batch.at.positions, sign, cols, heads, pairs, n as u64);
        qkv
    }

    /// Cosines and sines, `[positions, pairs]`, of at least the positions of a batch.
    fn turns(&self, rotary: &Rotary, pairs: usize, batch: &Batch) -> Arc<Buffer> {
        let most = batch
            .packed
            .positions()
            .iter()
            .max()
            .map_or(1, |&p| p as usize + 1);
        let mut known = lock(&self.shared.turns);
        let key = (rotary.base.to_bits(), pairs);
        if let Some((positions, turns)) = known.get(&key).filter(|(n, _)| *n >= most) {
            debug_assert!(*positions >= most);
            return Arc::clone(turns);
        }
        let positions = most.next_power_of_two().max(512);
        let mut values: Vec<f32> = Vec::with_capacity(2 * positions * pairs);
        for position in 0..positions {
            for i in 0..pairs {
                let speed = f64::from(rotary.base).powf(-(i as f64) / pairs as f64);
                let (sine, cosine) = (position as f64 * speed).sin_cos();
                values.extend([cosine as f32, sine as f32]);
            }
        }
        let turns = Arc::new(self.lane.put(&values));
        // Other lanes read it as well.
        self.lane.wait();
        known.insert(key, (positions, Arc::clone(&turns)));
        turns
    }
}

impl Batch {
    /// Streams and places of its rows.
    pub(crate) fn rows(&self) -> RowsArgument {
        RowsArgument {
            streams: self.at.token_streams,
            places: self.at.places,
        }
    }
}
