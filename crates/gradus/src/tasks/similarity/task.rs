//! Sentence encoders as the engine trains them.

use super::buffer::Buffer;
use super::cross_targets::CrossTargets;
use super::evaluation::DevSet;
use super::frozen::Frozen;
use super::gradients::{AuxiliaryTerms, StepGradients};
use super::provenance::keep_overlap;
use super::stage::Prepared;
use super::{DevEvaluation, TrainingPlan};
use crate::calibration::Calibration;
use crate::eval::Correlation;
use crate::format::Provenance;
use crate::models::{ModelFolder, SentenceEncoder};
use crate::nn::RegressionHead;
use crate::recipe::{EntriesOf, Freeze, Recipe};
use crate::tasks::diffcse::Auxiliary;
use crate::teacher::{self, TeacherVectors};
use crate::text::Tokens;
use crate::training::{
    self, Details, ENCODER, Evaluation, HEAD, Identity, Moment, Network, Networks, Pace, ParamSet,
    ParamSets, ParameterGroups, RunDescription, RunFolder, RunInputs, StageOutline, State,
    StepLoss, Summary, Task, Tensors, TrainingObserver,
};
use crate::util::Observer;
use crate::{Embeddings, Result};
use gradus_kernels::Backend;
use gradus_kernels::dropout::mix64;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The set of the network that a stage with difference prediction trains beside the
/// encoder.
pub(crate) const DISCRIMINATOR: &str = "discriminator";

/// The set of the moving average that a stage's buffer is filled by.
pub(crate) const AVERAGE: &str = "average";

/// What the vectors of the buffer are called in checkpoints.
const BUFFER: &str = "buffer";

/// A sentence encoder and the recipe that it is trained by, made ready.
pub struct Similarity<B: Backend> {
    pub(crate) recipe: Recipe,
    pub(crate) model: SentenceEncoder<B>,
    pub(crate) stages: Vec<Prepared>,
    pub(crate) outlines: Vec<StageOutline>,
    pub(crate) dev: Option<DevSet>,
    pub(crate) plan: TrainingPlan,
    pub(crate) fingerprint: String,
    /// What else its numbers depend on.
    pub(crate) inputs: RunInputs,
    /// Whether the model is calibrated on the dev set in the end.
    pub(crate) calibrated: bool,
    /// The training runs behind the model that this one begins with.
    pub(crate) earlier: Provenance,
    /// The folders of teachers and generators.
    pub(crate) other_models: BTreeMap<String, PathBuf>,
    /// The folder of the model that the run begins with.
    pub(crate) start: PathBuf,
    /// The head that came with the model, for the first stage.
    pub(crate) given_head: Option<RegressionHead>,
    /// Of the stage under way: the texts' vectors where the encoder is frozen.
    pub(crate) frozen: Option<Frozen>,
    /// The network that it trains beside the encoder.
    pub(crate) auxiliary: Option<Auxiliary<B>>,
    /// The cross-encoder whose scores it follows.
    pub(crate) cross_targets: Option<CrossTargets<B>>,
    /// Its buffer of negatives.
    pub(crate) buffer: Option<Buffer<B>>,
    /// The order of the epoch under way.
    pub(crate) order: Option<(u64, Vec<u32>)>,
}

impl<B: Backend> Similarity<B> {
    /// Leaves no calibration with the model: the dev set's labels are no grades.
    pub fn uncalibrated(&mut self) {
        self.calibrated = false;
    }

    /// What the run will do.
    pub fn plan(&self) -> &TrainingPlan {
        &self.plan
    }

    /// The model in its current state.
    pub fn model(&self) -> &SentenceEncoder<B> {
        &self.model
    }

    /// Carries the run out, from its latest checkpoint if there is one.
    ///
    /// # Errors
    /// As [`train`](training::train).
    pub fn execute(
        &mut self,
        folder: &RunFolder,
        observer: &mut dyn TrainingObserver,
    ) -> Result<Summary> {
        keep_overlap(&mut self.plan, folder)?;
        observer.note(self.plan.describe().trim_end());
        training::train(self, folder, observer)
    }

