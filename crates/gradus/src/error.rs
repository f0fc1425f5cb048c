//! The one error type of the crate.

use std::path::{Path, PathBuf};

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. Each message says where, what, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Text data that cannot be used.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// A model folder that cannot be used.
    #[error(transparent)]
    Model(#[from] crate::format::ModelError),
    /// Fetching a model or data set failed.
    #[error(transparent)]
    Hub(#[from] crate::hub::HubError),
    /// A chat endpoint gives no answers.
    #[error(transparent)]
    Chat(#[from] crate::chat::ChatError),
    /// A recipe or run that cannot go on.
    #[error(transparent)]
    Train(#[from] crate::training::TrainError),
    /// Graded pairs that no calibration can be fitted on.
    #[error(transparent)]
    Calibration(#[from] crate::calibration::CalibrationError),
    /// A place that nothing is written to.
    #[error(transparent)]
    Output(#[from] crate::output::OutputError),
    /// A job that cannot be done.
    #[error(transparent)]
    Job(#[from] crate::jobs::JobError),
    /// The device that a model runs on failed.
    #[error(
        "the device failed: {0}; try again, with smaller batches if it is out of memory, or on the processor"
    )]
    Device(#[from] gradus_kernels::BackendFailure),
    /// A device that cannot be had.
    #[error(transparent)]
    NoDevice(#[from] crate::DeviceError),
    /// The observer wished for an end ([`Observer::cancelled`](crate::util::Observer)).
    #[error("stopped {0}")]
    Stopped(String),
    /// A bug in this library.
    #[error("internal error, please report it: {0}")]
    Internal(String),
}

impl Error {
    /// For `map_err`: ties an I/O error to its path.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, source }
    }
}
