//! The kernels on Intel's tile registers (AMX): bf16 and bytes.

#![allow(unsafe_code)]

use super::line::{ByteLine, HalfLine};
use super::panels::COLS;
use super::sweep::{ROWS, RowBlock, STEP_LINES};
use std::arch::asm;
use std::marker::PhantomData;

/// Whether the processor has AMX for bf16 and the system lets us use it. Every processor
/// that has it multiplies bytes too.
pub(crate) fn available() -> bool {
    use std::sync::OnceLock;
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        if std::arch::x86_64::__cpuid(0).eax < 7 {
            return false;
        }
        let features = std::arch::x86_64::__cpuid_count(7, 0).edx;
        let has = |bit: u32| features >> bit & 1 == 1;
        let (bf16, tile, int8) = (has(22), has(24), has(25));
        bf16 && tile && int8 && permitted()
    })
}

/// Asks the kernel for the tile registers, which it grants per process.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_STATE: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let result: i64;
    // SAFETY: this system call reads no memory and changes only which
    // registers the process may use.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") REQUEST_STATE,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// Tile registers set up on this thread until dropped: eight of 16 rows of 64
/// bytes. They are the thread's own, so a `Tiles` can neither go to another
/// thread nor be used from one.
pub(crate) struct Tiles(PhantomData<*const ()>);

/// Does not compile where `Tiles` is `Send` or `Sync`: then two of these apply,
/// and which one is meant is not known.
const _: () = {
    struct IsSend;
    struct IsSync;
    trait StaysOnItsThread<Which> {
        const CHECKED: () = ();
    }
    impl<T> StaysOnItsThread<()> for T {}
    impl<T: Send> StaysOnItsThread<IsSend> for T {}
    impl<T: Sync> StaysOnItsThread<IsSync> for T {}
    <Tiles as StaysOnItsThread<_>>::CHECKED
};

#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

/// Rows of so many bytes stay in the nearest cache from panel to panel, if panels are
/// loaded past it.
const STAYS: usize = 32 << 10;

/// As many steps of 32 rows are that.
pub(super) const STEPS_THAT_STAY: usize = STAYS / (ROWS * 64);

/// One step of four tiles of the result; `$load` loads the panel's, `$product` adds a
/// product to a tile.
macro_rules! step {
    ($load:literal, $product:literal, $a0:expr, $a1:expr, $b:expr) => {
        asm!(
            concat!($load, " tmm6, [{b} + {line}]"),
            "tileloadd tmm4, [{a0} + {line}]",
            concat!($load, " tmm7, [{b} + {line} + 1024]"),
            concat!($product, " tmm0, tmm4, tmm6"),
            "tileloadd tmm5, [{a1} + {line}]",
            concat!($product, " tmm1, tmm4, tmm7"),
            concat!($product, " tmm2, tmm5, tmm6"),
            concat!($product, " tmm3, tmm5, tmm7"),
            a0 = in(reg) $a0.as_ptr(),
            a1 = in(reg) $a1.as_ptr(),
            b = in(reg) $b.as_ptr(),
            line = in(reg) 64usize,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack, readonly),
        )
    };
}

/// The same for 16 rows: two tiles of the result.
macro_rules! half_step {
    ($product:literal, $a:expr, $b:expr) => {
        asm!(
            "tileloadd tmm6, [{b} + {line}]",
            "tileloadd tmm4, [{a} + {line}]",
            "tileloadd tmm7, [{b} + {line} + 1024]",
            concat!($product, " tmm0, tmm4, tmm6"),
            concat!($product, " tmm1, tmm4, tmm7"),
            a = in(reg) $a.as_ptr(),
            b = in(reg) $b.as_ptr(),
            line = in(reg) 64usize,
            out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
            options(nostack, readonly),
        )
    };
}

/// Stores the sums of 16 rows from `$first` on, or loads them.
macro_rules! sums {
    ("store", $first:literal, $second:literal, $out:expr, $stride:expr) => {
        asm!(
            concat!("tilestored [{out} + {row}], ", $first),
            concat!("tilestored [{out} + {row} + 64], ", $second),
            row = in(reg) 4 * $stride,
            out = in(reg) $out.as_mut_ptr(),
            options(nostack),
        )
    };
    ("load", $first:tt, $second:tt, $out:expr, $stride:expr) => {
        asm!(
            concat!("tileloadd ", $first, ", [{out} + {row}]"),
            concat!("tileloadd ", $second, ", [{out} + {row} + 64]"),
            row = in(reg) 4 * $stride,
            out = in(reg) $out.as_ptr(),
            out($first) _, out($second) _,
            options(nostack, readonly),
        )
    };
}

