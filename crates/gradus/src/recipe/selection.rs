//! By what the best model of a run is chosen.

use crate::data::{RowKind, Source};
use serde::{Serialize, Serializer};
use std::fmt;

/// What the best model of a run is the best by: its dev set decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SelectionMetric {
    /// Spearman's correlation with the grades of pairs.
    #[default]
    Spearman,
    /// The mean NDCG of the ten best documents over the queries of lists.
    Ndcg,
}

impl SelectionMetric {
    /// That of a dev set: NDCG of one with `rows = "lists"`.
    pub fn of(dev: &Source) -> Self {
        match dev.rows {
            Some(RowKind::Lists) => Self::Ndcg,
            _ => Self::Spearman,
        }
    }

    /// In full.
    pub(crate) fn in_full(self) -> &'static str {
        match self {
            Self::Spearman => "Spearman correlation",
            Self::Ndcg => "mean NDCG@10",
        }
    }

    /// Its name in files: `spearman`, `ndcg@10`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Spearman => "spearman",
            Self::Ndcg => "ndcg@10",
        }
    }
}

/// As tables and captions have it.
impl fmt::Display for SelectionMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spearman => "Spearman",
            Self::Ndcg => "NDCG@10",
        })
    }
}

impl Serialize for SelectionMetric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}
