//! The f32 kernel, at whatever vector width the processor has.

#![allow(unsafe_code)]

use super::line::Line;
use super::panels::COLS;
use pulp::{Simd, WithSimd};

/// Rows of a tile.
pub(in crate::cpu) const ROWS: usize = 12;

/// One tile of a product: up to [`ROWS`] rows of `a` times one panel. Each
/// value is summed over the terms in order.
pub(in crate::cpu) struct Tile<'a> {
    pub a: &'a [f32],
    /// From row to row of `a`.
    pub row_stride: usize,
    /// From term to term.
    pub term_stride: usize,
    /// How many rows there are, at least one.
    pub rows: usize,
    /// [`COLS`] values for each term.
    pub panel: &'a [f32],
    pub out: &'a mut [f32; ROWS * COLS],
}

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 if self.rows > 6 => self.run::<S, 12, 2>(simd),
            16 => self.run::<S, 6, 2>(simd),
            8 => self.run::<S, 6, 2>(simd),
            _ => self.run::<S, 4, 4>(simd),
        }
    }
}

impl Tile<'_> {
    /// `R` rows by `V` vectors at a time.
    #[inline(always)]
    fn run<S: Simd, const R: usize, const V: usize>(self, simd: S) {
        let k = self.panel.len() / COLS;
        let last = (self.rows - 1) * self.row_stride + k.saturating_sub(1) * self.term_stride;
        assert!(self.rows > 0 && self.rows <= ROWS && (k == 0 || last < self.a.len()));
        let per_line = COLS / S::F32_LANES;
        let (vectors, _) = S::as_simd_f32s(self.panel);
        for first in (0..self.rows).step_by(R) {
            // Rows beyond the last repeat it; their results are not used.
            let offsets: [usize; R] =
                std::array::from_fn(|i| (first + i).min(self.rows - 1) * self.row_stride);
            for column in (0..per_line).step_by(V) {
                let mut sums = [[simd.splat_f32s(0.0); V]; R];
                for l in 0..k {
                    let at = l * per_line + column;
                    // SAFETY: `vectors` holds `k * per_line` vectors, and
                    // `column + V <= per_line` as `V` divides it.
                    let b: [S::f32s; V] =
                        std::array::from_fn(|v| unsafe { *vectors.get_unchecked(at + v) });
                    for (sums, offset) in sums.iter_mut().zip(&offsets) {
                        // SAFETY: the assertion above bounds the largest index.
                        let a = unsafe { *self.a.get_unchecked(offset + l * self.term_stride) };
                        let a = simd.splat_f32s(a);
                        for (sum, b) in sums.iter_mut().zip(b) {
                            *sum = simd.mul_add_f32s(a, b, *sum);
                        }
                    }
                }
                for (i, sums) in sums.iter().enumerate().take(ROWS - first) {
                    let row = &mut self.out[(first + i) * COLS..(first + i + 1) * COLS];
                    let (row, _) = S::as_mut_simd_f32s(row);
                    row[column..column + V].copy_from_slice(sums);
                }
            }
        }
    }
}

/// The values of lines.
pub(super) fn flat(lines: &[Line]) -> &[f32] {
    // SAFETY: a `Line` is exactly 16 f32 without padding.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 16) }
}