    /// Puts into the plan how long the stages take: what they encode once, and their
    /// steps.
    ///
    /// # Errors
    /// As [`estimate_encoding`](Self::estimate_encoding).
    pub fn estimate(&mut self) -> Result<()> {
        self.estimate_encoding()?;
        self.estimate_steps()
    }

    /// A stage's own parameters at its start, where no stage before it hands them
    /// on: the first stage goes on with a head of the same kind that came with the
    /// model.
    fn initial_head(&self, s: usize) -> Vec<f32> {
        let objective = &self.stages[s].objective;
        let seed = mix64(self.recipe.seed ^ s as u64);
        let fresh = objective.initial_parameters(self.model.dim(), seed);
        match (&self.given_head, self.head(s, &fresh)) {
            (Some(given), Some(own))
                if s == 0
                    && given.values.len() == fresh.len()
                    && (given.features, given.outputs) == (own.features, own.outputs) =>
            {
                given.values.clone()
            }
            _ => fresh,
        }
    }

    pub(crate) fn head(&self, s: usize, parameters: &[f32]) -> Option<RegressionHead> {
        let stage = self.stages.get(s);
        stage.and_then(|stage| stage.objective.head(parameters, self.model.dim()))
    }

    /// The network that a stage trains beside the model, at its start.
    pub(crate) fn load_auxiliary(&self, s: usize) -> Result<Option<Auxiliary<B>>> {
        let Some(stage) = self.stages.get(s) else {
            return Ok(None);
        };
        let Some(settings) = &stage.settings.difference else {
            return Ok(None);
        };
        let generator = self.other_models[&settings.generator].as_path();
        let seed = mix64(self.recipe.seed ^ ((s as u64) << 32) ^ 0x6175_7869);
        let auxiliary = Auxiliary::load(
            (&stage.settings, settings),
            &stage.texts,
            &self.model,
            (&self.start, generator),
            seed,
        );
        auxiliary.map(Some)
    }

    /// The cross-encoder that a stage follows.
    pub(crate) fn load_cross_targets(&self, s: usize) -> Result<Option<CrossTargets<B>>> {
        let Some(stage) = self.stages.get(s) else {
            return Ok(None);
        };
        let Some(settings) = &stage.settings.self_distillation else {
            return Ok(None);
        };
        let folder = &self.other_models[&settings.cross_encoder];
        let texts = stage.for_cross_encoder.clone();
        CrossTargets::load(settings, folder, texts, self.model.shared_backend()).map(Some)
    }

    /// The bytes of a stage's buffer: entries, and the moving average's parameters.
    pub(crate) fn buffer_bytes(&self, s: usize) -> Result<u64> {
        let settings = &self.stages[s].settings;
        let Some(rules) = settings.buffer_rules() else {
            return Ok(0);
        };
        let mut width = self.model.dim();
        for teacher in &settings.teachers {
            let folder = ModelFolder::open(&self.other_models[&teacher.model])?;
            width += folder.modules.out_width(folder.config.hidden_size);
        }
        let average = match rules.entries_of {
            EntriesOf::Average { .. } => self.model.layout().len(),
            EntriesOf::Model => 0,
        };
        Ok(4 * (rules.size as u64 * width as u64 + average as u64))
    }

    /// A stage's buffer at its start.
    fn empty_buffer(&self, s: usize) -> Option<Buffer<B>> {
        let settings = &self.stages.get(s)?.settings;
        let rules = settings.buffer_rules()?;
        let weights = settings.teachers.iter().map(|t| t.weight).collect();
        Some(Buffer::new(rules, weights, &self.model))
    }

