//! bfloat16: the upper half of an f32, rounded to nearest, ties to even.

#![allow(unsafe_code)]

use super::HalfKernel;
use super::line::{HalfLine, line_of};
use super::spaced::Spaced;
use crate::cpu::transpose::Square;
use std::ops::Range;

/// Rounds 32 values with the instruction that every processor with a bf16
/// kernel has, which takes subnormal numbers for zero.
#[inline(always)]
pub(super) fn round(_: HalfKernel, values: &[f32; 32], line: &mut [u32; 16]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a `HalfKernel` is had only from an instruction set that was found
    // available, and all of those include AVX512-BF16. 128 bytes are read and
    // 64 written, which is what the references cover.
    unsafe {
        std::arch::asm!(
            "vmovups zmm0, [{from} + 64]",
            "vcvtne2ps2bf16 zmm0, zmm0, [{from}]",
            "vmovups [{to}], zmm0",
            from = in(reg) values,
            to = in(reg) line,
            out("zmm0") _,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    for (to, pair) in line.iter_mut().zip(values.as_chunks::<2>().0) {
        *to = pair[0].to_bits() >> 16 | pair[1].to_bits() & 0xFFFF_0000;
    }
}

/// Where the halves of 16 pairs come from, when the first of all pairs lie
/// before the second of all.
static INTERLEAVE: HalfLine = {
    let mut order = [0; 16];
    let mut j = 0;
    while j < 16 {
        order[j] = j as u32 | (16 + j as u32) << 16;
        j += 1;
    }
    HalfLine(order)
};

/// Rounds pairs: the first of each from `even`, the second from `odd`.
#[inline(always)]
fn round_pairs(_: HalfKernel, even: &[f32; 16], odd: &[f32; 16], line: &mut [u32; 16]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as in `round`; AVX-512's word permutation is a part of every
    // instruction set that has a `HalfKernel`.
    unsafe {
        std::arch::asm!(
            "vmovups zmm0, [{odd}]",
            "vcvtne2ps2bf16 zmm0, zmm0, [{even}]",
            "vmovups zmm1, [{order}]",
            "vpermw zmm0, zmm1, zmm0",
            "vmovups [{to}], zmm0",
            odd = in(reg) odd,
            even = in(reg) even,
            order = in(reg) &raw const INTERLEAVE,
            to = in(reg) line,
            out("zmm0") _,
            out("zmm1") _,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    for (to, (even, odd)) in line.iter_mut().zip(even.iter().zip(odd)) {
        *to = even.to_bits() >> 16 | odd.to_bits() & 0xFFFF_0000;
    }
}

/// Writes a line.
#[inline(always)]
pub(super) fn put(_: HalfKernel, pairs: &[u32; 16], line: &mut HalfLine) {
    line.0 = *pairs;
}

/// Writes a line to memory without reading what was there, nor keeping it near. It is
/// seen in the usual order after [`super::output::finish_writes`].
#[inline(always)]
pub(super) fn put_past_cache(kernel: HalfKernel, pairs: &[u32; 16], line: &mut HalfLine) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as in `round`; a `HalfLine` lies at a multiple of 64 bytes.
    unsafe {
        let _ = kernel;
        std::arch::asm!(
            "vmovups zmm0, [{from}]",
            "vmovntps [{to}], zmm0",
            from = in(reg) pairs,
            to = in(reg) line,
            out("zmm0") _,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    put(kernel, pairs, line);
}

/// As many values as there are, then zeros.
#[inline(always)]
fn padded<const N: usize>(values: &[f32]) -> [f32; N] {
    let mut all = [0f32; N];
    all[..values.len()].copy_from_slice(values);
    all
}

/// Rounds the first 32 values of `row`, zeros where it ends.
#[inline(always)]
pub(super) fn round_some(kernel: HalfKernel, row: &[f32], line: &mut [u32; 16]) {
    match row.first_chunk::<32>() {
        Some(values) => round(kernel, values, line),
        None => round(kernel, &padded(row), line),
    }
}

/// Writes a matrix, its columns rounded up to whole lines, as tiles.
#[inline(always)]
pub(super) fn pack_rows(kernel: HalfKernel, lines: &mut [HalfLine], a: Spaced<'_>) {
    for i in 0..a.rows() {
        pack_row(kernel, lines, i, a.row(i));
    }
}

/// Writes row `i` of a matrix so.
#[inline(always)]
pub(super) fn pack_row(kernel: HalfKernel, lines: &mut [HalfLine], i: usize, row: &[f32]) {
    let steps = row.len().div_ceil(32);
    let (whole, rest) = row.as_chunks::<32>();
    for (step, values) in whole.iter().enumerate() {
        round(kernel, values, &mut lines[line_of(i, step, steps)].0);
    }
    if !rest.is_empty() {
        let line = &mut lines[line_of(i, whole.len(), steps)];
        round(kernel, &padded(rest), &mut line.0);
    }
}

/// Two neighbouring terms of 16 columns, `[k, width]`, side by side; zeros
/// beyond the last.
#[inline(always)]
pub(super) fn column_pairs(
    kernel: HalfKernel,
    a: &[f32],
    width: usize,
    term: usize,
    columns: Range<usize>,
    line: &mut [u32; 16],
) {
    let at = term * width + columns.start;
    if columns.len() == 16 && at + width + 16 <= a.len() {
        let (even, odd) = (a[at..].first_chunk(), a[at + width..].first_chunk());
        if let (Some(even), Some(odd)) = (even, odd) {
            return round_pairs(kernel, even, odd, line);
        }
    }
    let row = |at: usize| a.get(at..at + columns.len()).map_or([0f32; 16], padded);
    round_pairs(kernel, &row(at), &row(at + width), line);
}

/// Writes columns `from..from + count` of a `[k, width]` matrix as rows, laid
/// out as by [`pack_rows`].
#[inline(always)]
pub(super) fn pack_columns(
    kernel: HalfKernel,
    lines: &mut [HalfLine],
    a: &[f32],
    width: usize,
    from: usize,
    count: usize,
) {
    let k = a.len() / width.max(1);
    let steps = k.div_ceil(32);
    for s in 0..steps {
        for block in (0..count).step_by(16) {
            let columns = from + block..from + (block + 16).min(count);
            let mut square = Square::ZERO;
            for (r, pairs) in square.0.iter_mut().enumerate() {
                column_pairs(kernel, a, width, s * 32 + 2 * r, columns.clone(), pairs);
            }
            square.mirror(kernel.isa());
            for (j, row) in square.0[..columns.len()].iter().enumerate() {
                lines[line_of(block + j, s, steps)].0 = *row;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widen(x: u16) -> f32 {
        f32::from_bits(u32::from(x) << 16)
    }

    #[test]
    fn rounds_to_the_nearest_and_ties_to_even() {
        let Some(kernel) = crate::cpu::Isa::best().half_kernel() else {
            eprintln!("no bf16 on this processor: not tested");
            return;
        };
        let cases = [
            (1.0, 1.0),
            (1.0 + 1.0 / 256.0, 1.0),
            (1.0 + 3.0 / 256.0, 1.0 + 1.0 / 64.0),
            (1.0 + 1.1 / 256.0, 1.0 + 1.0 / 128.0),
            (-2.5, -2.5),
            (f32::INFINITY, f32::INFINITY),
            (f32::MAX, f32::INFINITY),
            (1e-40, 0.0),
        ];
        let mut values = [f32::NAN; 32];
        for (value, case) in values.iter_mut().zip(cases) {
            *value = case.0;
        }
        let mut line = [0; 16];
        round(kernel, &values, &mut line);
        let halves = line
            .iter()
            .flat_map(|pair| [*pair as u16, (pair >> 16) as u16]);
        let got: Vec<f32> = halves.map(widen).collect();
        for (got, case) in got.iter().zip(cases) {
            assert_eq!(*got, case.1, "{}", case.0);
        }
        assert!(got[cases.len()..].iter().all(|x| x.is_nan()));
    }
}
