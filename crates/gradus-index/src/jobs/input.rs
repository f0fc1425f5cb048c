//! Texts that are compared with each other: those of an index, or of a file, which
//! becomes one.

use super::{BuildSettings, COMMIT, build};
use crate::store::{Index, Manifest};
use crate::{IndexError, Result};
use gradus::data::TextFile;
use gradus::format::PromptChoice;
use gradus::jobs::{Environment, Model};
use gradus::util::Observer;
use std::path::{Path, PathBuf};

/// Where texts and their vectors come from.
#[derive(Debug, Clone)]
pub enum Input {
    /// An index.
    Index(PathBuf),
    /// A file of texts.
    File {
        /// Which, and how it is read.
        texts: Box<TextFile>,
        /// What makes the vectors.
        model: Model,
        /// The prompt before every text; by default the model's for documents.
        prompt: Option<PromptChoice>,
        /// The index in which texts and vectors are kept: encoded once, they are taken
        /// from there the next time.
        kept: PathBuf,
    },
}

impl Input {
    /// Finds out early, before anything is written, whether an index is there.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Index(folder) => Manifest::read(folder).map(drop),
            Self::File { .. } => Ok(()),
        }
    }

    /// Opens the index, or makes one of the file first.
    ///
    /// # Errors
    /// Those of [`build`] and [`Index::open`]; [`IndexError::Settings`] where the index
    /// that is kept is of other texts, or there are no texts.
    pub fn open(&self, environment: &Environment, observer: &mut dyn Observer) -> Result<Index> {
        let index = self.opened(environment, observer)?;
        match index.rows().count() {
            0 => {
                let from = match self {
                    Self::Index(folder) => folder,
                    Self::File { texts, .. } => &texts.path,
                };
                let none = format!("{}: there are no texts", from.display());
                Err(IndexError::Settings(none))
            }
            _ => Ok(index),
        }
    }

    fn opened(&self, environment: &Environment, observer: &mut dyn Observer) -> Result<Index> {
        let Self::File {
            texts,
            model,
            prompt,
            kept,
        } = self
        else {
            return Index::open(self.folder());
        };
        let settings = BuildSettings {
            texts: TextFile::clone(texts),
            prompt: prompt.clone(),
            shard: None,
            commit: COMMIT,
        };
        let added = build(model, &settings, kept, environment, observer);
        let added = added.map_err(|error| match error {
            IndexError::Exists { .. } | IndexError::OtherModel { .. } => {
                IndexError::Settings(format!(
                    "{} holds vectors of other texts or of another model: the file is another, or was changed, or is read otherwise; remove that folder, or choose another",
                    kept.display()
                ))
            }
            error => error,
        })?;
        if added.truncated > 0 {
            observer.note(&format!(
                "note: {} texts were cut to the model's length",
                added.truncated
            ));
        }
        Index::open(kept)
    }

    /// Where the index is, or will be.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Index(folder) => folder,
            Self::File { kept, .. } => kept,
        }
    }
}