    /// Has a stage's teachers encode its texts, or finds what they made of them
    /// before.
    fn encode_by_teachers(&mut self, s: usize, observer: &mut dyn Observer) -> Result<()> {
        let stage = &self.stages[s];
        let texts = stage.texts_for_teachers();
        let mut vectors = vec![];
        for teacher in &stage.settings.teachers {
            let backend = self.model.shared_backend();
            let model = &self.other_models[&teacher.model];
            let cache = teacher::cache_folder();
            vectors.push(TeacherVectors::prepare(
                model, backend, &texts, &cache, observer,
            )?);
        }
        self.stages[s].teachers = vectors;
        Ok(())
    }
}

impl<B: Backend> Networks<B> for Similarity<B> {
    fn network(&self, name: &str) -> Option<&dyn Network<B>> {
        match name {
            ENCODER => Some(&self.model),
            DISCRIMINATOR => self.auxiliary.as_ref().map(|a| a.discriminator() as _),
            AVERAGE => self.buffer.as_ref()?.average().map(|model| model as _),
            _ => None,
        }
    }

    fn network_mut(&mut self, name: &str) -> Option<&mut dyn Network<B>> {
        match name {
            ENCODER => Some(&mut self.model),
            DISCRIMINATOR => self.auxiliary.as_mut().map(|a| a.discriminator_mut() as _),
            AVERAGE => self.buffer.as_mut()?.average_mut().map(|model| model as _),
            _ => None,
        }
    }
}

impl<B: Backend> Task<B> for Similarity<B> {
    fn backend(&self) -> Arc<B> {
        self.model.shared_backend()
    }

    fn stages(&self) -> &[StageOutline] {
        &self.outlines
    }

    fn pace(&self) -> Pace {
        Pace {
            log_every: self.recipe.log_every,
            checkpoint_seconds: self.recipe.checkpoint_seconds,
            checkpoint_steps: self.recipe.checkpoint_steps,
            patience: self.recipe.evaluation.patience,
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            fingerprint: self.fingerprint.clone(),
            changed: "the training data changed since this run began; restore it",
            inputs: self.inputs.clone(),
        }
    }

    fn describe(&self) -> RunDescription {
        RunDescription {
            backend: self.plan.backend.clone(),
            parameters: self.plan.parameters,
            stages: self.plan.stages.iter().map(|s| s.record()).collect(),
        }
    }

    fn param_sets(&mut self, s: usize) -> Result<ParamSets<B>> {
        (self.frozen, self.order) = (None, None);
        self.auxiliary = self.load_auxiliary(s)?;
        self.cross_targets = self.load_cross_targets(s)?;
        self.buffer = self.empty_buffer(s);
        let backend = self.model.shared_backend();
        let Some(stage) = self.stages.get(s) else {
            let model = ParamSet::frozen(ENCODER, &*backend);
            return Ok(ParamSets::new(Default::default(), None, vec![model]));
        };
        let settings = &stage.settings;
        let (rate, decay) = (settings.learning_rate, settings.weight_decay);
        let mut sets = vec![match settings.freeze {
            Freeze::Encoder => ParamSet::frozen(ENCODER, &*backend),
            Freeze::None => ParamSet::of_network(
                ENCODER,
                &*backend,
                (self.model.gradient_arena(), self.model.layout().len()),
                stage.groups.clone(),
                rate,
            ),
        }];
        let head = self.initial_head(s);
        if !head.is_empty() {
            let decayed = stage.objective.decayed(self.model.dim());
            let groups = ParameterGroups::of_flags(&decayed, decay);
            let rate = settings.head_learning_rate.unwrap_or(rate);
            sets.push(ParamSet::on_host(HEAD, head, groups, rate));
        }
        if let Some(auxiliary) = &self.auxiliary {
            let discriminator = auxiliary.discriminator();
            let layout = discriminator.layout();
            let groups = ParameterGroups::new(layout, decay, settings.layer_decay);
            let arena = (discriminator.gradient_arena(), layout.len());
            sets.push(ParamSet::of_network(
                DISCRIMINATOR,
                &*backend,
                arena,
                groups,
                rate,
            ));
        }
        if self.buffer.as_ref().is_some_and(|b| b.average().is_some()) {
            sets.push(ParamSet::frozen(AVERAGE, &*backend));
        }
        Ok(ParamSets::new(settings.adamw, settings.clip, sets))
    }

