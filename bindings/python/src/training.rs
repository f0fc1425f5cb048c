//! Training by recipes.

use crate::Answer;
use crate::errors::raised;
use crate::objective::{Called, Failure};
use crate::options::environment;
use crate::pool::compute;
use crate::signals::Interrupt;
use gradus::jobs::Environment;
use gradus::jobs::train::{Objectives, Run, TrainSettings, Trained, resume_with};
use gradus::recipe::{AnyRecipe, keys};
use gradus::training::{Evaluation, StageStart, Standing, StepReport, TrainingObserver};
use gradus::util::Observer;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde_json::{Value, json};
use std::path::Path;

/// Passes what a run does to a callable.
struct Events {
    callback: Option<Py<PyAny>>,
    interrupt: Interrupt,
}

impl Events {
    /// Calls it with a dictionary; the fields of `event` and its name.
    fn tell(&mut self, name: &str, event: impl FnOnce() -> Value) {
        let callback = self.callback.as_ref();
        self.interrupt.look(|py| {
            let Some(callback) = callback else {
                return Ok(());
            };
            let loads = py.import("json")?.getattr("loads")?;
            let dict = loads.call1((event().to_string(),))?;
            dict.set_item("event", PyString::new(py, name))?;
            callback.call1(py, (dict,)).map(drop)
        });
    }
}

impl Observer for Events {
    fn note(&mut self, message: &str) {
        self.tell("note", || json!({ "message": message }));
    }

    fn warn(&mut self, message: &str) {
        self.tell("warning", || json!({ "message": message }));
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        self.tell(
            "progress",
            || json!({ "what": what, "done": done, "total": total }),
        );
    }

    fn cancelled(&self) -> bool {
        self.interrupt.is_set()
    }
}

impl TrainingObserver for Events {
    fn stage(&mut self, stage: StageStart<'_>) {
        self.tell("stage", || {
            json!({
                "stage": stage.name, "index": stage.index,
                "step": stage.step, "steps": stage.steps,
            })
        });
    }

    fn step(&mut self, report: &StepReport) {
        self.tell("step", || {
            let mut event = json!({
                "index": report.stage, "step": report.step, "steps": report.steps,
                "loss": report.loss, "gradient_norm": report.gradient_norm,
                "learning_rate": report.learning_rate, "unit": report.unit,
                "per_second": report.per_second, "seconds_left": report.seconds_left,
            });
            event["details"] = Value::Object(report.details.fields.clone());
            event
        });
    }

    fn evaluated(&mut self, evaluation: &Evaluation, standing: Standing) {
        self.tell("evaluated", || {
            json!({
                "stage": evaluation.stage, "step": evaluation.step,
                "score": evaluation.score, "words": evaluation.details.words,
                "details": evaluation.details.fields, "warnings": evaluation.warnings,
                "best": standing == Standing::Best,
            })
        });
    }

    fn end(&mut self) {
        self.tell("end", || json!({}));
    }
}

/// The objectives of a dictionary from stages to callables.
fn objectives(of: Option<&Bound<'_, PyDict>>, failure: &Failure) -> Answer<Objectives> {
    let mut all = Objectives::new();
    for (stage, called) in of.into_iter().flatten() {
        let called = Called::new(called, failure.clone())?;
        all.insert(stage.extract()?, Box::new(called));
    }
    Ok(all)
}

/// What is trained: a recipe's file, or its keys as JSON.
fn run(
    recipe: &str,
    text: Option<&str>,
    set: Vec<String>,
    output: Option<&str>,
    overwrite: bool,
) -> gradus::Result<Run> {
    let Some(text) = text else {
        return Run::of_file(&TrainSettings {
            set,
            output: output.map(Into::into),
            overwrite,
            ..TrainSettings::new(recipe)
        });
    };
    let parsed = AnyRecipe::parse_json(Path::new(recipe), text, &set)?;
    let root = output
        .or(parsed.output())
        .unwrap_or("runs/recipe")
        .to_owned();
    Ok(Run::new(parsed, ".", root).overwrite(overwrite))
}

