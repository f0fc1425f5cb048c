use super::aligned::Aligned;
use super::matmul::{Left, PackedRows};
use std::sync::{Arc, Mutex};

/// Buffers that finished tensors hand back, so that a steady training loop
/// neither allocates nor touches fresh pages.
#[derive(Debug, Default)]
pub(super) struct Pool {
    free: Mutex<Vec<Aligned>>,
}

/// More free buffers than this are given back to the system.
const KEPT: usize = 256;

impl Pool {
    /// A buffer of at least `len` initialised values, of any content.
    fn take(&self, len: usize) -> Aligned {
        let mut free = self.free.lock().unwrap_or_else(|e| e.into_inner());
        // The tightest fit, unless it wastes more than half of itself; of several the one
        // that was used last, as it may still be near.
        let best = free
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, b)| b.len() >= len && b.len() <= 2 * len + 1024)
            .min_by_key(|(_, b)| b.len())
            .map(|(i, _)| i);
        match best {
            Some(i) => free.remove(i),
            None => {
                // Rounded up, so that batches of nearby sizes share buffers.
                let step = (len / 8).next_power_of_two().max(64);
                Aligned::zeros(len.next_multiple_of(step))
            }
        }
    }

    fn give(&self, buffer: Aligned) {
        let mut free = self.free.lock().unwrap_or_else(|e| e.into_inner());
        if free.len() >= KEPT {
            // The oldest sizes are the least likely to come back.
            free.remove(0);
        }
        free.push(buffer);
    }
}

/// A row-major matrix of f32 in main memory.
pub struct Tensor {
    buffer: Aligned,
    rows: usize,
    cols: usize,
    pool: Arc<Pool>,
    /// The same values as products for inference take them.
    packed: Option<PackedRows>,
}

impl Tensor {
    /// A matrix of unspecified content.
    pub(super) fn uninit(pool: &Arc<Pool>, rows: usize, cols: usize) -> Self {
        Self {
            buffer: pool.take(rows * cols),
            rows,
            cols,
            pool: Arc::clone(pool),
            packed: None,
        }
    }

    /// Keeps what its values are laid out as, until they change.
    pub(super) fn keep_packed(&mut self, packed: Option<PackedRows>) {
        self.packed = packed;
    }

    /// As a first factor of a product for inference.
    pub(super) fn left(&self) -> Left<'_> {
        match &self.packed {
            Some(packed) => packed.left(),
            None => Left::Rows(self.values()),
        }
    }

    /// A matrix of the same shape, of unspecified content.
    pub(super) fn like(&self) -> Self {
        Self::uninit(&self.pool, self.rows, self.cols)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.buffer[..self.rows * self.cols]
    }

    /// All values, row after row.
    pub fn values_mut(&mut self) -> &mut [f32] {
        self.packed = None;
        &mut self.buffer[..self.rows * self.cols]
    }

    /// The `i`-th row.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.buffer[i * self.cols..(i + 1) * self.cols]
    }
}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tensor")
            .field("rows", &self.rows)
            .field("cols", &self.cols)
            .field("values", &self.values())
            .finish()
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.buffer));
    }
}
