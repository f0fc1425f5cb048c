//! Training that cannot learn is refused, or says so at its end.

use crate::support::{gradus, model, stdout, with_head};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::path::Path;

const GRADED: &str = "train = [{ path = 'pairs.tsv' }]\n";

/// A folder with graded pairs, some of its pieces, and a recipe of one stage.
fn workplace(stage: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let pairs = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gradus/tests/fixtures/training/pairs.tsv"
    );
    let pairs = fs::read_to_string(pairs).unwrap();
    let lines: Vec<&str> = pairs.lines().take(20).collect();
    let write = |name: &str, lines: Vec<String>| {
        fs::write(place.path().join(name), lines.join("\n") + "\n").unwrap();
    };
    let owned = |line: &&str| (*line).to_owned();
    write("pairs.tsv", lines.iter().map(owned).collect());
    write("one.tsv", lines.iter().take(1).map(owned).collect());
    write("two.tsv", lines.iter().take(2).map(owned).collect());
    let with = |change: &dyn Fn(&[&str]) -> String| -> Vec<String> {
        let cells = lines
            .iter()
            .map(|line| line.split('\t').collect::<Vec<_>>());
        cells.map(|cells| change(&cells)).collect()
    };
    write("equal.tsv", with(&|c| format!("3\t{}\t{}", c[1], c[2])));
    write(
        "same.tsv",
        with(&|c| format!("{}\t{}\t{}", c[0], c[1], c[1])),
    );
    write("texts.txt", with(&|c| c[1].to_owned()));
    let one_pair = (0..12).map(|i| format!("{}\ta dog\ta cat", i % 6));
    write("onepair.tsv", one_pair.collect());
    write("copies.tsv", vec!["a dog\ta cat".to_owned(); 12]);
    let weighted = with(&|c| format!("{}\t{}\t{}\t0", c[0], c[1], c[2]));
    write(
        "weightless.tsv",
        std::iter::once("score\tsentence1\tsentence2\tweight".to_owned())
            .chain(weighted)
            .collect(),
    );
    let recipe = format!(
        "model = '{}'\n[[stage]]\nname = 'tune'\nsteps = 3\nlearning_rate = 1e-3\n{stage}",
        model("bert-small")
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    place
}

fn train(place: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command.current_dir(place);
    command.args(["train", "recipe.toml"]).args(arguments);
    command
}

/// Is refused before any work, also in a dry run.
fn refused(place: &Path, set: &[&str], parts: &[&str]) {
    for dry in [&["--dry-run", "--untimed"][..], &[]] {
        let set = set.iter().flat_map(|set| ["--set", set]);
        let arguments: Vec<&str> = set.chain(dry.iter().copied()).collect();
        let assert = train(place, &arguments).assert().code(2);
        let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        for part in parts {
            assert!(said.contains(part), "{arguments:?}: {part} not in: {said}");
        }
    }
    assert!(!place.join("runs").exists());
}

#[test]
fn batches_of_one_are_refused_where_examples_are_compared() {
    for (objective, data, least) in [
        ("{ loss = 'cosent' }", GRADED, 2),
        ("{ loss = 'angle' }", GRADED, 2),
        ("{ loss = 'pearson' }", GRADED, 3),
        ("{ loss = 'cosent', widths = [32, 8] }", GRADED, 2),
        (
            "{ loss = 'info_nce' }",
            "train = [{ path = 'texts.txt' }]\n",
            2,
        ),
        (
            "{ loss = 'consistency' }",
            "train = [{ path = 'texts.txt' }]\n",
            3,
        ),
        ("{ loss = 'mse' }\nalso = [{ loss = 'cosent' }]", GRADED, 2),
    ] {
        let place = workplace(&format!("objective = {objective}\n{data}"));
        let least_said = format!("set `batch` to at least {least}");
        // `accumulate` averages batches and does not join them; chunks change
        // nothing about the batch.
        for more in ["stage.0.accumulate=8", "stage.0.chunk_tokens=8"] {
            refused(place.path(), &["stage.0.batch=1", more], &[&least_said]);
        }
        let few = "stage.0.train.0.max_pairs=1";
        if objective.contains("loss = 'cosent'") || objective.contains("angle") {
            refused(place.path(), &[few], &["all 1 training grades are"]);
        } else if data != GRADED {
            refused(place.path(), &[few], &["there is 1 example"]);
        }
        let batch = format!("stage.0.batch={least}");
        let trained = train(place.path(), &["--set", &batch]).assert().success();
        trained.stderr(contains("exactly zero in all").not());
    }
    // A loss of one prediction learns from one pair at a time.
    let place = workplace(&format!("objective = {{ loss = 'mse' }}\n{GRADED}"));
    stdout(&mut train(place.path(), &["--set", "stage.0.batch=1"]));
}

