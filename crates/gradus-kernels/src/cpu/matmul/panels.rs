//! The second factor of a product, laid out once so that kernels read it in
//! one direction.

use super::{HalfKernel, bf16};
use crate::cpu::transpose::Square;
use crate::cpu::{Cpu, Isa};
use std::cell::RefCell;

/// Columns of a panel: two vectors of AVX-512, two AMX tiles.
pub(crate) const COLS: usize = 32;

/// Terms that a bf16 kernel takes in one step: a row of an AMX tile.
pub(super) const STEP: usize = 32;

/// One vector register's worth of f32.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub [f32; 16]);

/// One vector register's worth of bf16: pairs of neighbours, the first in the
/// low half.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct HalfLine(pub [u32; 16]);

impl HalfLine {
    pub(super) const ZERO: Self = Self([0; 16]);
}

/// How the factor `b` of `a b` is stored before it is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rhs {
    /// `[n, k]`: the product is `a b^T`.
    Transposed,
    /// `[k, n]`: the product is `a b`.
    Plain,
}

/// A `[k, n]` factor in panels of [`COLS`] columns, padded with zeros.
pub(crate) struct Panels {
    pub(super) k: usize,
    pub(super) n: usize,
    pub(super) data: Data,
}

/// The panels' values, one panel after the other.
pub(super) enum Data {
    /// For each of the `k` terms, [`COLS`] values.
    F32(Vec<Line>),
    /// For each [`STEP`] terms two tiles of 16 columns; a tile's row holds two
    /// neighbouring terms of each column, side by side.
    Bf16(Vec<HalfLine>),
}

impl Panels {
    /// Lays out `b`, in the memory of `old` where there is some.
    pub(crate) fn pack(
        cpu: &Cpu,
        b: &[f32],
        rhs: Rhs,
        n: usize,
        k: usize,
        old: Option<Self>,
    ) -> Self {
        assert_eq!(b.len(), n * k);
        let count = n.div_ceil(COLS);
        let data = if let Some(kernel) = cpu.half {
            let mut lines = match old.map(|o| o.data) {
                Some(Data::Bf16(lines)) => lines,
                _ => vec![],
            };
            let steps = k.div_ceil(STEP);
            lines.resize(count * steps * STEP, HalfLine::ZERO);
            match rhs {
                Rhs::Transposed => {
                    let size = (steps * STEP).max(1);
                    let panels = lines.chunks_exact_mut(size).enumerate().collect();
                    cpu.each(panels, |(p, panel)| {
                        cpu.simd(
                            #[inline(always)]
                            || half_from_rows(kernel, panel, b, p * COLS, n, k),
                        );
                    });
                }
                Rhs::Plain => {
                    // By steps and not by panels, so that rows are read along.
                    let mut parts: Vec<Vec<_>> = vec![];
                    parts.resize_with(steps, || Vec::with_capacity(count));
                    for (i, part) in lines.chunks_exact_mut(STEP).enumerate() {
                        parts[i % steps].push(part);
                    }
                    cpu.each(parts.into_iter().enumerate().collect(), |(s, mut parts)| {
                        cpu.simd(
                            #[inline(always)]
                            || half_from_columns(kernel, &mut parts, b, s * STEP, n),
                        );
                    });
                }
            }
            Data::Bf16(lines)
        } else {
            let mut lines = match old.map(|o| o.data) {
                Some(Data::F32(lines)) => lines,
                _ => vec![],
            };
            lines.resize(count * k * 2, Line([0.0; 16]));
            let panels = lines.chunks_exact_mut((2 * k).max(1)).enumerate().collect();
            cpu.each(panels, |(p, panel)| {
                cpu.simd(
                    #[inline(always)]
                    || match rhs {
                        Rhs::Transposed => from_rows(cpu.isa, panel, b, p * COLS, n, k),
                        Rhs::Plain => from_columns(panel, b, p * COLS, n),
                    },
                );
            });
            Data::F32(lines)
        };
        Self { k, n, data }
    }

