//! What gradients know of their zeros, so that a step neither clears nor reads what nobody wrote.
//!
//! A weight's gradient is a product that overwrites what was there: clearing it before would be a
//! pass over all of the model for nothing. Of a table of words a step writes few rows: the others are
//! neither cleared nor read, and in AdamW a row that has never moved only decays.

use crate::context::lock;
use crate::functions::Address;
use crate::stream::lane::Lane;
use crate::stream::memory::Buffer;
use crate::stream::plain::plain;
use crate::tensor::Arena;
use gradus_kernels::View;
use std::ops::Range;
use std::sync::Arc;

/// A byte for each row of a table, 0 for those without any gradient.
#[derive(Clone)]
pub(crate) struct Flags {
    pub table: View,
    pub rows: Arc<Buffer>,
}

plain! {
    /// As kernels take it; without a table all addresses are 0.
    pub(crate) struct Table {
        flags: u64,
        from: u64,
        to: u64,
        cols: u64,
    }
}

impl Flags {
    /// None set.
    pub fn none(lane: &Lane, table: View) -> Self {
        let rows = lane.room::<u8>(table.rows);
        lane.clear(rows.address(), table.rows);
        Self {
            table,
            rows: Arc::new(rows),
        }
    }

    pub fn address(&self) -> Address {
        self.rows.address()
    }

    fn overlaps(&self, range: &Range<usize>) -> bool {
        overlap(&self.table.range(), range)
    }
}

impl From<Option<&Flags>> for Table {
    fn from(flags: Option<&Flags>) -> Self {
        flags.map_or_else(Self::default, |own| {
            let range = own.table.range();
            Self {
                flags: own.address(),
                from: range.start as u64,
                to: range.end as u64,
                cols: own.table.cols as u64,
            }
        })
    }
}

/// What is known of an arena.
#[derive(Default)]
pub(crate) struct Zeros {
    /// Whether it holds gradients.
    noted: bool,
    /// Views that products are written to, and whether what is there counts as zero.
    written: Vec<(View, bool)>,
    /// Of gradients: rows since they were last cleared. Of first moments: rows that ever moved.
    pub rows: Option<Flags>,
}

impl Zeros {
    /// Of gradients, which are zero.
    pub fn of_gradients(lane: &Lane, table: Option<View>) -> Self {
        Self {
            noted: true,
            written: vec![],
            rows: table.map(|table| Flags::none(lane, table)),
        }
    }

    /// Makes true what counts as zero in a range.
    fn settle(&mut self, arena: &Arena, range: &Range<usize>) {
        for (view, due) in self.written.iter_mut().filter(|own| own.1) {
            if overlap(&view.range(), range) {
                arena.lane.clear(arena.at(view.offset), 4 * view.len());
                *due = false;
            }
        }
    }

    /// All rows may have moved, if these are of the table.
    fn touch(&self, arena: &Arena, range: &Range<usize>) {
        if let Some(rows) = self.rows.as_ref().filter(|rows| rows.overlaps(range)) {
            arena.lane.fill(rows.address(), 1, rows.table.rows);
        }
    }
}

impl Arena {
    /// Where the values of a view are, to change them in any way.
    pub(crate) fn change(&self, view: View) -> Address {
        let (mut zeros, range) = (lock(&self.zeros), view.range());
        zeros.settle(self, &range);
        zeros.touch(self, &range);
        self.at(view.offset)
    }

    /// Where the values of a view are, to which a product is to be added, or which it is to
    /// overwrite, whatever they are.
    pub(crate) fn sum(&self, view: View) -> (Address, bool) {
        let (mut zeros, own) = (lock(&self.zeros), view.range());
        if let Some((_, due)) = zeros.written.iter_mut().find(|known| known.0 == view)
            && std::mem::take(due)
        {
            return (self.at(view.offset), false);
        }
        let known = zeros.written.iter().any(|(known, _)| *known == view);
        let meets = |other: &Range<usize>| overlap(other, &own);
        let apart = !zeros.written.iter().any(|(other, _)| meets(&other.range()))
            && !zeros.rows.as_ref().is_some_and(|rows| rows.overlaps(&own));
        if zeros.noted && !known && apart {
            zeros.written.push((view, false));
        }
        zeros.settle(self, &own);
        zeros.touch(self, &own);
        (self.at(view.offset), true)
    }

    /// Where a table is, to add to some rows of it, and where a kernel says which; 0 where nobody
    /// wants to know.
    pub(crate) fn rows(&self, table: View) -> (Address, Address) {
        let (mut zeros, range) = (lock(&self.zeros), table.range());
        zeros.settle(self, &range);
        match zeros.rows.as_ref().filter(|rows| rows.table == table) {
            Some(rows) => (self.at(table.offset), rows.address()),
            None => {
                zeros.touch(self, &range);
                (self.at(table.offset), 0)
            }
        }
    }

    /// Makes true what counts as zero: before the values are read.
    pub(crate) fn settle(&self) {
        lock(&self.zeros).settle(self, &(0..self.len));
    }

    /// The ranges that are to be cleared, and the rows of a table, which have to be looked at; from now
    /// on all else counts as zero. None where all is to be cleared.
    pub(crate) fn begin_anew(&self) -> Option<(Vec<Range<usize>>, Option<Flags>)> {
        let mut zeros = lock(&self.zeros);
        if !zeros.noted {
            return None;
        }
        let mut skip: Vec<Range<usize>> = vec![];
        for (view, due) in &mut zeros.written {
            *due = true;
            skip.push(view.range());
        }
        skip.extend(zeros.rows.iter().map(|rows| rows.table.range()));
        skip.sort_unstable_by_key(|range| range.start);
        let (mut rest, mut at) = (vec![], 0);
        for range in skip {
            rest.push(at..range.start);
            at = range.end;
        }
        rest.push(at..self.len);
        rest.retain(|range| !range.is_empty());
        Some((rest, zeros.rows.clone()))
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}
