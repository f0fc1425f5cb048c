//! Checkpoints: everything a run needs to go on, in one file.

use super::{Optimizer, RunInputs, TrainError};
use crate::util::atomic::Unfinished;
use crate::util::tensor_writer;
use crate::util::tensor_writer::Tensor;
use crate::{Error, Result};
use gradus_kernels::Backend;
use safetensors::Dtype;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A run's counters at a checkpoint. Orders, dropout masks and rates are
/// functions of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct State {
    /// The stage under way.
    pub stage: usize,
    /// Optimizer steps done in it.
    pub step: u64,
    /// The best dev score (Spearman) in this stage so far.
    pub best: Option<f64>,
    /// The step it was reached at.
    pub best_step: u64,
    /// Evaluations since.
    pub stale: u32,
    /// The dev score before the first stage.
    pub initial: Option<f64>,
    /// The dev score before the stage under way.
    #[serde(default)]
    pub stage_initial: Option<f64>,
    /// Steps of it whose gradient was exactly zero.
    #[serde(default)]
    pub zero_steps: u64,
    /// Length of `metrics.jsonl`.
    pub metrics_len: u64,
    /// Length of the events for TensorBoard; 0 where none were written.
    #[serde(default)]
    pub events_len: u64,
    /// Ties the checkpoint to the recipe's data.
    pub fingerprint: String,
    /// Ties it to all else that the run reads.
    #[serde(default)]
    pub inputs: RunInputs,
}

/// A run's values and counters at one moment.
pub struct Checkpoint {
    /// The counters.
    pub state: State,
    /// Model parameters, moments; head parameters, moments; the same of a
    /// discriminator, empty where there is none.
    values: [Vec<f32>; 9],
}

const NAMES: [&str; 9] = [
    "parameters",
    "first_moment",
    "second_moment",
    "head",
    "head_first_moment",
    "head_second_moment",
    "discriminator",
    "discriminator_first_moment",
    "discriminator_second_moment",
];

/// Those from here on are in a file only where there are any.
const OPTIONAL: usize = 6;

/// How many checkpoints are kept: a spare one, should a disk damage the last.
const KEPT: usize = 2;

impl Checkpoint {
    /// Takes a copy of a run's values.
    pub fn take<B: Backend>(
        state: State,
        backend: &B,
        params: &B::Arena,
        len: usize,
        optimizer: &Optimizer<B>,
        moments: usize,
        head: &[f32],
    ) -> Self {
        Self {
            state,
            values: [
                backend.read_arena(params, 0..len),
                backend.read_arena(&optimizer.first, 0..moments),
                backend.read_arena(&optimizer.second, 0..moments),
                head.to_vec(),
                optimizer.head_first.clone(),
                optimizer.head_second.clone(),
                vec![],
                vec![],
                vec![],
            ],
        }
    }

    /// With the values of a discriminator: parameters and moments.
    pub(crate) fn with_discriminator(mut self, values: [Vec<f32>; 3]) -> Self {
        self.values[OPTIONAL..].clone_from_slice(&values);
        self
    }

    /// Takes the values of a discriminator out, where there are any.
    pub(crate) fn discriminator(&mut self) -> Option<[Vec<f32>; 3]> {
        let [.., own, first, second] = &mut self.values;
        let values = [own, first, second].map(std::mem::take);
        (!values[0].is_empty()).then_some(values)
    }

    /// Puts the values back.
    pub(crate) fn restore<B: Backend>(
        self,
        backend: &B,
        params: &mut B::Arena,
        optimizer: &mut Optimizer<B>,
        head: &mut Vec<f32>,
    ) {
        let [values, first, second, own, head_first, head_second, ..] = self.values;
        backend.write_arena(params, 0, &values);
        backend.write_arena(&mut optimizer.first, 0, &first);
        backend.write_arena(&mut optimizer.second, 0, &second);
        *head = own;
        optimizer.head_first = head_first;
        optimizer.head_second = head_second;
        optimizer.steps = self.state.step;
    }

    /// Whether its sizes are those of the run.
    pub(crate) fn fits(&self, parameters: usize, moments: usize, head: usize) -> bool {
        let sizes = [parameters, moments, moments, head, head, head];
        self.values.iter().zip(sizes).all(|(v, n)| v.len() == n)
    }

