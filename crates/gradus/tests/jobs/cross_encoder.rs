//! Cross-encoders trained by recipes.

use crate::common::{copy_of, fixture};
use crate::{Heard, environment};
use gradus::calibration::Calibration;
use gradus::eval::{Measure, Qrels, Ranking, RetrievalScores};
use gradus::jobs::train::{self, TrainSettings};
use gradus::models::{CrossEncoder, ModelFolder, ScoreActivation};
use gradus::recipe::SelectionMetric;
use gradus::training::Silent;
use gradus_kernels::cpu::Cpu;
use serde_json::Value;
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

const LISTS: &str = "objective = { loss = 'lambda' }\nsteps = 15\ndropout = 0.1\n\
                     train = [{ path = 'lists.jsonl', rows = 'lists' }]";

/// A run that the lists choose the model of.
fn chosen_by_lists(place: &Path) -> TrainSettings {
    write_lists(place);
    std::fs::copy(place.join("lists.jsonl"), place.join("dev.jsonl")).unwrap();
    let dev = "evaluation.dev={ path = 'dev.jsonl', rows = 'lists' }";
    TrainSettings {
        set: vec![dev.into()],
        ..recipe(place, LISTS)
    }
}

#[test]
fn lists_choose_the_model_by_ndcg() {
    let place = workplace();
    let settings = chosen_by_lists(place.path());
    let plan = train::plan(&settings, false, &environment(), &mut Silent).unwrap();
    let said = plan.describe();
    assert!(
        said.contains("selection  best NDCG@10 of the score on dev.jsonl"),
        "{said}"
    );
    let trained = train::train(&settings, &environment(), &mut Silent).unwrap();
    assert_eq!(trained.metric, SelectionMetric::Ndcg);
    let metrics = std::fs::read_to_string(place.path().join("run/metrics.jsonl")).unwrap();
    let lines = metrics.lines().map(|l| serde_json::from_str(l).unwrap());
    let evaluations: Vec<Value> = lines
        .filter(|l: &Value| l["kind"] == "evaluation")
        .collect();
    let scores: Vec<(u64, f64)> = evaluations
        .iter()
        .map(|line| {
            assert_eq!(
                (&line["metric"], &line["queries"]),
                (&"ndcg@10".into(), &8.into())
            );
            assert!((0.0..=1.0).contains(&line["mrr@10"].as_f64().unwrap()));
            let step = line["step"].as_u64().unwrap();
            (step, line["ndcg@10"].as_f64().unwrap())
        })
        .collect();
    assert_eq!(
        scores.iter().map(|s| s.0).collect::<Vec<_>>(),
        [0, 5, 10, 15]
    );
    let best = scores[1..].iter().map(|s| s.1).fold(0.0, f64::max);
    let first = scores[1..].iter().find(|s| s.1 == best).unwrap().0;
    let summary = &trained.summary;
    assert_eq!(
        (summary.initial, summary.best),
        (Some(scores[0].1), Some(best))
    );
    assert_eq!(summary.best_step, first);

    // The saved model is that one, by the measures of retrieval.
    let model = CrossEncoder::load(&summary.model, Cpu::new(1)).unwrap();
    let (mut qrels, mut ranking) = (Qrels::default(), Ranking::default());
    let lists = std::fs::read_to_string(place.path().join("dev.jsonl")).unwrap();
    for (query, line) in lists.lines().enumerate() {
        let row: Value = serde_json::from_str(line).unwrap();
        let docs = row["docs"].as_array().unwrap().iter();
        let pairs: Vec<(&str, &str)> = docs
            .map(|doc| (row["query"].as_str().unwrap(), doc.as_str().unwrap()))
            .collect();
        let scores = model.predict(&pairs).unwrap();
        let ids = (0..pairs.len()).map(|at| at.to_string());
        ranking.insert(
            query.to_string(),
            ids.zip(scores.as_slice().iter().copied()).collect(),
        );
        for (at, label) in row["labels"].as_array().unwrap().iter().enumerate() {
            let label = label.as_i64().unwrap() as i32;
            qrels.insert(query.to_string(), at.to_string(), label);
        }
    }
    let measured = RetrievalScores::new(&qrels, &ranking, &[Measure::Ndcg(10)]);
    let off = (measured.means()[0] - best).abs();
    assert!(off < 1e-12, "{off:e}");
    // Relevance is no grade.
    assert!(Calibration::load(&summary.model).unwrap().is_none());
    let card = std::fs::read_to_string(summary.model.join("README.md")).unwrap();
    assert!(
        card.contains("Chosen by NDCG@10 x 100 of the scores on dev.jsonl"),
        "{card}"
    );
}

