//! Training by a recipe made in code: pairs with grades, the best model by a dev set.
//!
//!     cargo run --release -p gradus --example train -- all-MiniLM-L6-v2 pairs.tsv dev.tsv runs/mine

use gradus::data::Source;
use gradus::jobs::{Environment, train::Run};
use gradus::losses::CosentSettings;
use gradus::recipe::{Recipe, Stage};
use gradus::training::{Evaluation, Standing, TrainingObserver};
use gradus::util::Observer;

/// Prints the scores on the dev set.
struct Scores;

impl Observer for Scores {}

impl TrainingObserver for Scores {
    fn evaluated(&mut self, evaluation: &Evaluation, _: Standing) {
        println!("step {}: {}", evaluation.step, evaluation.details.words);
    }
}

fn main() -> gradus::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, pairs, dev, run] = &arguments[..] else {
        eprintln!("usage: train MODEL PAIRS DEV DIR");
        return Ok(());
    };
    let stage = Stage::new("tune", CosentSettings::default(), [Source::file(pairs)])
        .epochs(2.0)
        .batch(32);
    let recipe = Recipe::new(model).stage(stage).dev(Source::file(dev));
    let run = Run::new(recipe, ".", run);
    let trained = run.train(&Environment::default(), &mut Scores)?;
    println!("{}", trained.summary.model.display());
    Ok(())
}
