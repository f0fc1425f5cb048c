//! `run.json`: on what a run was carried out, how long it took, how it ended.

use super::Plan;
use super::error::TrainError;
use crate::atomic::write_bytes;
use crate::machine::{peak_memory, processor, timestamp};
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
    /// The dev score (Spearman) before training.
    pub initial: Option<f64>,
    /// The best dev score of the last stage.
    pub best: Option<f64>,
    /// The step it was reached at.
    pub best_step: u64,
    /// What was worked out before it began.
    pub plan: Plan,
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
pub(super) struct Recorder {
    record: RunRecord,
    /// Seconds of the processes before this one.
    before: f64,
    began: Instant,
}

impl Recorder {
    /// Begins, or goes on with what earlier processes wrote. A record that
    /// cannot be read is no reason to stop a run: it is begun anew.
    pub fn new(run: &Path, plan: &Plan) -> Self {
        let earlier = RunRecord::read(run).ok().flatten();
        let record = match earlier {
            Some(earlier) => RunRecord {
                resumed: earlier.resumed + 1,
                ..earlier
            },
            None => RunRecord {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                processor: processor(),
                backend: plan.backend.clone(),
                started: timestamp(SystemTime::now()),
                resumed: 0,
                seconds: 0.0,
                peak_memory_bytes: None,
                finished: false,
                initial: None,
                best: None,
                best_step: 0,
                plan: plan.clone(),
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
