//! `gradus sweep`.

use crate::support::{gradus, model, stdout, tiny_data};
use predicates::str::contains;
use std::fs;
use std::path::Path;

/// A folder with pairs, a short recipe, and tiny test sets.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let pairs = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gradus/tests/fixtures/training/pairs.tsv"
    );
    fs::copy(pairs, place.path().join("pairs.tsv")).unwrap();
    let recipe = format!(
        "model = '{}'\n[evaluation]\ndev = {{ path = 'pairs.tsv', max_pairs = 50 }}\nevery = 4\n\
         [[stage]]\nname = 'tune'\nobjective = {{ loss = 'smooth_k2', k = 3.0, x0 = 0.2 }}\n\
         train = [{{ path = 'pairs.tsv' }}]\nsteps = 8\nbatch = 4\nlearning_rate = 1e-3\n",
        model("bert-small")
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    tiny_data(&place.path().join("data"));
    place
}

fn sweep(place: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command.current_dir(place).env("GRADUS_DATA", "data");
    command.args(["sweep", "recipe.toml"]).args(arguments);
    command
}

const GRID: [&str; 4] = [
    "--grid",
    "stage.0.objective={ loss = \"mse\" },{ loss = \"smooth_k2\", k = 2.0, x0 = 0.25 }",
    "--seeds",
    "1,2",
];

fn json(command: &mut assert_cmd::Command) -> serde_json::Value {
    serde_json::from_str(&stdout(command)).unwrap()
}

#[test]
fn settings_and_seeds_end_in_a_table() {
    let place = workplace();
    let arguments = [&GRID[..], &["--json"]].concat();
    let table = json(&mut sweep(place.path(), &arguments));
    assert_eq!(table["rows"].as_array().unwrap().len(), 2);
    let best = table["best"].as_u64().unwrap() as usize;
    for (r, row) in table["rows"].as_array().unwrap().iter().enumerate() {
        assert_eq!(row["seeds"], serde_json::json!([1, 2]));
        assert!(row["dev"]["deviation"].is_f64() && row["average"]["mean"].is_f64());
        assert_eq!(row["tasks"].as_array().unwrap().len(), 7);
        assert_eq!(row["difference"].is_null(), r == best);
        let better = |other: &serde_json::Value| other["dev"]["mean"].as_f64();
        assert!(better(&table["rows"][best]) >= better(row));
    }
    // A run alone gives the numbers that the table has.
    let mut alone = gradus();
    alone.current_dir(place.path());
    alone.args(["train", "recipe.toml", "--set", "seed=1"]);
    alone.args(["--set", "stage.0.objective={ loss = \"mse\" }"]);
    stdout(alone.args(["--output", "alone"]));
    let mut eval = gradus();
    eval.current_dir(place.path()).env("GRADUS_DATA", "data");
    let scores = json(eval.args(["eval", "alone/model", "--format", "json"]));
    let runs = fs::read_dir(place.path().join("sweeps/recipe/runs")).unwrap();
    let runs: Vec<_> = runs.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(runs.len(), 4);
    let same = runs.iter().filter(|run| {
        let text = fs::read_to_string(run.join("outcome.json")).unwrap();
        let outcome: serde_json::Value = serde_json::from_str(&text).unwrap();
        outcome["test"]["scores"]["tasks"] == scores["models"][0]["tasks"]
    });
    assert!(same.count() >= 1);
    // One model is kept, and nothing that only resuming needs.
    let has = |name: &str| runs.iter().filter(|run| run.join(name).exists()).count();
    assert_eq!((has("model"), has("checkpoints")), (1, 0));
    let written = fs::read_to_string(place.path().join("sweeps/recipe/table.md")).unwrap();
    assert!(written.contains("| setting | dev | STS12 |"), "{written}");
}

#[test]
fn what_is_finished_is_not_run_again() {
    let place = workplace();
    let first = stdout(&mut sweep(place.path(), &GRID));
    for part in [
        "best by the dev set",
        "aggregation all, original text",
        "seeds: 1, 2",
        "overlap: the training data holds",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
    let runs = place.path().join("sweeps/recipe/runs");
    let some = fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    // As if one had been killed before it was scored.
    fs::remove_file(some.join("outcome.json")).unwrap();
    let mut again = sweep(place.path(), &GRID);
    let output = again.assert().success().get_output().clone();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), first);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.matches("finished before").count(), 3, "{told}");
    let list = stdout(&mut sweep(
        place.path(),
        &[GRID[0], GRID[1], "--seeds", "1,2,3", "--dry-run"],
    ));
    assert_eq!(list.matches("finished\t").count(), 4, "{list}");
    assert_eq!(list.matches("to do\t").count(), 2, "{list}");
    // Another recipe must not pass for this one.
    let changed = [&GRID[..], &["--set", "stage.0.steps=9"]].concat();
    sweep(place.path(), &changed)
        .assert()
        .code(2)
        .stderr(contains("another recipe"));
}

#[test]
fn a_setting_that_diverges_does_not_end_the_sweep() {
    let place = workplace();
    let pairs = fs::read_to_string(place.path().join("pairs.tsv")).unwrap();
    let heavy: String = pairs.lines().map(|l| format!("{l}\t1e38\n")).collect();
    fs::write(place.path().join("heavy.tsv"), heavy).unwrap();
    let sources = "stage.0.train.0={path='pairs.tsv'},\
                   {path='heavy.tsv',label=0,first=1,second=2,weight=3}";
    let set = "stage.0.objective.k=1e6";
    let table = json(&mut sweep(
        place.path(),
        &["--grid", sources, "--set", set, "--json", "--no-tests"],
    ));
    assert_eq!(table["rows"][0]["failed"], serde_json::json!([]));
    assert_eq!(table["rows"][1]["failed"], serde_json::json!([777]));
    assert_eq!(table["best"], 0);
}