#[test]
fn a_last_batch_that_is_too_small_is_said() {
    let place = workplace(&format!("objective = {{ loss = 'cosent' }}\n{GRADED}"));
    let last = "the last batch of an epoch has 1 of the 2 examples";
    let of = |batch: &str, steps: &str| {
        let (batch, steps) = (
            format!("stage.0.batch={batch}"),
            format!("stage.0.steps={steps}"),
        );
        let mut command = train(place.path(), &["--dry-run", "--untimed"]);
        command.args(["--set", &batch, "--set", &steps]);
        String::from_utf8(command.assert().success().get_output().stderr.clone()).unwrap()
    };
    // 20 pairs.
    assert!(of("19", "2").contains(last));
    assert!(!of("19", "1").contains(last) && !of("10", "2").contains(last));
}

#[test]
fn grades_that_do_not_differ_are_named_with_their_value() {
    let place = workplace("objective = { loss = 'mse' }\ntrain = [{ path = 'equal.tsv' }]\n");
    for objective in [
        "{loss=\"mse\"}",
        "{loss=\"mse\",form=\"cosine\"}",
        "{loss=\"mse\",form=\"cosine\",scale=5.0,offset=0.0}",
        "{loss=\"cross_entropy\"}",
        "{loss=\"cosent\"}",
        "{loss=\"pearson\"}",
        "{loss=\"angle\"}",
    ] {
        let set = format!("stage.0.objective={objective}");
        let parts = [
            "all 20 training grades are 3",
            "`label`",
            "rows = \"pairs\"",
        ];
        refused(place.path(), &[&set], &parts);
    }
    // Everything mapped to one value is the same.
    let mapped = [
        "stage.0.train.0.path=pairs.tsv",
        "stage.0.train.0.labels={ from = [0, 5], to = [0, 0.4], rounding = \"nearest\" }",
    ];
    refused(
        place.path(),
        &mapped,
        &["all 20 training grades are 0", "`labels` map"],
    );
    let weightless = ["stage.0.train=[{path=\"weightless.tsv\",header=true}]"];
    refused(
        place.path(),
        &weightless,
        &["the weight of all 20 training pairs is 0"],
    );
    // Another source that differs makes something of them.
    let both = "stage.0.train=[{path=\"equal.tsv\"},{path=\"pairs.tsv\"}]";
    stdout(&mut train(place.path(), &["--set", both]));
}

#[test]
fn triplets_get_the_remedy_that_reads_them() {
    let place =
        workplace("objective = { loss = 'info_nce' }\ntrain = [{ path = 'triplets.tsv' }]\n");
    let rows: String = (0..8)
        .map(|i| format!("a dog {i}\tthe dog {i}\ta river {i}\n"))
        .collect();
    fs::write(place.path().join("triplets.tsv"), rows).unwrap();
    let parts = [
        "triplets.tsv has three columns of text",
        "`rows = \"triplets\"`",
    ];
    refused(place.path(), &[], &parts);
    let parts = ["such as `loss = \"info_nce\"`, and `rows = \"triplets\"`"];
    refused(place.path(), &["stage.0.objective={loss=\"mse\"}"], &parts);
    let remedy = [
        "--set",
        "stage.0.train.0.rows=triplets",
        "--dry-run",
        "--untimed",
    ];
    train(place.path(), &remedy)
        .assert()
        .success()
        .stdout(contains("8 triplets").and(contains("tokens per triplet (3 texts)")));
}

