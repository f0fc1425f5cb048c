use serde::{Deserialize, Serialize};

/// Where the prediction comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A linear head on the pair's features.
    #[default]
    Head,
    /// An affine map of the cosine.
    Cosine,
}

/// The losses by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossName {
    /// [`SmoothK2`](crate::objective::SmoothK2).
    SmoothK2,
    /// [`TranslatedRelu`](crate::objective::TranslatedRelu).
    TranslatedRelu,
    /// [`MeanSquaredError`](crate::objective::MeanSquaredError).
    Mse,
    /// [`L1`](crate::objective::L1).
    L1,
    /// [`CrossEntropy`](crate::objective::CrossEntropy).
    CrossEntropy,
    /// [`InfoNce`](crate::objective::InfoNce).
    InfoNce,
    /// [`Cosent`](crate::objective::Cosent).
    Cosent,
    /// [`Cosent`](crate::objective::Cosent) on [`PairSimilarity::Angle`](crate::objective::PairSimilarity::Angle).
    Angle,
    /// [`PearsonLoss`](crate::objective::PearsonLoss).
    Pearson,
    /// [`RankingDistillation`](crate::objective::RankingDistillation) by [`RankingLoss::ListNet`](crate::objective::RankingLoss::ListNet).
    ListNet,
    /// [`RankingDistillation`](crate::objective::RankingDistillation) by [`RankingLoss::ListMle`](crate::objective::RankingLoss::ListMle).
    ListMle,
    /// [`Consistency`](crate::objective::Consistency).
    Consistency,
    /// [`EmbeddingMse`](crate::objective::EmbeddingMse).
    EmbeddingMse,
}

impl LossName {
    /// Whether it is a loss of one prediction against one grade, or class.
    pub(super) fn is_regression(self) -> bool {
        use LossName::*;
        matches!(self, SmoothK2 | TranslatedRelu | Mse | L1 | CrossEntropy)
    }

    /// Whether it compares lists of similarities.
    pub(super) fn ranks(self) -> bool {
        matches!(self, Self::ListNet | Self::ListMle | Self::Consistency)
    }

    /// Whether it compares two vectors that one text has by dropout, or two texts,
    /// so that a text seen once says nothing.
    pub fn needs_two_views(self) -> bool {
        self.needs_labels() || matches!(self, Self::InfoNce | Self::Consistency)
    }

    /// Whether it is computed from grades: the others need texts alone.
    pub fn needs_labels(self) -> bool {
        self.is_regression() || matches!(self, Self::Cosent | Self::Angle | Self::Pearson)
    }
}
