//! Matrix products with an epilogue: every value of the result is handed on
//! while it is still in a register or the nearest cache.
//!
//! A row of a result is summed over its terms in order, whatever rows are
//! computed with it and on however many threads, so its bits do not depend on
//! what else is in the batch.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
pub(super) mod amx;
mod bf16;
mod bytes;
mod chain;
#[cfg(target_arch = "x86_64")]
pub(super) mod dot_bf16;
mod line;
mod output;
mod packed_rows;
mod panels;
pub(super) mod simd;
mod small;
mod spaced;
mod sweep;
mod tiles;

pub(super) use bytes::{ByteKernel, MOST_TERMS, chained as chained_bytes, screen};
pub(super) use chain::{Weights, chained};
pub(super) use line::{ByteLine, HalfLine};
pub(super) use output::{Lines, Rows, Sink, Store, write_past_cache};
pub(super) use packed_rows::{PackedRows, SpareBytes, blocks};
pub(super) use panels::{Block, COLS, Panels, Rhs};
pub(super) use small::{Small, grow};
pub(super) use spaced::Spaced;
pub(super) use tiles::{Spare, Tiles, narrow, widen};

use super::{Cpu, Isa};
use bytes::QuantizedRows;
use line::Line;
use panels::{Data, STEP};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use sweep::{Met, Multiply, Near, ROWS, RowBlock, groups, sweep};

/// The instructions for products in bf16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HalfKernel {
    /// Intel's tile registers.
    Amx,
    /// AVX-512's dot products of pairs.
    Dot,
}

impl HalfKernel {
    /// The least that a processor with it has.
    fn isa(self) -> Isa {
        match self {
            Self::Amx => Isa::Amx,
            Self::Dot => Isa::Avx512Bf16,
        }
    }
}

