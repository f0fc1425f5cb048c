//! Products of bytes by 256-bit dot products of four (AVX-VNNI).

#![allow(unsafe_code)]

use crate::cpu::matmul::line::{ByteLine, line_of};
use crate::cpu::matmul::panels::COLS;
use crate::cpu::matmul::sweep::STEP_LINES;
use std::arch::x86_64::{
    __m256i, _mm256_dpbusd_avx_epi32, _mm256_load_si256, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_storeu_si256,
};

/// Rows whose sums are held in registers at a time.
const HELD: usize = 3;

/// `out = a b` for some rows of `a`, laid out as tiles, and one panel.
pub(super) fn product(
    a: &[ByteLine],
    rows: usize,
    panel: &[ByteLine],
    (out, stride): (&mut [i32], usize),
) {
    let steps = panel.len() / STEP_LINES;
    assert!(super::ByteKernel::AvxVnni.is_available() && panel.len() == STEP_LINES * steps);
    assert!(a.len() >= rows.next_multiple_of(16) * steps);
    assert!(out.len() >= (rows.max(1) - 1) * stride + COLS);
    // SAFETY: the instructions exist and the sizes are as required.
    unsafe { run(a, rows, panel, (out, stride), steps) }
}

/// # Safety
/// The processor has AVX-VNNI, `a` holds `steps` lines for each of `rows` rows, rounded
/// up to whole tiles of 16, and `panel` 32 for each step.
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn run(
    a: &[ByteLine],
    rows: usize,
    panel: &[ByteLine],
    (out, stride): (&mut [i32], usize),
    steps: usize,
) {
    for first in (0..rows).step_by(HELD) {
        let here = (rows - first).min(HELD);
        let mut sums = [[_mm256_setzero_si256(); 4]; HELD];
        for s in 0..steps {
            for r in 0..16 {
                let mut b = [_mm256_setzero_si256(); 4];
                for (part, b) in b.iter_mut().enumerate() {
                    // SAFETY: inside the panel; half a line, aligned to 32 bytes.
                    *b = unsafe {
                        let line = panel.as_ptr().add(s * STEP_LINES + part / 2 * 16 + r);
                        _mm256_load_si256(line.cast::<__m256i>().add(part % 2))
                    };
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    // Rows beyond the last repeat it.
                    let row = first + i.min(here - 1);
                    // SAFETY: inside `a`; four bytes are one aligned i32.
                    let four = unsafe {
                        let line = a.as_ptr().add(line_of(row, s, steps)).cast::<i32>();
                        _mm256_set1_epi32(*line.add(r))
                    };
                    for (sum, b) in sums.iter_mut().zip(b) {
                        *sum = _mm256_dpbusd_avx_epi32(*sum, four, b);
                    }
                }
            }
        }
        for (i, sums) in sums.iter().enumerate().take(here) {
            for (part, sum) in sums.iter().enumerate() {
                let to = &mut out[(first + i) * stride + part * 8..][..8];
                // SAFETY: 8 values are written to a slice of 8.
                unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), *sum) };
            }
        }
    }
}
