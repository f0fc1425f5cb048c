//! An index that is read.

use super::graph::OpenGraph;
use super::manifest::{COARSE, FILES, Manifest};
use super::map::Map;
use crate::filter::Filter;
use crate::graph::Walks;
use crate::neighbours::{Hit, Matrix, Rows, copy_vector, nearest};
use crate::{IndexError, Result};
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::{Coarse, Stretch, unpack_rows};
use gradus_words::Words;
use serde::{Deserialize, Serialize};
use serde_json::{Map as Columns, Value};
use std::path::{Path, PathBuf};

/// A text of an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What it is called.
    pub id: String,
    /// Itself.
    pub text: String,
    /// Its columns.
    #[serde(default, skip_serializing_if = "Columns::is_empty")]
    pub columns: Columns<String, Value>,
}

/// Texts whose columns are worth a task of their own.
const GRAIN: usize = 1024;

/// An index as it was when it was opened, whatever is written to it since.
pub struct Index {
    folder: PathBuf,
    manifest: Manifest,
    segments: Vec<Open>,
    rows: Rows,
    graph: Option<OpenGraph>,
}

struct Open {
    rows: usize,
    vectors: Map,
    coarse: Option<Map>,
    records: Map,
    places: Map,
}

impl Index {
    /// Opens the index in `folder`. Vectors are read when they are searched.
    ///
    /// # Errors
    /// As [`Manifest::read`]; where a file is missing or has another size.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let manifest = Manifest::read(folder)?;
        let mut segments = vec![];
        for segment in &manifest.segments {
            let open = |file: usize| {
                let path = folder.join(&segment.name).join(FILES[file]);
                Map::open(&path, segment.files[file].bytes)
            };
            segments.push(Open {
                rows: segment.rows,
                vectors: open(0)?,
                coarse: match &segment.coarse {
                    None => None,
                    Some(written) => {
                        let path = folder.join(&segment.name).join(COARSE);
                        Some(Map::open(&path, written.bytes)?)
                    }
                },
                records: open(1)?,
                places: open(2)?,
            });
        }
        let mut rows = Rows::all(manifest.rows());
        for removed in &manifest.removed {
            let path = folder.join(&removed.name);
            let map = Map::open(&path, removed.file.bytes)?;
            for &row in map.values::<u64>()? {
                match usize::try_from(row).ok().filter(|row| *row < rows.len()) {
                    Some(row) => rows.remove(row),
                    None => {
                        return Err(IndexError::damaged(&path, format!("there is no row {row}")));
                    }
                }
            }
        }
        let graph = manifest.graph.as_ref();
        let graph = graph
            .map(|files| OpenGraph::open(folder, files))
            .transpose()?;
        Ok(Self {
            folder: folder.to_path_buf(),
            manifest,
            segments,
            rows,
            graph,
        })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it consists of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The rows that are there still.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The rows of highest cosine with each of some unit vectors, `[queries, dimension]`,
    /// best first; of those in `allowed`, which has no removed ones.
    ///
    /// # Errors
    /// Where a file cannot be read by its values.
    pub fn nearest(
        &self,
        cpu: &Cpu,
        queries: &[f32],
        most: usize,
        allowed: &Rows,
    ) -> Result<Vec<Vec<Hit>>> {
        let stretches = self.stretches()?;
        let dim = self.dim();
        Ok(nearest(
            cpu,
            (queries, dim),
            &stretches,
            most,
            Some(allowed),
        ))
    }

