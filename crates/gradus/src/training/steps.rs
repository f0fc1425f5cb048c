//! The one loop of training: steps, log, evaluations, checkpoints, stages.

use super::metrics::MetricsWriter;
use super::record::Recorder;
use super::selection::{end_of_stage, select};
use super::task::{Moment, StageOutline, Task};
use super::{
    Checkpoint, Evaluation, ParamSets, RunFolder, StageStart, Standing, State, StepReport,
    TrainError, TrainingObserver,
};
use crate::util::check_cancelled;
use crate::{Error, Result};
use gradus_kernels::Backend;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The model's folder: the best, or the last where nothing is chosen.
    pub model: PathBuf,
    /// The score before training.
    pub initial: Option<f64>,
    /// The best score of the last stage.
    pub best: Option<f64>,
    /// The step it was reached at.
    pub best_step: u64,
    /// Units of the last stage per second since this process began or resumed it.
    pub per_second: f64,
    /// Wall time since this process began or resumed the run, in seconds.
    pub seconds: f64,
}

/// Carries a task out in `folder`, from its latest checkpoint if there is one.
///
/// # Errors
/// [`TrainError::NotFinite`]; [`TrainError::Folder`] where a checkpoint does not
/// belong to this task and its data; [`Error::Stopped`]; [`Error::Io`]; those of
/// the task.
pub fn train<B: Backend, T: Task<B>>(
    task: &mut T,
    folder: &RunFolder,
    observer: &mut dyn TrainingObserver,
) -> Result<Summary> {
    let started = Instant::now();
    let mut run = Loop::open(task, folder, observer)?;
    if !run.is_over() {
        run.record(false)?;
    }
    while !run.is_over() {
        check_cancelled(observer, "between stages, with a checkpoint")?;
        run.stage(observer)?;
        run.finish_stage(observer)?;
    }
    run.metrics.flush()?;
    let (state, per_second) = (run.state, run.per_second);
    task.finish(folder, observer)?;
    observer.end();
    Ok(Summary {
        model: folder.model(),
        initial: state.initial,
        best: state.best,
        best_step: state.best_step,
        per_second,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// A run under way.
struct Loop<'a, B: Backend, T> {
    task: &'a mut T,
    backend: Arc<B>,
    folder: &'a RunFolder,
    state: State,
    sets: ParamSets<B>,
    metrics: MetricsWriter,
    recorder: Recorder,
    last_checkpoint: Instant,
    per_second: f64,
}

/// How fast a stage gets on.
struct Speed {
    began: Instant,
    /// Steps and units since then.
    steps: u64,
    units: usize,
}

impl Speed {
    fn begin() -> Self {
        Self {
            began: Instant::now(),
            steps: 0,
            units: 0,
        }
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64().max(1e-9)
    }
}

fn is_due(every: Option<u64>, step: u64) -> bool {
    every.is_some_and(|n| step.is_multiple_of(n.max(1)))
}

impl<'a, B: Backend, T: Task<B>> Loop<'a, B, T> {
    /// At the latest checkpoint, or before the first step.
    fn open(
        task: &'a mut T,
        folder: &'a RunFolder,
        observer: &mut dyn TrainingObserver,
    ) -> Result<Self> {
        let backend = task.backend();
        let latest = folder.latest_checkpoint(&mut |message| observer.warn(message))?;
        let (state, sets) = match latest {
            None => (State::new(task.identity()), task.param_sets(0)?),
            Some(checkpoint) => restored(task, &*backend, folder, checkpoint)?,
        };
        Ok(Self {
            backend,
            metrics: MetricsWriter::open(folder, state.metrics_len, state.events_len)?,
            recorder: Recorder::new(folder.root(), task.describe()),
            last_checkpoint: Instant::now(),
            per_second: 0.0,
            task,
            folder,
            state,
            sets,
        })
    }

    fn is_over(&self) -> bool {
        self.state.stage >= self.task.stages().len()
    }

    fn at(&self) -> Moment {
        Moment {
            stage: self.state.stage,
            step: self.state.step,
        }
    }

    /// Trains the stage under way to its end.
    fn stage(&mut self, observer: &mut dyn TrainingObserver) -> Result<()> {
        let outline = self.task.stages()[self.state.stage].clone();
        let (steps, pace) = (outline.steps, self.task.pace());
        observer.stage(StageStart {
            index: self.state.stage,
            name: &outline.name,
            step: self.state.step,
            steps,
        });
        if self.state.step == 0 {
            self.evaluate(&outline, observer)?;
        }
        self.task.begin_stage(self.state.stage, &mut *observer)?;
        let mut speed = Speed::begin();
        while self.state.step < steps {
            let report = self.step(&outline, &mut speed)?;
            observer.step(&report);
            let (step, last) = (report.step, report.step == steps);
            if last || is_due(Some(pace.log_every), step) {
                self.log(&outline, &report)?;
            }
            if last || is_due(outline.evaluate_every, step) {
                self.evaluate(&outline, observer)?;
                let stale = self.state.stale;
                if !last && pace.patience.is_some_and(|p| stale >= p) {
                    observer.note(&format!(
                        "stopping early: no new best in {stale} evaluations"
                    ));
                    break;
                }
            }
            let by_time = self.last_checkpoint.elapsed().as_secs() >= pace.checkpoint_seconds;
            let cancelled = !last && observer.cancelled();
            if !last && (by_time || cancelled || is_due(pace.checkpoint_steps, step)) {
                self.checkpoint()?;
            }
            if cancelled {
                return Err(Error::Stopped(format!(
                    "after step {step} of {steps} of stage `{}`, with a checkpoint",
                    outline.name
                )));
            }
        }
        self.per_second = speed.units as f64 / speed.seconds();
        Ok(())
    }

    /// Takes one optimizer step.
    fn step(&mut self, outline: &StageOutline, speed: &mut Speed) -> Result<StepReport> {
        let (at, backend) = (self.at(), &*self.backend);
        self.sets.clear(backend);
        let found = self.task.gradients(at, &mut self.sets)?;
        let factor = outline.schedule.factor(at.step);
        let norm = self.sets.gradient_norm(backend);
        if found.loss.is_finite() {
            self.sets.update(backend, self.task, factor, &norm);
        }
        // Read when all of the step is under way; one that is no number has changed
        // nothing.
        let norm = backend.norm(&norm);
        backend.check()?;
        if !(found.loss.is_finite() && norm.is_finite()) {
            return Err(self.not_finite(&outline.name, found.loss));
        }
        self.task.after_step(at, &mut self.sets)?;
        self.state.step += 1;
        self.state.zero_steps += u64::from(norm == 0.0);
        speed.steps += 1;
        speed.units += found.units;
        let (seconds, left) = (speed.seconds(), outline.steps - self.state.step);
        Ok(StepReport {
            stage: at.stage,
            step: self.state.step,
            steps: outline.steps,
            loss: found.loss,
            gradient_norm: norm,
            learning_rate: self.sets.learning_rate(factor),
            unit: outline.unit,
            per_second: speed.units as f64 / seconds,
            seconds_left: seconds / speed.steps as f64 * left as f64,
            details: found.details,
        })
    }

    fn not_finite(&self, stage: &str, loss: f64) -> Error {
        let what = match self.sets.not_finite(&*self.backend, self.task) {
            _ if !loss.is_finite() => format!("the loss ({loss})"),
            Some(tensor) => format!("the gradient of {tensor}"),
            None => "the norm of the gradients".into(),
        };
        let error = TrainError::NotFinite {
            stage: stage.to_owned(),
            step: self.state.step + 1,
            what,
            advice: self.folder.advice(),
        };
        error.into()
    }

    fn log(&mut self, outline: &StageOutline, report: &StepReport) -> Result<()> {
        let mut line = Map::new();
        line.insert("stage".into(), json!(outline.name));
        line.insert("step".into(), json!(report.step));
        line.insert("loss".into(), json!(report.loss));
        line.insert("learning_rate".into(), json!(report.learning_rate));
        line.insert("gradient_norm".into(), json!(report.gradient_norm));
        line.extend(report.details.fields.clone());
        let speed = format!("{}_per_second", report.unit);
        line.insert(speed, json!(report.per_second));
        self.metrics.write("step", &Value::Object(line))
    }

    /// Scores the model; keeps it if it is the stage's best.
    fn evaluate(
        &mut self,
        outline: &StageOutline,
        observer: &mut dyn TrainingObserver,
    ) -> Result<()> {
        let Some(evaluation) = self.task.evaluate(self.at(), &self.sets)? else {
            return Ok(());
        };
        self.backend.check()?;
        let standing = select(
            &mut self.state,
            outline.selected_by.is_some(),
            evaluation.score,
        );
        self.log_evaluation(&evaluation)?;
        observer.evaluated(&evaluation, standing);
        for warning in &evaluation.warnings {
            observer.warn(warning);
        }
        if standing != Standing::Other {
            self.save(observer)?;
        }
        Ok(())
    }

    fn log_evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        let fields = Value::Object(evaluation.details.fields.clone());
        self.metrics.write("evaluation", &fields)?;
        self.metrics.flush().map(|_| ())
    }

    fn save(&mut self, observer: &mut dyn TrainingObserver) -> Result<()> {
        let (state, folder) = (&self.state, self.folder);
        self.task.save(&self.sets, state, folder, &mut *observer)
    }

    /// Ends a stage: its best model, or its last, goes on to the next.
    fn finish_stage(&mut self, observer: &mut dyn TrainingObserver) -> Result<()> {
        let outline = self.task.stages()[self.state.stage].clone();
        let next = self.state.stage + 1;
        let last = next == self.task.stages().len();
        let advice = self.task.zero_gradient_advice();
        for warning in end_of_stage(&outline, &self.state, last, advice) {
            observer.warn(&warning);
        }
        let selected = self.state.best.is_some();
        if last && !selected {
            self.save(observer)?;
        } else if !last && selected && outline.next_from_best {
            self.task.reload(&mut self.sets, self.folder)?;
        }
        let mut sets = self.task.param_sets(next)?;
        sets.carry_over(&self.sets);
        self.sets = sets;
        self.state = match last {
            // The run is over: a resumed process finds nothing left to do.
            true => State {
                stage: next,
                ..self.state.clone()
            },
            false => self.state.next_stage(),
        };
        self.checkpoint()
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.state.metrics_len = self.metrics.flush()?;
        self.state.events_len = self.metrics.events_len();
        let state = self.state.clone();
        let tensors = self.task.tensors();
        let checkpoint = Checkpoint::take(state, &*self.backend, &self.sets, self.task, tensors);
        self.backend.check()?;
        checkpoint.write(&self.folder.checkpoints())?;
        self.last_checkpoint = Instant::now();
        self.record(self.is_over())
    }

    fn record(&mut self, over: bool) -> Result<()> {
        self.recorder.write(self.folder.root(), &self.state, over)
    }
}

/// A checkpoint's state and sets, once it was made sure that it is of this task.
fn restored<B: Backend, T: Task<B>>(
    task: &mut T,
    backend: &B,
    folder: &RunFolder,
    mut checkpoint: Checkpoint,
) -> Result<(State, ParamSets<B>)> {
    let fail = |message: String| TrainError::Folder {
        path: folder.root().to_path_buf(),
        message,
    };
    let (state, identity) = (checkpoint.state.clone(), task.identity());
    if state.fingerprint != identity.fingerprint {
        let changed = identity.changed;
        return Err(fail(format!("{changed}, or start a new run")).into());
    }
    identity.inputs.check(&state.inputs, folder.root())?;
    let unfit = || fail("the checkpoint does not fit the model; start a new run".into());
    if state.stage > task.stages().len() {
        return Err(unfit().into());
    }
    let mut sets = task.param_sets(state.stage)?;
    let (stage, step) = (state.stage, state.step);
    let tensors = std::mem::take(&mut checkpoint.tensors);
    let fits = checkpoint.restore(backend, &mut sets, task)
        && task.restore(Moment { stage, step }, tensors);
    match fits {
        true => Ok((state, sets)),
        false => Err(unfit().into()),
    }
}

/// Seconds of a step of a stage: a few passes, spread over an epoch, at a rate of 0,
/// which leaves the model as it is.
///
/// # Errors
/// Those of the task.
pub fn seconds_per_step<B: Backend, T: Task<B>>(task: &mut T, stage: usize) -> Result<f64> {
    const PASSES: u64 = 4;
    let backend = task.backend();
    let mut sets = task.param_sets(stage)?;
    let per_epoch = task.stages()[stage].steps_per_epoch;
    let mut began = Instant::now();
    for pass in 0..=PASSES {
        // The first one warms caches up.
        if pass == 1 {
            began = Instant::now();
        }
        let step = pass * per_epoch / (PASSES + 1);
        sets.clear(&backend);
        let at = Moment { stage, step };
        task.gradients(at, &mut sets)?;
        let norm = sets.gradient_norm(&backend);
        sets.update(&backend, task, 0.0, &norm);
        backend.norm(&norm);
        task.after_step(at, &mut sets)?;
    }
    backend.check()?;
    Ok(began.elapsed().as_secs_f64() / PASSES as f64)
}
