//! Rows that whoever computed them has laid out as a first factor, while they were near:
//! then no product that takes them has to read them for that.

use super::bytes::{QuantizedRows, Scale};
use super::line::{ByteLine, HalfLine};
use super::sweep::ROWS;
use super::{GRAIN, HalfKernel, Left, Tiles, bf16};
use crate::cpu::{Cpu, cut};
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// Some rows of f32 as products take them.
pub(in crate::cpu) enum PackedRows {
    Half(HalfKernel, Tiles),
    Bytes(ByteRows),
}

/// Memory of rows that are gone.
pub(in crate::cpu) type SpareBytes = Mutex<Vec<QuantizedRows>>;

/// Rows as bytes, whose memory goes back when they go.
pub(in crate::cpu) struct ByteRows {
    rows: QuantizedRows,
    spare: Arc<SpareBytes>,
}

/// More pieces of memory than this are given back to the system.
const KEPT: usize = 16;

impl Drop for ByteRows {
    fn drop(&mut self) {
        let mut kept = self.spare.lock().unwrap_or_else(|e| e.into_inner());
        if kept.len() < KEPT {
            kept.push(std::mem::take(&mut self.rows));
        }
    }
}

/// Some of the rows, to be written by one thread.
pub(in crate::cpu) enum PackedPart<'a> {
    Half(HalfKernel, &'a mut [HalfLine]),
    Bytes(&'a mut [ByteLine], &'a mut [Scale]),
}

impl PackedPart<'_> {
    /// Lays out row `i` of the part.
    #[inline(always)]
    pub fn put(&mut self, i: usize, row: &[f32]) {
        match self {
            Self::Half(kernel, lines) => {
                let from = i / ROWS * ROWS * (row.len() / super::COLS);
                bf16::pack_row(*kernel, &mut lines[from..], i % ROWS, row);
            }
            Self::Bytes(lines, scales) => scales[i] = QuantizedRows::put(lines, i, row),
        }
    }
}

/// Ranges of rows for the threads, each of whole blocks that tiles are made of.
pub(in crate::cpu) fn blocks(cpu: &Cpu, rows: usize) -> Vec<Range<usize>> {
    let ranges = cpu.split(rows.div_ceil(GRAIN), 1).into_iter();
    ranges
        .map(|r| r.start * GRAIN..(r.end * GRAIN).min(rows))
        .collect()
}

impl PackedRows {
    /// Room for some rows, of any content, where the backend's products for inference
    /// take rows laid out, and of so many columns.
    pub fn uninit(cpu: &Cpu, rows: usize, cols: usize) -> Option<Self> {
        if cpu.bytes.is_some() {
            let spare = Arc::clone(&cpu.spare_bytes);
            let kept = spare.lock().unwrap_or_else(|e| e.into_inner()).pop();
            let mut of = kept.unwrap_or_default();
            of.make_room(rows, cols);
            return Some(Self::Bytes(ByteRows { rows: of, spare }));
        }
        let half = cpu.half.filter(|_| cols.is_multiple_of(super::COLS))?;
        Some(Self::Half(half, Tiles::uninit(&cpu.tiles, rows, cols)))
    }

    /// Its parts by ranges of [`blocks`].
    pub fn parts(&mut self, ranges: &[Range<usize>]) -> Vec<PackedPart<'_>> {
        let whole: Vec<_> = ranges
            .iter()
            .map(|r| r.start..r.end.next_multiple_of(ROWS))
            .collect();
        match self {
            Self::Half(kernel, tiles) => {
                let steps = tiles.steps();
                let parts = cut(tiles.lines_mut(), &whole, steps).into_iter();
                parts
                    .map(|lines| PackedPart::Half(*kernel, lines))
                    .collect()
            }
            Self::Bytes(bytes) => {
                let (steps, lines, scales) = bytes.rows.parts_mut();
                let lines = cut(lines, &whole, steps).into_iter();
                let parts = lines.zip(cut(scales, ranges, 1));
                parts.map(|(l, s)| PackedPart::Bytes(l, s)).collect()
            }
        }
    }

    /// As a first factor.
    pub fn left(&self) -> Left<'_> {
        match self {
            Self::Half(_, tiles) => Left::Tiles(tiles),
            Self::Bytes(bytes) => Left::Bytes(&bytes.rows),
        }
    }
}
