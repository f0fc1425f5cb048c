//! The product of a query and one row of bytes. Sums are of whole numbers: the same by all
//! instructions.

#![allow(unsafe_code)]

use super::picked::LINE;
use crate::cpu::Isa;

/// Sums the products of a query's values and a row's bytes, of which there are as many,
/// whole lines of [`LINE`].
pub(super) type RowProduct = fn(&[i16], &[i8]) -> i32;

/// The fastest there is.
pub(super) fn best(isa: Isa) -> RowProduct {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx if is_x86_feature_detected!("avx512bw") => {
            x86::by_512
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 if is_x86_feature_detected!("avx2") => x86::by_256,
        _ => plain,
    }
}

pub(super) fn plain(query: &[i16], row: &[i8]) -> i32 {
    let (query, row) = (query.as_chunks::<LINE>().0, row.as_chunks::<LINE>().0);
    let mut sum = 0i32;
    for (query, row) in query.iter().zip(row) {
        for (q, r) in query.iter().zip(row) {
            sum += i32::from(*q) * i32::from(*r);
        }
    }
    sum
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::LINE;
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_loadu_si256,
        _mm256_madd_epi16, _mm256_setzero_si256, _mm256_storeu_si256, _mm512_add_epi32,
        _mm512_cvtepi8_epi16, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_reduce_add_epi32,
        _mm512_setzero_si512,
    };

    pub fn by_512(query: &[i16], row: &[i8]) -> i32 {
        assert!(query.len() == row.len() && row.len().is_multiple_of(LINE));
        // SAFETY: chosen only where the instructions exist; the lengths are as required.
        unsafe { run_512(query, row) }
    }

    pub fn by_256(query: &[i16], row: &[i8]) -> i32 {
        assert!(query.len() == row.len() && row.len().is_multiple_of(LINE));
        // SAFETY: chosen only where the instructions exist; the lengths are as required.
        unsafe { run_256(query, row) }
    }

    /// # Safety
    /// The processor has AVX-512 with BW; both have as many values, a multiple of 64.
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn run_512(query: &[i16], row: &[i8]) -> i32 {
        let mut sums = [_mm512_setzero_si512(); 2];
        for from in (0..row.len()).step_by(LINE) {
            for (half, sum) in sums.iter_mut().enumerate() {
                let at = from + 32 * half;
                // SAFETY: 32 values from `at` on are inside of both.
                let (q, r) = unsafe {
                    let r = _mm256_loadu_si256(row.as_ptr().add(at).cast());
                    (
                        _mm512_loadu_si512(query.as_ptr().add(at).cast()),
                        _mm512_cvtepi8_epi16(r),
                    )
                };
                *sum = _mm512_add_epi32(*sum, _mm512_madd_epi16(q, r));
            }
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]))
    }

    /// # Safety
    /// The processor has AVX2; both have as many values, a multiple of 64.
    #[target_feature(enable = "avx2")]
    unsafe fn run_256(query: &[i16], row: &[i8]) -> i32 {
        let mut sums = [_mm256_setzero_si256(); 4];
        for from in (0..row.len()).step_by(LINE) {
            for (part, sum) in sums.iter_mut().enumerate() {
                let at = from + 16 * part;
                // SAFETY: 16 values from `at` on are inside of both.
                let (q, r) = unsafe {
                    let r = _mm_loadu_si128(row.as_ptr().add(at).cast());
                    (
                        _mm256_loadu_si256(query.as_ptr().add(at).cast()),
                        _mm256_cvtepi8_epi16(r),
                    )
                };
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(q, r));
            }
        }
        let halves = [
            _mm256_add_epi32(sums[0], sums[1]),
            _mm256_add_epi32(sums[2], sums[3]),
        ];
        let mut all = [0i32; 8];
        // SAFETY: eight values are written to eight.
        unsafe {
            _mm256_storeu_si256(
                all.as_mut_ptr().cast(),
                _mm256_add_epi32(halves[0], halves[1]),
            )
        };
        all.iter().sum()
    }
}