#[test]
fn a_run_chosen_by_lists_goes_on_to_the_same_bits_with_the_same_lists() {
    let place = workplace();
    let whole = chosen_by_lists(place.path());
    train::train(&whole, &environment(), &mut Silent).unwrap();
    let root = place.path().join("stopped");
    let stopped = TrainSettings {
        output: Some(root.clone()),
        ..whole
    };
    let mut observer = Heard {
        stop_at_step: Some(7),
        ..Heard::default()
    };
    train::train(&stopped, &environment(), &mut observer).unwrap_err();
    let path = place.path().join("dev.jsonl");
    let lists = std::fs::read_to_string(&path).unwrap();
    // The same documents of the same queries: the first list falls in two.
    let mut first: Value = serde_json::from_str(lists.lines().next().unwrap()).unwrap();
    let mut rest = first.clone();
    for key in ["docs", "labels"] {
        let all = first[key].as_array().unwrap().clone();
        first[key] = all[..2].to_vec().into();
        rest[key] = all[2..].to_vec().into();
    }
    let others: Vec<&str> = lists.lines().skip(1).collect();
    std::fs::write(&path, format!("{first}\n{rest}\n{}\n", others.join("\n"))).unwrap();
    let error = train::resume(&root, &environment(), &mut Silent).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("how the dev set dev.jsonl falls into lists changed"),
        "{error}"
    );
    std::fs::write(&path, lists).unwrap();
    let mut others = environment();
    others.threads = 3;
    train::resume(&root, &others, &mut Silent).unwrap();
    assert!(weights(&place.path().join("run")) == weights(&root));
    let evaluations = |run: &Path| -> Vec<String> {
        let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let lines = metrics.lines().filter(|l| l.contains("\"evaluation\""));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(evaluations(&root), evaluations(&place.path().join("run")));
}

#[test]
fn lists_that_choose_nothing_are_refused() {
    let place = workplace();
    let settings = chosen_by_lists(place.path());
    let row = "{\"query\": \"a\", \"docs\": [\"b\", \"c\"], \"labels\": [1, 1]}\n";
    std::fs::write(place.path().join("even.jsonl"), row).unwrap();
    let even = "evaluation.dev={ path = 'even.jsonl', rows = 'lists' }";
    let settings = TrainSettings {
        set: vec![even.into()],
        ..settings
    };
    let error = train::plan(&settings, false, &environment(), &mut Silent).unwrap_err();
    assert!(
        error.to_string().contains("in none of its 1 lists"),
        "{error}"
    );
    // A sentence encoder is chosen by pairs.
    let path = place.path().join("encoder.toml");
    let text = "model = 'model'\n[evaluation]\ndev = { path = 'lists.jsonl', rows = 'lists' }\n\
                [[stage]]\nname = 'a'\nobjective = { loss = 'smooth_k2' }\nsteps = 1\nlearning_rate = 1e-5\n\
                train = [{ path = 'pairs.tsv' }]\n";
    std::fs::write(&path, text).unwrap();
    let settings = TrainSettings::new(path);
    let error = train::plan(&settings, false, &environment(), &mut Silent).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("lists choose cross-encoders only"),
        "{error}"
    );
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
