//! What `gradus eval`, `calibrate`, `mine` and `cluster` do.

use crate::Answer;
use crate::errors::raised;
use crate::index::file;
use crate::options::{environment, one_of};
use crate::signals::watched;
use gradus::calibration::RawScore;
use gradus::data::{Known, Source, TextVariant};
use gradus::eval::Report;
use gradus::jobs::calibrate::{CalibrateSettings, calibrate as calibrated};
use gradus::jobs::eval::{EvalSettings, ModelEvaluation};
use gradus::jobs::{Environment, Model};
use gradus::util::Silent;
use gradus_index::groups::{Communities, Density, KMeans, Select};
use gradus_index::jobs::Input;
use gradus_index::jobs::cluster::{
    ClusterSettings, Clustered, Method, RowsFormat, cluster as clustered,
};
use gradus_index::jobs::mine::{MineSettings, Mined};
use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::path::Path;

/// Scores models on the seven tasks that are named and on graded pairs (sources as JSON);
/// returns the report as JSON.
#[pyfunction]
#[pyo3(signature = (models, *, tasks, pairs, text="original", precision=None, device=None, threads=0, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn evaluate(
    py: Python<'_>,
    models: Vec<String>,
    tasks: Vec<String>,
    pairs: &str,
    text: &str,
    precision: Option<&str>,
    device: Option<&str>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Answer<String> {
    let environment = environment(precision, device, threads)?;
    let texts = [
        ("original", TextVariant::Original),
        ("senteval", TextVariant::SentEval),
    ];
    let tasks = tasks.iter().map(|name| {
        let known = Known::parse(name).ok();
        known.filter(|k| Known::SUITE.contains(k)).ok_or_else(|| {
            let there = Known::SUITE.map(Known::title).join(", ");
            PyValueError::new_err(format!("tasks: {name:?} is none; there are {there}"))
        })
    });
    let settings = EvalSettings {
        text: one_of("text", text, texts)?,
        tasks: tasks.collect::<Result<_, _>>()?,
        pairs: serde_json::from_str(pairs).map_err(|e| source_error("pairs", e))?,
        ..EvalSettings::new(models)
    };
    watched(py, progress, |watched| -> gradus::Result<Report> {
        let evaluation = ModelEvaluation::prepare(&settings, &environment, watched)?;
        evaluation.run(&environment, watched)
    })
    .map(|report| report.json())
}

fn source_error(what: &str, error: serde_json::Error) -> PyErr {
    PyValueError::new_err(format!("{what}: {error}"))
}

/// Fits a calibration by graded pairs (a source as JSON) and writes it into the model's
/// folder, or a copy in `output`; returns it as JSON, and where it is.
#[pyfunction]
#[pyo3(signature = (model, pairs, *, scale=None, score=None, coverage=0.8, output=None, overwrite=false, precision=None, device=None, threads=0, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn calibrate(
    py: Python<'_>,
    model: &str,
    pairs: &str,
    scale: Option<(f64, f64)>,
    score: Option<&str>,
    coverage: f64,
    output: Option<&str>,
    overwrite: bool,
    precision: Option<&str>,
    device: Option<&str>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Answer<(String, String)> {
    let environment = environment(precision, device, threads)?;
    let pairs: Source = serde_json::from_str(pairs).map_err(|e| source_error("pairs", e))?;
    let scores = [
        ("cosine", RawScore::Cosine),
        ("grade", RawScore::Grade),
        ("score", RawScore::Score),
    ];
    let score = score.map(|name| one_of("score", name, scores));
    let settings = CalibrateSettings {
        scale,
        score: score.transpose()?,
        coverage,
        output: output.map(Into::into),
        overwrite,
        ..CalibrateSettings::new(model, pairs)
    };
    let fitted = watched(py, progress, |watched| {
        calibrated(&settings, &environment, watched)
    })?;
    let json = serde_json::to_string(&fitted.calibration).map_err(raised)?;
    Ok((json, fitted.path.display().to_string()))
}

/// An index, or a file of lines of JSON whose vectors are kept in `kept`.
fn input(of: &str, model: Option<&Model>, kept: Option<&str>) -> Input {
    match (model, kept) {
        (Some(model), Some(kept)) => Input::File {
            texts: Box::new(file(of)),
            model: model.clone(),
            prompt: None,
            kept: kept.into(),
        },
        _ => Input::Index(of.into()),
    }
}