    /// As [`Index::nearest`], but of the rows in the graph those that a search of some
    /// `width` meets; exact where there is no graph.
    ///
    /// # Errors
    /// As [`Index::nearest`].
    pub fn approximate(
        &self,
        cpu: &Cpu,
        queries: &[f32],
        most: usize,
        width: usize,
        allowed: &Rows,
    ) -> Result<Vec<Vec<Hit>>> {
        let Some((open, files)) = self.graph.as_ref().zip(self.manifest.graph.as_ref()) else {
            return self.nearest(cpu, queries, most, allowed);
        };
        let walks = Walks {
            graph: open.view(self.dim())?,
            allowed,
            most,
            width,
            without: None,
        };
        let mut found = self.walk(cpu, &walks, queries)?;
        let mut from = 0;
        let mut after = self.stretches()?;
        after.retain(|stretch| {
            let first = from;
            from += stretch.rows;
            first >= files.rows
        });
        if !after.is_empty() {
            let mut later = Rows::none(self.rows.len() - files.rows);
            let there = (files.rows..self.rows.len()).filter(|row| allowed.has(*row));
            there.for_each(|row| later.insert(row - files.rows));
            let more = nearest(cpu, (queries, self.dim()), &after, most, Some(&later));
            for (found, more) in found.iter_mut().zip(more) {
                let row = |hit: Hit| Hit {
                    row: hit.row + files.rows,
                    ..hit
                };
                found.extend(more.into_iter().map(row));
                found.sort_by(Hit::order);
                found.truncate(most);
            }
        }
        Ok(found)
    }

    /// As [`Index::approximate`] for some of its own rows, each of which is not there for
    /// its own search: as a text is found that is not among them. Rows that are not in the
    /// graph are left out; none is found where there is no graph.
    ///
    /// # Errors
    /// As [`Index::nearest`].
    pub fn approximate_others(
        &self,
        cpu: &Cpu,
        (rows, vectors): (&[usize], &[f32]),
        most: usize,
        width: usize,
    ) -> Result<Vec<Vec<Hit>>> {
        let Some(open) = &self.graph else {
            return Ok(vec![vec![]; rows.len()]);
        };
        let walks = Walks {
            graph: open.view(self.dim())?,
            allowed: &self.rows,
            most,
            width,
            without: Some(rows),
        };
        self.walk(cpu, &walks, vectors)
    }

    fn walk(&self, cpu: &Cpu, walks: &Walks<'_>, queries: &[f32]) -> Result<Vec<Vec<Hit>>> {
        let stretches = self.stretches()?;
        let vector = |row: usize, out: &mut [f32]| copy_vector(&stretches, row, out);
        Ok(walks.nearest(cpu, (queries, self.dim()), vector))
    }

    /// The scores of a query with some rows: its cosines, as [`Index::nearest`] has them.
    ///
    /// # Errors
    /// As [`Index::nearest`].
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn scores(&self, cpu: &Cpu, query: &[f32], rows: &[usize]) -> Result<Vec<f32>> {
        let stretches = self.stretches()?;
        Ok(cpu.exact_scores(query, rows, |row, out| copy_vector(&stretches, row, out)))
    }

    /// The words of its texts, a stretch for each segment.
    ///
    /// # Errors
    /// [`IndexError::Settings`] where they are not kept; [`IndexError::Damaged`].
    pub fn words(&self) -> Result<Vec<Words>> {
        let mut all = vec![];
        for segment in &self.manifest.segments {
            let Some(words) = &segment.words else {
                let path = self.folder.display();
                return Err(IndexError::Settings(format!(
                    "{path} does not keep the words of its texts; `gradus index words {path}` makes it do so"
                )));
            };
            let path = self.folder.join(&words.name);
            let map = Map::open(&path, words.file.bytes)?;
            let opened = map
                .into_words()
                .map_err(|e| IndexError::damaged(&path, e.to_string()))?;
            if opened.texts() != segment.rows as u64 {
                return Err(IndexError::damaged(
                    &path,
                    "it has the words of other texts",
                ));
            }
            all.push(opened);
        }
        Ok(all)
    }

    /// The row with which each segment begins.
    pub fn starts(&self) -> Vec<usize> {
        let mut row = 0;
        let mut start = |segment: &Open| {
            row += segment.rows;
            row - segment.rows
        };
        self.segments.iter().map(&mut start).collect()
    }

    /// Values of a vector.
    pub fn dim(&self) -> usize {
        self.manifest.model.dimension
    }

