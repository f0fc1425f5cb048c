//! Layer norm fused with dropout and the residual sum.

use super::arena::Arena;
use super::{Cpu, ROW_GRAIN, Tensor, cut, math};
use crate::dropout::Dropout;
use crate::{LayerNorm, Normed, Packed, Standardized};
use std::ops::Range;

/// Calls `job(sequence's stream, row in the sequence, row)` for some rows.
#[inline(always)]
fn for_rows(batch: &Packed, rows: Range<usize>, mut job: impl FnMut(u64, usize, usize)) {
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

pub(super) fn forward(
    cpu: &Cpu,
    params: &Arena,
    norm: &LayerNorm,
    batch: &Packed,
    mut x: Tensor,
    residual: Option<&Tensor>,
    dropout: Option<Dropout>,
) -> Normed<Tensor> {
    let (rows, width) = (x.rows(), x.cols());
    let (gamma, beta) = (
        norm.gamma.of(params.values()),
        norm.beta.of(params.values()),
    );
    let mut out = x.like();
    let mut deviation = cpu.uninit(rows, 1);
    let ranges = cpu.split(rows, ROW_GRAIN);
    let parts: Vec<_> = cut(x.values_mut(), &ranges, width)
        .into_iter()
        .zip(cut(out.values_mut(), &ranges, width))
        .zip(cut(deviation.values_mut(), &ranges, 1))
        .zip(&ranges)
        .collect();
    cpu.each(parts, |(((x, out), deviation), range)| {
        cpu.simd(
            #[inline(always)]
            || {
                for_rows(
                    batch,
                    range.clone(),
                    #[inline(always)]
                    |stream, place, row| {
                        let i = row - range.start;
                        let x = &mut x[i * width..(i + 1) * width];
                        let out = &mut out[i * width..(i + 1) * width];
                        if let Some(dropout) = dropout {
                            dropout.apply(x, dropout.row_key(stream, place));
                        }
                        if let Some(residual) = residual {
                            for (x, r) in x.iter_mut().zip(residual.row(row)) {
                                *x += r;
                            }
                        }
                        deviation[i] = standardize(x, out, gamma, beta, norm.eps);
                    },
                );
            },
        );
    });
    Normed {
        out,
        kept: Standardized {
            normalized: x,
            inverse_deviation: deviation,
        },
    }
}

/// Normalises a row in place, writes it scaled and shifted, and returns the
/// inverse of its deviation.
#[inline(always)]
pub(super) fn standardize(
    x: &mut [f32],
    out: &mut [f32],
    gamma: &[f32],
    beta: &[f32],
    eps: f32,
) -> f32 {
    let width = x.len() as f32;
    let mean = math::sum(x) / width;
    let variance = math::squares_about(x, mean) / width;
    let inverse = 1.0 / (variance + eps).sqrt();
    for ((x, out), (g, b)) in x.iter_mut().zip(out).zip(gamma.iter().zip(beta)) {
        *x = (*x - mean) * inverse;
        *out = x.mul_add(*g, *b);
    }
    inverse
}

/// The gradient of a row before it was normalised to `xhat`, in place of that
/// behind.
#[inline(always)]
pub(super) fn through(dz: &mut [f32], xhat: &[f32], inverse: f32) {
    let width = dz.len() as f32;
    let mean = math::sum(dz) / width;
    let along = math::dot(dz, xhat) / width;
    for (dz, xhat) in dz.iter_mut().zip(xhat) {
        *dz = (*dz - mean - xhat * along) * inverse;
    }
}

/// Adds the products of `dy` and the normalised input, summed down the rows, to
/// the gradient of the scales. `first` is the column of `dy` where they begin.
pub(super) fn add_scale_gradient(
    cpu: &Cpu,
    gradient: &mut [f32],
    dy: &Tensor,
    xhat: &Tensor,
    first: usize,
) {
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

#[allow(clippy::too_many_arguments)] // the trait's own list
pub(super) fn backward(
    cpu: &Cpu,
    params: &Arena,
    norm: &LayerNorm,
    batch: &Packed,
    saved: &Standardized<Tensor>,
    dy: &Tensor,
    dropout: Option<Dropout>,
    grads: &mut Arena,
) -> (Tensor, Option<Tensor>) {
    let (rows, width) = (dy.rows(), dy.cols());
    let gamma = norm.gamma.of(params.values());
    let xhat = &saved.normalized;

    super::linear::add_column_sums(cpu, grads.part(norm.beta), dy, 0);
    add_scale_gradient(cpu, grads.part(norm.gamma), dy, xhat, 0);

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
                    batch,
                    range.clone(),
                    #[inline(always)]
                    |stream, place, row| {
                        let i = row - range.start;
                        let dz = &mut dz[i * width..(i + 1) * width];
                        let (dy, xhat) = (dy.row(row), xhat.row(row));
                        for ((dz, dy), g) in dz.iter_mut().zip(dy).zip(gamma) {
                            *dz = dy * g;
                        }
                        through(dz, xhat, saved.inverse_deviation.values()[row]);
                        if let (Some(dropout), Some(dx)) = (dropout, dx.as_deref_mut()) {
                            let dx = &mut dx[i * width..(i + 1) * width];
                            dx.copy_from_slice(dz);
                            dropout.apply(dx, dropout.row_key(stream, place));
                        }
                    },
                );
            },
        );
    });
    (dz, dx)
}

pub(super) fn dropout(cpu: &Cpu, batch: &Packed, mut x: Tensor, dropout: Dropout) -> Tensor {
    let width = x.cols();
    cpu.rows_mut(
        &mut x,
        ROW_GRAIN,
        #[inline(always)]
        |x, range| {
            for_rows(
                batch,
                range.clone(),
                #[inline(always)]
                |stream, place, row| {
                    let i = row - range.start;
                    dropout.apply(
                        &mut x[i * width..(i + 1) * width],
                        dropout.row_key(stream, place),
                    );
                },
            );
        },
    );
    x
}