    /// How many panels there are.
    pub(super) fn count(&self) -> usize {
        self.n.div_ceil(COLS)
    }
}

/// Columns `from..` of the factor out of `[k, n]`.
#[inline(always)]
fn from_columns(panel: &mut [Line], b: &[f32], from: usize, n: usize) {
    for (lines, row) in panel.chunks_exact_mut(2).zip(b.chunks_exact(n)) {
        let row = &row[from..];
        for (line, values) in lines.iter_mut().zip(row.chunks(16)) {
            line.0[..values.len()].copy_from_slice(values);
            line.0[values.len()..].fill(0.0);
        }
        if row.len() <= 16 {
            lines[1].0.fill(0.0);
        }
    }
}

/// The same out of `[n, k]`.
#[inline(always)]
fn from_rows(isa: Isa, panel: &mut [Line], b: &[f32], from: usize, n: usize, k: usize) {
    for tile in 0..2 {
        for block in (0..k).step_by(16) {
            let terms = (k - block).min(16);
            let mut square = Square::ZERO;
            for (j, row) in square.0.iter_mut().enumerate() {
                let column = from + tile * 16 + j;
                if column < n {
                    let values = &b[column * k + block..][..terms];
                    for (bits, x) in row.iter_mut().zip(values) {
                        *bits = x.to_bits();
                    }
                }
            }
            square.mirror(isa);
            for (r, row) in square.0[..terms].iter().enumerate() {
                panel[2 * (block + r) + tile].0 = row.map(f32::from_bits);
            }
        }
    }
}

/// One step of every panel out of `[k, n]`, in bf16. Rows are read along.
#[inline(always)]
fn half_from_columns(
    kernel: HalfKernel,
    parts: &mut [&mut [HalfLine]],
    b: &[f32],
    term: usize,
    n: usize,
) {
    for r in 0..STEP / 2 {
        for (p, part) in parts.iter_mut().enumerate() {
            for tile in 0..2 {
                let from = p * COLS + 16 * tile;
                let columns = from.min(n)..(from + 16).min(n);
                let line = &mut part[16 * tile + r].0;
                bf16::column_pairs(kernel, b, n, term + 2 * r, columns, line);
            }
        }
    }
}

thread_local! {
    /// Some rows in bf16.
    static ROWS: RefCell<Vec<[u32; 16]>> = const { RefCell::new(Vec::new()) };
}

/// All of a panel out of `[n, k]`, in bf16. Rows are read along, and only then
/// cut into squares.
#[inline(always)]
fn half_from_rows(
    kernel: HalfKernel,
    panel: &mut [HalfLine],
    b: &[f32],
    from: usize,
    n: usize,
    k: usize,
) {
    let steps = k.div_ceil(STEP);
    let mut lines = ROWS.take();
    lines.clear();
    for row in b[from * k..n.min(from + COLS) * k].chunks_exact(k.max(1)) {
        let (whole, rest) = row.as_chunks::<STEP>();
        for values in whole {
            let mut line = [0; 16];
            bf16::round(kernel, values, &mut line);
            lines.push(line);
        }
        if !rest.is_empty() {
            let mut line = [0; 16];
            bf16::round_some(kernel, rest, &mut line);
            lines.push(line);
        }
    }
    lines.resize(COLS * steps, [0; 16]);
    for (s, step) in panel.chunks_exact_mut(STEP).enumerate() {
        for (tile, to) in step.chunks_exact_mut(16).enumerate() {
            let rows = &lines[16 * tile * steps + s..];
            let mut square = Square::ZERO;
            for (j, row) in square.0.iter_mut().enumerate() {
                *row = rows[j * steps];
            }
            square.mirror(kernel.isa());
            for (line, row) in to.iter_mut().zip(square.0) {
                line.0 = row;
            }
        }
    }
    ROWS.set(lines);
}
