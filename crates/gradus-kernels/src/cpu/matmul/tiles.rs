//! Matrices that exist only in bf16, laid out as bf16 kernels read the rows of
//! a first factor: a product's results that another product is to take.

use super::bf16::round;
use super::line::{HalfLine, line_of};
use super::panels::{COLS, STEP};
use super::sweep::ROWS;
use super::{HalfKernel, Row, blocks};
use crate::cpu::transpose::Square;
use crate::cpu::{Cpu, Tensor, cut};
use std::sync::{Arc, Mutex};

/// Memory of matrices that are gone.
pub(in crate::cpu) type Spare = Mutex<Vec<Vec<HalfLine>>>;

/// More pieces of memory than this are given back to the system.
const KEPT: usize = 64;

/// A `[rows, cols]` matrix in bf16, `cols` a multiple of [`COLS`]. Rows beyond
/// the last, up to whole tiles of the kernel, are of any content.
pub(in crate::cpu) struct Tiles {
    lines: Vec<HalfLine>,
    rows: usize,
    steps: usize,
    spare: Arc<Spare>,
}

impl Tiles {
    /// Of unspecified content.
    pub(in crate::cpu) fn uninit(spare: &Arc<Spare>, rows: usize, cols: usize) -> Self {
        assert!(cols.is_multiple_of(COLS));
        let steps = cols / STEP;
        let len = rows.next_multiple_of(ROWS) * steps;
        let mut kept = spare.lock().unwrap_or_else(|e| e.into_inner());
        let fits = (0..kept.len()).filter(|&i| kept[i].capacity() >= len);
        // The one that was used last, as it may still be near.
        let best = fits.rev().min_by_key(|&i| kept[i].capacity());
        let mut lines = best.map_or_else(Vec::new, |i| kept.remove(i));
        drop(kept);
        if lines.len() < len {
            lines.resize(len, HalfLine::ZERO);
        }
        lines.truncate(len);
        Self {
            lines,
            rows,
            steps,
            spare: Arc::clone(spare),
        }
    }

    /// A matrix of f32 rounded, for products that read it more than once; and its column
    /// sums, if wanted, added to `sums`: blocks of 32 rows in order, each of its rows in
    /// order, so that they do not depend on how rows are shared out.
    pub(in crate::cpu) fn round(
        cpu: &Cpu,
        kernel: HalfKernel,
        x: &Tensor,
        sums: Option<&mut [f32]>,
    ) -> Self {
        let (rows, cols) = (x.rows(), x.cols());
        let mut tiles = Self::uninit(&cpu.tiles, rows, cols);
        let width = if sums.is_some() { cols } else { 0 };
        let mut by_block = cpu.uninit(rows.div_ceil(ROWS), width);
        let ranges = blocks(cpu, rows);
        let block_ranges: Vec<_> = ranges
            .iter()
            .map(|r| r.start / ROWS..r.end.div_ceil(ROWS))
            .collect();
        let lines = cut(&mut tiles.lines, &block_ranges, ROWS * (cols / STEP)).into_iter();
        let sums_of = cut(by_block.values_mut(), &block_ranges, width).into_iter();
        let parts = lines.zip(sums_of).zip(&ranges);
        cpu.each(parts.collect(), |((lines, sums), range)| {
            cpu.simd(
                #[inline(always)]
                || {
                    sums.fill(0.0);
                    let blocks = lines.chunks_exact_mut(ROWS * (cols / STEP).max(1));
                    for ((b, lines), from) in blocks.enumerate().zip(range.clone().step_by(ROWS)) {
                        let sums = &mut sums[b * width..(b + 1) * width];
                        for row in from..range.end.min(from + ROWS) {
                            let values = x.row(row);
                            super::bf16::pack_row(kernel, lines, row - from, values);
                            for (sum, x) in sums.iter_mut().zip(values) {
                                *sum += x;
                            }
                        }
                    }
                },
            );
        });
        if let Some(sums) = sums {
            for block in by_block.values().chunks_exact(width.max(1)) {
                for (sum, x) in sums.iter_mut().zip(block) {
                    *sum += x;
                }
            }
        }
        tiles
    }

