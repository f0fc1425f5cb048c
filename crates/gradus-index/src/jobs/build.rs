//! From texts to an index, and more texts to one that is there.

use super::model::Encoder;
use crate::store::{Made, Manifest, Record, Writer};
use crate::{IndexError, Result};
use gradus::data::{TextFile, TextRow};
use gradus::format::PromptChoice;
use gradus::jobs::encode::Shard;
use gradus::jobs::{Environment, Model};
use gradus::models::{content_hash, inputs_at_a_time};
use gradus::util::content_hash::sha256_of_file;
use gradus::util::{Observer, check_cancelled};
use std::path::Path;
use std::thread::ScopedJoinHandle;

const WHAT: &str = "indexing texts";

/// Rows between commits where nobody says.
pub const COMMIT: usize = 65_536;

/// Texts that are encoded together.
const CHUNK: usize = 1024;

/// How an index is built.
#[derive(Debug, Clone)]
pub struct BuildSettings {
    /// The texts; ids and other columns are read as it says.
    pub texts: TextFile,
    /// The prompt before every text; by default the model's for documents.
    pub prompt: Option<PromptChoice>,
    /// The part of the rows to take.
    pub shard: Option<Shard>,
    /// Rows between commits.
    pub commit: usize,
}

/// How texts are added.
#[derive(Debug, Clone)]
pub struct AddSettings {
    /// The texts; ids and other columns are read as it says.
    pub texts: TextFile,
    /// Rows between commits.
    pub commit: usize,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// Texts of this run.
    pub texts: usize,
    /// Rows of the input that an earlier run had done.
    pub done_before: u64,
    /// Texts that were cut to the model's length.
    pub truncated: usize,
}

