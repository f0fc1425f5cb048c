//! Weights as panels of bytes.

use super::{MOST_TERMS, TERMS};
use crate::cpu::matmul::Row;
use crate::cpu::matmul::line::ByteLine;
use crate::cpu::matmul::panels::COLS;
use crate::cpu::matmul::sweep::STEP_LINES;
use crate::int8;

/// A second factor in panels. For each 64 terms a panel has two tiles of 16 columns; a
/// tile's row holds four neighbouring terms of each column, side by side.
#[derive(Default)]
pub(in crate::cpu::matmul) struct BytePanels {
    pub lines: Vec<ByteLine>,
    /// Of each column of each panel.
    pub scales: Vec<Row>,
    /// The sums of each column's bytes, times the column's scale.
    pub sums: Vec<Row>,
}

/// A panel of it.
pub(in crate::cpu::matmul) type BytePanel<'a> = (&'a mut [ByteLine], &'a mut Row, &'a mut Row);

impl BytePanels {
    /// Makes room for panels with `k` terms.
    pub fn resize(&mut self, count: usize, k: usize) {
        assert!(k <= MOST_TERMS, "{k} terms might overflow sums of bytes");
        let lines = count * k.div_ceil(TERMS) * STEP_LINES;
        self.lines.resize(lines, ByteLine::ZERO);
        self.scales.resize(count, [0.0; COLS]);
        self.sums.resize(count, [0.0; COLS]);
    }

    pub fn panels_mut(&mut self, k: usize) -> impl Iterator<Item = BytePanel<'_>> {
        let size = (k.div_ceil(TERMS) * STEP_LINES).max(1);
        let panels = self.lines.chunks_exact_mut(size);
        let rest = self.scales.iter_mut().zip(&mut self.sums);
        panels
            .zip(rest)
            .map(|(lines, (scales, sums))| (lines, scales, sums))
    }
}

/// Fills a panel whose columns are the rows `[columns, k]`.
pub(in crate::cpu::matmul) fn fill(panel: BytePanel<'_>, rows: &[f32], k: usize) {
    fill_and(panel, rows, k, |_, _, _| {});
}

/// The same; `each` sees every row, its bytes and its scale.
pub(super) fn fill_and(
    (lines, scales, sums): BytePanel<'_>,
    rows: &[f32],
    k: usize,
    mut each: impl FnMut(&[f32], &[i8], f32),
) {
    lines.fill(ByteLine::ZERO);
    (*scales, *sums) = ([0.0; COLS], [0.0; COLS]);
    let mut bytes = vec![0i8; k];
    for (column, row) in rows.chunks_exact(k.max(1)).enumerate() {
        scales[column] = int8::quantize(row, &mut bytes);
        each(row, &bytes, scales[column]);
        let sum: i32 = bytes.iter().map(|q| i32::from(*q)).sum();
        sums[column] = sum as f32 * scales[column];
        let (tile, place) = (column / 16, column % 16);
        for (word, terms) in bytes.chunks(4).enumerate() {
            let line = word / 16 * STEP_LINES + tile * 16 + word % 16;
            let to = &mut lines[line].0[4 * place..];
            for (to, q) in to.iter_mut().zip(terms) {
                *to = q.cast_unsigned();
            }
        }
    }
}
