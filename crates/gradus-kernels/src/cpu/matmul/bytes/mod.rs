//! Products of bytes, for inference: weights as [`crate::int8`] says, activations with a
//! scale and a zero point for each row (dynamic quantization). Sums are exact integers,
//! so every kernel has the same results.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
mod chain;
mod pack;
mod plain;
mod rows;
pub(in crate::cpu) mod screen;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod vnni;

pub(in crate::cpu) use chain::chained;
pub(super) use pack::{BytePanel, BytePanels, fill};
pub(in crate::cpu) use rows::QuantizedRows;
pub(in crate::cpu) use rows::Scale;

#[cfg(target_arch = "x86_64")]
use super::amx;
use super::line::ByteLine;
use super::sweep::{Met, Multiply, Near, ROWS, RowBlock, sweep};
use super::{Left, NEAR, NEAR_TILES, Row, Sink, Task};
use crate::cpu::Isa;
use std::cell::RefCell;

/// Terms that a line of a row holds.
pub(super) const TERMS: usize = 64;

/// More terms might overflow a sum.
pub(in crate::cpu) const MOST_TERMS: usize = 1 << 16;

/// The instructions for products of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum ByteKernel {
    /// Any.
    Plain,
    /// 256-bit products of pairs of 16-bit integers.
    Avx2,
    /// 256-bit dot products of four bytes.
    AvxVnni,
    /// The same in 512 bits.
    Vnni,
    /// Intel's tile registers.
    Amx,
}

impl ByteKernel {
    #[cfg(test)]
    pub const ALL: [Self; 5] = [
        Self::Plain,
        Self::Avx2,
        Self::AvxVnni,
        Self::Vnni,
        Self::Amx,
    ];

    /// The best of those that go with some instructions.
    pub fn best(isa: Isa) -> Self {
        match isa {
            Isa::Amx => Self::Amx,
            Isa::Avx512 | Isa::Avx512Bf16 if Self::Vnni.is_available() => Self::Vnni,
            Isa::Avx2 | Isa::Avx512 | Isa::Avx512Bf16 if Self::AvxVnni.is_available() => {
                Self::AvxVnni
            }
            Isa::Avx2 | Isa::Avx512 | Isa::Avx512Bf16 => Self::Avx2,
            Isa::Portable | Isa::Neon => Self::Plain,
        }
    }

    /// Whether the processor has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Plain => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => is_x86_feature_detected!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => {
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Amx => Isa::Amx.is_available(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }
}

/// A kernel made ready on this thread.
pub(super) enum Ready {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Vnni,
    #[cfg(target_arch = "x86_64")]
    Amx(amx::Tiles),
}

impl Ready {
    /// # Panics
    /// Where the processor does not have the kernel.
    pub fn new(kernel: ByteKernel) -> Self {
        assert!(kernel.is_available());
        match kernel {
            ByteKernel::Plain => Self::Plain,
            #[cfg(target_arch = "x86_64")]
            ByteKernel::Avx2 => Self::Avx2,
            #[cfg(target_arch = "x86_64")]
            ByteKernel::AvxVnni => Self::AvxVnni,
            #[cfg(target_arch = "x86_64")]
            ByteKernel::Vnni => Self::Vnni,
            #[cfg(target_arch = "x86_64")]
            ByteKernel::Amx => Self::Amx(amx::Tiles::new()),
            #[cfg(not(target_arch = "x86_64"))]
            _ => Self::Plain,
        }
    }
}

impl Multiply for Ready {
    type Line = ByteLine;
    type Sum = i32;

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
        a: &RowBlock<'_, ByteLine>,
        panel: &[ByteLine],
        out: (&mut [i32], usize),
        mut meanwhile: impl FnMut(usize),
    ) {
        let (whole, rows) = (a.lines, a.rows);
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(tiles) => return tiles.product_bytes(a, panel, out, meanwhile),
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => vnni::product(whole, rows, panel, out),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => avx_vnni::product(whole, rows, panel, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::product(whole, rows, panel, out),
            Self::Plain => plain::product(whole, rows, panel, out),
        }
        meanwhile(ROWS);
    }
}

thread_local! {
    /// A task's share of the first factor.
    static PACKED: RefCell<QuantizedRows> = const { RefCell::new(QuantizedRows::EMPTY) };
}

/// Rows that are handed on at a time.
const SOME: usize = 4;

impl<S: Sink> Task<'_, S> {
    #[inline(always)]
    pub(super) fn bytes(&self, kernel: ByteKernel, panels: &BytePanels) {
        let k = self.b.k;
        let steps = k.div_ceil(TERMS);
        let kernel = Ready::new(kernel);
        let mut packed = PACKED.take();
        for chunk in kernel.near().parts(self.rows.clone(), steps) {
            let (rows, first) = match self.a {
                Left::Rows(values) => {
                    packed.fill(&values[chunk.start * k..chunk.end * k], chunk.len(), k);
                    (&packed, 0)
                }
                Left::Bytes(rows) => (rows, chunk.start),
                _ => unreachable!("bytes are made of rows only"),
            };
            sweep(
                &kernel,
                &rows.lines()[first * steps..],
                chunk.len(),
                Met {
                    lines: &panels.lines,
                    steps,
                    panels: self.panels.clone(),
                },
                #[inline(always)]
                |sums, i, p| {
                    for (n, sums) in sums.chunks(SOME).enumerate() {
                        let i = i + n * SOME;
                        let mut values = [[0f32; super::COLS]; SOME];
                        for ((r, row), sums) in values.iter_mut().enumerate().zip(sums) {
                            *row = panels.values(sums, rows.scale(first + i + r), p);
                        }
                        self.emit(&values[..sums.len()], chunk.start + i, p);
                    }
                },
            );
        }
        PACKED.set(packed);
    }
}

impl BytePanels {
    /// What sums are worth: `s_a (s_b sums - z s_b sum(b))`, where `z` is the byte that
    /// stands for zero in the first factor.
    #[inline(always)]
    pub(super) fn values(&self, sums: &[i32; super::COLS], of: rows::Scale, p: usize) -> Row {
        let (scales, weights) = (&self.scales[p], &self.sums[p]);
        let mut values = [0f32; super::COLS];
        // A loop: a closure might be compiled without the instructions at hand.
        for j in 0..super::COLS {
            let all = sums[j] as f32 * scales[j];
            values[j] = of.scale * (-of.zero).mul_add(weights[j], all);
        }
        values
    }
}