    /// Writes it into `folder` so that a kill at any moment leaves the old
    /// checkpoints or these, then removes the oldest.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let name = format!(
            "stage-{:03}-step-{:09}.safetensors",
            self.state.stage, self.state.step
        );
        let path = folder.join(&name);
        let fresh = Unfinished::at(folder.join(format!(".{name}.new")));
        let tensors: Vec<Tensor<'_>> = NAMES
            .iter()
            .zip(&self.values)
            .enumerate()
            .filter(|(i, (_, values))| *i < OPTIONAL || !values.is_empty())
            .map(|(_, (name, values))| Tensor {
                name,
                shape: vec![values.len()],
                values,
            })
            .collect();
        let state = serde_json::to_string(&self.state)
            .map_err(|e| Error::Internal(format!("checkpoint: {e}")))?;
        tensor_writer::write(fresh.path(), &tensors, &[("state", state)])?;
        fresh.commit(&path).map_err(Error::io(&path))?;
        // Makes the rename itself last; not every system opens folders.
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
        for old in Self::list(folder)?.iter().skip(KEPT) {
            std::fs::remove_file(old).map_err(Error::io(old))?;
        }
        Ok(path)
    }

    /// The checkpoints in a folder, latest first.
    ///
    /// # Errors
    /// [`Error::Io`], but not for a folder that does not exist.
    pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
        if !folder.is_dir() {
            return Ok(vec![]);
        }
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
            let path = entry.map_err(Error::io(folder))?.path();
            let name = path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default();
            if name.starts_with("stage-") && name.ends_with(".safetensors") {
                found.push(path);
            }
        }
        // Names are padded: their order is that of the run.
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`]; [`TrainError::Folder`] for a file that is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let fail = |message: String| TrainError::Folder {
            path: path.to_path_buf(),
            message: format!("damaged checkpoint: {message}"),
        };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| fail(e.to_string()))?;
        let state = header.metadata().as_ref().and_then(|m| m.get("state"));
        let state = state.ok_or_else(|| fail("no state".into()))?;
        let state: State = serde_json::from_str(state).map_err(|e| fail(e.to_string()))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| fail(e.to_string()))?;
        let mut values: [Vec<f32>; 9] = Default::default();
        for (i, (name, values)) in NAMES.iter().zip(&mut values).enumerate() {
            if i >= OPTIONAL && !tensors.names().iter().any(|n| n == name) {
                continue;
            }
            let tensor = tensors.tensor(name).map_err(|e| fail(e.to_string()))?;
            if tensor.dtype() != Dtype::F32 {
                return Err(fail(format!("`{name}` is not F32")).into());
            }
            *values = tensor
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
        }
        Ok(Self { state, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(step: u64) -> Checkpoint {
        Checkpoint {
            state: State {
                step,
                best: Some(0.1 + 0.2),
                fingerprint: "f".into(),
                ..State::default()
            },
            values: [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|i| vec![i as f32 + 0.1; i]),
        }
    }

    #[test]
    fn written_checkpoints_read_back_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        for step in [1, 9, 10, 200] {
            checkpoint(step).write(folder.path()).unwrap();
        }
        let list = Checkpoint::list(folder.path()).unwrap();
        let steps: Vec<u64> = list
            .iter()
            .map(|p| Checkpoint::read(p).unwrap().state.step)
            .collect();
        assert_eq!(steps, [200, 10]);
        let read = Checkpoint::read(&list[0]).unwrap();
        assert_eq!(read.state, checkpoint(200).state);
        assert_eq!(read.values, checkpoint(200).values);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_discriminator_is_there_or_not() {
        let folder = tempfile::tempdir().unwrap();
        for own in [vec![], vec![1.0, 2.0]] {
            let values = [own.clone(), own.clone(), own.clone()];
            let path = checkpoint(1).with_discriminator(values.clone());
            let path = path.write(folder.path()).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let names = SafeTensors::deserialize(&bytes).unwrap().len();
            assert_eq!(names, if own.is_empty() { 6 } else { 9 });
            let mut read = Checkpoint::read(&path).unwrap();
            assert_eq!(read.discriminator(), (!own.is_empty()).then_some(values));
            assert_eq!(read.values[..6], checkpoint(1).values[..6]);
        }
    }

    #[test]
    fn damage_is_an_error_at_every_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = checkpoint(3).write(folder.path()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for len in 0..whole.len() {
            std::fs::write(&path, &whole[..len]).unwrap();
            assert!(Checkpoint::read(&path).is_err(), "{len}");
        }
    }
}
