//! A teacher's vectors in files.

use crate::format::content::{content_key, text_key};
use crate::models::{ModelFolder, SentenceEncoder, inputs_at_a_time};
use crate::util::{Observer, check_cancelled};
use crate::{Embeddings, Error, Result};
use gradus_kernels::Backend;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A text by its number among those of whoever asks.
pub type Numbered<'a> = (u32, &'a str);

/// The vectors of some texts, read from a file row by row: memory does not grow
/// with the width of a vector.
///
/// A teacher's vectors lie in a folder that is named after a hash of the model's
/// files, so that it is found again by whoever asks the same model, and never by
/// others. `vectors.f32` holds the rows as little-endian f32 and nothing else,
/// `texts.sha256` the hash of the text of each row. Both only grow: texts that
/// are not there are appended, rows before hashes, so that work that was
/// interrupted goes on behind its last whole row.
#[derive(Debug)]
pub struct TeacherVectors {
    file: Mutex<File>,
    path: PathBuf,
    dim: usize,
    /// The row of each text that was asked for.
    rows: HashMap<u32, u64>,
}

/// Where vectors are kept by default: `gradus/teachers` in the user's cache
/// folder (`$XDG_CACHE_HOME`, else `~/.cache`).
pub fn cache_folder() -> PathBuf {
    let var = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = var("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let cache = cache.or_else(|| Some(var("HOME")?.join(".cache")));
    let cache = cache.unwrap_or_else(|| PathBuf::from(".cache"));
    cache.join("gradus").join("teachers")
}

/// Texts that are encoded between two writes.
const CHUNK: usize = 1024;

/// Bytes of a text's hash.
const KEY: usize = 32;

impl TeacherVectors {
    /// Finds the vectors of `texts` by the model in `model`, or computes what
    /// is missing of them.
    ///
    /// # Errors
    /// Those of loading the model; [`Error::Io`].
    pub fn prepare<B: Backend>(
        model: &Path,
        backend: Arc<B>,
        texts: &[Numbered<'_>],
        cache: &Path,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let store = Store::of(model, &backend.arithmetic(), cache)?;
        let keys: Vec<_> = texts.iter().map(|(_, text)| text_key(text)).collect();
        let name = model.display();
        let mut there = store.read()?;
        if keys.iter().all(|key| there.contains_key(key)) {
            observer.note(&format!(
                "teacher {name}: vectors found for {} texts in {}",
                texts.len(),
                store.folder.display()
            ));
        } else {
            let encoder = SentenceEncoder::load_beside(model, backend)?;
            store.extend(&encoder, &name.to_string(), (texts, &keys), observer)?;
            there = store.read()?;
        }
        let path = store.vectors();
        let rows = texts.iter().zip(&keys);
        let rows = rows.filter_map(|((number, _), key)| Some((*number, *there.get(key)?)));
        Ok(Self {
            file: Mutex::new(File::open(&path).map_err(Error::io(&path))?),
            rows: rows.collect(),
            path,
            dim: store.dim,
        })
    }

    /// How many of `texts` [`prepare`](Self::prepare) would have to encode.
    ///
    /// # Errors
    /// Those of a model that is none; [`Error::Io`].
    pub fn missing<B: Backend>(
        model: &Path,
        backend: &B,
        texts: &[Numbered<'_>],
        cache: &Path,
    ) -> Result<usize> {
        let there = Store::of(model, &backend.arithmetic(), cache)?.read()?;
        let missing = |(_, text): &&Numbered<'_>| !there.contains_key(&text_key(text));
        Ok(texts.iter().filter(missing).count())
    }

    /// The width of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The vectors of some texts, by their numbers.
    ///
    /// # Errors
    /// [`Error::Io`], also where the file was cut meanwhile; [`Error::Internal`]
    /// for a text that was not asked for.
    pub fn gather(&self, texts: &[u32]) -> Result<Embeddings> {
        let mut file = self.file.lock().unwrap_or_else(|e| e.into_inner());
        let mut row = vec![0u8; 4 * self.dim];
        let mut values = Vec::with_capacity(texts.len() * self.dim);
        for text in texts {
            let place = self.rows.get(text);
            let place = place.ok_or_else(|| {
                Error::Internal(format!("the teacher was not asked for text {text}"))
            })?;
            let at = place * row.len() as u64;
            file.seek(SeekFrom::Start(at))
                .and_then(|_| file.read_exact(&mut row))
                .map_err(Error::io(&self.path))?;
            let (words, _) = row.as_chunks::<4>();
            values.extend(words.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        }
        Ok(Embeddings::new(self.dim, values))
    }
}

/// The files of one model's vectors.
struct Store {
    folder: PathBuf,
    dim: usize,
}

impl Store {
    fn of(model: &Path, arithmetic: &str, cache: &Path) -> Result<Self> {
        let described = ModelFolder::open(model)?;
        let dim = described.modules.out_width(described.config.hidden_size);
        let folder = cache.join(content_key(model, arithmetic)?);
        Ok(Self { folder, dim })
    }

    fn vectors(&self) -> PathBuf {
        self.folder.join("vectors.f32")
    }

    fn texts(&self) -> PathBuf {
        self.folder.join("texts.sha256")
    }

    /// The row of each text whose vector is whole.
    fn read(&self) -> Result<HashMap<[u8; KEY], u64>> {
        let path = self.texts();
        let keys = match std::fs::read(&path) {
            Ok(keys) => keys,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
            Err(e) => return Err(Error::io(&path)(e)),
        };
        let (keys, _) = keys.as_chunks::<KEY>();
        let length = std::fs::metadata(self.vectors()).map_or(0, |m| m.len());
        let whole = length / (4 * self.dim as u64).max(1);
        Ok(keys.iter().copied().zip(0..whole).collect())
    }

    /// Encodes those of some texts that are not there, and appends them.
    fn extend<B: Backend>(
        &self,
        encoder: &SentenceEncoder<B>,
        name: &str,
        (texts, keys): (&[Numbered<'_>], &[[u8; KEY]]),
        observer: &mut dyn Observer,
    ) -> Result<()> {
        if encoder.dim() != self.dim {
            let (found, wanted) = (encoder.dim(), self.dim);
            return Err(Error::Internal(format!(
                "teacher {name}: vectors of {found} values where its files say {wanted}"
            )));
        }
        std::fs::create_dir_all(&self.folder).map_err(Error::io(&self.folder))?;
        let (vectors_path, texts_path) = (self.vectors(), self.texts());
        let mut key_file = open(&texts_path)?;
        // Two that append at once would write into each other's rows.
        key_file.lock().map_err(Error::io(&texts_path))?;
        let mut vector_file = open(&vectors_path)?;
        // Whoever was waited for may have added some.
        let mut there = self.read()?;
        let whole = there.values().max().map_or(0, |last| last + 1);
        for (file, path, row) in [
            (&mut vector_file, &vectors_path, 4 * self.dim),
            (&mut key_file, &texts_path, KEY),
        ] {
            file.set_len(whole * row as u64)
                .and_then(|()| file.seek(SeekFrom::End(0)))
                .map_err(Error::io(path))?;
        }
        let mut missing = Vec::new();
        for ((_, text), key) in texts.iter().zip(keys) {
            // A text that comes twice has one row.
            if there.insert(*key, 0).is_none() {
                missing.push((*text, key));
            }
        }
        let total = missing.len() as u64;
        let what = format!("teacher {name}: encoding");
        observer.progress(&what, 0, total);
        let mut done = 0;
        for chunk in missing.chunks(inputs_at_a_time(encoder.backend(), CHUNK)) {
            check_cancelled(observer, "encoding a teacher's texts")?;
            let chunk_texts: Vec<&str> = chunk.iter().map(|(text, _)| *text).collect();
            let vectors = encoder.encode(&chunk_texts)?;
            let values = vectors.as_slice().iter();
            let bytes: Vec<u8> = values.flat_map(|v| v.to_le_bytes()).collect();
            let written = vector_file.write_all(&bytes);
            written
                .and_then(|()| vector_file.sync_data())
                .map_err(Error::io(&vectors_path))?;
            let bytes: Vec<u8> = chunk.iter().flat_map(|(_, key)| **key).collect();
            key_file.write_all(&bytes).map_err(Error::io(&texts_path))?;
            done += chunk.len() as u64;
            observer.progress(&what, done, total);
        }
        key_file.sync_data().map_err(Error::io(&texts_path))
    }
}

fn open(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::Silent;
    use gradus_kernels::cpu::Cpu;

    const TEXTS: [&str; 4] = ["a dog", "a cat is in the park", "the old man", "a man"];

    fn model() -> PathBuf {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.join("tests/fixtures/models/bert-small")
    }

    /// Counts the texts that are encoded.
    #[derive(Default)]
    struct Counted(u64);

    impl Observer for Counted {
        fn progress(&mut self, _what: &str, _done: u64, total: u64) {
            self.0 = total;
        }
    }

    fn numbered(numbers: &[u32]) -> Vec<Numbered<'static>> {
        numbers.iter().map(|&n| (n, TEXTS[n as usize])).collect()
    }

    /// The vectors of texts by their numbers, and how many were encoded.
    fn prepare(cache: &Path, numbers: &[u32]) -> (TeacherVectors, u64) {
        let texts = numbered(numbers);
        let missing = TeacherVectors::missing(&model(), &Cpu::new(1), &texts, cache).unwrap();
        let mut counted = Counted::default();
        let backend = Cpu::new(1).into();
        let vectors = TeacherVectors::prepare(&model(), backend, &texts, cache, &mut counted);
        assert_eq!(counted.0, missing as u64);
        (vectors.unwrap(), counted.0)
    }

    fn are_the_models(vectors: &TeacherVectors, numbers: &[u32]) {
        let encoder = SentenceEncoder::load(model(), Cpu::new(1)).unwrap();
        let direct = encoder.encode(&TEXTS).unwrap();
        let found = vectors.gather(numbers).unwrap();
        for (row, number) in numbers.iter().enumerate() {
            assert_eq!(found.row(row), direct.row(*number as usize), "{number}");
        }
    }

    #[test]
    fn subsets_extend_each_other_and_are_never_mixed_up() {
        let cache = tempfile::tempdir().unwrap();
        for (numbers, encoded) in [
            (&[2][..], 1),
            (&[0, 2], 1),
            (&[2, 0], 0),
            (&[3, 2, 1, 0], 2),
            (&[1], 0),
        ] {
            let (vectors, missing) = prepare(cache.path(), numbers);
            assert_eq!(missing, encoded, "{numbers:?}");
            are_the_models(&vectors, numbers);
            let other = (0..4).find(|n| !numbers.contains(n));
            assert!(other.is_none_or(|n| vectors.gather(&[n]).is_err()));
        }
        // The same texts under other numbers are the same texts.
        let turned: Vec<Numbered<'_>> = vec![(7, TEXTS[3]), (9, TEXTS[0]), (8, TEXTS[3])];
        let backend: Arc<Cpu> = Cpu::new(1).into();
        let turned =
            TeacherVectors::prepare(&model(), backend, &turned, cache.path(), &mut Silent).unwrap();
        let (whole, _) = prepare(cache.path(), &[0, 1, 2, 3]);
        let rows = |v: &TeacherVectors, n: &[u32]| v.gather(n).unwrap().into_vec();
        assert_eq!(rows(&turned, &[7, 9, 8]), rows(&whole, &[3, 0, 3]));
    }

    #[test]
    fn interrupted_work_goes_on_behind_its_last_whole_row() {
        let cache = tempfile::tempdir().unwrap();
        let (vectors, _) = prepare(cache.path(), &[0, 1, 2]);
        let keys = vectors.path.with_file_name("texts.sha256");
        let whole = (
            std::fs::read(&vectors.path).unwrap(),
            std::fs::read(&keys).unwrap(),
        );
        let row = whole.0.len() / 3;
        // The rows come before their hashes; a disk may have lost either.
        for (rows, hashes) in [
            (0, 0),
            (1, 0),
            (row + 5, KEY),
            (3 * row, KEY),
            (3 * row, 2 * KEY + 7),
            (2 * row, 3 * KEY),
            (0, 3 * KEY),
        ] {
            std::fs::write(&vectors.path, &whole.0[..rows]).unwrap();
            std::fs::write(&keys, &whole.1[..hashes]).unwrap();
            let (again, _) = prepare(cache.path(), &[0, 1, 2]);
            are_the_models(&again, &[0, 1, 2]);
            assert_eq!(
                std::fs::read(&again.path).unwrap(),
                whole.0,
                "{rows} {hashes}"
            );
            assert_eq!(std::fs::read(&keys).unwrap(), whole.1, "{rows} {hashes}");
        }
    }
}