    fn begin_stage(&mut self, s: usize, observer: &mut dyn Observer) -> Result<()> {
        let config = self.model.config();
        let own = (config.hidden_dropout, config.attention_dropout);
        let (hidden, attention) = self.stages[s].settings.dropout.map_or(own, |p| (p, p));
        self.model.set_dropout(hidden, attention);
        self.encode_by_teachers(s, observer)?;
        if let Some(buffer) = &mut self.buffer {
            let teachers = &self.stages[s].teachers;
            buffer.ask_teachers(|texts| teachers.iter().map(|t| t.gather(texts)).collect())?;
        }
        self.frozen = match self.stages[s].settings.freeze {
            Freeze::Encoder => Some(Frozen::new(&self.stages[s], &self.model, observer)?),
            Freeze::None => None,
        };
        Ok(())
    }

    fn gradients(&mut self, at: Moment, sets: &mut ParamSets<B>) -> Result<StepLoss> {
        let stage = &self.stages[at.stage];
        let (seed, order) = (self.recipe.seed, &mut self.order);
        let examples = stage.examples(seed, at.stage, at.step, order);
        let [encoder, head, discriminator] = sets.each_mut([ENCODER, HEAD, DISCRIMINATOR]);
        let (parameters, head_gradients) = match head {
            Some(head) => head.host_mut(),
            None => (&[][..], &mut [][..]),
        };
        let step = StepGradients {
            stage,
            examples: &examples,
            parameters,
            head: head_gradients,
        };
        let loss = match (&self.frozen, encoder.and_then(|set| set.gradients_mut())) {
            (Some(vectors), _) => step.of_head(vectors)?,
            (None, Some(encoder)) => {
                let gradients = discriminator.and_then(|set| set.gradients_mut());
                let auxiliary = self.auxiliary.as_mut().zip(gradients);
                let buffer = self.buffer.as_mut();
                let terms = AuxiliaryTerms {
                    difference: auxiliary,
                    cross_targets: self.cross_targets.as_mut(),
                };
                step.of_all(&self.model, seed, at, encoder, buffer, terms)?
            }
            (None, None) => 0.0,
        };
        Ok(StepLoss {
            loss,
            units: examples.len(),
            details: self.details(),
        })
    }

    /// Takes the step's vectors into the buffer.
    fn after_step(&mut self, at: Moment, _sets: &mut ParamSets<B>) -> Result<()> {
        let Some(buffer) = &mut self.buffer else {
            return Ok(());
        };
        let stage = &self.stages[at.stage];
        let examples = stage.examples(self.recipe.seed, at.stage, at.step, &mut self.order);
        let texts = stage.first_texts(&examples);
        let teachers = stage.teachers.iter().map(|t| t.gather(&texts));
        let teachers: Vec<Embeddings> = teachers.collect::<Result<_>>()?;
        let tokens = texts
            .iter()
            .map(|&t| stage.prompting.tokens(&stage.texts, t, 0));
        let tokens: Vec<Tokens> = tokens.cloned().collect();
        let inputs = (&texts[..], &tokens[..], stage.prompting.denoise);
        buffer.follow(&self.model, at.step, inputs, &teachers);
        Ok(())
    }

    fn tensors(&self) -> Tensors {
        let buffer = self.buffer.iter();
        let vectors = buffer.map(|b| (BUFFER.to_owned(), b.vectors().as_slice().to_vec()));
        vectors.collect()
    }

