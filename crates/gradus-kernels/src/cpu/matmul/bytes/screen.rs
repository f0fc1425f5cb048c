//! Where a product of f32 may be large, by products of bytes: a quarter of the memory, and
//! faster. Bounds hold for every value, so that what they leave out need not be computed.
//!
//! With `x = x' + e` and `r = r' + f`, where `x'` and `r'` are what bytes stand for,
//! `<x, r> = <x', r'> + <e, r'> + <x, f>`, and the last two are at most `|e| |r'|` and
//! `|x| |f|`.

#![allow(unsafe_code)]

use super::pack::{BytePanels, fill_and};
use super::rows::{QuantizedRows, Scale};
use super::{ByteKernel, Ready, TERMS};
use crate::cpu::matmul::Row;
use crate::cpu::matmul::line::{ByteLine, line_of};
use crate::cpu::matmul::panels::COLS;
use crate::cpu::matmul::sweep::{Met, STEP_LINES, sweep};
use std::ops::Range;

/// What is said of a panel beside its bytes.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(in crate::cpu) struct PanelBounds {
    scales: Row,
    /// The sums of each row's bytes, times its scale.
    sums: Row,
    /// The largest `|r'|`.
    length: f32,
    /// The largest `|f|`, and what a sum of f32 may lose by rounding.
    rest: f32,
    /// What may be lost by rounding when bytes are scaled, for a query of scale 1.
    rounding: f32,
    unused: [f32; 13],
}

/// Half the distance of neighbouring f32 near 1.
const UNIT: f64 = 1.0 / (1 << 24) as f64;

/// To f32, never lower.
fn up(x: f64) -> f32 {
    (x as f32).next_up()
}

/// `rows`, `[rows, dim]`, as bytes in panels.
pub(in crate::cpu) fn pack(rows: &[f32], dim: usize) -> (Vec<ByteLine>, Vec<PanelBounds>) {
    let count = (rows.len() / dim).div_ceil(COLS);
    let mut panels = BytePanels::default();
    panels.resize(count, dim);
    let mut bounds = vec![];
    let some = rows.chunks(COLS * dim);
    for (rows, (lines, scales, sums)) in some.zip(panels.panels_mut(dim)) {
        let (mut length, mut rest, mut rounding) = (0f64, 0f64, 0f64);
        fill_and(
            (lines, &mut *scales, &mut *sums),
            rows,
            dim,
            |row, bytes, scale| {
                let (mut own, mut near, mut lost) = (0f64, 0f64, 0f64);
                for (&r, &q) in row.iter().zip(bytes) {
                    let (r, q) = (f64::from(r), f64::from(scale) * f64::from(q));
                    own += r * r;
                    near += q * q;
                    lost += (r - q) * (r - q);
                }
                let summed = (dim + 2) as f64 * UNIT * own.sqrt() * 1.01;
                length = length.max(near.sqrt());
                rest = rest.max(lost.sqrt() + summed);
                let largest = f64::from(scale) * 255.0 * 127.0 * dim as f64;
                rounding = rounding.max(largest * 8.0 * UNIT);
            },
        );
        bounds.push(PanelBounds {
            scales: *scales,
            sums: *sums,
            length: up(length * (1.0 + 1e-9)),
            rest: up(rest * (1.0 + 1e-9)),
            rounding: up(rounding),
            unused: [0.0; 13],
        });
    }
    (panels.lines, bounds)
}

/// Lines of so many panels.
pub(in crate::cpu) fn lines_of(panels: usize, dim: usize) -> usize {
    panels * dim.div_ceil(TERMS) * STEP_LINES
}

/// Memory as bytes.
pub(in crate::cpu) fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: a `Plain` has no padding.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// Bytes as what they were; `None` where they do not lie or end as such do.
pub(in crate::cpu) fn from_bytes<T: Plain>(bytes: &[u8]) -> Option<&[T]> {
    // SAFETY: any bytes make a `Plain`.
    let (before, values, behind) = unsafe { bytes.align_to::<T>() };
    (before.is_empty() && behind.is_empty()).then_some(values)
}

/// # Safety
/// Has no padding, and any bytes make one.
pub(in crate::cpu) unsafe trait Plain: Copy {}
// SAFETY: 64 bytes.
unsafe impl Plain for ByteLine {}
// SAFETY: 80 numbers in five lines.
unsafe impl Plain for PanelBounds {}
const _: () = assert!(size_of::<PanelBounds>() == (2 * COLS + 16) * 4);

/// Whether a value is above a limit, or either is NaN.
#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN counts")]
fn exceeds(value: f32, limit: f32) -> bool {
    !(value <= limit)
}

/// Queries as bytes.
pub(in crate::cpu) struct Screen {
    rows: QuantizedRows,
    of: Vec<Query>,
    dim: usize,
}

/// What is said of a query beside its bytes.
struct Query {
    /// `|x|` and `|e|`.
    length: f32,
    lost: f32,
    inverse: f32,
    /// The largest value of a byte.
    largest: f32,
}

/// Sums that go on side by side.
const LANES: usize = 8;

