//! A training of one's own: a mean teacher. The model learns to give the vectors of a
//! moving average of itself, which sees the texts without dropout.
//!
//! The loop does the rest: log, evaluation, checkpoints, resuming. The moving average
//! is one more set of parameters; checkpoints have it by its name.
//!
//!     cargo run --release --example custom_task -- MODEL TEXTS.txt runs/mean-teacher

use gradus::format::Provenance;
use gradus::jobs::Environment;
use gradus::models::{EncodeOptions, SentenceEncoder};
use gradus::text::Tokens;
use gradus::training::{
    AdamW, ENCODER, Evaluation, Identity, Moment, Network, Networks, Pace, ParamSet, ParamSets,
    ParameterGroups, RunDescription, RunFolder, Schedule, ScheduleKind, StageOutline, State,
    StepLoss, Summary, Task, TrainingObserver, train,
};
use gradus::util::{Observer, Silent};
use gradus::{Device, Precision, Result};
use gradus_kernels::Backend;
use gradus_kernels::dropout::Dropout;
use std::path::Path;
use std::sync::Arc;

const BATCH: usize = 16;
const AVERAGE: &str = "average";

/// The model, its moving average and the texts.
pub struct MeanTeacher<B: Backend> {
    model: SentenceEncoder<B>,
    average: SentenceEncoder<B>,
    texts: Vec<Tokens>,
    outline: [StageOutline; 1],
}

impl<B: Backend> MeanTeacher<B> {
    /// Loads the model twice and tokenises the texts.
    pub fn new(model: &Path, texts: &[&str], steps: u64, backend: B) -> Result<Self> {
        let model_of = |backend| SentenceEncoder::load_beside(model, backend);
        let mut student = model_of(Arc::new(backend))?;
        let average = model_of(student.shared_backend())?;
        student.set_dropout(0.1, 0.1);
        Ok(Self {
            texts: student.tokenizer().encode(texts)?,
            model: student,
            average,
            outline: [StageOutline {
                name: "mean teacher".into(),
                steps,
                steps_per_epoch: texts.len().div_ceil(BATCH) as u64,
                schedule: Schedule::new(ScheduleKind::Linear, 0, steps),
                evaluate_every: None,
                selected_by: None,
                next_from_best: false,
                unit: "texts",
            }],
        })
    }

    /// Trains, or goes on, in the folder `root`.
    pub fn run(&mut self, root: &Path, observer: &mut dyn TrainingObserver) -> Result<Summary> {
        train(self, &RunFolder::of_task(root, "mean teacher")?, observer)
    }
}

impl<B: Backend> Networks<B> for MeanTeacher<B> {
    fn network(&self, name: &str) -> Option<&dyn Network<B>> {
        match name {
            ENCODER => Some(&self.model),
            AVERAGE => Some(&self.average),
            _ => None,
        }
    }

    fn network_mut(&mut self, name: &str) -> Option<&mut dyn Network<B>> {
        match name {
            ENCODER => Some(&mut self.model),
            AVERAGE => Some(&mut self.average),
            _ => None,
        }
    }
}

impl<B: Backend> Task<B> for MeanTeacher<B> {
    fn backend(&self) -> Arc<B> {
        self.model.shared_backend()
    }

    fn stages(&self) -> &[StageOutline] {
        &self.outline
    }

    fn pace(&self) -> Pace {
        Pace {
            log_every: 1,
            checkpoint_seconds: 120,
            checkpoint_steps: None,
            patience: None,
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            // A real program hashes its data.
            fingerprint: format!("{} texts", self.texts.len()),
            changed: "the texts changed since this run began; restore them",
            inputs: Default::default(),
        }
    }

    fn describe(&self) -> RunDescription {
        RunDescription {
            backend: self.model.backend().describe(),
            parameters: self.model.layout().len(),
            stages: vec![],
        }
    }

    fn param_sets(&mut self, _stage: usize) -> Result<ParamSets<B>> {
        let backend = self.model.backend();
        let layout = self.model.layout();
        let model = ParamSet::of_network(
            ENCODER,
            backend,
            (self.model.gradient_arena(), layout.len()),
            ParameterGroups::new(layout, 0.01, 1.0),
            1e-4,
        );
        let average = ParamSet::frozen(AVERAGE, backend);
        let sets = vec![model, average];
        Ok(ParamSets::new(AdamW::default(), Some(1.0), sets))
    }

    fn gradients(&mut self, at: Moment, sets: &mut ParamSets<B>) -> Result<StepLoss> {
        let from = at.step as usize * BATCH % self.texts.len();
        let texts = &self.texts[from..(from + BATCH).min(self.texts.len())];
        let targets = self.average.encode_tokens(texts, EncodeOptions::default());
        let dropout = Dropout::for_step(0.0, 7, at.step);
        let packed = self.model.pack(texts.iter().zip(0..));
        let state = self.model.forward(packed, Some(dropout));
        // The mean squared distance, and its gradient.
        let (vectors, n) = (state.embeddings().as_slice(), texts.len() as f32);
        let differences = vectors.iter().zip(targets.as_slice()).map(|(v, t)| v - t);
        let differences: Vec<f32> = differences.collect();
        let loss = differences.iter().map(|d| d * d).sum::<f32>() / n;
        let gradient: Vec<f32> = differences.iter().map(|d| 2.0 * d / n).collect();
        let [model] = sets.each_mut([ENCODER]);
        if let Some(gradients) = model.and_then(|set| set.gradients_mut()) {
            self.model.backward(state, &gradient, gradients);
        }
        Ok(StepLoss {
            loss: loss.into(),
            units: texts.len(),
            ..StepLoss::default()
        })
    }

    /// Moves the average a little towards the model.
    fn after_step(&mut self, _at: Moment, _sets: &mut ParamSets<B>) -> Result<()> {
        let len = self.model.layout().len();
        let (backend, average) = self.average.params_mut();
        backend.approach(average, self.model.params(), len, 0.01);
        Ok(())
    }

    fn evaluate(&mut self, _at: Moment, _sets: &ParamSets<B>) -> Result<Option<Evaluation>> {
        Ok(None)
    }

    /// The average is the model that is kept.
    fn save(
        &mut self,
        _sets: &ParamSets<B>,
        _state: &State,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let warn = &mut |message: &str| observer.warn(message);
        folder.save(
            &self.average,
            "# A mean teacher\n",
            &Provenance::default(),
            warn,
        )
    }

    fn zero_gradient_advice(&self) -> &'static str {
        "the model gives what its average gives; let it train with dropout"
    }
}

#[allow(dead_code, reason = "a test uses the rest")]
fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(texts), Some(root)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        eprintln!("usage: custom_task MODEL TEXTS DIR");
        std::process::exit(2);
    };
    let text = std::fs::read_to_string(&texts).map_err(gradus::Error::io(&texts))?;
    let texts: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let (backend, _) = Device::default().backend(Precision::Auto, 0)?;
    let model = Environment::default().find(&model, &mut Silent)?;
    let mut task = MeanTeacher::new(&model.folder, &texts, 100, backend)?;
    let summary = task.run(Path::new(&root), &mut Silent)?;
    println!("{}", summary.model.display());
    Ok(())
}
