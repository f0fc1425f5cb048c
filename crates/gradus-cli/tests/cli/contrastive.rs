//! `gradus train` without grades: contrastive objectives, ranking distillation.

use crate::support::{gradus, model, stdout};
use predicates::str::contains;
use std::fs;
use std::path::Path;

/// A folder with texts, triplets and graded pairs.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../gradus/tests/fixtures");
    let pairs = fs::read_to_string(format!("{fixtures}/training/pairs.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = pairs.lines().map(|l| l.split('\t').collect()).collect();
    let texts: String = rows.iter().map(|r| format!("{}\n", r[1])).collect();
    let triplets: String = rows
        .windows(2)
        .map(|r| format!("{}\t{}\t{}\n", r[0][1], r[0][2], r[1][2]))
        .collect();
    fs::write(place.path().join("texts.txt"), texts).unwrap();
    fs::write(place.path().join("triplets.tsv"), triplets).unwrap();
    fs::write(place.path().join("pairs.tsv"), &pairs).unwrap();
    place
}

fn recipe(place: &Path, name: &str, stage: &str) {
    let text = format!(
        "model = '{}'\nlog_every = 1\n\
         [evaluation]\ndev = {{ path = 'pairs.tsv', max_pairs = 50 }}\nevery = 10\n\
         [[stage]]\nname = 'one'\nsteps = 20\nbatch = 8\nlearning_rate = 3e-3\n{stage}",
        model("bert-small")
    );
    fs::write(place.join(name), text).unwrap();
}

fn train(place: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command.current_dir(place).arg("train").args(arguments);
    command
}

/// The losses of a run's steps.
fn losses(place: &Path, run: &str) -> Vec<f64> {
    let metrics = fs::read_to_string(place.join(run).join("metrics.jsonl")).unwrap();
    let lines = metrics
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
    let steps = lines.filter(|m| m["kind"] == "step");
    steps.map(|m| m["loss"].as_f64().unwrap()).collect()
}

const INFO_NCE: &str = "objective = { loss = 'info_nce', temperature = 0.2 }\n";

#[test]
fn texts_pairs_and_triplets_train_contrastively() {
    let place = workplace();
    for (name, source, unit) in [
        ("texts", "{ path = 'texts.txt' }", " texts, "),
        (
            "pairs",
            "{ path = 'pairs.tsv', rows = 'pairs', label = 0, first = 1, second = 2 }",
            " pairs, ",
        ),
        (
            "triplets",
            "{ path = 'triplets.tsv', rows = 'triplets' }",
            " triplets, ",
        ),
    ] {
        let file = format!("{name}.toml");
        recipe(
            place.path(),
            &file,
            &format!("{INFO_NCE}train = [{source}]\n"),
        );
        train(place.path(), &[&file])
            .assert()
            .success()
            .stderr(contains(unit));
        let losses = losses(place.path(), &format!("runs/{name}"));
        assert_eq!(losses.len(), 20);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (before, after) = (mean(&losses[..5]), mean(&losses[15..]));
        assert!(after < before, "{name}: {before} {after}");
    }
}

#[test]
fn layers_for_training_alone_are_not_saved() {
    let place = workplace();
    for projection in ["mlp", "batch_norm"] {
        let file = format!("{projection}.toml");
        let stage =
            format!("{INFO_NCE}projection = '{projection}'\ntrain = [{{ path = 'texts.txt' }}]\n");
        recipe(place.path(), &file, &stage);
        let pooling = ["--set", "pooling=cls"];
        let saved = stdout(train(place.path(), &[&file]).args(pooling));
        let saved = place.path().join(saved.trim());
        let pooled = fs::read_to_string(saved.join("1_Pooling/config.json")).unwrap();
        assert!(
            pooled.contains("\"pooling_mode_cls_token\": true"),
            "{pooled}"
        );
        assert!(!saved.join("gradus_head.json").exists());
        let mut encode = gradus();
        let line = stdout(encode.arg("encode").arg(&saved).arg("a dog in the park"));
        assert!(line.contains("embedding"));
    }
}

#[test]
fn a_student_learns_its_teachers_ranking() {
    let place = workplace();
    let teachers = format!(
        "teachers = [{{ model = '{}' }}, {{ model = '{}', weight = 0.5 }}]\n",
        model("roberta-small"),
        model("bert-odd")
    );
    let stage = format!(
        "{INFO_NCE}{teachers}also = [\
         {{ loss = 'list_mle', temperature = 0.1 }}, {{ loss = 'consistency', weight = 0.5 }}]\n\
         train = [{{ path = 'texts.txt' }}]\n"
    );
    recipe(place.path(), "rank.toml", &stage);
    let cache = place.path().join("cache");
    let run = |output: &str| {
        let mut command = train(place.path(), &["rank.toml", "--output", output]);
        command.env("XDG_CACHE_HOME", &cache);
        let output = command.assert().success().get_output().clone();
        String::from_utf8(output.stderr).unwrap()
    };
    let told = run("runs/a");
    assert_eq!(told.matches("texts once").count(), 2, "{told}");
    let told = run("runs/b");
    assert_eq!(told.matches("vectors found").count(), 2, "{told}");
    let model = |run: &str| fs::read(place.path().join(run).join("model/model.safetensors"));
    assert_eq!(model("runs/a").unwrap(), model("runs/b").unwrap());
    let losses = losses(place.path(), "runs/a");
    assert!(losses[19] < losses[0], "{losses:?}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let place = workplace();
    let texts = "train = [{ path = 'texts.txt' }]\n";
    for (stage, part) in [
        (
            "objective = { loss = 'list_net' }\n".to_owned() + texts,
            "at least one teacher",
        ),
        (
            format!("{INFO_NCE}teachers = [{{ model = '{}' }}]\n{texts}", model("bert-odd")),
            "no objective of it learns from `teachers`",
        ),
        (
            format!("{INFO_NCE}train = [{{ path = 'texts.txt' }}, {{ path = 'triplets.tsv', rows = 'triplets' }}]\n"),
            "sources are of several kinds",
        ),
        (
            "objective = { loss = 'pearson' }\ntrain = [{ path = 'triplets.tsv', rows = 'triplets' }]\n"
                .to_owned(),
            "needs grades",
        ),
        (
            "objective = { loss = 'consistency' }\ntrain = [{ path = 'triplets.tsv', rows = 'triplets' }]\n"
                .to_owned(),
            "takes pairs, its sources give triplets",
        ),
        (
            format!("{INFO_NCE}{texts}").replace("info_nce", "infonce"),
            "Did you mean `info_nce`?",
        ),
        (
            format!("{INFO_NCE}train = [{{ path = 'texts.txt', max_pairs = 1 }}]\n"),
            "at least two examples",
        ),
        (
            format!("{INFO_NCE}freeze = 'encoder'\n{texts}"),
            "nothing is trained",
        ),
        (
            "objective = { loss = 'info_nce', widths = [100000] }\n".to_owned() + texts,
            "remove it from `widths`",
        ),
        (
            format!("{INFO_NCE}train = [{{ dataset = 'nli' }}]\n"),
            "nli",
        ),
    ] {
        recipe(place.path(), "bad.toml", &stage);
        train(place.path(), &["bad.toml"])
            .assert()
            .failure()
            .stderr(contains(part));
    }
}
