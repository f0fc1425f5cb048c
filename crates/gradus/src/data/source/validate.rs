//! What a source may say.

use super::Source;
use crate::Result;
use crate::data::{Columns, Known, RowKind};

/// The most hard negatives of a row: each is a text of every step.
const MOST_NEGATIVES: usize = 100;

impl Source {
    /// Checks the description itself, without touching a file.
    ///
    /// # Errors
    /// [`DataError::BadSource`](crate::data::DataError::BadSource), [`DataError::UnknownDataset`](crate::data::DataError::UnknownDataset),
    /// [`DataError::NoSuchSplit`](crate::data::DataError::NoSuchSplit).
    pub fn validate(&self) -> Result<()> {
        match (&self.path, &self.dataset) {
            (Some(_), Some(_)) => return self.bad("`path` and `dataset` are both set", "keep one"),
            (None, None) => {
                let remedy = "set `path` to a file or `dataset` to a known name";
                return self.bad("there is no `path` and no `dataset`", remedy);
            }
            (None, Some(name)) => {
                let known = Known::parse(name)?;
                known.split(self.split)?;
                if !known.has_pairs() && self.rows != Some(RowKind::Texts) {
                    let problem = "it holds texts, no pairs and no grades";
                    return self.bad(
                        problem,
                        "set `rows = \"texts\"`, for an objective without grades",
                    );
                }
                if self.format.is_some()
                    || self.header.is_some()
                    || self.quoting.is_some()
                    || self.delimiter.is_some()
                    || self.decimal.is_some()
                    || self.text.is_some()
                    || self.columns() != Columns::default()
                {
                    let problem = "a known data set has its own format and columns";
                    let remedy = "remove format, header, quoting, delimiter, decimal and the columns, or give its file as `path`";
                    return self.bad(problem, remedy);
                }
            }
            (Some(_), None) => self.validate_file()?,
        }
        self.validate_negatives()?;
        if self.max_pairs == Some(0) {
            return self.bad("`max_pairs` is 0", "set at least 1, or remove it");
        }
        if let Some((problem, remedy)) = self.labels.problem() {
            return self.bad_with(problem, vec![remedy.into()]);
        }
        Ok(())
    }

    fn validate_negatives(&self) -> Result<()> {
        let Some(negatives) = self.negatives else {
            return Ok(());
        };
        if self.rows != Some(RowKind::Triplets) {
            let remedy = "set `rows = \"triplets\"`, or remove it";
            return self.bad("`negatives` is set for rows that are not triplets", remedy);
        }
        if self.dataset.is_some() && negatives > 1 {
            let remedy = "remove it, or give a file of your own as `path`";
            return self.bad("a known data set has one negative a row", remedy);
        }
        if !(1..=MOST_NEGATIVES).contains(&negatives) {
            let problem = format!("`negatives` is {negatives}");
            return self.bad(problem, "set 1 to 100");
        }
        Ok(())
    }

    fn validate_file(&self) -> Result<()> {
        let format = self.format()?;
        let tabular = self.header.is_some() || self.quoting.is_some() || self.delimiter.is_some();
        if !format.has_cells() && tabular {
            let problem = "header, quoting and delimiter mean nothing for jsonl and parquet";
            return self.bad(problem, "remove them");
        }
        if let Some(c @ ('"' | '\n' | '\r')) = self.delimiter {
            return self.bad(format!("{c:?} cannot be the delimiter"), "choose another");
        }
        if self.text.is_some() && self.rows != Some(RowKind::Texts) {
            let remedy = "set `rows = \"texts\"`, or name `first` and `second`";
            return self.bad("`text` is set for rows that are not texts", remedy);
        }
        if self.text.is_some() && self.first.is_some() {
            return self.bad("`text` and `first` are both set", "keep one");
        }
        if self.first.is_some() != self.second.is_some() {
            return self.bad("only one of `first` and `second` is set", "set both");
        }
        if self.first.is_some() && self.first == self.second {
            let problem = "`first` and `second` are the same column";
            return self.bad(problem, "name the two columns of the pair");
        }
        if self.negative.is_some() && self.first.is_none() {
            let remedy = "set `first` and `second` too: the anchor and the positive";
            return self.bad("`negative` is set alone", remedy);
        }
        if self.negative.is_some() && self.label.is_some() && self.rows != Some(RowKind::Lists) {
            let problem = "a triplet's pairs are entailment and contradiction; they have no label";
            return self.bad(problem, "remove `label`, or `negative`");
        }
        Ok(())
    }

    /// Refuses texts alone where pairs are read.
    pub(in crate::data) fn needs_pairs(&self) -> Result<()> {
        match &self.dataset {
            Some(name) if !Known::parse(name)?.has_pairs() => {
                let problem = "it holds texts, and pairs are needed here";
                self.bad_with(problem, vec!["name a data set or a file of pairs".into()])
            }
            _ => Ok(()),
        }
    }
}