    pub(in crate::cpu) fn rows(&self) -> usize {
        self.rows
    }

    pub(in crate::cpu) fn cols(&self) -> usize {
        self.steps * STEP
    }

    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// `rows`, rounded up to whole tiles of the kernel, times `cols / 32`.
    pub(super) fn lines(&self) -> &[HalfLine] {
        &self.lines
    }

    pub(super) fn lines_mut(&mut self) -> &mut [HalfLine] {
        &mut self.lines
    }

    /// `sums += ` the column sums, rows taken in order.
    pub(in crate::cpu) fn add_column_sums(&self, cpu: &Cpu, sums: &mut [f32]) {
        assert_eq!(sums.len(), self.cols());
        let width = cpu.column_strip(self.cols()).next_multiple_of(STEP);
        let strips: Vec<_> = sums.chunks_mut(width).enumerate().collect();
        cpu.each(strips, |(i, strip)| {
            let from = i * width / STEP;
            cpu.simd(
                #[inline(always)]
                || {
                    for (step, sums) in strip.as_chunks_mut::<STEP>().0.iter_mut().enumerate() {
                        for row in 0..self.rows {
                            let line = &self.lines[line_of(row, from + step, self.steps)];
                            let values = widen(line);
                            for (sum, x) in sums.iter_mut().zip(&values) {
                                *sum += x;
                            }
                        }
                    }
                },
            );
        });
    }

    /// Two neighbouring rows' values of 32 columns, side by side, as rows of a
    /// tile of a second factor: 16 columns each. Zeros beyond the last row.
    #[inline(always)]
    pub(super) fn row_pairs(&self, row: usize, step: usize) -> [HalfLine; 2] {
        let line = |row: usize| match row < self.rows {
            true => &self.lines[line_of(row, step, self.steps)].0,
            false => &HalfLine::ZERO.0,
        };
        let (first, second) = (line(row), line(row + 1));
        let mut pairs = [HalfLine::ZERO; 2];
        for (half, pairs) in pairs.iter_mut().enumerate() {
            for j in 0..8 {
                let (a, b) = (first[8 * half + j], second[8 * half + j]);
                pairs.0[2 * j] = a & 0xFFFF | b << 16;
                pairs.0[2 * j + 1] = a >> 16 | b & 0xFFFF_0000;
            }
        }
        pairs
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        let mut kept = self.spare.lock().unwrap_or_else(|e| e.into_inner());
        if kept.len() < KEPT {
            kept.push(std::mem::take(&mut self.lines));
        }
    }
}

/// Writes columns `from..from + count` of a matrix as rows, laid out as tiles
/// themselves; `from` is a multiple of 32.
#[inline(always)]
pub(super) fn pack_columns(
    kernel: HalfKernel,
    lines: &mut [HalfLine],
    a: &Tiles,
    from: usize,
    count: usize,
) {
    let steps = a.rows.div_ceil(STEP);
    for s in 0..steps {
        for block in (0..count).step_by(COLS) {
            let mut squares = [Square::ZERO, Square::ZERO];
            for r in 0..16 {
                let pairs = a.row_pairs(s * STEP + 2 * r, (from + block) / STEP);
                for (square, pairs) in squares.iter_mut().zip(pairs) {
                    square.0[r] = pairs.0;
                }
            }
            for (half, square) in squares.iter_mut().enumerate() {
                square.mirror(kernel.isa());
                for (j, row) in square.0.iter().enumerate() {
                    lines[line_of(block + 16 * half + j, s, steps)].0 = *row;
                }
            }
        }
    }
}

/// The values of a line.
#[inline(always)]
pub(in crate::cpu) fn widen(line: &HalfLine) -> Row {
    let mut row = [0f32; COLS];
    for (values, pair) in row.as_chunks_mut::<2>().0.iter_mut().zip(line.0) {
        *values = [
            f32::from_bits(pair << 16),
            f32::from_bits(pair & 0xFFFF_0000),
        ];
    }
    row
}

/// Rounds a row to a line that products can take.
#[inline(always)]
pub(in crate::cpu) fn narrow(kernel: HalfKernel, row: &Row, line: &mut HalfLine) {
    round(kernel, row, &mut line.0);
}
