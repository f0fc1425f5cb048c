//! Norms fused with dropout and the residual sum.

use super::arena::Arena;
use super::matmul::{PackedRows, blocks};
use super::{Cpu, ROW_GRAIN, Tensor, cut, math};
use crate::dropout::Dropout;
use crate::{LayerNormOutput, LayerNormSaved, NormKind, NormSpec, Packed, RowDropout};
use std::ops::Range;

/// Calls `job(row, dropout and the row's key)` for some rows.
#[inline(always)]
fn for_rows(
    dropout: Option<RowDropout<'_, Cpu>>,
    rows: Range<usize>,
    mut job: impl FnMut(usize, Option<(Dropout, u32)>),
) {
    let Some(RowDropout { batch, dropout }) = dropout else {
        for row in rows {
            job(row, None);
        }
        return;
    };
    for_places(
        batch,
        rows,
        #[inline(always)]
        |stream, place, row| job(row, Some((dropout, dropout.row_key(stream, place)))),
    );
}

/// Calls `job(sequence's stream, row in the sequence, row)` for some rows.
#[inline(always)]
fn for_places(batch: &Packed, rows: Range<usize>, mut job: impl FnMut(u64, usize, usize)) {
    let offsets = batch.offsets();
    let mut sequence = offsets
        .partition_point(|&o| o <= rows.start)
        .saturating_sub(1);
    for row in rows {
        while offsets[sequence + 1] <= row {
            sequence += 1;
        }
        job(batch.streams()[sequence], row - offsets[sequence], row);
    }
}

/// A norm and its values.
#[derive(Clone, Copy)]
pub(super) struct Norm<'a> {
    kind: NormKind,
    gamma: &'a [f32],
    beta: Option<&'a [f32]>,
    eps: f32,
}

impl<'a> Norm<'a> {
    pub fn new(params: &'a Arena, spec: &NormSpec) -> Self {
        Self {
            kind: spec.kind,
            gamma: params.view(spec.gamma),
            beta: spec.beta.map(|b| params.view(b)),
            eps: spec.eps,
        }
    }

    /// Normalises the runs of a row in place, writes them scaled and shifted,
    /// and the inverses of their deviations.
    #[inline(always)]
    pub fn apply(&self, x: &mut [f32], out: &mut [f32], inverses: &mut [f32]) {
        let width = self.gamma.len();
        let runs = x.chunks_exact_mut(width).zip(out.chunks_exact_mut(width));
        for ((x, out), inverse) in runs.zip(inverses) {
            *inverse = self.standardize(x, out);
        }
    }

    #[inline(always)]
    fn standardize(&self, x: &mut [f32], out: &mut [f32]) -> f32 {
        let (inverse, mean) = self.moments(x);
        let values = x.iter_mut().zip(out.iter_mut()).zip(self.gamma);
        match (self.kind, self.beta) {
            (NormKind::RmsOnePlus, beta) => {
                for ((x, out), g) in values {
                    *x *= inverse;
                    *out = x.mul_add(*g, *x);
                }
                for (out, b) in out.iter_mut().zip(beta.into_iter().flatten()) {
                    *out += b;
                }
            }
            (_, Some(beta)) => {
                for (((x, out), g), b) in values.zip(beta) {
                    *x = (*x - mean) * inverse;
                    *out = x.mul_add(*g, *b);
                }
            }
            (_, None) => {
                for ((x, out), g) in values {
                    *x = (*x - mean) * inverse;
                    *out = *x * g;
                }
            }
        }
        inverse
    }

    /// The inverse of the deviation, and the mean, of a run.
    #[inline(always)]
    fn moments(&self, x: &[f32]) -> (f32, f32) {
        let width = x.len() as f32;
        match self.kind {
            NormKind::LayerNorm => {
                let mean = math::sum(x) / width;
                let variance = math::squares_about(x, mean) / width;
                (1.0 / (variance + self.eps).sqrt(), mean)
            }
            NormKind::Rms | NormKind::RmsOnePlus => {
                let square = math::squares_about(x, 0.0) / width;
                (1.0 / (square + self.eps).sqrt(), 0.0)
            }
        }
    }

