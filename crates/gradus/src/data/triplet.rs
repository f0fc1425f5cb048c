//! Triplets: a text, one that means the same, and one that does not.

use super::columns::looks_like_header;
use super::published::Published;
use super::{Column, Columns, DataError, DelimitedReader, Format, LabelMap};
use super::{Lines, PairFile, PairRows, Remedy};
use crate::Result;

/// A text with one like it and one unlike it, as SimCSE makes them of natural
/// language inference: a premise, a sentence that it entails, and a sentence
/// that contradicts it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Triplet {
    /// The text that the other two are compared with.
    pub anchor: String,
    /// A text that means the same, or follows from the anchor.
    pub positive: String,
    /// A text that does not, although it may share the anchor's words: a hard
    /// negative.
    pub negative: String,
}

/// The rows of a file as triplets. Ends after the first error.
pub struct TripletRows {
    rows: PairRows,
    done: bool,
}

impl PairFile {
    /// Opens the file to read triplets. Where no columns are given they are
    /// those of a published form (`sent0`, `sent1`, `hard_neg`, or `anchor` or
    /// `sentence`, `positive`, `negative` or `negative_1`), and of a file without names the first three.
    ///
    /// # Errors
    /// As [`PairFile::rows`]; [`DataError::UnclearColumns`] if it is not plain
    /// which column is the negative.
    pub fn triplets(&self) -> Result<TripletRows> {
        let rows = if self.is_nameless()? {
            let columns = Columns {
                first: Some(Column::Index(0)),
                second: Some(Column::Index(1)),
                negative: Some(Column::Index(2)),
                ..self.columns.clone()
            };
            let header = Some(false);
            let file = Self {
                columns,
                header,
                ..self.clone()
            };
            file.rows(&LabelMap::default())?
        } else {
            self.rows(&LabelMap::default())?
        };
        if !rows.has_triplets() {
            let unclear = DataError::UnclearColumns {
                path: self.path.clone(),
                role: "negative",
                reason: "no column has a usual name for it".into(),
                remedies: vec![Remedy::Triplet],
            };
            return Err(unclear.into());
        }
        Ok(TripletRows { rows, done: false })
    }

    /// Whether nothing names the columns: neither the caller nor a first row.
    fn is_nameless(&self) -> Result<bool> {
        if !self.columns.are_usual() {
            return Ok(false);
        }
        match (self.format, self.header) {
            (Format::Jsonl | Format::Parquet, _) | (_, Some(true)) | (Format::Csv, None) => {
                Ok(false)
            }
            (_, Some(false)) => Ok(true),
            (Format::Tsv, None) => {
                let mut rows = DelimitedReader::new(Lines::open(&self.path)?, self.resolved()?);
                let Some(row) = rows.next().transpose()? else {
                    return Ok(false);
                };
                let names: Vec<&str> = row.cells.iter().map(String::as_str).collect();
                Ok(Published::recognise(&names).is_none() && !looks_like_header(&names))
            }
        }
    }
}

impl Iterator for TripletRows {
    type Item = Result<Triplet>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.rows.next_row();
        self.done = !matches!(row, Some(Ok(_)));
        let row = match row? {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        Some(Ok(Triplet {
            anchor: row.pair.first,
            positive: row.pair.second,
            // Rows of triplets have one: the columns were found by it.
            negative: row.negative.unwrap_or_default(),
        }))
    }
}
