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
    /// [`SmoothK2`](crate::losses::SmoothK2).
    SmoothK2,
    /// [`TranslatedRelu`](crate::losses::TranslatedRelu).
    TranslatedRelu,
    /// [`MeanSquaredError`](crate::losses::MeanSquaredError).
    Mse,
    /// [`L1`](crate::losses::L1).
    L1,
    /// [`CrossEntropy`](crate::losses::CrossEntropy).
    CrossEntropy,
    /// [`InfoNce`](crate::losses::InfoNce).
    InfoNce,
    /// [`Cosent`](crate::losses::Cosent).
    Cosent,
    /// [`Cosent`](crate::losses::Cosent) on [`PairSimilarity::Angle`](crate::losses::PairSimilarity::Angle).
    Angle,
    /// [`PearsonLoss`](crate::losses::PearsonLoss).
    Pearson,
    /// [`RankingDistillation`](crate::losses::RankingDistillation) by [`RankingLoss::ListNet`](crate::losses::RankingLoss::ListNet).
    ListNet,
    /// [`RankingDistillation`](crate::losses::RankingDistillation) by [`RankingLoss::ListMle`](crate::losses::RankingLoss::ListMle).
    ListMle,
    /// [`Consistency`](crate::losses::Consistency).
    Consistency,
    /// [`EmbeddingMse`](crate::losses::EmbeddingMse).
    EmbeddingMse,
}

impl LossName {
    /// Whether it is a loss of one prediction against one grade, or class.
    pub(crate) fn is_regression(self) -> bool {
        use LossName::*;
        matches!(self, SmoothK2 | TranslatedRelu | Mse | L1 | CrossEntropy)
    }

    /// Whether it compares lists of similarities.
    pub(crate) fn ranks(self) -> bool {
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
