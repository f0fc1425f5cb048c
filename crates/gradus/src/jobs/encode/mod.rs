//! Texts to vectors, all at once or in parts on several machines.

mod merge;
mod part;
mod shard;
mod vectors;

pub use merge::{Merged, merge};
pub use part::{COMMIT, EncodedPart, PartSettings, encode_part};
pub use shard::Shard;
pub use vectors::Vectors;

use super::chunks::Chunks;
use super::{Environment, JobError, Model};
use crate::data::{Lines, TextFile};
use crate::format::PromptChoice;
use crate::models::{ModelFolder, SentenceEncoder};
use crate::text::Coverage;
use crate::util::Observer;
use crate::{Embeddings, Result};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Of a part: rows of the file so far, those of other parts too.
    rows: Arc<AtomicU64>,
}

impl TextReader {
    /// These texts.
    pub fn of(texts: Vec<String>) -> Self {
        let total = texts.len() as u64;
        Self {
            chunks: Chunks::read(move || Ok(texts.into_iter().map(Ok))),
            has_header: false,
            total,
            rows: Arc::default(),
        }
    }

    /// Opens a file.
    ///
    /// # Errors
    /// Those of [`TextFile::rows`].
    pub fn open(file: &TextFile) -> Result<Self> {
        let rows = file.rows().map_err(JobError::input)?;
        let has_header = rows.has_header();
        let open = move || Ok(rows.map(|row| row.map(|row| row.text)));
        let chunks = Chunks::read_file(&file.path, open);
        Ok(Self {
            chunks,
            has_header,
            total: 0,
            rows: Arc::default(),
        })
    }

    /// Opens a part of a file's rows, behind those of it that are done.
    ///
    /// # Errors
    /// Those of [`TextFile::rows`].
    fn open_part(file: &TextFile, shard: Shard, done: u64) -> Result<Self> {
        let rows = file.rows().map_err(JobError::input)?;
        let has_header = rows.has_header();
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        let own = rows.filter_map(move |row| {
            let place = counted.fetch_add(1, Ordering::Relaxed);
            let is_own = shard.has(place) && place / shard.of >= done;
            // Each part says what is wrong with the file.
            (is_own || row.is_err()).then(|| row.map(|row| row.text))
        });
        Ok(Self {
            chunks: Chunks::read_file(&file.path, move || Ok(own)),
            has_header,
            total: 0,
            rows: count,
        })
    }

    /// Reads a stream as `file` says; what is wrong with it shows when its texts
    /// are read.
    pub fn stream(file: TextFile, stream: impl Read + Send + 'static) -> Self {
        let chunks = Chunks::stream(move || {
            let lines = Lines::new(stream, &file.path)?;
            let rows = file.rows_from(lines)?;
            Ok(rows.map(|row| row.map(|row| row.text)))
        });
        Self {
            chunks,
            has_header: false,
            total: 0,
            rows: Arc::default(),
        }
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

/// A model that is loaded to encode as some settings say.
struct Loaded {
    name: String,
    encoder: SentenceEncoder,
    width: usize,
    normalize: bool,
}

impl Loaded {
    fn load(
        model: &Model,
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
            width,
            normalize: settings.normalize,
        })
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
