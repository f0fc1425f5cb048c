//! An index that is written.

use super::files::{sync_folder, write_new};
use super::manifest::{
    COARSE, FILES, GraphFiles, Made, Manifest, ModelIdentity, NAME, NamedFile, Recall, Removed,
    Segment, Written,
};
use super::reader::{Index, Record};
use crate::graph::Graph;
use crate::{IndexError, Result};
use gradus_kernels::cpu::search::{CoarseRows, pack_rows};
use gradus_words::Words;
use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";

/// Who writes to an index; there is one at a time.
pub struct Writer {
    folder: PathBuf,
    manifest: Manifest,
    ids: HashSet<String>,
    /// Held as long as this is there.
    _lock: File,
}

impl Writer {
    /// Makes an index for vectors of `model` in an empty or new folder, or goes on with
    /// one that a build left unfinished there.
    ///
    /// # Errors
    /// [`IndexError::Foreign`], [`IndexError::Exists`], [`IndexError::OtherModel`],
    /// [`IndexError::Locked`].
    pub fn create(folder: &Path, model: ModelIdentity) -> Result<Self> {
        fs::create_dir_all(folder).map_err(IndexError::io(folder))?;
        if !folder.join(NAME).exists() {
            for entry in fs::read_dir(folder).map_err(IndexError::io(folder))? {
                let name = entry.map_err(IndexError::io(folder))?.file_name();
                // What a build leaves that is killed before its first commit.
                let own = name.to_str().is_some_and(is_own);
                if !own {
                    return Err(IndexError::Foreign(folder.to_path_buf()));
                }
            }
            let lock = lock(folder)?;
            let manifest = Manifest::new(model);
            sweep(folder, &manifest)?;
            manifest.write(folder)?;
            return Ok(Self {
                folder: folder.to_path_buf(),
                manifest,
                ids: HashSet::new(),
                _lock: lock,
            });
        }
        let writer = Self::open(folder)?;
        writer.check_model(&model)?;
        Ok(writer)
    }

