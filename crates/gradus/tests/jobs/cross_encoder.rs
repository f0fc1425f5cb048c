//! Cross-encoders trained by recipes.

use crate::common::{copy_of, fixture};
use crate::{Heard, environment};
use gradus::calibration::Calibration;
use gradus::jobs::train::{self, TrainSettings};
use gradus::models::{CrossEncoder, ModelFolder, ScoreActivation};
use gradus::training::Silent;
use gradus_kernels::cpu::Cpu;
use std::path::Path;
use tempfile::TempDir;

/// A folder with the stored pairs, an encoder without a head and lists.
fn workplace() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let model = copy_of("bert-small");
    std::fs::rename(model.path(), place.path().join("model")).unwrap();
    let pairs = place.path().join("pairs.tsv");
    std::fs::copy(fixture("training/pairs.tsv"), pairs).unwrap();
    place
}

fn recipe(place: &Path, stage: &str) -> TrainSettings {
    let path = place.join("recipe.toml");
    let text = format!(
        "task = 'cross-encoder'\nmodel = 'model'\nseed = 3\ncheckpoint_steps = 4\n\
         evaluation = {{ dev = {{ path = 'pairs.tsv' }}, every = 5 }}\n\
         [[stage]]\nname = 'grades'\nlearning_rate = 1e-3\nbatch = 8\n{stage}\n"
    );
    std::fs::write(&path, text).unwrap();
    TrainSettings {
        output: Some(place.join("run")),
        ..TrainSettings::new(path)
    }
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model/model.safetensors")).unwrap()
}

#[test]
fn every_loss_of_pairs_trains() {
    for (objective, activation) in [
        ("loss = 'bce'", ScoreActivation::Sigmoid),
        ("loss = 'bce', pos_weight = 2.0", ScoreActivation::Sigmoid),
        ("loss = 'mse'", ScoreActivation::Identity),
        ("loss = 'l1'", ScoreActivation::Identity),
        ("loss = 'smooth_k2'", ScoreActivation::Identity),
        ("loss = 'translated_relu'", ScoreActivation::Identity),
    ] {
        let place = workplace();
        let stage = format!(
            "objective = {{ {objective} }}\nsteps = 60\nboth_orders = true\n\
             train = [{{ path = 'pairs.tsv' }}]"
        );
        let settings = recipe(place.path(), &stage);
        let trained = train::train(&settings, &environment(), &mut Silent).unwrap();
        let summary = &trained.summary;
        let (before, best) = (summary.initial.unwrap(), summary.best.unwrap());
        assert!(best > before + 0.03, "{objective}: {before} to {best}");
        assert_eq!(trained.selected_by, "score");
        assert!(ModelFolder::is_cross_encoder(&summary.model).unwrap());
        let model = CrossEncoder::load(&summary.model, Cpu::new(1)).unwrap();
        assert_eq!(model.activation(), activation, "{objective}");
        let calibration = Calibration::load(&summary.model).unwrap().unwrap();
        assert_eq!(calibration.pairs, 200);
    }
}

/// A few queries with documents, to be learned by heart: those that share the most words with it are the most
/// relevant.
fn write_lists(place: &Path) {
    let stored = std::fs::read_to_string(fixture("training/pairs.tsv")).unwrap();
    let texts: Vec<&str> = stored.lines().flat_map(|l| l.split('\t').skip(1)).collect();
    let mut out = String::new();
    for (query, documents) in texts.iter().zip(texts[40..].chunks_exact(5)).take(8) {
        let shared = |text: &str| {
            let own = query
                .split(' ')
                .filter(|word| text.split(' ').any(|w| w == *word));
            own.count()
        };
        // The best first: losses of a likelihood take the order as it is.
        let mut documents = documents.to_vec();
        documents.sort_by_key(|text| std::cmp::Reverse(shared(text)));
        let labels: Vec<usize> = documents.iter().map(|text| shared(text)).collect();
        let row = serde_json::json!({"query": query, "docs": documents, "labels": labels});
        out += &format!("{row}\n");
    }
    std::fs::write(place.join("lists.jsonl"), out).unwrap();
}

