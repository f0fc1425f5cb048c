//! Where results go: standard output, or a file that is whole or not there.

use crate::exit::Failure;
use gradus::output::{Inputs, Unfinished};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

/// A place for results.
pub struct Output {
    name: String,
    to: To,
}

enum To {
    Stdout(BufWriter<io::Stdout>),
    /// A device or pipe, which cannot be replaced.
    Special(BufWriter<File>),
    /// A file under a passing name, and its own.
    Fresh(BufWriter<File>, Unfinished, PathBuf),
}

impl Output {
    /// The file at `path` if `option` names one, else standard output. It must be
    /// none of the `inputs`, and a file that exists is replaced only with
    /// `overwrite`.
    pub fn create(
        path: Option<&Path>,
        option: &'static str,
        inputs: &Inputs,
        overwrite: bool,
    ) -> Result<Self, Failure> {
        if let Some(path) = path {
            inputs.check_file(path, option, overwrite)?;
        }
        Self::open(path)
    }

    /// The file at `path` if one is given, else standard output. A file appears
    /// or is replaced when [`Output::finish`] is called, not before.
    pub fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self {
                name: "standard output".into(),
                to: To::Stdout(BufWriter::new(io::stdout())),
            });
        };
        let name = path.display().to_string();
        let open = || -> io::Result<To> {
            // A link stays one: what it points to is replaced.
            let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
            match fs::metadata(&target) {
                Ok(meta) if meta.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
                Ok(meta) if !meta.is_file() => {
                    let file = File::options().write(true).open(&target)?;
                    return Ok(To::Special(BufWriter::new(file)));
                }
                _ => {}
            }
            target.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
            let passing = Unfinished::beside(&target);
            let file = File::create_new(passing.path())?;
            Ok(To::Fresh(BufWriter::new(file), passing, target))
        };
        match open() {
            Ok(to) => Ok(Self { name, to }),
            Err(source) => Err(Failure::Output { to: name, source }),
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.to {
            To::Stdout(writer) => writer,
            To::Special(writer) | To::Fresh(writer, ..) => writer,
        }
    }

    fn failed(&self, source: impl Into<io::Error>) -> Failure {
        let (to, source) = (self.name.clone(), source.into());
        Failure::Output { to, source }
    }

    /// Writes bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.writer().write_all(bytes);
        written.map_err(|e| self.failed(e))
    }

    /// Writes a line of text.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())?;
        self.bytes(b"\n")
    }

    /// Writes a value as a line of JSON.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let written = serde_json::to_writer(self.writer(), value);
        written.map_err(|e| self.failed(e))?;
        self.bytes(b"\n")
    }

    /// Hands on what was written, so that a reader can go on with it.
    pub fn flush(&mut self) -> Result<(), Failure> {
        let flushed = self.writer().flush();
        flushed.map_err(|e| self.failed(e))
    }

    /// Writes `bytes` over the beginning. `false` where that is impossible:
    /// only files have a beginning to go back to.
    pub fn overwrite_start(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let To::Fresh(writer, ..) = &mut self.to else {
            return Ok(false);
        };
        let written = writer.rewind().and_then(|()| writer.write_all(bytes));
        written.map_err(|e| self.failed(e))?;
        Ok(true)
    }

    /// Ends the output: all is written, a file stands under its name.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.flush()?;
        let Self { name, to } = self;
        if let To::Fresh(writer, passing, target) = to {
            let done = writer.get_ref().sync_all();
            let done = done.and_then(|()| passing.commit(&target));
            done.map_err(|source| Failure::Output { to: name, source })?;
        }
        Ok(())
    }
}

/// Writes a table to standard output, as text or as JSON.
pub fn print_table(table: &impl Serialize, text: &str, as_json: bool) -> Result<(), Failure> {
    let mut output = Output::open(None)?;
    match as_json {
        true => {
            let json = serde_json::to_string_pretty(table);
            output.line(&json.map_err(|e| Failure::Usage(e.to_string()))?)?;
        }
        false => output.bytes(text.as_bytes())?,
    }
    output.finish()
}
