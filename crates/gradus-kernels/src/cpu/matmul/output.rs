//! Where the rows of a product's tiles go: matrices that several tasks write
//! at once, each its own tiles.

#![allow(unsafe_code)]

use super::line::{HalfLine, line_of};
use super::panels::COLS;
use super::tiles::Tiles;
use super::{Row, plus};
use crate::cpu::Isa;
use std::marker::PhantomData;

/// What becomes of a row of sums: it may be combined with, and put into, the
/// same part of each of `N` matrices.
pub(in crate::cpu) trait Store<T, const N: usize>:
    Fn(&Row, [&mut T; N]) + Sync
{
}

impl<T, const N: usize, F: Fn(&Row, [&mut T; N]) + Sync> Store<T, N> for F {}

/// Takes the rows of all tiles of a product, from several threads.
pub(in crate::cpu) trait Sink: Sync {
    /// Takes what panel `panel` has of some rows, of which the first is `row`, each with
    /// `bias` added.
    ///
    /// # Safety
    /// No other call with one of these rows and the same panel is under way.
    unsafe fn put(&self, sums: &[Row], bias: &Row, row: usize, panel: usize);

    /// Panics unless it has room for so many rows and columns.
    fn check(&self, rows: usize, cols: usize);
}

/// `N` matrices of f32 of one shape.
pub(in crate::cpu) struct Rows<'a, S, const N: usize> {
    out: [Shared<'a, f32>; N],
    cols: usize,
    store: S,
}

impl<'a, S: Store<Row, N>, const N: usize> Rows<'a, S, N> {
    pub(in crate::cpu) fn new(out: [&'a mut [f32]; N], cols: usize, store: S) -> Self {
        let out = out.map(Shared::new);
        Self { out, cols, store }
    }
}

impl<S: Store<Row, N>, const N: usize> Sink for Rows<'_, S, N> {
    #[inline(always)]
    unsafe fn put(&self, sums: &[Row], bias: &Row, row: usize, panel: usize) {
        let (cols, col) = (self.cols, panel * COLS);
        let count = (cols - col).min(COLS);
        let at = row * cols + col;
        if count == COLS {
            // Looked at once for all rows.
            let len = sums.len().saturating_sub(1) * cols + COLS;
            let starts = self.out.each_ref().map(|out| out.start_of(at, len));
            for (i, sums) in sums.iter().enumerate() {
                let parts = starts.map(
                    #[inline(always)]
                    // SAFETY: 32 values inside of those that `start_of` looked at. Parts
                    // of different rows or panels do not overlap, and these are nobody
                    // else's by this function's contract.
                    |start| unsafe { &mut *start.add(i * cols).cast::<Row>() },
                );
                (self.store)(&plus(sums, bias), parts);
            }
            return;
        }
        for (i, sums) in sums.iter().enumerate() {
            // SAFETY: as above.
            let mut parts: [&mut [f32]; N] = std::array::from_fn(
                #[inline(always)]
                |m| unsafe { self.out[m].part(at + i * cols, count) },
            );
            let mut padded = [[0f32; COLS]; N];
            for (padded, part) in padded.iter_mut().zip(&parts) {
                padded[..count].copy_from_slice(part);
            }
            (self.store)(&plus(sums, bias), padded.each_mut());
            for (padded, part) in padded.iter().zip(&mut parts) {
                part.copy_from_slice(&padded[..count]);
            }
        }
    }

    fn check(&self, rows: usize, cols: usize) {
        assert_eq!(self.cols, cols);
        assert!(self.out.iter().all(|out| out.len == rows * cols));
    }
}

/// `N` matrices in bf16, laid out as tiles.
pub(in crate::cpu) struct Lines<'a, S, const N: usize> {
    out: [Shared<'a, HalfLine>; N],
    rows: usize,
    steps: usize,
    store: S,
}

impl<'a, S: Store<HalfLine, N>, const N: usize> Lines<'a, S, N> {
    /// All of one shape.
    pub(in crate::cpu) fn new(out: [&'a mut Tiles; N], store: S) -> Self {
        let shapes = out.each_ref().map(|tiles| (tiles.rows(), tiles.steps()));
        assert!(shapes.iter().all(|shape| *shape == shapes[0]));
        let (rows, steps) = shapes[0];
        let out = out.map(|tiles| Shared::new(tiles.lines_mut()));
        Self {
            out,
            rows,
            steps,
            store,
        }
    }
}

impl<S: Store<HalfLine, N>, const N: usize> Sink for Lines<'_, S, N> {
    #[inline(always)]
    unsafe fn put(&self, sums: &[Row], bias: &Row, row: usize, panel: usize) {
        for (row, sums) in (row..).zip(sums) {
            let at = line_of(row, panel, self.steps);
            // SAFETY: every row has a line of its own for each panel, and this one
            // is nobody else's by this function's contract.
            let lines: [&mut HalfLine; N] = std::array::from_fn(
                #[inline(always)]
                |i| unsafe { &mut self.out[i].part(at, 1)[0] },
            );
            (self.store)(&plus(sums, bias), lines);
        }
    }

    fn check(&self, rows: usize, cols: usize) {
        assert_eq!((self.rows, self.steps * COLS), (rows, cols));
    }
}

/// Borrowed values, of which parts are handed out one by one.
struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: a `Shared` is an exclusive borrow; `part` leaves it to its caller
// that no two parts overlap.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above; parts may come to life on any thread, hence `T: Send`.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    fn new(values: &'a mut [T]) -> Self {
        Self {
            start: values.as_mut_ptr(),
            len: values.len(),
            borrow: PhantomData,
        }
    }

    /// Where `count` values from `at` on begin.
    #[inline(always)]
    fn start_of(&self, at: usize, count: usize) -> *mut T {
        assert!(at + count <= self.len);
        self.start.wrapping_add(at)
    }

    /// # Safety
    /// No other part that overlaps this one is alive.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // the caller keeps parts apart
    unsafe fn part(&self, at: usize, count: usize) -> &mut [T] {
        assert!(at + count <= self.len);
        // SAFETY: inside the borrowed values by the assertion, and exclusive
        // by this function's contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), count) }
    }
}

/// `to = row` for what is not wanted in a cache: whole lines go to memory
/// without being read first.
#[inline(always)]
pub(in crate::cpu) fn write_past_cache(isa: Isa, row: &Row, to: &mut Row) {
    #[cfg(target_arch = "x86_64")]
    if to.as_ptr().addr().is_multiple_of(64) {
        if isa >= Isa::Avx512 {
            // SAFETY: backends are made only with instruction sets that were found
            // available, and those from this one on have AVX-512. 128 bytes are read and
            // written, and `to` lies at a multiple of 64.
            return unsafe {
                std::arch::asm!(
                    "vmovups zmm0, [{from}]",
                    "vmovups zmm1, [{from} + 64]",
                    "vmovntps [{to}], zmm0",
                    "vmovntps [{to} + 64], zmm1",
                    from = in(reg) row,
                    to = in(reg) to,
                    out("zmm0") _,
                    out("zmm1") _,
                    options(nostack, preserves_flags),
                );
            };
        }
        use std::arch::x86_64::{_mm_loadu_ps, _mm_stream_ps};
        for (from, to) in row.as_chunks::<4>().0.iter().zip(to.as_chunks_mut::<4>().0) {
            // SAFETY: both are four values, and `to` is aligned to 16 bytes,
            // as the row begins at a multiple of 64.
            unsafe { _mm_stream_ps(to.as_mut_ptr(), _mm_loadu_ps(from.as_ptr())) };
        }
        return;
    }
    let _ = isa;
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
