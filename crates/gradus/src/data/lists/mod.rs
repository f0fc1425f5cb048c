//! Queries with several documents each, which cross-encoders learn from.
//!
//! Three forms are read: a list of documents and a list of labels in a row
//! (`query`, `docs`, `labels`), tuples (`query`, `positive`, `negative_1`, ...), and
//! graded pairs, which are gathered by their first text.

mod form;
mod table;
mod tuples;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::Value;

use self::form::{Documents, ListForm};
use self::table::Table;
use super::json_row::kind;
use super::{DataError, DataRoot, Graded, LabelMap, PairFile, PairIndex, Place, Source};
use crate::Result;

/// A query and documents with a label each.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledList {
    /// What is looked for; not empty.
    pub query: String,
    /// The documents, in the order of the file: at least one, none empty.
    pub documents: Vec<String>,
    /// The label of each document: a relevance, a grade, or a teacher's score. Finite.
    pub labels: Vec<f64>,
}

/// What a [`Source`] of lists gave.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledLists {
    /// The lists, in the order of the file.
    pub lists: Vec<LabelledList>,
    /// Documents that the label map skipped, by label.
    pub skipped: BTreeMap<String, usize>,
    /// Documents left out because their pair with the query is held out.
    pub excluded: usize,
    /// The lowest and highest label there can be, where the label map or the data set
    /// says so.
    pub scale: Option<(f64, f64)>,
}

impl Source {
    /// Reads queries with their documents, in the form that the file shows:
    ///
    /// - a list of documents and one of labels in each row, by the names `docs`,
    ///   `documents`, `passages`, `candidates` or `texts`, or by that of a second text
    ///   where it holds lists, and `labels`, `label`, `scores` or `score`;
    /// - tuples, where a column is named `negative` or `neg`, alone or as
    ///   `negative_1`, `negative_2`, ...: the positive has label 1, the negatives 0,
    ///   or those of a list `score`, `scores` or `labels`, the positive's first;
    /// - graded pairs otherwise, as [`Source::load`] reads them, gathered by their
    ///   first text in the order of first sight.
    ///
    /// `first` names the column of the query, `second` that of the documents or the
    /// positive, `negative` that of the negatives, `label` that of labels or scores.
    /// Documents whose pair with the query is in `held_out` or in what the source
    /// excludes are left out, and so are those whose label is skipped; `max_pairs` is
    /// of lists.
    ///
    /// # Errors
    /// Those of [`Source::load`]; [`DataError::EmptyList`] for a row without
    /// documents, [`DataError::ListLength`] for one with more or fewer labels.
    pub fn lists(
        &self,
        held_out: &PairIndex,
        base_dir: &Path,
        root: &DataRoot,
    ) -> Result<LabelledLists> {
        self.needs_pairs()?;
        let files = self.files(base_dir, root)?;
        let labels = self.label_map()?;
        let index = self.exclusion(base_dir, root)?;
        let mut reading = Reading {
            held: |a: &str, b: &str| index.contains(a, b) || held_out.contains(a, b),
            most: self.max_pairs.unwrap_or(usize::MAX),
            found: LabelledLists {
                lists: Vec::new(),
                skipped: BTreeMap::new(),
                excluded: 0,
                scale: labels.range(),
            },
        };
        for file in &files {
            match Table::open(file)? {
                Some((table, form)) => {
                    self.refuse_split()?;
                    reading.rows(table, &form, &labels)?;
                }
                None => reading.graded(self, file, &labels)?,
            }
        }
        let found = reading.found;
        if !found.lists.is_empty() {
            return Ok(found);
        }
        let skipped: usize = found.skipped.values().sum();
        if skipped + found.excluded > 0 {
            let problem = format!(
                "no list is left: {skipped} documents skipped by label, {} excluded",
                found.excluded
            );
            let check = "check which labels are left out, and which pairs excluded";
            return self.bad_with(problem, vec![check.into()]);
        }
        let path = files.into_iter().next().map(|f| f.path).unwrap_or_default();
        Err(DataError::Empty { path }.into())
    }
}