/// Builds an index in `output` of the texts of a file. Begun again after a kill, with the
/// same settings, it goes on behind its last commit; where it had ended, nothing is left
/// to do.
///
/// # Errors
/// Those of the model and of the rows; [`IndexError`].
pub fn build(
    model: &Model,
    settings: &BuildSettings,
    output: &Path,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<Added> {
    // What is wrong with the input shows before the model is loaded.
    let rows = settings.texts.rows()?;
    let prompt = settings.prompt.clone().unwrap_or(PromptChoice::Document);
    let from = described(&settings.texts, Some(&prompt), settings.shard)?;
    // Where all is done nothing is loaded.
    if let Ok(Manifest {
        model: own, built, ..
    }) = Manifest::read(output)
        && let Some(built) = built.filter(|built| built.from == from)
    {
        own.check(&model.name, &content_hash(&model.folder)?)?;
        return Ok(Added {
            texts: 0,
            done_before: built.rows,
            truncated: 0,
        });
    }
    let encoder = Encoder::load(model, prompt, environment, observer)?;
    let writer = Writer::create(output, encoder.identity.clone())?;
    let manifest = writer.manifest();
    let whole = manifest.unfinished.is_none() && manifest.rows() > 0;
    if whole || manifest.built.is_some() {
        return Err(IndexError::Exists {
            path: output.to_path_buf(),
            what: "there is an index already; `gradus index add` adds to it".into(),
        });
    }
    let run = Run {
        encoder,
        writer,
        from,
        shard: settings.shard,
        commit: settings.commit,
        is_build: true,
    };
    run.all(rows, output, observer)
}

/// Adds the texts of a file to the index in `index`; goes on likewise.
///
/// # Errors
/// As [`build`]; [`IndexError::OtherModel`].
pub fn add(
    index: &Path,
    model: Option<&Model>,
    settings: &AddSettings,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<Added> {
    let rows = settings.texts.rows()?;
    let writer = Writer::open(index)?;
    let own = &writer.manifest().model;
    let found;
    let model = match model {
        Some(model) => model,
        None => {
            found = environment.find(&own.name, observer)?;
            &found
        }
    };
    let prompt = PromptChoice::Text(own.prompt.clone());
    let encoder = Encoder::load(model, prompt, environment, observer)?;
    writer.check_model(&encoder.identity)?;
    let run = Run {
        encoder,
        writer,
        from: described(&settings.texts, None, None)?,
        shard: None,
        commit: settings.commit,
        is_build: false,
    };
    run.all(rows, index, observer)
}

/// What a build reads and how: another one does not go on with its rows.
fn described(
    texts: &TextFile,
    prompt: Option<&PromptChoice>,
    shard: Option<Shard>,
) -> Result<String> {
    let part = shard.map_or(String::new(), |s| format!(", part {s}"));
    let content = sha256_of_file(&texts.path).map_err(IndexError::io(&texts.path))?;
    Ok(format!(
        "{} ({content:.16}, {:?}, header {:?}, text {:?}, id {:?}, prompt {prompt:?}{part})",
        texts.path.display(),
        texts.format,
        texts.header,
        texts.column,
        texts.id
    ))
}

struct Run {
    encoder: Encoder,
    writer: Writer,
    from: String,
    shard: Option<Shard>,
    commit: usize,
    is_build: bool,
}

impl Run {
    fn all(
        self,
        rows: impl Iterator<Item = gradus::Result<TextRow>>,
        folder: &Path,
        observer: &mut dyn Observer,
    ) -> Result<Added> {
        let done_before = match &self.writer.manifest().unfinished {
            None => 0,
            Some(made) if made.from == self.from => made.rows,
            Some(made) => {
                return Err(IndexError::Exists {
                    path: folder.to_path_buf(),
                    what: format!(
                        "a build from {} has not ended; begin that again, or remove the folder",
                        made.from
                    ),
                });
            }
        };
        let Self {
            encoder,
            writer,
            from,
            shard,
            commit,
            is_build,
        } = self;
        let made = |rows| Made {
            from: from.clone(),
            rows,
        };
        let before = encoder.encoder.tokenizer().counts().truncated;
        let at_a_time = inputs_at_a_time(encoder.encoder.backend(), CHUNK).min(commit);
        observer.progress(WHAT, 0, 0);
        let texts = std::thread::scope(|scope| {
            let mut writing = Writing::Idle(Box::new(writer));
            let (mut texts, mut read) = (0, 0u64);
            let (mut chunk, mut part) = (vec![], Part::default());
            for row in rows {
                let row = row?;
                read += 1;
                let own = shard.is_none_or(|shard| shard.has(read - 1));
                if read <= done_before || !own {
                    continue;
                }
                chunk.push(Record {
                    id: row.id.unwrap_or_else(|| read.to_string()),
                    text: row.text,
                    columns: row.others,
                });
                if chunk.len() < at_a_time {
                    continue;
                }
                check_cancelled(observer, WHAT)?;
                writing = writing.check(&chunk)?;
                part.encode(&encoder, &mut chunk)?;
                observer.progress(WHAT, (texts + part.records.len()) as u64, 0);
                // All that was read is encoded here.
                if part.records.len() >= commit {
                    texts += part.records.len();
                    let (done, so_far) = (std::mem::take(&mut part), made(read));
                    let mut writer = writing.end()?;
                    writing = Writing::Busy(scope.spawn(move || {
                        check(&writer, &done.records)?;
                        writer.add(&done.records, &done.vectors, Some(so_far))?;
                        Ok(writer)
                    }));
                }
            }
            let mut writer = writing.end()?;
            check(&writer, &chunk)?;
            part.encode(&encoder, &mut chunk)?;
            check(&writer, &part.records)?;
            match is_build {
                true => writer.finish(&part.records, &part.vectors, made(read))?,
                false => writer.add(&part.records, &part.vectors, None)?,
            }
            Ok::<_, IndexError>(texts + part.records.len())
        })?;
        observer.progress(WHAT, texts as u64, texts as u64);
        let counts = encoder.encoder.tokenizer().counts();
        Ok(Added {
            texts,
            done_before,
            truncated: counts.truncated - before,
        })
    }
}

/// Texts with their vectors, until they are written.
#[derive(Default)]
struct Part {
    records: Vec<Record>,
    vectors: Vec<f32>,
}

impl Part {
    fn encode(&mut self, encoder: &Encoder, chunk: &mut Vec<Record>) -> Result<()> {
        let texts: Vec<&str> = chunk.iter().map(|record| record.text.as_str()).collect();
        self.vectors.extend(encoder.unit_vectors(&texts)?);
        self.records.append(chunk);
        Ok(())
    }
}

/// The writer, which writes a part while the next one is encoded.
enum Writing<'scope> {
    Idle(Box<Writer>),
    Busy(ScopedJoinHandle<'scope, Result<Writer>>),
}

impl Writing<'_> {
    /// Whether ids are new, and what was written is, as far as that can be said without waiting.
    fn check(self, records: &[Record]) -> Result<Self> {
        match self {
            Self::Busy(ref thread) if !thread.is_finished() => Ok(self),
            _ => {
                let writer = self.end()?;
                check(&writer, records)?;
                Ok(Self::Idle(Box::new(writer)))
            }
        }
    }

    /// Waits for what is written.
    fn end(self) -> Result<Writer> {
        match self {
            Self::Idle(writer) => Ok(*writer),
            Self::Busy(thread) => thread.join().unwrap_or_else(|_| {
                let message = "the thread that writes the index broke down".into();
                Err(gradus::Error::Internal(message).into())
            }),
        }
    }
}

fn check(writer: &Writer, records: &[Record]) -> Result<()> {
    match records.iter().find(|record| writer.has(&record.id)) {
        None => Ok(()),
        Some(twice) => Err(IndexError::DuplicateId {
            id: twice.id.clone(),
            remedy: "name the column of ids with --id, or remove the text that is there first",
        }),
    }
}
