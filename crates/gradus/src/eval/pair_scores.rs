//! What a model says of pairs, one by one.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Embedder;
use super::embedder::embed_all;
use crate::nn::RegressionHead;
use crate::{Embeddings, Result};

/// A model's raw scores of some pairs, in their order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PairScores {
    /// The cosine of the vectors.
    pub cosines: Vec<f64>,
    /// The grades of the regression head, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grades: Option<Vec<f64>>,
}

impl PairScores {
    /// Judges pairs of texts; every different text is embedded once.
    ///
    /// # Errors
    /// Those of the embedder.
    pub fn of<'a>(
        embedder: &dyn Embedder,
        head: Option<&RegressionHead>,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self> {
        let mut places = HashMap::new();
        let mut texts = Vec::new();
        let mut place = |text| {
            *places.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() - 1
            })
        };
        let rows: Vec<(usize, usize)> = pairs
            .into_iter()
            .map(|(first, second)| (place(first), place(second)))
            .collect();
        let embeddings = embed_all(embedder, &texts)?;
        Ok(Self::of_rows(&embeddings, head, &rows))
    }

    /// Judges pairs of rows.
    ///
    /// # Panics
    /// If a row does not exist: a bug of the caller.
    pub fn of_rows(
        embeddings: &Embeddings,
        head: Option<&RegressionHead>,
        rows: &[(usize, usize)],
    ) -> Self {
        let cosine = |&(a, b): &(usize, usize)| embeddings.cosine(a, b);
        let grades = |head: &RegressionHead| {
            let grade = |&(a, b): &(usize, usize)| head.grade(embeddings.row(a), embeddings.row(b));
            rows.iter().map(grade).collect()
        };
        Self {
            cosines: rows.iter().map(cosine).collect(),
            grades: head.map(grades),
        }
    }
}
