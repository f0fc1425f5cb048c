//! The bf16 kernel on AVX-512's dot products of pairs (AVX512-BF16).

#![allow(unsafe_code)]

use super::line::HalfLine;
use super::panels::STEP;
use std::arch::x86_64::{
    __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_load_si512, _mm512_set1_epi32, _mm512_setzero_ps,
    _mm512_storeu_ps,
};

/// Rows whose sums are held in registers at a time.
const HELD: usize = 8;

/// Whether the processor has the instructions.
pub(crate) fn available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
}

/// `out = a b` for some rows of `a`, laid out as tiles, and one panel; the rows of
/// `out` are `stride` apart. Rows up to the next multiple of [`HELD`] are computed too.
pub(super) fn product(
    a: &[HalfLine],
    rows: usize,
    panel: &[HalfLine],
    (out, stride): (&mut [f32], usize),
) {
    let steps = panel.len() / STEP;
    assert!(available() && panel.len() == STEP * steps);
    assert!(a.len() >= rows.next_multiple_of(16) * steps);
    // SAFETY: the instructions exist and the sizes are as required.
    unsafe { run(a, rows, panel, (out, stride), steps) }
}

/// # Safety
/// The processor has AVX512-BF16, `a` holds `steps` lines for each of `rows` rows,
/// rounded up to whole tiles of 16, and `panel` 32 for each step.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn run(
    a: &[HalfLine],
    rows: usize,
    panel: &[HalfLine],
    (out, stride): (&mut [f32], usize),
    steps: usize,
) {
    for first in (0..rows).step_by(HELD) {
        let mut sums = [[_mm512_setzero_ps(); 2]; HELD];
        for s in 0..steps {
            for r in 0..16 {
                let b: [__m512bh; 2] = std::array::from_fn(|tile| {
                    // SAFETY: inside the panel, and aligned as `HalfLine` is.
                    let line = unsafe { panel.as_ptr().add(s * STEP + tile * 16 + r) };
                    let line = unsafe { _mm512_load_si512(line.cast::<__m512i>()) };
                    // SAFETY: both are 512 bits without invalid values.
                    unsafe { std::mem::transmute::<__m512i, __m512bh>(line) }
                });
                for (i, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: inside `a`; a pair of bf16 is one aligned i32.
                    let pair = unsafe {
                        let line = a
                            .as_ptr()
                            .add(super::line::line_of(first + i, s, steps))
                            .cast::<i32>();
                        *line.add(r)
                    };
                    // SAFETY: as above.
                    let pair = unsafe {
                        std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(pair))
                    };
                    sums[0] = _mm512_dpbf16_ps(sums[0], pair, b[0]);
                    sums[1] = _mm512_dpbf16_ps(sums[1], pair, b[1]);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (tile, sum) in sums.iter().enumerate() {
                let to = &mut out[(first + i) * stride + tile * 16..][..16];
                // SAFETY: 16 values are written to a slice of 16.
                unsafe { _mm512_storeu_ps(to.as_mut_ptr(), *sum) };
            }
        }
    }
}