    /// Opens an index to add or to remove.
    ///
    /// # Errors
    /// [`IndexError::Locked`]; as [`Index::open`].
    pub fn open(folder: &Path) -> Result<Self> {
        // First, so that nothing is locked where nothing is.
        Manifest::read(folder)?;
        let lock = lock(folder)?;
        let index = Index::open(folder)?;
        let manifest = index.manifest().clone();
        sweep(folder, &manifest)?;
        let mut ids = HashSet::new();
        for record in index.records() {
            let (row, record) = record?;
            if index.rows().has(row) {
                ids.insert(record.id);
            }
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            manifest,
            ids,
            _lock: lock,
        })
    }

    /// What the index consists of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether there is a text with this id.
    pub fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Whether vectors of a model may be added.
    ///
    /// # Errors
    /// [`IndexError::OtherModel`]; [`IndexError::Exists`] for another prompt.
    pub fn check_model(&self, model: &ModelIdentity) -> Result<()> {
        check_model(&self.folder, &self.manifest.model, model)
    }

    /// Adds texts with their unit vectors, `[texts, dimension]`, as a segment, and commits.
    /// `unfinished` is what is left to do.
    ///
    /// # Errors
    /// [`IndexError::DuplicateId`], where nothing is added; where a file cannot be written.
    pub fn add(
        &mut self,
        records: &[Record],
        vectors: &[f32],
        unfinished: Option<Made>,
    ) -> Result<()> {
        let dim = self.manifest.model.dimension;
        assert_eq!(vectors.len(), records.len() * dim, "a vector for each text");
        let mut new = HashSet::new();
        for record in records {
            if self.ids.contains(&record.id) || !new.insert(record.id.clone()) {
                return Err(IndexError::DuplicateId {
                    id: record.id.clone(),
                    remedy: "give texts ids of their own, or remove the one that is there first",
                });
            }
        }
        let mut manifest = self.manifest.clone();
        manifest.unfinished = unfinished;
        if !records.is_empty() {
            let name = format!("s{:06}", manifest.next);
            manifest.next += 1;
            let mut segment = self.segment(name, records, vectors)?;
            if manifest.words {
                let texts = records.iter().map(|record| record.text.as_str());
                segment.words = Some(write_words(&self.folder, &mut manifest, texts)?);
            }
            manifest.segments.push(segment);
        }
        self.commit(manifest)?;
        self.ids.extend(new);
        Ok(())
    }

    fn segment(&self, name: String, records: &[Record], vectors: &[f32]) -> Result<Segment> {
        let folder = self.folder.join(&name);
        let (mut lines, mut places) = (vec![], vec![0u64]);
        for record in records {
            let line = serde_json::to_vec(record);
            lines.extend(line.map_err(|e| IndexError::damaged(&folder, e.to_string()))?);
            lines.push(b'\n');
            places.push(lines.len() as u64);
        }
        let dim = self.manifest.model.dimension;
        let panels = pack_rows(vectors, dim);
        let bytes: [&[u8]; 3] = [
            bytemuck::cast_slice(&panels),
            &lines,
            bytemuck::cast_slice(&places),
        ];
        let files = write_files(&folder, FILES, bytes)?;
        let coarse = match CoarseRows::pack(vectors, dim) {
            None => None,
            Some(coarse) => {
                let path = folder.join(COARSE);
                write_new(&path, &coarse.parts().concat())?;
                Some(Written::of(&path)?)
            }
        };
        sync_folder(&folder)?;
        let rows = records.len();
        Ok(Segment {
            name,
            rows,
            files,
            coarse,
            words: None,
        })
    }

    /// Removes texts by their ids, all or none, and commits.
    ///
    /// # Errors
    /// [`IndexError::NoId`]; where a file cannot be read or written.
    pub fn remove(&mut self, ids: &[String]) -> Result<usize> {
        if let Some(id) = ids.iter().find(|id| !self.ids.contains(*id)) {
            return Err(IndexError::NoId(id.clone()));
        }
        let wanted: HashSet<&String> = ids.iter().collect();
        let index = Index::open(&self.folder)?;
        let mut rows = vec![];
        for record in index.records() {
            let (row, record) = record?;
            if index.rows().has(row) && wanted.contains(&record.id) {
                rows.push(row as u64);
            }
        }
        let mut manifest = self.manifest.clone();
        let name = format!("removed-{:06}.u64", manifest.next);
        manifest.next += 1;
        let path = self.folder.join(&name);
        write_new(&path, bytemuck::cast_slice(&rows))?;
        manifest.removed.push(Removed {
            name,
            rows: rows.len(),
            file: Written::of(&path)?,
        });
        self.commit(manifest)?;
        for id in wanted {
            self.ids.remove(id);
        }
        Ok(rows.len())
    }

    /// Adds the last texts of a build, as [`Writer::add`] does, and ends it.
    ///
    /// # Errors
    /// As [`Writer::add`].
    pub fn finish(&mut self, records: &[Record], vectors: &[f32], built: Made) -> Result<()> {
        let before = self.manifest.built.replace(built);
        let added = self.add(records, vectors, None);
        if added.is_err() {
            self.manifest.built = before;
        }
        added
    }

    /// Keeps the words of all texts, and of those that will be added, and commits. Returns
    /// how many texts had none before.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub fn keep_words(&mut self, mut step: impl FnMut(usize) -> Result<()>) -> Result<usize> {
        let index = Index::open(&self.folder)?;
        let mut manifest = self.manifest.clone();
        manifest.words = true;
        let (mut first, mut done) = (0, 0);
        for number in 0..manifest.segments.len() {
            let rows = first..first + manifest.segments[number].rows;
            first = rows.end;
            if manifest.segments[number].words.is_some() {
                continue;
            }
            step(done)?;
            done += rows.len();
            let texts: Result<Vec<String>> = rows.map(|row| Ok(index.record(row)?.text)).collect();
            let texts = texts?;
            let texts = texts.iter().map(String::as_str);
            let words = write_words(&self.folder, &mut manifest, texts)?;
            manifest.segments[number].words = Some(words);
            // What is done stays done.
            self.commit(manifest.clone())?;
        }
        self.commit(manifest)?;
        Ok(done)
    }

    /// Keeps the rows as a graph, and commits.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn keep_graph(&mut self, graph: &Graph) -> Result<()> {
        let mut manifest = self.manifest.clone();
        let name = format!("graph-{:06}", manifest.next);
        manifest.next += 1;
        let files = GraphFiles::write(&self.folder, name, graph, manifest.rows())?;
        manifest.graph = Some(files);
        self.commit(manifest)
    }

    /// Says what searches of the graph find, and commits.
    ///
    /// # Errors
    /// Where the manifest cannot be written.
    pub fn measured(&mut self, recall: Vec<Recall>) -> Result<()> {
        let mut manifest = self.manifest.clone();
        if let Some(graph) = &mut manifest.graph {
            graph.recall = recall;
        }
        self.commit(manifest)
    }

    fn commit(&mut self, manifest: Manifest) -> Result<()> {
        // The names of new files before the manifest that has them.
        sync_folder(&self.folder)?;
        manifest.write(&self.folder)?;
        self.manifest = manifest;
        Ok(())
    }
}

