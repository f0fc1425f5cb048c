//! What an index consists of, and what made it.

use super::files::write_whole;
use crate::graph;
use crate::{IndexError, Result};
use gradus::util::content_hash::sha256_of_file;
use gradus_kernels::cpu::search::{ByteRowsView, Coarse};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The version of the format that is written.
pub(super) const FORMAT: u32 = 1;

pub(super) const NAME: &str = "index.json";

/// More values than any vector has.
const WIDEST: usize = 1 << 20;

/// The width of searches of which nothing was measured.
const DEFAULT_WIDTH: usize = 64;

fn is_false(value: &bool) -> bool {
    !value
}

/// What counts of an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format.
    pub format: u32,
    /// What made the vectors.
    pub model: ModelIdentity,
    /// The segments, in the order of their rows.
    pub segments: Vec<Segment>,
    /// Rows that are removed.
    pub removed: Vec<Removed>,
    /// Whether the words of texts that are added are kept.
    #[serde(default, skip_serializing_if = "is_false")]
    pub words: bool,
    /// Rows as a graph, for approximate search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<GraphFiles>,
    /// What a build that has not ended was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<Made>,
    /// What a build that has ended was made from: begun again, there is nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built: Option<Made>,
    /// The number of the next segment or list of removed rows.
    pub next: u64,
}

/// What made the vectors of an index. Queries must come from the same model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// As it was named.
    pub name: String,
    /// The hash of its weights and descriptions.
    pub hash: String,
    /// Values of a vector.
    pub dimension: usize,
    /// The prompt before every text.
    pub prompt: String,
    /// The precision of its products.
    pub precision: String,
}

/// A stretch of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its folder.
    pub name: String,
    /// How many rows it has.
    pub rows: usize,
    /// Bytes and SHA-256 of `vectors.f32`, `records.jsonl` and `places.u64`.
    pub files: [Written; 3],
    /// Those of `coarse.i8`, the rows as bytes; indexes of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coarse: Option<Written>,
    /// The words of its texts, where they are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<NamedFile>,
}

/// A file in the folder of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFile {
    /// Its name.
    pub name: String,
    /// The file as it was written.
    pub file: Written,
}

/// A file as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its bytes.
    pub bytes: u64,
    /// Their SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// Rows as a graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GraphFiles {
    /// Their folder.
    pub name: String,
    /// The rows that are in the graph are those before this one.
    pub rows: usize,
    /// How many of them are its nodes: the others were removed before.
    pub nodes: usize,
    /// `rows.u64`, `bytes.i8`, `scales.f32` and `edges.u32`.
    pub files: [Written; 4],
    /// What searches find.
    #[serde(default)]
    pub recall: Vec<Recall>,
}

/// How many of the nearest texts are found by searches of some width.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// Candidates that a search keeps.
    pub width: usize,
    /// The share that is found of the ten nearest.
    pub recall: f64,
}

/// Tells a manifest from the one that replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(u64, SystemTime);

/// A list of rows that are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Its file.
    pub name: String,
    /// How many rows it lists.
    pub rows: usize,
    /// The file as it was written.
    pub file: Written,
}

/// What a build was made from, and how far it has come: it goes on from there when it is
/// begun again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// What it reads and how, in words.
    pub from: String,
    /// So many rows of that are done, those of other shards included.
    pub rows: u64,
}

/// The files of a segment.
pub(super) const FILES: [&str; 3] = ["vectors.f32", "records.jsonl", "places.u64"];

pub(super) const COARSE: &str = "coarse.i8";

pub(super) const GRAPH_FILES: [&str; 4] = ["rows.u64", "bytes.i8", "scales.f32", "edges.u32"];

impl Manifest {
    /// Of an index without rows.
    pub fn new(model: ModelIdentity) -> Self {
        Self {
            format: FORMAT,
            model,
            segments: vec![],
            removed: vec![],
            words: false,
            graph: None,
            unfinished: None,
            built: None,
            next: 1,
        }
    }

