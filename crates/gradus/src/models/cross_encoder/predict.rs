//! Scores of pairs, and documents ranked by them.

use super::CrossEncoder;
use crate::eval::{PairScorer, PairScores};
use crate::format::ModelError;
use crate::hub::{HubConfig, NoProgress, resolve_model};
use crate::models::ModelFolder;
use crate::text::Tokens;
use crate::{Device, Result};
use gradus_kernels::Backend;

/// The scores of pairs: one for each label.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    labels: usize,
    values: Vec<f64>,
}

impl Scores {
    /// Of `values`, `[pairs, labels]`, row after row.
    pub(crate) fn new(labels: usize, values: Vec<f64>) -> Self {
        Self { labels, values }
    }

    /// How many scores a pair has.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// Every pair's scores.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.labels.max(1))
    }

    /// `[pairs, labels]`, row after row.
    pub fn as_slice(&self) -> &[f64] {
        &self.values
    }
}

/// A document's place in a ranking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankedDocument {
    /// Its place among the documents given.
    pub index: usize,
    /// Its score with the query.
    pub score: f64,
}

impl CrossEncoder {
    /// Loads a cross-encoder by the name of a folder, or by its name on the hub (with
    /// an optional `@revision`), from where it is fetched once. It runs on the device
    /// and in the precision that `auto` stands for, on all cores.
    ///
    /// # Errors
    /// Where there is no such model, it cannot be fetched, or it cannot be used.
    pub fn from_pretrained(name: &str) -> Result<Self> {
        let folder = resolve_model(name, &HubConfig::from_env()?, &mut NoProgress)?;
        let (backend, _) = Device::Auto.backend(ModelFolder::precision(&folder)?, 0)?;
        Self::load(folder, backend)
    }
}

/// The mean of the classes' numbers, each as likely as the softmax says; NaN where
/// a logit is.
fn expected_class(logits: &[f32]) -> f64 {
    let highest = logits
        .iter()
        .fold(f64::NEG_INFINITY, |high, &logit| high.max(f64::from(logit)));
    let (mut sum, mut all) = (0.0, 0.0);
    for (class, &logit) in logits.iter().enumerate() {
        let weight = (f64::from(logit) - highest).exp();
        sum += class as f64 * weight;
        all += weight;
    }
    sum / all
}

impl<B: Backend> PairScorer for CrossEncoder<B> {
    fn score_pairs(&self, pairs: &[(&str, &str)]) -> Result<PairScores> {
        let (_, logits) = self.pair_logits(pairs)?;
        Ok(PairScores::of_scores(self.pair_scores(&logits)))
    }
}

impl<B: Backend> CrossEncoder<B> {
    /// The scores of pairs, each of a first and a second text, in their order. A
    /// pair's bits do not depend on the other pairs.
    ///
    /// ```
    /// # fn main() -> gradus::Result<()> {
    /// // A folder, or a name such as "cross-encoder/ms-marco-MiniLM-L6-v2".
    /// let name = "tests/fixtures/cross_encoders/bert";
    /// let model = gradus::CrossEncoder::from_pretrained(name)?;
    /// let scores = model.predict(&[("a dog", "the dog is in a park")])?;
    /// assert_eq!((scores.rows().len(), scores.labels()), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Where the tokenizer fails, or the device.
    pub fn predict<S: AsRef<str>>(&self, pairs: &[(S, S)]) -> Result<Scores> {
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(a, b)| (a.as_ref(), b.as_ref()))
            .collect();
        Ok(self.scores(&self.pair_logits(&pairs)?.1))
    }

    fn predict_tokens(&self, tokens: &[Tokens]) -> Result<Scores> {
        let logits = self.logits(tokens);
        self.backend.check()?;
        Ok(self.scores(&logits))
    }

    /// One score a pair of logits, `[pairs, labels]`: of a model of one label the
    /// activation's; of several the expected number of the class (its row in
    /// `id2label`, from 0) under the softmax of the logits, as a regression head's
    /// classes have it, so that labels must be in the order of their grades.
    pub fn pair_scores(&self, logits: &[f32]) -> Vec<f64> {
        let rows = logits.chunks_exact(self.labels.max(1));
        let score = |row: &[f32]| match row {
            [logit] => self.activation.apply(f64::from(*logit)),
            row => expected_class(row),
        };
        rows.map(score).collect()
    }

    /// What the activation makes of logits.
    pub(crate) fn scores(&self, logits: &[f32]) -> Scores {
        let score = |&logit: &f32| self.activation.apply(f64::from(logit));
        Scores::new(self.labels, logits.iter().map(score).collect())
    }

    /// The documents by their score with the query, highest first, at most `top` of
    /// them; those of equal score in their own order.
    ///
    /// # Errors
    /// As [`CrossEncoder::predict`]; [`ModelError::Unsupported`] for a model of several
    /// labels.
    pub fn rank<S: AsRef<str>>(
        &self,
        query: &str,
        documents: &[S],
        top: Option<usize>,
    ) -> Result<Vec<RankedDocument>> {
        self.check_one_label("rank documents")?;
        let documents: Vec<&str> = documents.iter().map(AsRef::as_ref).collect();
        let documents = self.tokenizer.bare_texts(&documents)?;
        let query = self.tokenizer.bare_text(query)?;
        let pairs: Vec<_> = documents.iter().map(|d| (&query, d)).collect();
        let scores = self.predict_tokens(&self.tokenizer.join_pairs(&pairs)?)?;
        let mut ranked: Vec<RankedDocument> = scores
            .as_slice()
            .iter()
            .enumerate()
            .map(|(index, &score)| RankedDocument { index, score })
            .collect();
        // A score that is no number comes last; the sort leaves equal ones in order.
        let key = |d: &RankedDocument| match d.score.is_nan() {
            true => f64::NEG_INFINITY,
            false => d.score,
        };
        ranked.sort_by(|a, b| key(b).total_cmp(&key(a)));
        ranked.truncate(top.unwrap_or(usize::MAX));
        Ok(ranked)
    }

    /// Whether a pair has one score.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] where it has several.
    pub fn check_one_label(&self, to: &'static str) -> Result<()> {
        match self.labels {
            1 => Ok(()),
            n => Err(ModelError::Unsupported {
                path: self.folder.root.clone(),
                what: format!("cross-encoder to {to}").into(),
                found: format!("one that gives {n} scores to a pair"),
                supported: "one that gives one score".into(),
            }
            .into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::expected_class;

    #[test]
    fn the_expected_class_is_the_mean_under_the_softmax() {
        assert_eq!(expected_class(&[2.0, 2.0, 2.0]), 1.0);
        let third = expected_class(&[0.0, (2f32).ln()]);
        assert!((third - 2.0 / 3.0).abs() < 1e-7, "{third}");
        assert!((expected_class(&[-1e30, 1e30, 0.0]) - 1.0).abs() < 1e-12);
        assert!(expected_class(&[f32::NAN, 0.0]).is_nan());
    }
}