    fn restore(&mut self, at: Moment, mut tensors: Tensors) -> bool {
        let saved = tensors.remove(BUFFER);
        let fits = match (&mut self.buffer, saved) {
            (None, saved) => saved.is_none(),
            (Some(_), None) => at.step == 0,
            (Some(buffer), Some(vectors)) => {
                let stage = &self.stages[at.stage];
                let (seed, order) = (self.recipe.seed, &mut self.order);
                let steps = (0..at.step).rev();
                let texts = steps
                    .map(|step| stage.first_texts(&stage.examples(seed, at.stage, step, order)));
                buffer.restore(vectors, self.model.dim(), texts)
            }
        };
        fits && tensors.is_empty()
    }

    fn evaluate(&mut self, at: Moment, sets: &ParamSets<B>) -> Result<Option<Evaluation>> {
        let Some(dev) = &self.dev else {
            return Ok(None);
        };
        let outline = &self.outlines[at.stage];
        let head = self.head(at.stage, sets.values(HEAD));
        let found = dev.evaluate(&self.model, head.as_ref(), &outline.name, at.step);
        Ok(Some(evaluation(&found, outline.selected_by.is_some())))
    }

    fn save(
        &mut self,
        sets: &ParamSets<B>,
        state: &State,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let head = self.head(state.stage, sets.values(HEAD));
        self.model.set_head(head);
        let template = self.model.template();
        let card = super::card::card(&self.recipe, &self.plan, state, template);
        let provenance = self.provenance(state);
        let warn = &mut |message: &str| observer.warn(message);
        folder.save(&self.model, &card, &provenance, warn)
    }

    fn reload(&mut self, sets: &mut ParamSets<B>, folder: &RunFolder) -> Result<()> {
        self.model.reload(&folder.model())?;
        let [head] = sets.each_mut([HEAD]);
        if let (Some(set), Some(head)) = (head, self.model.head()) {
            set.set_values(&head.values);
        }
        Ok(())
    }

    /// Leaves a calibration with the model, fitted on the dev set.
    fn finish(&mut self, folder: &RunFolder, observer: &mut dyn Observer) -> Result<()> {
        let model = folder.model();
        let Some(dev) = &self.dev else { return Ok(()) };
        if !self.calibrated || Calibration::path(&model).exists() {
            return Ok(());
        }
        self.model.reload(&model)?;
        match dev.calibrate(&self.model) {
            Ok(calibration) => {
                calibration.save(&model)?;
                observer.note(&format!("calibrated: {}", calibration.describe()));
            }
            Err(why) => observer.warn(&format!("the model is not calibrated: {why}")),
        }
        Ok(())
    }

    fn zero_gradient_advice(&self) -> &'static str {
        "every pair already lies where its loss is 0, or no batch holds examples that differ; look at the objective's settings and at the data"
    }
}

impl<B: Backend> Similarity<B> {
    /// What a step measured beside its loss.
    fn details(&self) -> Details {
        let auxiliary = self.auxiliary.as_ref().map(|a| a.details());
        let buffer = self.buffer.as_ref().map(|b| b.details());
        let targets = self.cross_targets.as_ref().map(|t| t.details());
        let mut all = Details::default();
        for own in auxiliary.into_iter().chain(targets).chain(buffer) {
            let parts = [all.words, own.words].into_iter();
            let parts: Vec<String> = parts.filter(|words| !words.is_empty()).collect();
            all.words = parts.join(", ");
            all.fields.extend(own.fields);
        }
        all
    }
}

/// A dev set's scores as the loop sees them.
fn evaluation(found: &DevEvaluation, selects: bool) -> Evaluation {
    let mut warnings = vec![];
    if let (Correlation::Undefined(why), true) = (found.spearman, selects) {
        warnings.push(format!(
            "the score on {} at step {} is undefined, as {why}: nothing is selected by it",
            found.dev, found.step
        ));
    }
    warnings.extend(found.geometry.collapse_warning());
    let fields = serde_json::to_value(found).unwrap_or_default();
    Evaluation {
        stage: found.stage.clone(),
        step: found.step,
        score: found.spearman.value(),
        details: Details {
            words: found.describe(),
            fields: match fields {
                serde_json::Value::Object(fields) => fields,
                _ => Default::default(),
            },
        },
        warnings,
    }
}
