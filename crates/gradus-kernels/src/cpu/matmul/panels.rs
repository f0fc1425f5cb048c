//! The second factor of a product, laid out once so that kernels read it in
//! one direction.

use super::bytes::{self, BytePanel, BytePanels};
use super::line::{HalfLine, Line};
use super::output::finish_writes;
use super::{HalfKernel, Spaced, Tiles, bf16};
use crate::cpu::transpose::Square;
use crate::cpu::{Cpu, Isa};
use std::cell::RefCell;

/// Columns of a panel: two vectors of AVX-512, two AMX tiles.
pub(crate) const COLS: usize = 32;

/// Terms that a bf16 kernel takes in one step: a row of an AMX tile.
pub(super) const STEP: usize = 32;

/// How the factor `b` of `a b` is stored before it is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rhs {
    /// `[n, k]`: the product is `a b^T`.
    Transposed,
    /// `[k, n]`: the product is `a b`.
    Plain,
    /// As [`Rhs::Transposed`], to be laid out in bytes.
    Bytes,
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
    /// See there.
    Bytes(BytePanels),
}

/// What [`COLS`] rows of a factor, as it is stored, become in its panels.
pub(crate) struct Block<'a> {
    rhs: Rhs,
    /// Length of a row.
    width: usize,
    parts: Parts<'a>,
}

/// One part, a panel, where the rows are its columns; one for each panel where
/// they are terms.
enum Parts<'a> {
    F32(Vec<&'a mut [Line]>),
    Bf16(Vec<&'a mut [HalfLine]>),
    Bytes(BytePanel<'a>),
}

impl Panels {
    /// Lays out `b` in the backend's precision, in the memory of `old` where there is
    /// some.
    pub(crate) fn pack(
        cpu: &Cpu,
        b: &[f32],
        rhs: Rhs,
        n: usize,
        k: usize,
        old: Option<Self>,
    ) -> Self {
        Self::pack_as(cpu, cpu.half.is_some(), b, (rhs, n, k), old)
    }

    /// Lays out `b` in f32, whatever the backend's precision is.
    pub(crate) fn pack_exact(cpu: &Cpu, b: &[f32], rhs: Rhs, n: usize, k: usize) -> Self {
        Self::pack_as(cpu, false, b, (rhs, n, k), None)
    }

    fn pack_as(
        cpu: &Cpu,
        half: bool,
        b: &[f32],
        (rhs, n, k): (Rhs, usize, usize),
        old: Option<Self>,
    ) -> Self {
        assert_eq!(b.len(), n * k);
        let count = n.div_ceil(COLS);
        let old = old.map(|o| o.data);
        let data = if rhs == Rhs::Bytes {
            let mut panels = match old {
                Some(Data::Bytes(panels)) => panels,
                _ => BytePanels::default(),
            };
            panels.resize(count, k);
            Data::Bytes(panels)
        } else if half {
            let mut lines = match old {
                Some(Data::Bf16(lines)) => lines,
                _ => vec![],
            };
            lines.resize(count * k.div_ceil(STEP) * STEP, HalfLine::ZERO);
            Data::Bf16(lines)
        } else {
            let mut lines = match old {
                Some(Data::F32(lines)) => lines,
                _ => vec![],
            };
            lines.resize(count * k * 2, Line([0.0; 16]));
            Data::F32(lines)
        };
        let mut panels = Self { k, n, data };
        let blocks = panels.blocks(rhs);
        let size = blocks.first().map_or(1, |block| block.values().max(1));
        let work = blocks.into_iter().zip(b.chunks(size)).collect();
        cpu.each(work, |(block, rows)| {
            cpu.simd(
                #[inline(always)]
                || block.fill(cpu, rows),
            );
        });
        panels
    }

    /// Lays out a factor `[k, n]` that exists in bf16 alone, in the memory of
    /// `old` where there is some.
    pub(crate) fn of_tiles(cpu: &Cpu, b: &Tiles, old: Option<Self>) -> Self {
        let (k, n) = (b.rows(), b.cols());
        let mut lines = match old.map(|o| o.data) {
            Some(Data::Bf16(lines)) => lines,
            _ => vec![],
        };
        lines.resize(n / COLS * k.div_ceil(STEP) * STEP, HalfLine::ZERO);
        let data = Data::Bf16(lines);
        let mut panels = Self { k, n, data };
        let blocks = panels.blocks(Rhs::Plain).into_iter().enumerate();
        cpu.each(blocks.collect(), |(i, block)| {
            let Parts::Bf16(mut parts) = block.parts else {
                return;
            };
            cpu.simd(
                #[inline(always)]
                || {
                    for r in 0..STEP / 2 {
                        for (p, part) in parts.iter_mut().enumerate() {
                            let [first, second] = b.row_pairs(i * STEP + 2 * r, p);
                            (part[r], part[16 + r]) = (first, second);
                        }
                    }
                },
            );
        });
        panels
    }

    /// How many values the factor has.
    pub(crate) fn len(&self) -> usize {
        self.n * self.k
    }

    /// How many panels there are.
    pub(super) fn count(&self) -> usize {
        self.n.div_ceil(COLS)
    }

    /// Its parts by the rows that they come from.
    pub(crate) fn blocks(&mut self, rhs: Rhs) -> Vec<Block<'_>> {
        let (rows, width) = match rhs {
            Rhs::Transposed | Rhs::Bytes => (self.n, self.k),
            Rhs::Plain => (self.k, self.n),
        };
        let k = self.k;
        let parts: Vec<Parts<'_>> = match &mut self.data {
            Data::F32(lines) => {
                let parts = by_rows(lines, rhs, 2 * self.k, 2 * COLS, rows);
                parts.into_iter().map(Parts::F32).collect()
            }
            Data::Bf16(lines) => {
                let panel = self.k.div_ceil(STEP) * STEP;
                let parts = by_rows(lines, rhs, panel, STEP, rows);
                parts.into_iter().map(Parts::Bf16).collect()
            }
            Data::Bytes(panels) => panels.panels_mut(k).map(Parts::Bytes).collect(),
        };
        let block = |parts| Block { rhs, width, parts };
        parts.into_iter().map(block).collect()
    }
}

