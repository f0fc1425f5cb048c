//! Rows of a first factor as bytes without a sign.

use super::TERMS;
use crate::cpu::matmul::line::{ByteLine, line_of};
use crate::cpu::matmul::sweep::ROWS;

/// What the bytes of a row stand for: `scale * (byte - zero)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cpu) struct Scale {
    pub scale: f32,
    /// A whole number.
    pub zero: f32,
}

/// Some rows, laid out as tiles.
#[derive(Default)]
pub(in crate::cpu) struct QuantizedRows {
    lines: Vec<ByteLine>,
    scales: Vec<Scale>,
    cols: usize,
}

impl QuantizedRows {
    pub(super) const EMPTY: Self = Self {
        lines: Vec::new(),
        scales: Vec::new(),
        cols: 0,
    };

    /// Makes room for `rows` rows of `k` values.
    pub(in crate::cpu::matmul) fn make_room(&mut self, rows: usize, k: usize) {
        let needed = rows.next_multiple_of(ROWS) * k.div_ceil(TERMS);
        if self.lines.len() < needed {
            self.lines.resize(needed, ByteLine::ZERO);
        }
        let none = Scale {
            scale: 0.0,
            zero: 0.0,
        };
        self.scales.resize(rows, none);
        self.cols = k;
    }

    /// Takes `rows` rows of `k` values.
    #[inline(always)]
    pub(super) fn fill(&mut self, values: &[f32], rows: usize, k: usize) {
        self.make_room(rows, k);
        for (i, row) in values.chunks_exact(k.max(1)).take(rows).enumerate() {
            self.scales[i] = Self::put(&mut self.lines, i, row);
        }
    }

    /// Writes row `i`.
    #[inline(always)]
    pub(in crate::cpu::matmul) fn put(lines: &mut [ByteLine], i: usize, row: &[f32]) -> Scale {
        let steps = row.len().div_ceil(TERMS);
        let scale = scale_of(row);
        // For a scale of zero all is zero; for NaN the bytes do not matter.
        let inverse = if scale.scale > 0.0 {
            1.0 / scale.scale
        } else {
            0.0
        };
        let (whole, rest) = row.as_chunks::<TERMS>();
        for (step, values) in whole.iter().enumerate() {
            let line = &mut lines[line_of(i, step, steps)];
            to_bytes(values, inverse, scale.zero, &mut line.0);
        }
        if !rest.is_empty() {
            let mut values = [0f32; TERMS];
            values[..rest.len()].copy_from_slice(rest);
            // What stands beyond the last term meets zeros.
            let line = &mut lines[line_of(i, whole.len(), steps)];
            to_bytes(&values, inverse, scale.zero, &mut line.0);
        }
        scale
    }

    pub(in crate::cpu::matmul) fn rows(&self) -> usize {
        self.scales.len()
    }

    pub(in crate::cpu::matmul) fn cols(&self) -> usize {
        self.cols
    }

    /// Lines of a row, all lines, and the rows' scales.
    pub(in crate::cpu::matmul) fn parts_mut(&mut self) -> (usize, &mut [ByteLine], &mut [Scale]) {
        let steps = self.cols.div_ceil(TERMS);
        (steps, &mut self.lines, &mut self.scales)
    }

    pub(super) fn lines(&self) -> &[ByteLine] {
        &self.lines
    }

    #[inline(always)]
    pub(super) fn scale(&self, row: usize) -> Scale {
        self.scales[row]
    }
}

/// Several vectors, so that none waits for the one before.
const LANES: usize = 64;

/// 0 is among what the bytes stand for, exactly. A row with a value that is not finite
/// has scale NaN, and so have all values of its products.
#[inline(always)]
fn scale_of(row: &[f32]) -> Scale {
    let (whole, rest) = row.as_chunks::<LANES>();
    let (mut least, mut most) = ([0f32; LANES], [0f32; LANES]);
    // Becomes NaN with the first value that is not finite.
    let mut odd = [0f32; LANES];
    for values in whole {
        for i in 0..LANES {
            least[i] = lower(values[i], least[i]);
            most[i] = higher(values[i], most[i]);
            odd[i] = values[i].mul_add(0.0, odd[i]);
        }
    }
    for (i, &x) in rest.iter().enumerate() {
        least[i] = lower(x, least[i]);
        most[i] = higher(x, most[i]);
        odd[i] = x.mul_add(0.0, odd[i]);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            least[i] = lower(least[i + width], least[i]);
            most[i] = higher(most[i + width], most[i]);
            odd[i] += odd[i + width];
        }
        width /= 2;
    }
    let scale = (most[0] / 255.0 - least[0] / 255.0) + odd[0];
    let zero = if scale > 0.0 { -least[0] / scale } else { 0.0 };
    Scale {
        scale,
        zero: f32::from(to_byte(zero)),
    }
}

/// The lower one; the second, where the first is no number.
#[inline(always)]
fn lower(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[inline(always)]
fn higher(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The nearest whole number from 0 to 255.
#[inline(always)]
fn to_byte(q: f32) -> u8 {
    /// Added to such a number, leaves it rounded in the lowest bits.
    const ROUNDS: f32 = 8_388_608.0;
    (lower(higher(q, 0.0), 255.0) + ROUNDS).to_bits() as u8
}

#[inline(always)]
fn to_bytes(values: &[f32; TERMS], inverse: f32, zero: f32, line: &mut [u8; TERMS]) {
    for (byte, x) in line.iter_mut().zip(values) {
        *byte = to_byte(x.mul_add(inverse, zero));
    }
}
