//! Which entries of a buffer are an anchor's negatives.

use crate::losses::{Cosines, Directions};
use crate::recipe::Choice;
use gradus_kernels::dropout::mix64;
use rayon::prelude::*;
use std::cmp::Ordering;

/// What teachers make of anchors and entries.
pub(crate) struct TeacherSimilarity {
    /// Each teacher's weight, the anchors' directions and the entries'.
    pub teachers: Vec<(f64, Directions, Directions)>,
    /// An entry with a higher mean cosine is no negative.
    pub above: f64,
}

impl TeacherSimilarity {
    /// Whether an entry means too much the same as an anchor to be a negative.
    fn is_false_negative(&self, anchor: usize, entry: usize) -> bool {
        let weights: f64 = self.teachers.iter().map(|t| t.0).sum();
        let cosines = self.teachers.iter();
        let sum: f64 = cosines
            .map(|(weight, anchors, of)| weight * anchors.cosine(anchor, of, entry))
            .sum();
        // Rounding puts no cosine above 1.
        (sum / weights).min(1.0) > self.above
    }
}

/// How negatives are chosen for the anchors of a batch.
pub(crate) struct Chooser<'a> {
    pub choice: Choice,
    /// `[anchors, entries]`: the student's.
    pub cosines: &'a Cosines,
    /// The entries' texts, the oldest first.
    pub texts: &'a [u32],
    /// The texts that are no negatives of each anchor: its own and its positive's.
    pub own: Vec<[u32; 2]>,
    pub teachers: Option<TeacherSimilarity>,
    /// What draws of a step are made of, and the first anchor's number in it.
    pub key: u64,
    pub first: usize,
}

/// Counts of a choice.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tally {
    /// Entries of other texts, over all anchors.
    pub others: u64,
    /// Of these, those too near to the teachers.
    pub false_negatives: u64,
    /// Those that were chosen.
    pub chosen: u64,
    /// The sum of their cosines.
    pub cosines: f64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.others += other.others;
        self.false_negatives += other.false_negatives;
        self.chosen += other.chosen;
        self.cosines += other.cosines;
    }
}

impl Chooser<'_> {
    /// The entries that are each anchor's negatives, by their numbers in order.
    pub fn choose(&self) -> (Vec<Vec<u32>>, Tally) {
        let anchors = (0..self.own.len()).into_par_iter();
        let each: Vec<_> = anchors.map(|anchor| self.of(anchor)).collect();
        let mut tally = Tally::default();
        let negatives = each.into_iter().map(|(negatives, own)| {
            tally += own;
            negatives
        });
        (negatives.collect(), tally)
    }

    fn of(&self, anchor: usize) -> (Vec<u32>, Tally) {
        let mut tally = Tally::default();
        let cosines = self.cosines.row(anchor);
        let mut left = vec![];
        for (entry, text) in self.texts.iter().enumerate() {
            if self.own[anchor].contains(text) {
                continue;
            }
            tally.others += 1;
            let mut teachers = self.teachers.iter();
            if teachers.any(|t| t.is_false_negative(anchor, entry)) {
                tally.false_negatives += 1;
                continue;
            }
            left.push((self.score(anchor, entry), entry as u32));
        }
        let most = match self.choice {
            Choice::All => left.len(),
            Choice::Hardest { most } | Choice::Sampled { most, .. } => most,
        };
        if most < left.len() {
            left.select_nth_unstable_by(most, before);
            left.truncate(most);
        }
        let mut negatives: Vec<u32> = left.into_iter().map(|(_, entry)| entry).collect();
        negatives.sort_unstable();
        tally.chosen = negatives.len() as u64;
        let chosen = negatives.iter().map(|&entry| cosines[entry as usize]);
        tally.cosines = chosen.map(f64::from).sum();
        (negatives, tally)
    }

    /// What an entry is ranked by. The highest scores with noise of Gumbel's
    /// distribution are draws without replacement in proportion to the exponentials
    /// of the scores without it (Yellott 1977; Kool et al. 2019).
    fn score(&self, anchor: usize, entry: usize) -> f64 {
        let cosine = f64::from(self.cosines.row(anchor)[entry]);
        match self.choice {
            Choice::Sampled { temperature, .. } => {
                let place = ((self.first + anchor) as u64) << 32 | entry as u64;
                let bits = mix64(self.key ^ mix64(place));
                let unit = ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
                cosine / temperature - (-unit.ln()).ln()
            }
            Choice::Hardest { .. } | Choice::All => cosine,
        }
    }
}