/// The squared lengths of `x`, and of what bytes leave of it.
#[inline(always)]
fn squares(x: &[f32], bytes: &[u8], scale: Scale) -> (f64, f64) {
    let (mut own, mut lost) = ([0f64; LANES], [0f64; LANES]);
    let (some, rest) = x.as_chunks::<LANES>();
    let (some_bytes, rest_bytes) = bytes.as_chunks::<LANES>();
    let mut last = ([0f32; LANES], [0u8; LANES]);
    last.0[..rest.len()].copy_from_slice(rest);
    let here = rest_bytes.len().min(rest.len());
    last.1[..here].copy_from_slice(&rest_bytes[..here]);
    // What stands beyond the last value adds nothing.
    last.1[here..].fill(scale.zero as u8);
    let last = (!rest.is_empty()).then_some((&last.0, &last.1));
    for (x, bytes) in some.iter().zip(some_bytes).chain(last) {
        for i in 0..LANES {
            let near = f64::from(scale.scale) * (f64::from(bytes[i]) - f64::from(scale.zero));
            let x = f64::from(x[i]);
            own[i] += x * x;
            lost[i] += (x - near) * (x - near);
        }
    }
    (own.iter().sum(), lost.iter().sum())
}

impl Screen {
    /// To be called where all instructions are at hand.
    #[inline(always)]
    pub fn new(queries: &[f32], dim: usize) -> Self {
        let count = queries.len() / dim;
        let mut rows = QuantizedRows::EMPTY;
        rows.fill(queries, count, dim);
        let steps = dim.div_ceil(TERMS);
        let mut of = Vec::with_capacity(count);
        for (i, x) in queries.chunks_exact(dim).enumerate() {
            let scale = rows.scale(i);
            let (mut own, mut lost) = (0f64, 0f64);
            for (step, x) in x.chunks(TERMS).enumerate() {
                let line = &rows.lines()[line_of(i, step, steps)].0[..x.len()];
                let (more_own, more_lost) = squares(x, line, scale);
                own += more_own;
                lost += more_lost;
            }
            of.push(Query {
                length: up(own.sqrt() * (1.0 + 1e-9)),
                lost: up(lost.sqrt() * (1.0 + 1e-9)),
                inverse: 1.0 / scale.scale,
                largest: scale.scale,
            });
        }
        Self { rows, of, dim }
    }

    /// Calls `may` with a query, a panel and bounds of its products where one may be above
    /// what `floor` says of the query. It is called for a query's panels in order, and
    /// everywhere where something is not finite. `queries` begin at a multiple of 32.
    #[inline(always)]
    pub fn sweep<S>(
        &self,
        kernel: ByteKernel,
        (lines, bounds): (&[ByteLine], &[PanelBounds]),
        (queries, panels): (Range<usize>, Range<usize>),
        sink: &mut S,
        floor: impl Fn(&S, usize) -> f32,
        may: impl Fn(&mut S, usize, usize, &Near),
    ) {
        let kernel = Ready::new(kernel);
        let steps = self.dim.div_ceil(TERMS);
        let met = Met {
            lines,
            steps,
            panels,
        };
        let start = queries.start;
        sweep(
            &kernel,
            &self.rows.lines()[start * steps..],
            queries.len(),
            met,
            #[inline(always)]
            |sums, first, p| {
                let bounds = &bounds[p];
                for (i, sums) in (start + first..).zip(sums) {
                    let (query, zero) = (&self.of[i], self.rows.scale(i).zero);
                    let floor = floor(sink, i);
                    let more = query.lost * bounds.length
                        + query.length * bounds.rest
                        + query.largest * bounds.rounding;
                    // These few operations round too.
                    let more = more * 1.000_01;
                    let limit = (floor - more - floor.abs() * 1e-6) * query.inverse;
                    let mut any = false;
                    let mut values = [0f32; COLS];
                    let rows = bounds.scales.iter().zip(&bounds.sums);
                    for ((value, sum), (scale, all)) in values.iter_mut().zip(sums).zip(rows) {
                        *value = (-zero).mul_add(*all, *sum as f32 * scale);
                        any |= exceeds(*value, limit);
                    }
                    if any {
                        may(sink, i, p, &Near::new(&values, query.largest, more));
                    }
                }
            },
        );
    }
}

/// What bytes say of a query's products with a panel.
pub(in crate::cpu) struct Near {
    /// None of them is above this.
    pub highest: f32,
    /// What each is not below; NaN where nothing is known.
    pub lowest: Row,
}

impl Near {
    #[inline(always)]
    fn new(values: &Row, scale: f32, more: f32) -> Self {
        let (mut most, mut odd) = ([f32::NEG_INFINITY; 16], false);
        for (i, value) in values.iter().enumerate() {
            let other = most[i % 16];
            most[i % 16] = if *value > other { *value } else { other };
            odd |= value.is_nan();
        }
        let most = most.iter().fold(f32::NEG_INFINITY, |m, v| m.max(*v));
        let highest = most * scale + more;
        let mut lowest = *values;
        for low in &mut lowest {
            let value = *low * scale - more;
            *low = value - value.abs() * 1e-6;
        }
        Self {
            highest: match odd || highest.is_nan() {
                true => f32::INFINITY,
                false => highest + highest.abs() * 1e-6,
            },
            lowest,
        }
    }
}
