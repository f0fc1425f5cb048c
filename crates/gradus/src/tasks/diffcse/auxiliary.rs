//! The networks that a stage trains beside the model and leaves behind.

use super::{Difference, DifferenceScore, Generator};
use crate::models::{SentenceEncoder, TokenClassifier};
use crate::tasks::similarity::stage::Prepared;
use crate::text::Tokens;
use crate::training::optimizer::{Optimizer, Rates, Updated};
use crate::training::{ParameterGroups, TrainError};
use crate::{Embeddings, Result};
use gradus_kernels::Backend;
use gradus_kernels::dropout::mix64;
use std::path::Path;

/// Same and replaced.
const CLASSES: usize = 2;

/// A stage's difference prediction, its optimizer and gradients.
pub(crate) struct Auxiliary<B: Backend> {
    difference: Difference<B>,
    groups: ParameterGroups,
    optimizer: Optimizer<B>,
    gradients: B::Arena,
    /// Of the step under way.
    score: DifferenceScore,
    /// How many parameters the generator has.
    frozen: usize,
}

impl<B: Backend> Auxiliary<B> {
    /// Loads the `generator`, and a discriminator from `start`, the model that
    /// the run begins with. Nothing for a stage without.
    ///
    /// # Errors
    /// [`TrainError::Stage`] where they do not fit the model; as
    /// [`Generator::load`].
    pub fn load(
        stage: &Prepared,
        model: &SentenceEncoder<B>,
        (start, generator): (&Path, &Path),
        seed: u64,
    ) -> Result<Option<Self>> {
        let Some(settings) = stage.settings.difference.clone() else {
            return Ok(None);
        };
        let fail = |message: String| TrainError::Stage {
            stage: stage.settings.name.clone(),
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
        let pieces = model.tokenizer().pieces();
        let Some(mask) = pieces.mask() else {
            let message = "the model's vocabulary has neither `[MASK]` nor `<mask>`";
            return Err(fail(message.into()).into());
        };
        let generator = Generator::load(generator, model.shared_backend())?;
        let longest = stage.texts.iter().map(|t| t.ids.len()).max().unwrap_or(0);
        generator.check(model, &pieces, longest).map_err(fail)?;
        let backend = model.shared_backend();
        let mut discriminator = TokenClassifier::load(start, backend, CLASSES, seed)?;
        let config = model.config();
        let own = (config.hidden_dropout, config.attention_dropout);
        let (hidden, attention) = stage.settings.dropout.map_or(own, |p| (p, p));
        discriminator.set_dropout(hidden, attention);
        let (layout, backend) = (discriminator.layout(), discriminator.backend());
        let frozen = generator.parameters();
        let (decay, by_layer) = (stage.settings.weight_decay, stage.settings.layer_decay);
        let groups = ParameterGroups::new(layout, decay, by_layer);
        let (adamw, clip) = (stage.settings.adamw, stage.settings.clip);
        let optimizer = Optimizer::new(backend, adamw, clip, layout.len(), 0);
        let gradients = discriminator.gradient_arena();
        let vocabulary = (pieces, mask);
        Ok(Some(Self {
            difference: Difference::new(
                settings,
                generator,
                discriminator,
                vocabulary,
                mix64(seed ^ 0x6469_6666),
            ),
            groups,
            optimizer,
            gradients,
            score: DifferenceScore::default(),
            frozen,
        }))
    }

    /// Bytes of the generator's parameters.
    pub fn generator_bytes(&self) -> u64 {
        4 * self.frozen as u64
    }

    /// Begins a step.
    pub fn begin(&mut self) {
        let backend = self.difference.discriminator().backend();
        backend.zero(&mut self.gradients);
        self.score = DifferenceScore::default();
    }

    /// The weighted term of a batch, which is a `share` of the step, and its
    /// gradient with respect to the texts' vectors. Adds the discriminator's.
    pub fn evaluate(
        &mut self,
        texts: (u64, &[(&Tokens, u64)]),
        vectors: &Embeddings,
        limit: Option<usize>,
        share: f64,
    ) -> (f64, Vec<f32>) {
        let gradients = &mut self.gradients;
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

    /// How the step's texts were told.
    pub fn score(&self) -> DifferenceScore {
        self.score
    }

    /// The norm of the discriminator's gradients, on the device.
    pub fn gradient_norm(&self) -> B::GradientNorm {
        let segments = self.groups.segments(1.0);
        let rates = Rates {
            encoder: &segments,
            head: &[],
        };
        let backend = self.difference.discriminator().backend();
        let gradients = &self.gradients;
        self.optimizer
            .gradient_norm(backend, gradients, &[], &rates)
    }

    /// The first of the discriminator's parameters with a gradient that is no
    /// number.
    pub fn not_finite(&self) -> Option<&str> {
        let discriminator = self.difference.discriminator();
        let layout = discriminator.layout();
        let backend = discriminator.backend();
        let values = backend.read_arena(&self.gradients, 0..layout.len());
        let place = values.iter().position(|g| !g.is_finite())?;
        Some(layout.name_at(place))
    }

    /// Updates the discriminator, given the norm of all gradients of the step.
    pub fn step(&mut self, learning_rate: f64, norm: &B::GradientNorm) {
        let segments = self.groups.segments(learning_rate);
        let rates = Rates {
            encoder: &segments,
            head: &[],
        };
        let (backend, params) = self.difference.discriminator_mut().params_mut();
        let updated = Updated {
            params,
            grads: &self.gradients,
            head: &mut vec![],
            head_grads: &[],
        };
        self.optimizer.step(backend, updated, &rates, norm);
    }

    /// The discriminator's parameters and moments.
    pub fn values(&self) -> [Vec<f32>; 3] {
        let discriminator = self.difference.discriminator();
        let (backend, len) = (discriminator.backend(), discriminator.layout().len());
        let (first, second) = (&self.optimizer.first, &self.optimizer.second);
        [discriminator.params(), first, second].map(|arena| backend.read_arena(arena, 0..len))
    }

    /// Puts them back, after so many steps; `false` where there are not as many
    /// as there are parameters.
    pub fn restore(&mut self, values: [Vec<f32>; 3], steps: u64) -> bool {
        let len = self.difference.discriminator().layout().len();
        if values.iter().any(|v| v.len() != len) {
            return false;
        }
        let (backend, params) = self.difference.discriminator_mut().params_mut();
        let (first, second) = (&mut self.optimizer.first, &mut self.optimizer.second);
        for (arena, values) in [params, first, second].into_iter().zip(&values) {
            backend.write_arena(arena, 0, values);
        }
        self.optimizer.steps = steps;
        true
    }
}