    /// All rows, removed ones included, as they are searched.
    ///
    /// # Errors
    /// Where a file cannot be read by its values.
    pub fn stretches(&self) -> Result<Vec<Stretch<'_>>> {
        let segments = self.segments.iter();
        segments
            .map(|segment| segment.stretch(self.dim()))
            .collect()
    }

    /// All vectors, and which rows are there still.
    ///
    /// # Errors
    /// As [`Index::stretches`].
    pub fn matrix(&self) -> Result<Matrix<'_>> {
        let stretches = self.stretches()?;
        Ok(Matrix::new(stretches, self.dim(), self.rows.clone()))
    }

    /// The segment of a row, and its place there.
    fn locate(&self, row: usize) -> Option<(&Open, usize)> {
        let mut place = row;
        for segment in &self.segments {
            if place < segment.rows {
                return Some((segment, place));
            }
            place -= segment.rows;
        }
        None
    }

    /// The text of a row.
    ///
    /// # Errors
    /// [`IndexError::Damaged`].
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn record(&self, row: usize) -> Result<Record> {
        #[allow(clippy::expect_used, reason = "documented")]
        let (segment, place) = self.locate(row).expect("a row of the index");
        segment.record(place)
    }

    /// The unit vector of a row.
    ///
    /// # Errors
    /// Where a file cannot be read by its values.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn vector(&self, row: usize) -> Result<Vec<f32>> {
        #[allow(clippy::expect_used, reason = "documented")]
        let (segment, place) = self.locate(row).expect("a row of the index");
        let panels = segment.vectors.values()?;
        let mut vector = vec![];
        unpack_rows(panels, self.dim(), place..place + 1, &mut vector);
        Ok(vector)
    }

    /// The rows that are there and for whose columns a filter holds.
    ///
    /// # Errors
    /// [`IndexError::Damaged`].
    pub fn filtered(&self, cpu: &Cpu, filter: &Filter) -> Result<Rows> {
        let mut parts = vec![];
        for (segment, start) in self.segments.iter().zip(self.starts()) {
            let places = cpu.split(segment.rows, GRAIN).into_iter();
            parts.extend(places.map(|places| (segment, start, places, Ok(vec![]))));
        }
        cpu.each(
            parts.iter_mut().collect(),
            |(segment, start, places, found)| {
                let there = places.clone().filter(|place| self.rows.has(*start + place));
                let holds = |place: usize| match segment.columns(place) {
                    Ok(columns) => filter.holds(&columns).then_some(Ok(*start + place)),
                    Err(error) => Some(Err(error)),
                };
                *found = there.filter_map(holds).collect::<Result<Vec<usize>>>();
            },
        );
        let mut rows = Rows::none(self.rows.len());
        for (.., found) in parts {
            found?.into_iter().for_each(|row| rows.insert(row));
        }
        Ok(rows)
    }

    /// All texts in order, removed ones included, with their rows.
    pub fn records(&self) -> impl Iterator<Item = Result<(usize, Record)>> {
        let all = self.segments.iter();
        let all = all.flat_map(|s| (0..s.rows).map(move |place| s.record(place)));
        (0..).zip(all).map(|(row, record)| Ok((row, record?)))
    }
}

impl Open {
    fn stretch(&self, dim: usize) -> Result<Stretch<'_>> {
        let coarse = self.coarse.as_ref().map(|map| {
            let stored = Coarse::stored(map.bytes(), self.rows, dim);
            stored.ok_or_else(|| IndexError::damaged(map.path(), "its size is another"))
        });
        Ok(Stretch {
            panels: self.vectors.values::<f32>()?,
            rows: self.rows,
            coarse: coarse.transpose()?,
        })
    }

    fn record(&self, place: usize) -> Result<Record> {
        self.parse(place)
    }

    fn columns(&self, place: usize) -> Result<Columns<String, Value>> {
        /// The others are skipped.
        #[derive(Deserialize)]
        struct ColumnsAlone {
            #[serde(default)]
            columns: Columns<String, Value>,
        }
        Ok(self.parse::<ColumnsAlone>(place)?.columns)
    }

    fn parse<'a, T: Deserialize<'a>>(&'a self, place: usize) -> Result<T> {
        let bad = |what: String| IndexError::damaged(self.records.path(), what);
        let places = self.places.values::<u64>()?;
        let all = self.records.bytes();
        let line = match places.get(place..place + 2) {
            Some(&[from, to]) => all.get(from as usize..to as usize),
            _ => None,
        };
        let line = line.ok_or_else(|| bad(format!("the text {place} lies outside of it")))?;
        serde_json::from_slice(line).map_err(|e| bad(format!("the text {place}: {e}")))
    }
}
