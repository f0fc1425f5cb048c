//! `run.json`: where a run was done, how long it took, how it ended.

use super::{RunDescription, TrainError};
use crate::util::atomic::write_bytes;
use crate::util::machine::{peak_memory, processor, timestamp};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// What is known of a run besides its recipe and metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The version of Gradus that began it.
    pub version: String,
    /// The processor's name.
    pub processor: String,
    /// What it was computed on: precision, threads, instructions.
    pub backend: String,
    /// When it began, in UTC.
    pub started: String,
    /// How often it went on after a stop.
    pub resumed: u32,
    /// Seconds of work up to the last checkpoint, of all processes together.
    pub seconds: f64,
    /// The most memory that a process of the run had in use.
    pub peak_memory_bytes: Option<u64>,
    /// Whether it came to its end.
    pub finished: bool,
    /// The dev score (Spearman, or NDCG@10 of lists) before training.
    pub initial: Option<f64>,
    /// The best dev score of the last stage.
    pub best: Option<f64>,
    /// The step it was reached at.
    pub best_step: u64,
    /// All parameters of the encoder and the modules behind it.
    pub parameters: usize,
    /// The stages.
    pub stages: Vec<StageRecord>,
}

/// What a stage was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Its name.
    pub name: String,
    /// What it minimised.
    pub objective: String,
    /// Whether the encoder was left alone.
    pub encoder_frozen: bool,
    /// What its examples were: pairs, texts or triplets.
    pub unit: String,
    /// Examples after filters.
    pub examples: usize,
    /// Those that label maps skipped.
    pub skipped: usize,
    /// Those left out because evaluation sets hold them.
    pub excluded: usize,
    /// Optimizer steps.
    pub steps: u64,
    /// Examples of a step.
    pub batch: usize,
    /// The highest learning rate: the head's where only that was trained.
    pub peak_rate: f64,
}

impl RunRecord {
    fn path(run: &Path) -> PathBuf {
        run.join("run.json")
    }

    /// Reads the record in a run's folder; `None` where there is none, as in
    /// runs of earlier versions.
    ///
    /// # Errors
    /// [`Error::Io`]; [`TrainError::Folder`] for a file that is no record.
    pub fn read(run: &Path) -> Result<Option<Self>> {
        let path = Self::path(run);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(&path)(e)),
        };
        let record = serde_json::from_str(&text).map_err(|e| TrainError::Folder {
            path,
            message: format!("no record of a run ({e}); remove the file to go without"),
        })?;
        Ok(Some(record))
    }
}

/// Keeps a run's record up to date.
pub(crate) struct Recorder {
    record: RunRecord,
    /// Seconds of the processes before this one.
    before: f64,
    began: Instant,
}

impl Recorder {
    /// Begins, or goes on with what earlier processes wrote. A record that
    /// cannot be read is no reason to stop a run: it is begun anew.
    pub fn new(run: &Path, described: RunDescription) -> Self {
        let earlier = RunRecord::read(run).ok().flatten();
        let record = match earlier {
            Some(earlier) => RunRecord {
                resumed: earlier.resumed + 1,
                ..earlier
            },
            None => RunRecord {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                processor: processor(),
                backend: described.backend,
                started: timestamp(SystemTime::now()),
                resumed: 0,
                seconds: 0.0,
                peak_memory_bytes: None,
                finished: false,
                initial: None,
                best: None,
                best_step: 0,
                parameters: described.parameters,
                stages: described.stages,
            },
        };
        Self {
            before: record.seconds,
            record,
            began: Instant::now(),
        }
    }

    /// Writes the state of things into the run's folder.
    pub fn write(&mut self, run: &Path, state: &super::State, finished: bool) -> Result<()> {
        let record = &mut self.record;
        record.seconds = self.before + self.began.elapsed().as_secs_f64();
        // `None` is less than any number.
        record.peak_memory_bytes = record.peak_memory_bytes.max(peak_memory());
        record.finished = finished;
        record.initial = state.initial;
        record.best = state.best;
        record.best_step = state.best_step;
        let text = serde_json::to_vec_pretty(record)
            .map_err(|e| Error::Internal(format!("run record: {e}")))?;
        write_bytes(&RunRecord::path(run), &text)
    }
}