#[test]
fn mistakes_are_named_before_anything_is_trained() {
    let place = workplace();
    for (arguments, part) in [
        (
            &["--grid", "stage.0.objective.kk=1,2"][..],
            "Did you mean `k`?",
        ),
        (&["--grid", "stage.0.batch=4,0"], "`batch` is 0"),
        (
            &["--grid", "stage.0.objective.x0=0.2,0.6"],
            "0 <= x0 <= 0.5",
        ),
        (&["--grid", "seed=1,2"], "--seeds"),
        (&["--grid", "stage.0.batch"], "expected key=value"),
        (&["--seeds", "1,1"], "--seeds: 1 is given twice"),
    ] {
        sweep(place.path(), arguments)
            .assert()
            .code(2)
            .stderr(contains(part));
    }
    assert!(!place.path().join("sweeps").exists());
}

#[test]
fn recipes_are_compared_with_each_other_and_with_no_training() {
    let place = workplace();
    let recipe = fs::read_to_string(place.path().join("recipe.toml")).unwrap();
    for (folder, k) in [("soft", "1.0"), ("steep", "9.0")] {
        fs::create_dir(place.path().join(folder)).unwrap();
        let recipe = recipe.replace("k = 3.0", &format!("k = {k}"));
        let recipe = recipe.replace("'pairs.tsv'", "'../pairs.tsv'");
        fs::write(place.path().join(folder).join("small.toml"), recipe).unwrap();
    }
    let compare = |more: &[&str]| {
        let mut command = gradus();
        command.current_dir(place.path()).env("GRADUS_DATA", "data");
        command.args(["sweep", "soft/small.toml", "steep/small.toml"]);
        command.args(more);
        command
    };
    let untrained = format!("{} before training", model("bert-small"));
    let typed = untrained.replace(' ', "");
    let table = json(&mut compare(&["--before", "--against", &typed, "--json"]));
    let rows = table["rows"].as_array().unwrap();
    let labels: Vec<&str> = rows.iter().map(|r| r["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["soft/small", "steep/small", &untrained]);
    assert_eq!(table["against"], 2);
    assert!(rows[2]["difference"].is_null() && rows[2]["dev"]["mean"].is_f64());
    let average = |row: &serde_json::Value| row["average"]["mean"].as_f64().unwrap();
    for row in &rows[..2] {
        let value = row["difference"]["value"].as_f64().unwrap();
        assert!((value - (average(row) - average(&rows[2]))).abs() < 1e-12);
    }
    assert_ne!(rows[0]["dev"], rows[1]["dev"]);
    compare(&["--against", "elsewhere"])
        .assert()
        .code(2)
        .stderr(contains("there are soft/small; steep/small"));
    let other = recipe.replace("max_pairs = 50", "max_pairs = 40");
    fs::write(place.path().join("other.toml"), other).unwrap();
    let mut mixed = gradus();
    mixed.current_dir(place.path()).env("GRADUS_DATA", "data");
    mixed.args(["sweep", "recipe.toml", "other.toml"]);
    mixed
        .assert()
        .code(2)
        .stderr(contains("different dev sets"));
}

#[test]
fn some_of_the_test_sets_can_be_named() {
    let place = workplace();
    let with = |more: &[&'static str]| [&GRID[..2], &["--json"], more].concat();
    let all = json(&mut sweep(place.path(), &with(&[])));
    let names = |table: &serde_json::Value| table["tasks"].as_array().unwrap().len();
    assert_eq!(names(&all), 7);
    // The runs are finished; their scores on two of the sets are read again.
    let two = json(&mut sweep(place.path(), &with(&["--tasks", "STS12,STS-B"])));
    assert_eq!(two["tasks"], serde_json::json!(["STS12", "STS-B"]));
    for (some, every) in [(0, 0), (1, 5)] {
        let of = |table: &serde_json::Value, task: usize| table["rows"][0]["tasks"][task].clone();
        assert_eq!(of(&two, some), of(&all, every));
    }
    let header = two["header"].to_string();
    assert!(
        header.contains("Avg. is over STS12, STS-B alone"),
        "{header}"
    );
    // A model that is no more there cannot be scored on further sets.
    let other = ["--output", "other"];
    let one = [&with(&["--tasks", "STS12"])[..], &other].concat();
    assert_eq!(names(&json(&mut sweep(place.path(), &one))), 1);
    let mut more = sweep(place.path(), &[&with(&[])[..], &other].concat());
    more.assert()
        .code(2)
        .stderr(contains("give --tasks STS12, or another --output"));
}

#[test]
fn keys_that_exclude_each_other_replace_the_recipes_but_not_each_other() {
    let place = workplace();
    // The recipe has steps.
    let epochs = ["--grid", "stage.0.epochs=0.05,0.1", "--dry-run"];
    let listed = stdout(&mut sweep(place.path(), &epochs));
    assert_eq!(listed.lines().count(), 2, "{listed}");
    for (arguments, part) in [
        (
            ["--grid", "stage.0.epochs=1,2", "--set", "stage.0.steps=3"],
            "--grid stage.0.epochs and --set stage.0.steps=3 exclude each other",
        ),
        (
            ["--grid", "stage.0.epochs=1,2", "--grid", "stage.0.steps=3"],
            "--grid stage.0.steps and --grid stage.0.epochs exclude each other",
        ),
    ] {
        sweep(place.path(), &arguments)
            .assert()
            .code(2)
            .stderr(contains(part));
    }
}
