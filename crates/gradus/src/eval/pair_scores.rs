//! What a model says of pairs, one by one.

use serde::{Deserialize, Serialize};

use super::embedder::embed_all;
use super::{Embedder, Similarity};
use crate::nn::RegressionHead;
use crate::util::interned::Interned;
use crate::{Embeddings, Result};

/// A model's raw scores of some pairs, in their order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PairScores {
    /// What [`PairScores::raw`] is; cosines where a file says nothing.
    #[serde(default, skip_serializing_if = "Similarity::is_cosine")]
    pub similarity: Similarity,
    /// The cosine of the vectors, or the score of a cross-encoder.
    // By the name that files have had since all were cosines.
    #[serde(rename = "cosines")]
    pub raw: Vec<f64>,
    /// The grades of the regression head, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grades: Option<Vec<f64>>,
    /// What a reader of the numbers must know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
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
        let mut texts = Interned::default();
        let rows: Vec<(usize, usize)> = pairs
            .into_iter()
            .map(|(first, second)| (texts.place(first), texts.place(second)))
            .collect();
        let embeddings = embed_all(embedder, &texts.texts)?;
        let mut scores = Self::of_rows(&embeddings, head, &rows);
        let directed =
            |row: &[f32]| row.iter().all(|v| v.is_finite()) && row.iter().any(|v| *v != 0.0);
        let broken = (0..embeddings.rows()).filter(|&i| !directed(embeddings.row(i)));
        let broken = broken.count();
        if broken > 0 {
            scores.notes.push(format!(
                "{broken} of {} sentences have a vector that is zero or not finite; their cosine counts as 0",
                embeddings.rows()
            ));
        }
        Ok(scores)
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
            similarity: Similarity::Cosine,
            raw: rows.iter().map(cosine).collect(),
            grades: head.map(grades),
            notes: vec![],
        }
    }

    /// Scores of a cross-encoder.
    pub fn of_scores(scores: Vec<f64>) -> Self {
        Self {
            similarity: Similarity::Score,
            raw: scores,
            grades: None,
            notes: vec![],
        }
    }
}
