//! Folders of runs, the same way for every job that makes them.

use super::Environment;
use crate::Result;
use crate::data::RootOrigin;
use crate::output::{Claim, Existing, Held, Inputs};
use crate::recipe::AnyRecipe;
use crate::util::Observer;
use std::path::Path;

/// What to do about a run that is there.
pub(super) fn existing(overwrite: bool) -> Existing {
    match overwrite {
        true => Existing::Overwrite,
        false => Existing::Refuse,
    }
}

/// What to do about a run that is there and may go on.
pub(super) fn existing_or_go_on(overwrite: bool) -> Existing {
    match overwrite {
        true => Existing::Overwrite,
        false => Existing::GoOn,
    }
}

/// What a run by a recipe reads, whose relative paths start in `base`: none of it may
/// be where the run writes.
pub(super) fn inputs_of(recipe: &AnyRecipe, base: &Path, environment: &Environment) -> Inputs {
    let mut inputs = Inputs::new();
    add_models_and_dev(&mut inputs, base, recipe, environment);
    for source in recipe.sources() {
        inputs.add_source("a training file", source, base, &environment.data);
    }
    inputs
}

/// Adds what decides about a run's scores besides what it trains on.
pub(super) fn add_models_and_dev(
    inputs: &mut Inputs,
    base: &Path,
    recipe: &AnyRecipe,
    environment: &Environment,
) {
    add_model(inputs, "the model", base, recipe.model());
    for name in recipe.auxiliary_models() {
        add_model(inputs, "the model", base, name);
    }
    if let Some(dev) = recipe.dev() {
        inputs.add_source("the dev set", dev, base, &environment.data);
    }
}

/// Adds the folder of a model: one in `base` is meant before one where the program
/// runs. A name of the hub is no folder here.
pub(super) fn add_model(inputs: &mut Inputs, what: &str, base: &Path, name: &str) {
    match base.join(name) {
        below if below.is_dir() => inputs.add(what, below),
        _ => inputs.add(what, name),
    }
}

/// Takes a folder; notes what stays in it of others.
pub(super) fn take(
    claim: Claim,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<Held> {
    let data = &environment.data;
    let chosen = data.origin() != RootOrigin::Cache;
    let held = claim.take(chosen.then_some(data.path()))?;
    for path in held.left() {
        observer.note(&format!(
            "{}: no part of the run that was there, so it stays",
            path.display()
        ));
    }
    Ok(held)
}
