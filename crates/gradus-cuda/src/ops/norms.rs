//! Norms of rows, of heads, of queries and keys.

use crate::batch::Batch;
use crate::cuda::{Cuda, DropoutArgument, RowsArgument};
use crate::modules::{Module, WIDE};
use crate::ops::products::PIECE;
use crate::stream::lane::launch;
use crate::stream::plain::plain;
use crate::tensor::{Arena, Sums, Tensor};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{
    AttentionSpec, LayerNormOutput, LayerNormSaved, NormKind, NormSpec, QueryKeyNorms,
};
use std::sync::Arc;

plain! {
    /// As norm.cu takes it.
    struct NormArgument {
        kind: i32,
        width: i32,
        runs: i32,
        eps: f32,
        gamma: u64,
        beta: u64,
    }
}

plain! {
    /// A matrix within a wider one.
    struct Lanes {
        stride: u32,
        first: u32,
    }
}

impl Lanes {
    fn new(stride: usize, first: usize) -> Self {
        Self {
            stride: stride as u32,
            first: first as u32,
        }
    }
}

fn number(kind: NormKind) -> i32 {
    match kind {
        NormKind::LayerNorm => 0,
        NormKind::Rms => 1,
        NormKind::RmsOnePlus => 2,
    }
}

fn argument(params: &Arena, norm: &NormSpec, runs: usize) -> NormArgument {
    NormArgument {
        kind: number(norm.kind),
        width: norm.width() as i32,
        runs: runs as i32,
        eps: norm.eps,
        gamma: params.at(norm.gamma.offset),
        beta: norm.beta.map_or(0, |b| params.at(b.offset)),
    }
}

/// Where a norm's input and what is saved of it lie.
#[derive(Clone, Copy)]
struct Places {
    x: Lanes,
    xhat: Lanes,
    inverse: Lanes,
}

type Dropped<'a> = Option<(&'a Batch, Dropout)>;

impl Cuda {
    fn split(&self, dropped: Dropped<'_>) -> (RowsArgument, DropoutArgument) {
        let rows = dropped.map_or_else(RowsArgument::default, |(batch, _)| batch.rows());
        (rows, self.drops(dropped.map(|(_, dropout)| dropout)))
    }

    /// Whether there are kernels for whole rows of this width.
    fn is_wide(norm: &NormSpec, cols: usize, half: bool) -> bool {
        let even = norm.gamma.offset.is_multiple_of(2)
            && norm.beta.is_none_or(|b| b.offset.is_multiple_of(2));
        half && norm.width() == cols && WIDE.contains(&cols) && even
    }

    /// The norm of `dropout(x) + residual`; what backward needs where that is wanted.
    pub(crate) fn norm_sum(
        &self,
        params: &Arena,
        norm: &NormSpec,
        x: &Tensor,
        residual: Option<&Tensor>,
        dropped: Dropped<'_>,
        keep: bool,
    ) -> (Tensor, Option<LayerNormSaved<Tensor>>) {
        let (cols, runs) = (x.cols, norm.runs(x.cols));
        let out = self.fresh(x.rows, cols, x.half);
        let saved = keep.then(|| LayerNormSaved {
            normalized: self.fresh(x.rows, cols, x.half),
            inverse_deviation: self.fresh(x.rows, runs, false),
        });
        let mut place = None;
        let residual = residual.map(|r| self.as_type(r, x.half, &mut place));
        let residual = residual.map_or(0, Tensor::address);
        let (xhat, inverse) = saved.as_ref().map_or((0, 0), |s| {
            (s.normalized.address(), s.inverse_deviation.address())
        });
        let (rows, drop) = self.split(dropped);
        let (own, n) = (argument(params, norm, runs), x.rows as u32);
        if Self::is_wide(norm, cols, x.half) {
            let grid = [x.rows.div_ceil(8), 1];
            launch!(self.lane, (Module::NormWide(cols), "wide_norm_forward"), grid, 256;
                x.address(), residual, own.kind, own.eps, own.gamma, own.beta, rows, drop,
                out.address(), xhat, inverse, n);
            return (out, saved);
        }
        let (whole, of_runs) = (Lanes::new(cols, 0), Lanes::new(runs, 0));
        let grid = [(x.rows * runs).div_ceil(8), 1];
        launch!(self.lane, (Module::Norm(x.half), "norm_forward"), grid, 256;
            x.address(), whole, residual, own, rows, drop, out.address(), whole, xhat, whole,
            inverse, of_runs, n);
        (out, saved)
    }

    /// For training.
    pub(crate) fn norm_kept(
        &self,
        params: &Arena,
        norm: &NormSpec,
        x: &Tensor,
        residual: Option<&Tensor>,
        dropped: Dropped<'_>,
    ) -> LayerNormOutput<Tensor> {
        let (out, saved) = self.norm_sum(params, norm, x, residual, dropped, true);
        let saved = saved.unwrap_or_else(|| unreachable!("what was asked for"));
        LayerNormOutput { out, saved }
    }