/// The first factor of a product, `[rows, k]`.
#[derive(Clone, Copy)]
pub(super) enum Left<'a> {
    /// Stored so.
    Rows(&'a [f32]),
    /// The transposed of `[k, width]`.
    Columns { values: &'a [f32], width: usize },
    /// Stored as tiles.
    Tiles(&'a Tiles),
    /// The transposed of what is stored as tiles.
    TileColumns(&'a Tiles),
    /// Stored as bytes.
    Bytes(&'a QuantizedRows),
}

impl Left<'_> {
    /// Rows and terms; a matrix of f32 leaves one of them open.
    fn fits(&self, rows: usize, k: usize) -> bool {
        match self {
            Self::Rows(values) => values.len() == rows * k,
            Self::Columns { values, width } => values.len() == width * k && rows == *width,
            Self::Tiles(tiles) => (tiles.rows(), tiles.cols()) == (rows, k),
            Self::TileColumns(tiles) => (tiles.cols(), tiles.rows()) == (rows, k),
            Self::Bytes(bytes) => (bytes.rows(), bytes.cols()) == (rows, k),
        }
    }
}

/// What should stay in a core's own cache of 1 MiB.
const NEAR: Near = Near {
    rows: 512 << 10,
    panels: 512 << 10,
};

/// In one of 2 MiB, as all with tiles have. Panels come from further away as often as
/// rows have parts, so that rows have most of the room.
const NEAR_TILES: Near = Near {
    rows: 1 << 20,
    panels: 512 << 10,
};

/// Rows of a result that are worth a task of their own.
const GRAIN: usize = 32;

/// A row of a tile.
pub(super) type Row = [f32; COLS];

/// Hands every row of every tile of `a b`, plus `bias` where there is one, to
/// `sink`.
pub(super) fn product(
    cpu: &Cpu,
    a: Left<'_>,
    rows: usize,
    b: &Panels,
    bias: Option<&[f32]>,
    sink: impl Sink,
) {
    assert!(a.fits(rows, b.k), "the factors do not fit each other");
    let bias = Bias::new(bias, b.n);
    if rows == 0 || b.n == 0 {
        return;
    }
    sink.check(rows, b.n);
    let threads = cpu.threads();
    // Few rows are shared out by columns: then every thread reads its own part
    // of the weights, and reading them is most of the work.
    let by_rows = rows >= 2 * GRAIN * threads || b.count() < threads;
    let (row_parts, column_parts) = if by_rows {
        (
            cpu.split(rows.div_ceil(GRAIN), 1),
            cpu.split(b.count(), usize::MAX),
        )
    } else {
        (
            cpu.split(rows.div_ceil(GRAIN), usize::MAX),
            cpu.split(b.count(), 1),
        )
    };
    let tasks: Vec<_> = row_parts
        .iter()
        .flat_map(|r| column_parts.iter().map(move |c| (r.clone(), c.clone())))
        .collect();
    cpu.each(tasks, |(r, panels)| {
        let rows = r.start * GRAIN..(r.end * GRAIN).min(rows);
        let task = Task {
            a,
            rows,
            b,
            panels,
            bias: &bias,
            sink: &sink,
        };
        cpu.simd(
            #[inline(always)]
            || match (&b.data, cpu.half, cpu.bytes) {
                (Data::F32(lines), ..) => task.float(cpu, lines),
                (Data::Bf16(lines), Some(half), _) => task.half(half, lines),
                (Data::Bytes(panels), _, Some(kernel)) => task.bytes(kernel, panels),
                _ => unreachable!("laid out for another backend"),
            },
        );
        output::finish_writes();
    });
}

/// A part of a product. Tasks of one product own disjoint ranges of rows or of
/// panels, and a task visits each of its tiles once.
struct Task<'a, S> {
    a: Left<'a>,
    rows: Range<usize>,
    b: &'a Panels,
    panels: Range<usize>,
    bias: &'a Bias<'a>,
    sink: &'a S,
}

impl<S: Sink> Task<'_, S> {
    /// Hands on what panel `p` has of some rows of the result, from `row` on.
    #[inline(always)]
    fn emit(&self, sums: &[Row], row: usize, p: usize) {
        // SAFETY: tasks own different rows or panels, and a task visits each of
        // its tiles once.
        unsafe { self.sink.put(sums, self.bias.panel(p), row, p) };
    }

    #[inline(always)]
    fn float(&self, cpu: &Cpu, lines: &[Line]) {
        let k = self.b.k;
        let chunk = (NEAR.rows / 4 / k.max(1))
            .max(1)
            .next_multiple_of(simd::ROWS);
        let mut tile = [0f32; simd::ROWS * COLS];
        let near = NEAR.panels / 4 / COLS / k.max(1);
        for from in self.rows.clone().step_by(chunk) {
            let chunk = from..(from + chunk).min(self.rows.end);
            for group in groups(self.panels.clone(), near) {
                for first in chunk.clone().step_by(simd::ROWS) {
                    let here = first..(first + simd::ROWS).min(chunk.end);
                    let (a, row_stride, term_stride) = match self.a {
                        Left::Rows(values) => (&values[first * k..], k, 1),
                        Left::Columns { values, width } => {
                            (&values[first.min(values.len())..], 1, width)
                        }
                        Left::Tiles(_) | Left::TileColumns(_) | Left::Bytes(_) => {
                            unreachable!("not laid out for f32")
                        }
                    };
                    for p in group.clone() {
                        cpu.arch.dispatch(simd::Tile {
                            a,
                            row_stride,
                            term_stride,
                            rows: here.len(),
                            panel: simd::flat(&lines[p * 2 * k..(p + 1) * 2 * k]),
                            out: &mut tile,
                        });
                        let sums = tile.as_chunks::<COLS>().0;
                        self.emit(&sums[..here.len()], here.start, p);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn half(&self, half: HalfKernel, lines: &[HalfLine]) {
        let k = self.b.k;
        let steps = k.div_ceil(STEP);
        let kernel = Kernel::new(half);
        // Taken out rather than borrowed: a closure given to `with` would not
        // be compiled for the instructions at hand.
        let mut packed = PACKED.take();
        for chunk in kernel.near().parts(self.rows.clone(), steps) {
            let needed = chunk.len().next_multiple_of(ROWS) * steps;
            if packed.len() < needed {
                packed.resize(needed, HalfLine::ZERO);
            }
            let tiles = match self.a {
                Left::Rows(values) => {
                    let values = &values[chunk.start * k..chunk.end * k];
                    let rows = Spaced::new(values, [chunk.len(), k], k);
                    bf16::pack_rows(half, &mut packed, rows);
                    &packed
                }
                Left::Columns { values, width } => {
                    let (from, count) = (chunk.start, chunk.len());
                    bf16::pack_columns(half, &mut packed, values, width, from, count);
                    &packed
                }
                Left::Tiles(tiles) => &tiles.lines()[chunk.start * steps..][..needed],
                Left::TileColumns(columns) => {
                    let (from, count) = (chunk.start, chunk.len());
                    tiles::pack_columns(half, &mut packed, columns, from, count);
                    &packed[..]
                }
                Left::Bytes(_) => unreachable!("not laid out for bf16"),
            };
            sweep(
                &kernel,
                tiles,
                chunk.len(),
                Met {
                    lines,
                    steps,
                    panels: self.panels.clone(),
                },
                #[inline(always)]
                |sums, i, p| self.emit(sums, chunk.start + i, p),
            );
        }
        PACKED.set(packed);
    }
}

/// What is added to every row of a product.
struct Bias<'a>(Option<Cow<'a, [Row]>>);

impl<'a> Bias<'a> {
    fn new(bias: Option<&'a [f32]>, n: usize) -> Self {
        Self(bias.map(|bias| {
            assert_eq!(bias.len(), n);
            let (rows, rest) = bias.as_chunks();
            if rest.is_empty() {
                return Cow::Borrowed(rows);
            }
            let mut last = [0f32; COLS];
            last[..rest.len()].copy_from_slice(rest);
            Cow::Owned([rows, &[last]].concat())
        }))
    }

    /// That of panel `p`, padded with zeros.
    #[inline(always)]
    fn panel(&self, p: usize) -> &Row {
        match &self.0 {
            Some(rows) => &rows[p],
            None => &[0.0; COLS],
        }
    }
}

#[inline(always)]
fn plus(a: &Row, b: &Row) -> Row {
    std::array::from_fn(|i| a[i] + b[i])
}

thread_local! {
    /// A task's share of the first factor in bf16.
    static PACKED: RefCell<Vec<HalfLine>> = const { RefCell::new(Vec::new()) };
}

/// A bf16 kernel made ready on this thread.
enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Amx(amx::Tiles),
    #[cfg(target_arch = "x86_64")]
    Dot,
    #[cfg(not(target_arch = "x86_64"))]
    None,
}

impl Kernel {
    #[cfg(target_arch = "x86_64")]
    fn new(half: HalfKernel) -> Self {
        match half {
            HalfKernel::Amx => Self::Amx(amx::Tiles::new()),
            HalfKernel::Dot => Self::Dot,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn new(_: HalfKernel) -> Self {
        Self::None
    }
}

impl Multiply for Kernel {
    type Line = HalfLine;
    type Sum = f32;

    fn near(&self) -> Near {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(_) => NEAR_TILES,
            _ => NEAR,
        }
    }

    fn steps(&self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(_) => amx::STEPS_THAT_STAY,
            _ => usize::MAX,
        }
    }

    #[inline(always)]
    fn product(
        &self,
        a: &RowBlock<'_, HalfLine>,
        panel: &[HalfLine],
        out: (&mut [f32], usize),
        mut meanwhile: impl FnMut(usize),
    ) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(tiles) => tiles.product_bf16(a, panel, out, meanwhile),
            #[cfg(target_arch = "x86_64")]
            Self::Dot => {
                dot_bf16::product(a.whole(), a.rows, panel, out);
                meanwhile(ROWS);
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::None => {
                let _ = (a.whole(), panel, out);
                meanwhile(0);
                unreachable!("no such processor has a bf16 kernel");
            }
        }
    }
}
