//! The way through a product, block by block, for any kernel on tiles.

use super::panels::COLS;
use std::ops::Range;

/// Rows of a tile of a kernel.
pub(super) const ROWS: usize = 32;

/// Lines of a panel that a kernel takes in one step: two tiles of 16 columns.
pub(super) const STEP_LINES: usize = 32;

/// Rows of a first factor, at most [`ROWS`], laid out as tiles of 16 rows, and the steps
/// of its terms that are to be multiplied now.
pub(super) struct RowBlock<'a, L> {
    /// All steps.
    pub lines: &'a [L],
    pub rows: usize,
    pub terms: Range<usize>,
}

impl<L> RowBlock<'_, L> {
    /// The first 16 rows, and others; of the terms at hand.
    #[inline(always)]
    pub fn halves(&self) -> (&[L], &[L]) {
        let whole = self.rows > 16;
        let (low, high) = self.lines.split_at(self.lines.len() >> u32::from(whole));
        let terms = 16 * self.terms.start..16 * self.terms.end;
        let high = if whole { &high[terms.clone()] } else { high };
        (&low[terms], high)
    }

    /// All lines, for kernels that take all terms at once.
    #[inline(always)]
    pub fn whole(&self) -> &[L] {
        debug_assert!(self.terms.start == 0);
        self.lines
    }
}

/// Bytes of rows, and of the panels that they meet, that stay together in a core's own
/// cache.
#[derive(Clone, Copy)]
pub(super) struct Near {
    pub rows: usize,
    pub panels: usize,
}

impl Near {
    /// Cuts some rows into parts of about one size, of whole blocks, whose lines for so
    /// many steps stay there.
    #[inline(always)]
    pub fn parts(self, rows: Range<usize>, steps: usize) -> impl Iterator<Item = Range<usize>> {
        let (start, end) = (rows.start, rows.end);
        let blocks = 0..rows.len().div_ceil(ROWS);
        let parts = groups(blocks, self.rows / 64 / steps.max(1) / ROWS);
        parts.map(move |part| start + part.start * ROWS..(start + part.end * ROWS).min(end))
    }
}

/// A kernel that multiplies blocks of rows by panels, made ready on this thread.
pub(super) trait Multiply {
    /// 64 bytes of a factor.
    type Line;
    /// What terms are summed in.
    type Sum: Copy + Default;

    /// What stays in a core's own cache.
    fn near(&self) -> Near;

    /// Steps of terms that it is best given at a time.
    fn steps(&self) -> usize {
        usize::MAX
    }

    /// `out = a b` for a block of rows and one panel's lines for the same terms; where
    /// those are not the first, `out` has the sums of the terms before. The rows of `out`
    /// are `stride` apart, and those of a last tile are all written. In between,
    /// `meanwhile` hears what share of the work, of [`ROWS`], is under way, at last all.
    fn product(
        &self,
        a: &RowBlock<'_, Self::Line>,
        panel: &[Self::Line],
        out: (&mut [Self::Sum], usize),
        meanwhile: impl FnMut(usize),
    );
}

/// Sums of a kernel.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Tile<T>([T; ROWS * COLS]);

/// A second factor's lines and steps, and which of its panels are to be met.
pub(super) struct Met<'a, L> {
    pub lines: &'a [L],
    pub steps: usize,
    pub panels: Range<usize>,
}

/// Panels in groups of about one size, of at most `near` panels.
#[inline(always)]
pub(super) fn groups(panels: Range<usize>, near: usize) -> impl Iterator<Item = Range<usize>> {
    let (len, end) = (panels.len(), panels.end);
    let group = len.div_ceil(len.div_ceil(near.max(1)).max(1)).max(1);
    let starts = panels.step_by(group);
    starts.map(move |from| from..(from + group).min(end))
}

/// Multiplies `rows` rows, laid out as tiles, by some panels. `done` gets some rows of
/// each tile, the first one's number and the panel's, while the next tile is being
/// computed.
///
/// Some rows meet some panels, then the next of them: both stay in a core's own cache
/// together. Terms are taken in parts where a block of rows would not stay in the nearest
/// cache: the block's part meets the group's panels, then its next part does.
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
    } = met;
    let near = kernel.near().panels / 64 / (STEP_LINES * steps).max(1);
    let longest = groups(panels.clone(), near)
        .next()
        .map_or(0, |group| group.len());
    let zero = Tile([K::Sum::default(); ROWS * COLS]);
    // Of one block and one group, and the last one of those before.
    let (mut two, mut many) = ([zero; 2], vec![]);
    let tiles = match steps <= kernel.steps() {
        true => &mut two[..],
        false => {
            many.resize(longest + 1, zero);
            &mut many[..]
        }
    };
    let mut at = 0;
    let mut before: Option<(usize, usize)> = None;
    let parts = kernel.near().parts(0..rows, steps);
    let group = |part: Range<usize>| groups(panels.clone(), near).map(move |g| (part.clone(), g));
    for (part, group) in parts.flat_map(group) {
        for first in part.step_by(ROWS) {
            let here = (rows - first).min(ROWS);
            let mut block = RowBlock {
                lines: &a[first * steps..(first + here.next_multiple_of(16)) * steps],
                rows: here,
                terms: 0..0,
            };
            // One part where there are no terms.
            for terms in groups(0..steps.max(1), kernel.steps()) {
                block.terms = terms.start..terms.end.min(steps);
                let end = at + group.len();
                for (i, p) in (at..end).zip(group.clone()) {
                    let part = p * steps + block.terms.start..p * steps + block.terms.end;
                    let panel = &lines[part.start * STEP_LINES..part.end * STEP_LINES];
                    let (slot, last) = (i % tiles.len(), (i + tiles.len() - 1) % tiles.len());
                    let Ok([now, last]) = tiles.get_disjoint_mut([slot, last]) else {
                        unreachable!("two places");
                    };
                    let sums = last.0.as_chunks::<COLS>().0;
                    let mut next = 0;
                    kernel.product(
                        &block,
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
                    before = (block.terms.end == steps).then_some((first, p));
                }
            }
            at += group.len();
        }
    }
    if let Some((first, p)) = before {
        let last = &tiles[(at + tiles.len() - 1) % tiles.len()];
        let sums = last.0.as_chunks::<COLS>().0;
        done(&sums[..ROWS.min(rows - first)], first, p);
    }
}