    /// Makes of a row what [`Norm::apply`] writes beside it, with the same bits.
    #[inline(always)]
    fn replace(&self, row: &mut [f32]) {
        for run in row.chunks_exact_mut(self.gamma.len()) {
            let (inverse, mean) = self.moments(run);
            let values = run.iter_mut().zip(self.gamma);
            match (self.kind, self.beta) {
                (NormKind::RmsOnePlus, beta) => {
                    for (x, g) in values {
                        let h = *x * inverse;
                        *x = h.mul_add(*g, h);
                    }
                    for (x, b) in run.iter_mut().zip(beta.into_iter().flatten()) {
                        *x += b;
                    }
                }
                (_, Some(beta)) => {
                    for ((x, g), b) in values.zip(beta) {
                        *x = ((*x - mean) * inverse).mul_add(*g, *b);
                    }
                }
                (_, None) => {
                    for (x, g) in values {
                        *x = (*x - mean) * inverse * g;
                    }
                }
            }
        }
    }

    /// Makes of the gradients behind a row, in place, those before it.
    #[inline(always)]
    pub fn back(&self, dz: &mut [f32], xhat: &[f32], inverses: &[f32]) {
        let width = self.gamma.len();
        let runs = dz.chunks_exact_mut(width).zip(xhat.chunks_exact(width));
        for ((dz, xhat), inverse) in runs.zip(inverses) {
            for (dz, g) in dz.iter_mut().zip(self.gamma) {
                match self.kind {
                    NormKind::RmsOnePlus => *dz *= 1.0 + g,
                    _ => *dz *= g,
                }
            }
            let width = dz.len() as f32;
            let along = math::dot(dz, xhat) / width;
            let mean = match self.kind {
                NormKind::LayerNorm => math::sum(dz) / width,
                _ => 0.0,
            };
            for (dz, xhat) in dz.iter_mut().zip(xhat) {
                *dz = (*dz - mean - xhat * along) * inverse;
            }
        }
    }
}

pub(super) fn forward(
    cpu: &Cpu,
    params: &Arena,
    spec: &NormSpec,
    mut x: Tensor,
    residual: Option<&Tensor>,
    dropout: Option<RowDropout<'_, Cpu>>,
) -> LayerNormOutput<Tensor> {
    let (rows, width) = (x.rows(), x.cols());
    let (norm, runs) = (Norm::new(params, spec), spec.runs(width));
    let mut out = x.like();
    let mut deviation = cpu.uninit(rows, runs);
    let ranges = cpu.split(rows, ROW_GRAIN);
    let parts: Vec<_> = cut(x.values_mut(), &ranges, width)
        .into_iter()
        .zip(cut(out.values_mut(), &ranges, width))
        .zip(cut(deviation.values_mut(), &ranges, runs))
        .zip(&ranges)
        .collect();
    cpu.each(parts, |(((x, out), deviation), range)| {
        cpu.simd(
            #[inline(always)]
            || {
                for_rows(
                    dropout,
                    range.clone(),
                    #[inline(always)]
                    |row, dropout| {
                        let i = row - range.start;
                        let x = &mut x[i * width..(i + 1) * width];
                        let out = &mut out[i * width..(i + 1) * width];
                        if let Some((dropout, key)) = dropout {
                            dropout.apply(x, key);
                        }
                        if let Some(residual) = residual {
                            for (x, r) in x.iter_mut().zip(residual.row(row)) {
                                *x += r;
                            }
                        }
                        norm.apply(x, out, &mut deviation[i * runs..(i + 1) * runs]);
                    },
                );
            },
        );
    });
    LayerNormOutput {
        out,
        saved: LayerNormSaved {
            normalized: x,
            inverse_deviation: deviation,
        },
    }
}

/// The norm of `x` and what is added to it, for inference: nothing is saved, and while a
/// row is near, it is laid out for the product that comes next.
pub(super) fn infer(
    cpu: &Cpu,
    params: &Arena,
    spec: &NormSpec,
    mut x: Tensor,
    residual: Option<&Tensor>,
) -> Tensor {
    let (rows, width) = (x.rows(), x.cols());
    let (norm, _) = (Norm::new(params, spec), spec.runs(width));
    let ranges = blocks(cpu, rows);
    let mut packed = PackedRows::uninit(cpu, rows, width);
    let packed_parts = match &mut packed {
        Some(packed) => packed.parts(&ranges).into_iter().map(Some).collect(),
        None => ranges.iter().map(|_| None).collect::<Vec<_>>(),
    };
    let parts = cut(x.values_mut(), &ranges, width).into_iter();
    let parts = parts.zip(packed_parts).zip(&ranges);
    cpu.each(parts.collect(), |((x, mut packed), range)| {
        cpu.simd(
            #[inline(always)]
            || {
                for (i, row) in x.chunks_exact_mut(width.max(1)).enumerate() {
                    if let Some(residual) = residual {
                        for (x, r) in row.iter_mut().zip(residual.row(range.start + i)) {
                            *x += r;
                        }
                    }
                    norm.replace(row);
                    if let Some(packed) = &mut packed {
                        packed.put(i, row);
                    }
                }
            },
        );
    });
    x.keep_packed(packed);
    x
}

