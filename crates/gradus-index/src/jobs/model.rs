//! The model of an index.

use crate::store::ModelIdentity;
use crate::{IndexError, Result};
use gradus::format::PromptChoice;
use gradus::jobs::{Environment, Model};
use gradus::models::{SentenceEncoder, content_hash};
use gradus::util::Observer;
use gradus_kernels::cpu::Precision;

/// A model that makes vectors, and what an index says of it.
pub(super) struct Encoder {
    pub encoder: SentenceEncoder,
    pub identity: ModelIdentity,
}

impl Encoder {
    /// Loads it with a prompt before every text.
    pub fn load(
        model: &Model,
        prompt: PromptChoice,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let encoder = environment.load(&model.folder, Some(prompt), observer)?;
        let prompts = &encoder.folder().modules.prompts;
        let precision = match encoder.backend().precision() {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::Int8 => "int8",
        };
        let prompt = prompts.choose(encoder.prompt());
        let identity = ModelIdentity {
            name: model.name.clone(),
            hash: content_hash(&model.folder)?,
            dimension: encoder.dim(),
            prompt: prompt.map_err(IndexError::Settings)?,
            precision: precision.into(),
        };
        Ok(Self { encoder, identity })
    }

    /// Vectors of length 1, `[texts, dimension]`.
    pub fn unit_vectors(&self, texts: &[&str]) -> Result<Vec<f32>> {
        let vectors = self.encoder.encode(texts)?.normalized();
        let bad = vectors.as_slice().iter().position(|x| !x.is_finite());
        match bad.and_then(|place| texts.get(place / vectors.dim().max(1))) {
            Some(text) => Err(IndexError::NotFinite(text.chars().take(80).collect())),
            None => Ok(vectors.into_vec()),
        }
    }
}
