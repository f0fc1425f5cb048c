//! How well scores rank the documents of lists.

use crate::eval::Measure;
use crate::recipe::SelectionMetric;
use serde::Serialize;

/// The dev set's lists at one point of a cross-encoder's run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListEvaluation {
    /// The stage's name.
    pub stage: String,
    /// The optimizer step in the stage; 0 is before the first.
    pub step: u64,
    /// The set.
    pub dev: String,
    /// By what models are chosen.
    pub metric: SelectionMetric,
    /// The mean over the queries; `None` where a score is not finite.
    #[serde(rename = "ndcg@10")]
    pub ndcg: Option<f64>,
    /// The same of the reciprocal rank.
    #[serde(rename = "mrr@10")]
    pub mrr: Option<f64>,
    /// How many queries there are.
    pub queries: usize,
}

impl ListEvaluation {
    /// The scores in one line.
    pub fn describe(&self) -> String {
        match (self.ndcg, self.mrr) {
            (Some(ndcg), Some(mrr)) => format!(
                "{} NDCG@10 {:.2}, MRR@10 {:.2}",
                self.dev,
                100.0 * ndcg,
                100.0 * mrr
            ),
            _ => format!("{} NDCG@10 undefined", self.dev),
        }
    }
}

/// The means of NDCG@10 and MRR@10 over lists, by the rules of
/// [`Ranking`](crate::eval::Ranking) and [`RetrievalScores`](crate::eval::RetrievalScores):
/// of documents with equal scores the later one stands first, so that a tie earns
/// nothing by the order of the file, and a list without a relevant document (one with a
/// label above 0) counts 0. `lists` are offsets among the documents. `None` where a
/// score is not finite.
pub(super) fn ranked(scores: &[f64], labels: &[f64], lists: &[usize]) -> Option<(f64, f64)> {
    if scores.iter().any(|score| !score.is_finite()) {
        return None;
    }
    let (mut ndcg, mut mrr, mut count) = (0.0, 0.0, 0);
    for ends in lists.windows(2) {
        let (scores, labels) = (&scores[ends[0]..ends[1]], &labels[ends[0]..ends[1]]);
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then_with(|| b.cmp(&a)));
        let found: Vec<f64> = order.into_iter().map(|place| labels[place]).collect();
        ndcg += Measure::Ndcg(10).of_grades(&found, labels);
        mrr += Measure::Mrr(10).of_grades(&found, labels);
        count += 1;
    }
    let count = f64::from(count.max(1));
    Some((ndcg / count, mrr / count))
}

/// Whether some order of some list's documents is better than another.
pub(super) fn can_choose(labels: &[f64], lists: &[usize]) -> bool {
    let gain = |label: &f64| label.max(0.0);
    lists.windows(2).any(|ends| {
        let labels = &labels[ends[0]..ends[1]];
        let first = labels.first().map(gain);
        labels.iter().any(|label| Some(gain(label)) != first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{Qrels, Ranking, RetrievalScores};

    #[test]
    fn lists_are_measured_as_retrieval_is() {
        // Ties, negative labels, a list without a relevant document, one of one.
        let labels = [2.0, 0.0, 1.0, 0.0, 0.0, -1.0, 3.0, 1.0, 0.0, 2.0, 0.0];
        let scores = [0.5, 0.5, 0.1, 0.9, 0.3, 0.3, 0.3, 0.3, 0.7, 0.3, 0.3];
        let lists = [0, 3, 5, 10, 11];
        let (mut qrels, mut ranking) = (Qrels::default(), Ranking::default());
        for (query, ends) in lists.windows(2).enumerate() {
            let id = |at: usize| format!("{at:03}");
            let all = (ends[0]..ends[1]).map(|at| (id(at), scores[at]));
            ranking.insert(query.to_string(), all.collect());
            for (at, label) in (ends[0]..).zip(&labels[ends[0]..ends[1]]) {
                qrels.insert(query.to_string(), id(at), *label as i32);
            }
        }
        let measures = [Measure::Ndcg(10), Measure::Mrr(10)];
        let expected = RetrievalScores::new(&qrels, &ranking, &measures);
        let (ndcg, mrr) = ranked(&scores, &labels, &lists).unwrap();
        assert_eq!([ndcg, mrr], expected.means()[..]);
    }

    #[test]
    fn a_tie_is_no_better_than_the_wrong_order() {
        let of = |scores: &[f64]| ranked(scores, &[1.0, 0.0], &[0, 2]).unwrap();
        assert_eq!(of(&[0.5, 0.5]), of(&[0.1, 0.5]));
        assert_eq!(of(&[0.6, 0.5]), (1.0, 1.0));
    }

    #[test]
    fn grades_count_by_their_size() {
        // By the first relevant document alone both orders are as good.
        let of = |scores: &[f64]| ranked(scores, &[0.25, 1.0], &[0, 2]).unwrap();
        let (right, wrong) = (of(&[0.0, 1.0]), of(&[1.0, 0.0]));
        assert_eq!((right.1, wrong.1), (1.0, 1.0));
        assert!(right.0 == 1.0 && wrong.0 < 1.0, "{wrong:?}");
    }

    #[test]
    fn what_cannot_choose_is_known() {
        assert!(can_choose(&[1.0, 1.0, 1.0, 0.5], &[0, 2, 4]));
        assert!(!can_choose(&[1.0, 1.0, 2.0, 2.0], &[0, 2, 4]));
        assert!(!can_choose(&[-1.0, 0.0, -2.0], &[0, 3]));
        assert_eq!(ranked(&[f64::NAN, 0.0], &[1.0, 0.0], &[0, 2]), None);
    }
}