/// Lists while they are read.
struct Reading<H> {
    /// Whether a pair is left out.
    held: H,
    most: usize,
    found: LabelledLists,
}

impl<H: Fn(&str, &str) -> bool> Reading<H> {
    fn is_full(&self) -> bool {
        self.found.lists.len() >= self.most
    }

    /// Rows that are lists.
    fn rows(&mut self, table: Table, form: &ListForm, labels: &LabelMap) -> Result<()> {
        let (path, is_row) = (table.path.clone(), table.is_row);
        let mut labels = labels.clone();
        let mut settled = labels.classes.is_some();
        for row in table.rows {
            if self.is_full() {
                break;
            }
            let row = row?;
            let at = Place {
                is_row,
                ..Place::new(&path, row.line)
            };
            let (query, documents, texts) = form.read(&row.object, &at)?;
            let mut list = LabelledList {
                query,
                documents: Vec::new(),
                labels: Vec::new(),
            };
            let column = form.labels.as_deref().unwrap_or("labels");
            for (document, text) in documents.into_iter().zip(texts) {
                let label = match text {
                    Label::Known(label) => label,
                    Label::Text(text) => {
                        if !settled && !labels.skip.contains(&text) {
                            settled = true;
                            labels = labels.settled_by(&text).unwrap_or(labels);
                            self.found.scale = labels.range();
                        }
                        match labels.apply(&text, &at, column)? {
                            Some(label) => label,
                            None => {
                                *self.found.skipped.entry(text).or_default() += 1;
                                continue;
                            }
                        }
                    }
                };
                if (self.held)(&list.query, &document) {
                    self.found.excluded += 1;
                    continue;
                }
                list.documents.push(document);
                list.labels.push(label);
            }
            if !list.documents.is_empty() {
                self.found.lists.push(list);
            }
        }
        Ok(())
    }

    /// Pairs, gathered by their first text.
    fn graded(&mut self, source: &Source, file: &PairFile, labels: &LabelMap) -> Result<()> {
        let mut rows = file.graded(labels)?;
        source.check_split(rows.rows())?;
        let mut places: HashMap<String, usize> = HashMap::new();
        for row in rows.by_ref() {
            let pair = match row? {
                Graded::Skipped(label) => {
                    *self.found.skipped.entry(label).or_default() += 1;
                    continue;
                }
                Graded::Pair(pair) if (self.held)(&pair.first, &pair.second) => {
                    self.found.excluded += 1;
                    continue;
                }
                Graded::Pair(pair) => pair,
            };
            let place = match places.get(&pair.first) {
                Some(&place) => place,
                // Later rows may still belong to a list that is there.
                None if self.is_full() => continue,
                None => {
                    self.found.lists.push(LabelledList {
                        query: pair.first.clone(),
                        documents: Vec::new(),
                        labels: Vec::new(),
                    });
                    let place = self.found.lists.len() - 1;
                    places.insert(pair.first, place);
                    place
                }
            };
            let list = &mut self.found.lists[place];
            list.documents.push(pair.second);
            list.labels.push(pair.label);
        }
        self.found.scale = rows.labels().range();
        Ok(())
    }
}

/// A label before the label map.
enum Label {
    /// As it stands in the file.
    Text(String),
    /// By the document's column.
    Known(f64),
}

