//! A part of a file's texts to vectors in a file of its own, for several machines that
//! share a folder. A part that was stopped goes on behind its last commit.

use super::{EncodeSettings, Loaded, Shard, TextReader, Vectors};
use crate::data::TextFile;
use crate::jobs::{Environment, JobError, Model};
use crate::models::content_hash;
use crate::output::npy;
use crate::util::Observer;
use crate::util::atomic::write_bytes;
use crate::util::content_hash::sha256_of_file;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Rows between commits where nobody says.
pub const COMMIT: u64 = 8192;

/// How a part is encoded.
#[derive(Debug, Clone)]
pub struct PartSettings {
    /// The texts of all parts.
    pub texts: TextFile,
    /// Which part.
    pub shard: Shard,
    /// How they are encoded.
    pub encode: EncodeSettings,
    /// Rows between commits.
    pub commit: u64,
    /// Whether a part that was made otherwise is replaced.
    pub overwrite: bool,
}

/// What a part is made of. Parts go together where all of it is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    /// The model's name.
    pub model: String,
    /// The hash of its files.
    pub model_hash: String,
    /// The file of all texts, without its folder: machines may have it elsewhere.
    pub input: String,
    /// The SHA-256 of that.
    pub input_sha256: String,
    /// How it is read.
    pub reading: String,
    /// The prompt.
    pub prompt: String,
    /// Values of a vector.
    pub width: usize,
    /// Whether vectors have length 1.
    pub normalized: bool,
    /// What the model was multiplied in.
    pub precision: String,
}

impl Made {
    /// In what another part differs, as (what, here, there).
    pub fn difference<'a>(&'a self, other: &'a Self) -> Option<(&'static str, &'a str, &'a str)> {
        let of = |made: &'a Self| {
            [
                ("model", &*made.model_hash),
                ("input", &*made.input_sha256),
                ("way of reading the input", &*made.reading),
                ("prompt", &*made.prompt),
                ("precision", &*made.precision),
            ]
        };
        let pairs = of(self).into_iter().zip(of(other));
        let texts = pairs.map(|((what, here), (_, there))| (what, here, there));
        let numbers = (self.width, self.normalized) != (other.width, other.normalized);
        texts
            .into_iter()
            .find(|(_, here, there)| here != there)
            .or(numbers.then_some(("form of vectors (--dim, --normalize)", "", "")))
    }
}

/// What is kept beside a part that is whole, or under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The version of this form.
    pub format: u32,
    /// Which part, as `3/8`.
    pub shard: String,
    /// Of what.
    pub made: Made,
    /// Its rows so far.
    pub rows: u64,
    /// Texts that were cut to the model's length.
    pub truncated: u64,
    /// Of a part that is whole: the rows of the input, and the file's SHA-256.
    pub whole: Option<Whole>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Whole {
    pub input_rows: u64,
    pub sha256: String,
}

impl Manifest {
    pub const FORMAT: u32 = 1;

    /// Reads one; `None` where there is none.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(path)(e)),
        };
        let read: std::result::Result<Self, _> = serde_json::from_slice(&text);
        match read {
            Ok(manifest) if manifest.format == Self::FORMAT => Ok(Some(manifest)),
            Ok(other) => Err(JobError::Settings(format!(
                "{}: is of form {}, and this version reads {}; use that of the version that wrote it",
                path.display(),
                other.format,
                Self::FORMAT
            ))
            .into()),
            Err(e) => Err(JobError::Settings(format!(
                "{}: is no manifest of a part ({e}); remove it, and encode the part again",
                path.display()
            ))
            .into()),
        }
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self);
        let text = text.map_err(|e| Error::Internal(format!("manifest: {e}")))?;
        write_bytes(path, &text)
    }
}

/// The files of a part.
pub(super) struct Files {
    /// The vectors, where they are whole.
    pub vectors: PathBuf,
    /// What they are.
    pub manifest: PathBuf,
    /// The vectors so far.
    under_way: PathBuf,
    /// What those are.
    journal: PathBuf,
}

