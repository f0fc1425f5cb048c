//! Lists of some candidates of each anchor.

use super::ranking_distillation::{RankingDistillation, RankingLoss};
use crate::Embeddings;
use crate::losses::ObjectiveError;
use crate::losses::directions::{Cosines, Directions};
use gradus_kernels::dropout::mix64;

/// Ranking distillation over candidates: of each anchor some other texts stand in a
/// list, and the order of their cosines with it follows a teacher's scores of the
/// pairs, as those of a cross-encoder (the list-wise form of self distillation; after
/// Wang, Jin & Zhao 2025).
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateLists {
    distillation: RankingDistillation,
    candidates: usize,
}

impl CandidateLists {
    /// Lists of at most so many candidates.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`].
    pub fn new(
        loss: RankingLoss,
        candidates: usize,
        temperature: f64,
        teacher_temperature: f64,
    ) -> Result<Self, ObjectiveError> {
        let alone = vec![1.0];
        let distillation =
            RankingDistillation::new(loss, temperature, teacher_temperature, alone, true)?;
        Ok(Self {
            distillation,
            candidates,
        })
    }

    /// The rows that each of the first `anchors` rows gets as candidates: of those
    /// behind the anchors, or of the anchors where there are no more, the ones that
    /// the student finds most similar, the first row of equal ones. `texts` says of
    /// which text a row is: an anchor's own text is none, and each text stands once.
    pub fn pick(&self, embeddings: &Embeddings, anchors: usize, texts: &[u32]) -> Vec<Vec<u32>> {
        let rows = embeddings.rows();
        let first = if rows > anchors { anchors } else { 0 };
        let of_anchors = Directions::of(embeddings, 0, anchors);
        let others = Directions::of(embeddings, first, rows - first);
        let cosines = of_anchors.cosines(&others);
        let best = |i: usize| {
            let mut order: Vec<u32> = (0..(rows - first) as u32)
                .filter(|&j| texts[first + j as usize] != texts[i])
                .collect();
            let row = cosines.row(i);
            order.sort_by(|&a, &b| row[b as usize].total_cmp(&row[a as usize]).then(a.cmp(&b)));
            let mut seen: Vec<u32> = vec![];
            order.retain(|&j| {
                let text = texts[first + j as usize];
                let new = seen.len() < self.candidates && !seen.contains(&text);
                if new {
                    seen.push(text);
                }
                new
            });
            order.into_iter().map(|j| first as u32 + j).collect()
        };
        (0..anchors).map(best).collect()
    }

    /// The mean loss over the anchors whose lists have two candidates at least, and
    /// the gradient of the embeddings. `targets` has a teacher's score for each
    /// candidate; `key` breaks its ties.
    pub fn evaluate(
        &self,
        embeddings: &Embeddings,
        lists: &[Vec<u32>],
        targets: &[Vec<f64>],
        key: u64,
    ) -> (f64, Vec<f32>) {
        let (anchors, rows) = (lists.len(), embeddings.rows());
        let mut gradients = vec![0.0; embeddings.as_slice().len()];
        let used = lists.iter().filter(|list| list.len() > 1).count();
        if used == 0 {
            return (0.0, gradients);
        }
        let all = Directions::of(embeddings, 0, rows);
        let mut slopes = Cosines::zeros(anchors, rows);
        let mut total = 0.0;
        for (i, (list, targets)) in lists.iter().zip(targets).enumerate() {
            if list.len() < 2 {
                continue;
            }
            let cosine = |&j: &u32| all.cosine(i, &all, j as usize);
            let student: Vec<f64> = list.iter().map(cosine).collect();
            let key = mix64(key ^ i as u64);
            let (loss, by_cosine) = self.distillation.list(&student, targets, key);
            total += loss / used as f64;
            for (&j, slope) in list.iter().zip(by_cosine) {
                slopes.row_mut(i)[j as usize] = (slope / used as f64) as f32;
            }
        }
        let of_anchors = Directions::of(embeddings, 0, anchors);
        let ends = anchors * embeddings.dim();
        of_anchors.add_gradients(&slopes, &all, &mut gradients[..ends]);
        all.add_gradients(&slopes.transposed(), &of_anchors, &mut gradients);
        (total, gradients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embeddings(rows: usize, dim: usize, seed: u64) -> Embeddings {
        let values = (0..(rows * dim) as u64)
            .map(|i| (mix64(seed ^ mix64(i)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0);
        Embeddings::new(dim, values.collect())
    }

    fn lists(loss: RankingLoss, candidates: usize) -> CandidateLists {
        CandidateLists::new(loss, candidates, 0.3, 0.15).unwrap()
    }

    #[test]
    fn candidates_are_the_most_similar_of_other_texts() {
        let lists = lists(RankingLoss::ListNet, 2);
        // Three anchors and their second views, two of them of one text.
        let vectors = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]];
        let values: Vec<f32> = vectors.iter().chain(&vectors).flatten().copied().collect();
        let both = Embeddings::new(2, values);
        let picked = lists.pick(&both, 3, &[0, 1, 2, 0, 1, 2]);
        assert_eq!(picked, [vec![4, 5], vec![3, 5], vec![4, 3]]);
        let same = lists.pick(&both, 3, &[0, 0, 2, 0, 0, 2]);
        assert_eq!(same, [vec![5], vec![5], vec![4]]);
        // One view stands for both.
        let one = Embeddings::new(2, vectors.concat());
        assert_eq!(lists.pick(&one, 3, &[0, 1, 2])[0], [1, 2]);
    }

    #[test]
    fn gradients_follow_finite_differences() {
        for (loss, seed) in [(RankingLoss::ListNet, 1), (RankingLoss::ListMle, 2)] {
            let lists = lists(loss, 4);
            let embeddings = embeddings(12, 7, seed);
            let texts: Vec<u32> = (0..6).chain(0..6).collect();
            let picked = lists.pick(&embeddings, 6, &texts);
            let score = |i: usize, j: &u32| (mix64(i as u64 * 100 + u64::from(*j)) >> 40) as f64;
            let targets: Vec<Vec<f64>> = picked
                .iter()
                .enumerate()
                .map(|(i, list)| list.iter().map(|j| score(i, j) / 3e7).collect())
                .collect();
            let at = |values: &[f32]| {
                let moved = Embeddings::new(7, values.to_vec());
                lists.evaluate(&moved, &picked, &targets, 5).0
            };
            let (_, gradient) = lists.evaluate(&embeddings, &picked, &targets, 5);
            let values = embeddings.as_slice();
            for k in (0..values.len()).step_by(5) {
                let h = 1e-3f32;
                let mut moved = values.to_vec();
                moved[k] += h;
                let up = at(&moved);
                moved[k] -= 2.0 * h;
                let slope = (up - at(&moved)) / f64::from(2.0 * h);
                let off = (slope - f64::from(gradient[k])).abs();
                assert!(off < 2e-3, "{loss:?} {k}: {slope} {}", gradient[k]);
            }
        }
    }

    #[test]
    fn lists_without_choice_teach_nothing() {
        let lists = lists(RankingLoss::ListMle, 3);
        let embeddings = embeddings(4, 5, 3);
        let (loss, gradient) =
            lists.evaluate(&embeddings, &[vec![2], vec![]], &[vec![0.5], vec![]], 1);
        assert_eq!(loss, 0.0);
        assert!(gradient.iter().all(|g| *g == 0.0));
    }
}
