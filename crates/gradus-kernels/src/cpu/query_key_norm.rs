//! Norms of queries and keys.

use super::arena::Arena;
use super::norm::{Norm, add_parameter_gradients};
use super::{Cpu, ROW_GRAIN, Tensor, cut};
use crate::{AttentionSpec, LayerNormSaved, NormSpec, QueryKeyNorms};
use std::ops::Range;

/// Both, with the columns that they go over.
fn both<'a>(norms: &'a QueryKeyNorms, spec: &AttentionSpec) -> [(&'a NormSpec, Range<usize>); 2] {
    let (queries, keys) = (spec.q_width(), spec.kv_width());
    [
        (&norms.queries, 0..queries),
        (&norms.keys, queries..queries + keys),
    ]
}

/// Both with their values, and the columns of their deviations in what is saved.
fn with_values<'a>(
    params: &'a Arena,
    norms: &'a QueryKeyNorms,
    spec: &AttentionSpec,
) -> [(Norm<'a>, Range<usize>, Range<usize>); 2] {
    let mut at = 0;
    both(norms, spec).map(|(norm, columns)| {
        let from = at;
        at += norm.runs(columns.len());
        (Norm::new(params, norm), columns, from..at)
    })
}

pub(super) fn forward(
    cpu: &Cpu,
    params: &Arena,
    norms: &QueryKeyNorms,
    spec: &AttentionSpec,
    mut qkv: Tensor,
) -> (Tensor, LayerNormSaved<Tensor>) {
    spec.check(qkv.cols());
    let (rows, cols) = (qkv.rows(), qkv.cols());
    let parts = with_values(params, norms, spec);
    let (width, runs) = (parts[1].1.end, parts[1].2.end);
    let mut normalized = cpu.uninit(rows, width);
    let mut deviations = cpu.uninit(rows, runs);
    let ranges = cpu.split(rows, ROW_GRAIN);
    let tasks = cut(qkv.values_mut(), &ranges, cols)
        .into_iter()
        .zip(cut(normalized.values_mut(), &ranges, width))
        .zip(cut(deviations.values_mut(), &ranges, runs))
        .collect();
    cpu.each(tasks, |((qkv, normalized), deviations)| {
        cpu.simd(
            #[inline(always)]
            || {
                let rows = qkv
                    .chunks_exact_mut(cols)
                    .zip(normalized.chunks_exact_mut(width))
                    .zip(deviations.chunks_exact_mut(runs));
                for ((row, normalized), deviations) in rows {
                    for (norm, columns, runs) in &parts {
                        let part = &mut row[columns.clone()];
                        let xhat = &mut normalized[columns.clone()];
                        xhat.copy_from_slice(part);
                        norm.apply(xhat, part, &mut deviations[runs.clone()]);
                    }
                }
            },
        );
    });
    let saved = LayerNormSaved {
        normalized,
        inverse_deviation: deviations,
    };
    (qkv, saved)
}

pub(super) fn backward(
    cpu: &Cpu,
    params: &Arena,
    norms: &QueryKeyNorms,
    spec: &AttentionSpec,
    saved: LayerNormSaved<&Tensor>,
    mut dy: Tensor,
    grads: &mut Arena,
) -> Tensor {
    let (xhat, inverses) = (saved.normalized, &saved.inverse_deviation);
    for (norm, columns) in both(norms, spec) {
        let place = (columns.start, columns.len());
        add_parameter_gradients(cpu, norm, (&dy, xhat), place, grads);
    }
    let cols = dy.cols();
    let parts = with_values(params, norms, spec);
    cpu.rows_mut(
        &mut dy,
        ROW_GRAIN,
        #[inline(always)]
        |dy, range| {
            for (row, place) in dy.chunks_exact_mut(cols).zip(range) {
                for (norm, columns, runs) in &parts {
                    let dz = &mut row[columns.clone()];
                    let xhat = &xhat.row(place)[columns.clone()];
                    norm.back(dz, xhat, &inverses.row(place)[runs.clone()]);
                }
            }
        },
    );
    dy
}
