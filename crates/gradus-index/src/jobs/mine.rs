//! Pairs of texts that mean about the same, exactly.

use super::input::Input;
use crate::Result;
use crate::neighbours::{Hit, Matrix, above, nearest};
use crate::store::{Index, Record};
use gradus::jobs::score::{PairScore, Scorer};
use gradus::jobs::{Environment, Model};
use gradus::models::content_hash;
use gradus::util::{Observer, check_cancelled};
use gradus_kernels::cpu::Cpu;
use serde::Serialize;

const WHAT: &str = "comparing texts";

/// Rows whose neighbours are found together.
const BLOCK: usize = 2048;

/// Pairs that are scored together.
const SCORED: usize = 512;

/// Which pairs are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct MineSettings {
    /// Of at least this cosine.
    pub threshold: f32,
    /// The best of them, at most so many.
    pub most: usize,
    /// Only pairs of a text with one of its so many nearest ones.
    pub neighbours: Option<usize>,
}

/// Two texts and their cosine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MinedPair {
    /// The row that comes first.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// Their cosine.
    pub cosine: f32,
}

impl MinedPair {
    /// The best first; of equal ones that of lower rows.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let rows = |pair: &Self| (pair.first, pair.second);
        other
            .cosine
            .total_cmp(&self.cosine)
            .then(rows(self).cmp(&rows(other)))
    }
}

/// The pairs of a matrix's rows, the best first. The result does not depend on threads.
///
/// # Errors
/// Where the observer ends it.
pub fn mine(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    settings: &MineSettings,
    observer: &mut dyn Observer,
) -> Result<Vec<MinedPair>> {
    let live = matrix.live();
    if settings.most == 0 {
        return Ok(vec![]);
    }
    let mut pairs: Vec<MinedPair> = vec![];
    let mut floor = settings.threshold;
    let mut done = 0;
    for rows in live.chunks(BLOCK) {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, done, live.len() as u64);
        done += rows.len() as u64;
        let vectors = matrix.gather(rows);
        let queries = (&vectors[..], matrix.dim());
        let allowed = Some(matrix.rows());
        let mut push = |row: usize, hit: &Hit| {
            pairs.push(MinedPair {
                first: row.min(hit.row),
                second: row.max(hit.row),
                cosine: hit.score,
            });
        };
        match settings.neighbours {
            None => {
                let last = rows.last().map_or(0, |row| row + 1);
                let found = above(cpu, queries, &matrix.before(last), floor, allowed);
                for (row, hits) in rows.iter().zip(&found) {
                    let before = hits.iter().filter(|hit| hit.row < *row);
                    before.for_each(|hit| push(*row, hit));
                }
            }
            Some(neighbours) => {
                let found = nearest(cpu, queries, matrix.stretches(), neighbours + 1, allowed);
                for (row, hits) in rows.iter().zip(&found) {
                    let others = hits.iter().filter(|hit| hit.row != *row).take(neighbours);
                    let good = others.filter(|hit| hit.score >= floor);
                    good.for_each(|hit| push(*row, hit));
                }
            }
        }
        // Both texts of a pair may be among each other's nearest.
        let room = match settings.neighbours {
            None => settings.most,
            Some(_) => settings.most.saturating_mul(2),
        };
        if pairs.len() > room.saturating_add(room / 2).saturating_add(BLOCK) {
            pairs.select_nth_unstable_by(room - 1, MinedPair::order);
            pairs.truncate(room);
            floor = floor.max(pairs[room - 1].cosine);
        }
    }
    pairs.sort_unstable_by(MinedPair::order);
    pairs.dedup_by_key(|pair| (pair.first, pair.second));
    pairs.truncate(settings.most);
    observer.progress(WHAT, done, done);
    Ok(pairs)
}

/// A pair with its texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Paraphrase {
    /// Cosine, and grade where the model has grades.
    pub score: PairScore,
    /// The text that comes first.
    pub first: Record,
    /// The other.
    pub second: Record,
}

/// A pair as an object, which scoring and recipes read as a pair.
#[derive(Debug, Serialize)]
pub struct ParaphraseLine<'a> {
    id1: &'a str,
    id2: &'a str,
    sentence1: &'a str,
    sentence2: &'a str,
    #[serde(flatten)]
    score: &'a PairScore,
}

impl Paraphrase {
    /// Its ids, texts and score as an object.
    pub fn line(&self) -> ParaphraseLine<'_> {
        ParaphraseLine {
            id1: &self.first.id,
            id2: &self.second.id,
            sentence1: &self.first.text,
            sentence2: &self.second.text,
            score: &self.score,
        }
    }
}

/// An input's pairs, and what grades them.
pub struct Mined {
    index: Index,
    pairs: Vec<MinedPair>,
    scorer: Option<Scorer>,
}

