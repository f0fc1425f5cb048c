//! Squares of sixteen by sixteen 32-bit values, mirrored.

#![allow(unsafe_code)]

use super::Isa;

/// Sixteen rows of sixteen values: a vector register of AVX-512 each.
#[repr(C, align(64))]
pub(super) struct Square(pub [[u32; 16]; 16]);

impl Square {
    pub const ZERO: Self = Self([[0; 16]; 16]);

    /// Row `i` becomes column `i`.
    #[inline(always)]
    pub fn mirror(&mut self, isa: Isa) {
        #[cfg(target_arch = "x86_64")]
        if isa >= Isa::Avx512 {
            // SAFETY: backends are made only with instruction sets that were
            // found available, and those from this one on have AVX-512.
            return unsafe { mirror_avx512(self) };
        }
        #[cfg(target_arch = "x86_64")]
        if isa >= Isa::Avx2 {
            // SAFETY: as above; those from this one on have AVX2.
            return unsafe { mirror_avx2(self) };
        }
        let _ = isa;
        for i in 0..16 {
            for j in 0..i {
                let (a, b) = (self.0[i][j], self.0[j][i]);
                (self.0[i][j], self.0[j][i]) = (b, a);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn mirror_avx512(square: &mut Square) {
    use std::arch::x86_64::*;

    // Loops and no closures: those might be compiled without the instructions.
    let mut rows = [_mm512_setzero_si512(); 16];
    for (to, row) in rows.iter_mut().zip(&square.0) {
        // SAFETY: each row is 64 bytes, aligned as the type says.
        *to = unsafe { _mm512_load_epi32(row.as_ptr().cast()) };
    }
    // Pairs, then fours, within quarters of a register.
    let mut pairs = rows;
    for i in (0..16).step_by(2) {
        pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    let mut fours = pairs;
    for i in (0..16).step_by(4) {
        for j in 0..2 {
            let (a, b) = (pairs[i + j], pairs[i + j + 2]);
            fours[i + 2 * j] = _mm512_unpacklo_epi64(a, b);
            fours[i + 2 * j + 1] = _mm512_unpackhi_epi64(a, b);
        }
    }
    // `fours[4 g + c]`, quarter `q`, holds column `4 q + c` of rows `4 g..`:
    // quarters are gathered from the four groups.
    for c in 0..4 {
        let [a, b, d, e] = [fours[c], fours[4 + c], fours[8 + c], fours[12 + c]];
        let even_low = _mm512_shuffle_i32x4::<0x88>(a, b);
        let odd_low = _mm512_shuffle_i32x4::<0xdd>(a, b);
        let even_high = _mm512_shuffle_i32x4::<0x88>(d, e);
        let odd_high = _mm512_shuffle_i32x4::<0xdd>(d, e);
        let columns = [
            _mm512_shuffle_i32x4::<0x88>(even_low, even_high),
            _mm512_shuffle_i32x4::<0x88>(odd_low, odd_high),
            _mm512_shuffle_i32x4::<0xdd>(even_low, even_high),
            _mm512_shuffle_i32x4::<0xdd>(odd_low, odd_high),
        ];
        for (q, column) in columns.into_iter().enumerate() {
            // SAFETY: as for loading.
            unsafe { _mm512_store_epi32(square.0[4 * q + c].as_mut_ptr().cast(), column) };
        }
    }
}

/// Quarters of eight by eight, each mirrored; two of them change places.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn mirror_avx2(square: &mut Square) {
    for (row, col) in [(0, 0), (8, 8), (0, 8)] {
        let quarter = mirrored_quarter(square, row, col);
        if row != col {
            let other = mirrored_quarter(square, col, row);
            store_quarter(square, row, col, other);
        }
        store_quarter(square, col, row, quarter);
    }
}

/// Columns `col..` of eight rows from `row` on, mirrored.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn mirrored_quarter(square: &Square, row: usize, col: usize) -> [std::arch::x86_64::__m256i; 8] {
    use std::arch::x86_64::*;

    let mut rows = [_mm256_setzero_si256(); 8];
    for (to, row) in rows.iter_mut().zip(&square.0[row..row + 8]) {
        // SAFETY: eight values of a row, at its first or its ninth: 32 bytes, aligned.
        *to = unsafe { _mm256_load_si256(row[col..col + 8].as_ptr().cast()) };
    }
    // Pairs, then fours, within halves of a register.
    let mut pairs = rows;
    for i in (0..8).step_by(2) {
        pairs[i] = _mm256_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    let mut fours = pairs;
    for i in (0..8).step_by(4) {
        for j in 0..2 {
            let (a, b) = (pairs[i + j], pairs[i + j + 2]);
            fours[i + 2 * j] = _mm256_unpacklo_epi64(a, b);
            fours[i + 2 * j + 1] = _mm256_unpackhi_epi64(a, b);
        }
    }
    // `fours[4 g + c]`, half `h`, holds column `4 h + c` of rows `4 g..`.
    let mut columns = fours;
    for c in 0..4 {
        columns[c] = _mm256_permute2x128_si256::<0x20>(fours[c], fours[4 + c]);
        columns[4 + c] = _mm256_permute2x128_si256::<0x31>(fours[c], fours[4 + c]);
    }
    columns
}

/// Puts eight rows of eight values from `row` and `col` on.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn store_quarter(
    square: &mut Square,
    row: usize,
    col: usize,
    values: [std::arch::x86_64::__m256i; 8],
) {
    for (to, values) in square.0[row..row + 8].iter_mut().zip(values) {
        let to = to[col..col + 8].as_mut_ptr();
        // SAFETY: as for loading.
        unsafe { std::arch::x86_64::_mm256_store_si256(to.cast(), values) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_on_every_instruction_set() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let mut square = Square(std::array::from_fn(|i| {
                std::array::from_fn(|j| (i * 16 + j) as u32)
            }));
            square.mirror(isa);
            for (i, row) in square.0.iter().enumerate() {
                for (j, &x) in row.iter().enumerate() {
                    assert_eq!(x as usize, j * 16 + i, "{isa}");
                }
            }
        }
    }
}
