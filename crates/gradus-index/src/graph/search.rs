//! Rows found by walking.

use super::{GraphView, Level, levels};
use crate::neighbours::{Hit, Rows};
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::ByteQuery;
use std::sync::Mutex;

/// Candidates that a search keeps above the lowest level.
const BEAM: usize = 8;

/// The width grows as the share of rows that count falls, down to this one.
const LEAST: f64 = 0.01;

/// Bytes change a cosine by less, nearly always (their error is some 0.0007).
const SLACK: f32 = 0.005;

/// Queries that are worth a task of their own.
const GRAIN: usize = 4;

/// A node that was met.
#[derive(Debug, Clone, Copy)]
struct Met {
    score: f32,
    node: u32,
    /// Whether its edges were followed.
    done: bool,
}

/// What a walk remembers, used again for the next one.
struct Walk {
    /// A bit for each node.
    seen: Vec<u64>,
    touched: Vec<u32>,
    /// The best so far, at most as many as the width, best first.
    best: Vec<Met>,
    /// All of the lowest level that were met and count.
    met: Kept,
    picked: Vec<u32>,
    scores: Vec<f32>,
    without: Option<u32>,
}

/// Nodes of the lowest level that were met, count, and can be among the best.
#[derive(Default)]
struct Kept {
    all: Vec<(f32, u32)>,
    /// What has a lower score cannot.
    least: f32,
    /// They are looked through when there are so many.
    room: usize,
}

impl Kept {
    fn begin(&mut self, most: usize) {
        self.all.clear();
        self.least = f32::NEG_INFINITY;
        self.room = 4 * most + 32;
    }

    /// Leaves those that can be among the `most` best.
    fn trim(&mut self, most: usize) {
        if self.all.len() > most {
            let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0);
            self.all.select_nth_unstable_by(most - 1, order);
            self.least = self.all[most - 1].0 - SLACK;
            self.all.retain(|(score, _)| *score >= self.least);
        }
        self.room = self.room.max(2 * self.all.len());
    }
}

/// How a graph is searched.
pub struct Walks<'a> {
    /// The graph.
    pub graph: GraphView<'a>,
    /// Which rows count.
    pub allowed: &'a Rows,
    /// How many rows are wanted.
    pub most: usize,
    /// Candidates that are kept: the more, the more is found (`ef` of HNSW).
    pub width: usize,
    /// Of each query a row that is not there for it, as of texts that are asked for their
    /// neighbours.
    pub without: Option<&'a [usize]>,
}

