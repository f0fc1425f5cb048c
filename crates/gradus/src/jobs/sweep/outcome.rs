//! What a finished cell leaves behind.

use crate::eval::{Aggregated, SuiteScores};
use crate::training::TrainError;
use crate::util::atomic::write_bytes;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The run of a recipe with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Spearman's correlation on the dev set of the model that was kept; absent
    /// without a dev set, and where the run failed.
    pub dev: Option<f64>,
    /// The same before training.
    pub dev_before: Option<f64>,
    /// Why the run came to nothing, where it did: its loss was no number.
    pub failure: Option<String>,
    /// Seconds of training.
    pub seconds: f64,
    /// Scores on tasks that chose nothing.
    pub test: Option<TestScores>,
}

/// The scores of a cell, with what they were computed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestScores {
    /// The scores.
    pub scores: SuiteScores,
    /// The cosines of each task's pairs, in the order of
    /// [`EvalTask::iter`](crate::eval::EvalTask::iter).
    pub similarities: Vec<Vec<f64>>,
}

impl TestScores {
    /// The scores on some of the tasks, by name, and their average; `None` where
    /// one is missing.
    pub fn only(&self, names: &[&str]) -> Option<Self> {
        let place = |name: &&str| self.scores.tasks.iter().position(|t| t.name == **name);
        let places = names.iter().map(place).collect::<Option<Vec<_>>>()?;
        let tasks: Vec<_> = places
            .iter()
            .map(|&t| self.scores.tasks[t].clone())
            .collect();
        let similarities = places.iter().map(|&t| self.similarities.get(t).cloned());
        Some(Self {
            similarities: similarities.collect::<Option<_>>()?,
            scores: SuiteScores {
                average: Aggregated::average(&tasks),
                tasks,
                ..self.scores.clone()
            },
        })
    }
}

impl Outcome {
    const FILE: &str = "outcome.json";

    /// Reads the outcome of the run in `folder`; `None` where there is none
    /// yet.
    ///
    /// # Errors
    /// [`Error::Io`]; [`TrainError::Folder`] for a file that is no outcome.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(Self::FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(&path)(e)),
        };
        let outcome = serde_json::from_str(&text).map_err(|e| TrainError::Folder {
            path,
            message: format!("no outcome of a run ({e}); remove the file to run the cell again"),
        })?;
        Ok(Some(outcome))
    }

    /// Writes it into the run's folder: from now on the cell is finished.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).map_err(|e| Error::Internal(e.to_string()))?;
        write_bytes(&folder.join(Self::FILE), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_read_back_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Outcome::read(folder.path()).unwrap(), None);
        let outcome = Outcome {
            seed: 3,
            dev: Some(0.1 + 0.2),
            dev_before: None,
            failure: None,
            seconds: 1.5,
            test: None,
        };
        outcome.write(folder.path()).unwrap();
        assert_eq!(Outcome::read(folder.path()).unwrap(), Some(outcome));
        std::fs::write(folder.path().join(Outcome::FILE), "{\"seed\":").unwrap();
        let error = Outcome::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("run the cell again"), "{error}");
    }
}
