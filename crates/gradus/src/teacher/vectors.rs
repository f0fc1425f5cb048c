//! A teacher's vectors in a file.

use super::content::content_key;
use crate::model::{EncodeOptions, SentenceEncoder};
use crate::train::{Observer, check_cancelled};
use crate::{Embeddings, Error, Result};
use gradus_kernels::Backend;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The vectors of some texts, read from a file row by row: memory does not grow
/// with the number of texts.
///
/// The file is named after a hash of the model's files and the texts, so that
/// it is found again by whoever needs the same vectors, and never by others.
/// It holds the rows as little-endian f32 and nothing else. Until it is whole
/// it has another name and is appended to; work that was interrupted goes on
/// behind its last whole row.
#[derive(Debug)]
pub struct TeacherVectors {
    file: Mutex<File>,
    path: PathBuf,
    dim: usize,
}

/// Where vectors are kept unless told: `gradus/teachers` in the user's cache
/// folder (`$XDG_CACHE_HOME`, else `~/.cache`).
pub fn cache_folder() -> PathBuf {
    let var = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = var("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let cache = cache.or_else(|| Some(var("HOME")?.join(".cache")));
    let cache = cache.unwrap_or_else(|| PathBuf::from(".cache"));
    cache.join("gradus").join("teachers")
}

/// Texts that are encoded between two writes.
const CHUNK: usize = 4096;
/// How often long work tells how far it is.
const BETWEEN_NOTES: Duration = Duration::from_secs(15);

impl TeacherVectors {
    /// Finds the vectors of `texts` by the model in `model`, or computes what
    /// is missing of them.
    ///
    /// # Errors
    /// Those of loading the model; [`Error::Io`].
    pub fn prepare<B: Backend>(
        model: &Path,
        backend: Arc<B>,
        texts: &[&str],
        cache: &Path,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let name = model.display();
        let key = content_key(model, texts, &backend.arithmetic())?;
        let path = cache.join(format!("{key}.f32"));
        // Cheap beside the weights, and needed to know the width.
        let encoder = SentenceEncoder::load_beside(model, backend)?;
        let dim = encoder.dim();
        let whole = (4 * dim * texts.len()) as u64;
        let there = std::fs::metadata(&path).is_ok_and(|m| m.len() == whole);
        if there {
            observer.note(&format!(
                "teacher {name}: vectors found in {}",
                path.display()
            ));
        } else {
            std::fs::create_dir_all(cache).map_err(Error::io(cache))?;
            // One of another length was damaged.
            let _ = std::fs::remove_file(&path);
            compute(&encoder, &name.to_string(), texts, &path, observer)?;
        }
        let file = File::open(&path).map_err(Error::io(&path))?;
        Ok(Self {
            file: Mutex::new(file),
            path,
            dim,
        })
    }

    /// The width of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The vectors of some texts, by their places among all.
    ///
    /// # Errors
    /// [`Error::Io`], also where the file was cut meanwhile.
    pub fn gather(&self, texts: &[u32]) -> Result<Embeddings> {
        let mut file = self.file.lock().unwrap_or_else(|e| e.into_inner());
        let mut row = vec![0u8; 4 * self.dim];
        let mut values = Vec::with_capacity(texts.len() * self.dim);
        for &text in texts {
            let at = u64::from(text) * row.len() as u64;
            file.seek(SeekFrom::Start(at))
                .and_then(|_| file.read_exact(&mut row))
                .map_err(Error::io(&self.path))?;
            let (words, _) = row.as_chunks::<4>();
            values.extend(words.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        }
        Ok(Embeddings::new(self.dim, values))
    }
}

/// Encodes the texts that the unfinished file lacks, and gives it its name.
fn compute<B: Backend>(
    encoder: &SentenceEncoder<B>,
    name: &str,
    texts: &[&str],
    path: &Path,
    observer: &mut dyn Observer,
) -> Result<()> {
    let part = path.with_extension("part");
    let open = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&part);
    let mut file = open.map_err(Error::io(&part))?;
    // Two that compute the same at once would write into each other's rows.
    file.lock().map_err(Error::io(&part))?;
    if path.exists() {
        // The one that was waited for has finished.
        return Ok(());
    }
    let row = 4 * encoder.dim() as u64;
    let length = file.metadata().map_err(Error::io(&part))?.len();
    let done = (length / row.max(1)).min(texts.len() as u64);
    file.set_len(done * row)
        .and_then(|()| file.seek(SeekFrom::End(0)))
        .map_err(Error::io(&part))?;
    let mut done = done as usize;
    observer.note(&format!(
        "teacher {name}: encoding {} texts once",
        texts.len() - done
    ));
    let mut noted = Instant::now();
    for chunk in texts[done..].chunks(CHUNK) {
        check_cancelled(observer, "encoding a teacher's texts")?;
        let vectors = encoder.encode(chunk, EncodeOptions::default())?;
        let values = vectors.as_slice().iter();
        let bytes: Vec<u8> = values.flat_map(|v| v.to_le_bytes()).collect();
        file.write_all(&bytes).map_err(Error::io(&part))?;
        done += chunk.len();
        if noted.elapsed() >= BETWEEN_NOTES {
            noted = Instant::now();
            observer.note(&format!("teacher {name}: {done} of {} texts", texts.len()));
        }
    }
    file.sync_all()
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Silent;
    use gradus_kernels::cpu::Cpu;

    fn model() -> PathBuf {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.join("tests/fixtures/models/bert-small")
    }

    fn prepare(cache: &Path, texts: &[&str]) -> TeacherVectors {
        TeacherVectors::prepare(&model(), Cpu::new(1).into(), texts, cache, &mut Silent).unwrap()
    }

    #[test]
    fn vectors_are_those_of_the_model_and_are_found_again() {
        let cache = tempfile::tempdir().unwrap();
        let texts = ["a dog", "a cat is in the park", "the old man"];
        let vectors = prepare(cache.path(), &texts);
        let encoder = SentenceEncoder::load(model(), Cpu::new(1)).unwrap();
        let direct = encoder.encode(&texts, EncodeOptions::default()).unwrap();
        let some = vectors.gather(&[2, 0, 2]).unwrap();
        for (row, text) in [2, 0, 2].into_iter().enumerate() {
            assert_eq!(some.row(row), direct.row(text));
        }
        let written = |path: &Path| std::fs::metadata(path).unwrap().modified().unwrap();
        let before = written(&vectors.path);
        assert_eq!(written(&prepare(cache.path(), &texts).path), before);
        assert_ne!(prepare(cache.path(), &texts[..2]).path, vectors.path);
        assert!(vectors.gather(&[3]).is_err());
    }

    #[test]
    fn interrupted_work_goes_on_behind_its_last_whole_row() {
        let cache = tempfile::tempdir().unwrap();
        let texts = ["a dog", "a cat is in the park", "the old man"];
        let vectors = prepare(cache.path(), &texts);
        let whole = std::fs::read(&vectors.path).unwrap();
        for left in [0, 1, whole.len() / 3 + 5, whole.len() - 1, whole.len()] {
            std::fs::remove_file(&vectors.path).unwrap();
            std::fs::write(vectors.path.with_extension("part"), &whole[..left]).unwrap();
            let again = prepare(cache.path(), &texts);
            assert_eq!(std::fs::read(&again.path).unwrap(), whole, "{left}");
        }
        // A file that was cut is not taken for whole.
        std::fs::write(&vectors.path, &whole[..whole.len() / 2]).unwrap();
        let again = prepare(cache.path(), &texts);
        assert_eq!(std::fs::read(&again.path).unwrap(), whole);
    }
}