fn found(environment: &Environment, model: Option<&str>) -> Answer<Option<Model>> {
    let found = model.map(|name| environment.find(name, &mut Silent));
    found.transpose().map_err(raised)
}

/// Pairs of texts of an index, or of a file whose vectors are kept in `kept`, the best
/// first; each as JSON.
#[pyfunction]
#[pyo3(signature = (texts, *, model=None, kept=None, threshold=0.8, top=500_000, neighbours=None, precision=None, device=None, threads=0, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn mine(
    py: Python<'_>,
    texts: &str,
    model: Option<&str>,
    kept: Option<&str>,
    threshold: f32,
    top: usize,
    neighbours: Option<usize>,
    precision: Option<&str>,
    device: Option<&str>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Answer<Vec<String>> {
    let environment = environment(precision, device, threads)?;
    let model = found(&environment, model)?;
    let input = input(texts, model.as_ref(), kept);
    let settings = MineSettings {
        threshold,
        most: top,
        neighbours,
    };
    watched(py, progress, |watched| -> gradus_index::Result<_> {
        let mined = Mined::find(&input, model.as_ref(), &settings, &environment, watched)?;
        let mut all = Vec::with_capacity(mined.count());
        for pairs in mined.chunks() {
            let pairs = pairs?;
            let lines = pairs.iter().map(|pair| serde_json::to_string(&pair.line()));
            let lines = lines.collect::<Result<Vec<_>, _>>();
            all.extend(lines.map_err(|e| gradus::Error::Internal(e.to_string()))?);
        }
        Ok(all)
    })
}

/// What clusters are found: of each text its cluster (-1: none) and its cosine with the
/// cluster's mean; the clusters, each as JSON; the files.
type Found<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<f32>>,
    Vec<String>,
    Vec<String>,
);

/// Clusters of the texts of an index, or of a file whose vectors are kept in `kept`,
/// written to the folder `output`.
#[pyfunction]
#[pyo3(signature = (texts, output, *, model=None, kept=None, method="k-means", clusters=0, seed=42, min_size=10, neighbours=None, select="stable", threshold=0.75, keywords=10, examples=3, precision=None, device=None, threads=0, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn cluster<'py>(
    py: Python<'py>,
    texts: &str,
    output: &str,
    model: Option<&str>,
    kept: Option<&str>,
    method: &str,
    clusters: usize,
    seed: u64,
    min_size: usize,
    neighbours: Option<usize>,
    select: &str,
    threshold: f32,
    keywords: usize,
    examples: usize,
    precision: Option<&str>,
    device: Option<&str>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Answer<Found<'py>> {
    let environment = environment(precision, device, threads)?;
    let selects = [("stable", Select::Stable), ("finest", Select::Finest)];
    let select = one_of("select", select, selects)?;
    let kmeans = KMeans {
        seed,
        ..KMeans::new(clusters)
    };
    let communities = Communities {
        threshold,
        smallest: min_size,
    };
    let density = Density {
        smallest: min_size,
        neighbours: neighbours.unwrap_or(min_size),
        select,
    };
    let methods = [
        ("k-means", Method::KMeans(kmeans)),
        ("density", Method::Density(density)),
        ("communities", Method::Communities(communities)),
    ];
    let settings = ClusterSettings {
        method: one_of("method", method, methods)?,
        keywords,
        examples,
        drawn: 20_000,
        rows: RowsFormat::Jsonl,
    };
    let model = found(&environment, model)?;
    let input = input(texts, model.as_ref(), kept);
    let Clustered { clustering, files } = watched(py, progress, |watched| {
        clustered(&input, &settings, Path::new(output), &environment, watched)
    })?;
    let of = clustering.of.iter();
    let of: Vec<i64> = of.map(|own| own.map_or(-1, i64::from)).collect();
    let all = clustering.clusters.iter().map(serde_json::to_string);
    Ok((
        of.into_pyarray(py),
        clustering.cosines.into_pyarray(py),
        all.collect::<Result<_, _>>().map_err(raised)?,
        files
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
    ))
}
