//! What the commands of one run share.

use crate::args::Global;
use crate::exit::Failure;
use crate::progress::{Fetching, Manner};
use gradus::data::DataRoot;
use gradus::hub::{HubConfig, resolve_model};
use gradus::model::SentenceEncoder;
use gradus_kernels::cpu::Cpu;
use std::path::{Path, PathBuf};

/// The global options, understood.
pub struct Context {
    /// How to tell of progress.
    pub manner: Manner,
    /// Where the public data sets are.
    pub data: DataRoot,
    /// Number of threads; 0 for one per core.
    threads: usize,
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
            threads,
        }
    }

    /// A backend on the threads asked for.
    pub fn backend(&self) -> Cpu {
        Cpu::new(self.threads)
    }

    /// The folder of the model `spec` names, fetched if need be.
    pub fn resolve(&self, spec: &str, config: &HubConfig) -> Result<PathBuf, Failure> {
        resolve_model(spec, config, &mut Fetching::new(self.manner)).map_err(Failure::Model)
    }

    /// The folder of the model `spec` names, with the environment's settings.
    pub fn find(&self, spec: &str) -> Result<PathBuf, Failure> {
        self.resolve(spec, &HubConfig::from_env()?)
    }

    /// Loads the model in `folder`.
    pub fn load(&self, folder: &Path) -> Result<SentenceEncoder<Cpu>, Failure> {
        SentenceEncoder::load(folder, self.backend()).map_err(Failure::Model)
    }
}
