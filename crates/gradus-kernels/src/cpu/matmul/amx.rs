//! The bf16 kernel on Intel's tile registers (AMX).

#![allow(unsafe_code)]

use super::panels::{COLS, HalfLine, STEP};
use std::arch::asm;

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
/// bytes.
pub(super) struct Tiles(());

#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

impl Tiles {
    /// # Panics
    /// Where [`available`] says no.
    pub(super) fn new() -> Self {
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
        Self(())
    }

    /// `out = a b` for 32 rows of `a`, laid out as tiles, and one panel.
    pub(super) fn product(
        &self,
        a: &[HalfLine],
        panel: &[HalfLine],
        out: &mut [f32; ROWS * COLS],
    ) {
        let steps = panel.len() / STEP;
        assert!(a.len() == ROWS * steps && panel.len() == STEP * steps);
        if steps == 0 {
            out.fill(0.0);
            return;
        }
        let (a0, b) = (a.as_ptr(), panel.as_ptr());
        let a1 = a0.wrapping_add(16 * steps);
        // SAFETY: `self` shows that the tiles are set up on this thread. Each
        // step reads 1 KiB of each half of `a` and 2 KiB of the panel; the
        // assertion bounds `steps` of them. The stores write 32
        // rows of 128 bytes, all of `out`.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm6, [{b} + {line}]",
                "tileloadd tmm4, [{a0} + {line}]",
                "tileloadd tmm7, [{b} + {line} + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{a1} + {line}]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a0}, 1024",
                "add {a1}, 1024",
                "add {b}, 2048",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{out} + {row}], tmm0",
                "tilestored [{out} + {row} + 64], tmm1",
                "tilestored [{out} + {row} + 2048], tmm2",
                "tilestored [{out} + {row} + 2112], tmm3",
                a0 = inout(reg) a0 => _,
                a1 = inout(reg) a1 => _,
                b = inout(reg) b => _,
                steps = inout(reg) steps => _,
                line = in(reg) 64usize,
                row = in(reg) 128usize,
                out = in(reg) out.as_mut_ptr(),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: a `Tiles` exists only where the instruction does.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }
}
