//! Products of bytes by AVX-512's dot products of four (AVX512-VNNI).

#![allow(unsafe_code)]

use crate::cpu::matmul::line::{ByteLine, line_of};
use crate::cpu::matmul::panels::COLS;
use crate::cpu::matmul::sweep::STEP_LINES;
use std::arch::x86_64::{
    __m512i, _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_set1_epi32, _mm512_setzero_si512,
    _mm512_storeu_si512,
};

/// Rows whose sums are held in registers at a time.
const HELD: usize = 8;

/// `out = a b` for some rows of `a`, laid out as tiles, and one panel. Rows up to the
/// next multiple of [`HELD`] are computed too.
pub(super) fn product(
    a: &[ByteLine],
    rows: usize,
    panel: &[ByteLine],
    (out, stride): (&mut [i32], usize),
) {
    let steps = panel.len() / STEP_LINES;
    assert!(super::ByteKernel::Vnni.is_available() && panel.len() == STEP_LINES * steps);
    assert!(a.len() >= rows.next_multiple_of(16) * steps);
    assert!(out.len() >= (rows.next_multiple_of(HELD).max(1) - 1) * stride + COLS);
    // SAFETY: the instructions exist and the sizes are as required.
    unsafe { run(a, rows, panel, (out, stride), steps) }
}

/// # Safety
/// The processor has AVX512-VNNI, `a` holds `steps` lines for each of `rows` rows,
/// rounded up to whole tiles of 16, and `panel` 32 for each step.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn run(
    a: &[ByteLine],
    rows: usize,
    panel: &[ByteLine],
    (out, stride): (&mut [i32], usize),
    steps: usize,
) {
    for first in (0..rows).step_by(HELD) {
        let mut sums = [[_mm512_setzero_si512(); 2]; HELD];
        for s in 0..steps {
            for r in 0..16 {
                let mut b = [_mm512_setzero_si512(); 2];
                for (tile, b) in b.iter_mut().enumerate() {
                    // SAFETY: inside the panel, and aligned as `ByteLine` is.
                    *b = unsafe {
                        let line = panel.as_ptr().add(s * STEP_LINES + tile * 16 + r);
                        _mm512_load_si512(line.cast::<__m512i>())
                    };
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: inside `a`; four bytes are one aligned i32.
                    let four = unsafe {
                        let line = a.as_ptr().add(line_of(first + i, s, steps)).cast::<i32>();
                        _mm512_set1_epi32(*line.add(r))
                    };
                    sums[0] = _mm512_dpbusd_epi32(sums[0], four, b[0]);
                    sums[1] = _mm512_dpbusd_epi32(sums[1], four, b[1]);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (tile, sum) in sums.iter().enumerate() {
                let to = &mut out[(first + i) * stride + tile * 16..][..16];
                // SAFETY: 16 values are written to a slice of 16.
                unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), *sum) };
            }
        }
    }
}
