//! Matrices that several tasks write at once, each its own tiles.

#![allow(unsafe_code)]

use super::Row;
use std::marker::PhantomData;

/// A borrowed row-major matrix whose parts are handed out one by one.
pub(super) struct Output<'a> {
    start: *mut f32,
    len: usize,
    cols: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: an `Output` is an exclusive borrow of f32; `part` leaves it to its
// caller that no two parts overlap.
unsafe impl Send for Output<'_> {}
// SAFETY: as above.
unsafe impl Sync for Output<'_> {}

impl<'a> Output<'a> {
    pub(super) fn new(values: &'a mut [f32], cols: usize) -> Self {
        Self {
            start: values.as_mut_ptr(),
            len: values.len(),
            cols,
            borrow: PhantomData,
        }
    }

    /// Columns `col..col + count` of a row.
    ///
    /// # Safety
    /// No other part that overlaps this one is alive.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // the caller keeps parts apart
    pub(super) unsafe fn part(&self, row: usize, col: usize, count: usize) -> &mut [f32] {
        let at = row * self.cols + col;
        assert!(col + count <= self.cols && at + count <= self.len);
        // SAFETY: inside the borrowed matrix by the assertion, and exclusive
        // by this function's contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), count) }
    }
}

/// `to = row` for what is not wanted in a cache: whole lines go to memory
/// without being read first.
#[inline(always)]
pub(in crate::cpu) fn write_past_cache(row: &Row, to: &mut Row) {
    #[cfg(target_arch = "x86_64")]
    if to.as_ptr().addr().is_multiple_of(64) {
        use std::arch::x86_64::{_mm_loadu_ps, _mm_stream_ps};
        for (from, to) in row.as_chunks::<4>().0.iter().zip(to.as_chunks_mut::<4>().0) {
            // SAFETY: both are four values, and `to` is aligned to 16 bytes,
            // as the row begins at a multiple of 64.
            unsafe { _mm_stream_ps(to.as_mut_ptr(), _mm_loadu_ps(from.as_ptr())) };
        }
        return;
    }
    *to = *row;
}

/// Makes what [`write_past_cache`] wrote on this thread visible to others in
/// the usual order.
#[inline(always)]
pub(super) fn finish_writes() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every processor of this architecture has the instruction, which
    // touches no memory.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}
