//! Folders of runs, the same way for every command that makes them.

use crate::commands::train::base_of;
use crate::context::Context;
use crate::exit::Failure;
use gradus::data::RootOrigin;
use gradus::output::{Claim, Existing, Held, Inputs};
use gradus::recipe::Recipe;
use std::path::Path;

/// What to do about a run that is there, by `--overwrite`.
pub fn existing(overwrite: bool) -> Existing {
    match overwrite {
        true => Existing::Overwrite,
        false => Existing::Refuse,
    }
}

/// What a run by a recipe reads: none of it may be where the run writes.
pub fn inputs(path: &Path, recipe: &Recipe, context: &Context) -> Inputs {
    let mut inputs = Inputs::new().with("the recipe", path);
    add_models_and_dev(&mut inputs, base_of(path), recipe, context);
    for source in recipe.stages.iter().flat_map(|stage| &stage.train) {
        inputs.add_source("a training file", source, base_of(path), &context.data);
    }
    inputs
}

/// Adds what decides about a run's scores besides what it trains on.
pub fn add_models_and_dev(inputs: &mut Inputs, base: &Path, recipe: &Recipe, context: &Context) {
    add_model(inputs, "the model", base, &recipe.model);
    for name in recipe.stages.iter().flat_map(|s| s.auxiliary_models()) {
        add_model(inputs, "the model", base, name);
    }
    if let Some(dev) = &recipe.evaluation.dev {
        inputs.add_source("the dev set", dev, base, &context.data);
    }
}

/// Adds the folder of a model: one in `base` is meant before one where the caller
/// stands. A name of the hub is no folder here.
pub fn add_model(inputs: &mut Inputs, what: &str, base: &Path, name: &str) {
    match base.join(name) {
        beside if beside.is_dir() => inputs.add(what, beside),
        _ => inputs.add(what, name),
    }
}

/// Takes a folder; says what stays in it of others.
pub fn take(claim: Claim, context: &Context) -> Result<Held, Failure> {
    let chosen = context.data.origin() != RootOrigin::Cache;
    let held = claim.take(chosen.then_some(context.data.path()))?;
    for path in held.left() {
        let note = format!(
            "{}: no part of the run that was there, so it stays",
            path.display()
        );
        context.manner.note(&note);
    }
    Ok(held)
}