/// Adds to the gradients of scale and shift. The norm's values begin at column
/// `first` of `dy` and of the normalised input and have `cols` columns.
pub(super) fn add_parameter_gradients(
    cpu: &Cpu,
    spec: &NormSpec,
    (dy, xhat): (&Tensor, &Tensor),
    (first, cols): (usize, usize),
    grads: &mut Arena,
) {
    for run in 0..spec.runs(cols) {
        let first = first + run * spec.width();
        if let Some(beta) = spec.beta {
            super::linear::add_column_sums(cpu, grads.part(beta), dy, first);
        }
        add_scale_gradient(cpu, grads.part(spec.gamma), dy, xhat, first);
    }
}

/// Adds the products of `dy` and the normalised input, summed down the rows, to
/// the gradient of the scales. `first` is the column where they begin.
fn add_scale_gradient(cpu: &Cpu, gradient: &mut [f32], dy: &Tensor, xhat: &Tensor, first: usize) {
    let strip_width = cpu.column_strip(gradient.len());
    let strips = gradient.chunks_mut(strip_width).enumerate().collect();
    cpu.each(strips, |(i, strip): (usize, &mut [f32])| {
        let from = first + i * strip_width;
        cpu.simd(
            #[inline(always)]
            || {
                for (dy, xhat) in dy
                    .values()
                    .chunks_exact(dy.cols())
                    .zip(xhat.values().chunks_exact(xhat.cols()))
                {
                    for (sum, (dy, xhat)) in
                        strip.iter_mut().zip(dy[from..].iter().zip(&xhat[from..]))
                    {
                        *sum = dy.mul_add(*xhat, *sum);
                    }
                }
            },
        );
    });
}

pub(super) fn backward(
    cpu: &Cpu,
    params: &Arena,
    spec: &NormSpec,
    saved: LayerNormSaved<&Tensor>,
    dy: &Tensor,
    dropout: Option<RowDropout<'_, Cpu>>,
    grads: &mut Arena,
) -> (Tensor, Option<Tensor>) {
    let (rows, width) = (dy.rows(), dy.cols());
    let norm = Norm::new(params, spec);
    let xhat = saved.normalized;
    add_parameter_gradients(cpu, spec, (dy, xhat), (0, width), grads);

    let mut dz = dy.like();
    let mut dx = dropout.map(|_| dy.like());
    let ranges = cpu.split(rows, ROW_GRAIN);
    let dx_parts: Vec<Option<&mut [f32]>> = match &mut dx {
        Some(dx) => cut(dx.values_mut(), &ranges, width)
            .into_iter()
            .map(Some)
            .collect(),
        None => ranges.iter().map(|_| None).collect(),
    };
    let parts: Vec<_> = cut(dz.values_mut(), &ranges, width)
        .into_iter()
        .zip(dx_parts)
        .zip(&ranges)
        .collect();
    cpu.each(parts, |((dz, mut dx), range)| {
        cpu.simd(
            #[inline(always)]
            || {
                for_rows(
                    dropout,
                    range.clone(),
                    #[inline(always)]
                    |row, dropout| {
                        let i = row - range.start;
                        let dz = &mut dz[i * width..(i + 1) * width];
                        dz.copy_from_slice(dy.row(row));
                        norm.back(dz, xhat.row(row), saved.inverse_deviation.row(row));
                        if let (Some((dropout, key)), Some(dx)) = (dropout, dx.as_deref_mut()) {
                            let dx = &mut dx[i * width..(i + 1) * width];
                            dx.copy_from_slice(dz);
                            dropout.apply(dx, key);
                        }
                    },
                );
            },
        );
    });
    (dz, dx)
}

pub(super) fn dropout(cpu: &Cpu, mut x: Tensor, dropout: RowDropout<'_, Cpu>) -> Tensor {
    let width = x.cols();
    cpu.rows_mut(
        &mut x,
        ROW_GRAIN,
        #[inline(always)]
        |x, range| {
            for_rows(
                Some(dropout),
                range.clone(),
                #[inline(always)]
                |row, dropout| {
                    if let Some((dropout, key)) = dropout {
                        let i = row - range.start;
                        dropout.apply(&mut x[i * width..(i + 1) * width], key);
                    }
                },
            );
        },
    );
    x
}