#[test]
fn several_negatives_of_a_row_are_trained_on() {
    let place =
        workplace("objective = { loss = 'info_nce' }\ntrain = [{ path = 'triplets.tsv' }]\n");
    let rows = (0..8).map(|i| format!("a dog {i}\tthe dog {i}\ta river {i}\ta sea {i}\n"));
    let names = "anchor\tpositive\tnegative_1\tnegative_2\n".to_owned();
    let text: String = std::iter::once(names).chain(rows).collect();
    fs::write(place.path().join("tuples.tsv"), text).unwrap();
    let source =
        |negatives| format!("{{path = 'tuples.tsv', rows = 'triplets', negatives = {negatives}}}");
    let both = format!("stage.0.train=[{}, {}]", source(1), source(2));
    let parts = ["different numbers of negatives", "the same `negatives`"];
    refused(place.path(), &[&both], &parts);
    let said = |sources: &str, threads: &str| {
        let train_on = format!("stage.0.train=[{sources}]");
        let fresh = ["--set", &train_on, "--overwrite", "--threads", threads];
        let mut command = train(place.path(), &fresh);
        String::from_utf8(command.assert().success().get_output().stderr.clone()).unwrap()
    };
    let text = said(&source(2), "1");
    assert!(text.contains("4 texts"), "{text}");
    assert!(text.contains("2 hard negatives of weight 1"), "{text}");
    let weights = || fs::read(place.path().join("runs/recipe/model/model.safetensors")).unwrap();
    let two = weights();
    said(&source(2), "3");
    assert_eq!(two, weights());
    said(&source(1), "1");
    assert_ne!(two, weights());
}

#[test]
fn texts_that_the_model_cannot_tell_apart_are_refused() {
    let place = workplace("objective = { loss = 'info_nce' }\ntrain = [{ path = 'texts.txt' }]\n");
    let starts = "a dog\na cat\na man\na woman\na river\n";
    fs::write(place.path().join("starts.txt"), starts).unwrap();
    refused(
        place.path(),
        &["max_tokens=3", "stage.0.train.0.path=starts.txt"],
        &["all 5 texts are the same to the model", "`max_tokens`"],
    );
    // All rows the same: every candidate is an anchor's own.
    let copies = [
        "stage.0.train.0.path=copies.tsv",
        "stage.0.train.0.rows=pairs",
    ];
    refused(
        place.path(),
        &copies,
        &["none of the 12 examples has a negative"],
    );
    let one = [
        "stage.0.train.0.path=copies.tsv",
        "stage.0.train.0.rows=texts",
    ];
    stdout(&mut train(
        place.path(),
        &["--set", one[0], "--set", one[1]],
    ));
    let place = workplace("objective = { loss = 'mse' }\ntrain = [{ path = 'same.tsv' }]\n");
    refused(
        place.path(),
        &[],
        &["the two texts of all 20 pairs are the same", "`second`"],
    );
}

#[test]
fn settings_that_train_nothing_are_refused() {
    let place = workplace(&format!("objective = {{ loss = 'cosent' }}\n{GRADED}"));
    for (set, part) in [
        (
            &["stage.0.warmup=1", "stage.0.steps=1"][..],
            "the learning rate is 0 in all of its 1 steps",
        ),
        (
            &["stage.0.learning_rate=1e-60"],
            "is 0 in the precision of the weights",
        ),
        (&["stage.0.learning_rate=0"], "`learning_rate` is 0"),
        (&["stage.0.steps=0"], "`steps` is 0"),
        (&["stage.0.epochs=0"], "`epochs` is 0"),
        (
            &["stage.0.objective.temperature=1e-9"],
            "must lie in [0.0001, 10000]",
        ),
        (
            &["stage.0.objective.temperature=1e30"],
            "must lie in [0.0001, 10000]",
        ),
        (
            &["stage.0.objective.weight=0"],
            "the `weight` of every objective is 0",
        ),
    ] {
        refused(place.path(), set, &[part]);
    }
}

#[test]
fn a_stage_without_gradient_says_so_at_its_end() {
    // Every prediction of the cosine form lies within half the spacing of 0.
    let stage = "objective = { loss = 'smooth_k2', form = 'cosine', scale = 0.001, offset = 2.5, \
                 x0 = 5.0, spacing = 10.0 }\nweight_decay = 0.0\n";
    let place = workplace(&format!("{stage}{GRADED}"));
    train(place.path(), &["--set", "checkpoint_steps=1"])
        .assert()
        .success()
        .stderr(contains(
            "stage `tune`: the gradient was exactly zero in all 3 steps, so that nothing was learned",
        ));
    // One that learns says nothing.
    let wider = ["--set", "stage.0.objective.x0=0.1", "--output", "learns"];
    train(place.path(), &wider)
        .assert()
        .success()
        .stderr(contains("exactly zero").not());
}