impl Walks<'_> {
    /// The rows met that have the highest scores with each of `queries`, `[queries, dim]`,
    /// best first. `vector` writes the vector of a row.
    pub fn nearest(
        &self,
        cpu: &Cpu,
        (queries, dim): (&[f32], usize),
        vector: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Vec<Vec<Hit>> {
        let count = queries.len() / dim;
        let mut found = vec![vec![]; count];
        let nodes = self.graph.rows.len();
        if self.most == 0 || nodes == 0 {
            return found;
        }
        let levels = levels(nodes);
        // Where few of what is met count, more must be met.
        let share = self.allowed.count() as f64 / self.allowed.len() as f64;
        let width = (self.width.max(self.most) as f64 / share.max(LEAST)).ceil() as usize;
        let parts = cpu.split(count, GRAIN);
        let places: Vec<Mutex<&mut Vec<Hit>>> = found.iter_mut().map(Mutex::new).collect();
        cpu.each(parts, |part| {
            let mut walk = Walk::new(nodes);
            for query in part {
                let values = &queries[query * dim..(query + 1) * dim];
                let bytes = ByteQuery::new(values);
                walk.without = self.without.and_then(|rows| self.node(rows[query]));
                self.walk(cpu, &mut walk, &bytes, &levels, width);
                let hits = self.exact(cpu, &mut walk.met, values, &vector);
                **places[query].lock().unwrap_or_else(|e| e.into_inner()) = hits;
            }
        });
        drop(places);
        found
    }

    /// The node of a row.
    fn node(&self, row: usize) -> Option<u32> {
        let place = self.graph.rows.binary_search(&(row as u64)).ok()?;
        u32::try_from(place).ok()
    }

    fn walk(&self, cpu: &Cpu, walk: &mut Walk, query: &ByteQuery, levels: &[Level], width: usize) {
        let Some((top, below)) = levels.split_last() else {
            return;
        };
        walk.begin();
        walk.met.begin(self.most);
        (0..top.nodes).for_each(|place| walk.pick((place * top.step) as u32));
        self.meet(
            cpu,
            walk,
            query,
            if below.is_empty() { width } else { BEAM },
            below.is_empty(),
        );
        for (number, level) in below.iter().enumerate().rev() {
            let lowest = number == 0;
            let begin: Vec<u32> = walk.best.iter().map(|met| met.node).collect();
            walk.begin();
            begin.into_iter().for_each(|node| walk.pick(node));
            // From the first node every other one can be reached.
            walk.pick(0);
            let width = if lowest { width } else { BEAM };
            self.meet(cpu, walk, query, width, lowest);
            while let Some(next) = walk.next() {
                for end in self.graph.edges(level, next) {
                    walk.pick(end);
                }
                self.meet(cpu, walk, query, width, lowest);
            }
        }
    }

    /// Scores the nodes that were picked.
    fn meet(&self, cpu: &Cpu, walk: &mut Walk, query: &ByteQuery, width: usize, lowest: bool) {
        cpu.byte_scores(query, self.graph.bytes, &walk.picked, &mut walk.scores);
        for (&node, &score) in walk.picked.iter().zip(&walk.scores) {
            if lowest {
                self.keep(&mut walk.met, score, node);
            }
            if walk.best.len() == width {
                match walk.best.last() {
                    Some(last) if score <= last.score => continue,
                    _ => drop(walk.best.pop()),
                }
            }
            let place = walk.best.partition_point(|met| met.score >= score);
            walk.best.insert(
                place,
                Met {
                    score,
                    node,
                    done: false,
                },
            );
        }
        walk.picked.clear();
    }

    /// Keeps a node if it counts.
    fn keep(&self, met: &mut Kept, score: f32, node: u32) {
        if score >= met.least && self.allowed.has(self.graph.rows[node as usize] as usize) {
            met.all.push((score, node));
            if met.all.len() >= met.room {
                met.trim(self.most);
            }
        }
    }

    /// The best of those that were met, by exact scores.
    fn exact(
        &self,
        cpu: &Cpu,
        met: &mut Kept,
        query: &[f32],
        vector: impl Fn(usize, &mut [f32]),
    ) -> Vec<Hit> {
        met.trim(self.most);
        let mut rows: Vec<usize> = met
            .all
            .iter()
            .map(|(_, node)| self.graph.rows[*node as usize] as usize)
            .collect();
        rows.sort_unstable();
        let scores = cpu.exact_scores(query, &rows, vector);
        let pairs = rows.iter().zip(scores);
        let mut hits: Vec<Hit> = pairs.map(|(row, score)| Hit { row: *row, score }).collect();
        hits.sort_by(Hit::order);
        hits.truncate(self.most);
        hits
    }
}

impl Walk {
    fn new(nodes: usize) -> Self {
        Self {
            seen: vec![0; nodes.div_ceil(64)],
            touched: vec![],
            best: vec![],
            met: Kept::default(),
            picked: vec![],
            scores: vec![],
            without: None,
        }
    }

    /// Forgets what was met.
    fn begin(&mut self) {
        for node in self.touched.drain(..) {
            self.seen[node as usize / 64] = 0;
        }
        self.best.clear();
        if let Some(node) = self.without {
            self.pick(node);
        }
        self.picked.clear();
    }

    /// Picks a node that was not met yet.
    fn pick(&mut self, node: u32) {
        let (word, bit) = (node as usize / 64, 1 << (node % 64));
        if self.seen[word] & bit == 0 {
            self.seen[word] |= bit;
            self.touched.push(node);
            self.picked.push(node);
        }
    }

    /// The best whose edges were not followed.
    fn next(&mut self) -> Option<u32> {
        let next = self.best.iter_mut().find(|met| !met.done)?;
        next.done = true;
        Some(next.node)
    }
}
