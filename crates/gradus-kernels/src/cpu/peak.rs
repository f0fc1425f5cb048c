//! What the machine can do at best, measured: what kernels are compared with.

#![allow(unsafe_code)]

use super::matmul::HalfKernel;
use super::{Isa, Unavailable};
use pulp::{Simd, WithSimd};
use std::hint::black_box;
use std::sync::{Barrier, OnceLock};
use std::time::{Duration, Instant};

/// The machine's best rates on some threads, with some instructions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Multiplications and additions of f32 in a second, each counted.
    pub f32: f64,
    /// The same in bf16 with f32 sums; `None` where the instructions have no
    /// such products.
    pub bf16: Option<f64>,
    /// Bytes that a sum over far more memory than the caches hold reads in a
    /// second.
    pub read: f64,
    /// Bytes read and bytes written in a second, counted together, where such
    /// memory is changed in place: no other pattern of writing moves only what
    /// it counts.
    pub update: f64,
}

impl Peak {
    /// Measures for about `time` per rate; `bytes` of memory, of all threads
    /// together, should be several times the caches.
    ///
    /// # Errors
    /// Where the processor does not have the instructions.
    pub fn measure(
        threads: usize,
        isa: Isa,
        time: Duration,
        bytes: usize,
    ) -> Result<Self, Unavailable> {
        let isa = isa.require()?;
        let threads = threads.max(1);
        let arch = isa.vectors();
        let blocks = (bytes / threads / size_of::<[Block; STREAMS]>()).max(1);
        let f32 = best(threads, time, || move || arch.dispatch(MultiplyAdd));
        let bf16 = isa.half_kernel().map(|kernel| half(kernel, threads, time));
        let read = best(threads, time, || {
            let mut memory = Memory::new(blocks);
            move || {
                let blocks = memory.next();
                black_box(arch.dispatch(
                    #[inline(always)]
                    || sum(blocks),
                ));
                size_of::<[Block; STREAMS]>() as f64
            }
        });
        let update = best(threads, time, || {
            let mut memory = Memory::new(blocks);
            move || {
                let blocks = memory.next();
                arch.dispatch(
                    #[inline(always)]
                    || change(blocks),
                );
                2.0 * size_of::<[Block; STREAMS]>() as f64
            }
        });
        Ok(Self {
            f32,
            bf16,
            read,
            update,
        })
    }
}

/// A rate is the best of so many equal parts of the time: others may use the
/// machine during some.
const WINDOWS: u32 = 16;

/// The most that all threads together do in a second. `make` gives each thread
/// its work, a few microseconds at a time, which tells how much it did.
fn best<W: FnMut() -> f64>(threads: usize, time: Duration, make: impl Fn() -> W + Sync) -> f64 {
    let window = (time / WINDOWS).max(Duration::from_micros(1));
    let (ready, start) = (Barrier::new(threads), OnceLock::new());
    // All threads have the same windows, so that their rates add up to one
    // that there was.
    let run = || {
        let mut work = make();
        ready.wait();
        let start = start.get_or_init(Instant::now);
        let mut done = [0.0; WINDOWS as usize];
        for (done, i) in done.iter_mut().zip(1..) {
            loop {
                *done += work();
                if start.elapsed() >= window * i {
                    break;
                }
            }
        }
        done
    };
    let mut sums = [0.0f64; WINDOWS as usize];
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut add = |done: [f64; WINDOWS as usize]| {
            sums.iter_mut().zip(done).for_each(|(s, d)| *s += d);
        };
        add(run());
        for other in others {
            match other.join() {
                Ok(done) => add(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    sums.into_iter().fold(0.0, f64::max) / window.as_secs_f64()
}

/// Independent sums: enough to keep two units of four cycles' latency busy,
/// few enough for sixteen registers.
const CHAINS: usize = 12;

/// Turns of a loop between two looks at the clock.
const TURNS: usize = 1024;

/// Multiply-adds on registers; gives the number of operations.
struct MultiplyAdd;

impl WithSimd for MultiplyAdd {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        // Every chain has a start of its own, unknown to the compiler, which
        // would otherwise find out that they are one.
        let mut sums: [S::f32s; CHAINS] =
            std::array::from_fn(|i| simd.splat_f32s(black_box(i as f32)));
        let factor = simd.splat_f32s(black_box(0.5));
        let term = simd.splat_f32s(black_box(1.0));
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, factor, term);
            }
        }
        let total = sums.into_iter().reduce(|a, b| simd.add_f32s(a, b));
        black_box(total.map(|t| simd.reduce_sum_f32s(t)));
        (2 * CHAINS * S::F32_LANES * TURNS) as f64
    }
}

