//! Two products of bytes in a row. What lies between is quantized anew, which needs whole
//! rows of it: some rows at a time stay in a core's own cache.

use super::{QuantizedRows, Ready};
use crate::cpu::Cpu;
use crate::cpu::matmul::panels::{COLS, Data};
use crate::cpu::matmul::sweep::{Met, sweep};
use crate::cpu::matmul::{GRAIN, Left, Row, Weights, blocks, plus};
use std::cell::RefCell;

/// Rows that go through both products together.
const CHUNK: usize = 128;

/// A task's working memory.
#[derive(Default)]
struct Scratch {
    first: QuantizedRows,
    between: Vec<f32>,
    second: QuantizedRows,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = const {
        RefCell::new(Scratch {
            first: QuantizedRows::EMPTY,
            between: Vec::new(),
            second: QuantizedRows::EMPTY,
        })
    };
}

/// `out = f(x a + bias) b + bias`, where both factors are in bytes and there are rows
/// enough. If not, nothing is done.
pub(in crate::cpu) fn chained(
    cpu: &Cpu,
    (x, rows): (Left<'_>, usize),
    first: Weights<'_>,
    f: impl Fn(&Row, &mut Row) + Sync,
    second: Weights<'_>,
    out: &mut [f32],
) -> bool {
    let (k, inner, n) = (first.panels.k, second.panels.k, second.panels.n);
    assert!(first.panels.n == inner && n > 0 && k > 0);
    let (Some(kernel), Data::Bytes(up), Data::Bytes(down)) =
        (cpu.bytes, &first.panels.data, &second.panels.data)
    else {
        return false;
    };
    let whole = inner.is_multiple_of(COLS) && n.is_multiple_of(COLS);
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
                let kernel = Ready::new(kernel);
                let mut scratch = SCRATCH.take();
                let Scratch {
                    first,
                    between,
                    second,
                } = &mut scratch;
                if between.len() < CHUNK * inner {
                    between.resize(CHUNK * inner, 0.0);
                }
                let steps = k.div_ceil(super::TERMS);
                for (from, out) in range.clone().step_by(CHUNK).zip(out.chunks_mut(CHUNK * n)) {
                    let rows = out.len() / n;
                    let (first, from) = match x {
                        Left::Bytes(bytes) => (bytes, from),
                        Left::Rows(x) => {
                            first.fill(&x[from * k..(from + rows) * k], rows, k);
                            (&*first, 0)
                        }
                        _ => unreachable!("not rows for bytes"),
                    };
                    sweep(
                        &kernel,
                        &first.lines()[from * steps..],
                        rows,
                        Met {
                            lines: &up.lines,
                            steps,
                            panels: 0..inner / COLS,
                        },
                        #[inline(always)]
                        |sums, i, p| {
                            let bias = up_bias.panel(p);
                            let to = between[i * inner..].chunks_exact_mut(inner);
                            for ((i, sums), to) in (i..).zip(sums).zip(to) {
                                let row = up.values(sums, first.scale(from + i), p);
                                if let Some(to) = to[p * COLS..].first_chunk_mut() {
                                    f(&plus(&row, bias), to);
                                }
                            }
                        },
                    );
                    second.fill(&between[..rows * inner], rows, inner);
                    sweep(
                        &kernel,
                        second.lines(),
                        rows,
                        Met {
                            lines: &down.lines,
                            steps: inner.div_ceil(super::TERMS),
                            panels: 0..n / COLS,
                        },
                        #[inline(always)]
                        |sums, i, p| {
                            let bias = down_bias.panel(p);
                            let to = out[i * n..].chunks_exact_mut(n);
                            for ((i, sums), to) in (i..).zip(sums).zip(to) {
                                let row = down.values(sums, second.scale(i), p);
                                to[p * COLS..][..COLS].copy_from_slice(&plus(&row, bias));
                            }
                        },
                    );
                }
                SCRATCH.set(scratch);
            },
        );
    });
    true
}
