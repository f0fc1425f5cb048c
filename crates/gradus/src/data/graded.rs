//! From rows of text to graded pairs.

use super::labels::finite;
use super::{DataError, GradedPair, LabelMap, PairFile, PairRows, RawPair};
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
pub struct GradedRows<'a> {
    rows: PairRows,
    label_name: String,
    labels: &'a LabelMap,
    done: bool,
}

impl PairFile {
    /// Opens the file to read graded pairs.
    ///
    /// # Errors
    /// As [`PairFile::rows`]; [`DataError::UnclearColumns`] if there is no
    /// label.
    pub fn graded<'a>(&self, labels: &'a LabelMap) -> Result<GradedRows<'a>> {
        let rows = self.rows(labels)?;
        let label_name = rows
            .label_name()
            .ok_or_else(|| DataError::UnclearColumns {
                path: self.path.clone(),
                role: "label",
                reason: "no column has a usual name for it".into(),
                remedy: "`label` to its column (with `first` and `second`)".into(),
            })?
            .to_string();
        Ok(GradedRows {
            rows,
            label_name,
            labels,
            done: false,
        })
    }
}

impl GradedRows<'_> {
    fn grade(&self, raw: RawPair) -> Result<Graded> {
        let at = self.rows.place(raw.line);
        let text = raw.label.unwrap_or_default();
        let Some(label) = self.labels.apply(&text, &at, &self.label_name)? else {
            return Ok(Graded::Skipped(text.trim().to_string()));
        };
        let positive = |text: String, column: &str| {
            // Checked as f32, in which it is kept: 1e300 is not finite there.
            let value = finite(text.trim()).map(|v| v as f32);
            value
                .filter(|v| v.is_finite() && *v >= 0.0)
                .ok_or_else(|| DataError::BadNumber {
                    at: at.clone(),
                    column: column.to_string(),
                    text,
                    expected: "a finite number, at least 0",
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

impl Iterator for GradedRows<'_> {
    type Item = Result<Graded>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let graded = self.rows.next()?.and_then(|raw| self.grade(raw));
        self.done = graded.is_err();
        Some(graded)
    }
}
