//! The bf16 kernel on Intel's tile registers (AMX).

#![allow(unsafe_code)]

use super::line::HalfLine;
use super::panels::{COLS, STEP};
use std::arch::asm;
use std::marker::PhantomData;

/// Rows of a tile of the result.
pub(super) const ROWS: usize = 32;

/// Whether the processor has AMX for bf16 and the system lets us use it.
pub(crate) fn available() -> bool {
    use std::sync::OnceLock;
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        if std::arch::x86_64::__cpuid(0).eax < 7 {
            return false;
        }
        let features = std::arch::x86_64::__cpuid_count(7, 0).edx;
        let (bf16, tile) = (features >> 22 & 1 == 1, features >> 24 & 1 == 1);
        bf16 && tile && permitted()
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

/// One step of four tiles of the result; `$load` loads the panel's.
macro_rules! step {
    ($load:literal, $a0:expr, $a1:expr, $b:expr) => {
        asm!(
            concat!($load, " tmm6, [{b} + {line}]"),
            "tileloadd tmm4, [{a0} + {line}]",
            concat!($load, " tmm7, [{b} + {line} + 1024]"),
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{a1} + {line}]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
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

    /// `out = a b` for 32 rows of `a`, laid out as tiles, and one panel; the rows
    /// of `out` are `stride` apart. In between, `meanwhile` is told what share of
    /// the work, of [`ROWS`], is under way, at last all: vector instructions that
    /// it runs overlap with those on tiles.
    #[inline(always)]
    pub(super) fn product(
        &self,
        a: &[HalfLine],
        panel: &[HalfLine],
        (out, stride): (&mut [f32], usize),
        mut meanwhile: impl FnMut(usize),
    ) {
        let steps = panel.len() / STEP;
        assert!(a.len() == ROWS * steps && panel.len() == STEP * steps);
        assert!(out.len() >= (ROWS - 1) * stride + COLS);
        // SAFETY of all three blocks: `self` shows that the tiles are set up on
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
        let (low, high) = a.split_at(16 * steps);
        let stays = size_of_val(a) <= STAYS;
        let share = (ROWS << 16).div_ceil(steps.max(1));
        for (s, ((a0, a1), b)) in low
            .chunks_exact(16)
            .zip(high.chunks_exact(16))
            .zip(panel.chunks_exact(32))
            .enumerate()
        {
            // SAFETY: 1 KiB is read from each of `a0` and `a1` and 2 KiB from
            // `b`, which is what the slices hold.
            unsafe {
                match stays {
                    true => step!("tileloaddt1", a0, a1, b),
                    false => step!("tileloadd", a0, a1, b),
                }
            }
            // Rounded up, so that the last is all.
            meanwhile((((s + 1) * share) >> 16).min(ROWS));
        }
        // SAFETY: the stores write 32 rows of 32 values, which `out` has by the
        // assertion above.
        unsafe {
            asm!(
                "tilestored [{out} + {row}], tmm0",
                "tilestored [{out} + {row} + 64], tmm1",
                "tilestored [{half} + {row}], tmm2",
                "tilestored [{half} + {row} + 64], tmm3",
                row = in(reg) 4 * stride,
                out = in(reg) out.as_mut_ptr(),
                half = in(reg) out[16 * stride..].as_mut_ptr(),
                options(nostack),
            );
        }
        if steps == 0 {
            meanwhile(ROWS);
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: a `Tiles` exists only where the instruction does.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }
}
