//! Runs with difference prediction in a folder of their own.

use crate::common::{copy_of, fixture};
use gradus::data::DataRoot;
use gradus::recipe::parse_recipe;
use gradus::tasks::similarity::{RunOptions, Similarity};
use gradus::training::{Silent, Summary};
use gradus_kernels::cpu::Cpu;
use serde_json::Value;
use std::path::Path;

/// A folder with texts, `model/` and `generator/`.
pub fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("bert-small", "model"),
        ("../pretraining/bert", "generator"),
    ] {
        let copy = copy_of(from);
        std::fs::rename(copy.path(), place.path().join(to)).unwrap();
    }
    let pairs = std::fs::read_to_string(fixture("training/pairs.tsv")).unwrap();
    let texts: Vec<&str> = pairs
        .lines()
        .filter_map(|l| l.split('\t').nth(1))
        .take(64)
        .collect();
    std::fs::write(place.path().join("texts.txt"), texts.join("\n")).unwrap();
    place
}

pub const STAGE: &str = "[[stage]]\nname = 's'\ntrain = [{ path = 'texts.txt' }]\n\
    objective = { loss = 'info_nce' }\nprojection = 'batch_norm'\nsteps = 6\nbatch = 8\n\
    dropout = 0.1\nlearning_rate = 1e-3\nclip = 1.0\n";

pub fn recipe(difference: &str, more: &str) -> String {
    let difference = format!("difference = {{ generator = 'generator', {difference} }}\n");
    format!(
        "model = 'model'\npooling = 'cls'\nnormalize = false\nlog_every = 1\ncheckpoint_steps = 3\n{STAGE}{difference}{more}"
    )
}

pub fn prepare(recipe: &str, base: &Path, threads: usize) -> gradus::Result<Similarity<Cpu>> {
    let recipe = parse_recipe(Path::new("recipe.toml"), recipe, &[])?;
    let beside = recipe.stages.iter().flat_map(|s| s.auxiliary_models());
    let options = RunOptions {
        base_dir: base.to_path_buf(),
        data_root: DataRoot::resolve(Some(base)),
        teachers: beside
            .map(|name| (name.to_owned(), base.join(name)))
            .collect(),
    };
    let model = base.join(&recipe.model);
    Similarity::prepare(recipe, &model, Cpu::new(threads), &options, &mut Silent)
}

/// Runs a recipe in `base/name` from the start.
pub fn run(recipe: &str, base: &Path, name: &str, threads: usize) -> gradus::Result<Summary> {
    let mut run = prepare(recipe, base, threads)?;
    let parsed = parse_recipe(Path::new("recipe.toml"), recipe, &[])?;
    let folder = parsed.begin(&base.join(name), base)?;
    run.execute(&folder, &mut Silent)
}

/// The `step` lines of a run.
pub fn steps(run: &Path) -> Vec<Value> {
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = metrics.lines().map(|l| serde_json::from_str(l).unwrap());
    lines.filter(|m: &Value| m["kind"] == "step").collect()
}
