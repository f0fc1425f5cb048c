//! AdamW over arenas, and the gradient norm it is clipped by.
//!
//! A token that no text has contained yet has moments of zero and no gradient.
//! Its row of the embedding table only decays, which is put off; the result is that of
//! the dense update.

use super::arena::{Arena, Layout};
use super::deferred_decay::DeferredDecay;
use super::matmul::Block;
use super::sparse_rows::{Active, SparseRows, overlap};
use super::{Cpu, cut};
use crate::{AdamWArenas, AdamWSegment, AdamWStep, Clip};
use std::ops::Range;

/// Values per task; fixed, so that sums do not depend on the thread count.
const BLOCK: usize = 1 << 15;

/// A run of values of one segment.
struct Piece {
    segment: usize,
    range: Range<usize>,
}

/// Cuts what may differ from zero in segments into tasks of about [`BLOCK`] values.
fn tasks(
    segments: impl IntoIterator<Item = (usize, Range<usize>)>,
    active: &Active,
) -> Vec<Vec<Piece>> {
    let mut tasks: Vec<Vec<Piece>> = vec![];
    let mut room = 0;
    for (segment, range) in segments {
        for part in active.parts(range) {
            let mut at = part.start;
            while at < part.end {
                if room == 0 {
                    tasks.push(vec![]);
                    room = BLOCK;
                }
                let range = at..part.end.min(at + room);
                room -= range.len();
                at = range.end;
                if let Some(task) = tasks.last_mut() {
                    task.push(Piece { segment, range });
                }
            }
        }
    }
    tasks
}

pub(super) fn sum_of_squares(cpu: &Cpu, arena: &Arena, ranges: &[Range<usize>]) -> f64 {
    let ranges = ranges.iter().cloned().enumerate();
    let tasks = tasks(ranges, &Active::new(arena.sparse.as_ref()));
    let mut sums = vec![0f64; tasks.len()];
    let values = arena.values();
    cpu.each(sums.iter_mut().zip(&tasks).collect(), |(sum, pieces)| {
        for piece in pieces {
            let values = &values[piece.range.clone()];
            *sum += cpu.simd(
                #[inline(always)]
                || squares(values),
            );
        }
    });
    sums.iter().sum()
}

#[inline(always)]
fn squares(values: &[f32]) -> f64 {
    let mut lanes = [0f64; 16];
    let chunks = values.chunks_exact(16);
    for (lane, &x) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane += f64::from(x) * f64::from(x);
    }
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(x) * f64::from(x);
        }
    }
    lanes.iter().sum()
}

/// What a step does to every value of a segment.
struct Rule {
    /// Over the root of the correction of the second moments, as the two below: then
    /// one division a value is enough.
    rate: f32,
    eps: f32,
    keep: f32,
    take1: f32,
    keep2: f32,
    take2: f32,
    gradient_scale: f32,
}

impl Rule {
    fn new(segment: &AdamWSegment, step: &AdamWStep, gradient_scale: f32) -> Self {
        let correction1 = 1.0 - step.beta1.powf(step.step as f64);
        let correction2 = 1.0 - step.beta2.powf(step.step as f64);
        let rate = f64::from(segment.learning_rate);
        Self {
            rate: (rate / correction1 * correction2.sqrt()) as f32,
            eps: (step.eps * correction2.sqrt()) as f32,
            keep: (1.0 - rate * f64::from(segment.weight_decay)) as f32,
            take1: (1.0 - step.beta1) as f32,
            keep2: step.beta2 as f32,
            take2: (1.0 - step.beta2) as f32,
            gradient_scale,
        }
    }

    #[inline(always)]
    fn apply(&self, p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) {
        for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
            let g = g * self.gradient_scale;
            *m += (g - *m) * self.take1;
            *v = *v * self.keep2 + self.take2 * g * g;
            *p = *p * self.keep - self.rate * (*m / (v.sqrt() + self.eps));
        }
    }
}

