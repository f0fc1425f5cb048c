//! What is done to an index that is there.

use crate::store::{Index, Manifest, Writer};
use crate::{IndexError, Result};
use gradus::util::{Observer, check_cancelled};
use std::path::{Path, PathBuf};

/// What was found in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Files whose size and checksum are as they were written.
    pub files: usize,
    /// Texts that are there.
    pub texts: usize,
}

/// What was put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// Indexes.
    pub indexes: usize,
    /// Texts.
    pub texts: usize,
}

/// Removes the texts with these ids, all or none; returns how many that are.
///
/// # Errors
/// [`IndexError::NoId`], [`IndexError::Locked`].
pub fn remove(index: &Path, ids: &[String]) -> Result<usize> {
    Writer::open(index)?.remove(ids)
}

/// Reads all of an index and compares it with what was written.
///
/// # Errors
/// [`IndexError::Damaged`] with the first file that is another.
pub fn verify(index: &Path, observer: &mut dyn Observer) -> Result<Verified> {
    const WHAT: &str = "reading files";
    let manifest = Manifest::read(index)?;
    let files = manifest.files(index);
    for (done, (path, written)) in files.iter().enumerate() {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, done as u64, files.len() as u64);
        written.check(path)?;
    }
    let opened = Index::open(index)?;
    for record in opened.records() {
        record?;
    }
    Ok(Verified {
        files: files.len(),
        texts: opened.rows().count(),
    })
}

/// Puts indexes of one model together in a new one, without what was removed.
///
/// # Errors
/// [`IndexError::OtherModel`], [`IndexError::DuplicateId`], [`IndexError::Exists`] where
/// one was not built to its end.
pub fn merge(
    indexes: &[PathBuf],
    output: &Path,
    commit: usize,
    observer: &mut dyn Observer,
) -> Result<Merged> {
    const WHAT: &str = "merging texts";
    let opened: Result<Vec<Index>> = indexes.iter().map(Index::open).collect();
    let opened = opened?;
    let Some(first) = opened.first() else {
        return Err(IndexError::Settings("there is no index to merge".into()));
    };
    for index in &opened {
        let manifest = index.manifest();
        crate::store::check_model(index.folder(), &first.manifest().model, &manifest.model)?;
        if let Some(made) = &manifest.unfinished {
            let what = format!(
                "its build from {} has not ended; begin it again first",
                made.from
            );
            return Err(IndexError::Exists {
                path: index.folder().to_path_buf(),
                what,
            });
        }
    }
    if output.join("index.json").exists() {
        return Err(IndexError::Exists {
            path: output.to_path_buf(),
            what: "there is an index already; choose another folder".into(),
        });
    }
    let mut writer = Writer::create(output, first.manifest().model.clone())?;
    let total = opened
        .iter()
        .map(|index| index.rows().count())
        .sum::<usize>();
    let (mut records, mut vectors, mut texts) = (vec![], vec![], 0);
    for index in &opened {
        for record in index.records() {
            let (row, record) = record?;
            if !index.rows().has(row) {
                continue;
            }
            vectors.extend(index.vector(row)?);
            records.push(record);
            if records.len() >= commit {
                check_cancelled(observer, WHAT)?;
                writer.add(&records, &vectors, None)?;
                texts += records.len();
                observer.progress(WHAT, texts as u64, total as u64);
                (records, vectors) = (vec![], vec![]);
            }
        }
    }
    writer.add(&records, &vectors, None)?;
    Ok(Merged {
        indexes: opened.len(),
        texts: texts + records.len(),
    })
}
