//! Every answer that came, so that none is asked for again.

use super::Answer;
use super::budget::Spent;
use crate::jobs::JobError;
use crate::output::OutputError;
use crate::util::content_hash::sha256_of_file;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What a journal's first line says.
const FORM: &str = "gradus negatives 1";

/// Lines between two waits for the disk.
const SYNC_EVERY: u32 = 64;

/// An unreadable answer is asked for again so often.
const MOST_TRIES: u32 = 3;

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The first one.
    Journal(String),
    /// An answer.
    Answer {
        /// The request's key.
        key: String,
        /// What came.
        text: String,
        /// Whether it was cut off.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
        tokens_in: u64,
        tokens_out: u64,
        cost: f64,
    },
    /// An output was written, with this hash.
    Output(String),
}

/// What is known of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// The last answer that can be read, else the last one.
    pub text: String,
    /// Whether it was cut off.
    pub cut: bool,
    /// Whether it can be read.
    readable: bool,
    tries: u32,
}

impl Known {
    /// Whether it need not be asked for again.
    pub fn is_settled(&self) -> bool {
        self.readable || self.tries >= MOST_TRIES
    }
}

/// The answers beside an output file: JSON, a line each, only ever added to.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    known: HashMap<String, Known>,
    spent: Spent,
    output: Option<String>,
    damaged: u64,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    /// `None` for one that is only read.
    file: Option<File>,
    unsynced: u32,
}

impl Journal {
    /// Where the journal of an output is.
    pub fn path_of(output: &Path) -> PathBuf {
        let mut name = output.file_name().unwrap_or_default().to_os_string();
        name.push(".journal");
        output.with_file_name(name)
    }

    /// Opens the journal of an output, or begins one, and keeps other processes out. A
    /// last line that was torn when a process was killed is taken away.
    ///
    /// # Errors
    /// [`Error::Io`]; [`OutputError::Busy`]; [`JobError::NoJournal`] for a file that
    /// is none.
    pub fn open(output: &Path) -> Result<Self> {
        let path = Self::path_of(output);
        let options = File::options()
            .read(true)
            .append(true)
            .create(true)
            .open(&path);
        let mut file = options.map_err(Error::io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OutputError::Busy(path).into()),
            // Some network file systems cannot lock.
            Err(TryLockError::Error(_)) => {}
        }
        let mut journal = Self::read_from(&path, &mut file)?;
        if file.metadata().map_err(Error::io(&path))?.len() == 0 {
            journal.writer = Mutex::new(Writer {
                file: Some(file),
                unsynced: 0,
            });
            journal.append(&Line::Journal(FORM.into()))?;
            return Ok(journal);
        }
        journal.writer = Mutex::new(Writer {
            file: Some(file),
            unsynced: 0,
        });
        Ok(journal)
    }

    /// Reads the journal of an output, if there is one, and changes nothing.
    ///
    /// # Errors
    /// [`Error::Io`], [`JobError::NoJournal`].
    pub fn look(output: &Path) -> Result<Self> {
        let path = Self::path_of(output);
        match fs::read(&path) {
            Ok(bytes) => Self::of(&path, &bytes[..]).map(|(journal, _)| journal),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                Self::of(&path, &b""[..]).map(|(journal, _)| journal)
            }
            Err(e) => Err(Error::io(&path)(e)),
        }
    }

    fn read_from(path: &Path, file: &mut File) -> Result<Self> {
        file.seek(SeekFrom::Start(0)).map_err(Error::io(path))?;
        let (journal, whole) = Self::of(path, &*file)?;
        if file.metadata().map_err(Error::io(path))?.len() > whole {
            file.set_len(whole).map_err(Error::io(path))?;
        }
        Ok(journal)
    }

    /// Reads lines; returns also the bytes up to the end of the last whole one.
    fn of(path: &Path, from: impl Read) -> Result<(Self, u64)> {
        let mut journal = Self {
            path: path.to_path_buf(),
            known: HashMap::new(),
            spent: Spent::default(),
            output: None,
            damaged: 0,
            writer: Mutex::new(Writer {
                file: None,
                unsynced: 0,
            }),
        };
        let mut reader = BufReader::new(from);
        let (mut whole, mut first) = (0, true);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = reader
                .read_until(b'\n', &mut bytes)
                .map_err(Error::io(path))?;
            let torn = bytes.last() != Some(&b'\n');
            let line = serde_json::from_slice::<Line>(&bytes).ok();
            if first && read > 0 {
                // A first line may be torn too, and is then written anew.
                let begun = format!("{{\"journal\":\"{FORM}\"}}");
                let ours = match &line {
                    Some(Line::Journal(form)) => form == FORM,
                    _ => torn && begun.as_bytes().starts_with(&bytes),
                };
                if !ours {
                    return Err(JobError::NoJournal(path.to_path_buf()).into());
                }
            }
            if read == 0 || torn {
                return Ok((journal, whole));
            }
            first = false;
            whole += read as u64;
            match line {
                Some(line) => journal.take(line),
                None => journal.damaged += 1,
            }
        }
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Journal(_) => {}
            Line::Output(hash) => self.output = Some(hash),
            Line::Answer {
                key,
                text,
                cut,
                tokens_in,
                tokens_out,
                cost,
            } => {
                self.spent.add(&Spent {
                    tokens_in,
                    tokens_out,
                    cost,
                });
                let readable = Answer::parse(&text).is_readable();
                let known = self.known.entry(key).or_default();
                known.tries += 1;
                if readable || !known.readable {
                    (known.text, known.cut, known.readable) = (text, cut, readable);
                }
            }
        }
    }

    fn append(&self, line: &Line) -> Result<()> {
        let text = serde_json::to_string(line).map_err(|e| Error::Internal(e.to_string()))? + "\n";
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Writer { file, unsynced } = &mut *writer;
        let Some(file) = file else {
            return Err(Error::Internal("a journal that is only read".into()));
        };
        // At once: what is written so survives the end of the process.
        file.write_all(text.as_bytes())
            .map_err(Error::io(&self.path))?;
        *unsynced += 1;
        if *unsynced >= SYNC_EVERY {
            *unsynced = 0;
            file.sync_data().map_err(Error::io(&self.path))?;
        }
        Ok(())
    }

    /// Adds an answer to the file. What this journal knows stays as it was read.
    pub(super) fn add(&self, key: &str, text: &str, cut: bool, spent: Spent) -> Result<()> {
        self.append(&Line::Answer {
            key: key.into(),
            text: text.into(),
            cut,
            tokens_in: spent.tokens_in,
            tokens_out: spent.tokens_out,
            cost: spent.cost,
        })
    }

    /// Takes in what was added.
    pub(super) fn learn(&mut self, key: String, text: String, cut: bool, spent: Spent) {
        self.take(Line::Answer {
            key,
            text,
            cut,
            tokens_in: spent.tokens_in,
            tokens_out: spent.tokens_out,
            cost: spent.cost,
        });
    }

    /// Notes that the output was written.
    pub(super) fn note_output(&mut self, output: &Path) -> Result<()> {
        let hash = sha256_of_file(output).map_err(Error::io(output))?;
        self.append(&Line::Output(hash.clone()))?;
        self.output = Some(hash);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut writer.file {
            Some(file) => file.sync_data().map_err(Error::io(&self.path)),
            None => Ok(()),
        }
    }

    /// Whether the file at `output` is as this command wrote it last.
    pub(super) fn wrote(&self, output: &Path) -> bool {
        let hash = sha256_of_file(output).ok();
        hash.is_some() && hash == self.output
    }

    /// What is known of a request.
    pub(super) fn get(&self, key: &str) -> Option<&Known> {
        self.known.get(key)
    }

    /// How often a request was answered.
    pub(super) fn tries(&self, key: &str) -> u32 {
        self.known.get(key).map_or(0, |known| known.tries)
    }

    /// What all answers took.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// Lines within that cannot be read.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether an answer that can be read so or not is to be asked for again.
