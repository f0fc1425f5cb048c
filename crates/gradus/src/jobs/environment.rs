//! What the jobs of one program share: where data and models are, and what
//! models run on.

use super::{JobError, PairModel};
use crate::data::{DataRoot, RootOrigin};
use crate::format::PromptChoice;
use crate::hub::{HubConfig, Progress, resolve_model};
use crate::models::{CrossEncoder, ModelFolder, SentenceEncoder};
use crate::output::Marker;
use crate::util::{Observer, Transfer};
use crate::{Compute, Device, DeviceError, Precision, Result};
use gradus_kernels::cpu::Cpu;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What the models of all jobs run on in this build.
pub(super) type JobBackend = Compute;

/// What the jobs of one program share. The default is what the environment says:
/// the data sets of `GRADUS_DATA`, the hub of `HF_ENDPOINT`, the fastest device on
/// all cores.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Where the public data sets are.
    pub data: DataRoot,
    /// The precision of all models, whatever a recipe says; where there is none,
    /// the recipe's, or `auto`.
    pub precision: Option<Precision>,
    /// What models run on.
    pub device: Device,
    /// Threads of the processor; 0 for one per core.
    pub threads: usize,
    /// How models are fetched; where there is none, as the variables of
    /// `huggingface_hub` say.
    pub hub: Option<HubConfig>,
    /// The notes that were made: each is made once.
    made: Arc<Mutex<BTreeSet<String>>>,
}

/// A model by its name and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// As it was named.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            data: DataRoot::resolve(None),
            precision: None,
            device: Device::Auto,
            threads: 0,
            hub: None,
            made: Arc::default(),
        }
    }
}

impl Environment {
    /// The same with the public data sets that a run was begun with, unless a
    /// folder of them was named.
    #[must_use]
    pub fn continuing(&self, run: &Marker) -> Self {
        let mut same = self.clone();
        let stored = run.data.as_deref().filter(|path| path.is_dir());
        if let Some(path) = stored.filter(|_| self.data.origin() != RootOrigin::Explicit) {
            same.data = DataRoot::resolve(Some(path));
        }
        same
    }

    /// The model `name` stands for: a folder, or a name on the hub, from where it
    /// is fetched if need be.
    ///
    /// # Errors
    /// Where there is no such model, or it cannot be fetched.
    pub fn find(&self, name: &str, observer: &mut dyn Observer) -> Result<Model> {
        let from_env;
        let hub = match &self.hub {
            Some(hub) => hub,
            None => {
                from_env = HubConfig::from_env()?;
                &from_env
            }
        };
        let folder = resolve_model(name, hub, &mut Fetching(observer)).map_err(JobError::model)?;
        let name = name.to_owned();
        Ok(Model { name, folder })
    }

    /// The folder of a model that a file in `base` names: one below `base` is
    /// meant before one where the program runs.
    ///
    /// # Errors
    /// As [`Environment::find`].
    pub fn find_from(
        &self,
        base: &Path,
        name: &str,
        observer: &mut dyn Observer,
    ) -> Result<PathBuf> {
        match base.join(name) {
            below if below.is_dir() => Ok(below),
            _ => Ok(self.find(name, observer)?.folder),
        }
    }

    /// What models run on, in a recipe's precision unless another was set; notes
    /// what was chosen where that was left open.
    ///
    /// # Errors
    /// Where this machine does not have the device, or not the instructions.
    pub fn backend(&self, recipe: Precision, observer: &mut dyn Observer) -> Result<JobBackend> {
        let (backend, why) = self.backend_and_why(recipe)?;
        if let Some(why) = why {
            self.note_once(&format!("precision  {why}"), observer);
        }
        Ok(backend)
    }

    /// What vectors are compared on: the processor, in f32 unless another precision was set.
    ///
    /// # Errors
    /// Where this machine does not have the instructions.
    pub fn comparer(&self) -> Result<Cpu> {
        let precision = self.precision.unwrap_or(Precision::F32);
        let (cpu, _) = precision.backend(self.threads).map_err(DeviceError::from)?;
        Ok(cpu)
    }

    /// What the model in `folder` runs on where no precision was set: in int8 where its
    /// weights are bytes.
    ///
    /// # Errors
    /// As [`Environment::backend`] and [`ModelFolder::precision`].
    pub fn backend_for(&self, folder: &Path, observer: &mut dyn Observer) -> Result<JobBackend> {
        let own = precision_of(folder)?;
        if own == Precision::Int8 && self.precision.is_none() {
            let why = "precision  int8, as the model's weights are; --precision f32 is more exact";
            self.note_once(why, observer);
        }
        self.backend(own, observer)
    }

