//! Vectors compared with each other.

use crate::Answer;
use crate::pool::compute;
use crate::signals::watched;
use gradus::Embeddings;
use gradus_index::groups::{Communities, communities as found_communities};
use gradus_index::jobs::mine::{MineSettings, mine};
use gradus_index::neighbours::{PackedVectors, nearest as found_nearest};
use gradus_kernels::cpu::Cpu;
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Queries between two looks at signals.
const CHUNK: usize = 4096;

/// Rows of an array, of length 1 if that is wanted.
fn rows(array: &PyReadonlyArray2<'_, f32>, unit: bool) -> PyResult<(Vec<f32>, usize)> {
    let dim = array.shape()[1];
    if dim == 0 {
        return Err(PyValueError::new_err("vectors of no values"));
    }
    let values = match array.as_slice() {
        Ok(values) => values.to_vec(),
        Err(_) => array.as_array().iter().copied().collect(),
    };
    let values = match unit {
        true => Embeddings::new(dim, values).normalized().into_vec(),
        false => values,
    };
    Ok((values, dim))
}

/// Rows and scores of the best, each `[queries, top]`.
type Best<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>);

/// The rows of `corpus` with the highest products with each of `queries`, best first: rows
/// and scores, each `[queries, top]`; of cosines where `cosine`.
#[pyfunction]
#[pyo3(signature = (queries, corpus, top, *, cosine=true, threads=0))]
pub fn nearest<'py>(
    py: Python<'py>,
    queries: PyReadonlyArray2<'py, f32>,
    corpus: PyReadonlyArray2<'py, f32>,
    top: usize,
    cosine: bool,
    threads: usize,
) -> Answer<Best<'py>> {
    let (queries, dim) = rows(&queries, cosine)?;
    let (corpus, width) = rows(&corpus, cosine)?;
    if dim != width {
        let why = format!("queries have {dim} values, and the corpus has {width}");
        return Err(PyValueError::new_err(why));
    }
    let top = top.min(corpus.len() / dim);
    let (packed, cpu) = compute(py, || (PackedVectors::new(&corpus, dim), Cpu::new(threads)));
    drop(corpus);
    let (mut places, mut scores) = (vec![], vec![]);
    for some in queries.chunks(CHUNK * dim) {
        let stretches = [packed.stretch()];
        for hits in compute(py, || {
            found_nearest(&cpu, (some, dim), &stretches, top, None)
        }) {
            // A row that is no number is nearest to nothing.
            let missing = top - hits.len();
            places.extend(hits.iter().map(|hit| hit.row as i64));
            scores.extend(hits.iter().map(|hit| hit.score));
            places.extend(std::iter::repeat_n(-1, missing));
            scores.extend(std::iter::repeat_n(f32::NAN, missing));
        }
        py.check_signals()?;
    }
    let count = queries.len() / dim;
    Ok((
        places.into_pyarray(py).reshape([count, top])?,
        scores.into_pyarray(py).reshape([count, top])?,
    ))
}

/// First rows, second rows and cosines.
type Pairs<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<f32>>,
);

/// The pairs of rows of highest cosine, best first: of each row and its `neighbours`
/// nearest, at most `most`.
#[pyfunction]
#[pyo3(signature = (vectors, *, most, neighbours=None, threshold=-1.0, threads=0, progress=None))]
pub fn pairs<'py>(
    py: Python<'py>,
    vectors: PyReadonlyArray2<'py, f32>,
    most: usize,
    neighbours: Option<usize>,
    threshold: f32,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Answer<Pairs<'py>> {
    let (vectors, dim) = rows(&vectors, true)?;
    let settings = MineSettings {
        threshold,
        most,
        neighbours,
    };
    let found = watched(py, progress, |watched| {
        let packed = PackedVectors::new(&vectors, dim);
        mine(&Cpu::new(threads), &packed.matrix(), &settings, watched)
    })?;
    let first: Vec<i64> = found.iter().map(|pair| pair.first as i64).collect();
    let second: Vec<i64> = found.iter().map(|pair| pair.second as i64).collect();
    let cosines: Vec<f32> = found.iter().map(|pair| pair.cosine).collect();
    Ok((
        first.into_pyarray(py),
        second.into_pyarray(py),
        cosines.into_pyarray(py),
    ))
}

/// Communities of rows, the largest first, the row in the middle of each before its others.
#[pyfunction]
#[pyo3(signature = (vectors, *, threshold, smallest, threads=0, progress=None))]
pub fn communities<'py>(
    py: Python<'py>,
    vectors: PyReadonlyArray2<'py, f32>,
    threshold: f32,
    smallest: usize,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Answer<Vec<Bound<'py, PyArray1<i64>>>> {
    let (vectors, dim) = rows(&vectors, true)?;
    let settings = Communities {
        threshold,
        smallest,
    };
    let found = watched(py, progress, |watched| {
        let packed = PackedVectors::new(&vectors, dim);
        found_communities(&Cpu::new(threads), &packed.matrix(), &settings, watched)
    })?;
    let rows = |rows: Vec<usize>| {
        let rows: Vec<i64> = rows.into_iter().map(|row| row as i64).collect();
        rows.into_pyarray(py)
    };
    Ok(found.into_iter().map(rows).collect())
}
