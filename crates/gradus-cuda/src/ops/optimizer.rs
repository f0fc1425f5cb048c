//! AdamW, and norms of gradients, which stay on the card.

use crate::context::lock;
use crate::cuda::{Cuda, Ranges};
use crate::modules::Module;
use crate::stream::lane::{Lane, launch};
use crate::stream::memory::{Buffer, Coming};
use crate::stream::plain::plain;
use crate::tensor::Arena;
use crate::zeros::{Flags, Table};
use gradus_kernels::{AdamWSegment, AdamWStep};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// The norm of gradients, an f64 on the card.
pub struct GradientNorm {
    value: Buffer,
    /// On its way to the host, from when an update or the host first needs it.
    coming: OnceLock<Coming<f64>>,
}

impl GradientNorm {
    fn new(value: Buffer) -> Self {
        let coming = OnceLock::new();
        Self { value, coming }
    }

    fn sent(&self, lane: &Lane) -> &Coming<f64> {
        let send = || lane.send(self.value.address(), 1);
        self.coming.get_or_init(send)
    }
}

plain! {
    /// As optimizer.cu takes it.
    struct Segment {
        from: u64,
        to: u64,
        rate: f32,
        keep: f32,
    }
}

/// Segments that are nothing but ranges.
fn plain(ranges: &[Range<usize>]) -> Vec<Segment> {
    let segment = |range: &Range<usize>| Segment {
        from: range.start as u64,
        to: range.end as u64,
        rate: 0.0,
        keep: 0.0,
    };
    ranges.iter().map(segment).collect()
}

plain! {
    /// As optimizer.cu takes it.
    struct Step {
        take1: f32,
        keep2: f32,
        take2: f32,
        root2: f32,
        eps: f32,
        most: f32,
        rate1: f32,
    }
}

/// Values of a block of AdamW, and of the sum of squares.
const STEP: usize = 2048;
const SQUARES: usize = 16384;

impl Cuda {
    /// Which block has which range: made once, and the same every step.
    fn ranges(&self, ranges: Vec<Range<usize>>, block: usize) -> Ranges {
        /// Of the encoder and of a few other sets of parameters.
        const MOST: usize = 16;
        let mut known = lock(&self.shared.steps);
        if let Some(at) = known
            .iter()
            .position(|own| own.block == block && own.ranges == ranges)
        {
            return known[at].clone();
        }
        let (mut of, mut begins) = (vec![], vec![]);
        for (i, range) in ranges.iter().enumerate() {
            begins.push(of.len() as u32);
            of.extend(std::iter::repeat_n(i as u32, range.len().div_ceil(block)));
        }
        let own = Ranges {
            blocks: of.len(),
            of: Arc::new(self.lane.put(&of)),
            begins: Arc::new(self.lane.put(&begins)),
            ranges,
            block,
        };
        if known.len() == MOST {
            known.remove(0);
        }
        known.push(own.clone());
        own
    }

    pub(crate) fn norm_of_gradients(
        &self,
        grads: &Arena,
        ranges: &[Range<usize>],
        rest: f64,
    ) -> GradientNorm {
        grads.settle();
        let norm = self.lane.room::<f64>(1);
        let own = self.ranges(ranges.to_vec(), SQUARES);
        let segments = self.lane.put(&plain(ranges));
        let zeros = lock(&grads.zeros);
        let table = Table::from(zeros.rows.as_ref());
        let partial = self.lane.room::<f64>(own.blocks);
        launch!(self.lane, (Module::Optimizer, "squares"), [own.blocks, 1], 256;
            grads.at(0), segments.address(), own.begins.address(), own.of.address(), partial.address(), table);
        let blocks = own.blocks as u32;
        launch!(self.lane, (Module::Optimizer, "root"), [1, 1], 256;
            partial.address(), blocks, rest, norm.address());
        GradientNorm::new(norm)
    }

    pub(crate) fn joint(&self, a: &GradientNorm, b: &GradientNorm) -> GradientNorm {
        let norm = self.lane.room::<f64>(1);
        launch!(self.lane, (Module::Optimizer, "joint_root"), [1, 1], 32;
            a.value.address(), b.value.address(), norm.address());
        GradientNorm::new(norm)
    }