#[test]
fn every_loss_of_lists_trains() {
    for loss in [
        "lambda",
        "rank_net",
        "list_net",
        "list_mle",
        "p_list_mle",
        "margin_mse",
    ] {
        let place = workplace();
        write_lists(place.path());
        let stage = format!(
            "objective = {{ loss = '{loss}' }}\nsteps = 60\ndropout = 0.0\nclip = 1.0\nchunk_tokens = 400\n\
             train = [{{ path = 'lists.jsonl', rows = 'lists' }}]"
        );
        let settings = TrainSettings {
            set: vec!["log_every=1".into()],
            ..recipe(place.path(), &stage)
        };
        let plan = train::plan(&settings, false, &environment(), &mut Silent).unwrap();
        assert_eq!(plan.stages[0].unit, "lists");
        let trained = train::train(&settings, &environment(), &mut Silent).unwrap();
        let metrics = place.path().join("run/metrics.jsonl");
        let metrics = std::fs::read_to_string(metrics).unwrap();
        let losses: Vec<f64> = metrics
            .lines()
            .filter_map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                line["loss"].as_f64()
            })
            .collect();
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let (first, last) = (mean(&losses[..15]), mean(&losses[losses.len() - 15..]));
        assert!(last < first, "{loss}: {first} to {last}");
        let model = CrossEncoder::load(&trained.summary.model, Cpu::new(1)).unwrap();
        assert_eq!(model.activation(), ScoreActivation::Identity);
    }
}

const STEPS: &str = "objective = { loss = 'bce' }\nsteps = 12\ndropout = 0.1\n\
                     train = [{ path = 'pairs.tsv' }]";

#[test]
fn a_stopped_run_goes_on_to_the_same_bits_on_any_number_of_threads() {
    let place = workplace();
    let whole = recipe(place.path(), STEPS);
    train::train(&whole, &environment(), &mut Silent).unwrap();
    let stopped = TrainSettings {
        output: Some(place.path().join("stopped")),
        ..whole.clone()
    };
    let mut observer = Heard {
        stop_at_step: Some(7),
        ..Heard::default()
    };
    let error = train::train(&stopped, &environment(), &mut observer).unwrap_err();
    assert!(error.to_string().contains("after step 7 of 12"), "{error}");
    let root = place.path().join("stopped");
    let mut others = environment();
    others.threads = 3;
    train::resume(&root, &others, &mut Silent).unwrap();
    assert!(weights(&place.path().join("run")) == weights(&root));
}

#[test]
fn chunks_change_a_step_only_by_rounding() {
    let place = workplace();
    let whole = recipe(place.path(), STEPS);
    train::train(&whole, &environment(), &mut Silent).unwrap();
    let chunked = TrainSettings {
        output: Some(place.path().join("chunked")),
        set: vec!["stage.0.chunk_tokens=60".into()],
        ..whole
    };
    train::train(&chunked, &environment(), &mut Silent).unwrap();
    let load = |name: &str| {
        let root = place.path().join(name).join("model");
        CrossEncoder::load(root, Cpu::new(1)).unwrap()
    };
    let pairs = [("a dog in the park", "the cat"), ("one", "two birds sleep")];
    let (a, b) = (load("run"), load("chunked"));
    let (a, b) = (a.predict(&pairs).unwrap(), b.predict(&pairs).unwrap());
    for (a, b) in a.as_slice().iter().zip(b.as_slice()) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

#[test]
fn what_is_wrong_shows_before_any_work() {
    let place = workplace();
    for (stage, part) in [
        (
            "objective = { loss = 'bse' }\nsteps = 1\ntrain = [{ path = 'pairs.tsv' }]",
            "`bce`",
        ),
        (
            "objective = { loss = 'bce' }\nsteps = 1\ntrain = []",
            "names no source",
        ),
        (
            "objective = { loss = 'bce' }\ntrain = [{ path = 'pairs.tsv' }]",
            "`epochs` or `steps`",
        ),
        (
            "objective = { loss = 'bce' }\nsteps = 1\nviews = 2\ntrain = [{ path = 'pairs.tsv' }]",
            "unknown field `views`",
        ),
        (
            "objective = { loss = 'bce' }\nsteps = 1\ntrain = [{ path = 'pairs.tsv', rows = 'texts' }]",
            "remove `rows`",
        ),
    ] {
        let settings = recipe(place.path(), stage);
        let error = train::plan(&settings, false, &environment(), &mut Silent).unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    let settings = recipe(place.path(), STEPS);
    let plan = train::plan(&settings, true, &environment(), &mut Silent).unwrap();
    assert!(plan.stages[0].seconds.is_some());
    assert!(
        plan.describe()
            .contains("best Spearman of the score on pairs.tsv")
    );
    let path = place.path().join("recipe.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("cross-encoder", "crossencoder")).unwrap();
    let error = train::plan(&settings, false, &environment(), &mut Silent).unwrap_err();
    assert!(
        error.to_string().contains("it can be \"cross-encoder\""),
        "{error}"
    );
}
