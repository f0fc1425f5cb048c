use crate::filter::FilterError;
use std::path::{Path, PathBuf};

/// Why an index cannot be made, read or searched.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder is no index.
    #[error(
        "{}: no index.json, so that this is no index; `gradus index build` makes one",
        .0.display()
    )]
    NoIndex(PathBuf),
    /// A file of the index is not as it was written.
    #[error("{}: {what}; build the index again, or take a copy", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The index was written by a later version.
    #[error(
        "{}: format {found} of indexes is of a later version; this one reads {known}",
        path.display()
    )]
    Format {
        /// Its manifest.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// Somebody else writes to it.
    #[error("{}: another process writes to this index; wait for its end", .0.display())]
    Locked(PathBuf),
    /// The folder holds other things.
    #[error("{}: the folder holds other things; choose a new one", .0.display())]
    Foreign(PathBuf),
    /// There is an index, of something else.
    #[error("{}: {what}", path.display())]
    Exists {
        /// The index.
        path: PathBuf,
        /// What is in the way, and what to do.
        what: String,
    },
    /// The model's vectors are not the index's.
    #[error(
        "the index holds vectors of {own} ({own_hash:.12}), and {other} ({other_hash:.12}) is another model; search with the first, or build an index with the second"
    )]
    OtherModel {
        /// What made the index.
        own: String,
        /// Its hash.
        own_hash: String,
        /// What was to be used.
        other: String,
        /// Its hash.
        other_hash: String,
    },
    /// Two texts have one id.
    #[error("the id {id:?} is there twice; {remedy}")]
    DuplicateId {
        /// Which.
        id: String,
        /// What to do.
        remedy: &'static str,
    },
    /// An id is not there.
    #[error("there is no text with the id {0:?}; nothing was removed")]
    NoId(String),
    /// The model gives a vector that is of no use.
    #[error("the model gives no finite vector for {0:?}")]
    NotFinite(String),
    /// A filter cannot be understood.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Settings contradict each other or the index.
    #[error("{0}")]
    Settings(String),
    /// What the library says.
    #[error(transparent)]
    Library(#[from] gradus::Error),
}

impl IndexError {
    /// For `map_err`, with the path concerned.
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn damaged(path: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.as_ref().to_path_buf(),
            what: what.into(),
        }
    }
}
