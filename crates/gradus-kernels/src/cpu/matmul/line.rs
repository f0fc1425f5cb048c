//! What kernels read at a time, and where it lies.

/// One vector register's worth of f32.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub [f32; 16]);

/// One vector register's worth of bf16: pairs of neighbours, the first in the
/// low half.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(in crate::cpu) struct HalfLine(pub [u32; 16]);

impl HalfLine {
    pub(super) const ZERO: Self = Self([0; 16]);
}

/// One vector register's worth of bytes, with or without a sign.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(in crate::cpu) struct ByteLine(pub [u8; 64]);

impl ByteLine {
    pub(super) const ZERO: Self = Self([0; 64]);
}

/// Where a line of a row lies: tiles of 16 rows, a line each, follow each other
/// along the row.
#[inline(always)]
pub(super) fn line_of(row: usize, step: usize, steps: usize) -> usize {
    (row / 16 * steps + step) * 16 + row % 16
}
