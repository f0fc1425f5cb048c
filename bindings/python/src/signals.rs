//! Ctrl-C, and progress.

use crate::errors::raised;
use crate::pool::compute;
use gradus::util::Observer;
use pyo3::prelude::*;

/// What a callable or a signal's handler raised while a job was under way.
#[derive(Default)]
pub struct Interrupt(Option<PyErr>);

impl Interrupt {
    /// Looks for signals, and tells something; nothing after the first that raised.
    pub fn look(&mut self, tell: impl FnOnce(Python<'_>) -> PyResult<()>) {
        if self.0.is_none() {
            self.0 = Python::attach(|py| py.check_signals().and_then(|()| tell(py))).err();
        }
    }

    /// Whether something was raised.
    pub fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// What was raised, or else a job's own error.
    pub fn or(self, error: impl std::fmt::Display) -> PyErr {
        self.0.unwrap_or_else(|| raised(error))
    }
}

/// Tells a Python callable how far a job is, and ends the job where that raises or a
/// signal's handler does.
pub struct Watched {
    callback: Option<Py<PyAny>>,
    interrupt: Interrupt,
}

/// Runs a job that a callable hears of, and that it or a signal may end.
pub fn watched<T: Send, E: std::fmt::Display + Send>(
    py: Python<'_>,
    callback: Option<Py<PyAny>>,
    job: impl FnOnce(&mut Watched) -> Result<T, E> + Send,
) -> PyResult<T> {
    let mut watched = Watched {
        callback,
        interrupt: Interrupt::default(),
    };
    let done = compute(py, || job(&mut watched));
    done.map_err(|error| watched.interrupt.or(error))
}

impl Observer for Watched {
    fn progress(&mut self, what: &str, done: u64, total: u64) {
        let callback = self.callback.as_ref();
        self.interrupt.look(|py| match callback {
            Some(callback) => callback.call1(py, (what, done, total)).map(drop),
            None => Ok(()),
        });
    }

    fn cancelled(&self) -> bool {
        self.interrupt.is_set()
    }
}
