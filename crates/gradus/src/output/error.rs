use super::place::quoted;
use super::{RunKind, free_name};
use std::path::{Path, PathBuf};

/// How an output stands to an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It is the same file or folder.
    Is,
    /// The input lies in it.
    Holds,
    /// It lies in the input.
    LiesIn,
}

impl Relation {
    fn words(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::Holds => "holds",
            Self::LiesIn => "lies in",
        }
    }
}

/// A place that nothing is written to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// A folder that holds a run of the same command.
    #[error(
        "{}: holds {what} already. To go on with it: `gradus {command} --resume {}`; to begin it anew: add `--overwrite`; to let it be: add `--output {}`",
        path.display(), quoted(path), quoted(&free_name(path)),
    )]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What is there: a run, or one of other settings.
        what: &'static str,
        /// The command that goes on with it.
        command: &'static str,
    },
    /// A run folder without a run.
    #[error("{}: no run here: there is no {file}", root.display())]
    NoRun {
        /// The folder.
        root: PathBuf,
        /// The file that every run of the kind has.
        file: &'static str,
    },
    /// Another process works on the run.
    #[error("{}: another process is working on this run; wait for it or stop it", .0.display())]
    Busy(PathBuf),
    /// An input of a run that is another than when it began.
    #[error("{}: {what} changed since this run began; restore it, or start a new run", path.display())]
    Changed {
        /// The run's folder.
        path: PathBuf,
        /// The input.
        what: String,
    },
    /// A folder that belongs to a run of another command.
    #[error(
        "{}: belongs to another run, one of {}; add `--output {}`, or choose another folder",
        path.display(), found.maker(), quoted(&free_name(path)),
    )]
    OtherRun {
        /// The folder with that run's marker.
        path: PathBuf,
        /// What made it.
        found: RunKind,
    },
    /// A folder whose run belongs to another command, where one was to go on.
    #[error(
        "{}: is no run of this command; {} goes on with it",
        path.display(), found.resumed_by(path),
    )]
    WrongCommand {
        /// The folder.
        path: PathBuf,
        /// What made it.
        found: RunKind,
    },
    /// A folder with files of somebody else.
    #[error(
        "{}: is not empty, and no run of Gradus made it ({entries}); add `--output {}`, or choose another folder that is empty or does not exist yet",
        path.display(), quoted(&free_name(path)),
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Some of its files.
        entries: String,
    },
    /// Something else stands where a folder is to be.
    #[error(
        "{}: is a file, and a folder is to be made; add `--output {}`, or choose another folder",
        path.display(), quoted(&free_name(path)),
    )]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// A place that a command reads from.
    #[error(
        "{}: {} {what}{}, which this command reads; {}",
        output.display(), relation.words(), named(output, input, *relation), elsewhere(output, input, *relation, option),
    )]
    Input {
        /// Where the output was to go.
        output: PathBuf,
        /// The option that says so.
        option: &'static str,
        /// What the input is to the command.
        what: String,
        /// The input.
        input: PathBuf,
        /// How they stand to each other.
        relation: Relation,
    },
    /// A file that would be replaced.
    #[error("{}: exists already; add `--overwrite` to replace it, or choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A folder that a run is about to replace and did not write.
    #[error("{}: was not written by this run, which would replace it; move it away and go on", path.display())]
    NotOwn {
        /// The folder.
        path: PathBuf,
    },
    /// A marker that is damaged or of a later version.
    #[error("{}: {message}; choose another folder", path.display())]
    Marker {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// The input's path, where it is not that of the output.
fn named(output: &Path, input: &Path, relation: Relation) -> String {
    match relation == Relation::Is && output == input {
        true => String::new(),
        false => format!(" {}", input.display()),
    }
}

fn elsewhere(output: &Path, input: &Path, relation: Relation, option: &str) -> String {
    let free = match relation {
        Relation::LiesIn => free_name(input),
        _ => free_name(output),
    };
    format!("add `{option} {}`, or choose another place", quoted(&free))
}
