use super::Cpu;
use super::aligned::Aligned;
use super::deferred_decay::DeferredDecay;
use super::matmul::{Panels, Rhs};
use super::sparse_rows::{SparseRows, overlap};
use crate::View;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

/// Parameters, gradients or moments in main memory: flat f32 values, and what
/// is derived from them and kept until they change.
#[derive(Default)]
pub struct Arena {
    values: Aligned,
    layouts: Mutex<Layouts>,
    /// Where given, only these rows of a table may differ from zero.
    pub(super) sparse: Option<SparseRows>,
    /// Where given, rows of a table are still to be multiplied by some factors.
    deferred: Option<DeferredDecay>,
    /// Parts that were written by one product, and whether they count as zero
    /// now: then what they hold is old, and the next product overwrites it.
    written: Vec<(View, bool)>,
    /// Whether parts that one product writes are to be noted there.
    noted: bool,
}

/// Weights laid out for products; stale ones lend their memory.
#[derive(Default)]
struct Layouts {
    ready: HashMap<(usize, Rhs), Arc<Panels>>,
    stale: HashMap<(usize, Rhs), Arc<Panels>>,
}

/// A weight's place and its layouts.
pub(super) struct Layout {
    pub range: Range<usize>,
    pub panels: Vec<(Rhs, Panels)>,
}

