use crate::Error;
use std::path::PathBuf;

/// Why a job cannot be done. Errors of the library's other parts come as they
/// are; some of them say whether input or model is at fault, for front ends that
/// answer the two differently.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// What the job reads cannot be used.
    #[error(transparent)]
    Input(Box<Error>),
    /// A model of the job cannot be used.
    #[error(transparent)]
    Model(Box<Error>),
    /// The model gave a vector that is no use.
    #[error(
        "{model}: the vector of {text:?} is not finite; the weights may come from a run that diverged"
    )]
    NotFinite {
        /// The model's name.
        model: String,
        /// The text, shortened.
        text: String,
    },
    /// The model gave a pair a score that is no use.
    #[error(
        "{model}: the score of {first:?} and {second:?} is not finite; the weights may come from a run that diverged"
    )]
    NotFiniteScore {
        /// The model's name.
        model: String,
        /// The first text, shortened.
        first: String,
        /// The second text, shortened.
        second: String,
    },
    /// A text without anything to measure on.
    #[error("{}: holds no sentences; one is expected a line", .0.display())]
    NoSentences(PathBuf),
    /// A file without any query or document.
    #[error("{}: holds no {what}; one is expected a line, or a row", path.display())]
    NoTexts {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A prompt's file that cannot be used.
    #[error("{}: no prompt: {reason}", path.display())]
    Prompt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that stands where a journal is to be, and is none.
    #[error("{}: is no journal of this command; move it away, or choose another --output", .0.display())]
    NoJournal(PathBuf),
    /// Settings that make no sense together, in words.
    #[error("{0}")]
    Settings(String),
    /// A model of the shared cache, which is not to be changed.
    #[error("{0} is no folder here; add --output DIR to write a calibrated copy")]
    NoFolder(String),
    /// A folder to be made that is there.
    #[error("{}: exists already; choose another folder with --output", .0.display())]
    Exists(PathBuf),
    /// Grades of a regression head, of a model without one.
    #[error("{0} has no regression head; leave --score out")]
    NoHead(String),
    /// Cosines of a cross-encoder, which makes no vectors, or scores of a model that
    /// is none.
    #[error("{model} gives pairs a {given}, not a {wanted}; leave --score out")]
    NoSuchScore {
        /// The model's name.
        model: String,
        /// What it gives.
        given: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Vectors of a cross-encoder.
    #[error(
        "{0} is a cross-encoder: it scores pairs and makes no vectors that can be compared; use `gradus score` or `gradus rerank`"
    )]
    NoVectors(String),
    /// A prompt for a cross-encoder.
    #[error("{0} is a cross-encoder, which takes no prompt; leave --prompt and --prompt-text out")]
    NoPrompt(String),
    /// Two sets of pairs of one name, by which reports tell them apart.
    #[error("--pairs {0} is given twice")]
    SamePairs(String),
    /// A run that was begun in another precision.
    #[error("{0} goes on in the precision it began in; leave --precision out")]
    OtherPrecision(&'static str),
    /// Training in bytes.
    #[error(
        "int8 is for inference: train in bf16 or f32 (--precision auto), then use the model with --precision int8 or make a smaller one by `gradus quantize`"
    )]
    Int8Training,
    /// A model that is in bytes already.
    #[error("{0} is in int8 already; give the model that it was made of")]
    IsQuantized(String),
    /// A vocabulary that cannot be learned.
    #[error("--vocab: {0}")]
    Vocabulary(String),
    /// Vectors cut to more values than they have.
    #[error(
        "--dim {wanted} is more than the {width} values of the model's vectors; give that or less"
    )]
    Width {
        /// The values wanted.
        wanted: usize,
        /// The values there are.
        width: usize,
    },
}

impl JobError {
    /// For `map_err`: what is read is at fault.
    pub(crate) fn input(error: Error) -> Error {
        Self::Input(Box::new(error)).into()
    }

    /// For `map_err`: a model is at fault.
    pub(crate) fn model(error: Error) -> Error {
        Self::Model(Box::new(error)).into()
    }
}
