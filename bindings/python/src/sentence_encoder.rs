//! Models that make vectors.

use crate::Answer;
use crate::errors::raised;
use crate::lazily::Lazily;
use crate::options::Options;
use crate::pool::compute;
use crate::texts::texts;
use gradus::format::PromptChoice;
use gradus::models::{EncodeOptions, inputs_at_a_time};
use gradus::util::Silent;
use gradus::{Embeddings, SentenceEncoder};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Texts between two looks at signals.
const CHUNK: usize = 512;

/// A model that makes vectors of texts.
#[pyclass(module = "gradus._gradus", frozen)]
pub struct Encoder {
    model: Lazily<SentenceEncoder, String>,
    folder: String,
    /// Nanoseconds of the last call that the library took.
    computed: AtomicU64,
}

#[pymethods]
impl Encoder {
    #[new]
    #[pyo3(signature = (name, *, precision=None, device=None, threads=0, max_seq_length=None))]
    fn new(
        py: Python<'_>,
        name: &str,
        precision: Option<&str>,
        device: Option<&str>,
        threads: usize,
        max_seq_length: Option<usize>,
    ) -> Answer<Self> {
        let options = Options::new(name, precision, device, threads)?;
        let folder = options.model().folder.display().to_string();
        let model = Lazily::new(move || {
            let folder = &options.model().folder;
            let mut model = options.environment().load(folder, None, &mut Silent);
            if let (Ok(model), Some(most)) = (&mut model, max_seq_length) {
                model
                    .tokenizer_mut()
                    .set_max_tokens(most)
                    .map_err(|e| e.to_string())?;
            }
            model.map_err(|e| e.to_string())
        });
        compute(py, || model.get()).map_err(raised)?;
        Ok(Self {
            model,
            folder,
            computed: AtomicU64::new(0),
        })
    }

    /// The folder of the model.
    #[getter]
    fn folder(&self) -> &str {
        &self.folder
    }

    /// Values of a vector.
    #[getter]
    fn dimension(&self) -> Answer<usize> {
        Ok(self.model.get().map_err(raised)?.dim())
    }

    /// The most tokens of a text; what is longer is cut.
    #[getter]
    fn max_seq_length(&self) -> Answer<usize> {
        Ok(self.model.get().map_err(raised)?.tokenizer().max_tokens())
    }

    /// Seconds that the library took of the last call of `encode`; the rest is the cost of
    /// crossing from Python.
    #[getter]
    fn last_computed(&self) -> f64 {
        self.computed.load(Ordering::Relaxed) as f64 / 1e9
    }

    /// The prompts of the model by their names.
    #[getter]
    fn prompts<'py>(&self, py: Python<'py>) -> Answer<Bound<'py, PyDict>> {
        let model = self.model.get().map_err(raised)?;
        let all = PyDict::new(py);
        for (name, text) in &model.folder().modules.prompts.named {
            all.set_item(name, text)?;
        }
        Ok(all)
    }

    /// The name of the prompt that is used where none is chosen.
    #[getter]
    fn default_prompt_name(&self) -> Answer<Option<String>> {
        let model = self.model.get().map_err(raised)?;
        Ok(model.folder().modules.prompts.default.clone())
    }

    /// Vectors of texts, `[texts, dimension]`, and whether there was one text alone.
    /// `prompt` is the text before each; `progress` is called with how many are done, and of
    /// how many.
    #[pyo3(signature = (sentences, *, prompt="", normalize=false, truncate_dim=None, batch_tokens=None, progress=None))]
    #[allow(clippy::too_many_arguments)]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        sentences: &Bound<'py, PyAny>,
        prompt: &str,
        normalize: bool,
        truncate_dim: Option<usize>,
        batch_tokens: Option<usize>,
        progress: Option<Bound<'py, PyAny>>,
    ) -> Answer<(Bound<'py, PyArray2<f32>>, bool)> {
        let (texts, alone) = texts(sentences)?;
        let model = compute(py, || self.model.get()).map_err(raised)?;
        let prompt = PromptChoice::Text(prompt.to_owned());
        let prompted = model.prompted(&prompt).map_err(raised)?;
        if truncate_dim == Some(0) {
            return Err(PyValueError::new_err(
                "truncate_dim is 0; keep at least one value",
            ));
        }
        let width = truncate_dim.unwrap_or(usize::MAX).min(model.dim());
        let mut values = Vec::with_capacity(texts.len() * width);
        let (mut done, mut computed) = (0, Duration::ZERO);
        for some in texts.chunks(inputs_at_a_time(model.backend(), CHUNK)) {
            let began = Instant::now();
            let vectors = compute(py, || -> gradus::Result<Embeddings> {
                let texts: Vec<&str> = some.iter().map(String::as_str).collect();
                let options = EncodeOptions { batch_tokens };
                let (_, vectors) = model.encode_texts_behind(&prompted, &texts, options)?;
                let vectors = vectors.truncated(width);
                Ok(match normalize {
                    true => vectors.normalized(),
                    false => vectors,
                })
            });
            computed += began.elapsed();
            values.extend(vectors.map_err(raised)?.into_vec());
            done += some.len();
            if let Some(progress) = &progress {
                progress.call1((done, texts.len()))?;
            }
            py.check_signals()?;
        }
        self.computed
            .store(computed.as_nanos() as u64, Ordering::Relaxed);
        let rows = texts.len();
        Ok((values.into_pyarray(py).reshape([rows, width])?, alone))
    }

    /// The vectors of each text's tokens, `[tokens, width]` each.
    #[pyo3(signature = (sentences, *, prompt=""))]
    fn token_vectors<'py>(
        &self,
        py: Python<'py>,
        sentences: &Bound<'py, PyAny>,
        prompt: &str,
    ) -> Answer<(Vec<Bound<'py, PyArray2<f32>>>, bool)> {
        let (texts, alone) = texts(sentences)?;
        let model = compute(py, || self.model.get()).map_err(raised)?;
        let prompt = PromptChoice::Text(prompt.to_owned());
        let prompted = model.prompted(&prompt).map_err(raised)?;
        let mut all = vec![];
        for some in texts.chunks(CHUNK) {
            let vectors = compute(py, || -> gradus::Result<Vec<Embeddings>> {
                let texts: Vec<&str> = some.iter().map(String::as_str).collect();
                let tokens = prompted.tokenizer().encode(&texts)?;
                model.token_vectors(&tokens, EncodeOptions::default())
            });
            for vectors in vectors.map_err(raised)? {
                let (rows, width) = (vectors.rows(), vectors.dim());
                all.push(vectors.into_vec().into_pyarray(py).reshape([rows, width])?);
            }
            py.check_signals()?;
        }
        Ok((all, alone))
    }

    /// The ids of a text's tokens.
    fn tokens<'py>(&self, py: Python<'py>, text: &str) -> Answer<Bound<'py, PyArray1<u32>>> {
        let model = self.model.get().map_err(raised)?;
        let tokens = model.tokenizer().encode(&[text]).map_err(raised)?;
        let ids = tokens
            .into_iter()
            .flat_map(|tokens| tokens.ids)
            .collect::<Vec<u32>>();
        Ok(ids.into_pyarray(py))
    }
}