pub(super) fn is_settled(answer: &Answer, tries: u32) -> bool {
    answer.is_readable() || tries >= MOST_TRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPENT: Spent = Spent {
        tokens_in: 10,
        tokens_out: 5,
        cost: 0.25,
    };
    const GOOD: &str = r#"{"positive": "p", "negatives": ["n"]}"#;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let output = place.path().join("out.tsv");
        (place, output)
    }

    #[test]
    fn answers_are_found_again_also_behind_a_torn_line() {
        let (_place, output) = place();
        let journal = Journal::open(&output).unwrap();
        journal.add("a", GOOD, false, SPENT).unwrap();
        journal.add("b", "no", true, SPENT).unwrap();
        assert!(matches!(
            Journal::open(&output),
            Err(Error::Output(OutputError::Busy(_)))
        ));
        drop(journal);
        let path = Journal::path_of(&output);
        let mut bytes = fs::read(&path).unwrap();
        let whole = bytes.len();
        bytes.extend_from_slice(b"{\"answer\":{\"key\":\"c\",\"te");
        fs::write(&path, &bytes).unwrap();
        let journal = Journal::open(&output).unwrap();
        assert_eq!(fs::read(&path).unwrap().len(), whole);
        assert!(journal.get("a").unwrap().is_settled());
        assert!(!journal.get("b").unwrap().is_settled() && journal.tries("b") == 1);
        assert!(journal.get("c").is_none());
        assert_eq!(journal.spent().tokens_in, 20);
        journal.add("b", "no", false, SPENT).unwrap();
        journal.add("b", GOOD, false, SPENT).unwrap();
        drop(journal);
        let journal = Journal::look(&output).unwrap();
        let known = journal.get("b").unwrap();
        assert_eq!((known.text.as_str(), known.tries), (GOOD, 3));
    }

    #[test]
    fn a_journal_torn_anywhere_is_opened() {
        let (_place, output) = place();
        let journal = Journal::open(&output).unwrap();
        journal.add("a", GOOD, false, SPENT).unwrap();
        drop(journal);
        let path = Journal::path_of(&output);
        let bytes = fs::read(&path).unwrap();
        for cut in 0..bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let journal = Journal::open(&output).unwrap();
            assert!(journal.get("a").is_none());
            journal.add("a", GOOD, false, SPENT).unwrap();
            drop(journal);
            assert_eq!(fs::read(&path).unwrap(), bytes, "{cut}");
        }
    }

    #[test]
    fn files_of_others_are_let_be() {
        let (_place, output) = place();
        let path = Journal::path_of(&output);
        fs::write(&path, "a\nb\n").unwrap();
        let error = Journal::open(&output).unwrap_err();
        assert!(error.to_string().contains("is no journal"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"a\nb\n");
        fs::write(&path, "{\"journal\":\"gradus negatives 1\"}\n?\n").unwrap();
        assert_eq!(Journal::open(&output).unwrap().damaged(), 1);
    }

    #[test]
    fn its_own_output_is_known() {
        let (_place, output) = place();
        let mut journal = Journal::open(&output).unwrap();
        assert!(!journal.wrote(&output));
        fs::write(&output, "x").unwrap();
        assert!(!journal.wrote(&output));
        journal.note_output(&output).unwrap();
        drop(journal);
        let journal = Journal::open(&output).unwrap();
        assert!(journal.wrote(&output));
        fs::write(&output, "y").unwrap();
        assert!(!journal.wrote(&output));
    }
}
