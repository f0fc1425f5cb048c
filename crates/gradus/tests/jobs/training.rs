//! Trainings, and what is made of several.

use crate::common::{fixture, model_folder};
use crate::{Heard, environment};
use gradus::Error;
use gradus::data::Source;
use gradus::jobs::distill::{self, Distillation, FreshLayers, Layers, StudentState, Students};
use gradus::jobs::sweep::{CellState, Sweep, SweepSettings};
use gradus::jobs::{JobError, train};
use gradus::util::Silent;
use std::path::{Path, PathBuf};

/// A folder with a short recipe.
fn workplace() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let pairs = place.path().join("pairs.tsv");
    std::fs::copy(fixture("training/pairs.tsv"), pairs).unwrap();
    let recipe = format!(
        "model = '{}'\n[evaluation]\ndev = {{ path = 'pairs.tsv', max_pairs = 50 }}\nevery = 4\n\
         [[stage]]\nname = 'tune'\nobjective = {{ loss = 'smooth_k2', k = 3.0, x0 = 0.2 }}\n\
         train = [{{ path = 'pairs.tsv' }}]\nsteps = 8\nbatch = 4\nlearning_rate = 1e-3\n",
        model_folder("bert-small").display()
    );
    let path = place.path().join("recipe.toml");
    std::fs::write(&path, recipe).unwrap();
    (place, path)
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model/model.safetensors")).unwrap()
}

#[test]
fn a_run_that_an_observer_ends_goes_on_to_the_same_bits() {
    let (place, recipe) = workplace();
    let into = |name: &str| train::TrainSettings {
        output: Some(place.path().join(name)),
        ..train::TrainSettings::new(&recipe)
    };
    let mut heard = Heard::default();
    let plan = train::plan(&into("none"), false, &environment(), &mut heard).unwrap();
    assert_eq!(plan.stages[0].steps, 8);
    assert!(!heard.resumable && !place.path().join("none").exists());
    let whole = train::train(&into("whole"), &environment(), &mut heard).unwrap();
    assert_eq!((heard.steps, heard.resumable), (8, true));
    assert_eq!(whole.summary.model, place.path().join("whole/model"));
    assert_eq!(whole.dev, plan.dev);

    let mut heard = Heard {
        stop_at_step: Some(3),
        ..Heard::default()
    };
    let error = train::train(&into("ended"), &environment(), &mut heard).unwrap_err();
    assert!(matches!(error, Error::Stopped(_)), "{error}");
    let root = place.path().join("ended");
    let resumed = train::resume(&root, &environment(), &mut Silent).unwrap();
    assert_eq!(resumed.summary.best, whole.summary.best);
    assert_eq!(weights(&root), weights(&place.path().join("whole")));

    let error = train::train(&into("ended"), &environment(), &mut Silent).unwrap_err();
    assert!(matches!(error, Error::Output(_)), "{error}");
    let mut other = environment();
    other.precision = Some(gradus::Precision::Bf16);
    let error = train::resume(&root, &other, &mut Silent).unwrap_err();
    assert!(
        matches!(error, Error::Job(JobError::OtherPrecision(_))),
        "{error}"
    );
}

#[test]
fn a_sweep_goes_on_where_it_was_and_chooses_by_the_dev_set() {
    let (place, recipe) = workplace();
    let root = place.path().join("sweep");
    let settings = SweepSettings {
        grid: vec!["stage.0.learning_rate=1e-3,1e-12".into()],
        seeds: vec![1, 2],
        no_tests: true,
        ..SweepSettings::new(&[recipe]).unwrap()
    };
    let prepare = || Sweep::prepare(settings.clone(), Some(root.clone()), &environment());
    let states = |sweep: &Sweep| -> Vec<CellState> {
        let cells = sweep.cells().unwrap();
        cells.iter().map(|cell| cell.state).collect()
    };
    let sweep = prepare().unwrap();
    assert_eq!(states(&sweep), [CellState::ToDo; 4]);
    assert!(!root.exists());
    let mut heard = Heard {
        stop_at_step: Some(12),
        ..Heard::default()
    };
    let error = sweep.run(false, &mut heard).unwrap_err();
    assert!(matches!(error, Error::Stopped(_)), "{error}");
    let (done, begun, left) = (CellState::Finished, CellState::Begun, CellState::ToDo);
    assert_eq!(states(&prepare().unwrap()), [done, begun, left, left]);

    let mut heard = Heard::default();
    let sweep = Sweep::resume(&root, None, &environment(), &mut heard).unwrap();
    let table = sweep.run(false, &mut heard).unwrap();
    assert!(
        heard.notes[0].ends_with("finished before"),
        "{:?}",
        heard.notes
    );
    assert_eq!(heard.steps, 4 + 8 + 8);
    assert_eq!((table.rows.len(), table.best), (2, Some(0)));
    assert!(table.tasks.is_empty() && table.rows.iter().all(|row| row.seeds == [1, 2]));
    assert!(root.join("table.json").is_file() && root.join("table.md").is_file());

    let lost = SweepSettings {
        against: Some("learning_rate=7".into()),
        ..settings.clone()
    };
    match Sweep::prepare(lost, Some(root.clone()), &environment()) {
        Err(Error::Job(JobError::Settings(message))) => {
            assert!(message.contains("no such row; there are"), "{message}");
        }
        _ => panic!("there is no such row"),
    }
}

#[test]
fn a_distillation_says_what_it_would_do() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("small");
    let prepare = |settings: &distill::DistillSettings, students: &Students| {
        Distillation::prepare(
            settings.clone(),
            students,
            &root,
            &environment(),
            &mut Silent,
        )
    };
    let settings = distill::DistillSettings {
        teacher: model_folder("bert-small").display().to_string(),
        texts: vec![Source::file(fixture("training/pairs.tsv"))],
        ..distill::DistillSettings::default()
    };
    let mut students = Students {
        layers: vec![Layers::Count(1), Layers::These(vec![1])],
        ..Students::default()
    };
    let distillation = prepare(&settings, &students).unwrap();
    assert_eq!(distillation.settings().epochs, Some(3.0));
    let plan = distillation.plan(&mut Silent).unwrap();
    assert_eq!((plan.layers, plan.hidden), (2, 32));
    assert!(plan.train > 100 && plan.held_out == 20, "{plan:?}");
    assert_eq!((plan.encoded, plan.at_most), (plan.train, false));
    let labels = ["layers-0", "layers-1"].map(|label| (root.join(label), StudentState::ToDo));
    assert_eq!(plan.students, labels);
    assert!(!root.exists());

    students.fresh = Some(FreshLayers::default());
    match prepare(&settings, &students) {
        Err(Error::Job(JobError::Settings(message))) => {
            assert_eq!(
                message,
                "--layers 1,: a fresh student needs a number of layers"
            );
        }
        _ => panic!("a fresh student has none of the teacher's layers"),
    }
}
