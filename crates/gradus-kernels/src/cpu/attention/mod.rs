//! Multi-head self-attention over packed sequences, one head of one sequence
//! at a time. Only that head's scores are ever held, and of a long sequence in
//! a forward pass only those of some queries; backward recomputes them.

mod half;
mod head;
mod multiply;
mod softmax;

use super::{Cpu, Tensor, cut};
use crate::cpu::matmul::Small;
use crate::dropout::Dropout;
use crate::{AttentionInput, AttentionSpec, Packed};
use half::{HalfScratch, SHORT};
use head::{Head, Scratch};
use std::ops::Range;

/// Tokens a thread should have at least.
const GRAIN: usize = 16;

/// How far apart values lie.
#[derive(Clone, Copy)]
struct Spread {
    /// Rows of queries, keys and values.
    row: usize,
    /// Rows of the context.
    width: usize,
    /// Values in a head.
    size: usize,
}

/// Drops values of a row of one head's probabilities.
#[inline(always)]
fn drop_in(dropout: Dropout, stream: u64, head: usize) -> impl FnMut(usize, &mut [f32]) {
    #[inline(always)]
    move |i, row| dropout.apply(row, dropout.head_row_key(stream, head, i))
}

/// The heads of some sequences, each with its sequence's stream and its number.
#[inline(always)]
fn heads_of<'b>(
    spec: &'b AttentionSpec,
    batch: &'b Packed,
    sequences: Range<usize>,
    bias: Option<&'b Tensor>,
) -> impl Iterator<Item = (u64, usize, Head<'b>)> {
    let spread = Spread {
        row: spec.qkv_width(),
        width: spec.q_width(),
        size: spec.head_dim,
    };
    let offsets = batch.offsets();
    let sequences = sequences.filter(|&s| offsets[s] < offsets[s + 1]);
    sequences.flat_map(move |s| {
        let (first, end) = (offsets[s], offsets[s + 1]);
        (0..spec.q_heads).map(move |h| {
            let shared = spec.kv_head(h);
            let (keys, values) = (spread.width, spread.width + spec.kv_width());
            let head = Head {
                first,
                len: end - first,
                from: [
                    h * spread.size,
                    keys + shared * spread.size,
                    values + shared * spread.size,
                ],
                spread,
                mask: spec.mask,
                scale: spec.scale,
                bias: bias.map(|b| b.row(h)),
                shared: h > 0 && spec.kv_head(h - 1) == shared,
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

pub(super) fn forward(cpu: &Cpu, spec: &AttentionSpec, input: AttentionInput<'_, Cpu>) -> Tensor {
    let AttentionInput {
        qkv,
        batch,
        bias,
        dropout,
    } = input;
    check(spec, &input);
    let width = spec.q_width();
    let mut out = cpu.uninit(qkv.rows(), width);
    let (sequences, rows) = tasks(cpu, batch);
    let parts = cut(out.values_mut(), &rows, width)
        .into_iter()
        .zip(&sequences)
        .zip(&rows)
        .collect();
    cpu.each(parts, |((out, sequences), rows)| {
        let heads = heads_of(spec, batch, sequences.clone(), bias);
        let qkv = qkv.values();
        let drop = |stream, head| dropout.map(|d| drop_in(d, stream, head));
        match cpu.half {
            Some(half) => cpu.simd_half(
                #[inline(always)]
                || {
                    let small = (cpu, &Small::new(half));
                    let (mut short, mut scratch) = (Scratch::default(), HalfScratch::default());
                    for (stream, h, head) in heads {
                        let (out, drop) = ((&mut *out, rows.start), drop(stream, h));
                        if head.len <= SHORT {
                            head.forward(cpu, qkv, &mut short, out, drop);
                        } else {
                            head.forward_half(small, qkv, &mut scratch, out, drop);
                        }
                    }
                },
            ),
            None => cpu.simd(
                #[inline(always)]
                || {
                    let mut scratch = Scratch::default();
                    for (stream, h, head) in heads {
                        let out = (&mut *out, rows.start);
                        head.forward(cpu, qkv, &mut scratch, out, drop(stream, h));
                    }
                },
            ),
        }
    });
    out
}

pub(super) fn backward(
    cpu: &Cpu,
    spec: &AttentionSpec,
    input: AttentionInput<'_, Cpu>,
    dy: &Tensor,
    dbias: Option<&mut Tensor>,
) -> Tensor {
    let AttentionInput {
        qkv,
        batch,
        bias,
        dropout,
    } = input;
    check(spec, &input);
    let heads = spec.q_heads;
    let mut grad = qkv.like();
    // Each sequence's sums by distance, in its rows: a head has `2 * len`
    // places, one of them spare.
    let sums_width = if dbias.is_some() { 2 * heads } else { 0 };
    let mut sums = cpu.uninit(qkv.rows(), sums_width);
    let (sequences, rows) = tasks(cpu, batch);
    let parts = cut(grad.values_mut(), &rows, spec.qkv_width())
        .into_iter()
        .zip(cut(sums.values_mut(), &rows, sums_width))
        .zip(&sequences)
        .zip(&rows)
        .collect();
    cpu.each(parts, |(((grad, sums), sequences), rows)| {
        let heads = heads_of(spec, batch, sequences.clone(), bias);
        let from = (qkv.values(), dy);
        let drop = |stream, head| dropout.map(|d| drop_in(d, stream, head));
        sums.fill(0.0);
        let places = |head: &Head<'_>, h| match sums_width {
            0 => 0..0,
            _ => {
                let at = (head.first - rows.start) * sums_width + h * 2 * head.len;
                at..at + 2 * head.len - 1
            }
        };
        match cpu.half {
            Some(half) => cpu.simd_half(
                #[inline(always)]
                || {
                    let small = (cpu, &Small::new(half));
                    let (mut short, mut scratch) = (Scratch::default(), HalfScratch::default());
                    for (stream, h, head) in heads {
                        let (to, drop) = ((&mut *grad, rows.start), drop(stream, h));
                        let sums = &mut sums[places(&head, h)];
                        if head.len <= SHORT {
                            head.backward(cpu, from, &mut short, to, drop, sums);
                        } else {
                            head.backward_half(small, from, &mut scratch, to, drop, sums);
                        }
                    }
                },
            ),
            None => cpu.simd(
                #[inline(always)]
                || {
                    let mut scratch = Scratch::default();
                    for (stream, h, head) in heads {
                        let (to, drop) = ((&mut *grad, rows.start), drop(stream, h));
                        let sums = &mut sums[places(&head, h)];
                        head.backward(cpu, from, &mut scratch, to, drop, sums);
                    }
                },
            ),
        }
        let inverse_scale = spec.inverse_scale();
        for sum in sums {
            *sum *= inverse_scale;
        }
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

/// Panics where the input does not fit the batch.
fn check(spec: &AttentionSpec, input: &AttentionInput<'_, Cpu>) {
    spec.check(input.qkv.cols());
    assert_eq!(input.qkv.rows(), input.batch.tokens(), "one row per token");
    if let Some(bias) = input.bias {
        let columns = (2 * input.batch.longest()).saturating_sub(1);
        let found = (bias.rows(), bias.cols());
        let wanted = (spec.q_heads, columns);
        assert_eq!(found, wanted, "a bias for each head and distance");
    }
}
