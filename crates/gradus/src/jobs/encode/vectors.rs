//! Vectors of texts in their order; on a device that works apart, ahead of who takes them.

use super::{EncodeSettings, Encoded, Loaded, TextReader};
use crate::jobs::chunks::CHUNK;
use crate::jobs::observed::{finite_vectors, notes_on_texts};
use crate::jobs::{Environment, Model};
use crate::models::inputs_at_a_time;
use crate::util::{Observer, check_cancelled};
use crate::{Error, Result};
use gradus_kernels::Backend;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

const WHAT: &str = "encoding texts";

/// How often the observer is asked whether to go on while texts are waited for.
const BEAT: Duration = Duration::from_millis(50);

/// The vectors of texts, in their order.
pub struct Vectors {
    model: Arc<Loaded>,
    work: Work,
    total: u64,
    /// Rows of the file so far, of those that a part is taken from.
    rows: Arc<AtomicU64>,
    done: u64,
}

enum Work {
    /// Each chunk when it is asked for.
    Here(TextReader),
    /// The next chunk while the last one is being written, by a thread of its own.
    Ahead {
        chunks: Receiver<Result<Encoded>>,
        thread: Option<JoinHandle<()>>,
    },
}

impl Vectors {
    /// Loads the model.
    ///
    /// # Errors
    /// As [`SentenceEncoder::load`](crate::SentenceEncoder::load);
    /// [`JobError::Width`](crate::jobs::JobError::Width);
    /// [`JobError::NoVectors`](crate::jobs::JobError::NoVectors) for a model that was saved as a
    /// cross-encoder; where the system gives no thread.
    pub fn begin(
        model: &Model,
        texts: TextReader,
        settings: &EncodeSettings,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let model = Loaded::load(model, settings, environment, observer)?;
        Self::of(model, texts, 0)
    }

    /// Those behind the first `done`.
    pub(super) fn of(model: Loaded, texts: TextReader, done: u64) -> Result<Self> {
        let (total, rows) = (texts.total, Arc::clone(&texts.rows));
        let model = Arc::new(model);
        let work = match model.encoder.backend().is_apart() {
            true => ahead(Arc::clone(&model), texts)?,
            false => Work::Here(texts),
        };
        Ok(Self {
            model,
            work,
            total,
            rows,
            done,
        })
    }

    /// How many values each vector has.
    pub fn width(&self) -> usize {
        self.model.width
    }

    /// Rows of the file that were read so far, those of other parts too.
    pub(super) fn rows_read(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// The next texts, of a stream those that have arrived, with their vectors, never none;
    /// `None` at the end. What came before an error comes first.
    ///
    /// # Errors
    /// Those of the texts; where the tokenizer or the device fails;
    /// [`JobError::NotFinite`](crate::jobs::JobError::NotFinite);
    /// [`Error::Stopped`](crate::Error::Stopped).
    pub fn next_chunk(&mut self, observer: &mut dyn Observer) -> Result<Option<Encoded>> {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, self.done, self.total);
        let encoded = match &mut self.work {
            Work::Here(texts) => self.model.next_chunk(texts)?,
            Work::Ahead { chunks, thread } => loop {
                match chunks.recv_timeout(BEAT) {
                    Ok(encoded) => break Some(encoded?),
                    Err(RecvTimeoutError::Timeout) => check_cancelled(observer, WHAT)?,
                    // One that broke down must not pass for one that reached the end.
                    Err(RecvTimeoutError::Disconnected) => {
                        let ended = thread.take().map_or(Ok(()), JoinHandle::join);
                        let broke_down = |_| "the thread that encodes broke down".to_owned();
                        ended.map_err(broke_down).map_err(Error::Internal)?;
                        break None;
                    }
                }
            },
        };
        self.done += encoded.as_ref().map_or(0, |chunk| chunk.texts.len() as u64);
        observer.progress(WHAT, self.done, self.total);
        Ok(encoded)
    }

    /// Sentences on texts so far that were truncated, or that the vocabulary
    /// hardly knows; none where there were none.
    pub fn notes(&self) -> Vec<String> {
        notes_on_texts(&self.model.encoder)
    }
}

impl Loaded {
    fn next_chunk(&self, texts: &mut TextReader) -> Result<Option<Encoded>> {
        let most = inputs_at_a_time(self.encoder.backend(), CHUNK);
        let Some(texts) = texts.chunks.next_chunk(most)? else {
            return Ok(None);
        };
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (tokens, vectors) = finite_vectors(&self.name, &self.encoder, &borrowed)?;
        let vectors = vectors.truncated(self.width);
        let vectors = match self.normalize {
            false => vectors,
            true => vectors.normalized(),
        };
        let coverage = tokens.iter().map(|tokens| tokens.coverage).collect();
        Ok(Some(Encoded {
            texts,
            vectors,
            coverage,
        }))
    }
}

/// Chunks that are encoded by a thread of its own, until nobody takes them any more.
fn ahead(model: Arc<Loaded>, mut texts: TextReader) -> Result<Work> {
    let (sender, chunks) = sync_channel(1);
    let work = move || {
        while let Some(encoded) = model.next_chunk(&mut texts).transpose() {
            let last = encoded.is_err();
            if sender.send(encoded).is_err() || last {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("gradus-encoder".into());
    let thread = thread
        .spawn(work)
        .map_err(Error::io("a thread to encode texts"))?;
    Ok(Work::Ahead {
        chunks,
        thread: Some(thread),
    })
}
