use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Qrels;
use crate::data::{DataError, JsonReader, JsonRow, Lines, Place};
use crate::{Error, Result};

/// A retrieval set as BEIR keeps it: `corpus.jsonl` and `queries.jsonl`, objects with
/// `_id` and `text` (and `title` in the corpus), and `qrels/SPLIT.tsv`. Each may be
/// packed (`.gz`, `.zst`).
#[derive(Debug, Clone, PartialEq)]
pub struct BeirFolder {
    /// The folder.
    pub path: PathBuf,
    /// Whose judgments were read: `train`, `dev` or `test`.
    pub split: String,
    /// The judgments.
    pub qrels: Qrels,
    /// The texts of the queries that have judgments, by id.
    pub queries: BTreeMap<String, String>,
    corpus: PathBuf,
}

/// A document of a corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its id.
    pub id: String,
    /// Its title; empty where it has none.
    pub title: String,
    /// Its text.
    pub text: String,
}

impl Document {
    /// Title and text with a space between them, as BEIR and MTEB encode it.
    pub fn content(&self) -> String {
        let all = format!("{} {}", self.title, self.text);
        all.trim().to_owned()
    }
}

impl BeirFolder {
    /// Opens the folder at `path` and reads the judgments of `split` and their
    /// queries; the corpus is read by [`BeirFolder::documents`].
    ///
    /// # Errors
    /// [`Error::Io`] for a file that is not there; those of [`Qrels::read`] and of the
    /// rows of queries; [`DataError::NoQuery`] for judgments of a query that has no
    /// text.
    pub fn open(path: &Path, split: &str) -> Result<Self> {
        let qrels_path = found(path, &format!("qrels/{split}.tsv"))?;
        let corpus = found(path, "corpus.jsonl")?;
        let queries_path = found(path, "queries.jsonl")?;
        let qrels = Qrels::read(&qrels_path)?;
        let mut queries = BTreeMap::new();
        let mut rows = Rows::open(&queries_path)?;
        while let Some((at, row)) = rows.next()? {
            let query = document(&row, &at)?;
            if qrels.judged(&query.id).is_some() {
                if query.text.trim().is_empty() {
                    let column = "text".to_owned();
                    return Err(DataError::EmptySentence { at, column }.into());
                }
                queries.insert(query.id, query.text);
            }
        }
        if let Some((missing, _)) = qrels.queries().find(|(id, _)| !queries.contains_key(*id)) {
            return Err(DataError::NoQuery {
                path: queries_path,
                id: missing.to_owned(),
                qrels: qrels_path,
            }
            .into());
        }
        Ok(Self {
            path: path.to_path_buf(),
            split: split.to_owned(),
            qrels,
            queries,
            corpus,
        })
    }

    /// The folder's name.
    pub fn name(&self) -> String {
        let name = self.path.file_name();
        let name = name.map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| self.path.display().to_string())
    }

    /// What documents of these ids hold, by id; those that the corpus lacks are left
    /// out.
    ///
    /// # Errors
    /// [`Error::Io`], and those of the rows of the corpus.
    pub fn contents(&self, ids: &HashSet<&str>) -> Result<HashMap<String, String>> {
        let mut contents = HashMap::new();
        for document in self.documents()? {
            let document = document?;
            if ids.contains(document.id.as_str()) {
                let content = document.content();
                contents.insert(document.id, content);
            }
        }
        Ok(contents)
    }

    /// The documents of the corpus, one after another.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn documents(&self) -> Result<Documents> {
        Ok(Documents {
            rows: Rows::open(&self.corpus)?,
            done: false,
        })
    }
}

/// The file of this name below a folder, packed or not.
fn found(folder: &Path, name: &str) -> Result<PathBuf> {
    let plain = folder.join(name);
    let packed = ["", ".gz", ".zst"].map(|end| folder.join(format!("{name}{end}")));
    match packed.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => {
            let what = "no such file; a BEIR folder has corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv (test.tsv by default)";
            Err(Error::io(plain)(io::Error::new(
                io::ErrorKind::NotFound,
                what,
            )))
        }
    }
}

/// Objects with ids of which none is there twice.
struct Rows {
    reader: JsonReader,
    seen: HashSet<String>,
}

impl Rows {
    fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            reader: JsonReader::new(Lines::open(path)?),
            seen: HashSet::new(),
        })
    }

    fn next(&mut self) -> Result<Option<(Place, JsonRow)>> {
        let Some(row) = self.reader.next().transpose()? else {
            return Ok(None);
        };
        let at = self.reader.place(row.line);
        let id = text(&row, "_id", &at, true)?;
        if !self.seen.insert(id.clone()) {
            return Err(DataError::DuplicateId { at, id }.into());
        }
        Ok(Some((at, row)))
    }
}

fn document(row: &JsonRow, at: &Place) -> Result<Document, DataError> {
    Ok(Document {
        id: text(row, "_id", at, true)?,
        title: text(row, "title", at, false)?,
        text: text(row, "text", at, true)?,
    })
}

/// The text under a key; a number, as ids may be, in its digits.
fn text(row: &JsonRow, key: &str, at: &Place, needed: bool) -> Result<String, DataError> {
    let problem = match row.object.get(key) {
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(Value::Number(number)) if key == "_id" => return Ok(number.to_string()),
        None | Some(Value::Null) if !needed => return Ok(String::new()),
        None => "missing",
        Some(_) => "no text",
    };
    Err(DataError::BadKey {
        at: at.clone(),
        key: key.to_owned(),
        problem,
        expected: "a string",
    })
}

/// The documents of a corpus. Ends after the first error.
pub struct Documents {
    rows: Rows,
    done: bool,
}

impl Iterator for Documents {
    type Item = Result<Document>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.rows.next();
        let document = row.and_then(|row| match row {
            Some((at, row)) => Ok(Some(document(&row, &at)?)),
            None => Ok(None),
        });
        self.done = !matches!(document, Ok(Some(_)));
        document.transpose()
    }
}
