//! Products in bf16 of small matrices, which one thread lays out, multiplies and
//! forgets.

use super::line::{HalfLine, line_of};
use super::panels::{COLS, STEP, half_from_rows};
use super::spaced::Spaced;
use super::sweep::{Multiply, ROWS, RowBlock};
use super::{HalfKernel, Kernel, bf16};
use crate::cpu::transpose::Square;

/// A bf16 kernel for small products, made ready on this thread.
pub(in crate::cpu) struct Small {
    half: HalfKernel,
    kernel: Kernel,
}

impl Small {
    /// Rows of a first factor that are multiplied together.
    pub const ROWS: usize = ROWS;
    /// Columns of a second factor that are multiplied together.
    pub const COLS: usize = COLS;

    pub fn new(half: HalfKernel) -> Self {
        let kernel = Kernel::new(half);
        Self { half, kernel }
    }

    /// Lays out a first factor. Rows beyond its last keep what is there.
    #[inline(always)]
    pub fn first(&self, lines: &mut Vec<HalfLine>, a: Spaced<'_>) {
        let steps = a.cols().div_ceil(STEP);
        grow(lines, a.rows().next_multiple_of(ROWS) * steps);
        bf16::pack_rows(self.half, lines, a);
    }

    /// Lays out the transposed of `a`, of [`Small::COLS`] rows, as those columns of a
    /// first factor that are step `step` of `steps`.
    #[inline(always)]
    pub fn first_transposed(
        &self,
        lines: &mut Vec<HalfLine>,
        a: Spaced<'_>,
        (step, steps): (usize, usize),
    ) {
        grow(lines, a.cols().next_multiple_of(ROWS) * steps);
        for block in (0..a.cols()).step_by(16) {
            let columns = block..(block + 16).min(a.cols());
            let mut square = Square::ZERO;
            for (r, pairs) in square.0.iter_mut().enumerate() {
                let (values, stride) = (a.values(), a.stride());
                bf16::column_pairs(self.half, values, stride, 2 * r, columns.clone(), pairs);
            }
            square.mirror(self.half.isa());
            for (row, line) in columns.zip(square.0) {
                lines[line_of(row, step, steps)].0 = line;
            }
        }
    }

    /// Lays out the transposed of `b` as a second factor.
    #[inline(always)]
    pub fn second_transposed(&self, lines: &mut Vec<HalfLine>, b: Spaced<'_>) {
        let panel = b.cols().div_ceil(STEP) * STEP;
        grow(lines, b.rows().div_ceil(COLS) * panel);
        for (p, panel) in lines.chunks_exact_mut(panel.max(1)).enumerate() {
            let columns = p * COLS..((p + 1) * COLS).min(b.rows());
            if columns.is_empty() {
                break;
            }
            half_from_rows(self.half, panel, b.some(columns), bf16::put);
        }
    }

    /// Lays out `b` as a second factor.
    #[inline(always)]
    pub fn second(&self, lines: &mut Vec<HalfLine>, b: Spaced<'_>) {
        let steps = b.rows().div_ceil(STEP);
        let tiles = b.cols().div_ceil(COLS) * 2;
        grow(lines, tiles / 2 * steps * STEP);
        for step in 0..steps {
            for tile in 0..tiles {
                let at = (tile / 2 * steps + step) * STEP + tile % 2 * 16;
                let columns = (tile * 16).min(b.cols())..(tile * 16 + 16).min(b.cols());
                for (r, line) in lines[at..at + 16].iter_mut().enumerate() {
                    let term = step * STEP + 2 * r;
                    let (values, stride) = (b.values(), b.stride());
                    bf16::column_pairs(
                        self.half,
                        values,
                        stride,
                        term,
                        columns.clone(),
                        &mut line.0,
                    );
                }
            }
        }
    }

    /// `out = a b` for [`Small::ROWS`] rows of a first factor and
    /// [`Small::COLS`] columns of a second; rows of `out` are `stride` apart.
    #[inline(always)]
    pub fn product(&self, a: &[HalfLine], b: &[HalfLine], out: (&mut [f32], usize)) {
        let a = RowBlock {
            lines: a,
            rows: ROWS,
            terms: 0..a.len() / ROWS,
        };
        self.kernel.product(
            &a,
            b,
            out,
            #[inline(always)]
            |_| {},
        );
    }

    /// Lays out row `row` of a first factor.
    #[inline(always)]
    pub fn narrow(&self, values: &[[f32; COLS]], row: usize, lines: &mut [HalfLine]) {
        for (step, part) in values.iter().enumerate() {
            let line = &mut lines[line_of(row, step, values.len())];
            bf16::round(self.half, part, &mut line.0);
        }
    }
}

#[inline(always)]
pub(in crate::cpu) fn grow(lines: &mut Vec<HalfLine>, len: usize) {
    if lines.len() < len {
        lines.resize(len, HalfLine::ZERO);
    }
}
