//! Products of bytes with whatever instructions there are.

use crate::cpu::matmul::line::{ByteLine, line_of};
use crate::cpu::matmul::sweep::STEP_LINES;

/// `out = a b` for some rows of `a`, laid out as tiles, and one panel.
#[inline(always)]
pub(super) fn product(
    a: &[ByteLine],
    rows: usize,
    panel: &[ByteLine],
    (out, stride): (&mut [i32], usize),
) {
    let steps = panel.len() / STEP_LINES;
    for row in 0..rows {
        for tile in 0..2 {
            let mut sums = [0i32; 16];
            for step in 0..steps {
                let left = &a[line_of(row, step, steps)].0;
                let lines = &panel[step * STEP_LINES + 16 * tile..][..16];
                for (line, terms) in lines.iter().zip(left.as_chunks::<4>().0) {
                    for (sum, weights) in sums.iter_mut().zip(line.0.as_chunks::<4>().0) {
                        for (w, x) in weights.iter().zip(terms) {
                            *sum += i32::from(w.cast_signed()) * i32::from(*x);
                        }
                    }
                }
            }
            out[row * stride + 16 * tile..][..16].copy_from_slice(&sums);
        }
    }
}
