//! Models that score pairs, and grades of pairs.

use crate::Answer;
use crate::errors::raised;
use crate::lazily::Lazily;
use crate::options::Options;
use crate::pool::compute;
use crate::texts::{pairs, texts};
use gradus::jobs::PairModel;
use gradus::jobs::score::Scorer as Scores;
use gradus::models::inputs_at_a_time;
use gradus::util::Silent;
use numpy::{IntoPyArray, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Pairs between two looks at signals.
const CHUNK: usize = 256;

/// A model that scores pairs of texts: a cross-encoder, or one that makes vectors.
#[pyclass(module = "gradus._gradus", frozen)]
pub struct Scorer {
    scores: Lazily<Scores, String>,
    folder: String,
}

#[pymethods]
impl Scorer {
    #[new]
    #[pyo3(signature = (name, *, precision=None, device=None, threads=0))]
    fn new(
        py: Python<'_>,
        name: &str,
        precision: Option<&str>,
        device: Option<&str>,
        threads: usize,
    ) -> Answer<Self> {
        let options = Options::new(name, precision, device, threads)?;
        let folder = options.model().folder.display().to_string();
        let scores = Lazily::new(move || {
            Scores::load(options.model(), None, options.environment(), &mut Silent)
                .map_err(|e| e.to_string())
        });
        compute(py, || scores.get()).map_err(raised)?;
        Ok(Self { scores, folder })
    }

    /// The folder of the model.
    #[getter]
    fn folder(&self) -> &str {
        &self.folder
    }

    /// Labels of a cross-encoder; none of a model that makes vectors.
    #[getter]
    fn num_labels(&self) -> Answer<Option<usize>> {
        let scores = self.scores.get().map_err(raised)?;
        Ok(match scores.model() {
            PairModel::Cross(model) => Some(model.labels()),
            PairModel::Sentence(_) => None,
        })
    }

    /// Scores of pairs, `[pairs, labels]`, and whether there was one pair alone. Without
    /// `activation` they are logits.
    #[pyo3(signature = (of, *, activation=true, progress=None))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        of: &Bound<'py, PyAny>,
        activation: bool,
        progress: Option<Bound<'py, PyAny>>,
    ) -> Answer<(Bound<'py, PyArray2<f32>>, bool)> {
        let (pairs, alone) = pairs(of)?;
        let scores = compute(py, || self.scores.get()).map_err(raised)?;
        let PairModel::Cross(model) = scores.model() else {
            let why = format!("{} is no cross-encoder: it makes vectors", self.folder);
            return Err(raised(why));
        };
        let mut values: Vec<f32> = vec![];
        let mut done = 0;
        for some in pairs.chunks(inputs_at_a_time(model.backend(), CHUNK)) {
            let found = compute(py, || -> gradus::Result<Vec<f32>> {
                if activation {
                    let scores = model.predict(some)?;
                    return Ok(scores.as_slice().iter().map(|x| *x as f32).collect());
                }
                let some: Vec<(&str, &str)> = some.iter().map(|(a, b)| (&**a, &**b)).collect();
                Ok(model.pair_logits(&some)?.1)
            });
            values.extend(found.map_err(raised)?);
            done += some.len();
            if let Some(progress) = &progress {
                progress.call1((done, pairs.len()))?;
            }
            py.check_signals()?;
        }
        let (rows, labels) = (pairs.len(), model.labels());
        Ok((values.into_pyarray(py).reshape([rows, labels])?, alone))
    }

    /// Documents by their score with a query, best first: their places and scores.
    #[pyo3(signature = (query, documents, *, top=None))]
    fn rank(
        &self,
        py: Python<'_>,
        query: &str,
        documents: &Bound<'_, PyAny>,
        top: Option<usize>,
    ) -> Answer<Vec<(usize, f64)>> {
        let (documents, _) = texts(documents)?;
        let scores = compute(py, || self.scores.get()).map_err(raised)?;
        let PairModel::Cross(model) = scores.model() else {
            let why = format!("{} is no cross-encoder: it makes vectors", self.folder);
            return Err(raised(why));
        };
        let ranked = py
            .detach(|| model.rank(query, &documents, top))
            .map_err(raised)?;
        Ok(ranked
            .into_iter()
            .map(|found| (found.index, found.score))
            .collect())
    }

    /// How alike the texts of pairs are, a dictionary each, as `gradus score --format
    /// json` has it; and whether there was one pair alone.
    #[pyo3(signature = (of, *, progress=None))]
    fn grade<'py>(
        &self,
        py: Python<'py>,
        of: &Bound<'py, PyAny>,
        progress: Option<Bound<'py, PyAny>>,
    ) -> Answer<(Vec<Bound<'py, PyDict>>, bool)> {
        let (pairs, alone) = pairs(of)?;
        let scores = compute(py, || self.scores.get()).map_err(raised)?;
        let mut all = vec![];
        for some in pairs.chunks(CHUNK) {
            let some: Vec<(&str, &str)> = some.iter().map(|(a, b)| (&**a, &**b)).collect();
            for score in compute(py, || scores.score(&some)).map_err(raised)? {
                let own = PyDict::new(py);
                own.set_item("score", score.recommended)?;
                own.set_item("is", format!("{:?}", score.recommended_is).to_lowercase())?;
                own.set_item("cosine", score.cosine)?;
                own.set_item("grade", score.grade)?;
                let interval = score.calibrated.map(|c| (c.grade, c.low, c.high));
                own.set_item("calibrated", interval)?;
                own.set_item("truncated", score.truncated)?;
                own.set_item("unknown", score.unknown)?;
                all.push(own);
            }
            if let Some(progress) = &progress {
                progress.call1((all.len(), pairs.len()))?;
            }
            py.check_signals()?;
        }
        Ok((all, alone))
    }
}
