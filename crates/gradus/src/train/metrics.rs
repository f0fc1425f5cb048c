//! `metrics.jsonl`: one JSON object a line, append-only.

use crate::{Error, Result};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub(crate) struct Metrics {
    path: PathBuf,
    out: BufWriter<File>,
    len: u64,
}

impl Metrics {
    /// Opens the file and cuts it to `len` bytes: what a run wrote after its
    /// last checkpoint is written again.
    pub fn open(path: &Path, len: u64) -> Result<Self> {
        let io = || Error::io(path);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(io())?;
        file.set_len(len).map_err(io())?;
        file.seek(SeekFrom::End(0)).map_err(io())?;
        Ok(Self {
            path: path.to_path_buf(),
            out: BufWriter::new(file),
            len,
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
        self.out.write_all(&line).map_err(Error::io(&self.path))
    }

    /// Hands everything to the system; returns the file's length.
    pub fn flush(&mut self) -> Result<u64> {
        self.out.flush().map_err(Error::io(&self.path))?;
        Ok(self.len)
    }
}
