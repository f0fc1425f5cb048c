//! Models by their names, each loaded once.

use datafusion_common::DataFusionError;
use gradus::SentenceEncoder;
use gradus::jobs::Environment;
use gradus::jobs::score::Scorer;
use gradus::util::Silent;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Models that functions share: what one has loaded the others have.
#[derive(Clone, Default)]
pub struct Models(Arc<Inner>);

#[derive(Default)]
struct Inner {
    environment: Environment,
    encoders: Kept<SentenceEncoder>,
    scorers: Kept<Scorer>,
}

impl Models {
    /// Models that are found and computed as an environment says: threads, precision, the
    /// hub.
    pub fn new(environment: Environment) -> Self {
        Self(Arc::new(Inner {
            environment,
            ..Inner::default()
        }))
    }

    pub(crate) fn encoder(&self, name: &str) -> Result<Arc<SentenceEncoder>, DataFusionError> {
        let environment = &self.0.environment;
        self.0.encoders.get(name, || {
            let model = environment.find(name, &mut Silent)?;
            environment.load(&model.folder, None, &mut Silent)
        })
    }

    pub(crate) fn scorer(&self, name: &str) -> Result<Arc<Scorer>, DataFusionError> {
        let environment = &self.0.environment;
        self.0.scorers.get(name, || {
            let model = environment.find(name, &mut Silent)?;
            Scorer::load(&model, None, environment, &mut Silent)
        })
    }
}

/// The names of those that were asked for.
impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoders = self.0.encoders.names();
        let scorers = self.0.scorers.names();
        write!(
            f,
            "Models {{ encoders: {encoders:?}, scorers: {scorers:?} }}"
        )
    }
}

/// Functions are equal where they share their models.
impl PartialEq for Models {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Models {}

impl Hash for Models {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// What is loaded, or why it could not be.
type Loaded<T> = Arc<OnceLock<Result<Arc<T>, String>>>;

struct Kept<T>(Mutex<HashMap<String, Loaded<T>>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Kept<T> {
    fn names(&self) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = all.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// One thread loads a model, others wait for that alone.
    fn get(
        &self,
        name: &str,
        load: impl FnOnce() -> gradus::Result<T>,
    ) -> Result<Arc<T>, DataFusionError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = Arc::clone(all.entry(name.to_owned()).or_default());
        drop(all);
        let loaded = own.get_or_init(|| load().map(Arc::new).map_err(|e| e.to_string()));
        match loaded {
            Ok(model) => Ok(Arc::clone(model)),
            Err(why) => {
                // The next query tries again.
                let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                all.remove(name);
                Err(DataFusionError::Execution(why.clone()))
            }
        }
    }
}

/// What the library says, as DataFusion's error.
pub(crate) fn failed(error: impl fmt::Display) -> DataFusionError {
    DataFusionError::Execution(error.to_string())
}