/// Higher scores come first, of equal ones the younger entry.
fn before(a: &(f64, u32), b: &(f64, u32)) -> Ordering {
    b.0.total_cmp(&a.0).then(b.1.cmp(&a.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Embeddings;

    fn draw(seed: u64, i: usize) -> f64 {
        (mix64(seed ^ mix64(i as u64)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Vectors on a coarse grid, so that cosines are often equal.
    fn vectors(rows: usize, dim: usize, seed: u64) -> Embeddings {
        let values = (0..rows * dim).map(|i| (3.0 * draw(seed, i)).round() as f32 - 1.0);
        Embeddings::new(dim, values.collect())
    }

    fn directions(of: &Embeddings) -> Directions {
        Directions::of(of, 0, of.rows())
    }

    /// Every rule by itself, over all pairs of entries.
    fn plainly(chooser: &Chooser<'_>, anchor: usize) -> Vec<u32> {
        let is_left = |&entry: &usize| {
            let text = chooser.texts[entry];
            let too_near = chooser.teachers.as_ref().is_some_and(|t| {
                let (mut sum, mut weights) = (0.0, 0.0);
                for (weight, anchors, entries) in &t.teachers {
                    let cosine: f64 = (anchors.row(anchor).iter().zip(entries.row(entry)))
                        .map(|(a, b)| f64::from(*a) * f64::from(*b))
                        .sum();
                    (sum, weights) = (sum + weight * cosine, weights + weight);
                }
                sum / weights > t.above
            });
            chooser.own[anchor].iter().all(|own| *own != text) && !too_near
        };
        let left: Vec<usize> = (0..chooser.texts.len()).filter(is_left).collect();
        let most = match chooser.choice {
            Choice::All => usize::MAX,
            Choice::Hardest { most } | Choice::Sampled { most, .. } => most,
        };
        let is_chosen = |&entry: &usize| {
            let own = chooser.score(anchor, entry);
            let better = left.iter().filter(|&&other| {
                let score = chooser.score(anchor, other);
                score > own || score == own && other > entry
            });
            better.count() < most
        };
        let chosen = left.iter().copied().filter(is_chosen);
        chosen.map(|entry| entry as u32).collect()
    }

    #[test]
    fn choices_are_those_of_the_plain_rules() {
        let (mut dropped, mut tied) = (0, 0);
        for case in 0..120u64 {
            let (n, q) = (1 + case as usize % 5, (case as usize * 7) % 23);
            let (anchors, entries) = (vectors(n, 3, case), vectors(q, 3, case + 1000));
            let cosines = directions(&anchors).cosines(&directions(&entries));
            let texts: Vec<u32> = (0..q)
                .map(|i| (9.0 * draw(case + 2000, i)) as u32)
                .collect();
            let teacher = |seed| {
                let (a, e) = (vectors(n, 4, seed), vectors(q, 4, seed + 1));
                (1.0 + (seed % 3) as f64, directions(&a), directions(&e))
            };
            let most = 1 + case as usize % 6;
            let chooser = Chooser {
                choice: match case % 3 {
                    0 => Choice::Hardest { most },
                    1 => Choice::Sampled {
                        most,
                        temperature: 0.3,
                    },
                    _ => Choice::All,
                },
                cosines: &cosines,
                texts: &texts,
                own: (0..n).map(|i| [i as u32, 8 - i as u32]).collect(),
                teachers: (case % 4 > 0).then(|| TeacherSimilarity {
                    teachers: vec![teacher(case + 3000), teacher(case + 4001)],
                    // No mean of these cosines lies so near to it.
                    above: 0.412_345,
                }),
                key: mix64(case),
                first: 3 * case as usize,
            };
            let (negatives, tally) = chooser.choose();
            let wanted: Vec<_> = (0..n).map(|anchor| plainly(&chooser, anchor)).collect();
            assert_eq!(negatives, wanted, "case {case}");
            assert_eq!(tally.chosen as usize, wanted.concat().len());
            let each = wanted.iter().enumerate();
            let sum: f64 = each
                .flat_map(|(i, w)| w.iter().map(move |&e| (i, e as usize)))
                .map(|(i, e)| f64::from(cosines.row(i)[e]))
                .sum();
            assert!((tally.cosines - sum).abs() < 1e-9);
            dropped += tally.false_negatives;
            for anchor in 0..n {
                let mut sorted = cosines.row(anchor).to_vec();
                sorted.sort_by(f32::total_cmp);
                tied += sorted.windows(2).filter(|w| w[0] == w[1]).count();
            }
        }
        assert!(dropped > 100 && tied > 100, "{dropped} {tied}");
    }

    /// A single draw falls on an entry in proportion to `exp(cosine / temperature)`.
    #[test]
    fn draws_have_their_probabilities() {
        let cosines = Cosines {
            cols: 4,
            values: vec![0.9, 0.1, -0.4, 0.5],
        };
        let mut counts = [0usize; 4];
        const DRAWS: usize = 40_000;
        for step in 0..DRAWS {
            let chooser = Chooser {
                choice: Choice::Sampled {
                    most: 1,
                    temperature: 0.7,
                },
                cosines: &cosines,
                texts: &[5, 6, 7, 8],
                own: vec![[0, 1]],
                teachers: None,
                key: mix64(step as u64),
                first: 0,
            };
            counts[chooser.choose().0[0][0] as usize] += 1;
        }
        let weights = cosines.values.iter().map(|c| (f64::from(*c) / 0.7).exp());
        let weights: Vec<f64> = weights.collect();
        let sum: f64 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(weights) {
            let (share, wanted) = (*count as f64 / DRAWS as f64, weight / sum);
            assert!((share - wanted).abs() < 0.01, "{share} {wanted}");
        }
    }
}
