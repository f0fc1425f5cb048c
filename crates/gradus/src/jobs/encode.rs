//! Texts to vectors.

use super::chunks::Chunks;
use super::observed::{finite_vectors, notes_on_texts};
use super::{Environment, JobError, Model};
use crate::data::{Lines, TextFile};
use crate::format::PromptChoice;
use crate::models::{ModelFolder, SentenceEncoder};
use crate::text::Coverage;
use crate::util::{Observer, check_cancelled};
use crate::{Embeddings, Result};
use std::io::Read;

const WHAT: &str = "encoding texts";

/// How texts are encoded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EncodeSettings {
    /// The prompt before every text; by default the model's own.
    pub prompt: Option<PromptChoice>,
    /// So many values of each vector, the first ones; by default all.
    pub width: Option<usize>,
    /// Whether vectors are divided by their length, behind the cut.
    pub normalize: bool,
}

/// Texts in the order of their file or stream, read ahead by a thread of its own.
pub struct TextReader {
    chunks: Chunks<String>,
    has_header: bool,
    /// How many there are; 0 where that is not known.
    total: u64,
}

impl TextReader {
    /// These texts.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn of(texts: Vec<String>) -> Result<Self> {
        let total = texts.len() as u64;
        let chunks = Chunks::read(move || Ok(texts.into_iter().map(Ok)))?;
        Ok(Self {
            chunks,
            has_header: false,
            total,
        })
    }

    /// Opens a file.
    ///
    /// # Errors
    /// Those of [`TextFile::rows`].
    pub fn open(file: &TextFile) -> Result<Self> {
        let rows = file.rows().map_err(JobError::input)?;
        let has_header = rows.has_header();
        let chunks = Chunks::read(move || Ok(rows.map(|row| row.map(|row| row.text))))?;
        Ok(Self {
            chunks,
            has_header,
            total: 0,
        })
    }

    /// Reads a stream as `file` says; what is wrong with it shows when its texts
    /// are read.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn stream(file: TextFile, stream: impl Read + Send + 'static) -> Result<Self> {
        let chunks = Chunks::read(move || {
            let lines = Lines::new(stream, &file.path)?;
            let rows = file.rows_from(lines)?;
            Ok(rows.map(|row| row.map(|row| row.text)))
        })?;
        Ok(Self {
            chunks,
            has_header: false,
            total: 0,
        })
    }

    /// Whether the first row of a file holds the columns' names, and is no text.
    pub fn has_header(&self) -> bool {
        self.has_header
    }
}

/// Some texts and their vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// The texts.
    pub texts: Vec<String>,
    /// A vector each.
    pub vectors: Embeddings,
    /// What the vocabulary made of each.
    pub coverage: Vec<Coverage>,
}

/// The vectors of texts, in their order.
pub struct Vectors {
    name: String,
    encoder: SentenceEncoder,
    texts: TextReader,
    width: usize,
    normalize: bool,
    done: u64,
}

impl Vectors {
    /// Loads the model. Nothing is encoded yet.
    ///
    /// # Errors
    /// As [`SentenceEncoder::load`]; [`JobError::Width`]; [`JobError::NoVectors`] for a
    /// model that was saved as a cross-encoder.
    pub fn begin(
        model: &Model,
        texts: TextReader,
        settings: &EncodeSettings,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let cross = ModelFolder::was_saved_as_cross_encoder(&model.folder);
        if cross.map_err(JobError::model)? {
            return Err(JobError::NoVectors(model.name.clone()).into());
        }
        let encoder = environment.load(&model.folder, settings.prompt.clone(), observer)?;
        if settings.prompt == Some(PromptChoice::Document) {
            note_other_prompt(&encoder, environment, observer);
        }
        let width = settings.width.unwrap_or(encoder.dim());
        if width > encoder.dim() {
            return Err(JobError::Width {
                wanted: width,
                width: encoder.dim(),
            }
            .into());
        }
        Ok(Self {
            name: model.name.clone(),
            encoder,
            texts,
            width,
            normalize: settings.normalize,
            done: 0,
        })
    }

    /// How many values each vector has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The texts that have arrived, never none, with their vectors; `None` at the
    /// end. What came before an error comes first.
    ///
    /// # Errors
    /// Those of the texts; where the tokenizer or the device fails;
    /// [`JobError::NotFinite`]; [`Error::Stopped`](crate::Error::Stopped).
    pub fn next_chunk(&mut self, observer: &mut dyn Observer) -> Result<Option<Encoded>> {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, self.done, self.texts.total);
        let Some(texts) = self.texts.chunks.next_chunk()? else {
            return Ok(None);
        };
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (tokens, vectors) = finite_vectors(&self.name, &self.encoder, &borrowed)?;
        let vectors = match self.normalize {
            false => vectors.truncated(self.width),
            true => vectors.truncated(self.width).normalized(),
        };
        self.done += texts.len() as u64;
        observer.progress(WHAT, self.done, self.texts.total);
        Ok(Some(Encoded {
            texts,
            vectors,
            coverage: tokens.iter().map(|tokens| tokens.coverage).collect(),
        }))
    }

    /// Sentences on texts so far that were truncated, or that the vocabulary
    /// hardly knows; none where there were none.
    pub fn notes(&self) -> Vec<String> {
        notes_on_texts(&self.encoder)
    }
}

/// Says which prompt may be meant for documents, of a model whose own has another
/// name.
fn note_other_prompt(
    encoder: &SentenceEncoder,
    environment: &Environment,
    observer: &mut dyn Observer,
) {
    let prompts = &encoder.folder().modules.prompts.named;
    let has = |name: &str| prompts.iter().any(|(known, _)| known == name);
    let other = ["passage", "corpus"].into_iter().find(|name| has(name));
    if let Some(other) = other.filter(|_| !has("document")) {
        let note = format!(
            "note: the model has no prompt `document`, so documents go without one, as in sentence-transformers; --prompt {other} takes its prompt `{other}`"
        );
        environment.note_once(&note, observer);
    }
}
