use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A measure of the first `k` documents of a query's ranking, each of which has a
/// relevance: 0 where it was not judged, and relevant from 1 on.
///
/// Source: trec_eval, whose `ndcg_cut`, `map_cut`, `recall`, `P` and `success` these
/// are; and `recip_rank`, which it does not cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Discounted gain over the highest there can be: a document's gain is its
    /// relevance, its discount `log2(1 + place)`.
    Ndcg(usize),
    /// One over the place of the first relevant document.
    Mrr(usize),
    /// The sum of the precisions at the places of relevant documents, over the number
    /// of all relevant documents.
    Map(usize),
    /// The share of the relevant documents that is there.
    Recall(usize),
    /// The share of the `k` places that is relevant.
    Precision(usize),
    /// 1 where some document is relevant.
    Accuracy(usize),
}

impl Measure {
    /// Those of sentence-transformers' evaluator, and recall at 100.
    pub fn usual() -> Vec<Self> {
        use Measure::*;
        let mut all = vec![Ndcg(10), Mrr(10), Map(100), Recall(100)];
        for measure in [Accuracy, Precision, Recall] {
            all.extend([1, 3, 5, 10].map(measure));
        }
        all
    }

    /// How many documents it looks at.
    pub fn k(self) -> usize {
        match self {
            Self::Ndcg(k)
            | Self::Mrr(k)
            | Self::Map(k)
            | Self::Recall(k)
            | Self::Precision(k)
            | Self::Accuracy(k) => k,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ndcg(_) => "ndcg",
            Self::Mrr(_) => "mrr",
            Self::Map(_) => "map",
            Self::Recall(_) => "recall",
            Self::Precision(_) => "precision",
            Self::Accuracy(_) => "accuracy",
        }
    }

    /// Its value for the relevances of a ranking, best place first, and those of all
    /// judged documents, in any order. 0 where none is relevant.
    pub fn of(self, ranked: &[i32], judged: &[i32]) -> f64 {
        let wide = |all: &[i32]| -> Vec<f64> { all.iter().copied().map(f64::from).collect() };
        self.of_grades(&wide(ranked), &wide(judged))
    }

    /// The same where relevances are any finite numbers; a document is relevant where
    /// its own is above 0.
    pub fn of_grades(self, ranked: &[f64], judged: &[f64]) -> f64 {
        let k = self.k();
        let first = &ranked[..k.min(ranked.len())];
        let relevant = |all: &[f64]| all.iter().filter(|r| **r > 0.0).count() as f64;
        let all = relevant(judged);
        if all == 0.0 {
            return 0.0;
        }
        match self {
            Self::Ndcg(_) => {
                let mut ideal: Vec<f64> = judged.to_vec();
                ideal.sort_unstable_by(|a, b| b.total_cmp(a));
                gain(first) / gain(&ideal[..k.min(ideal.len())])
            }
            Self::Mrr(_) => {
                let place = first.iter().position(|r| *r > 0.0);
                place.map_or(0.0, |place| 1.0 / (place + 1) as f64)
            }
            Self::Map(_) => {
                let (mut found, mut sum) = (0.0, 0.0);
                for (place, relevance) in first.iter().enumerate() {
                    if *relevance > 0.0 {
                        found += 1.0;
                        sum += found / (place + 1) as f64;
                    }
                }
                sum / all
            }
            Self::Recall(_) => relevant(first) / all,
            Self::Precision(_) => relevant(first) / k as f64,
            Self::Accuracy(_) => f64::from(relevant(first) > 0.0),
        }
    }
}

/// The discounted gain of relevances in their order.
fn gain(relevances: &[f64]) -> f64 {
    let places = relevances.iter().enumerate();
    let gains = places.map(|(place, r)| r.max(0.0) / ((place + 2) as f64).log2());
    gains.sum()
}

/// `ndcg@10`.
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name(), self.k())
    }
}

impl FromStr for Measure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.trim().split_once('@').and_then(|(name, k)| {
            let k = k.parse().ok().filter(|k| *k > 0)?;
            let all = [
                Self::Ndcg(k),
                Self::Mrr(k),
                Self::Map(k),
                Self::Recall(k),
                Self::Precision(k),
                Self::Accuracy(k),
            ];
            all.into_iter().find(|measure| measure.name() == name)
        });
        parsed.ok_or_else(|| {
            format!("{text:?} is no measure; there are ndcg, mrr, map, recall, precision and accuracy, each with `@` and a number of documents, as ndcg@10")
        })
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Measure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_have_names() {
        for measure in Measure::usual() {
            assert_eq!(measure.to_string().parse(), Ok(measure));
        }
        for text in ["ndcg", "ndcg@0", "ndcg@", "ndgc@10", "ndcg@-1", "ndcg@1.5"] {
            assert!(text.parse::<Measure>().is_err(), "{text}");
        }
    }

    #[test]
    fn by_hand() {
        // Places 2 and 4 are relevant, of three.
        let (ranked, judged) = ([0, 2, 0, 1], [1, 2, 1, 0]);
        let at = |measure: Measure| measure.of(&ranked, &judged);
        assert_eq!(at(Measure::Mrr(10)), 0.5);
        assert_eq!(at(Measure::Mrr(1)), 0.0);
        assert_eq!(at(Measure::Map(10)), (0.5 + 0.5) / 3.0);
        assert_eq!(at(Measure::Recall(4)), 2.0 / 3.0);
        assert_eq!(at(Measure::Precision(8)), 0.25);
        assert_eq!(
            (at(Measure::Accuracy(1)), at(Measure::Accuracy(2))),
            (0.0, 1.0)
        );
        let log = f64::log2;
        let (got, best) = (
            2.0 / log(3.0) + 1.0 / log(5.0),
            2.0 + 1.0 / log(3.0) + 1.0 / log(4.0),
        );
        assert!((at(Measure::Ndcg(10)) - got / best).abs() < 1e-15);
        for measure in Measure::usual() {
            assert_eq!(measure.of(&ranked, &[0, -1]), 0.0);
            assert_eq!(measure.of(&[], &judged), 0.0);
        }
    }
}
