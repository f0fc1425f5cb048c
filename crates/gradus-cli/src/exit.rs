//! From failures to messages and exit codes: the one place.

use crate::remedies::FrontEnd;
use crate::stop;
use gradus::chat::ChatError;
use gradus::data::DataError;
use gradus::hub::HubError;
use gradus::jobs::JobError;
use gradus::output::OutputError;
use gradus::training::TrainError;
use gradus::{DeviceError, Error};
use gradus_index::IndexError;
use gradus_server::ServeError;
use std::error::Error as _;
use std::io::{self, Write};
use std::process::ExitCode;

/// Why a command ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line asks for something that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// What was to be read cannot be used.
    #[error(transparent)]
    Input(Error),
    /// The model cannot be used.
    #[error(transparent)]
    Model(Error),
    /// The machine does not have the device, or it has not the instructions.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A result could not be written.
    #[error("{to}: {source}")]
    Output {
        /// Where it should have gone.
        to: String,
        /// What the system said.
        source: io::Error,
    },
    /// An index cannot be made, read or searched.
    #[error(transparent)]
    Index(IndexError),
    /// Anything else that the library says.
    #[error(transparent)]
    Library(Error),
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Model { source, .. } => (*source).into(),
            error => Self::Usage(error.to_string()),
        }
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Library(error) => error.into(),
            error => Self::Index(error),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Job(JobError::Input(error)) => Self::Input(*error),
            Error::Job(JobError::Model(error)) => Self::Model(*error),
            Error::NoDevice(error) => Self::Device(error),
            error => Self::Library(error),
        }
    }
}

const OTHER: u8 = 1;
const USAGE: u8 = 2;
const BAD_DATA: u8 = 3;
const BAD_MODEL: u8 = 4;
const NOT_FETCHED: u8 = 5;

/// All exit codes.
#[cfg(test)]
pub const CODES: [u8; 6] = [0, OTHER, USAGE, BAD_DATA, BAD_MODEL, NOT_FETCHED];

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) | Failure::Device(_) => USAGE,
            Failure::Input(_) => BAD_DATA,
            Failure::Model(Error::Io { .. }) => BAD_MODEL,
            Failure::Output { .. } => OTHER,
            Failure::Index(e) => index_code(e),
            Failure::Model(e) | Failure::Library(e) => match e {
                Error::Data(_) | Error::Calibration(_) => BAD_DATA,
                Error::Model(_) => BAD_MODEL,
                Error::Hub(e) => hub_code(e),
                Error::Chat(ChatError::BadAddress { .. }) => USAGE,
                Error::Chat(_) => NOT_FETCHED,
                Error::Train(e) => train_code(e),
                Error::Output(OutputError::Busy(_) | OutputError::Changed { .. }) => OTHER,
                Error::Job(e) => job_code(e),
                Error::Output(_) => USAGE,
                _ => OTHER,
            },
        }
    }

    /// What is wrong with data, if that is why.
    fn data(&self) -> Option<&DataError> {
        match self {
            Failure::Input(Error::Data(e)) | Failure::Library(Error::Data(e)) => Some(e),
            _ => None,
        }
    }

    /// What was under way where the command was told to stop.
    fn stopped(&self) -> Option<&str> {
        match self {
            Failure::Library(Error::Stopped(when)) => Some(when),
            _ => None,
        }
    }

    /// Whether the reader of our output has gone, as `head` does: no failure.
    fn is_reader_gone(&self) -> bool {
        matches!(self, Failure::Output { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn job_code(e: &JobError) -> u8 {
    match e {
        JobError::NoSentences(_) | JobError::NoTexts { .. } | JobError::Prompt { .. } => BAD_DATA,
        JobError::NotFinite { .. } | JobError::NotFiniteScore { .. } | JobError::NoVectors(_) => {
            BAD_MODEL
        }
        JobError::Settings(_)
        | JobError::NoJournal(_)
        | JobError::NoFolder(_)
        | JobError::Exists(_)
        | JobError::NoHead(_)
        | JobError::NoSuchScore { .. }
        | JobError::NoPrompt(_)
        | JobError::SamePairs(_)
        | JobError::OtherPrecision(_)
        | JobError::Int8Training
        | JobError::IsQuantized(_)
        | JobError::Vocabulary(_)
        | JobError::Width { .. } => USAGE,
        _ => OTHER,
    }
}

fn index_code(e: &IndexError) -> u8 {
    match e {
        IndexError::Io { .. } | IndexError::Locked(_) => OTHER,
        IndexError::Damaged { .. } | IndexError::DuplicateId { .. } => BAD_DATA,
        IndexError::OtherModel { .. } | IndexError::NotFinite(_) => BAD_MODEL,
        _ => USAGE,
    }
}

fn hub_code(e: &HubError) -> u8 {
    match e {
        HubError::BadRepoId { .. } | HubError::BadRevision { .. } => USAGE,
        HubError::NoSuchFolder { .. }
        | HubError::NotAModel { .. }
        | HubError::NoSafetensors { .. } => BAD_MODEL,
        _ => NOT_FETCHED,
    }
}

fn train_code(e: &TrainError) -> u8 {
    match e {
        TrainError::Recipe { .. }
        | TrainError::Override { .. }
        | TrainError::Grid { .. }
        | TrainError::DeviceMemory { .. }
        | TrainError::Stage { .. }
        | TrainError::Objective { .. }
        | TrainError::Dev { .. } => USAGE,
        _ => OTHER,
    }
}

/// Tells the user of a failure, in the words of the command that was called,
/// and returns the exit code.
pub fn report(result: Result<(), Failure>, command: &[&'static str]) -> ExitCode {
    let failure = match result {
        Err(failure) if !failure.is_reader_gone() => failure,
        _ => return ExitCode::SUCCESS,
    };
    if let Some(when) = failure.stopped() {
        let _ = writeln!(io::stderr(), "{}", stop::farewell(when));
        return ExitCode::from(stop::code());
    }
    let mut message = format!("error: {failure}\n");
    let mut cause = failure.source();
    while let Some(e) = cause {
        // Many messages of the library end with their cause already.
        let text = e.to_string();
        if !message.contains(&text) {
            message += &format!("  because: {text}\n");
        }
        cause = e.source();
    }
    if let Some(data) = failure.data() {
        let front = FrontEnd::of(command);
        message = data.reworded(&message, &|remedy| front.say(remedy));
    }
    // Where even this cannot be written there is nobody left to tell.
    let _ = io::stderr().write_all(message.as_bytes());
    ExitCode::from(failure.code())
}
