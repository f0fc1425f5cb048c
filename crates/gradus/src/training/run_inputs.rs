//! What a run's numbers depend on besides its recipe and training rows.

use super::TrainError;
use crate::Result;
use crate::data::GradedPair;
use crate::format::model_key;
use crate::util::content_hash::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The hash of each input, by what it is to the run: a run that goes on with
/// another one would compare numbers of different things.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunInputs(BTreeMap<String, String>);

impl RunInputs {
    /// With the model that the run begins with, and all folders of other models
    /// that it reads.
    pub(crate) fn of_models(start: &Path, others: &BTreeMap<String, PathBuf>) -> Result<Self> {
        let mut inputs = Self::default();
        inputs.add("the model that it began with", model_key(start)?);
        for (name, folder) in others {
            inputs.add(&format!("the model {name}"), model_key(folder)?);
        }
        Ok(inputs)
    }

    /// With a set of graded pairs, by whose `scale` positives are chosen.
    pub(crate) fn with_pairs(
        mut self,
        what: &str,
        pairs: &[GradedPair],
        scale: Option<(f64, f64)>,
    ) -> Self {
        let mut hash = Sha256::new();
        for pair in pairs {
            for text in [&pair.first, &pair.second] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
            hash.update(pair.label.to_le_bytes());
        }
        let (low, high) = scale.unwrap_or((f64::NAN, f64::NAN));
        hash.update(low.to_le_bytes());
        hash.update(high.to_le_bytes());
        self.add(what, hex(hash.finalize()));
        self
    }

    pub(crate) fn add(&mut self, what: &str, hash: String) {
        self.0.insert(what.to_owned(), hash);
    }

    /// Makes sure that what a checkpoint was made with is what is there now.
    /// Checkpoints of earlier versions do not say.
    ///
    /// # Errors
    /// [`TrainError::Folder`], which names what changed.
    pub(crate) fn check(&self, of_checkpoint: &Self, run: &Path) -> Result<()> {
        let changed = |(what, hash): (&String, &String)| match self.0.get(what) {
            Some(now) if now == hash => None,
            _ => Some(what.clone()),
        };
        match of_checkpoint.0.iter().find_map(changed) {
            None => Ok(()),
            Some(what) => Err(TrainError::Folder {
                path: run.to_path_buf(),
                message: format!(
                    "{what} changed since this run began; restore it, or start a new run"
                ),
            }
            .into()),
        }
    }
}
