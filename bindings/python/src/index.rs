//! Indexes: what `gradus index` and `gradus search` do.

use crate::Answer;
use crate::errors::raised;
use crate::lazily::Lazily;
use crate::options::environment;
use crate::pool::compute;
use crate::signals::{Watched, watched};
use crate::texts::texts;
use gradus::data::{Column, Format, IdColumn, TextFile};
use gradus::jobs::Environment;
use gradus::util::Silent;
use gradus_index::IndexError;
use gradus_index::filter::Filter;
use gradus_index::jobs::{
    AddSettings, Approximate, BuildSettings, COMMIT, Rerank, SearchSettings, Searcher as Searches,
    add, build, keep_words, make_graph, remove,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::Path;

/// An index that is searched, as it was when it was opened.
#[pyclass(module = "gradus._gradus", frozen)]
pub struct Searcher {
    searches: Lazily<Searches, String>,
}

#[pymethods]
impl Searcher {
    #[new]
    #[pyo3(signature = (folder, *, model=None, hybrid=None, recall=None, rerank=None, candidates=100, precision=None, device=None, threads=0))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        folder: String,
        model: Option<&str>,
        hybrid: Option<bool>,
        recall: Option<f64>,
        rerank: Option<&str>,
        candidates: usize,
        precision: Option<&str>,
        device: Option<&str>,
        threads: usize,
    ) -> Answer<Self> {
        let environment = environment(precision, device, threads)?;
        let find = |name: &str| environment.find(name, &mut Silent).map_err(raised);
        let rerank = match rerank {
            None => None,
            Some(name) => Some(Rerank {
                model: find(name)?,
                candidates,
            }),
        };
        let settings = SearchSettings {
            model: model.map(find).transpose()?,
            prompt: None,
            hybrid: (hybrid == Some(true)).then_some(candidates),
            rerank,
            approximate: recall.map(Approximate::Recall),
        };
        let searches = Lazily::new(move || {
            let folder = Path::new(&folder);
            Searches::begin(folder, &settings, &environment, &mut Silent).map_err(|e| e.to_string())
        });
        compute(py, || searches.get()).map_err(raised)?;
        Ok(Self { searches })
    }

    /// How many texts there are.
    #[getter]
    fn texts(&self) -> Answer<usize> {
        let searches = self.searches.get().map_err(raised)?;
        Ok(searches.index().rows().count())
    }

    /// For each query its texts, a dictionary each, best first; and whether there was one
    /// query alone.
    #[pyo3(signature = (queries, *, top=10, filter=None))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyAny>,
        top: usize,
        filter: Option<&str>,
    ) -> Answer<(Vec<Vec<Bound<'py, PyDict>>>, bool)> {
        let (queries, alone) = texts(queries)?;
        let filter = filter.map(Filter::parse).transpose().map_err(raised)?;
        let searches = compute(py, || self.searches.get()).map_err(raised)?;
        let mut all = vec![];
        for some in queries.chunks(256) {
            let some: Vec<&str> = some.iter().map(String::as_str).collect();
            let found = compute(py, || searches.search(&some, top, filter.as_ref()));
            for found in found.map_err(raised)? {
                let mut own = vec![];
                for found in found {
                    let dict = PyDict::new(py);
                    dict.set_item("id", found.record.id)?;
                    dict.set_item("cosine", found.cosine)?;
                    dict.set_item("fused", found.fused)?;
                    dict.set_item("score", found.score)?;
                    dict.set_item("text", found.record.text)?;
                    let columns = serde_json::Value::Object(found.record.columns).to_string();
                    let columns = py.import("json")?.call_method1("loads", (columns,))?;
                    dict.set_item("columns", columns)?;
                    own.push(dict);
                }
                all.push(own);
            }
            py.check_signals()?;
        }
        Ok((all, alone))
    }
}

/// A file of lines of JSON with `id`, `text` and other columns.
pub fn file(path: &str) -> TextFile {
    TextFile {
        column: Some(Column::Name("text".into())),
        id: IdColumn::Given(Column::Name("id".into())),
        others: true,
        ..TextFile::new(path, Some(Format::Jsonl))
    }
}

/// Runs a job that a signal may end.
fn job<T: Send>(
    py: Python<'_>,
    threads: usize,
    progress: Option<Py<PyAny>>,
    run: impl FnOnce(&Environment, &mut Watched) -> Result<T, IndexError> + Send,
) -> Answer<T> {
    let environment = environment(None, None, threads)?;
    watched(py, progress, |watched| run(&environment, watched))
}

/// Makes an index of the texts of a file; returns how many.
#[pyfunction]
#[pyo3(signature = (texts, model, folder, *, threads=0, progress=None))]
pub fn index_build(
    py: Python<'_>,
    texts: &str,
    model: &str,
    folder: &str,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Answer<usize> {
    let settings = BuildSettings {
        texts: file(texts),
        prompt: None,
        shard: None,
        commit: COMMIT,
    };
    job(py, threads, progress, |environment, watched| {
        let model = environment.find(model, watched)?;
        Ok(build(&model, &settings, folder.as_ref(), environment, watched)?.texts)
    })
}

/// Adds the texts of a file to an index; returns how many.
#[pyfunction]
#[pyo3(signature = (folder, texts, *, model=None, threads=0, progress=None))]
pub fn index_add(
    py: Python<'_>,
    folder: &str,
    texts: &str,
    model: Option<&str>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Answer<usize> {
    let settings = AddSettings {
        texts: file(texts),
        commit: COMMIT,
    };
    job(py, threads, progress, |environment, watched| {
        let model = model
            .map(|name| environment.find(name, watched))
            .transpose()?;
        Ok(add(
            folder.as_ref(),
            model.as_ref(),
            &settings,
            environment,
            watched,
        )?
        .texts)
    })
}

/// Removes texts by their ids, all or none; returns how many.
#[pyfunction]
pub fn index_remove(py: Python<'_>, folder: &str, ids: Vec<String>) -> Answer<usize> {
    compute(py, || remove(folder.as_ref(), &ids)).map_err(raised)
}

/// Makes the graph of an index; returns widths of searches and what they find.
#[pyfunction]
#[pyo3(signature = (folder, *, threads=0, progress=None))]
pub fn index_graph(
    py: Python<'_>,
    folder: &str,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Answer<Vec<(usize, f64)>> {
    let made = job(py, threads, progress, |environment, watched| {
        make_graph(folder.as_ref(), environment, watched)
    })?;
    Ok(made
        .recall
        .into_iter()
        .map(|at| (at.width, at.recall))
        .collect())
}

/// Makes an index keep the words of its texts; returns how many had none before.
#[pyfunction]
#[pyo3(signature = (folder, *, progress=None))]
pub fn index_words(py: Python<'_>, folder: &str, progress: Option<Py<PyAny>>) -> Answer<usize> {
    job(py, 0, progress, |_, watched| {
        keep_words(folder.as_ref(), watched)
    })
}