/// Cuts panels of `panel` lines, of which `step` lines come from one block of
/// rows where rows are terms.
fn by_rows<L>(
    lines: &mut [L],
    rhs: Rhs,
    panel: usize,
    step: usize,
    rows: usize,
) -> Vec<Vec<&mut [L]>> {
    let panels = lines.chunks_exact_mut(panel.max(1));
    match rhs {
        Rhs::Transposed | Rhs::Bytes => panels.map(|panel| vec![panel]).collect(),
        Rhs::Plain => {
            let mut blocks: Vec<Vec<_>> = vec![];
            blocks.resize_with(rows.div_ceil(COLS), Vec::new);
            for panel in panels {
                for (block, part) in blocks.iter_mut().zip(panel.chunks_mut(step)) {
                    block.push(part);
                }
            }
            blocks
        }
    }
}

impl Block<'_> {
    /// How many values its rows have, but for the last block's.
    pub(crate) fn values(&self) -> usize {
        COLS * self.width
    }

    /// Fills it from its rows, for a product that comes next.
    #[inline(always)]
    pub(crate) fn fill(self, cpu: &Cpu, rows: &[f32]) {
        self.fill_by(cpu, rows, bf16::put);
    }

    /// Fills it from its rows, for a product that comes when caches have held much else.
    #[inline(always)]
    pub(crate) fn fill_past_cache(self, cpu: &Cpu, rows: &[f32]) {
        self.fill_by(cpu, rows, bf16::put_past_cache);
        finish_writes();
    }

    #[inline(always)]
    fn fill_by(self, cpu: &Cpu, rows: &[f32], put: impl Fn(HalfKernel, &[u32; 16], &mut HalfLine)) {
        let width = self.width;
        match (self.parts, self.rhs, cpu.half) {
            (Parts::F32(mut parts), Rhs::Transposed, _) => {
                for panel in &mut parts {
                    from_rows(cpu.isa, panel, rows, width);
                }
            }
            (Parts::F32(mut parts), Rhs::Plain, _) => {
                for (p, part) in parts.iter_mut().enumerate() {
                    from_columns(part, rows, p * COLS, width);
                }
            }
            (Parts::Bf16(mut parts), Rhs::Transposed, Some(kernel)) => {
                for panel in &mut parts {
                    let count = rows.len() / width.max(1);
                    let columns = Spaced::new(rows, [count, width], width);
                    half_from_rows(kernel, panel, columns, &put);
                }
            }
            (Parts::Bf16(mut parts), Rhs::Plain, Some(kernel)) => {
                half_from_columns(kernel, &mut parts, (rows, width), put);
            }
            (Parts::Bytes(panel), ..) => bytes::fill(panel, rows, width),
            (Parts::F32(_) | Parts::Bf16(_), ..) => {
                unreachable!("laid out for another backend")
            }
        }
    }
}

