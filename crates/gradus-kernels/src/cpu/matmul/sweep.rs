//! The way through a product, block by block, for any kernel on tiles.

use super::panels::COLS;
use std::ops::Range;

/// Rows of a tile of a kernel.
pub(super) const ROWS: usize = 32;

/// Lines of a panel that a kernel takes in one step: two tiles of 16 columns.
pub(super) const STEP_LINES: usize = 32;

/// A kernel that multiplies blocks of rows by panels, made ready on this thread.
pub(super) trait Multiply {
    /// 64 bytes of a factor.
    type Line;
    /// What terms are summed in.
    type Sum: Copy + Default;

    /// Bytes of panels that stay in a core's own cache.
    fn near(&self) -> usize;

    /// `out = a b` for `rows` rows, at most [`ROWS`], of `a`, which is laid out as tiles
    /// of 16 rows, and one panel; the rows of `out` are `stride` apart, and those of a
    /// last tile are all written. In between, `meanwhile` hears what share of the work,
    /// of [`ROWS`], is under way, at last all.
    fn product(
        &self,
        a: &[Self::Line],
        rows: usize,
        panel: &[Self::Line],
        out: (&mut [Self::Sum], usize),
        meanwhile: impl FnMut(usize),
    );
}

/// Sums of a kernel.
#[repr(align(64))]
struct Tile<T>([T; ROWS * COLS]);

/// A second factor's lines and steps, which of its panels are to be met, and how many
/// bytes of them at a time.
pub(super) struct Met<'a, L> {
    pub lines: &'a [L],
    pub steps: usize,
    pub panels: Range<usize>,
    pub group_bytes: usize,
}

/// Panels in groups of about one size, of at most `near` panels.
#[inline(always)]
pub(super) fn groups(panels: &Range<usize>, near: usize) -> impl Iterator<Item = Range<usize>> {
    let (len, end) = (panels.len(), panels.end);
    let group = len.div_ceil(len.div_ceil(near.max(1)).max(1)).max(1);
    let starts = panels.clone().step_by(group);
    starts.map(move |from| from..(from + group).min(end))
}

/// Multiplies `rows` rows, laid out as tiles, by some panels. `done` gets some rows of
/// each tile, the first one's number and the panel's, while the next tile is being
/// computed.
#[inline(always)]
pub(super) fn sweep<K: Multiply>(
    kernel: &K,
    a: &[K::Line],
    rows: usize,
    met: Met<'_, K::Line>,
    mut done: impl FnMut(&[[K::Sum; COLS]], usize, usize),
) {
    let Met {
        lines,
        steps,
        panels,
        group_bytes,
    } = met;
    let zero = K::Sum::default();
    let mut tiles = [Tile([zero; ROWS * COLS]), Tile([zero; ROWS * COLS])];
    let [mut now, mut last] = tiles.each_mut();
    let mut before: Option<(usize, usize)> = None;
    let near = group_bytes / 64 / (STEP_LINES * steps).max(1);
    for group in groups(&panels, near) {
        for first in (0..rows).step_by(ROWS) {
            let here = (rows - first).min(ROWS);
            let a = &a[first * steps..(first + here.next_multiple_of(16)) * steps];
            for p in group.clone() {
                let panel = &lines[p * steps * STEP_LINES..(p + 1) * steps * STEP_LINES];
                let sums = last.0.as_chunks::<COLS>().0;
                let mut next = 0;
                kernel.product(
                    a,
                    here,
                    panel,
                    (&mut now.0, COLS),
                    #[inline(always)]
                    |share| {
                        let Some((first, p)) = before else { return };
                        // Some rows at a time, which share constants in registers.
                        let share = (share / 4 * 4).min(rows - first);
                        if next < share {
                            done(&sums[next..share], first + next, p);
                            next = share;
                        }
                    },
                );
                before = Some((first, p));
                std::mem::swap(&mut now, &mut last);
            }
        }
    }
    if let Some((first, p)) = before {
        let sums = last.0.as_chunks::<COLS>().0;
        done(&sums[..ROWS.min(rows - first)], first, p);
    }
}
