//! Ctrl-C, and progress.

use gradus::util::Observer;
use pyo3::prelude::*;

/// Tells a Python callable how far a job is, and ends the job where that raises or a
/// signal's handler does.
pub struct Watched {
    callback: Option<Py<PyAny>>,
    raised: Option<PyErr>,
}

impl Watched {
    pub fn new(callback: Option<Py<PyAny>>) -> Self {
        Self {
            callback,
            raised: None,
        }
    }

    /// What ended the job.
    pub fn raised(self) -> Option<PyErr> {
        self.raised
    }

    fn look(&mut self, with: impl FnOnce(Python<'_>, Option<&Py<PyAny>>) -> PyResult<()>) {
        if self.raised.is_none() {
            let callback = self.callback.as_ref();
            let result = Python::attach(|py| py.check_signals().and_then(|()| with(py, callback)));
            self.raised = result.err();
        }
    }
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
