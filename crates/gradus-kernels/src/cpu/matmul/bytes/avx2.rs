//! Products of bytes by AVX2. The products of bytes that it has saturate, so bytes are
//! widened to 16 bits first: then pairs are summed exactly.

#![allow(unsafe_code)]

use crate::cpu::matmul::line::{ByteLine, line_of};
use crate::cpu::matmul::panels::COLS;
use crate::cpu::matmul::sweep::STEP_LINES;
use std::arch::x86_64::{
    __m128i, _mm_cvtepu8_epi16, _mm_cvtsi32_si128, _mm_load_si128, _mm256_add_epi32,
    _mm256_broadcastq_epi64, _mm256_cvtepi8_epi16, _mm256_hadd_epi32, _mm256_madd_epi16,
    _mm256_permute4x64_epi64, _mm256_setzero_si256, _mm256_storeu_si256,
};

/// Rows whose sums are held in registers at a time.
const HELD: usize = 2;

/// `out = a b` for some rows of `a`, laid out as tiles, and one panel.
pub(super) fn product(
    a: &[ByteLine],
    rows: usize,
    panel: &[ByteLine],
    (out, stride): (&mut [i32], usize),
) {
    let steps = panel.len() / STEP_LINES;
    assert!(super::ByteKernel::Avx2.is_available() && panel.len() == STEP_LINES * steps);
    assert!(a.len() >= rows.next_multiple_of(16) * steps);
    assert!(out.len() >= (rows.max(1) - 1) * stride + COLS);
    // SAFETY: the instructions exist and the sizes are as required.
    unsafe { run(a, rows, panel, (out, stride), steps) }
}

/// # Safety
/// The processor has AVX2, `a` holds `steps` lines for each of `rows` rows, rounded up
/// to whole tiles of 16, and `panel` 32 for each step.
#[target_feature(enable = "avx2")]
unsafe fn run(
    a: &[ByteLine],
    rows: usize,
    panel: &[ByteLine],
    (out, stride): (&mut [i32], usize),
    steps: usize,
) {
    for first in (0..rows).step_by(HELD) {
        let here = (rows - first).min(HELD);
        for tile in 0..2 {
            // Four columns each, for every column two sums of pairs.
            let mut sums = [[_mm256_setzero_si256(); 4]; HELD];
            for s in 0..steps {
                for r in 0..16 {
                    let mut b = [_mm256_setzero_si256(); 4];
                    for (part, b) in b.iter_mut().enumerate() {
                        // SAFETY: inside the panel; a quarter of a line, aligned to 16
                        // bytes.
                        let four = unsafe {
                            let line = panel.as_ptr().add(s * STEP_LINES + tile * 16 + r);
                            _mm_load_si128(line.cast::<__m128i>().add(part))
                        };
                        *b = _mm256_cvtepi8_epi16(four);
                    }
                    for (i, sums) in sums.iter_mut().enumerate() {
                        // Rows beyond the last repeat it.
                        let row = first + i.min(here - 1);
                        // SAFETY: inside `a`; four bytes are one aligned i32.
                        let four = unsafe {
                            let line = a.as_ptr().add(line_of(row, s, steps)).cast::<i32>();
                            *line.add(r)
                        };
                        let four = _mm_cvtepu8_epi16(_mm_cvtsi32_si128(four));
                        let four = _mm256_broadcastq_epi64(four);
                        for (sum, b) in sums.iter_mut().zip(b) {
                            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(four, b));
                        }
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate().take(here) {
                for half in 0..2 {
                    let pairs = _mm256_hadd_epi32(sums[2 * half], sums[2 * half + 1]);
                    let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(pairs);
                    let to = &mut out[(first + i) * stride + tile * 16 + half * 8..][..8];
                    // SAFETY: 8 values are written to a slice of 8.
                    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), ordered) };
                }
            }
        }
    }
}
