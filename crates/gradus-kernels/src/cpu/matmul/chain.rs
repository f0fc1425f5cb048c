//! Two products in a row, the first one's result never leaving the cache.

use super::line::{HalfLine, line_of};
use super::panels::{COLS, Data, STEP};
use super::small::grow;
use super::sweep::{Met, sweep};
use super::{Bias, GRAIN, Kernel, Left, PACKED, Panels, Row, Spaced, bf16, blocks, plus};
use crate::cpu::Cpu;
use std::cell::RefCell;

/// Rows that go through both products together: about as many intermediate values as a
/// core's own cache holds. With fewer, weights would be read more often.
const CHUNK: usize = 512;

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
    pub(super) fn bias(&self) -> Bias<'_> {
        Bias::new(self.bias, self.panels.n)
    }

    fn lines(&self) -> Option<&[HalfLine]> {
        match &self.panels.data {
            Data::Bf16(lines) => Some(lines),
            Data::F32(_) | Data::Bytes(_) => None,
        }
    }
}

/// `out = f(x a + bias) b + bias`, where that is worth doing in one go: for
/// bf16, enough rows, and whole panels in between. If not, nothing is done.
pub(in crate::cpu) fn chained(
    cpu: &Cpu,
    (x, rows): (Left<'_>, usize),
    first: Weights<'_>,
    f: impl Fn(&Row, &mut Row) + Sync,
    second: Weights<'_>,
    out: &mut [f32],
) -> bool {
    let (k, n) = (first.panels.k, second.panels.n);
    assert!(second.panels.k == first.panels.n && n > 0 && k > 0);
    let (Some(half), Some(up), Some(down)) = (cpu.half, first.lines(), second.lines()) else {
        return false;
    };
    let whole = first.panels.n.is_multiple_of(COLS) && n.is_multiple_of(COLS);
    if !whole || rows < 2 * GRAIN * cpu.threads() {
        return false;
    }
    assert!(x.fits(rows, k) && out.len() == rows * n);
    let ranges = blocks(cpu, rows);
    let (up_bias, down_bias) = (first.bias(), second.bias());
    let parts = crate::cpu::cut(out, &ranges, n).into_iter().zip(&ranges);
    cpu.each(parts.collect(), |(out, range)| {
        cpu.simd(
            #[inline(always)]
            || {
                let kernel = Kernel::new(half);
                let (steps, inner) = (k.div_ceil(STEP), first.panels.n / COLS);
                let mut packed = PACKED.take();
                let mut between = BETWEEN.take();
                grow(&mut packed, CHUNK * steps);
                grow(&mut between, CHUNK * inner);
                for (from, out) in range.clone().step_by(CHUNK).zip(out.chunks_mut(CHUNK * n)) {
                    let rows = out.len() / n;
                    let lines = match x {
                        Left::Tiles(tiles) => &tiles.lines()[from * steps..],
                        Left::Rows(x) => {
                            let x = &x[from * k..(from + rows) * k];
                            bf16::pack_rows(half, &mut packed, Spaced::new(x, [rows, k], k));
                            &packed
                        }
                        _ => unreachable!("not rows for bf16"),
                    };
                    sweep(
                        &kernel,
                        lines,
                        rows,
                        Met {
                            lines: up,
                            steps,
                            panels: 0..inner,
                        },
                        #[inline(always)]
                        |sums, i, p| {
                            let bias = up_bias.panel(p);
                            for (i, sums) in (i..).zip(sums) {
                                let mut values = [0f32; COLS];
                                f(&plus(sums, bias), &mut values);
                                let line = line_of(i, p, inner);
                                bf16::round(half, &values, &mut between[line].0);
                            }
                        },
                    );
                    sweep(
                        &kernel,
                        &between,
                        rows,
                        Met {
                            lines: down,
                            steps: inner,
                            panels: 0..n / COLS,
                        },
                        #[inline(always)]
                        |sums, i, p| {
                            let bias = down_bias.panel(p);
                            let rows = out[i * n..].chunks_exact_mut(n);
                            for (row, sums) in rows.zip(sums) {
                                let out = &mut row[p * COLS..][..COLS];
                                out.copy_from_slice(&plus(sums, bias));
                            }
                        },
                    );
                }
                PACKED.set(packed);
                BETWEEN.set(between);
            },
        );
    });
    true
}
