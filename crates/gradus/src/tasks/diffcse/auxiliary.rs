//! DifferencePrediction prediction as an auxiliary loss of a stage.

use super::{DifferencePrediction, DifferenceScore, Generator};
use crate::models::{SentenceEncoder, TokenClassifier};
use crate::recipe::{DifferenceSettings, Stage};
use crate::text::Tokens;
use crate::training::{Details, TrainError};
use crate::{Embeddings, Result};
use gradus_kernels::Backend;
use gradus_kernels::dropout::mix64;
use std::path::Path;

/// Same and replaced.
const CLASSES: usize = 2;

/// A stage's difference prediction. Its discriminator is trained beside the encoder
/// and left behind.
pub(crate) struct Auxiliary<B: Backend> {
    difference: DifferencePrediction<B>,
    /// Of the step under way.
    score: DifferenceScore,
    /// How many parameters the generator has.
    frozen: usize,
}

impl<B: Backend> Auxiliary<B> {
    /// Loads the `generator` of a stage with these `texts`, and a discriminator from
    /// `start`, the model that the run begins with.
    ///
    /// # Errors
    /// [`TrainError::Stage`] where they do not fit the model; as
    /// [`Generator::load`].
    pub fn load(
        (stage, settings): (&Stage, &DifferenceSettings),
        texts: &[Tokens],
        model: &SentenceEncoder<B>,
        (start, generator): (&Path, &Path),
        seed: u64,
    ) -> Result<Self> {
        let fail = |message: String| TrainError::Stage {
            stage: stage.name.clone(),
            message: format!("difference: {message}"),
        };
        let width = model.config().hidden_size;
        if model.dim() != width {
            return Err(fail(format!(
                "the vectors have {} values and the discriminator's tokens {width}, so that none can take a token's place; begin with a model without Dense module",
                model.dim()
            ))
            .into());
        }
        if model.template().is_some() {
            let message = "it does not go with a template, whose words would be masked, too";
            return Err(fail(message.into()).into());
        }
        let vocabulary = model.tokenizer().vocabulary();
        let Some(mask) = vocabulary.mask() else {
            let message = "the model's vocabulary has neither `[MASK]` nor `<mask>`";
            return Err(fail(message.into()).into());
        };
        let generator = Generator::load(generator, model.shared_backend())?;
        let longest = texts.iter().map(|t| t.ids.len()).max().unwrap_or(0);
        generator.check(model, &vocabulary, longest).map_err(fail)?;
        let backend = model.shared_backend();
        let mut discriminator = TokenClassifier::load(start, backend, CLASSES, seed)?;
        let config = model.config();
        let own = (config.hidden_dropout, config.attention_dropout);
        let (hidden, attention) = stage.dropout.map_or(own, |p| (p, p));
        discriminator.set_dropout(hidden, attention);
        let frozen = generator.parameters();
        Ok(Self {
            difference: DifferencePrediction::new(
                settings.clone(),
                generator,
                discriminator,
                (vocabulary, mask),
                mix64(seed ^ 0x6469_6666),
            ),
            score: DifferenceScore::default(),
            frozen,
        })
    }

    /// The network that is trained.
    pub fn discriminator(&self) -> &TokenClassifier<B> {
        self.difference.discriminator()
    }

    /// The network that is trained.
    pub fn discriminator_mut(&mut self) -> &mut TokenClassifier<B> {
        self.difference.discriminator_mut()
    }

    /// Bytes of the generator's parameters.
    pub fn generator_bytes(&self) -> u64 {
        4 * self.frozen as u64
    }

    /// Begins a step.
    pub fn begin(&mut self) {
        self.score = DifferenceScore::default();
    }

    /// The weighted term of a batch, which is a `share` of the step, and its
    /// gradient with respect to the texts' vectors. Adds the discriminator's gradients
    /// to `gradients`.
    pub fn evaluate(
        &mut self,
        texts: (u64, &[(&Tokens, u64)]),
        vectors: &Embeddings,
        limit: Option<usize>,
        share: f64,
        gradients: &mut B::Arena,
    ) -> (f64, Vec<f32>) {
        let term = self
            .difference
            .evaluate(texts, vectors, limit, share, gradients);
        let loss = term.score.loss;
        self.score += DifferenceScore {
            loss: share * loss,
            ..term.score
        };
        (self.difference.weight() * loss, term.vectors)
    }

    /// How generator and discriminator did in the step.
    pub fn details(&self) -> Details {
        let report = self.score.report();
        let mut details = Details {
            words: format!("difference {:.4}", report.loss),
            ..Details::default()
        };
        let fields = serde_json::to_value(report).unwrap_or_default();
        details.fields.insert("difference".into(), fields);
        details
    }
}