/// A product by one instruction. A macro, as an instruction is no value.
macro_rules! product {
    ($product:literal, $block:expr, $panel:expr, $out:expr, $stride:expr, $meanwhile:expr) => {{
        let (low, high) = $block.halves();
        let steps = $block.terms.len();
        let rows = if high.is_empty() { 16 } else { ROWS };
        assert!(low.len() == 16 * steps && (high.is_empty() || high.len() == 16 * steps));
        assert!($panel.len() == STEP_LINES * steps);
        assert!($out.len() >= (rows - 1) * $stride + COLS);
        // SAFETY of all blocks: the caller's `self` shows that the tiles are set up on
        // this thread. Sums stay in tmm0 to tmm3 from one block to the next:
        // no function of this program is compiled with tile instructions, so
        // nothing else writes them.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                options(nostack),
            );
        }
        if $block.terms.start > 0 {
            // SAFETY: loads and stores are of as many rows of 32 values as `out` has
            // by the assertion above.
            unsafe {
                sums!("load", "tmm0", "tmm1", $out, $stride);
                if rows > 16 {
                    sums!("load", "tmm2", "tmm3", $out[16 * $stride..], $stride);
                }
            }
        }
        let stays = size_of_val(low) + size_of_val(high) <= STAYS;
        let share = (ROWS << 16).div_ceil(steps.max(1));
        let mut high = high.chunks_exact(16);
        for (s, (a0, b)) in low
            .chunks_exact(16)
            .zip($panel.chunks_exact(STEP_LINES))
            .enumerate()
        {
            // SAFETY: 1 KiB is read from each of `a0` and `a1` and 2 KiB from
            // `b`, which is what the slices hold.
            unsafe {
                match (high.next(), stays) {
                    (Some(a1), true) => step!("tileloaddt1", $product, a0, a1, b),
                    (Some(a1), false) => step!("tileloadd", $product, a0, a1, b),
                    (None, _) => half_step!($product, a0, b),
                }
            }
            // Rounded up, so that the last is all.
            $meanwhile((((s + 1) * share) >> 16).min(ROWS));
        }
        // SAFETY: as for loading.
        unsafe {
            sums!("store", "tmm0", "tmm1", $out, $stride);
            if rows > 16 {
                sums!("store", "tmm2", "tmm3", $out[16 * $stride..], $stride);
            }
        }
        if steps == 0 {
            $meanwhile(ROWS);
        }
    }};
}

impl Tiles {
    /// # Panics
    /// Where [`available`] says no.
    pub(crate) fn new() -> Self {
        assert!(available());
        let mut config = Config {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            bytes: [0; 16],
            rows: [0; 16],
        };
        config.bytes[..8].fill(64);
        config.rows[..8].fill(16);
        // SAFETY: the instruction exists (asserted) and reads 64 bytes, which
        // `Config` has.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly));
        }
        Self(PhantomData)
    }

    /// `out = a b` for 16 or 32 rows of `a`, laid out as tiles, and one panel's lines for
    /// the terms at hand, to which `out` has the sums of those before; the rows of `out`
    /// are `stride` apart. In between, `meanwhile` is told what share of the work, of
    /// [`ROWS`], is under way, at last all: vector instructions that it runs overlap with
    /// those on tiles.
    #[inline(always)]
    pub(super) fn product_bf16(
        &self,
        a: &RowBlock<'_, HalfLine>,
        panel: &[HalfLine],
        (out, stride): (&mut [f32], usize),
        mut meanwhile: impl FnMut(usize),
    ) {
        product!("tdpbf16ps", a, panel, out, stride, meanwhile);
    }

    /// The same of bytes, those of `a` without a sign and those of the panel with one.
    #[inline(always)]
    pub(super) fn product_bytes(
        &self,
        a: &RowBlock<'_, ByteLine>,
        panel: &[ByteLine],
        (out, stride): (&mut [i32], usize),
        mut meanwhile: impl FnMut(usize),
    ) {
        product!("tdpbusd", a, panel, out, stride, meanwhile);
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: a `Tiles` exists only where the instruction does.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }
}