impl Files {
    pub fn of(folder: &Path, shard: Shard) -> Self {
        let name = format!("part-{}-of-{}", shard.number, shard.of);
        Self {
            vectors: folder.join(format!("{name}.npy")),
            manifest: folder.join(format!("{name}.json")),
            under_way: folder.join(format!(".{name}.npy.part")),
            journal: folder.join(format!(".{name}.json.part")),
        }
    }

    /// Whether they are those of this part.
    pub fn is_of(&self, shard: Shard) -> bool {
        let folder = self.vectors.parent().unwrap_or(Path::new(""));
        Self::of(folder, shard).vectors == self.vectors
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedPart {
    /// Rows of this run.
    pub rows: u64,
    /// Rows that earlier runs had done.
    pub done_before: u64,
    /// The file.
    pub path: PathBuf,
    /// On texts that were cut or hardly known.
    pub notes: Vec<String>,
}

/// Encodes a part of a file's texts into `part-I-of-N.npy` in a folder, with a manifest
/// beside it that has its checksum. Begun again after a kill it goes on behind its last
/// commit, to the same bytes; where it had ended, nothing is left to do.
///
/// # Errors
/// Those of the texts and of the model; where the folder has a part that was made
/// otherwise, or another process is at work on it.
pub fn encode_part(
    model: &Model,
    settings: &PartSettings,
    folder: &Path,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<EncodedPart> {
    let (shard, files) = (settings.shard, Files::of(folder, settings.shard));
    // What is wrong with the input shows before the model is loaded.
    drop(settings.texts.rows().map_err(JobError::input)?);
    let there = Manifest::read(&files.manifest)?;
    let loaded = Loaded::load(model, &settings.encode, environment, observer)?;
    let made = made(model, settings, &loaded)?;
    if let Some(there) = &there {
        match made.difference(&there.made) {
            None => {
                return Ok(EncodedPart {
                    rows: 0,
                    done_before: there.rows,
                    path: files.vectors,
                    notes: vec![],
                });
            }
            Some((what, ..)) if !settings.overwrite => {
                return Err(otherwise(&files.manifest, what));
            }
            Some(_) => {}
        }
    }
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let mut part = Part::open(&files, made, settings)?;
    let done_before = part.manifest.rows;
    let texts = TextReader::open_part(&settings.texts, shard, done_before)?;
    let mut vectors = Vectors::of(loaded, texts, done_before)?;
    loop {
        let chunk = match vectors.next_chunk(observer) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            // At a stop nothing that was encoded is lost.
            Err(error) => return part.keep().and(Err(error)),
        };
        let truncated = chunk.coverage.iter().filter(|c| c.truncated).count();
        part.add(chunk.vectors.as_slice(), chunk.texts.len(), truncated)?;
    }
    let input_rows = vectors.rows_read();
    let rows = part.manifest.rows + part.pending - done_before;
    part.finish(&files, input_rows)?;
    Ok(EncodedPart {
        rows,
        done_before,
        path: files.vectors,
        notes: vectors.notes(),
    })
}

fn otherwise(manifest: &Path, what: &str) -> Error {
    JobError::Settings(format!(
        "{}: this part was made with another {what}; choose another folder with --output, or add --overwrite",
        manifest.display()
    ))
    .into()
}

fn made(model: &Model, settings: &PartSettings, loaded: &Loaded) -> Result<Made> {
    let texts = &settings.texts;
    let input_sha256 = sha256_of_file(&texts.path).map_err(Error::io(&texts.path))?;
    let prompts = &loaded.encoder.folder().modules.prompts;
    let prompt = prompts.choose(loaded.encoder.prompt());
    let name = texts.path.file_name().unwrap_or_default();
    Ok(Made {
        model: model.name.clone(),
        model_hash: content_hash(&model.folder)?,
        input: name.to_string_lossy().into_owned(),
        input_sha256,
        reading: format!(
            "{:?}, header {:?}, {:?}",
            texts.format, texts.header, texts.column
        ),
        prompt: prompt.map_err(JobError::Settings)?,
        width: loaded.width,
        normalized: settings.encode.normalize,
        precision: loaded.encoder.backend().precision().to_string(),
    })
}

/// A part under way: rows are in the file, and count when the journal has them.
struct Part {
    file: File,
    path: PathBuf,
    journal: PathBuf,
    manifest: Manifest,
    /// Rows that the journal does not have yet, and those of them that were cut.
    pending: u64,
    truncated: u64,
    commit: u64,
}

impl Part {
    /// Goes on with what is there of the same settings, else begins.
    fn open(files: &Files, made: Made, settings: &PartSettings) -> Result<Self> {
        let path = files.under_way.clone();
        let mut open = File::options();
        open.read(true).write(true).create(true).truncate(false);
        let file = open.open(&path).map_err(Error::io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JobError::Settings(format!(
                    "{}: another process is at work on part {}; wait for it, or end it",
                    path.display(),
                    settings.shard
                ))
                .into());
            }
            // Some file systems have no locks.
            Err(TryLockError::Error(_)) => {}
        }
        let there = Manifest::read(&files.journal)?;
        if let Some(there) = &there
            && let Some((what, ..)) = made.difference(&there.made)
            && !settings.overwrite
        {
            return Err(otherwise(&files.journal, what));
        }
        let there = there.filter(|there| made.difference(&there.made).is_none());
        let mut part = Self {
            manifest: there.unwrap_or(Manifest {
                format: Manifest::FORMAT,
                shard: settings.shard.to_string(),
                made,
                rows: 0,
                truncated: 0,
                whole: None,
            }),
            file,
            path,
            journal: files.journal.clone(),
            pending: 0,
            truncated: 0,
            commit: settings.commit.max(1),
        };
        part.rewind()?;
        Ok(part)
    }

