//! Layer norms of queries and keys.

use super::arena::Arena;
use super::norm::{add_scale_gradient, standardize, through};
use super::{Cpu, ROW_GRAIN, Tensor, cut};
use crate::{LayerNorm, QueryKeyNorms, Standardized};

/// Both, in the order of their columns.
fn both(norms: &QueryKeyNorms) -> [&LayerNorm; 2] {
    [&norms.queries, &norms.keys]
}

pub(super) fn forward(
    cpu: &Cpu,
    params: &Arena,
    norms: &QueryKeyNorms,
    mut qkv: Tensor,
) -> (Tensor, Standardized<Tensor>) {
    let (rows, width) = (qkv.rows(), qkv.cols() / 3);
    let mut normalized = cpu.uninit(rows, 2 * width);
    let mut deviations = cpu.uninit(rows, 2);
    let ranges = cpu.split(rows, ROW_GRAIN);
    let parts = cut(qkv.values_mut(), &ranges, 3 * width)
        .into_iter()
        .zip(cut(normalized.values_mut(), &ranges, 2 * width))
        .zip(cut(deviations.values_mut(), &ranges, 2))
        .collect();
    cpu.each(parts, |((qkv, normalized), deviations)| {
        cpu.simd(
            #[inline(always)]
            || {
                let rows = qkv
                    .chunks_exact_mut(3 * width)
                    .zip(normalized.chunks_exact_mut(2 * width))
                    .zip(deviations.chunks_exact_mut(2));
                for ((row, normalized), deviations) in rows {
                    for (i, norm) in both(norms).iter().enumerate() {
                        let part = &mut row[i * width..(i + 1) * width];
                        let xhat = &mut normalized[i * width..(i + 1) * width];
                        xhat.copy_from_slice(part);
                        let gamma = norm.gamma.of(params.values());
                        let beta = norm.beta.of(params.values());
                        deviations[i] = standardize(xhat, part, gamma, beta, norm.eps);
                    }
                }
            },
        );
    });
    let kept = Standardized {
        normalized,
        inverse_deviation: deviations,
    };
    (qkv, kept)
}

pub(super) fn backward(
    cpu: &Cpu,
    params: &Arena,
    norms: &QueryKeyNorms,
    saved: &Standardized<Tensor>,
    mut dy: Tensor,
    grads: &mut Arena,
) -> Tensor {
    let width = dy.cols() / 3;
    let xhat = &saved.normalized;
    for (i, norm) in both(norms).iter().enumerate() {
        let columns = i * width..(i + 1) * width;
        super::linear::add_column_sums(cpu, grads.part(norm.beta), &dy, columns.start);
        add_scale_gradient(cpu, grads.part(norm.gamma), &dy, xhat, columns.start);
    }
    cpu.rows_mut(
        &mut dy,
        ROW_GRAIN,
        #[inline(always)]
        |dy, range| {
            for (row, place) in dy.chunks_exact_mut(3 * width).zip(range) {
                for (i, norm) in both(norms).iter().enumerate() {
                    let columns = i * width..(i + 1) * width;
                    let dz = &mut row[columns.clone()];
                    for (dz, g) in dz.iter_mut().zip(norm.gamma.of(params.values())) {
                        *dz *= g;
                    }
                    let inverse = saved.inverse_deviation.row(place)[i];
                    through(dz, &xhat.row(place)[columns], inverse);
                }
            }
        },
    );
    dy
}
