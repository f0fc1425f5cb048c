//! Approximate search by a graph of neighbours: a query walks from text to text towards
//! those that are nearest to it.
//!
//! Each row has edges to some of its neighbours, chosen so that none of them is nearer to
//! another one than to the row (the rule of relative neighbourhood graphs, by which HNSW
//! and NSG choose as well: Malkov and Yashunin, 2016; Fu and others, 2017). Every 32nd row
//! is a node of a level above, and so on, until few are left: there a search begins.
//! Neighbours are those of exact products, of many rows with those in near clusters, and
//! not of searches in what is there so far, so that a graph depends neither on threads nor
//! on their timing.

mod build;
mod choose;
mod connect;
mod near;
mod search;
#[cfg(test)]
mod tests;

pub use build::graph;
pub use search::Walks;

use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::{ByteRows, ByteRowsView};
use std::ops::Range;

/// The most edges of a node, part of the format.
pub const DEGREE: usize = 32;

/// Of so many nodes one is in the level above.
const FAN: usize = 32;

/// The highest level has no more nodes, all of which a search looks at.
const TOP: usize = 64;

/// A place of an edge that has none.
const NONE: u32 = u32::MAX;

/// Rows as nodes of a graph.
pub struct Graph {
    /// Of each node its row, rising.
    pub rows: Vec<u64>,
    /// Their vectors.
    pub bytes: ByteRows,
    /// The edges of each level's nodes, `[nodes, DEGREE]`, from the lowest level on, but
    /// for the highest one. Every edge is a node's number.
    pub edges: Vec<u32>,
}

/// The same, wherever it is.
#[derive(Clone, Copy)]
pub struct GraphView<'a> {
    /// Of each node its row.
    pub rows: &'a [u64],
    /// Their vectors.
    pub bytes: ByteRowsView<'a>,
    /// The edges.
    pub edges: &'a [u32],
}

/// A level: every `step`th node.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Level {
    step: usize,
    nodes: usize,
    /// Where its edges begin.
    from: usize,
}

/// The levels of so many nodes, the lowest first. The last one has no edges.
fn levels(nodes: usize) -> Vec<Level> {
    let (mut levels, mut step, mut from) = (vec![], 1, 0);
    loop {
        let here = nodes.div_ceil(step);
        levels.push(Level {
            step,
            nodes: here,
            from,
        });
        if here <= TOP {
            return levels;
        }
        from += here * DEGREE;
        step *= FAN;
    }
}

/// Places for edges that so many nodes have; `None` where they are too many.
pub fn edges_of(nodes: usize) -> Option<usize> {
    if nodes > NONE as usize {
        return None;
    }
    levels(nodes).last().map(|top| top.from)
}

/// Nodes that are worth a task of their own.
const GRAIN: usize = 64;

/// Fills a list of `width` places for each of `count`; `fill` gets some of them and their
/// lists.
fn lists(
    cpu: &Cpu,
    (count, width): (usize, usize),
    fill: impl Fn(Range<usize>, &mut [u32]) + Sync,
) -> Vec<u32> {
    let mut all = vec![NONE; count * width];
    let (mut parts, mut rest) = (vec![], &mut all[..]);
    for places in cpu.split(count, GRAIN) {
        let (part, more) = rest.split_at_mut(places.len() * width);
        parts.push((places, part));
        rest = more;
    }
    cpu.each(parts, |(places, part)| fill(places, part));
    all
}

impl Graph {
    /// As it is searched.
    pub fn view(&self) -> GraphView<'_> {
        GraphView {
            rows: &self.rows,
            bytes: self.bytes.view(),
            edges: &self.edges,
        }
    }
}

impl GraphView<'_> {
    /// The edges of a node of a level; ends that are no nodes' are left out, as in files
    /// that are damaged.
    fn edges(&self, level: &Level, node: u32) -> impl Iterator<Item = u32> {
        let from = level.from + node as usize / level.step * DEGREE;
        let all = self.edges.get(from..from + DEGREE).unwrap_or(&[]);
        let nodes = self.rows.len() as u32;
        all.iter().copied().take_while(move |end| *end < nodes)
    }
}
