//! What is served: a model with its name, and what it says of itself.

use gradus::calibration::Calibration;
use gradus::jobs::score::Scorer;
use gradus::jobs::{Environment, PairModel};
use gradus::models::{CrossEncoder, EncodeOptions, SentenceEncoder};
use gradus::text::{Tokenizer, Tokens};
use gradus::util::Observer;
use gradus_kernels::Backend;

use crate::settings::ModelSettings;

/// What is computed of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// The vector, of which so many tokens at the beginning are not pooled.
    Vector { unpooled: usize },
    /// The vectors of all its tokens, one behind the other.
    TokenVectors,
    /// The logits of a pair, one for each label.
    Logits,
}

/// A model that answers requests.
pub(crate) struct ServedModel {
    /// What requests call it.
    pub name: String,
    scorer: Scorer,
    /// Of its folder's weights and descriptions.
    pub hash: String,
    /// When it was loaded, in seconds since 1970.
    pub loaded: u64,
    /// The labels of a classifier, in the order of its logits.
    pub labels: Vec<String>,
}

impl ServedModel {
    /// Loads it.
    pub fn load(
        settings: &ModelSettings,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> gradus::Result<Self> {
        let scorer = Scorer::load(
            &settings.model,
            settings.prompt.clone(),
            environment,
            observer,
        )?;
        let labels = match scorer.model() {
            PairModel::Cross(model) => model.label_names()?,
            PairModel::Sentence(_) => vec![],
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Ok(Self {
            name: settings.name.clone(),
            hash: gradus::models::content_hash(&settings.model.folder)?,
            loaded: now.map_or(0, |now| now.as_secs()),
            labels,
            scorer,
        })
    }

    /// The model that makes vectors, if it is one.
    pub fn sentence(&self) -> Option<&SentenceEncoder> {
        match self.scorer.model() {
            PairModel::Sentence(encoder) => Some(encoder),
            PairModel::Cross(_) => None,
        }
    }

    /// The model that scores pairs, if it is one.
    pub fn cross(&self) -> Option<&CrossEncoder> {
        match self.scorer.model() {
            PairModel::Sentence(_) => None,
            PairModel::Cross(model) => Some(model),
        }
    }

    /// Whether it scores pairs with one number each.
    pub fn is_reranker(&self) -> bool {
        self.cross().is_some_and(|model| model.labels() == 1)
    }

    /// What its numbers are mapped to grades by, if anything.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.scorer.calibration()
    }

    /// The model with its head and its calibration.
    pub fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        match self.scorer.model() {
            PairModel::Sentence(encoder) => encoder.tokenizer(),
            PairModel::Cross(model) => model.tokenizer(),
        }
    }

    /// The precision of its products, in words.
    pub fn precision(&self) -> &'static str {
        use gradus_kernels::cpu::Precision;
        let precision = match self.scorer.model() {
            PairModel::Sentence(encoder) => encoder.backend().precision(),
            PairModel::Cross(model) => model.backend().precision(),
        };
        match precision {
            Precision::F32 => "float32",
            Precision::Bf16 => "bfloat16",
            Precision::Int8 => "int8",
        }
    }

    /// Its card, as its folder has it; the front matter for machines is left out.
    pub fn card(&self) -> String {
        let folder = match self.scorer.model() {
            PairModel::Sentence(encoder) => &encoder.folder().root,
            PairModel::Cross(model) => &model.folder().root,
        };
        let text = std::fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        let behind = text
            .strip_prefix("---\n")
            .and_then(|t| t.split_once("\n---\n"));
        behind
            .map_or(text.as_str(), |(_, text)| text)
            .trim()
            .to_owned()
    }

    /// How many tokens suit its device at a time.
    pub fn batch_tokens(&self) -> usize {
        fn of<B: Backend>(backend: &B) -> usize {
            backend.batch_tokens() * backend.lanes().max(1)
        }
        match self.scorer.model() {
            PairModel::Sentence(encoder) => of(encoder.backend()),
            PairModel::Cross(model) => of(model.backend()),
        }
    }

    /// The values asked for of each input.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn compute(&self, ask: Ask, tokens: &[Tokens]) -> gradus::Result<Vec<Vec<f32>>> {
        let options = EncodeOptions::default();
        match (ask, self.scorer.model()) {
            (Ask::Vector { unpooled }, PairModel::Sentence(encoder)) => {
                let vectors = encoder.encode_prompted(tokens, unpooled, options);
                encoder.backend().check()?;
                Ok((0..vectors.rows())
                    .map(|i| vectors.row(i).to_vec())
                    .collect())
            }
            (Ask::TokenVectors, PairModel::Sentence(encoder)) => {
                let vectors = encoder.token_vectors(tokens, options)?;
                Ok(vectors.into_iter().map(|v| v.into_vec()).collect())
            }
            (Ask::Logits, PairModel::Cross(model)) => {
                let logits = model.logits(tokens);
                model.backend().check()?;
                let rows = logits.chunks_exact(model.labels().max(1));
                Ok(rows.map(<[f32]>::to_vec).collect())
            }
            _ => Err(gradus::Error::Internal(
                "a model was asked for what it does not have".into(),
            )),
        }
    }
}