impl Arena {
    pub(super) fn new(values: Aligned) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }

    /// Zeros for gradients, of which those of some rows may stay so.
    pub(super) fn gradients(zeros: Aligned, sparse: Option<SparseRows>) -> Self {
        Self {
            sparse,
            noted: true,
            ..Self::new(zeros)
        }
    }

    /// The values; nothing is copied where nothing was put off.
    pub fn values(&self) -> Cow<'_, [f32]> {
        self.part_of(0..self.values.len())
    }

    /// Those of a range.
    pub(super) fn part_of(&self, range: Range<usize>) -> Cow<'_, [f32]> {
        let mut values = Cow::Borrowed(&self.values[range.clone()]);
        for view in self.due() {
            let own = view.range();
            let (from, to) = (own.start.max(range.start), own.end.min(range.end));
            if from < to {
                values.to_mut()[from - range.start..to - range.start].fill(0.0);
            }
        }
        if let Some(deferred) = self.deferred.as_ref().filter(|d| d.meets(&range)) {
            deferred.put_range(range.start, values.to_mut());
        }
        values
    }

    /// Those of a view to which nothing is put off: any but the table of words.
    pub(super) fn view(&self, view: View) -> &[f32] {
        let range = view.range();
        debug_assert!(!self.due().any(|due| overlap(&due.range(), &range)));
        debug_assert!(!self.deferred.as_ref().is_some_and(|d| d.meets(&range)));
        view.of(&self.values)
    }

    /// The values of a table as they lie in memory, and what is put off.
    pub(super) fn table(&self, table: View) -> (&[f32], Option<&DeferredDecay>) {
        let range = table.range();
        let deferred = self.deferred.as_ref().filter(|d| d.meets(&range));
        (table.of(&self.values), deferred)
    }

    /// All values as they lie in memory, and what is put off, to change both.
    pub(super) fn deferred(&mut self) -> (&mut [f32], &mut Option<DeferredDecay>) {
        self.outdate();
        (&mut self.values, &mut self.deferred)
    }

    /// The parts whose old values are still there although they are zero.
    fn due(&self) -> impl Iterator<Item = &View> {
        self.written.iter().filter(|w| w.1).map(|w| &w.0)
    }

    /// Makes true what was put off in a range.
    fn settle(&mut self, range: Range<usize>) {
        for (view, due) in self.written.iter_mut().filter(|w| w.1) {
            if overlap(&view.range(), &range) {
                view.of_mut(&mut self.values).fill(0.0);
                *due = false;
            }
        }
        if let Some(deferred) = self.deferred.take_if(|d| d.meets(&range)) {
            deferred.put_range(0, &mut self.values);
        }
    }

    /// The values, to change any of them.
    pub(super) fn change(&mut self) -> &mut [f32] {
        self.sparse = None;
        self.noted = false;
        self.outdate();
        self.settle(0..self.values.len());
        &mut self.values
    }

    /// The values of a view to which a product is to be added, and whether they
    /// are zero and to be overwritten instead, whatever they hold.
    pub(super) fn sum(&mut self, view: View) -> (&mut [f32], bool) {
        let own = view.range();
        if let Some((_, due)) = self.written.iter_mut().find(|w| w.0 == view) {
            if std::mem::take(due) {
                self.outdate();
                return (view.of_mut(&mut self.values), true);
            }
        } else if self.noted {
            let mut others = self.written.iter().map(|w| w.0.range());
            let table = self.sparse.as_ref().map(|s| s.table().range());
            if !table.is_some_and(|t| overlap(&t, &own)) && !others.any(|o| overlap(&o, &own)) {
                self.written.push((view, false));
            }
        }
        (self.part(view), false)
    }

    /// The values of a view, to change them.
    pub(super) fn part(&mut self, view: View) -> &mut [f32] {
        self.outdate();
        self.settle(view.range());
        if let Some(sparse) = &mut self.sparse {
            sparse.touch(&view.range());
        }
        view.of_mut(&mut self.values)
    }

    /// The values of a table, to change those of some rows.
    pub(super) fn rows(&mut self, table: View, rows: &[u32]) -> &mut [f32] {
        self.outdate();
        self.settle(table.range());
        match &mut self.sparse {
            Some(sparse) if sparse.table() == table => {
                rows.iter().for_each(|&row| sparse.touch_row(row));
            }
            Some(sparse) => sparse.touch(&table.range()),
            None => {}
        }
        table.of_mut(&mut self.values)
    }

    /// The values and what is known of their zeros, to change both in step.
    pub(super) fn both(&mut self) -> (&mut [f32], &mut Option<SparseRows>) {
        self.outdate();
        self.settle(0..self.values.len());
        (&mut self.values, &mut self.sparse)
    }

    /// Sets everything to zero, which costs nothing where it is known to be or
    /// will be overwritten.
    pub(super) fn zero(&mut self, cpu: &Cpu) {
        const BLOCK: usize = 1 << 16;
        self.outdate();
        let mut skip = vec![];
        for (view, due) in &mut self.written {
            *due = true;
            skip.push(view.range());
        }
        let mut touched = vec![];
        if let Some(sparse) = &mut self.sparse {
            skip.push(sparse.table().range());
            touched = sparse.runs();
            sparse.clear();
        }
        skip.sort_unstable_by_key(|range| range.start);
        for range in touched {
            self.values[range].fill(0.0);
        }
        let mut parts: Vec<&mut [f32]> = vec![];
        let (mut rest, mut at) = (&mut self.values[..], 0);
        for range in skip {
            let (part, tail) = std::mem::take(&mut rest).split_at_mut(range.start - at);
            parts.extend(part.chunks_mut(BLOCK));
            rest = &mut tail[range.len()..];
            at = range.end;
        }
        parts.extend(rest.chunks_mut(BLOCK));
        cpu.each(parts, |part| part.fill(0.0));
    }

    /// Everything derived from the values is out of date.
    fn outdate(&mut self) {
        let layouts = self.layouts.get_mut().unwrap_or_else(|e| e.into_inner());
        layouts.stale.extend(layouts.ready.drain());
    }

    /// A weight laid out for products with it, of kind `rhs`.
    pub(super) fn panels(&self, cpu: &Cpu, weight: View, rhs: Rhs) -> Arc<Panels> {
        let key = (weight.offset, rhs);
        if let Some(panels) = self.layouts().ready.get(&key) {
            return Arc::clone(panels);
        }
        // Not held while packing: that runs on the pool, whose other work may
        // want a layout too. Packing twice gives the same.
        let old = self.layouts().stale.remove(&key).and_then(Arc::into_inner);
        let (n, k) = match rhs {
            Rhs::Transposed | Rhs::Bytes => (weight.rows, weight.cols),
            Rhs::Plain => (weight.cols, weight.rows),
        };
        let panels = Panels::pack(cpu, &self.part_of(weight.range()), rhs, n, k, old);
        let panels = Arc::new(panels);
        self.layouts().ready.insert(key, Arc::clone(&panels));
        panels
    }

    /// Takes out the layouts of what the values are now. Whoever changes those
    /// fills the layouts anew and puts them back with [`Arena::laid_out`].
    pub(super) fn take_layouts(&mut self) -> Vec<Layout> {
        let layouts = self.layouts.get_mut().unwrap_or_else(|e| e.into_inner());
        let mut weights: Vec<Layout> = vec![];
        for ((offset, rhs), panels) in layouts.ready.drain() {
            let Some(panels) = Arc::into_inner(panels) else {
                continue;
            };
            let range = offset..offset + panels.len();
            match weights.iter_mut().find(|w| w.range == range) {
                Some(weight) => weight.panels.push((rhs, panels)),
                None => weights.push(Layout {
                    range,
                    panels: vec![(rhs, panels)],
                }),
            }
        }
        weights.sort_unstable_by_key(|w| w.range.start);
        weights
    }

    /// Puts back layouts of what the values are now.
    pub(super) fn laid_out(&mut self, weights: Vec<Layout>) {
        let layouts = self.layouts.get_mut().unwrap_or_else(|e| e.into_inner());
        for weight in weights {
            for (rhs, panels) in weight.panels {
                let key = (weight.range.start, rhs);
                layouts.ready.insert(key, Arc::new(panels));
            }
        }
    }

    fn layouts(&self) -> MutexGuard<'_, Layouts> {
        self.layouts.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arena")
            .field("len", &self.values.len())
            .finish_non_exhaustive()
    }
}
