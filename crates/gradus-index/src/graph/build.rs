//! Rows made nodes of a graph.

use super::choose::Chooser;
use super::connect::connect;
use super::near::{NEAREST, neighbours};
use super::{DEGREE, Graph, Level, NONE, levels, lists};
use crate::Result;
use crate::neighbours::Matrix;
use gradus::util::{Observer, check_cancelled};
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::{ByteRows, ByteRowsView};

/// Rows that are made bytes together.
const BLOCK: usize = 8192;

/// Up to so many rows are compared all with all.
const ALL: usize = 1 << 14;

const WHAT: &str = "choosing edges";

/// Makes the rows of a matrix, those that count, a graph. It does not depend on threads.
///
/// # Errors
/// Where it is cancelled.
pub fn graph(cpu: &Cpu, matrix: &Matrix<'_>, observer: &mut dyn Observer) -> Result<Graph> {
    build(cpu, matrix, ALL, observer)
}

/// As [`graph`]; up to `all` rows are compared all with all.
pub(super) fn build(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    all: usize,
    observer: &mut dyn Observer,
) -> Result<Graph> {
    let live = matrix.live();
    let mut bytes = ByteRows::pack(&[], matrix.dim());
    for rows in live.chunks(BLOCK) {
        bytes.extend(&matrix.gather(rows));
    }
    let mut edges = vec![];
    let levels = levels(live.len());
    for level in &levels[..levels.len() - 1] {
        let rows: Vec<usize> = live.iter().copied().step_by(level.step).collect();
        let near = neighbours(
            cpu,
            matrix,
            (&rows, level.step),
            bytes.view(),
            all,
            observer,
        )?;
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, 0, rows.len() as u64);
        let building = Building {
            cpu,
            bytes: bytes.view(),
            level,
        };
        let outward = building.outward(&near);
        let mut own = building.both_ways(&outward);
        connect(&mut own, &near);
        // Numbers of nodes, whatever the level.
        let nodes = own.iter().map(|end| match *end {
            NONE => NONE,
            place => place * level.step as u32,
        });
        edges.extend(nodes);
    }
    Ok(Graph {
        rows: live.iter().map(|row| *row as u64).collect(),
        bytes,
        edges,
    })
}

struct Building<'a> {
    cpu: &'a Cpu,
    bytes: ByteRowsView<'a>,
    level: &'a Level,
}

impl Building<'_> {
    /// Chooses for each place among those that `others` returns.
    fn each(&self, others: impl Fn(u32) -> Vec<u32> + Sync) -> Vec<u32> {
        lists(self.cpu, (self.level.nodes, DEGREE), |places, part| {
            let mut chooser = Chooser::new(self.cpu, self.bytes, self.level.step as u32);
            for (place, out) in (places.start as u32..).zip(part.chunks_mut(DEGREE)) {
                let chosen = chooser.choose(place, &others(place));
                out.iter_mut().zip(chosen).for_each(|(out, end)| *out = end);
            }
        })
    }

    /// Edges to neighbours.
    fn outward(&self, near: &[u32]) -> Vec<u32> {
        self.each(|place| {
            let near = &near[place as usize * NEAREST..][..NEAREST];
            near.iter()
                .copied()
                .take_while(|other| *other != NONE)
                .collect()
        })
    }

    /// Edges chosen again from those that leave a place and those that come to it.
    fn both_ways(&self, edges: &[u32]) -> Vec<u32> {
        let mut all: Vec<Vec<u32>> = vec![vec![]; self.level.nodes];
        for (place, ends) in edges.chunks(DEGREE).enumerate() {
            for end in ends.iter().take_while(|end| **end != NONE) {
                all[place].push(*end);
                all[*end as usize].push(place as u32);
            }
        }
        for others in &mut all {
            others.sort_unstable();
            others.dedup();
        }
        self.each(|place| all[place as usize].clone())
    }
}
