//! Indexes that are searched, as they are on the disk at the moment.

use crate::settings::IndexSettings;
use gradus_index::IndexError;
use gradus_index::jobs::Opened;
use gradus_index::store::{Index, Manifest, Stamp};
use gradus_kernels::cpu::{Cpu, Isa, Precision};
use std::sync::{Arc, PoisonError, RwLock};

/// An index with its name.
pub(crate) struct ServedIndex {
    pub name: String,
    settings: IndexSettings,
    open: RwLock<(Option<Stamp>, Arc<Opened>)>,
}

impl ServedIndex {
    /// Opens it.
    pub fn open(settings: &IndexSettings) -> Result<Self, IndexError> {
        let stamp = Manifest::stamp(&settings.folder);
        let index = Arc::new(open_index(settings)?);
        Ok(Self {
            name: settings.name.clone(),
            settings: settings.clone(),
            open: RwLock::new((stamp, index)),
        })
    }

    /// The index as it is now: opened again where something was committed to it since.
    /// Where that cannot be read the one before is searched on. It may read files, and is
    /// not for threads that answer clients.
    pub fn now(&self) -> Arc<Opened> {
        let stamp = Manifest::stamp(&self.settings.folder);
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let (then, index) = (open.0, Arc::clone(&open.1));
        drop(open);
        if stamp == then {
            return index;
        }
        match open_index(&self.settings) {
            Ok(newer) => {
                let newer = Arc::new(newer);
                let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
                *open = (stamp, Arc::clone(&newer));
                newer
            }
            Err(error) => {
                tracing::error!(%error, "an index cannot be opened again");
                index
            }
        }
    }
}

/// With the words of its texts, where it keeps them.
fn open_index(settings: &IndexSettings) -> Result<Opened, IndexError> {
    let index = Index::open(&settings.folder)?;
    match index.manifest().words {
        true => Opened::with_words(index),
        false => Ok(Opened::new(index)),
    }
}

/// What compares queries with rows.
pub(crate) fn comparer(threads: usize) -> Cpu {
    // The instructions were checked when models were loaded, or are the best there are.
    let isa = Isa::from_env().unwrap_or_else(|_| Isa::best());
    Cpu::with(threads, Precision::F32, isa).unwrap_or_else(|_| Cpu::new(threads))
}
