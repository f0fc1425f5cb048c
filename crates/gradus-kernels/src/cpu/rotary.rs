//! Rotary positions.

use super::{Cpu, ROW_GRAIN, Tensor};
use crate::{AttentionSpec, Packed, Rotary};

/// Cosines and sines of `[position, pair]`, in turn for each position.
fn angles(rotary: &Rotary, batch: &Packed, pairs: usize) -> Vec<f32> {
    let positions = batch
        .positions()
        .iter()
        .max()
        .map_or(0, |&p| p as usize + 1);
    let speeds: Vec<f64> = (0..pairs)
        .map(|i| f64::from(rotary.base).powf(-(i as f64) / pairs as f64))
        .collect();
    let mut table = Vec::with_capacity(positions * 2 * pairs);
    for position in 0..positions {
        let turns = speeds.iter().map(|speed| position as f64 * speed);
        let (sines, cosines): (Vec<f32>, Vec<f32>) = turns
            .map(f64::sin_cos)
            .map(|(sine, cosine)| (sine as f32, cosine as f32))
            .unzip();
        table.extend(cosines);
        table.extend(sines);
    }
    table
}

/// Turns queries and keys of `qkv` forwards, or backwards where `sign` is -1.
pub(super) fn turn(
    cpu: &Cpu,
    rotary: &Rotary,
    spec: &AttentionSpec,
    batch: &Packed,
    mut qkv: Tensor,
    sign: f32,
) -> Tensor {
    let (tokens, cols) = (qkv.rows(), qkv.cols());
    spec.check(cols);
    let (size, turned) = (spec.head_dim, spec.q_width() + spec.kv_width());
    assert!(
        size.is_multiple_of(2),
        "a head of {size} values has no pairs"
    );
    assert_eq!(tokens, batch.tokens(), "one row per token");
    let pairs = size / 2;
    let table = angles(rotary, batch, pairs);
    cpu.rows_mut(
        &mut qkv,
        ROW_GRAIN,
        #[inline(always)]
        |part, range| {
            let positions = &batch.positions()[range];
            for (row, &position) in part.chunks_exact_mut(cols).zip(positions) {
                let from = position as usize * size;
                let (cosines, sines) = table[from..from + size].split_at(pairs);
                for head in row[..turned].chunks_exact_mut(size) {
                    let (first, second) = head.split_at_mut(pairs);
                    for (((x, y), cosine), sine) in
                        first.iter_mut().zip(second).zip(cosines).zip(sines)
                    {
                        let (a, b, sine) = (*x, *y, sign * sine);
                        *x = a * cosine - b * sine;
                        *y = b * cosine + a * sine;
                    }
                }
            }
        },
    );
    qkv
}
