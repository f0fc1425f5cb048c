use std::path::PathBuf;

/// A recipe or run that cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A recipe that is not valid.
    #[error("{}: {message}", path.display())]
    Recipe {
        /// The recipe file.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// An override that cannot be applied.
    #[error("--set {assignment}: {message}")]
    Override {
        /// What was given.
        assignment: String,
        /// What is wrong.
        message: String,
    },
    /// A stage that a device has not the memory for.
    #[error("{device}: {shortage}, or train with --device cpu")]
    DeviceMemory {
        /// The device.
        device: String,
        /// What is short, and what to do.
        shortage: String,
    },
    /// A sweep over settings or seeds that make no sense.
    #[error("{option}: {message}")]
    Grid {
        /// The option as given.
        option: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A stage's setting out of its bounds.
    #[error("stage `{stage}`: {message}")]
    Stage {
        /// The stage's name.
        stage: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A stage's objective refused its settings.
    #[error("stage `{stage}`: objective: {source}")]
    Objective {
        /// The stage's name.
        stage: String,
        /// Why.
        source: crate::losses::ObjectiveError,
    },
    /// A dev set that no model can be chosen by.
    #[error(
        "dev set {dev}: {problem}, so that no model can be chosen by it; name pairs with different grades, or leave the dev set out to take the last model"
    )]
    Dev {
        /// What it is called in logs.
        dev: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Lists that choose no cross-encoder.
    #[error(
        "dev set {dev}: in none of its {lists} lists is one document more relevant than another (by labels, of which those below 0 count as 0), so that no model can be chosen by it; name lists of which some have both, or leave the dev set out to take the last model"
    )]
    DevLists {
        /// What it is called in logs.
        dev: String,
        /// How many lists it has.
        lists: usize,
    },
    /// Lists where the dev set is of pairs.
    #[error(
        "dev set {dev}: lists choose cross-encoders only; remove `rows = \"lists\"` and name graded pairs"
    )]
    DevOfLists {
        /// What it is called in logs.
        dev: String,
    },
    /// Something in the run folder that cannot be read.
    #[error("{}: {message}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A loss or gradient that is no number.
    #[error(
        "stage `{stage}`, step {step}: {what} is not finite; the weights were not touched by this step. {advice}"
    )]
    NotFinite {
        /// The stage's name.
        stage: String,
        /// The optimizer step, from 1.
        step: u64,
        /// The loss, or the first tensor with such a gradient.
        what: String,
        /// What to do, with the last good checkpoint.
        advice: String,
    },
}
