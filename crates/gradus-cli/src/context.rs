//! The global options, as the library takes them.

use crate::args::Global;
use crate::console::Console;
use crate::exit::Failure;
use crate::progress::ProgressMode;
use gradus::data::DataRoot;
use gradus::jobs::Environment;
use gradus::models::SentenceEncoder;
use std::path::{Path, PathBuf};

/// The global options.
pub struct Context {
    /// How progress is shown.
    pub mode: ProgressMode,
    /// Where data and models are, and what models run on.
    pub environment: Environment,
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
        let mut environment = Environment::default();
        environment.data = DataRoot::resolve(global.data.as_deref());
        environment.precision = global.precision;
        environment.device = global.device;
        environment.threads = threads;
        Self {
            mode: ProgressMode::choose(global.quiet),
            environment,
        }
    }

    /// An observer that shows notes and progress.
    pub fn console(&self) -> Console {
        Console::new(self.mode)
    }

    /// The folder of the model `name` stands for.
    pub fn find(&self, name: &str) -> Result<PathBuf, Failure> {
        let found = self.environment.find(name, &mut self.console());
        Ok(found?.folder)
    }

    /// Loads the model in `folder`.
    pub fn load(&self, folder: &Path) -> Result<SentenceEncoder, Failure> {
        let model = self.environment.load(folder, None, &mut self.console());
        Ok(model?)
    }
}