    /// The same for training, which int8 is not for: in the precision and on the device of a
    /// recipe, which get what was chosen.
    ///
    /// # Errors
    /// As [`Environment::backend`]; [`JobError::Int8Training`].
    pub(super) fn training_backend(
        &self,
        (precision, device): (&mut Precision, &mut Device),
        observer: &mut dyn Observer,
    ) -> Result<JobBackend> {
        if self.precision.unwrap_or(*precision) == Precision::Int8 {
            return Err(JobError::Int8Training.into());
        }
        let backend = self.on(*device).backend(*precision, observer)?;
        (*precision, *device) = (backend.precision().into(), backend.device());
        Ok(backend)
    }

    /// The same on a device, unless one was named.
    #[must_use]
    pub(super) fn on(&self, device: Device) -> Self {
        let mut same = self.clone();
        if same.device == Device::Auto {
            same.device = device;
        }
        same
    }

    fn backend_and_why(&self, recipe: Precision) -> Result<(JobBackend, Option<String>)> {
        let precision = self.precision.unwrap_or(recipe);
        Ok(self.device.backend(precision, self.threads)?)
    }

    /// Loads the model in `folder`, with a prompt before every text where one is
    /// chosen; notes what a user should know of it.
    ///
    /// # Errors
    /// As [`SentenceEncoder::load`].
    pub fn load(
        &self,
        folder: &Path,
        prompt: Option<PromptChoice>,
        observer: &mut dyn Observer,
    ) -> Result<SentenceEncoder> {
        let backend = self.backend_for(folder, observer)?;
        self.load_onto(backend, folder, prompt, observer)
    }

    /// Loads the model in `folder` to score pairs, whichever kind it is.
    ///
    /// # Errors
    /// As [`Environment::load`] and [`CrossEncoder::load`]; [`JobError::NoPrompt`]
    /// where a prompt is chosen for a cross-encoder.
    pub fn load_pair_model(
        &self,
        folder: &Path,
        prompt: Option<PromptChoice>,
        observer: &mut dyn Observer,
    ) -> Result<PairModel> {
        let backend = self.backend_for(folder, observer)?;
        self.load_pair_model_onto(backend, folder, prompt, observer)
    }

    /// The same without a word on the precision, for what is done again and
    /// again.
    pub(super) fn load_pair_model_briefly(
        &self,
        folder: &Path,
        prompt: Option<PromptChoice>,
        observer: &mut dyn Observer,
    ) -> Result<PairModel> {
        let (backend, _) = self.backend_and_why(precision_of(folder)?)?;
        self.load_pair_model_onto(backend, folder, prompt, observer)
    }

    fn load_pair_model_onto(
        &self,
        backend: JobBackend,
        folder: &Path,
        prompt: Option<PromptChoice>,
        observer: &mut dyn Observer,
    ) -> Result<PairModel> {
        if !ModelFolder::is_cross_encoder(folder).map_err(JobError::model)? {
            let encoder = self.load_onto(backend, folder, prompt, observer)?;
            return Ok(PairModel::Sentence(Box::new(encoder)));
        }
        if prompt.is_some() {
            return Err(JobError::NoPrompt(folder.display().to_string()).into());
        }
        let model = CrossEncoder::load(folder, backend).map_err(JobError::model)?;
        for note in model.notes() {
            let note = format!("note: {}: {note}", folder.display());
            self.note_once(&note, observer);
        }
        Ok(PairModel::Cross(Box::new(model)))
    }

    fn load_onto(
        &self,
        backend: JobBackend,
        folder: &Path,
        prompt: Option<PromptChoice>,
        observer: &mut dyn Observer,
    ) -> Result<SentenceEncoder> {
        let mut encoder = SentenceEncoder::load(folder, backend).map_err(JobError::model)?;
        let unchosen = match prompt {
            Some(prompt) => {
                encoder.set_prompt(prompt).map_err(JobError::model)?;
                None
            }
            None => encoder.folder().modules.prompts.note(),
        };
        let unchosen = unchosen.map(|note| format!("{note}; --prompt chooses one"));
        for note in encoder.notes().map(str::to_owned).chain(unchosen) {
            let note = format!("note: {}: {note}", folder.display());
            self.note_once(&note, observer);
        }
        Ok(encoder)
    }

    /// Makes a note that was not made yet.
    pub(super) fn note_once(&self, note: &str, observer: &mut dyn Observer) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.insert(note.to_owned()) {
            observer.note(note);
        }
    }
}

fn precision_of(folder: &Path) -> Result<Precision> {
    ModelFolder::precision(folder).map_err(JobError::model)
}

/// Passes on how a fetch gets on.
struct Fetching<'a>(&'a mut dyn Observer);

impl Progress for Fetching<'_> {
    fn start(&mut self, name: &str, total: Option<u64>, already: u64) {
        self.0.transfer(Transfer::Begin {
            name,
            total,
            already,
        });
    }

    fn advance(&mut self, bytes: u64) {
        self.0.transfer(Transfer::Bytes(bytes));
    }

    fn finish(&mut self) {
        self.0.transfer(Transfer::End);
    }

    fn note(&mut self, message: &str) {
        self.0.note(message);
    }
}
