//! Duplicates by meaning, exactly.

use super::Duplicate;
use crate::Result;
use crate::neighbours::{Hit, Matrix, PackedVectors, Rows, nearest};
use gradus::util::{Observer, check_cancelled};
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::ScoreSink;

const WHAT: &str = "comparing texts";

/// Rows that are decided together.
const BLOCK: usize = 1024;

/// What makes a duplicate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ByMeaning {
    /// The least cosine with a row that is kept.
    pub threshold: f32,
}

/// Of a row the row kept before it that is nearest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// Which.
    pub of: usize,
    /// Their cosine.
    pub cosine: f32,
}

impl Nearest {
    fn of_hit(hit: &Hit) -> Self {
        Self {
            of: hit.row,
            cosine: hit.score,
        }
    }

    /// Of higher cosine; of equal ones the lower row.
    fn before(&self, other: &Self) -> bool {
        self.cosine > other.cosine || (self.cosine == other.cosine && self.of < other.of)
    }
}

/// All scores of a part, a query's with some rows behind the other's.
#[derive(Default)]
struct Scores {
    of: Vec<(usize, usize, usize)>,
    values: Vec<f32>,
}

impl ScoreSink for Scores {
    #[inline(always)]
    fn take(&mut self, query: usize, first: usize, scores: &[f32]) {
        self.of.push((query, first, scores.len()));
        self.values.extend_from_slice(scores);
    }

    #[inline(always)]
    fn floor(&self, _: usize) -> f32 {
        f32::NEG_INFINITY
    }
}

/// Decides on rows in an order of preference. For each of `order` its nearest row that is
/// kept before it, if any, and so whether it is a duplicate. `done` rows of `total` were
/// decided before, which progress counts.
///
/// # Errors
/// Where the observer ends it.
pub fn by_meaning(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    order: &[usize],
    settings: ByMeaning,
    (done, total): (usize, usize),
    observer: &mut dyn Observer,
) -> Result<Vec<Option<Nearest>>> {
    let in_order = order.is_sorted();
    let mut kept = Rows::none(matrix.rows().len());
    let mut all = Vec::with_capacity(order.len());
    for rows in order.chunks(BLOCK) {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, (done + all.len()) as u64, total as u64);
        let vectors = matrix.gather(rows);
        let queries = (&vectors[..], matrix.dim());
        // Where rows are taken in their order, only those before can be kept.
        let stretches = match in_order {
            true => matrix.before(rows[0]),
            false => matrix.stretches().to_vec(),
        };
        let before = nearest(cpu, queries, &stretches, 1, Some(&kept));
        let own = own_scores(cpu, &vectors, matrix.dim());
        let mut stay: Vec<usize> = vec![];
        for (place, (row, before)) in rows.iter().zip(before).enumerate() {
            let mut best = before.first().map(Nearest::of_hit);
            for other in &stay {
                let found = Nearest {
                    of: rows[*other],
                    cosine: own[place * rows.len() + other],
                };
                if best.is_none_or(|best| found.before(&best)) {
                    best = Some(found);
                }
            }
            if best.is_none_or(|best| best.cosine < settings.threshold) {
                stay.push(place);
                kept.insert(*row);
            }
            all.push(best);
        }
    }
    Ok(all)
}

/// Scores of all rows of a block with each other, `[rows, rows]`.
fn own_scores(cpu: &Cpu, vectors: &[f32], dim: usize) -> Vec<f32> {
    let packed = PackedVectors::plain(vectors, dim);
    let rows = vectors.len() / dim;
    let mut all = vec![0.0; rows * rows];
    for part in cpu.score_panels((vectors, dim), packed.stretch(), Scores::default) {
        let mut values = &part.values[..];
        for (query, first, count) in part.of {
            let (some, rest) = values.split_at(count);
            all[query * rows + first..][..count].copy_from_slice(some);
            values = rest;
        }
    }
    all
}

impl Nearest {
    /// The duplicate that it makes at a threshold.
    pub fn duplicate(&self, threshold: f32) -> Option<Duplicate> {
        (self.cosine >= threshold).then_some(Duplicate {
            of: self.of,
            score: self.cosine,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::testing::blobs;
    use gradus::util::Silent;

    /// One row after another, by the definition.
    fn plain(vectors: &[f32], dim: usize, order: &[usize], threshold: f32) -> Vec<Option<Nearest>> {
        let row = |i: usize| &vectors[i * dim..(i + 1) * dim];
        let mut kept: Vec<usize> = vec![];
        let mut all = vec![];
        for &i in order {
            let mut best: Option<Nearest> = None;
            for &j in &kept {
                let pairs = row(i).iter().zip(row(j));
                let cosine = pairs.fold(0f32, |sum, (x, y)| x.mul_add(*y, sum));
                let found = Nearest { of: j, cosine };
                if best.is_none_or(|best| found.before(&best)) {
                    best = Some(found);
                }
            }
            if best.is_none_or(|best| best.cosine < threshold) {
                kept.push(i);
            }
            all.push(best);
        }
        all
    }

    #[test]
    fn rows_are_decided_as_by_the_definition() {
        let (dim, rows) = (12, 2600);
        let (vectors, _) = blobs(rows, dim, 40, 0.4);
        let packed = PackedVectors::new(&vectors, dim);
        let mut removed = Rows::all(rows);
        (0..rows).step_by(11).for_each(|row| removed.remove(row));
        let matrix = Matrix::new(vec![packed.stretch()], dim, removed);
        let live = matrix.live();
        let mut mixed = live.clone();
        mixed.sort_by_key(|row| row * 7919 % rows);
        for order in [live, mixed] {
            for threshold in [0.8, 0.95] {
                let expected = plain(&vectors, dim, &order, threshold);
                for threads in [1, 3] {
                    let settings = ByMeaning { threshold };
                    let cpu = Cpu::new(threads);
                    let found =
                        by_meaning(&cpu, &matrix, &order, settings, (0, 0), &mut Silent).unwrap();
                    assert_eq!(found, expected);
                }
                let gone = expected.iter().flatten();
                let gone = gone.filter(|n| n.duplicate(threshold).is_some()).count();
                assert!(gone > 100 && gone < order.len(), "{gone}");
            }
        }
    }
}
