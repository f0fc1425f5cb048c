//! Which of a node's neighbours it has edges to.

use super::DEGREE;
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::{ByteQuery, ByteRowsView};

/// By how much farther a neighbour must be from a node than from an edge's end to need no
/// edge of its own.
const ALPHA: f32 = 1.1;

/// So many of the nearest are looked at.
const MOST: usize = 128;

/// An edge's end and its cosine.
#[derive(Debug, Clone, Copy, PartialEq)]
struct End {
    place: u32,
    cosine: f32,
}

/// Chooses edges of the places of a level, with room that is used again.
pub(super) struct Chooser<'a> {
    cpu: &'a Cpu,
    bytes: ByteRowsView<'a>,
    step: u32,
    nodes: Vec<u32>,
    scores: Vec<f32>,
    left: Vec<End>,
}

impl<'a> Chooser<'a> {
    pub fn new(cpu: &'a Cpu, bytes: ByteRowsView<'a>, step: u32) -> Self {
        Self {
            cpu,
            bytes,
            step,
            nodes: vec![],
            scores: vec![],
            left: vec![],
        }
    }

    /// At most [`DEGREE`] of others, nearest first, none of which is nearer to an earlier
    /// one than to the place, or not by much.
    pub fn choose(&mut self, place: u32, others: &[u32]) -> Vec<u32> {
        self.meet(place, others.iter().copied());
        let all = others.iter().zip(&self.scores);
        let mut ends: Vec<End> = all
            .map(|(place, cosine)| End {
                place: *place,
                cosine: *cosine,
            })
            .collect();
        ends.sort_unstable_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.place.cmp(&b.place)));
        ends.truncate(MOST);
        self.left = ends;
        let mut chosen = vec![];
        while let (Some(first), true) = (self.left.first().copied(), chosen.len() < DEGREE) {
            chosen.push(first.place);
            let mut left = std::mem::take(&mut self.left);
            left.remove(0);
            self.meet(first.place, left.iter().map(|end| end.place));
            let mut scores = self.scores.iter();
            left.retain(|end| {
                let between = scores.next().copied().unwrap_or(0.0);
                ALPHA * (1.0 - between) > 1.0 - end.cosine
            });
            self.left = left;
        }
        chosen
    }

    /// The cosines of a place with others.
    fn meet(&mut self, place: u32, others: impl Iterator<Item = u32>) {
        self.nodes.clear();
        self.nodes.extend(others.map(|other| other * self.step));
        let query: ByteQuery = self.bytes.query((place * self.step) as usize);
        self.cpu
            .byte_scores(&query, self.bytes, &self.nodes, &mut self.scores);
    }
}