    /// The gradients of the sum, and of `x` where it was dropped out.
    pub(crate) fn norm_sum_backward(
        &self,
        params: &Arena,
        norm: &NormSpec,
        saved: LayerNormSaved<&Tensor>,
        dy: &Tensor,
        dropped: Dropped<'_>,
        grads: &Arena,
    ) -> (Tensor, Option<Tensor>) {
        let xhat = saved.normalized;
        let (cols, half) = (xhat.cols, xhat.half);
        let runs = norm.runs(cols);
        let mut place = None;
        let dy = self.as_type(dy, half, &mut place);
        let mut dsum = self.fresh(dy.rows, cols, half);
        let mut dx = dropped.map(|_| self.fresh(dy.rows, cols, half));
        if dy.rows == 0 {
            return (dsum, dx);
        }
        let (rows, drop) = self.split(dropped);
        let (own, n) = (argument(params, norm, runs), dy.rows as u32);
        let inverse = saved.inverse_deviation.address();
        let to_x = dx.as_ref().map_or(0, Tensor::address);
        if Self::is_wide(norm, cols, half) {
            let pieces = dy.rows.div_ceil(PIECE);
            let partial = self.lane.room::<f32>(pieces * 3 * cols);
            launch!(self.lane, (Module::NormWide(cols), "wide_norm_backward"), [pieces, 1], 256;
                dy.address(), xhat.address(), inverse, own.kind, own.gamma, rows, drop,
                dsum.address(), to_x, partial.address(), n);
            let beta = norm.beta.map_or(0, |b| grads.change(b));
            let places = [grads.change(norm.gamma), beta, 0];
            self.add_pieces(partial.address(), places, cols, 3, pieces);
            let sums = Some(Sums {
                partial: Arc::new(partial),
                pieces,
                kinds: 3,
            });
            dx.as_mut().unwrap_or(&mut dsum).sums = sums;
            return (dsum, dx);
        }
        let places = Places {
            x: Lanes::new(cols, 0),
            xhat: Lanes::new(cols, 0),
            inverse: Lanes::new(runs, 0),
        };
        self.norm_gradients(norm, runs, (dy, xhat), places, grads);
        let grid = [(dy.rows * runs).div_ceil(8), 1];
        launch!(self.lane, (Module::Norm(half), "norm_backward"), grid, 256;
            dy.address(), places.x, xhat.address(), places.xhat, inverse, places.inverse, own, rows, drop,
            dsum.address(), places.x, to_x, n);
        (dsum, dx)
    }

    /// Adds to the gradients of scale and shift.
    fn norm_gradients(
        &self,
        norm: &NormSpec,
        runs: usize,
        (dy, xhat): (&Tensor, &Tensor),
        at: Places,
        grads: &Arena,
    ) {
        let (width, pieces) = (norm.width(), dy.rows.div_ceil(PIECE));
        let partial = self.lane.room::<f32>(pieces * 2 * width);
        let grid = [pieces, width.div_ceil(128)];
        let [columns, of_row, n] = [width, runs, dy.rows].map(|x| x as u32);
        launch!(self.lane, (Module::Norm(dy.half), "norm_sums"), grid, 128;
            dy.address(), at.x, xhat.address(), at.xhat, columns, of_row, partial.address(), n);
        let beta = norm.beta.map_or(0, |b| grads.change(b));
        let places = [grads.change(norm.gamma), beta, 0];
        self.add_pieces(partial.address(), places, width, 2, pieces);
    }

    /// The norms of queries and keys with where each lies within qkv and within what is saved.
    fn query_key_places(
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
    ) -> [(NormSpec, usize, Places); 2] {
        let (queries, keys) = (spec.q_width(), spec.kv_width());
        let runs = [norms.queries.runs(queries), norms.keys.runs(keys)];
        let places = |first: usize, first_run: usize| Places {
            x: Lanes::new(spec.qkv_width(), first),
            xhat: Lanes::new(queries + keys, first),
            inverse: Lanes::new(runs[0] + runs[1], first_run),
        };
        [
            (norms.queries, runs[0], places(0, 0)),
            (norms.keys, runs[1], places(queries, runs[0])),
        ]
    }

    pub(crate) fn norm_queries_and_keys(
        &self,
        params: &Arena,
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
        mut qkv: Tensor,
    ) -> (Tensor, LayerNormSaved<Tensor>) {
        spec.check(qkv.cols);
        qkv.sums = None;
        let all = Self::query_key_places(norms, spec);
        let runs = all[0].1 + all[1].1;
        let saved = LayerNormSaved {
            normalized: self.fresh(qkv.rows, spec.q_width() + spec.kv_width(), qkv.half),
            inverse_deviation: self.fresh(qkv.rows, runs, false),
        };
        let (xhat, inverse) = (
            saved.normalized.address(),
            saved.inverse_deviation.address(),
        );
        let ((rows, drop), nothing, n) = (self.split(None), 0u64, qkv.rows as u32);
        for (norm, runs, at) in all {
            let own = argument(params, &norm, runs);
            let grid = [(qkv.rows * runs).div_ceil(8), 1];
            launch!(self.lane, (Module::Norm(qkv.half), "norm_forward"), grid, 256;
                qkv.address(), at.x, nothing, own, rows, drop, qkv.address(), at.x, xhat, at.xhat,
                inverse, at.inverse, n);
        }
        (qkv, saved)
    }

    pub(crate) fn norm_queries_and_keys_backward(
        &self,
        params: &Arena,
        norms: &QueryKeyNorms,
        spec: &AttentionSpec,
        saved: LayerNormSaved<&Tensor>,
        dy: Tensor,
        grads: &Arena,
    ) -> Tensor {
        let xhat = saved.normalized;
        let mut dy = self.typed(dy, xhat.half);
        dy.sums = None;
        if dy.rows == 0 {
            return dy;
        }
        let (inverse, nothing) = (saved.inverse_deviation.address(), 0u64);
        let ((rows, drop), n) = (self.split(None), dy.rows as u32);
        for (norm, runs, at) in Self::query_key_places(norms, spec) {
            self.norm_gradients(&norm, runs, (&dy, xhat), at, grads);
            let own = argument(params, &norm, runs);
            let grid = [(dy.rows * runs).div_ceil(8), 1];
            launch!(self.lane, (Module::Norm(dy.half), "norm_backward"), grid, 256;
                dy.address(), at.x, xhat.address(), at.xhat, inverse, at.inverse, own, rows, drop,
                dy.address(), at.x, nothing, n);
        }
        dy
    }
}
