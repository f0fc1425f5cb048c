//! How a model was trained, as far as scores of it must be read with it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{is_there, read_json};
use crate::Result;

/// What a model's folder says of its training.
const FILE: &str = "gradus_training.json";

/// The training runs behind a model.
///
/// Overlap is not forgotten by training on: the runs of the model that a run
/// began with are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The runs, the last one first.
    pub runs: Vec<TrainingRun>,
}

/// One training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingRun {
    /// The model that it began with.
    pub model: String,
    /// What everything random was drawn from.
    pub seed: u64,
    /// How the model was chosen; absent where the last one was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
    /// What the training data shares with each evaluation set.
    pub overlap: Vec<SetOverlap>,
    /// Evaluation sets that were not at hand to be compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
}

/// How a model was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// The dev set.
    pub dev: String,
    /// What was measured on it.
    pub metric: String,
    /// Its value, in -1..1.
    pub score: f64,
    /// The stage.
    pub stage: String,
    /// The optimizer step in the stage.
    pub step: u64,
}

/// What training data shares with one evaluation set, by the words of texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetOverlap {
    /// The set.
    pub set: String,
    /// Its pairs.
    pub pairs: usize,
    /// Those that are training pairs.
    pub shared_pairs: usize,
    /// Its different sentences.
    pub sentences: usize,
    /// Those that stand in training pairs.
    pub shared_sentences: usize,
}

impl Provenance {
    /// Reads what a model's folder says; nothing where it says nothing.
    ///
    /// # Errors
    /// [`ModelError`](super::ModelError) where the file is damaged.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        if !is_there(&path)? {
            return Ok(Self::default());
        }
        let read = serde_json::from_value(read_json(&path)?);
        read.map_err(|e| {
            let message = format!("{e}; remove the file if you can do without it");
            super::ModelError::Config { path, message }.into()
        })
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.runs.is_empty()
    }

    /// The file's name and text, for the folder of a model.
    pub(crate) fn file(&self) -> Result<Option<(&'static str, String)>> {
        if self.is_unknown() {
            return Ok(None);
        }
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| crate::Error::Internal(format!("{FILE}: {e}")))?;
        Ok(Some((FILE, text)))
    }

    /// What a reader of the model's scores must know, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (age, run) in self.runs.iter().enumerate() {
            let who = match age {
                0 => "trained".to_string(),
                _ => format!("before that, from {}, trained", run.model),
            };
            let chosen = match &run.selection {
                Some(s) => format!("chosen by the {} on {}", s.metric, s.dev),
                None => "the last model taken, none chosen".to_string(),
            };
            notes.push(format!("{who} with seed {}, {chosen}", run.seed));
            let shared = run.overlap.iter().filter(|set| set.shared_pairs > 0);
            let shared: Vec<String> = shared
                .map(|s| format!("{} ({} of {} pairs)", s.set, s.shared_pairs, s.pairs))
                .collect();
            let compared: Vec<&str> = run.overlap.iter().map(|s| s.set.as_str()).collect();
            if !shared.is_empty() {
                let sets = shared.join(", ");
                notes.push(format!(
                    "its training data holds pairs of {sets}: scores on these sets are inflated"
                ));
            } else if !compared.is_empty() {
                let sets = compared.join(", ");
                notes.push(format!("its training data holds no pair of {sets}"));
            }
            if !run.not_compared.is_empty() {
                let sets = run.not_compared.join(", ");
                notes.push(format!(
                    "whether its training data holds pairs of {sets} is not known: they were not in the data folder"
                ));
            }
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_told_and_not_forgotten() {
        let overlap = |shared_pairs| SetOverlap {
            set: "STS12".into(),
            pairs: 3108,
            shared_pairs,
            sentences: 4960,
            shared_sentences: 3,
        };
        let run = |seed, shared| TrainingRun {
            model: "base".into(),
            seed,
            selection: None,
            overlap: vec![overlap(shared)],
            not_compared: vec!["SICK-R".into()],
        };
        let mut provenance = Provenance {
            runs: vec![run(2, 0), run(1, 1003)],
        };
        provenance.runs[0].selection = Some(Selection {
            dev: "stsb/dev".into(),
            metric: "Spearman correlation of the cosines".into(),
            score: 0.9,
            stage: "tune".into(),
            step: 3,
        });
        let notes = provenance.notes().join("\n");
        for part in [
            "trained with seed 2, chosen by the Spearman correlation of the cosines on stsb/dev",
            "its training data holds no pair of STS12",
            "before that, from base, trained with seed 1, the last model taken",
            "holds pairs of STS12 (1003 of 3108 pairs): scores on these sets are inflated",
            "pairs of SICK-R is not known",
        ] {
            assert!(notes.contains(part), "{part} not in: {notes}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Provenance::load(folder.path()).unwrap().runs, []);
        let (name, text) = provenance.file().unwrap().unwrap();
        std::fs::write(folder.path().join(name), &text).unwrap();
        assert_eq!(Provenance::load(folder.path()).unwrap(), provenance);
        std::fs::write(folder.path().join(name), &text[1..]).unwrap();
        let error = Provenance::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("gradus_training.json"), "{error}");
    }
}