#[test]
fn dev_sets_that_choose_nothing_are_refused() {
    let place = workplace(&format!("objective = {{ loss = 'mse' }}\n{GRADED}"));
    let dev = |file: &str| format!("evaluation.dev={{ path = \"{file}\" }}");
    for (file, part) in [
        ("equal.tsv", "dev set equal.tsv: all its 20 grades are 3"),
        (
            "one.tsv",
            "dev set one.tsv: it has 1 pair and needs at least 3",
        ),
        ("two.tsv", "dev set two.tsv: it has 2 pairs"),
    ] {
        refused(
            place.path(),
            &[&dev(file)],
            &[part, "leave the dev set out"],
        );
    }
    let mut sweep = gradus();
    sweep.current_dir(place.path());
    sweep.args([
        "sweep",
        "recipe.toml",
        "--seeds",
        "1",
        "--set",
        &dev("equal.tsv"),
    ]);
    sweep
        .assert()
        .code(2)
        .stderr(contains("all its 20 grades are 3"));
}

#[test]
fn an_undefined_score_selects_nothing_and_is_no_reason_to_stop() {
    let place = workplace(&format!("objective = {{ loss = 'mse' }}\n{GRADED}"));
    // Every dev pair is the same one: all cosines are equal.
    let arguments = [
        "--set",
        "evaluation={ dev = { path = \"onepair.tsv\" }, every = 1, patience = 1 }",
        "--set",
        "stage.0.steps=4",
    ];
    let assert = train(place.path(), &arguments).assert().success();
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    for part in [
        "step 4: onepair.tsv undefined",
        "the score on onepair.tsv at step 1 is undefined",
        "no score on onepair.tsv was defined, so that its last model is taken",
        "the model is not calibrated",
    ] {
        assert!(said.contains(part), "{part} not in: {said}");
    }
    for part in ["(best)", "stopping early", "best on"] {
        assert!(!said.contains(part), "{part} in: {said}");
    }
    let run = place.path().join("runs/recipe");
    assert!(!run.join("model/calibration.json").exists());
    let record = fs::read_to_string(run.join("run.json")).unwrap();
    assert!(record.contains("\"best\": null"), "{record}");
}

#[test]
fn best_is_never_said_below_the_start() {
    let place = workplace(&format!(
        "objective = {{ loss = 'mse', form = 'cosine', scale = -5.0, offset = 5.0 }}\n{GRADED}"
    ));
    // A negative slope turns the order of the cosines around.
    let arguments = [
        "--set",
        "evaluation={ dev = { path = \"pairs.tsv\" }, every = 2 }",
        "--set",
        "stage.0.steps=20",
        "--set",
        "stage.0.learning_rate=3e-3",
    ];
    let assert = train(place.path(), &arguments).assert().success();
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    let scores: Vec<(f64, bool, bool)> = said
        .lines()
        .filter_map(|line| line.split_once(": pairs.tsv "))
        .filter(|(before, _)| before.starts_with("stage `tune`"))
        .map(|(_, after)| {
            let score = after.split([',', ' ']).next().unwrap().parse().unwrap();
            (
                score,
                after.contains("(best)"),
                after.contains("(below step 0)"),
            )
        })
        .collect();
    let start = scores[0].0;
    assert!(scores.iter().any(|s| s.2), "{said}");
    for (score, best, below) in &scores[1..] {
        assert!(!best || *score >= start, "{said}");
        assert!(!below || *score < start, "{said}");
    }
    // The cosine form has no head of its own.
    assert!(!said.contains("head"), "{said}");
}

#[test]
fn one_grade_is_no_scale_to_calibrate_on() {
    let place = workplace(GRADED);
    with_head(&place.path().join("model"));
    let calibrate = |pairs: &str| {
        let mut command = gradus();
        command.current_dir(place.path());
        command.args(["calibrate", "model", pairs]);
        command
    };
    calibrate("equal.tsv")
        .assert()
        .code(3)
        .stderr(contains("all 20 grades are 3").and(contains("which column is the grade")));
    for (file, pairs) in [("onepair.tsv", 12), ("same.tsv", 20)] {
        let says = format!("the cosine of all {pairs} pairs is");
        calibrate(file).assert().code(3).stderr(contains(says));
    }
    assert!(!place.path().join("model/calibration.json").exists());
    stdout(&mut calibrate("pairs.tsv"));
    let path = place.path().join("model/calibration.json");
    let fitted = fs::read_to_string(&path).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&fitted).unwrap();
    json["map"] = serde_json::json!([[0.1, 3.0], [0.9, 3.0]]);
    fs::write(&path, json.to_string()).unwrap();
    let mut score = gradus();
    score.current_dir(place.path());
    score.args(["score", "model", "a dog", "a cat"]);
    score.assert().code(4).stderr(contains(
        "fitted on one value; fit it again with `gradus calibrate --overwrite`",
    ));
}
