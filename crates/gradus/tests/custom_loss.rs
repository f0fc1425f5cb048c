//! A loss from outside the library: it trains in a stage of a recipe made in code, a
//! stopped run goes on to the same bits, and none goes on with another loss.

mod common;
#[path = "../examples/custom_loss.rs"]
mod example;

use common::{copy_of, fixture};
use example::{MarginLoss, STAGE, recipe, train};
use gradus::Embeddings;
use gradus::data::DataRoot;
use gradus::losses::{InfoNce, Input, Objective};
use gradus::recipe::Recipe;
use gradus::tasks::similarity::{RunOptions, Similarity};
use gradus::training::{StepReport, TrainingObserver};
use gradus::util::{Observer, Silent};
use gradus_kernels::cpu::Cpu;
use std::fs;
use std::path::Path;

/// A recipe of 6 steps on 20 pairs, and the folder that it needs.
fn workplace() -> (tempfile::TempDir, Recipe) {
    let place = tempfile::tempdir().unwrap();
    let stored = fs::read_to_string(fixture("training/pairs.tsv")).unwrap();
    let few: Vec<&str> = stored.lines().take(20).collect();
    let pairs = place.path().join("pairs.tsv");
    fs::write(&pairs, few.join("\n")).unwrap();
    let model = place.path().join("model-folder");
    fs::rename(copy_of("bert-small").keep(), &model).unwrap();
    let recipe = recipe(&model, &pairs, 6);
    (place, recipe)
}

/// The task of a recipe, with the objective that the recipe names.
fn plain(recipe: &Recipe) -> Similarity<Cpu> {
    let options = RunOptions {
        base_dir: ".".into(),
        data_root: DataRoot::resolve(None),
        teachers: Default::default(),
    };
    let (model, backend) = (Path::new(&recipe.model), Cpu::new(1));
    Similarity::prepare(recipe.clone(), model, backend, &options, &mut Silent).unwrap()
}

/// Wishes for an end after some steps.
struct StopsAfter(u64);

impl Observer for StopsAfter {
    fn cancelled(&self) -> bool {
        self.0 == 0
    }
}

impl TrainingObserver for StopsAfter {
    fn step(&mut self, _: &StepReport) {
        self.0 -= 1;
    }
}

#[test]
fn a_loss_of_ones_own_trains_and_goes_on_to_the_same_bits() {
    let (place, recipe) = workplace();
    let (whole, stopped) = (place.path().join("whole"), place.path().join("stopped"));
    let weights = |root: &Path| fs::read(root.join("model/model.safetensors")).unwrap();
    train(&recipe, &whole, Cpu::new(1), &mut Silent).unwrap();
    let card = fs::read_to_string(whole.join("model/README.md")).unwrap();
    assert!(card.contains("margin loss (margin 0.5, high 3)"), "{card}");

    let end = train(&recipe, &stopped, Cpu::new(1), &mut StopsAfter(2)).unwrap_err();
    assert!(end.to_string().contains("after step 2 of 6"), "{end}");
    // The recipe's own objective does not go on in its place.
    let (folder, stored) = Recipe::open_run(&stopped).unwrap();
    let other = plain(&stored).execute(&folder, &mut Silent).unwrap_err();
    let changed = "the objective of stage `margin` changed";
    assert!(other.to_string().contains(changed), "{other}");
    drop(folder);
    train(&recipe, &stopped, Cpu::new(1), &mut Silent).unwrap();
    assert!(weights(&whole) == weights(&stopped));

    let named = place.path().join("named");
    let folder = recipe.begin(&named, Path::new(".")).unwrap();
    plain(&recipe).execute(&folder, &mut Silent).unwrap();
    assert!(weights(&whole) != weights(&named));
}

#[test]
fn an_objective_that_does_not_fit_is_refused() {
    let (_place, recipe) = workplace();
    let mut task = plain(&recipe);
    let mut refused = |stage: &str, objective: Box<dyn Objective>, part: &str| {
        let error = task.replace_objective(stage, objective).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    };
    let loss = || {
        Box::new(MarginLoss {
            high: 3.0,
            margin: 0.5,
        })
    };
    refused(
        "no",
        loss(),
        "stage `no`: the recipe has no such stage; it has `margin`",
    );
    let triplets = Box::new(InfoNce::new(3, 0.05).unwrap());
    refused(
        STAGE,
        triplets,
        "takes 3 texts an example, its sources give 2",
    );
    task.replace_objective(STAGE, loss()).unwrap();
    let said = &task.plan().stages[0].objective;
    assert_eq!(said, "margin loss (margin 0.5, high 3)");
}

#[test]
fn its_gradient_is_the_slope_of_its_loss() {
    let loss = MarginLoss {
        high: 3.0,
        margin: 2.0,
    };
    let values = vec![0.3, -0.2, 0.9, 0.1, 0.5, 0.4, -0.6, 0.8];
    let evaluate = |values: &[f32]| {
        loss.evaluate(
            &[],
            &Input {
                embeddings: &Embeddings::new(2, values.to_vec()),
                labels: &[5.0, 1.0],
                weights: &[1.0, 0.5],
                tolerances: &[None; 2],
                texts: &[0, 1, 2, 3],
                teachers: &[],
                memory: None,
                comparer: None,
            },
        )
    };
    let found = evaluate(&values).embeddings;
    for (i, gradient) in found.iter().enumerate() {
        let at = |step: f32| {
            let mut moved = values.clone();
            moved[i] += step;
            evaluate(&moved).loss
        };
        let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
        assert!(
            (slope - f64::from(*gradient)).abs() < 1e-3,
            "{i}: {slope} {gradient}"
        );
    }
}
