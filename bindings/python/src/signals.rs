//! Ctrl-C, and progress.

use crate::errors::raised;
use crate::pool::compute;
use gradus::util::Observer;
use pyo3::prelude::*;

/// Tells a Python callable how far a job is, and ends the job where that raises or a
/// signal's handler does.
pub struct Watched {
    callback: Option<Py<PyAny>>,
    raised: Option<PyErr>,
}

impl Watched {
    fn look(&mut self, with: impl FnOnce(Python<'_>, Option<&Py<PyAny>>) -> PyResult<()>) {
        if self.raised.is_none() {
            let callback = self.callback.as_ref();
            let result = Python::attach(|py| py.check_signals().and_then(|()| with(py, callback)));
            self.raised = result.err();
        }
    }
}

/// Runs a job that a callable hears of, and that it or a signal may end.
pub fn watched<T: Send, E: std::fmt::Display + Send>(
    py: Python<'_>,
    callback: Option<Py<PyAny>>,
    job: impl FnOnce(&mut Watched) -> Result<T, E> + Send,
) -> PyResult<T> {
    let mut watched = Watched {
        callback,
        raised: None,
    };
    let done = compute(py, || job(&mut watched));
    done.map_err(|error| watched.raised.unwrap_or_else(|| raised(error)))
}

impl Observer for Watched {
    fn progress(&mut self, what: &str, done: u64, total: u64) {
        self.look(|py, callback| match callback {
            Some(callback) => callback.call1(py, (what, done, total)).map(drop),
            None => Ok(()),
        });
    }

    fn cancelled(&self) -> bool {
        self.raised.is_some()
    }
}
