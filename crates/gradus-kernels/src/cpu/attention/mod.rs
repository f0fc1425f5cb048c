//! Multi-head self-attention over packed sequences, one head of one sequence
//! at a time. Only that head's scores are ever held, and of a long sequence in
//! a forward pass only those of some queries; backward recomputes them.

mod head;

use super::{Cpu, Tensor, cut};
use crate::Packed;
use crate::dropout::Dropout;
use head::{Head, Scratch, sum_by_distance};
use std::ops::Range;

/// Tokens a thread should have at least.
const GRAIN: usize = 16;

/// Drops values of a row of one head's probabilities: heads count as rows of
/// their own.
#[inline(always)]
fn drop_in(dropout: Option<Dropout>, stream: u64, head: usize) -> impl FnMut(usize, &mut [f32]) {
    #[inline(always)]
    move |i, row| {
        if let Some(dropout) = dropout {
            dropout.apply(row, dropout.row_key(stream, (head << 32) | i));
        }
    }
}

/// The heads of some sequences, each with its sequence's stream and its number.
#[inline(always)]
fn heads_of<'b>(
    batch: &'b Packed,
    sequences: Range<usize>,
    heads: usize,
    width: usize,
    bias: Option<&'b Tensor>,
) -> impl Iterator<Item = (u64, usize, Head<'b>)> {
    let size = width / heads;
    let offsets = batch.offsets();
    let sequences = sequences.filter(|&s| offsets[s] < offsets[s + 1]);
    sequences.flat_map(move |s| {
        let (first, end) = (offsets[s], offsets[s + 1]);
        (0..heads).map(move |h| {
            let head = Head {
                first,
                len: end - first,
                width,
                from: h * size,
                size,
                bias: bias.map(|b| b.row(h)),
            };
            (batch.streams()[s], h, head)
        })
    })
}

/// The sequences of each task and the rows they own.
fn tasks(cpu: &Cpu, batch: &Packed) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let sequences = cpu.split_sequences(batch, GRAIN);
    let offsets = batch.offsets();
    let rows = sequences
        .iter()
        .map(|s| offsets[s.start]..offsets[s.end])
        .collect();
    (sequences, rows)
}

pub(super) fn forward(
    cpu: &Cpu,
    qkv: &Tensor,
    batch: &Packed,
    heads: usize,
    bias: Option<&Tensor>,
    dropout: Option<Dropout>,
) -> Tensor {
    let width = qkv.cols() / 3;
    check_bias(batch, heads, bias);
    let mut out = cpu.uninit(qkv.rows(), width);
    let (sequences, rows) = tasks(cpu, batch);
    let parts = cut(out.values_mut(), &rows, width)
        .into_iter()
        .zip(&sequences)
        .zip(&rows)
        .collect();
    cpu.each(parts, |((out, sequences), rows)| {
        cpu.simd(
            #[inline(always)]
            || {
                let mut scratch = Scratch::default();
                for (stream, h, head) in heads_of(batch, sequences.clone(), heads, width, bias) {
                    head.forward(
                        cpu.isa,
                        qkv.values(),
                        &mut scratch,
                        out,
                        rows.start,
                        drop_in(dropout, stream, h),
                    );
                }
            },
        );
    });
    out
}

#[allow(clippy::too_many_arguments)] // the operation's own
pub(super) fn backward(
    cpu: &Cpu,
    qkv: &Tensor,
    batch: &Packed,
    heads: usize,
    bias: Option<&Tensor>,
    dropout: Option<Dropout>,
    dy: &Tensor,
    dbias: Option<&mut Tensor>,
) -> Tensor {
    let width = qkv.cols() / 3;
    check_bias(batch, heads, bias);
    let mut grad = qkv.like();
    // Each sequence's sums by distance, in its rows: a head has `2 * len`
    // places, one of them spare.
    let sums_width = if dbias.is_some() { 2 * heads } else { 0 };
    let mut sums = cpu.uninit(qkv.rows(), sums_width);
    let (sequences, rows) = tasks(cpu, batch);
    let parts = cut(grad.values_mut(), &rows, 3 * width)
        .into_iter()
        .zip(cut(sums.values_mut(), &rows, sums_width))
        .zip(&sequences)
        .zip(&rows)
        .collect();
    cpu.each(parts, |(((grad, sums), sequences), rows)| {
        cpu.simd(
            #[inline(always)]
            || {
                let mut scratch = Scratch::default();
                for (stream, h, head) in heads_of(batch, sequences.clone(), heads, width, bias) {
                    head.backward(
                        cpu.isa,
                        qkv.values(),
                        dy,
                        &mut scratch,
                        grad,
                        rows.start,
                        drop_in(dropout, stream, h),
                    );
                    if sums_width > 0 {
                        let at = (head.first - rows.start) * sums_width + h * 2 * head.len;
                        let sums = &mut sums[at..at + 2 * head.len - 1];
                        sum_by_distance(&scratch, head.len, head.size, sums);
                    }
                }
            },
        );
    });
    if let Some(dbias) = dbias {
        add_sums(batch, heads, sums.values(), dbias);
    }
    grad
}

/// Adds every sequence's sums to the bias's gradient, sequences in order.
fn add_sums(batch: &Packed, heads: usize, sums: &[f32], dbias: &mut Tensor) {
    let columns = dbias.cols();
    let middle = columns / 2;
    for bounds in batch.offsets().windows(2) {
        let len = bounds[1] - bounds[0];
        if len == 0 {
            continue;
        }
        let own = &sums[bounds[0] * 2 * heads..bounds[1] * 2 * heads];
        let rows = dbias.values_mut().chunks_exact_mut(columns);
        for (row, own) in rows.zip(own.chunks_exact(2 * len)) {
            let row = &mut row[middle + 1 - len..middle + len];
            for (total, sum) in row.iter_mut().zip(own) {
                *total += sum;
            }
        }
    }
}

/// Panics where a bias is not this batch's.
fn check_bias(batch: &Packed, heads: usize, bias: Option<&Tensor>) {
    if let Some(bias) = bias {
        let columns = (2 * batch.longest()).saturating_sub(1);
        let found = (bias.rows(), bias.cols());
        assert_eq!(found, (heads, columns), "a bias for each head and distance");
    }
}
