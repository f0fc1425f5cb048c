//! The extension behind the Python package `gradus`: models, indexes and comparisons of
//! vectors, as thin as can be. Names and defaults of other libraries are the package's
//! business (`python/gradus`).
//!
//! The interpreter is released while something is computed, and asked for signals after
//! each some texts, so that Ctrl-C ends a call.

mod compare;
mod cross_encoder;
mod errors;
mod index;
mod jobs;
mod lazily;
mod objective;
mod options;
mod pool;
mod sentence_encoder;
mod signals;
mod texts;
mod training;

use pyo3::prelude::*;

/// Module of the package `gradus`; import that.
#[pymodule]
mod _gradus {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::compare::{communities, nearest, pairs};
    #[pymodule_export]
    use crate::cross_encoder::Scorer;
    #[pymodule_export]
    use crate::errors::GradusError;
    #[pymodule_export]
    use crate::index::{Searcher, index_add, index_build, index_graph, index_remove, index_words};
    #[pymodule_export]
    use crate::jobs::{calibrate, cluster, evaluate, mine};
    #[pymodule_export]
    use crate::sentence_encoder::Encoder;
    #[pymodule_export]
    use crate::training::{plan, recipe_keys, resume, train};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

/// What fails in the library, as the exception that Python sees.
type Answer<T> = PyResult<T>;