impl ListForm {
    /// The query, the documents, and as many labels.
    fn read(
        &self,
        row: &serde_json::Map<String, Value>,
        at: &Place,
    ) -> Result<(String, Vec<String>, Vec<Label>), DataError> {
        let value = |key: &str| self.value(row, key);
        let query = text(&self.query, value(&self.query).as_ref(), at)?;
        let mut documents = Vec::new();
        let mut of_column = Vec::new();
        match &self.documents {
            Documents::List(key) => texts(key, value(key).as_ref(), at, &mut documents)?,
            Documents::Tuple {
                positive,
                negatives,
            } => {
                texts(positive, value(positive).as_ref(), at, &mut documents)?;
                of_column.resize(documents.len(), 1.0);
                self.negatives(negatives, row, at, &mut documents)?;
                of_column.resize(documents.len(), 0.0);
            }
        }
        let Some(key) = &self.labels else {
            let labels = of_column.into_iter().map(Label::Known).collect();
            return Ok((query, documents, labels));
        };
        let labels = match value(key) {
            Some(Value::Array(labels)) => labels,
            other => {
                return Err(bad(key, other.as_ref(), "a list of numbers", at));
            }
        };
        if labels.len() != documents.len() {
            return Err(DataError::ListLength {
                at: at.clone(),
                column: key.clone(),
                labels: labels.len(),
                documents: documents.len(),
            });
        }
        let label = |label: Value| match label {
            Value::String(text) => Ok(Label::Text(text.trim().to_string())),
            Value::Number(number) => Ok(Label::Text(number.to_string())),
            Value::Bool(yes) => Ok(Label::Known(f64::from(yes))),
            other => Err(bad(key, Some(&other), "a list of numbers", at)),
        };
        let labels: Result<Vec<_>, _> = labels.into_iter().map(label).collect();
        Ok((query, documents, labels?))
    }

    /// Adds the negatives of a row. It need not have one in each column.
    fn negatives(
        &self,
        columns: &[String],
        row: &serde_json::Map<String, Value>,
        at: &Place,
        to: &mut Vec<String>,
    ) -> Result<(), DataError> {
        let before = to.len();
        for key in columns {
            match self.value(row, key) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.trim().is_empty() => {}
                value => texts(key, value.as_ref(), at, to)?,
            }
        }
        match columns.first().filter(|_| to.len() == before) {
            // The first one's error, whatever is wrong with it.
            Some(first) => texts(first, self.value(row, first).as_ref(), at, to),
            None => Ok(()),
        }
    }

    /// What stands under a key; a cell that holds a JSON list is that list.
    fn value(&self, row: &serde_json::Map<String, Value>, key: &str) -> Option<Value> {
        match row.get(key)? {
            Value::String(cell) if self.of_cells && cell.trim_start().starts_with('[') => {
                let list: Option<Vec<Value>> = serde_json::from_str(cell).ok();
                let is_list = key != self.query && self.may_be_list(key);
                Some(match list.filter(|_| is_list) {
                    Some(list) => Value::Array(list),
                    None => Value::String(cell.clone()),
                })
            }
            value => Some(value.clone()),
        }
    }
}

fn bad(key: &str, value: Option<&Value>, expected: &'static str, at: &Place) -> DataError {
    DataError::BadKey {
        at: at.clone(),
        key: key.to_string(),
        problem: value.map_or("missing", kind),
        expected,
    }
}

fn text(key: &str, value: Option<&Value>, at: &Place) -> Result<String, DataError> {
    match value {
        Some(Value::String(text)) if text.trim().is_empty() => Err(DataError::EmptySentence {
            at: at.clone(),
            column: key.to_string(),
        }),
        Some(Value::String(text)) => Ok(text.clone()),
        other => Err(bad(key, other, "a string", at)),
    }
}

/// Adds one text, or those of a list that has some.
fn texts(
    key: &str,
    value: Option<&Value>,
    at: &Place,
    to: &mut Vec<String>,
) -> Result<(), DataError> {
    match value {
        Some(Value::Array(list)) if list.is_empty() => Err(DataError::EmptyList {
            at: at.clone(),
            column: key.to_string(),
        }),
        Some(Value::Array(list)) => {
            for item in list {
                to.push(match item {
                    Value::String(_) => text(key, Some(item), at)?,
                    other => return Err(bad(key, Some(other), "a list of strings", at)),
                });
            }
            Ok(())
        }
        other => {
            to.push(text(key, other, at)?);
            Ok(())
        }
    }
}