/// The rate of products in bf16.
fn half(kernel: HalfKernel, threads: usize, time: Duration) -> f64 {
    #[cfg(target_arch = "x86_64")]
    return match kernel {
        HalfKernel::Amx => best(threads, time, || {
            let tiles = super::matmul::amx::Tiles::new();
            move || x86::tile_products(&tiles)
        }),
        HalfKernel::Dot => best(threads, time, || x86::pair_products),
    };
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!("no such processor has {kernel:?}: {threads} {time:?}");
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::matmul::{amx::Tiles, dot_bf16};
    use super::{CHAINS, TURNS, black_box};
    use std::arch::asm;
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_reduce_add_ps,
        _mm512_set1_epi32, _mm512_set1_ps,
    };

    /// A half in bf16, twice.
    const HALVES: u32 = 0x3F00_3F00;

    /// Products of tiles that stay in their registers; gives the number of
    /// operations.
    pub(super) fn tile_products(_: &Tiles) -> f64 {
        let halves = [HALVES; 256];
        // SAFETY: the argument shows that the tiles are set up on this thread,
        // with 16 rows of 64 bytes each. 1 KiB is read, which `halves` has.
        unsafe {
            asm!(
                "tileloadd tmm6, [{halves} + {line}]",
                "tileloadd tmm7, [{halves} + {line}]",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "tilezero tmm4",
                "tilezero tmm5",
                "2:",
                "tdpbf16ps tmm0, tmm6, tmm7",
                "tdpbf16ps tmm1, tmm6, tmm7",
                "tdpbf16ps tmm2, tmm6, tmm7",
                "tdpbf16ps tmm3, tmm6, tmm7",
                "tdpbf16ps tmm4, tmm6, tmm7",
                "tdpbf16ps tmm5, tmm6, tmm7",
                "dec {turns}",
                "jnz 2b",
                halves = in(reg) halves.as_ptr(),
                line = in(reg) 64usize,
                turns = inout(reg) TURNS => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, readonly),
            );
        }
        // 16 rows, 16 columns and 32 terms.
        (2 * 16 * 16 * 32 * 6 * TURNS) as f64
    }

    /// Dot products of pairs in vector registers; gives the number of
    /// operations.
    pub(super) fn pair_products() -> f64 {
        assert!(dot_bf16::available());
        // SAFETY: the instructions exist.
        unsafe { pairs() }
        (2 * CHAINS * 32 * TURNS) as f64
    }

    /// # Safety
    /// The processor has AVX512-BF16.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn pairs() {
        let halves = _mm512_set1_epi32(black_box(HALVES) as i32);
        // SAFETY: both are 512 bits without invalid values.
        let halves = unsafe { std::mem::transmute::<__m512i, __m512bh>(halves) };
        let mut sums: [_; CHAINS] = std::array::from_fn(|i| _mm512_set1_ps(black_box(i as f32)));
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, halves, halves);
            }
        }
        let total = sums.into_iter().reduce(|a, b| _mm512_add_ps(a, b));
        black_box(total.map(|t| _mm512_reduce_add_ps(t)));
    }
}

/// Places of memory that are passed over side by side: processors fetch ahead
/// for each, so that one alone does not get all there is.
const STREAMS: usize = 4;

/// Values of a stream between two looks at the clock.
type Block = [f32; 1 << 14];

struct Memory {
    streams: [Vec<Block>; STREAMS],
    at: usize,
}

impl Memory {
    fn new(blocks: usize) -> Self {
        // Not zeros: the system backs those by one page until they are written.
        Self {
            streams: std::array::from_fn(|_| vec![[1.0; 1 << 14]; blocks]),
            at: 0,
        }
    }

    fn next(&mut self) -> [&mut Block; STREAMS] {
        self.at = (self.at + 1) % self.streams[0].len();
        self.streams.each_mut().map(|s| &mut s[self.at])
    }
}

#[inline(always)]
fn sum(blocks: [&mut Block; STREAMS]) -> f32 {
    let blocks = blocks.map(|b| b.as_chunks::<32>().0);
    let mut sums = [[0.0; 32]; STREAMS];
    for i in 0..blocks[0].len() {
        for (sums, block) in sums.iter_mut().zip(blocks) {
            sums.iter_mut().zip(block[i]).for_each(|(s, x)| *s += x);
        }
    }
    sums.as_flattened().iter().sum()
}

#[inline(always)]
fn change(blocks: [&mut Block; STREAMS]) {
    let mut blocks = blocks.map(|b| b.as_chunks_mut::<32>().0);
    for i in 0..blocks[0].len() {
        for block in &mut blocks {
            block[i].iter_mut().for_each(|x| *x = *x * 0.5 + 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_finite_and_positive() {
        for isa in Isa::ALL.into_iter().filter(|i| i.is_available()) {
            for threads in [1, 2] {
                let time = Duration::from_millis(1);
                let peak = Peak::measure(threads, isa, time, 1 << 20).unwrap();
                assert_eq!(peak.bf16.is_some(), isa.half_kernel().is_some());
                let rates = [
                    Some(peak.f32),
                    peak.bf16,
                    Some(peak.read),
                    Some(peak.update),
                ];
                for rate in rates.into_iter().flatten() {
                    assert!(rate.is_finite() && rate > 0.0, "{isa}: {peak:?}");
                }
            }
        }
    }

    #[test]
    fn missing_instructions_are_refused() {
        for isa in Isa::ALL.into_iter().filter(|i| !i.is_available()) {
            assert!(Peak::measure(1, isa, Duration::ZERO, 0).is_err());
        }
    }
}
