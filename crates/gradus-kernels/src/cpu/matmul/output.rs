//! Matrices that several tasks write at once, each its own tiles.

#![allow(unsafe_code)]

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
