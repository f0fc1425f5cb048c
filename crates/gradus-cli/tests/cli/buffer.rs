//! `gradus train` with a buffer of negatives, and with repetition.

use crate::kills::{kill_until_done, two_threads};
use crate::support::{gradus, model};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::path::Path;

/// A folder with texts and a recipe whose stage goes on as given, with InfoNCE.
fn workplace(stage: &str) -> tempfile::TempDir {
    workplace_of("{ loss = 'info_nce' }", stage)
}

/// The same with an objective.
fn workplace_of(objective: &str, stage: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../gradus/tests/fixtures");
    let pairs = fs::read_to_string(format!("{fixtures}/training/pairs.tsv")).unwrap();
    let column = |c| pairs.lines().map(move |l| l.split('\t').nth(c).unwrap());
    let texts: Vec<&str> = column(1).take(60).collect();
    fs::write(place.path().join("texts.txt"), texts.join("\n")).unwrap();
    let rows: Vec<String> = column(1)
        .zip(column(2))
        .take(60)
        .map(|(a, b)| format!("{a}\t{b}"))
        .collect();
    fs::write(place.path().join("pairs.tsv"), rows.join("\n")).unwrap();
    let recipe = format!(
        "model = '{}'\nnormalize = false\nlog_every = 1\ncheckpoint_steps = 1\n\
         [[stage]]\nname = 'one'\nsteps = 96\nbatch = 8\nlearning_rate = 1e-3\n\
         dropout = 0.1\nobjective = {objective}\n{stage}",
        model("bert-small"),
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    place
}

fn train(place: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command.current_dir(place).arg("train").args(arguments);
    command
}

const TEXTS: &str = "train = [{ path = 'texts.txt' }]\n";

/// The model's weights, and the steps of the metrics without the speed.
fn bits(run: &Path) -> (Vec<u8>, Vec<String>) {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = metrics.lines();
    let lines = lines.map(|l| l.split(",\"pairs_per_second\"").next().unwrap().to_owned());
    let weights = fs::read(run.join("model/model.safetensors")).unwrap();
    (weights, lines.collect())
}

/// A number of each step's `buffer`, where it has one.
fn numbers(lines: &[String], key: &str) -> Vec<f64> {
    let key = format!("\"{key}\":");
    let after = lines.iter().filter_map(|line| {
        let buffer = &line[line.find("\"buffer\":")?..];
        let from = buffer.find(&key)? + key.len();
        let number = buffer[from..].split([',', '}']).next()?;
        Some(number.parse().unwrap())
    });
    after.collect()
}

#[test]
fn a_killed_run_goes_on_with_its_buffer() {
    let plain = "{ loss = 'info_nce' }";
    let wide = "{ loss = 'info_nce', widths = [32, 16], symmetric = true }";
    for (attempt, (objective, stage)) in [
        (
            plain,
            format!(
                "accumulate = 2\nprojection = 'mlp'\nteachers = [{{ model = '{}' }}]\n\
             also = [{{ loss = 'list_mle' }}]\n\
             buffer = {{ size = 40, negatives = 12, source = 'average', momentum = 0.9, \
             selection = 'sampled', warmup_steps = 6, false_negative_above = 0.97 }}\n{TEXTS}",
                model("bert-odd")
            ),
        ),
        (
            wide,
            format!(
                "accumulate = 2\nteachers = [{{ model = '{}' }}]\nchunk_tokens = 60\n\
             buffer = {{ size = 20, source = 'model', log_weight = -0.5, \
             false_negative_above = 0.97 }}\n{TEXTS}",
                model("bert-odd")
            ),
        ),
        (
            plain,
            format!("repetition = 0.32\nbuffer = {{ size = 20, selection = 'all' }}\n{TEXTS}"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let place = workplace_of(objective, &stage);
        let arguments = ["recipe.toml", "--output", "whole", "--threads", "1"];
        let out = train(place.path(), &arguments).assert().success();
        out.stderr(contains("  buffer   ").and(contains("(buffer cosine ")));
        let expected = bits(&place.path().join("whole"));
        let fill = numbers(&expected.1, "fill");
        assert_eq!((fill.len(), fill[0]), (96, 0.0));
        assert_eq!(fill[95], 1.0);
        let cosines = numbers(&expected.1, "cosine");
        assert_eq!(cosines.len(), 95, "all but the first step had negatives");
        let dropped = numbers(&expected.1, "false_negatives");
        assert_eq!(dropped.len(), if attempt < 2 { 95 } else { 0 });
        if attempt < 2 {
            assert!(dropped.iter().any(|share| *share > 0.0), "{dropped:?}");
            assert!(dropped.iter().all(|share| *share < 1.0), "{dropped:?}");
        }
        let run = place.path().join("killed");
        let arguments = ["train", "recipe.toml", "--output", "killed"].map(str::to_owned);
        let resume = ["train", "--resume", "killed"].map(str::to_owned);
        let begun = run.join("recipe.toml");
        let attempt = attempt as u64;
        kill_until_done(
            place.path(),
            &arguments,
            &resume,
            &begun,
            attempt,
            two_threads,
        );
        assert!(bits(&run) == expected, "{attempt} differs");
    }
}

/// Without a buffer's negatives, or with others, it is another training.
#[test]
fn negatives_and_repetition_make_another_model() {
    let place = workplace(TEXTS);
    let of = |name: &str, set: &[&str]| {
        let mut arguments = vec!["recipe.toml", "--output", name, "--set", "stage.0.steps=3"];
        for set in set {
            arguments.extend(["--set", set]);
        }
        train(place.path(), &arguments).assert().success();
        bits(&place.path().join(name))
    };
    let sets: [&[&str]; 5] = [
        &[],
        &["stage.0.buffer={ size = 16 }"],
        &["stage.0.buffer={ size = 16, selection = 'all' }"],
        &["stage.0.buffer={ size = 16, selection = 'all', source = 'model' }"],
        &["stage.0.repetition=0.5"],
    ];
    let runs: Vec<_> = (sets.iter().enumerate())
        .map(|(i, set)| of(&format!("runs/{i}"), set))
        .collect();
    for (i, a) in runs.iter().enumerate() {
        // The first step finds every buffer empty.
        let first = |run: &(Vec<u8>, Vec<String>)| {
            let line: serde_json::Value = serde_json::from_str(&format!("{}}}", run.1[0])).unwrap();
            line["loss"].as_f64().unwrap()
        };
        assert_eq!(first(a) == first(&runs[0]), i < 4, "{i}");
        for b in &runs[..i] {
            assert!(a.0 != b.0, "{i}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_before_the_run() {
    let place = workplace(TEXTS);
    let pairs = "stage.0.train=[{ path = 'pairs.tsv', rows = 'pairs' }]";
    for (set, part) in [
        (&["stage.0.buffer={ sise = 3 }"][..], "sise"),
        (
            &["stage.0.buffer={}", "stage.0.freeze=encoder"],
            "does not go with `freeze",
        ),
        (
            &["stage.0.buffer={ false_negative_above = 0.9 }"],
            "name one, or leave it out",
        ),
        (
            &["stage.0.repetition=0.3", pairs],
            "`repetition` is for sources with `rows = \"texts\"`",
        ),
        (
            &[
                "stage.0.repetition=0.3",
                "template=the book \"{}\" is [MASK].",
            ],
            "does not go with a template",
        ),
        (
            &["stage.0.repetition=0.3", "stage.0.views=1"],
            "leave one of them out",
        ),
        (&["stage.0.repetition=1.5"], "not above 1"),
    ] {
        let mut arguments = vec!["recipe.toml", "--output", "refused"];
        for set in set {
            arguments.extend(["--set", set]);
        }
        train(place.path(), &arguments)
            .assert()
            .failure()
            .stderr(contains(part));
        assert!(!place.path().join("refused").exists(), "{set:?}");
    }
}

/// The plan has the buffer, and its memory.
#[test]
fn the_plan_tells_of_the_buffer() {
    let place = workplace(TEXTS);
    let memory = |set: &str| {
        let arguments = ["recipe.toml", "--dry-run", "--untimed", "--set", set];
        let plan = train(place.path(), &arguments).assert().success();
        let plan = String::from_utf8(plan.get_output().stdout.clone()).unwrap();
        let line = plan.lines().find(|l| l.starts_with("  memory")).unwrap();
        let megabytes: u64 = line.split(' ').find_map(|w| w.parse().ok()).unwrap();
        (megabytes, plan)
    };
    let (without, plan) = memory("stage.0.views=2");
    assert!(!plan.contains("  buffer"), "{plan}");
    let (with, plan) = memory("stage.0.buffer={ size = 1000000, source = 'model' }");
    assert!(
        plan.contains("  buffer   1000000 vectors of the model, the 4 hardest for each anchor\n"),
        "{plan}"
    );
    // A million vectors of 32 values.
    assert!((127..=129).contains(&(with - without)), "{with} {without}");
}