    /// Reads that of the index in `folder`.
    ///
    /// # Errors
    /// [`IndexError::NoIndex`], [`IndexError::Format`], [`IndexError::Damaged`].
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(IndexError::NoIndex(folder.to_path_buf()));
            }
            Err(e) => return Err(IndexError::io(&path)(e)),
        };
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let damaged = |e: serde_json::Error| IndexError::damaged(&path, e.to_string());
        let Version { format } = serde_json::from_str(&text).map_err(damaged)?;
        if format != FORMAT {
            return Err(IndexError::Format {
                path,
                found: format,
                known: FORMAT,
            });
        }
        let manifest: Self = serde_json::from_str(&text).map_err(damaged)?;
        manifest
            .check()
            .map_err(|what| IndexError::damaged(&path, what))?;
        Ok(manifest)
    }

    /// Which file that of the index in `folder` is: another one after each commit. Nothing
    /// where it cannot be looked at.
    pub fn stamp(folder: &Path) -> Option<Stamp> {
        let meta = fs::metadata(folder.join(NAME)).ok()?;
        // Two commits may come within one tick of the clock.
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&meta);
        #[cfg(not(unix))]
        let number = meta.len();
        Some(Stamp(number, meta.modified().ok()?))
    }

    /// Sizes that do not fit each other are found before anything is read by them.
    fn check(&self) -> Result<(), String> {
        let dimension = self.model.dimension;
        if dimension == 0 || dimension > WIDEST {
            return Err(format!("vectors of {dimension} values"));
        }
        let plain = |name: &str| {
            let letters = name.bytes();
            let mut letters = letters.filter(|b| !b.is_ascii_alphanumeric() && *b != b'-');
            !name.is_empty() && letters.all(|b| b == b'.') && !name.starts_with('.')
        };
        for segment in &self.segments {
            let panels = segment.rows.checked_next_multiple_of(super::files::PANEL);
            let bytes = panels.and_then(|p| p.checked_mul(4 * dimension));
            let places = segment.rows.checked_add(1).and_then(|n| n.checked_mul(8));
            let fits = bytes.is_some_and(|b| b as u64 == segment.files[0].bytes)
                && places.is_some_and(|b| b as u64 == segment.files[2].bytes);
            let coarse = segment.coarse.as_ref().is_none_or(|written| {
                let bytes = Coarse::len_of(segment.rows, dimension);
                bytes.map(|b| b as u64) == Some(written.bytes)
            });
            let mut names = segment.words.iter().map(|words| &words.name);
            if !fits || !coarse || !plain(&segment.name) || !names.all(|name| plain(name)) {
                return Err(format!("the segment {:?} does not fit", segment.name));
            }
        }
        if let Some(graph) = &self.graph {
            let written = graph.files.iter().map(|file| Some(file.bytes));
            let fits = graph.nodes <= graph.rows
                && graph.rows <= self.rows()
                && written.eq(graph.sizes(dimension));
            if !fits || !plain(&graph.name) {
                return Err(format!("the graph {:?} does not fit", graph.name));
            }
        }
        for removed in &self.removed {
            let fits = removed.rows.checked_mul(8).map(|b| b as u64) == Some(removed.file.bytes);
            if !fits || !plain(&removed.name) {
                return Err(format!("the list {:?} does not fit", removed.name));
            }
        }
        Ok(())
    }

    /// Replaces that of the index in `folder`.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self);
        let text = text.map_err(|e| IndexError::damaged(folder.join(NAME), e.to_string()))?;
        write_whole(&folder.join(NAME), &text)
    }

    /// All rows, those that are removed included.
    pub fn rows(&self) -> usize {
        self.segments.iter().map(|segment| segment.rows).sum()
    }

    /// The files that it names, each with how it was written.
    pub fn files(&self, folder: &Path) -> Vec<(PathBuf, &Written)> {
        let segments = self.segments.iter().flat_map(|segment| {
            let of = |(name, written)| (folder.join(&segment.name).join(name), written);
            let coarse = segment.coarse.iter().map(|written| (&COARSE, written));
            FILES.iter().zip(&segment.files).chain(coarse).map(of)
        });
        let removed = self.removed.iter();
        let removed = removed.map(|removed| (folder.join(&removed.name), &removed.file));
        let graph = self.graph.iter().flat_map(|graph| {
            let of = |(name, written)| (folder.join(&graph.name).join(name), written);
            GRAPH_FILES.iter().zip(&graph.files).map(of)
        });
        let words = self
            .segments
            .iter()
            .filter_map(|segment| segment.words.as_ref());
        let words = words.map(|words| (folder.join(&words.name), &words.file));
        segments.chain(removed).chain(graph).chain(words).collect()
    }
}

impl GraphFiles {
    /// The bytes of its files; none where they are too many.
    fn sizes(&self, dim: usize) -> [Option<u64>; 4] {
        let of = |count: Option<usize>, size: usize| {
            let bytes = count.and_then(|count| count.checked_mul(size));
            bytes.map(|bytes| bytes as u64)
        };
        [
            of(Some(self.nodes), 8),
            of(ByteRowsView::bytes_of(self.nodes, dim), 1),
            of(Some(self.nodes), 4),
            of(graph::edges_of(self.nodes), 4),
        ]
    }

    /// The least width with at least some recall, or the largest that was measured.
    pub fn width(&self, recall: f64) -> usize {
        let enough = self.recall.iter().find(|at| at.recall >= recall);
        let at = enough.or(self.recall.last());
        at.map_or(DEFAULT_WIDTH, |at| at.width)
    }
}

impl ModelIdentity {
    /// Whether a model is the one that made these vectors.
    ///
    /// # Errors
    /// [`IndexError::OtherModel`].
    pub fn check(&self, name: &str, hash: &str) -> Result<()> {
        match self.hash == hash {
            true => Ok(()),
            false => Err(IndexError::OtherModel {
                own: self.name.clone(),
                own_hash: self.hash.clone(),
                other: name.to_owned(),
                other_hash: hash.to_owned(),
            }),
        }
    }
}

impl Written {
    /// Reads back what was written.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let bytes = fs::metadata(path).map_err(IndexError::io(path))?.len();
        let sha256 = sha256_of_file(path).map_err(IndexError::io(path))?;
        Ok(Self { bytes, sha256 })
    }

    /// Whether the file at `path` is still as it was written.
    pub fn check(&self, path: &Path) -> Result<()> {
        match Self::of(path)? {
            now if now == *self => Ok(()),
            now if now.bytes != self.bytes => {
                let what = format!(
                    "it has {} bytes, and {} were written",
                    now.bytes, self.bytes
                );
                Err(IndexError::damaged(path, what))
            }
            _ => Err(IndexError::damaged(path, "its checksum is another")),
        }
    }
}