pub(super) fn step(
    cpu: &Cpu,
    arenas: AdamWArenas<'_, Cpu>,
    segments: &[AdamWSegment],
    step: &AdamWStep,
    clip: Clip<'_, Cpu>,
) {
    if !clip.norm.is_finite() {
        return;
    }
    let scale = clip
        .most
        .map_or(1.0, |most| (most / (clip.norm + 1e-6)).min(1.0));
    let AdamWArenas {
        params,
        grads,
        first,
        second,
    } = arenas;
    let (m, first_rows) = first.both();
    let (v, second_rows) = second.both();
    // The first moment knows for both which rows have moved.
    *second_rows = None;
    let known = first_rows.take();
    *first_rows = grads.sparse.as_ref().map(|moving| {
        let known = known.filter(|known| known.table() == moving.table());
        let mut known = known.unwrap_or_else(|| SparseRows::scan(moving.table(), &[m, v]));
        known.touch_those_of(moving);
        known
    });
    let rules: Vec<_> = segments
        .iter()
        .map(|s| Rule::new(s, step, scale as f32))
        .collect();
    let sparse = first_rows.as_ref();
    let owner = sparse.and_then(|rows| owner(segments, rows));
    let sparse = sparse.filter(|_| owner.is_some());
    let (mut weights, kept) = to_lay_out(params.take_layouts(), segments, sparse);
    let (values, deferred) = params.deferred();
    if let Some(old) = deferred.take_if(|d| !sparse.is_some_and(|rows| d.follows(rows))) {
        old.settle(cpu, values);
    }
    if let Some((rows, owner)) = sparse.zip(owner) {
        let deferred = deferred.get_or_insert_with(|| DeferredDecay::new(rows));
        deferred.move_rows(rows, values);
        deferred.decay(cpu, rules[owner].keep, values);
    }
    let active = Active::new(sparse);
    let mut work: Vec<(Vec<Piece>, Vec<Block<'_>>)> = vec![];
    let mut next = weights.iter_mut().peekable();
    for (segment, s) in segments.iter().enumerate() {
        let mut at = s.range.start;
        while let Some(weight) = next.next_if(|w| w.range.end <= s.range.end) {
            let before = tasks([(segment, at..weight.range.start)], &active);
            work.extend(before.into_iter().map(|t| (t, vec![])));
            at = weight.range.end;
            work.extend(weight_tasks(weight, segment));
        }
        let rest = tasks([(segment, at..s.range.end)], &active);
        work.extend(rest.into_iter().map(|t| (t, vec![])));
    }
    let pieces = work.iter().flat_map(|w| &w.0);
    let pieces: Vec<_> = pieces.map(|p| p.range.clone()).collect();
    let mut parts = pick(values, &pieces)
        .into_iter()
        .zip(pick(m, &pieces))
        .zip(pick(v, &pieces));
    let work: Vec<_> = work
        .into_iter()
        .map(|(pieces, blocks)| {
            let parts: Vec<_> = parts.by_ref().take(pieces.len()).collect();
            (parts, pieces, blocks)
        })
        .collect();
    let grads = grads.values();
    cpu.each(work, |(parts, pieces, blocks)| {
        cpu.simd(
            #[inline(always)]
            || {
                let mut blocks = Some(blocks);
                for (((p, m), v), piece) in parts.into_iter().zip(pieces) {
                    let rule = &rules[piece.segment];
                    rule.apply(p, m, v, &grads[piece.range.clone()]);
                    // While the values are near.
                    for block in blocks.take().into_iter().flatten() {
                        block.fill_past_cache(cpu, p);
                    }
                }
            },
        );
    });
    weights.extend(kept);
    params.laid_out(weights);
}

/// The segment that has all rows of a table, if one has.
fn owner(segments: &[AdamWSegment], rows: &SparseRows) -> Option<usize> {
    let table = rows.table().range();
    let inside = |s: &AdamWSegment| s.range.start <= table.start && table.end <= s.range.end;
    segments.iter().position(inside)
}

/// Moves the first `len` values a share of the way to others.
pub(super) fn approach(cpu: &Cpu, average: &mut Arena, to: &Arena, len: usize, share: f32) {
    let values = &mut average.change()[..len];
    let blocks = values.chunks_mut(BLOCK).enumerate();
    cpu.each(blocks.collect(), |(i, values)| {
        let from = i * BLOCK;
        let to = to.part_of(from..from + values.len());
        cpu.simd(
            #[inline(always)]
            || {
                for (a, p) in values.iter_mut().zip(to.iter()) {
                    *a += share * (p - *a);
                }
            },
        );
    });
}

/// Which layouts are to follow the values: those that are changed as a whole by
/// one segment. And which the step leaves as they are. Others are out of date.
fn to_lay_out(
    layouts: Vec<Layout>,
    segments: &[AdamWSegment],
    sparse: Option<&SparseRows>,
) -> (Vec<Layout>, Vec<Layout>) {
    let (mut changed, mut kept) = (vec![], vec![]);
    for layout in layouts {
        let own = &layout.range;
        let inside = |s: &AdamWSegment| s.range.start <= own.start && own.end <= s.range.end;
        if !segments.iter().any(|s| overlap(&s.range, own)) {
            kept.push(layout);
        } else if segments.iter().any(inside)
            && !sparse.is_some_and(|s| overlap(&s.table().range(), own))
        {
            changed.push(layout);
        }
    }
    (changed, kept)
}

/// The rows of a weight by blocks, with what each becomes in its layouts.
fn weight_tasks(weight: &mut Layout, segment: usize) -> Vec<(Vec<Piece>, Vec<Block<'_>>)> {
    let mut layouts: Vec<_> = weight
        .panels
        .iter_mut()
        .map(|(rhs, panels)| panels.blocks(*rhs).into_iter())
        .collect();
    let mut tasks = vec![];
    let mut at = weight.range.start;
    while at < weight.range.end {
        let blocks: Vec<_> = layouts.iter_mut().filter_map(Iterator::next).collect();
        let end = weight.range.end;
        let size = blocks.first().map_or(end, |block| block.values().max(1));
        let range = at..end.min(at + size);
        at = range.end;
        let piece = Piece { segment, range };
        tasks.push((vec![piece], blocks));
    }
    tasks
}

/// The parts of `values` at some ranges, which lie in order.
fn pick<'a>(values: &'a mut [f32], ranges: &[Range<usize>]) -> Vec<&'a mut [f32]> {
    let mut bounds = Vec::with_capacity(2 * ranges.len());
    let mut at = 0;
    for range in ranges {
        bounds.push(at..range.start);
        bounds.push(range.clone());
        at = range.end;
    }
    cut(values, &bounds, 1)
        .into_iter()
        .skip(1)
        .step_by(2)
        .collect()
}
