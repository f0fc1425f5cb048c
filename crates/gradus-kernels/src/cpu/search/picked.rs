//! Products of a query with rows that are picked by number, for walks through a graph of
//! them: first those of bytes, a quarter of the memory, then exact ones of a few.

#![allow(unsafe_code)]

use super::{PANEL, Tile, row_product};
use crate::cpu::Cpu;
use crate::cpu::matmul::simd::ROWS;

/// Bytes of a line of memory, of which a row begins one.
pub(super) const LINE: usize = 64;

/// Rows that are fetched ahead of the one whose product is computed.
const AHEAD: usize = 3;

/// Rows as bytes with a scale each, one behind the other, in memory.
pub struct ByteRows {
    bytes: Vec<i8>,
    scales: Vec<f32>,
    dim: usize,
}

/// Rows as bytes with a scale each, wherever they are.
#[derive(Clone, Copy)]
pub struct ByteRowsView<'a> {
    bytes: &'a [i8],
    scales: &'a [f32],
    dim: usize,
}

/// A query as bytes.
pub struct ByteQuery {
    values: Vec<i16>,
    scale: f32,
}

/// The values of a row as bytes, and what a byte stands for.
fn to_bytes(row: &[f32]) -> (impl Iterator<Item = i8>, f32) {
    let largest = row.iter().fold(0f32, |most, x| most.max(x.abs()));
    let scale = largest / 127.0;
    let inverse = match scale > 0.0 {
        true => 1.0 / scale,
        false => 0.0,
    };
    // Conversions cut what is out of range, and make NaN zero.
    let bytes = row.iter().map(move |x| (x * inverse).round() as i8);
    (bytes, scale)
}

impl ByteRows {
    /// Those of `rows`, `[rows, dim]`.
    pub fn pack(rows: &[f32], dim: usize) -> Self {
        let stride = dim.next_multiple_of(LINE);
        let count = rows.len().checked_div(dim).unwrap_or(0);
        let mut bytes = vec![0; count * stride];
        let mut scales = Vec::with_capacity(count);
        for (row, out) in rows
            .chunks_exact(dim.max(1))
            .zip(bytes.chunks_exact_mut(stride.max(1)))
        {
            let (values, scale) = to_bytes(row);
            out.iter_mut()
                .zip(values)
                .for_each(|(out, byte)| *out = byte);
            scales.push(scale);
        }
        Self { bytes, scales, dim }
    }

    /// Adds those of `rows`, `[rows, dim]`.
    pub fn extend(&mut self, rows: &[f32]) {
        let more = Self::pack(rows, self.dim);
        self.bytes.extend(more.bytes);
        self.scales.extend(more.scales);
    }

    /// As they are met.
    pub fn view(&self) -> ByteRowsView<'_> {
        ByteRowsView {
            bytes: &self.bytes,
            scales: &self.scales,
            dim: self.dim,
        }
    }
}

impl<'a> ByteRowsView<'a> {
    /// Of what was stored: `bytes`, `[rows, dim]` with each row's length rounded up to 64,
    /// and a scale each. `None` where they do not fit each other.
    pub fn stored(bytes: &'a [i8], scales: &'a [f32], dim: usize) -> Option<Self> {
        let fits = Self::bytes_of(scales.len(), dim) == Some(bytes.len());
        (dim > 0 && fits).then_some(Self { bytes, scales, dim })
    }

    /// How many bytes so many rows have.
    pub fn bytes_of(rows: usize, dim: usize) -> Option<usize> {
        dim.checked_next_multiple_of(LINE)?.checked_mul(rows)
    }

    /// How many there are.
    pub fn rows(&self) -> usize {
        self.scales.len()
    }

    /// The bytes, as they are stored.
    pub fn bytes(&self) -> &'a [i8] {
        self.bytes
    }

    /// The scales.
    pub fn scales(&self) -> &'a [f32] {
        self.scales
    }

    fn row(&self, row: usize) -> &'a [i8] {
        let stride = self.dim.next_multiple_of(LINE);
        &self.bytes[row * stride..(row + 1) * stride]
    }

    /// One of the rows, as a query.
    pub fn query(&self, row: usize) -> ByteQuery {
        let values = self.row(row).iter().map(|byte| i16::from(*byte));
        ByteQuery {
            values: values.collect(),
            scale: self.scales[row],
        }
    }
}

impl ByteQuery {
    /// Of a vector of as many values as rows have.
    pub fn new(vector: &[f32]) -> Self {
        let (bytes, scale) = to_bytes(vector);
        let mut values: Vec<i16> = bytes.map(i16::from).collect();
        values.resize(vector.len().next_multiple_of(LINE), 0);
        Self { values, scale }
    }
}

/// Asks for the memory of a row, which will be read soon.
#[inline(always)]
fn fetch(row: &[i8]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.as_chunks::<LINE>().0 {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address is one of a slice, and nothing is read from it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

impl Cpu {
    /// The scores of a query with some rows, both as bytes, in `scores`: the products of
    /// the vectors but for what bytes lose. The same on every processor.
    ///
    /// # Panics
    /// Where there is no such row, or rows and query are of different lengths.
    pub fn byte_scores(
        &self,
        query: &ByteQuery,
        rows: ByteRowsView<'_>,
        picked: &[u32],
        scores: &mut Vec<f32>,
    ) {
        let product = row_product::best(self.isa);
        for row in picked.iter().take(AHEAD) {
            fetch(rows.row(*row as usize));
        }
        scores.clear();
        for (place, &row) in picked.iter().enumerate() {
            if let Some(next) = picked.get(place + AHEAD) {
                fetch(rows.row(*next as usize));
            }
            let sum = product(&query.values, rows.row(row as usize)) as f32;
            scores.push(sum * (rows.scales[row as usize] * query.scale));
        }
    }

    /// The scores of a query with some rows, of the same bits as those of
    /// [`Cpu::score_panels`]. `fill` writes the values of a row.
    pub fn exact_scores(
        &self,
        query: &[f32],
        picked: &[usize],
        fill: impl Fn(usize, &mut [f32]),
    ) -> Vec<f32> {
        let dim = query.len();
        let (mut panel, mut row) = (vec![0f32; dim * PANEL], vec![0f32; dim]);
        let mut scores = Vec::with_capacity(picked.len());
        for some in picked.chunks(PANEL) {
            for (place, &number) in some.iter().enumerate() {
                fill(number, &mut row);
                let column = panel.iter_mut().skip(place).step_by(PANEL);
                column.zip(&row).for_each(|(out, x)| *out = *x);
            }
            let mut tile = [0f32; ROWS * PANEL];
            self.arch.dispatch(Tile {
                a: query,
                row_stride: dim,
                term_stride: 1,
                rows: 1,
                panel: &panel,
                out: &mut tile,
            });
            scores.extend_from_slice(&tile[..some.len()]);
        }
        scores
    }
}