impl Mined {
    /// Finds the pairs of an input. `model` is where that of an index is now, if it is no
    /// longer where the index says.
    ///
    /// # Errors
    /// Those of the input; [`IndexError::OtherModel`](crate::IndexError::OtherModel).
    pub fn find(
        input: &Input,
        model: Option<&Model>,
        settings: &MineSettings,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let index = input.open(environment, observer)?;
        let scorer = scorer(&index, model, environment, observer)?;
        let cpu = environment.comparer()?;
        let pairs = mine(&cpu, &index.matrix()?, settings, observer)?;
        Ok(Self {
            index,
            pairs,
            scorer,
        })
    }

    /// How many pairs there are.
    pub fn count(&self) -> usize {
        self.pairs.len()
    }

    /// The pairs with their texts, some at a time, the best first.
    pub fn chunks(&self) -> impl Iterator<Item = Result<Vec<Paraphrase>>> {
        self.pairs.chunks(SCORED).map(|pairs| self.scored(pairs))
    }

    fn scored(&self, pairs: &[MinedPair]) -> Result<Vec<Paraphrase>> {
        let mut texts = vec![];
        for pair in pairs {
            texts.push((
                self.index.record(pair.first)?,
                self.index.record(pair.second)?,
            ));
        }
        let scores = match &self.scorer {
            // A regression head reads vectors as the model gives them, an index has them
            // with length 1.
            Some(scorer) if scorer.head().is_some() => {
                let pairs: Vec<(&str, &str)> =
                    texts.iter().map(|(a, b)| (&*a.text, &*b.text)).collect();
                scorer.score(&pairs)?
            }
            scorer => {
                let of = |pair: &MinedPair| {
                    let calibration = scorer.as_ref().and_then(Scorer::calibration);
                    PairScore::of_cosine(f64::from(pair.cosine), calibration)
                };
                pairs.iter().map(of).collect()
            }
        };
        let all = texts.into_iter().zip(scores);
        let all = all.map(|((first, second), score)| Paraphrase {
            score,
            first,
            second,
        });
        Ok(all.collect())
    }
}

/// What grades pairs: the model, where it has a calibration or a regression head.
fn scorer(
    index: &Index,
    model: Option<&Model>,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<Option<Scorer>> {
    let own = &index.manifest().model;
    let found = match model {
        Some(model) => Ok(model.clone()),
        None => environment.find(&own.name, observer),
    };
    let model = match found {
        Ok(model) => model,
        Err(_) => {
            let note = format!(
                "note: {} is not there any more, so that pairs have cosines, and no grades; --model says where it is",
                own.name
            );
            observer.note(&note);
            return Ok(None);
        }
    };
    own.check(&model.name, &content_hash(&model.folder)?)?;
    let scorer = Scorer::load(&model, None, environment, observer)?;
    let grades = scorer.calibration().is_some() || scorer.head().is_some();
    Ok(grades.then_some(scorer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::testing::blobs;
    use crate::neighbours::{PackedVectors, Rows};
    use gradus::util::Silent;

    #[test]
    fn pairs_are_those_of_all() {
        let (dim, rows) = (10, 2500);
        let (vectors, _) = blobs(rows, dim, 300, 0.4);
        let packed = PackedVectors::new(&vectors, dim);
        let mut there = Rows::all(rows);
        (0..rows).step_by(13).for_each(|row| there.remove(row));
        let matrix = Matrix::new(vec![packed.stretch()], dim, there);
        let live = matrix.live();
        let row = |i: usize| &vectors[i * dim..(i + 1) * dim];
        let mut all: Vec<MinedPair> = vec![];
        for (i, &first) in live.iter().enumerate() {
            for &second in &live[i + 1..] {
                let values = row(first).iter().zip(row(second));
                let cosine = values.fold(0f32, |sum, (x, y)| x.mul_add(*y, sum));
                all.push(MinedPair {
                    first,
                    second,
                    cosine,
                });
            }
        }
        all.sort_unstable_by(MinedPair::order);
        for (threshold, most, neighbours) in [
            (0.95, usize::MAX, None),
            (-1.0, 1000, None),
            (0.9, 0, None),
            (-1.0, 500, Some(3)),
            (0.8, usize::MAX, Some(2)),
        ] {
            let mut ranks = vec![0; rows];
            let good = all.iter().filter(|pair| {
                // Pairs come by cosine, so that a text's nearest come first.
                let of = [pair.first, pair.second].map(|row| {
                    ranks[row] += 1;
                    neighbours.is_none_or(|most| ranks[row] <= most)
                });
                pair.cosine >= threshold && (of[0] || of[1])
            });
            let good: Vec<MinedPair> = good.copied().take(most).collect();
            for threads in [1, 3] {
                let settings = MineSettings {
                    threshold,
                    most,
                    neighbours,
                };
                let found = mine(&Cpu::new(threads), &matrix, &settings, &mut Silent).unwrap();
                assert_eq!(found, good, "{threshold} {most} {neighbours:?}");
            }
        }
    }
}