/// Some terms of a panel: columns `from..` of `[terms, n]`.
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

/// A panel whose columns are the rows `[columns, k]`.
#[inline(always)]
fn from_rows(isa: Isa, panel: &mut [Line], rows: &[f32], k: usize) {
    for tile in 0..2 {
        for block in (0..k).step_by(16) {
            let terms = (k - block).min(16);
            let mut square = Square::ZERO;
            let columns = rows.chunks_exact(k).skip(16 * tile);
            for (bits, column) in square.0.iter_mut().zip(columns) {
                for (bits, x) in bits.iter_mut().zip(&column[block..][..terms]) {
                    *bits = x.to_bits();
                }
            }
            square.mirror(isa);
            for (r, row) in square.0[..terms].iter().enumerate() {
                panel[2 * (block + r) + tile].0 = row.map(f32::from_bits);
            }
        }
    }
}

/// One step of every panel out of `[STEP, n]`, in bf16. Rows are read along.
#[inline(always)]
fn half_from_columns(
    kernel: HalfKernel,
    parts: &mut [&mut [HalfLine]],
    (b, n): (&[f32], usize),
    put: impl Fn(HalfKernel, &[u32; 16], &mut HalfLine),
) {
    for r in 0..STEP / 2 {
        for (p, part) in parts.iter_mut().enumerate() {
            for tile in 0..2 {
                let from = p * COLS + 16 * tile;
                let columns = from.min(n)..(from + 16).min(n);
                let mut pairs = [0; 16];
                bf16::column_pairs(kernel, b, n, 2 * r, columns, &mut pairs);
                put(kernel, &pairs, &mut part[16 * tile + r]);
            }
        }
    }
}

thread_local! {
    /// Some rows in bf16.
    static ROWS: RefCell<Vec<[u32; 16]>> = const { RefCell::new(Vec::new()) };
}

/// A panel whose columns are `columns`' rows, in bf16. Rows are read along, and
/// only then cut into squares.
#[inline(always)]
pub(super) fn half_from_rows(
    kernel: HalfKernel,
    panel: &mut [HalfLine],
    columns: Spaced<'_>,
    put: impl Fn(HalfKernel, &[u32; 16], &mut HalfLine),
) {
    let steps = columns.cols().div_ceil(STEP);
    let mut lines = ROWS.take();
    lines.clear();
    for i in 0..columns.rows() {
        let (whole, rest) = columns.row(i).as_chunks::<STEP>();
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
            for (line, row) in to.iter_mut().zip(&square.0) {
                put(kernel, row, line);
            }
        }
    }
    ROWS.set(lines);
}
