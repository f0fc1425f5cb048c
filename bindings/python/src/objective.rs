//! Objectives that are Python callables.

use gradus::losses::{Input, Objective, Output};
use numpy::{IntoPyArray, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::sync::{Arc, Mutex, PoisonError};

/// What callables of a run raised first.
#[derive(Clone, Default)]
pub struct Failure(Arc<Mutex<Option<PyErr>>>);

impl Failure {
    fn keep(&self, error: PyErr) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert(error);
    }

    /// It, where there is one.
    pub fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A callable as the package wraps it (`gradus.objectives.Custom`), which checks what it
/// returns: a loss and gradients of the right shapes.
pub struct Called {
    called: Py<PyAny>,
    columns: usize,
    min_batch: usize,
    name: String,
    failure: Failure,
}

/// A loss, and its gradients by vectors and by parameters.
type Answer<'py> = (f64, PyReadonlyArray1<'py, f32>, PyReadonlyArray1<'py, f32>);

impl Called {
    /// What its attributes say.
    pub fn new(called: Bound<'_, PyAny>, failure: Failure) -> PyResult<Self> {
        Ok(Self {
            columns: called.getattr("columns")?.extract()?,
            min_batch: called.getattr("min_batch")?.extract()?,
            name: called.getattr("name")?.extract()?,
            called: called.unbind(),
            failure,
        })
    }

    fn call(&self, py: Python<'_>, parameters: &[f32], input: &Input<'_>) -> PyResult<Output> {
        let (n, dim) = (input.examples(), input.embeddings.dim());
        let columns = input.embeddings.rows() / n.max(1);
        let vectors = input.embeddings.as_slice().to_vec().into_pyarray(py);
        let teachers = PyList::empty(py);
        for own in input.teachers {
            let rows = own.as_slice().to_vec().into_pyarray(py);
            teachers.append(rows.reshape([own.rows(), own.dim()])?)?;
        }
        let arguments = (
            vectors.reshape([columns, n, dim])?,
            input.labels.to_vec().into_pyarray(py),
            input.weights.to_vec().into_pyarray(py),
            input
                .texts
                .to_vec()
                .into_pyarray(py)
                .reshape([columns, n])?,
            teachers,
            parameters.to_vec().into_pyarray(py),
        );
        let answer = self.called.bind(py).call1(arguments)?;
        let (loss, by_vectors, by_parameters): Answer<'_> = answer.extract()?;
        Ok(Output {
            loss,
            embeddings: by_vectors.to_vec()?,
            parameters: by_parameters.to_vec()?,
        })
    }

    /// Calls a method of the callable; what it raises is kept.
    fn ask<T: Default>(&self, ask: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> T {
        Python::attach(|py| ask(self.called.bind(py))).unwrap_or_else(|error| {
            self.failure.keep(error);
            T::default()
        })
    }
}

impl Objective for Called {
    fn columns(&self) -> usize {
        self.columns
    }

    fn min_batch(&self) -> usize {
        self.min_batch
    }

    fn initial_parameters(&self, dim: usize, seed: u64) -> Vec<f32> {
        self.ask(|called| {
            let made = called.call_method1("initial_parameters", (dim, seed))?;
            let made: PyReadonlyArray1<'_, f32> = made.extract()?;
            Ok(made.to_vec()?)
        })
    }

    fn decayed(&self, dim: usize) -> Vec<bool> {
        vec![true; self.initial_parameters(dim, 0).len()]
    }

    /// Where the callable raises the loss is no number: the run ends there, and the
    /// weights stay as they were before the step.
    fn evaluate(&self, parameters: &[f32], input: &Input<'_>) -> Output {
        Python::attach(|py| {
            self.call(py, parameters, input).unwrap_or_else(|error| {
                self.failure.keep(error);
                Output {
                    loss: f64::NAN,
                    ..Output::zero(input, parameters.len())
                }
            })
        })
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}
