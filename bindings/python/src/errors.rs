//! Errors as exceptions with the same text.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(
    gradus,
    GradusError,
    PyException,
    "What Gradus cannot do, with the reason and a remedy."
);

/// Of what the library says.
pub fn raised(error: impl std::fmt::Display) -> PyErr {
    GradusError::new_err(error.to_string())
}
