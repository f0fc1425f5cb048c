use serde::{Deserialize, Serialize};

/// What the pairs of [`LambdaLoss`](super::LambdaLoss) weigh, by the places `i` and
/// `j` that the scores give the two documents: `G` is a document's gain divided by
/// the highest DCG, `D(i) = log2(1 + i)` the discount of place `i`, from 1.
///
/// Source: Wang et al. (2018), equations 10 to 17.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LambdaWeighting {
    /// `G_i / D(i)`. It is of all pairs, a document with itself among them.
    #[serde(rename = "ndcg_loss1")]
    NdcgLoss1,
    /// `|1 / D(|i-j|) - 1 / D(|i-j| + 1)| |G_i - G_j|`.
    #[serde(rename = "ndcg_loss2")]
    NdcgLoss2,
    /// `|1 / D(i) - 1 / D(j)| |G_i - G_j|`.
    LambdaRank,
    /// `mu` times NDCG-Loss2, plus LambdaRank.
    #[default]
    #[serde(rename = "ndcg_loss2pp")]
    NdcgLoss2Pp,
    /// 1: RankNet.
    None,
}

impl LambdaWeighting {
    /// Its name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::NdcgLoss1 => "ndcg_loss1",
            Self::NdcgLoss2 => "ndcg_loss2",
            Self::LambdaRank => "lambda_rank",
            Self::NdcgLoss2Pp => "ndcg_loss2pp",
            Self::None => "none",
        }
    }

    /// Whether it is of all pairs, not only of those whose first document has the
    /// higher label.
    pub(super) fn of_all_pairs(self) -> bool {
        self == Self::NdcgLoss1
    }

    /// The weight of the documents at places `i` and `j`, counted from 0, of these
    /// gains.
    pub(super) fn weight(self, (i, j): (usize, usize), gains: &[f64], mu: f64) -> f64 {
        let change = (gains[i] - gains[j]).abs();
        let apart = i.abs_diff(j);
        let by_distance = || match apart {
            0 => 0.0,
            _ => (1.0 / discount(apart - 1) - 1.0 / discount(apart)).abs() * change,
        };
        let by_rank = || (1.0 / discount(i) - 1.0 / discount(j)).abs() * change;
        match self {
            Self::NdcgLoss1 => gains[i] / discount(i),
            Self::NdcgLoss2 => by_distance(),
            Self::LambdaRank => by_rank(),
            Self::NdcgLoss2Pp => mu * by_distance() + by_rank(),
            Self::None => 1.0,
        }
    }
}

/// The discount of a place counted from 0.
pub(super) fn discount(place: usize) -> f64 {
    ((place + 2) as f64).log2()
}