/// Runs something of trainings; what callables raised comes before other errors.
fn with_events<T: Send>(
    py: Python<'_>,
    callback: Option<Py<PyAny>>,
    failure: &Failure,
    job: impl FnOnce(&mut Events) -> gradus::Result<T> + Send,
) -> Answer<T> {
    let mut events = Events {
        callback,
        interrupt: Interrupt::default(),
    };
    let done = compute(py, || job(&mut events));
    match failure.take() {
        Some(error) => Err(error),
        None => done.map_err(|error| events.interrupt.or(error)),
    }
}

/// How a run ended, as JSON.
fn ended(trained: &Trained) -> String {
    let summary = &trained.summary;
    json!({
        "model": summary.model.display().to_string(),
        "best": summary.best,
        "best_step": summary.best_step,
        "initial": summary.initial,
        "dev": trained.dev,
        "metric": trained.metric.to_string(),
        "selected_by": trained.selected_by,
    })
    .to_string()
}

/// Trains by a recipe: the file `recipe`, or the JSON `text`, which errors call `recipe`. Returns
/// how the run ended, as JSON.
#[pyfunction]
#[pyo3(signature = (recipe, *, text=None, set=vec![], output=None, overwrite=false, objectives=None, precision=None, device=None, threads=0, callback=None))]
#[allow(clippy::too_many_arguments)]
pub fn train(
    py: Python<'_>,
    recipe: &str,
    text: Option<&str>,
    set: Vec<String>,
    output: Option<&str>,
    overwrite: bool,
    objectives: Option<&Bound<'_, PyDict>>,
    precision: Option<&str>,
    device: Option<&str>,
    threads: usize,
    callback: Option<Py<PyAny>>,
) -> Answer<String> {
    let environment = environment(precision, device, threads)?;
    let failure = Failure::default();
    let own = self::objectives(objectives, &failure)?;
    let run = run(recipe, text, set, output, overwrite).map_err(raised)?;
    let trained = with_events(py, callback, &failure, |events| {
        run.objectives(own).train(&environment, events)
    })?;
    Ok(ended(&trained))
}

/// What `train` would do, as JSON: how long too, where `timed`.
#[pyfunction]
#[pyo3(signature = (recipe, *, text=None, set=vec![], timed=true, objectives=None, precision=None, device=None, threads=0, callback=None))]
#[allow(clippy::too_many_arguments)]
pub fn plan(
    py: Python<'_>,
    recipe: &str,
    text: Option<&str>,
    set: Vec<String>,
    timed: bool,
    objectives: Option<&Bound<'_, PyDict>>,
    precision: Option<&str>,
    device: Option<&str>,
    threads: usize,
    callback: Option<Py<PyAny>>,
) -> Answer<String> {
    let environment = environment(precision, device, threads)?;
    let failure = Failure::default();
    let own = self::objectives(objectives, &failure)?;
    let run = run(recipe, text, set, None, false).map_err(raised)?;
    let plan = with_events(py, callback, &failure, |events| {
        run.objectives(own).plan(timed, &environment, events)
    })?;
    serde_json::to_string(&plan).map_err(raised)
}

/// Goes on with the run in `folder`; returns how it ended, as JSON.
#[pyfunction]
#[pyo3(signature = (folder, *, objectives=None, precision=None, device=None, threads=0, callback=None))]
pub fn resume(
    py: Python<'_>,
    folder: &str,
    objectives: Option<&Bound<'_, PyDict>>,
    precision: Option<&str>,
    device: Option<&str>,
    threads: usize,
    callback: Option<Py<PyAny>>,
) -> Answer<String> {
    let environment: Environment = environment(precision, device, threads)?;
    let failure = Failure::default();
    let own = self::objectives(objectives, &failure)?;
    let trained = with_events(py, callback, &failure, |events| {
        resume_with(Path::new(folder), own, &environment, events)
    })?;
    Ok(ended(&trained))
}

/// The keys of each table of a recipe.
#[pyfunction]
pub fn recipe_keys() -> std::collections::BTreeMap<String, Vec<&'static str>> {
    keys()
}
