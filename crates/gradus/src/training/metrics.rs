//! `metrics.jsonl`: one JSON object a line, append-only, and the same for
//! TensorBoard.

use super::RunFolder;
use crate::util::tensorboard::EventWriter;
use crate::{Error, Result};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;

pub(crate) struct MetricsWriter {
    path: PathBuf,
    out: BufWriter<File>,
    len: u64,
    events: EventWriter,
}

impl MetricsWriter {
    /// Opens the file and cuts it to `len` bytes, and the events to
    /// `events_len`: what a run wrote after its last checkpoint is written
    /// again.
    pub fn open(folder: &RunFolder, len: u64, events_len: u64) -> Result<Self> {
        let path = folder.metrics();
        let io = || Error::io(&path);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io())?;
        file.set_len(len).map_err(io())?;
        file.seek(SeekFrom::End(0)).map_err(io())?;
        // A cut may have filled a file up that was too short.
        let so_far = std::fs::read(&path).map_err(io())?;
        let so_far = String::from_utf8_lossy(&so_far);
        let events = EventWriter::open(&folder.tensorboard(), events_len, &so_far)?;
        Ok(Self {
            out: BufWriter::new(file),
            path,
            len,
            events,
        })
    }

    pub fn write(&mut self, kind: &str, value: &impl Serialize) -> Result<()> {
        #[derive(Serialize)]
        struct Line<'a, T> {
            kind: &'a str,
            #[serde(flatten)]
            value: &'a T,
        }
        let mut line = serde_json::to_vec(&Line { kind, value })
            .map_err(|e| Error::Internal(format!("metrics: {e}")))?;
        line.push(b'\n');
        self.len += line.len() as u64;
        self.out.write_all(&line).map_err(Error::io(&self.path))?;
        self.events.write(&line)
    }

    /// Hands everything to the system; returns the file's length.
    pub fn flush(&mut self) -> Result<u64> {
        self.out.flush().map_err(Error::io(&self.path))?;
        Ok(self.len)
    }

    /// The length of the events.
    pub fn events_len(&self) -> u64 {
        self.events.len()
    }
}
