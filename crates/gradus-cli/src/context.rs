//! What the commands of one run share.

use crate::args::Global;
use crate::exit::Failure;
use crate::progress::{Fetching, Manner};
use gradus::data::{DataRoot, RootOrigin};
use gradus::format::PromptChoice;
use gradus::hub::{HubConfig, resolve_model};
use gradus::models::SentenceEncoder;
use gradus::output::Marker;
use gradus::{Device, Precision};
use gradus_kernels::cpu::Cpu;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The global options, understood.
#[derive(Clone)]
pub struct Context {
    /// How to tell of progress.
    pub manner: Manner,
    /// Where the public data sets are.
    pub data: DataRoot,
    /// The precision asked for, if any.
    pub precision: Option<Precision>,
    /// What models run on.
    device: Device,
    /// Number of threads; 0 for one per core.
    threads: usize,
    /// Whether the precision was told.
    told: Cell<bool>,
    /// The notes on models that were shown.
    noted: RefCell<BTreeSet<String>>,
}

impl Context {
    /// Understands the global options.
    pub fn new(global: &Global) -> Self {
        let threads = global.threads.map_or(0, usize::from);
        if threads > 0 {
            // Tokenizers work on rayon's global pool. It can be set up once,
            // and nothing has used it yet.
            let _ = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build_global();
        }
        Self {
            manner: Manner::choose(global.quiet),
            data: DataRoot::resolve(global.data.as_deref()),
            precision: global.precision,
            device: global.device,
            threads,
            told: Cell::new(false),
            noted: RefCell::default(),
        }
    }

    /// The same with the public data sets that a run was begun with, unless the
    /// command line names others.
    pub fn resuming(&self, run: &Marker) -> Self {
        let stored = run.data.as_deref().filter(|path| path.is_dir());
        let data = match self.data.origin() {
            RootOrigin::Explicit => self.data.clone(),
            _ => stored.map_or_else(|| self.data.clone(), |path| DataRoot::resolve(Some(path))),
        };
        Self {
            data,
            told: self.told.clone(),
            noted: self.noted.clone(),
            ..*self
        }
    }

    /// A backend on the threads asked for, in a recipe's precision unless the
    /// command line has another; says what it chose where that was left to us.
    pub fn backend(&self, recipe: Precision) -> Result<Cpu, Failure> {
        let precision = self.precision.unwrap_or(recipe);
        let (backend, why) = self.device.backend(precision, self.threads)?;
        if let Some(why) = why.filter(|_| !self.told.replace(true)) {
            self.manner.note(&format!("precision  {why}"));
        }
        Ok(backend)
    }

    /// The folder of the model `spec` names, fetched if need be.
    pub fn resolve(&self, spec: &str, config: &HubConfig) -> Result<PathBuf, Failure> {
        resolve_model(spec, config, &mut Fetching::new(self.manner)).map_err(Failure::Model)
    }

    /// The folder of the model `spec` names, with the environment's settings.
    pub fn find(&self, spec: &str) -> Result<PathBuf, Failure> {
        self.resolve(spec, &HubConfig::from_env()?)
    }

    /// Loads the model in `folder` without a word on the precision, for commands
    /// that are typed again and again.
    pub fn load_silently(
        &self,
        folder: &Path,
        prompt: Option<PromptChoice>,
    ) -> Result<SentenceEncoder<Cpu>, Failure> {
        self.told.set(true);
        self.load_with_prompt(folder, prompt)
    }

    /// Loads the model in `folder`.
    pub fn load(&self, folder: &Path) -> Result<SentenceEncoder<Cpu>, Failure> {
        self.load_with_prompt(folder, None)
    }

    /// The same with a prompt before every text.
    pub fn load_with_prompt(
        &self,
        folder: &Path,
        prompt: Option<PromptChoice>,
    ) -> Result<SentenceEncoder<Cpu>, Failure> {
        let backend = self.backend(Precision::Auto)?;
        let mut encoder = SentenceEncoder::load(folder, backend).map_err(Failure::Model)?;
        let unchosen = match prompt {
            Some(prompt) => {
                encoder.set_prompt(prompt).map_err(Failure::Model)?;
                None
            }
            None => encoder.folder().modules.prompts.note(),
        };
        let unchosen = unchosen.map(|note| format!("{note}; --prompt chooses one"));
        for note in encoder.notes().map(str::to_owned).chain(unchosen) {
            self.note_once(&format!("{}: {note}", folder.display()));
        }
        Ok(encoder)
    }

    /// Shows a note that was not shown yet.
    pub fn note_once(&self, note: &str) {
        if self.noted.borrow_mut().insert(note.to_owned()) {
            self.manner.note(&format!("note: {note}"));
        }
    }

    /// Notes how many texts a model read only in part, or not at all.
    pub fn note_texts(&self, encoder: &SentenceEncoder<Cpu>) {
        let tokenizer = encoder.tokenizer();
        for note in tokenizer.counts().describe(tokenizer.max_tokens()) {
            self.manner.note(&note);
        }
    }
}
