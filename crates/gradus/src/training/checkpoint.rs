//! Checkpoints: everything a run needs to go on, in one file.

use super::{ENCODER, Networks, ParamSets, State, Tensors, TrainError};
use crate::util::atomic::Unfinished;
use crate::util::tensor_writer;
use crate::util::tensor_writer::{NamedTensor, Values};
use crate::{Error, Result};
use gradus_kernels::Backend;
use safetensors::Dtype;
use safetensors::SafeTensors;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A run's values and counters at one moment.
pub struct Checkpoint {
    /// The counters.
    pub state: State,
    sets: Vec<SavedSet>,
    /// What else the task saved.
    pub(crate) tensors: Tensors,
}

/// Parameters, first and second moments of a set.
#[derive(Debug, Clone, PartialEq)]
struct SavedSet {
    name: String,
    values: [Vec<f32>; 3],
}

/// What the tensors of a set are called behind its name.
const MOMENTS: [&str; 2] = ["_first_moment", "_second_moment"];

/// The names of a set's tensors. Those of the encoder have stood alone since before
/// there were sets.
fn tensor_names(set: &str) -> [String; 3] {
    match set {
        ENCODER => ["parameters", "first_moment", "second_moment"].map(String::from),
        _ => [
            set.to_owned(),
            format!("{set}{}", MOMENTS[0]),
            format!("{set}{}", MOMENTS[1]),
        ],
    }
}

/// What the names of a task's own tensors begin with.
const OF_TASK: &str = "task.";

/// The set whose parameters a tensor holds; `None` of moments and of a task's own.
fn set_of(tensor: &str) -> Option<&str> {
    match tensor {
        "parameters" => Some(ENCODER),
        "first_moment" | "second_moment" => None,
        _ if tensor.starts_with(OF_TASK) => None,
        _ => (!MOMENTS.iter().any(|end| tensor.ends_with(end))).then_some(tensor),
    }
}

/// How many checkpoints are kept: a spare one, should a disk damage the last.
const KEPT: usize = 2;

impl Checkpoint {
    /// Takes a copy of a run's values.
    pub(crate) fn take<B: Backend>(
        state: State,
        backend: &B,
        sets: &ParamSets<B>,
        networks: &dyn Networks<B>,
        tensors: Tensors,
    ) -> Self {
        let sets = sets.iter().map(|set| SavedSet {
            name: set.name().to_owned(),
            values: set.read(backend, networks),
        });
        Self {
            state,
            sets: sets.collect(),
            tensors,
        }
    }

    /// Puts the values back; `false` where they are not those of these sets. A set
    /// that a stage did not begin to train may be missing.
    pub(crate) fn restore<B: Backend>(
        self,
        backend: &B,
        sets: &mut ParamSets<B>,
        networks: &mut dyn Networks<B>,
    ) -> bool {
        sets.set_steps(self.state.step);
        let mut saved = self.sets;
        for set in sets.iter_mut() {
            let place = saved.iter().position(|saved| saved.name == set.name());
            let fits = match place {
                Some(place) => set.write(backend, networks, saved.swap_remove(place).values),
                None => self.state.step == 0,
            };
            if !fits {
                return false;
            }
        }
        saved.iter().all(|set| set.values[0].is_empty())
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
        let of_sets = self.sets.iter().flat_map(|set| tensor_names(&set.name));
        let of_task = self.tensors.keys().map(|name| format!("{OF_TASK}{name}"));
        let names: Vec<String> = of_sets.chain(of_task).collect();
        let values = self.sets.iter().flat_map(|set| &set.values);
        let values = values.chain(self.tensors.values());
        let tensors: Vec<NamedTensor<'_>> = names
            .iter()
            .zip(values)
            .map(|(name, values)| NamedTensor {
                name: name.into(),
                shape: vec![values.len()],
                values: Values::F32(values),
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
        let read = |name: &str| -> Result<Vec<f32>> {
            let tensor = tensors.tensor(name).map_err(|e| fail(e.to_string()))?;
            if tensor.dtype() != Dtype::F32 {
                return Err(fail(format!("`{name}` is not F32")).into());
            }
            let values = tensor.data().chunks_exact(4);
            Ok(values
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect())
        };
        let mut sets = Vec::new();
        for name in tensors.names().into_iter().filter_map(set_of) {
            let [values, first, second] = tensor_names(name);
            sets.push(SavedSet {
                name: name.to_owned(),
                values: [read(&values)?, read(&first)?, read(&second)?],
            });
        }
        if !sets.iter().any(|set| set.name == ENCODER) {
            return Err(fail(format!("no `{}`", tensor_names(ENCODER)[0])).into());
        }
        let mut of_task = Tensors::new();
        for name in tensors.names() {
            if let Some(own) = name.strip_prefix(OF_TASK) {
                of_task.insert(own.to_owned(), read(name)?);
            }
        }
        Ok(Self {
            state,
            sets,
            tensors: of_task,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(name: &str, sizes: [usize; 3]) -> SavedSet {
        SavedSet {
            name: name.into(),
            values: sizes.map(|i| vec![i as f32 + 0.1; i]),
        }
    }

    fn checkpoint(step: u64) -> Checkpoint {
        Checkpoint {
            state: State {
                step,
                best: Some(0.1 + 0.2),
                fingerprint: "f".into(),
                ..State::default()
            },
            sets: vec![saved(ENCODER, [5, 1, 2]), saved("head", [0, 0, 0])],
            tensors: Tensors::from([("buffer".to_owned(), vec![step as f32, f32::NAN])]),
        }
    }

    fn sorted(mut checkpoint: Checkpoint) -> Vec<SavedSet> {
        checkpoint.sets.sort_by(|a, b| a.name.cmp(&b.name));
        checkpoint.sets
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
        let bits = |tensors: &Tensors| tensors["buffer"].iter().map(|v| v.to_bits()).collect();
        let wanted: Vec<u32> = bits(&checkpoint(200).tensors);
        assert_eq!((read.tensors.len(), bits(&read.tensors)), (1, wanted));
        assert_eq!(sorted(read), sorted(checkpoint(200)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    /// What a run trains is found by name, whatever it is and how many there are.
    #[test]
    fn any_set_comes_back_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut written = checkpoint(1);
        written.sets.push(saved("discriminator", [3, 3, 3]));
        written.sets.push(saved("moving_average", [5, 0, 0]));
        let path = written.write(folder.path()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mut names: Vec<String> = SafeTensors::deserialize(&bytes)
            .unwrap()
            .names()
            .iter()
            .map(|n| n.to_string())
            .collect();
        names.sort();
        assert_eq!(names.len(), 13);
        assert!(names.contains(&"second_moment".to_owned()), "{names:?}");
        assert!(names.contains(&"moving_average".to_owned()), "{names:?}");
        assert_eq!(sorted(Checkpoint::read(&path).unwrap()), sorted(written));
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
