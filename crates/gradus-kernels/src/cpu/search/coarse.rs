//! Rows as bytes beside the rows themselves: a quarter of their memory, which tells where
//! scores can be high, so that few of the rows need be read.

use super::PANEL;
use crate::cpu::matmul::screen::{self, PanelBounds};
use crate::cpu::matmul::{ByteLine, MOST_TERMS};

/// Rows as bytes, in memory.
pub struct CoarseRows {
    lines: Vec<ByteLine>,
    bounds: Vec<PanelBounds>,
}

/// Rows as bytes, wherever they are.
#[derive(Clone, Copy)]
pub struct Coarse<'a> {
    pub(super) lines: &'a [ByteLine],
    pub(super) bounds: &'a [PanelBounds],
}

impl CoarseRows {
    /// Those of `rows`, `[rows, dim]`; `None` where rows are too long for it (more than
    /// 65,536 values) or of no length.
    pub fn pack(rows: &[f32], dim: usize) -> Option<Self> {
        if dim == 0 || dim > MOST_TERMS {
            return None;
        }
        let (lines, bounds) = screen::pack(rows, dim);
        Some(Self { lines, bounds })
    }

    /// As search reads them.
    pub fn view(&self) -> Coarse<'_> {
        Coarse {
            lines: &self.lines,
            bounds: &self.bounds,
        }
    }

    /// As they are stored: the first bytes, then the others, without anything between.
    pub fn parts(&self) -> [&[u8]; 2] {
        [
            screen::bytes_of(&self.lines),
            screen::bytes_of(&self.bounds),
        ]
    }
}

impl<'a> Coarse<'a> {
    /// Bytes that so many rows have.
    pub fn len_of(rows: usize, dim: usize) -> Option<usize> {
        if dim == 0 || dim > MOST_TERMS {
            return None;
        }
        let panels = rows.div_ceil(PANEL);
        let line = dim.checked_next_multiple_of(64)?.checked_mul(PANEL)?;
        let panel = line.checked_add(size_of::<PanelBounds>())?;
        panels.checked_mul(panel)
    }

    /// What [`CoarseRows::parts`] stored of so many rows, at an address that is a multiple
    /// of 64; `None` where it cannot be that.
    pub fn stored(bytes: &'a [u8], rows: usize, dim: usize) -> Option<Self> {
        if Self::len_of(rows, dim) != Some(bytes.len()) {
            return None;
        }
        let lines = screen::lines_of(rows.div_ceil(PANEL), dim) * size_of::<ByteLine>();
        let (lines, bounds) = bytes.split_at_checked(lines)?;
        Some(Self {
            lines: screen::from_bytes(lines)?,
            bounds: screen::from_bytes(bounds)?,
        })
    }
}
