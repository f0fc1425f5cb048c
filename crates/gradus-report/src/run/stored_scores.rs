//! What a model says of every pair, and keeping that for the next report.

use gradus::data::{GradedPair, Loaded};
use gradus::eval::{PairScorer, PairScores, Similarity, Suite};
use gradus::format::content_key;
use gradus::nn::Features;
use gradus::output::Unfinished;
use gradus::util::content_hash::ContentHash;
use gradus::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The pairs that a run selected by.
#[derive(Debug, Clone)]
pub struct DevPairs {
    /// What they are called.
    pub name: String,
    /// The pairs.
    pub pairs: Vec<GradedPair>,
    /// The lowest and the highest grade.
    pub scale: (f64, f64),
}

impl DevPairs {
    /// The pairs of a source.
    pub fn new(name: String, loaded: Loaded) -> Self {
        let labels = || loaded.pairs.iter().map(|p| p.label);
        let low = labels().fold(f64::INFINITY, f64::min);
        let high = labels().fold(f64::NEG_INFINITY, f64::max);
        Self {
            name,
            scale: loaded.scale.unwrap_or((low, high)),
            pairs: loaded.pairs,
        }
    }

    /// Their grades.
    pub fn grades(&self) -> Vec<f64> {
        self.pairs.iter().map(|p| p.label).collect()
    }
}

/// A model's raw scores of all pairs that a report looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredScores {
    /// What it was computed on.
    pub backend: String,
    /// What the model's head sees, where it has one.
    pub head: Option<Features>,
    /// Of each task of the suite.
    pub tasks: Vec<PairScores>,
    /// Of the dev set.
    pub dev: PairScores,
}

impl StoredScores {
    /// What the model's raw numbers are.
    pub fn similarity(&self) -> Similarity {
        self.dev.similarity
    }
}

/// Scores all pairs; every different text is embedded once. `head` is what the head
/// of the model sees, where it has one.
///
/// # Errors
/// Those of the scorer.
pub fn score_pairs(
    scorer: &dyn PairScorer,
    head: Option<Features>,
    backend: String,
    suite: &Suite,
    dev: Option<&DevPairs>,
) -> Result<StoredScores> {
    let of_dev = dev.iter().flat_map(|dev| &dev.pairs);
    let all = suite
        .tasks
        .iter()
        .flat_map(|task| task.iter())
        .chain(of_dev);
    let all = all.map(|p| (p.first.as_str(), p.second.as_str()));
    let scores = scorer.score_pairs(&all.collect::<Vec<_>>())?;
    let similarity = scores.similarity;
    let mut raw = scores.raw.into_iter();
    let mut grades = scores.grades.map(Vec::into_iter);
    let mut next = |pairs: usize| PairScores {
        similarity,
        raw: raw.by_ref().take(pairs).collect(),
        grades: grades.as_mut().map(|g| g.by_ref().take(pairs).collect()),
        notes: vec![],
    };
    Ok(StoredScores {
        backend,
        head,
        tasks: suite.tasks.iter().map(|task| next(task.pairs())).collect(),
        dev: next(dev.map_or(0, |dev| dev.pairs.len())),
    })
}

/// Names what stored scores depend on: the model's files, the pairs and the
/// `numbers` that it is computed in.
///
/// # Errors
/// [`Error::Io`].
pub fn key(model: &Path, numbers: &str, suite: &Suite, dev: Option<&DevPairs>) -> Result<String> {
    let mut hash = ContentHash::default();
    hash.part(env!("CARGO_PKG_VERSION"));
    let of_dev = dev.iter().flat_map(|dev| &dev.pairs);
    for pair in suite
        .tasks
        .iter()
        .flat_map(|task| task.iter())
        .chain(of_dev)
    {
        hash.part(&pair.first);
        hash.part(&pair.second);
    }
    for task in &suite.tasks {
        hash.part(format!("{} {}", task.name, task.pairs()));
    }
    hash.part(content_key(model, numbers)?);
    Ok(hash.finish())
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    key: String,
    // Earlier versions wrote it under another name.
    #[serde(alias = "judgement")]
    scores: T,
}

/// The stored scores at `path`, if it is of the same `key`.
pub fn read_scores(path: &Path, key: &str) -> Option<StoredScores> {
    let text = std::fs::read(path).ok()?;
    let stored: Stored<StoredScores> = serde_json::from_slice(&text).ok()?;
    (stored.key == key).then_some(stored.scores)
}

/// Stores scores at `path`.
///
/// # Errors
/// [`Error::Io`].
pub fn write_scores(path: &Path, key: &str, scores: &StoredScores) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    }
    let key = key.to_owned();
    let text = serde_json::to_vec(&Stored { key, scores });
    let text = text.map_err(|e| Error::Internal(e.to_string()))?;
    let is_own = |there: Vec<u8>| serde_json::from_slice::<Stored<StoredScores>>(&there).is_ok();
    if std::fs::read(path).is_ok_and(|there| !there.is_empty() && !is_own(there)) {
        // Somebody else's file.
        return Err(Error::io(path)(std::io::ErrorKind::AlreadyExists.into()));
    }
    // A report beside this one may be reading.
    let fresh = Unfinished::beside(path);
    std::fs::write(fresh.path(), text).map_err(Error::io(fresh.path()))?;
    fresh.commit(path).map_err(Error::io(path))
}
