//! Event files, by which TensorBoard follows a run.
//!
//! `RUN/tensorboard` holds one file. It says what `metrics.jsonl` says: every
//! number of a line is a scalar `STAGE/NAME` at the line's step.
//!
//! A run that goes on from a checkpoint must take back what it wrote since. A
//! reader that is at work would stumble over a file that becomes shorter, so
//! the beginning is copied under a later name and the old file removed. Each
//! file opens with a start event at step 0, on which TensorBoard forgets what
//! it has read of the old one.

mod event;
mod record;

use super::atomic::write_bytes;
use crate::{Error, Result};
use event::{What, event};
use record::{are_sound, record};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const PREFIX: &str = "events.out.tfevents.";
const SUFFIX: &str = ".gradus";

/// How the names of event files that Gradus wrote begin and end.
pub(crate) const NAMES: (&str, &str) = (PREFIX, SUFFIX);

/// Writes events, each at once, so that a reader sees them.
pub(crate) struct EventWriter {
    path: PathBuf,
    out: File,
    len: u64,
}

impl EventWriter {
    /// Goes on with the events in `folder`, of which `len` bytes still count;
    /// those that cannot be read are made anew of `metrics`, the lines written
    /// so far.
    pub fn open(folder: &Path, len: u64, metrics: &str) -> Result<Self> {
        let old = files(folder)?;
        let kept = old.last().and_then(|(_, path)| {
            let mut bytes = std::fs::read(path).ok()?;
            let len = usize::try_from(len).ok().filter(|len| *len > 0)?;
            (bytes.len() >= len).then(|| bytes.truncate(len))?;
            are_sound(&bytes).then_some(bytes)
        });
        let bytes = kept.unwrap_or_else(|| all(metrics, seconds(SystemTime::now())));
        Self::replace(folder, &old, &bytes)
    }

    /// Puts `bytes` into a file whose name comes after the `old` ones, and
    /// removes those.
    fn replace(folder: &Path, old: &[(u64, PathBuf)], bytes: &[u8]) -> Result<Self> {
        let now = seconds(SystemTime::now()) as u64;
        let stamp = old.last().map_or(now, |(last, _)| now.max(last + 1));
        let path = folder.join(format!("{PREFIX}{stamp:010}{SUFFIX}"));
        write_bytes(&path, bytes)?;
        for (_, path) in old {
            std::fs::remove_file(path).map_err(Error::io(path))?;
        }
        let out = OpenOptions::new().append(true).open(&path);
        Ok(Self {
            out: out.map_err(Error::io(&path))?,
            path,
            len: bytes.len() as u64,
        })
    }

    /// Writes the numbers of a line of `metrics.jsonl`.
    pub fn write(&mut self, line: &[u8]) -> Result<()> {
        let now = seconds(SystemTime::now());
        if let Some(record) = record_of(line, now) {
            self.len += record.len() as u64;
            self.out.write_all(&record).map_err(Error::io(&self.path))?;
        }
        Ok(())
    }

    /// The file's length.
    pub fn len(&self) -> u64 {
        self.len
    }
}

/// Makes the event file in `folder` of a run's `metrics.jsonl`, in place of
/// those that Gradus wrote there before. Returns its path. All events have the
/// time at which the metrics were last written to.
///
/// # Errors
/// [`Error::Io`].
pub fn write_events(metrics: &Path, folder: &Path) -> Result<PathBuf> {
    let text = std::fs::read_to_string(metrics).map_err(Error::io(metrics))?;
    let changed = std::fs::metadata(metrics).and_then(|meta| meta.modified());
    let at = seconds(changed.map_err(Error::io(metrics))?);
    let written = EventWriter::replace(folder, &files(folder)?, &all(&text, at))?;
    Ok(written.path)
}

/// The event files that Gradus wrote into `folder`, by their age.
fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(Error::io(folder))?,
    };
    for entry in entries {
        let path = entry.map_err(Error::io(folder))?.path();
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        let stamp = name
            .strip_prefix(PREFIX)
            .and_then(|n| n.strip_suffix(SUFFIX));
        if let Some(stamp) = stamp.and_then(|s| s.parse().ok()) {
            found.push((stamp, path));
        }
    }
    found.sort();
    Ok(found)
}

fn seconds(at: SystemTime) -> f64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs_f64()
}

/// A whole file of some lines.
fn all(metrics: &str, wall_time: f64) -> Vec<u8> {
    let mut out = record(&event(wall_time, 0, &What::Version));
    out.extend(record(&event(wall_time, 0, &What::Start)));
    for line in metrics.lines() {
        out.extend(record_of(line.as_bytes(), wall_time).unwrap_or_default());
    }
    out
}

/// `None` for a line that has no stage, step or number.
fn record_of(line: &[u8], wall_time: f64) -> Option<Vec<u8>> {
    let line: Value = serde_json::from_slice(line).ok()?;
    let (stage, step) = (line.get("stage")?.as_str()?, line.get("step")?.as_u64()?);
    let mut scalars = Vec::new();
    numbers(stage, &line, &mut scalars);
    let any = !scalars.is_empty();
    any.then(|| record(&event(wall_time, step, &What::Scalars(&scalars))))
}

/// The numbers of an object and of objects in it.
fn numbers(above: &str, value: &Value, scalars: &mut Vec<(String, f64)>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        if name == "step" {
            continue;
        }
        match value.as_f64() {
            Some(number) => scalars.push((format!("{above}/{name}"), number)),
            None => numbers(&format!("{above}/{name}"), value, scalars),
        }
    }
}

#[cfg(test)]
mod tests;
