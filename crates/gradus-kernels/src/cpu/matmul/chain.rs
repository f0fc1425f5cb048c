//! Two products in a row, the first one's result never leaving the cache.

use super::panels::{COLS, Data, HalfLine, STEP};
use super::{GRAIN, Kernel, PACKED, Panels, ROWS, Row, bf16};
use crate::cpu::Cpu;
use std::cell::RefCell;

/// Rows that go through both products together: their intermediate values and
/// the weights fit a core's own cache.
const CHUNK: usize = 256;

thread_local! {
    /// The first product's results in bf16.
    static BETWEEN: RefCell<Vec<HalfLine>> = const { RefCell::new(Vec::new()) };
}

/// A factor laid out, and what is added to the product with it.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Weights<'a> {
    pub panels: &'a Panels,
    pub bias: Option<&'a [f32]>,
}

impl Weights<'_> {
    /// The bias of panel `p`.
    #[inline(always)]
    fn bias(&self, p: usize) -> Row {
        let mut row = [0f32; COLS];
        if let Some(bias) = self.bias {
            let part = &bias[p * COLS..self.panels.n.min((p + 1) * COLS)];
            row[..part.len()].copy_from_slice(part);
        }
        row
    }

    fn lines(&self, p: usize) -> Option<&[HalfLine]> {
        let size = self.panels.k.div_ceil(STEP) * STEP;
        match &self.panels.data {
            Data::Bf16(lines) => Some(&lines[p * size..(p + 1) * size]),
            Data::F32(_) => None,
        }
    }
}

/// `out = f(x a + bias) b + bias`, where that is worth doing in one go: for
/// bf16, enough rows, and whole panels in between. If not, nothing is done.
pub(in crate::cpu) fn chained(
    cpu: &Cpu,
    x: &[f32],
    first: Weights<'_>,
    f: impl Fn(&Row, &mut Row) + Sync,
    second: Weights<'_>,
    out: &mut [f32],
) -> bool {
    let (k, n) = (first.panels.k, second.panels.n);
    assert!(second.panels.k == first.panels.n && n > 0 && k > 0);
    let rows = x.len() / k;
    let Some(half) = cpu.half else { return false };
    let whole = first.panels.n.is_multiple_of(COLS) && n.is_multiple_of(COLS);
    if !whole || rows < 2 * GRAIN * cpu.threads() {
        return false;
    }
    assert!(x.len() == rows * k && out.len() == rows * n);
    let ranges = cpu.split(rows.div_ceil(GRAIN), 1);
    let ranges: Vec<_> = ranges
        .iter()
        .map(|r| r.start * GRAIN..(r.end * GRAIN).min(rows))
        .collect();
    let parts = crate::cpu::cut(out, &ranges, n).into_iter().zip(&ranges);
    cpu.each(parts.collect(), |(out, range)| {
        let x = &x[range.start * k..range.end * k];
        cpu.simd(
            #[inline(always)]
            || {
                let kernel = Kernel::new(half);
                let (steps, inner) = (k.div_ceil(STEP), first.panels.n / COLS);
                let mut packed = PACKED.take();
                let mut between = BETWEEN.take();
                grow(&mut packed, CHUNK * steps);
                grow(&mut between, CHUNK * inner);
                let mut tile = [0f32; ROWS * COLS];
                for (x, out) in x.chunks(CHUNK * k).zip(out.chunks_mut(CHUNK * n)) {
                    let rows = x.len() / k;
                    bf16::pack_rows(half, &mut packed, x, k);
                    for p in 0..inner {
                        let (Some(panel), bias) = (first.lines(p), first.bias(p)) else {
                            return;
                        };
                        for at in (0..rows).step_by(ROWS) {
                            kernel.product(&packed[at * steps..(at + ROWS) * steps], panel, &mut tile);
                            // Rows beyond the last hold what they held before;
                            // what becomes of them is not used.
                            for (i, sums) in tile.as_chunks::<COLS>().0.iter().enumerate() {
                                let mut sums = *sums;
                                for (sum, b) in sums.iter_mut().zip(&bias) {
                                    *sum += b;
                                }
                                let mut values = [0f32; COLS];
                                f(&sums, &mut values);
                                let line = bf16::line_of(at + i, p, inner);
                                bf16::round(half, &values, &mut between[line]);
                            }
                        }
                    }
                    for p in 0..n / COLS {
                        let (Some(panel), bias) = (second.lines(p), second.bias(p)) else {
                            return;
                        };
                        for at in (0..rows).step_by(ROWS) {
                            kernel.product(&between[at * inner..(at + ROWS) * inner], panel, &mut tile);
                            let tile = tile.as_chunks::<COLS>().0.iter();
                            for (row, sums) in (at..rows.min(at + ROWS)).zip(tile) {
                                let out = &mut out[row * n + p * COLS..][..COLS];
                                for ((out, sum), b) in out.iter_mut().zip(sums).zip(&bias) {
                                    *out = sum + b;
                                }
                            }
                        }
                    }
                }
                PACKED.set(packed);
                BETWEEN.set(between);
            },
        );
    });
    true
}

fn grow(lines: &mut Vec<HalfLine>, len: usize) {
    if lines.len() < len {
        lines.resize(len, HalfLine([0; 32]));
    }
}