    /// Waits for all that comes before the first update by it, not for the update.
    pub(crate) fn read_norm(&self, norm: &GradientNorm) -> f64 {
        norm.sent(&self.lane).values()[0]
    }

    pub(crate) fn step(
        &self,
        [params, grads, first, second]: [&Arena; 4],
        segments: &[AdamWSegment],
        step: &AdamWStep,
        norm: &GradientNorm,
        most: Option<f64>,
    ) {
        norm.sent(&self.lane);
        let own = self.ranges(segments.iter().map(|s| s.range.clone()).collect(), STEP);
        let segment = |s: &AdamWSegment| Segment {
            from: s.range.start as u64,
            to: s.range.end as u64,
            rate: s.learning_rate,
            keep: 1.0 - s.learning_rate * s.weight_decay,
        };
        let segments: Vec<Segment> = segments.iter().map(segment).collect();
        let segments = self.lane.put(&segments);
        let left = |beta: f64| 1.0 - beta.powf(step.step as f64);
        let argument = Step {
            take1: (1.0 - step.beta1) as f32,
            keep2: step.beta2 as f32,
            take2: (1.0 - step.beta2) as f32,
            root2: left(step.beta2).sqrt() as f32,
            eps: step.eps as f32,
            most: most.map_or(f32::INFINITY, |m| m as f32),
            rate1: (1.0 / left(step.beta1)) as f32,
        };
        let half = params.half_if_made();
        grads.settle();
        let moved = self.moved(grads, [first, second]);
        let table = Table::from(moved.as_ref());
        lock(&first.zeros).rows = moved;
        launch!(self.lane, (Module::Optimizer, "adamw"), [own.blocks, 1], 256;
            params.at(0), grads.at(0), first.at(0), second.at(0), half, segments.address(),
            own.begins.address(), own.of.address(), argument, norm.value.address(), table);
        if half == 0 {
            params.changed();
        }
    }

    /// The rows of a table that have moved so far or do so now. First moments know them; where they do
    /// not, as behind a checkpoint, moments are looked at.
    fn moved(&self, grads: &Arena, moments: [&Arena; 2]) -> Option<Flags> {
        let now = lock(&grads.zeros).rows.clone()?;
        let known = lock(&moments[0].zeros).rows.take();
        let known = known.filter(|known| known.table == now.table);
        let (rows, cols) = (now.table.rows as u32, now.table.cols as u32);
        let blocks = now.table.rows.div_ceil(8);
        let moved = known.unwrap_or_else(|| {
            let moved = Flags::none(&self.lane, now.table);
            let [m, v] = moments.map(|own| own.at(now.table.offset));
            launch!(self.lane, (Module::Optimizer, "find_rows"), [blocks, 1], 256;
                m, v, moved.address(), rows, cols);
            moved
        });
        launch!(self.lane, (Module::Optimizer, "join_rows"), Self::each(now.table.rows), 256;
            moved.address(), now.address(), rows);
        Some(moved)
    }

    /// Sets gradients to zero: what products will overwrite only counts as zero.
    pub(crate) fn begin_anew(&self, grads: &Arena) {
        let Some((ranges, table)) = grads.begin_anew() else {
            return self.lane.clear(grads.at(0), 4 * grads.len);
        };
        let segments = self.lane.put(&plain(&ranges));
        let own = self.ranges(ranges, STEP);
        launch!(self.lane, (Module::Optimizer, "clear_ranges"), [own.blocks, 1], 256;
            grads.at(0), segments.address(), own.begins.address(), own.of.address());
        if let Some(Flags { table, rows: flags }) = table {
            let (to, rows, cols) = (grads.at(table.offset), table.rows as u32, table.cols as u32);
            launch!(self.lane, (Module::Optimizer, "clear_rows"), [table.rows.div_ceil(8), 1], 256;
                to, flags.address(), rows, cols);
            self.lane.clear(flags.address(), table.rows);
        }
    }

    /// Moves the first values of `average` a share of the way.
    pub(crate) fn move_towards(&self, average: &Arena, params: &Arena, len: usize, share: f32) {
        let n = len as u64;
        launch!(self.lane, (Module::Elementwise(false), "approach"), Self::each(len), 256;
            average.at(0), params.at(0), share, n);
        average.changed();
    }
}
