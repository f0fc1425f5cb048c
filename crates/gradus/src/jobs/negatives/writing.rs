//! From candidates to rows of a file, past the teacher.

use super::summary::Rows;
use crate::Result;
use crate::data::negatives::filters::{Filters, LeftOut, Part};
use crate::data::negatives::{NegativeRow, RowForm, RowWriter};
use crate::jobs::observed::finite_vectors;
use crate::jobs::{Environment, Model};
use crate::models::SentenceEncoder;
use crate::util::atomic::write_file;
use crate::util::{Observer, check_cancelled};
use std::fs;
use std::path::Path;

const WHAT: &str = "writing rows";

/// Rows between two looks at the observer.
const CHUNK: usize = 256;

/// A sentence encoder that judges.
pub(super) struct Teacher {
    name: String,
    encoder: SentenceEncoder,
}

impl Teacher {
    /// Loads it.
    ///
    /// # Errors
    /// As [`SentenceEncoder::load`].
    pub fn load(
        model: &Model,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        Ok(Self {
            name: model.name.clone(),
            encoder: environment.load(&model.folder, None, observer)?,
        })
    }

    /// Adds its cosines to rows, and takes out what it finds too far or too near. A row
    /// without its positive is left empty.
    fn judge(
        &self,
        rows: &mut [NegativeRow],
        filters: &Filters,
        left_out: &mut LeftOut,
    ) -> Result<()> {
        let texts: Vec<&str> = rows
            .iter()
            .flat_map(|row| {
                [&row.sentence, &row.positive]
                    .into_iter()
                    .chain(&row.negatives)
            })
            .map(String::as_str)
            .collect();
        let (_, vectors) = finite_vectors(&self.name, &self.encoder, &texts)?;
        let mut at = 0;
        for row in rows {
            let count = row.negatives.len();
            let positive = vectors.cosine(at, at + 1);
            let cosines: Vec<f64> = (0..count).map(|i| vectors.cosine(at, at + 2 + i)).collect();
            at += 2 + count;
            if let Some(reason) = filters.by_cosine(Part::Positive, positive) {
                left_out.add(Part::Positive, reason);
                row.positive.clear();
            }
            let mut kept = (Vec::new(), Vec::new(), Vec::new());
            let (negatives, rules) = (std::mem::take(&mut row.negatives), &row.rules);
            for (i, (negative, cosine)) in negatives.into_iter().zip(cosines).enumerate() {
                match filters.by_cosine(Part::Negative, cosine) {
                    Some(reason) => left_out.add(Part::Negative, reason),
                    None => {
                        kept.0.push(negative);
                        kept.1.push(cosine);
                        kept.2.extend(rules.get(i).cloned());
                    }
                }
            }
            row.negatives = kept.0;
            row.cosines = Some((positive, kept.1));
            row.rules = kept.2;
        }
        Ok(())
    }
}

/// Writes what is left of the candidates, in their order: rows with a positive and at
/// least one negative.
///
/// # Errors
/// Those of writing; where the teacher fails; [`Error::Stopped`](crate::Error::Stopped).
pub(super) fn write(
    output: &Path,
    form: RowForm,
    candidates: impl Iterator<Item = NegativeRow>,
    (teacher, filters): (Option<&Teacher>, &Filters),
    left_out: &mut LeftOut,
    observer: &mut dyn Observer,
) -> Result<Rows> {
    let mut found = Rows::default();
    // A link stays one: what it points to is replaced.
    let target = fs::canonicalize(output).unwrap_or_else(|_| output.to_path_buf());
    let mut candidates = candidates.peekable();
    write_file(&target, |out| {
        let mut writer = RowWriter::new(form, output, out)?;
        let mut done = 0;
        while candidates.peek().is_some() {
            check_cancelled(observer, WHAT)?;
            let mut rows: Vec<NegativeRow> = candidates.by_ref().take(CHUNK).collect();
            done += rows.len() as u64;
            if let Some(teacher) = teacher {
                teacher.judge(&mut rows, filters, left_out)?;
                observer.progress("judging by the teacher", done, 0);
            }
            for row in rows {
                found.without_positive += u64::from(row.positive.is_empty());
                found.without_negative += u64::from(row.negatives.is_empty());
                if !row.positive.is_empty() && !row.negatives.is_empty() {
                    writer.write(&row)?;
                    found.count(&row);
                }
            }
        }
        Ok(())
    })?;
    Ok(found)
}