/// Writes the words of texts into a new file.
fn write_words<'a>(
    folder: &Path,
    manifest: &mut Manifest,
    texts: impl Iterator<Item = &'a str>,
) -> Result<NamedFile> {
    let name = format!("words-{:06}.bin", manifest.next);
    manifest.next += 1;
    let path = folder.join(&name);
    let bytes = Words::pack(texts).map_err(|e| IndexError::damaged(&path, e.to_string()))?;
    write_new(&path, &bytes)?;
    let file = Written::of(&path)?;
    Ok(NamedFile { name, file })
}

/// Writes files into a new folder, and brings them to the disk.
pub(super) fn write_files<const N: usize>(
    folder: &Path,
    names: [&str; N],
    parts: [&[u8]; N],
) -> Result<[Written; N]> {
    fs::create_dir(folder).map_err(IndexError::io(folder))?;
    let mut all = names.map(|_| Written::default());
    for ((name, bytes), written) in names.iter().zip(parts).zip(&mut all) {
        let path = folder.join(name);
        write_new(&path, bytes)?;
        *written = Written::of(&path)?;
    }
    sync_folder(folder)?;
    Ok(all)
}

/// Whether vectors of a model are like an index's.
pub(crate) fn check_model(folder: &Path, own: &ModelIdentity, other: &ModelIdentity) -> Result<()> {
    own.check(&other.name, &other.hash)?;
    if own.prompt != other.prompt {
        return Err(IndexError::Exists {
            path: folder.to_path_buf(),
            what: format!(
                "its texts stand behind the prompt {:?}, and new ones would behind {:?}; name the same prompt",
                own.prompt, other.prompt
            ),
        });
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let file = File::options().create(true).append(true).open(&path);
    let file = file.map_err(IndexError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(IndexError::Locked(folder.to_path_buf())),
        Err(TryLockError::Error(e)) => Err(IndexError::io(&path)(e)),
    }
}

/// Whether a name is one that writers give.
fn is_own(name: &str) -> bool {
    let number = |text: &str| text.len() >= 6 && text.bytes().all(|b| b.is_ascii_digit());
    let segment = name.strip_prefix('s').is_some_and(number);
    let removed = name
        .strip_prefix("removed-")
        .and_then(|n| n.strip_suffix(".u64"));
    // Cells are those of earlier versions.
    let mut others = ["graph-", "cells-"].into_iter();
    let other = others.any(|prefix| name.strip_prefix(prefix).is_some_and(number));
    let words = name
        .strip_prefix("words-")
        .and_then(|n| n.strip_suffix(".bin"));
    segment
        || other
        || words.is_some_and(number)
        || removed.is_some_and(number)
        || [LOCK, "index.new"].contains(&name)
}

/// Removes what writers that were killed left: files of their names that no manifest has.
fn sweep(folder: &Path, manifest: &Manifest) -> Result<()> {
    let segments = manifest.segments.iter().map(|s| s.name.as_str());
    let removed = manifest.removed.iter().map(|r| r.name.as_str());
    let graph = manifest.graph.iter().map(|graph| graph.name.as_str());
    let words = manifest.segments.iter().filter_map(|s| s.words.as_ref());
    let words = words.map(|words| words.name.as_str());
    let kept: HashSet<&str> = segments
        .chain(removed)
        .chain(graph)
        .chain(words)
        .chain([LOCK])
        .collect();
    for entry in fs::read_dir(folder).map_err(IndexError::io(folder))? {
        let entry = entry.map_err(IndexError::io(folder))?;
        let name = entry.file_name();
        let swept = name
            .to_str()
            .is_some_and(|n| is_own(n) && !kept.contains(n));
        if !swept {
            continue;
        }
        let path = entry.path();
        let gone = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        match gone {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(IndexError::io(&path)(e)),
            _ => {}
        }
    }
    Ok(())
}
