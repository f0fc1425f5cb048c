//! Embedding lookup and its scatter.

use super::arena::Arena;
use super::{Cpu, ROW_GRAIN, Tensor};
use crate::{EmbeddingTables, Packed, View};

/// Each table with the index that every token has in it.
fn lookups<'a>(tables: &EmbeddingTables, batch: &'a Packed) -> Vec<(View, &'a [u32])> {
    let mut lookups = vec![(tables.words, batch.ids())];
    lookups.extend(tables.positions.map(|t| (t, batch.positions())));
    lookups.extend(tables.segments.map(|t| (t, batch.segments())));
    for (table, indices) in &lookups {
        assert!(
            indices.iter().all(|&i| (i as usize) < table.rows),
            "an index lies outside a table of {} rows",
            table.rows
        );
    }
    lookups
}

pub(super) fn forward(
    cpu: &Cpu,
    params: &Arena,
    tables: &EmbeddingTables,
    batch: &Packed,
) -> Tensor {
    let width = tables.words.cols;
    let lookups: Vec<_> = lookups(tables, batch)
        .into_iter()
        .map(|(table, indices)| (params.table(table), indices))
        .collect();
    let mut out = cpu.uninit(batch.tokens(), width);
    cpu.rows_mut(
        &mut out,
        ROW_GRAIN,
        #[inline(always)]
        |out, range| {
            let mut row = vec![0f32; width];
            for (out, token) in out.chunks_exact_mut(width).zip(range) {
                out.fill(0.0);
                for ((values, deferred), indices) in &lookups {
                    let index = indices[token];
                    let mut x = &values[index as usize * width..][..width];
                    if let Some(deferred) = deferred {
                        row.copy_from_slice(x);
                        deferred.put_row(index, &mut row);
                        x = &row;
                    }
                    for (out, x) in out.iter_mut().zip(x) {
                        *out += x;
                    }
                }
            }
        },
    );
    out
}

pub(super) fn backward(
    cpu: &Cpu,
    tables: &EmbeddingTables,
    batch: &Packed,
    dy: &Tensor,
    grads: &mut Arena,
) {
    let width = tables.words.cols;
    for (table, indices) in lookups(tables, batch) {
        // Threads own strips of columns, so that each sum runs over the tokens
        // in order.
        let mut strips: Vec<Vec<&mut [f32]>> = Vec::new();
        let strip_width = cpu.column_strip(width);
        strips.resize_with(width.div_ceil(strip_width), Vec::new);
        let mut touched: Vec<u32> = indices.to_vec();
        touched.sort_unstable();
        touched.dedup();
        let mut rest = grads.rows(table, &touched);
        let mut at = 0;
        for &index in &touched {
            let start = index as usize * width;
            let (_, tail) = std::mem::take(&mut rest).split_at_mut(start - at);
            let (row, tail) = tail.split_at_mut(width);
            rest = tail;
            at = start + width;
            for (strip, part) in strips.iter_mut().zip(row.chunks_mut(strip_width)) {
                strip.push(part);
            }
        }
        let slots: Vec<u32> = indices
            .iter()
            .map(|i| touched.partition_point(|t| t < i) as u32)
            .collect();
        cpu.each(
            strips.into_iter().enumerate().collect(),
            |(i, mut strip)| {
                let from = i * strip_width;
                for (token, &slot) in slots.iter().enumerate() {
                    let row = &mut strip[slot as usize];
                    for (sum, x) in row.iter_mut().zip(&dy.row(token)[from..]) {
                        *sum += x;
                    }
                }
            },
        );
    }
}