    /// Cuts off what the journal does not have; begins anew where it has more than there
    /// is.
    fn rewind(&mut self) -> Result<()> {
        let length = |rows: u64, width: usize| npy::HEADER as u64 + rows * 4 * width as u64;
        let width = self.manifest.made.width;
        let there = self.file.metadata().map_err(Error::io(&self.path))?.len();
        if there < length(self.manifest.rows, width) {
            (self.manifest.rows, self.manifest.truncated) = (0, 0);
        }
        let end = length(self.manifest.rows, width);
        let done = self.file.set_len(end);
        let done = done.and_then(|()| self.file.seek(SeekFrom::Start(end)));
        done.map(drop).map_err(Error::io(&self.path))
    }

    fn add(&mut self, values: &[f32], rows: usize, truncated: usize) -> Result<()> {
        let written = self.file.write_all(&npy::values(values));
        written.map_err(Error::io(&self.path))?;
        self.pending += rows as u64;
        self.truncated += truncated as u64;
        if self.pending >= self.commit {
            self.keep()?;
        }
        Ok(())
    }

    /// Makes the journal have all rows; they are on the disk before.
    fn keep(&mut self) -> Result<()> {
        self.file.sync_data().map_err(Error::io(&self.path))?;
        self.manifest.rows += std::mem::take(&mut self.pending);
        self.manifest.truncated += std::mem::take(&mut self.truncated);
        self.manifest.write(&self.journal)
    }

    /// Gives the file its name, then its manifest.
    fn finish(mut self, files: &Files, input_rows: u64) -> Result<()> {
        self.keep()?;
        let header = npy::header(self.manifest.rows, self.manifest.made.width);
        let done = self.file.seek(SeekFrom::Start(0));
        let done = done.and_then(|_| self.file.write_all(&header));
        let done = done.and_then(|()| self.file.sync_all());
        done.map_err(Error::io(&self.path))?;
        let sha256 = sha256_of_file(&self.path).map_err(Error::io(&self.path))?;
        self.manifest.whole = Some(Whole { input_rows, sha256 });
        // One that is to be replaced must not vouch for the new vectors.
        match fs::remove_file(&files.manifest) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(&files.manifest)(e));
            }
            _ => {}
        }
        fs::rename(&self.path, &files.vectors).map_err(Error::io(&files.vectors))?;
        self.manifest.write(&files.manifest)?;
        fs::remove_file(&self.journal).map_err(Error::io(&self.journal))
    }
}
