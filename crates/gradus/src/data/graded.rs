//! From rows of text to graded pairs.

use std::collections::BTreeMap;

use super::labels::{finite, not_a_number};
use super::published::{GOLD_LABEL, NO_GOLD_LABEL};
use super::{DataError, GradedPair, LabelMap, PairFile, PairRows, RawPair, Remedy};
use crate::Result;

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Graded {
    /// A pair.
    Pair(GradedPair),
    /// Left out, because the label map skips this label.
    Skipped(String),
}

/// The rows of a file as graded pairs. Ends after the first error.
///
/// Where the label map has no classes and the file's first label is a class of
/// inference, the classes are those of [`LabelMap::nli`]; in a column
/// `gold_label` the label `-`, on which annotators did not agree, is skipped.
pub struct GradedRows {
    rows: PairRows,
    label_name: String,
    labels: LabelMap,
    /// Whether a label showed what kind they are of.
    settled: bool,
    done: bool,
}

impl PairFile {
    /// Opens the file to read graded pairs.
    ///
    /// # Errors
    /// As [`PairFile::rows`]; [`DataError::UnclearColumns`] if there is no
    /// label.
    pub fn graded(&self, labels: &LabelMap) -> Result<GradedRows> {
        let rows = self.rows(labels)?;
        let label_name = rows
            .label_name()
            .ok_or_else(|| DataError::UnclearColumns {
                path: self.path.clone(),
                role: "label",
                reason: "no column has a usual name for it".into(),
                remedies: vec![Remedy::Label],
            })?
            .to_string();
        Ok(GradedRows {
            rows,
            label_name,
            labels: labels.clone(),
            settled: labels.classes.is_some(),
            done: false,
        })
    }
}

impl GradedRows {
    /// How labels are read: what was given, and the classes found.
    pub fn labels(&self) -> &LabelMap {
        &self.labels
    }

    /// The rows behind it.
    pub fn rows(&self) -> &PairRows {
        &self.rows
    }

    /// Whether a label of SNLI or MultiNLI says that there is none.
    fn lacks_gold(&self, label: &str) -> bool {
        let known = |classes: &BTreeMap<_, _>| classes.contains_key(label);
        label == NO_GOLD_LABEL
            && self.label_name == GOLD_LABEL
            && !self.labels.classes.as_ref().is_some_and(known)
    }

    fn grade(&mut self, raw: RawPair) -> Result<Graded> {
        let at = self.rows.place(raw.line);
        let text = raw.label.unwrap_or_default();
        let bare = text.trim();
        if self.lacks_gold(bare) {
            return Ok(Graded::Skipped(bare.to_string()));
        }
        if !self.settled && !self.labels.skip.iter().any(|skip| skip == bare) {
            self.settled = true;
            if let Some(labels) = self.labels.settled_by(bare) {
                self.labels = labels;
            }
        }
        let Some(label) = self.labels.apply(&text, &at, &self.label_name)? else {
            return Ok(Graded::Skipped(text.trim().to_string()));
        };
        let positive = |text: String, column: &str| {
            // Checked as f32, in which it is kept: 1e300 is not finite there.
            let value = finite(text.trim()).map(|v| v as f32);
            value.filter(|v| v.is_finite() && *v >= 0.0).ok_or_else(|| {
                let expected = "a finite number, at least 0";
                not_a_number(&at, column, &text, expected, &[])
            })
        };
        let weight = match raw.weight {
            Some(text) => positive(text, self.rows.weight_name())?,
            None => 1.0,
        };
        let tolerance = match raw.tolerance {
            Some(text) => Some(positive(text, self.rows.tolerance_name())?),
            None => None,
        };
        Ok(Graded::Pair(GradedPair {
            first: raw.first,
            second: raw.second,
            label,
            weight,
            tolerance,
        }))
    }
}

impl Iterator for GradedRows {
    type Item = Result<Graded>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let graded = match self.rows.next()? {
            Ok(raw) => self.grade(raw),
            Err(error) => Err(error),
        };
        self.done = graded.is_err();
        Some(graded)
    }
}
