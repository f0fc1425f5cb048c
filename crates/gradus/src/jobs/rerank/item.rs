//! Queries and documents.

use crate::Result;
use crate::data::{DataError, TextRows};
use crate::jobs::JobError;
use crate::{Error, data};
use std::path::Path;

/// A query or a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is called: its id, or its number in the file, counted from 1.
    pub id: String,
    /// Its text.
    pub text: String,
}

/// All texts of `rows`, read from `path`; `what` they are, in the plural.
///
/// # Errors
/// Those of the rows; [`JobError::NoTexts`] where there are none.
pub fn texts(rows: Result<TextRows>, path: &Path, what: &'static str) -> Result<Vec<Item>> {
    let none = || JobError::NoTexts {
        path: path.to_owned(),
        what,
    };
    let rows = match rows {
        Err(Error::Data(DataError::Empty { .. })) => return Err(none().into()),
        rows => rows.map_err(JobError::input)?,
    };
    let item = |(number, row): (usize, Result<data::TextRow>)| {
        let row = row.map_err(JobError::input)?;
        Ok(Item {
            id: row.id.unwrap_or_else(|| number.to_string()),
            text: row.text,
        })
    };
    let items: Vec<Item> = (1..).zip(rows).map(item).collect::<Result<_>>()?;
    match items.is_empty() {
        true => Err(none().into()),
        false => Ok(items),
    }
}
