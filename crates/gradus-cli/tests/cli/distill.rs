//! `gradus distill`.

use crate::kills::{kill_until_done, two_threads};
use crate::support::{gradus, model, stdout, tiny_data};
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A folder with texts as lines and as pairs.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let pairs = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gradus/tests/fixtures/training/pairs.tsv"
    );
    let text = fs::read_to_string(pairs).unwrap();
    let lines: String = text
        .lines()
        .map(|line| line.split('\t').nth(1).unwrap().to_owned() + "\n")
        .collect();
    fs::write(place.path().join("lines.txt"), lines).unwrap();
    fs::write(place.path().join("pairs.tsv"), text).unwrap();
    place
}

fn distill(place: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command
        .current_dir(place)
        .env("XDG_CACHE_HOME", place.join("cache"))
        .arg("distill")
        .args(arguments);
    command
}

const SHORT: [&str; 4] = ["--steps", "12", "--batch", "16"];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn students_learn_and_are_compared() {
    let place = workplace();
    let teacher = model("bert-small");
    let common = [&teacher, "lines.txt", "pairs.tsv", "--columns", "1,2"];
    let rest = [
        "--output", "small", "--layers", "1", "--layers", "1,", "--json",
    ];
    let printed = stdout(&mut distill(
        place.path(),
        &[&common[..], &SHORT, &rest].concat(),
    ));
    let table = json(&printed);
    let rows = table["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["teacher", "layers-0", "layers-1"]);
    assert_eq!(rows[0]["agreement"], 1.0);
    for row in &rows[1..] {
        let of = |key: &str| row[key].as_f64().unwrap();
        assert!(of("agreement") > 0.3 && of("agreement") < 1.0, "{row}");
        assert!(of("sentences_per_second") > 0.0 && of("speed_up") > 0.0);
        let layers = |row: &Value| row["layer_parameters"].as_u64().unwrap();
        assert_eq!(2 * layers(row), layers(&rows[0]));
        assert!(row["bytes"].as_u64().unwrap() < rows[0]["bytes"].as_u64().unwrap());
        assert!(row["average"].is_null() && row["dev"].is_null());
    }
    let run = place.path().join("small/layers-0");
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let scores: Vec<f64> = metrics
        .lines()
        .map(json)
        .filter(|m| m["kind"] == "evaluation")
        .map(|m| m["spearman"].as_f64().unwrap())
        .collect();
    assert!(scores.last() > scores.first(), "{scores:?}");
    for file in [
        "recipe.toml",
        "start/config.json",
        "model/1_Pooling/config.json",
    ] {
        assert!(run.join(file).exists(), "{file}");
    }
    // Its scale would be the teacher's cosine.
    assert!(!run.join("model/calibration.json").exists());
    let written = fs::read_to_string(place.path().join("small/table.json")).unwrap();
    assert_eq!(json(&written), table);
    let page = fs::read_to_string(place.path().join("small/table.md")).unwrap();
    assert!(page.contains("| layers-0 |"), "{page}");

    // Held out is what was never trained on.
    let read =
        |name: &str| fs::read_to_string(place.path().join("small/texts").join(name)).unwrap();
    let (train, held_out) = (read("train.txt"), read("held-out.txt"));
    assert!(held_out.lines().count() >= 20);
    let train: std::collections::HashSet<&str> = train.lines().collect();
    assert!(held_out.lines().all(|line| !train.contains(line)));

    // The same command again trains nothing; another student is added.
    let weights = fs::read(run.join("model/model.safetensors")).unwrap();
    let more = ["--output", "small", "--layers", "2"];
    let mut again = distill(place.path(), &[&common[..], &SHORT, &more].concat());
    let again = again.assert().success().get_output().clone();
    let told = String::from_utf8(again.stderr).unwrap();
    assert_eq!(told.matches("finished before").count(), 2, "{told}");
    let text = String::from_utf8(again.stdout).unwrap();
    assert!(
        text.contains("layers-0-1") && text.contains("layers-1"),
        "{text}"
    );
    assert_eq!(
        weights,
        fs::read(run.join("model/model.safetensors")).unwrap()
    );
    let other = ["--output", "small", "--seed", "5"];
    distill(place.path(), &[&common[..], &SHORT, &other].concat())
        .assert()
        .code(2)
        .stderr(contains("other settings"));
    let mut score = gradus();
    score
        .args(["score", "--format", "tsv"])
        .arg(run.join("model"))
        .args(["a dog", "a cat"]);
    let answer = stdout(&mut score);
    let cosine: f64 = answer.split('\t').next().unwrap().parse().unwrap();
    assert!((-1.0..=1.0).contains(&cosine));
}

#[test]
fn every_family_and_shape_can_be_taught() {
    let place = workplace();
    for (name, shape) in [
        ("distilbert-small", &["--layers", "1"][..]),
        ("mpnet-small", &["--layers", "1", "--intermediate", "8"]),
        ("nomic-small", &["--layers", "1", "--intermediate", "8"]),
        ("jina-small", &["--layers", "0,1", "--objective", "both"]),
        ("roberta-small", &["--layers", "1,", "--objective", "rank"]),
        (
            "bert-gelu-new",
            &["--fresh", "--layers", "1", "--hidden", "12"],
        ),
        (
            "xlmr-small",
            &["--fresh", "--layers", "1", "--objective", "rank"],
        ),
    ] {
        let teacher = model(name);
        let common = [
            &teacher,
            "lines.txt",
            "--steps",
            "3",
            "--output",
            name,
            "--json",
        ];
        let printed = stdout(&mut distill(place.path(), &[&common[..], shape].concat()));
        let table = json(&printed);
        let agreement = table["rows"][1]["agreement"].as_f64();
        assert!(agreement.is_some_and(|a| a.is_finite()), "{name}: {table}");
    }
}

#[test]
fn graded_pairs_choose_where_they_are_given_and_tests_are_scored() {
    let place = workplace();
    tiny_data(&place.path().join("data"));
    let teacher = model("bert-small");
    let arguments = [
        &teacher,
        "lines.txt",
        "--dev",
        "pairs.tsv",
        "--minutes",
        "0.01",
        "--layers",
        "1",
        "--data",
        "data",
        "--output",
        "out",
    ];
    let text = stdout(&mut distill(place.path(), &arguments));
    for part in ["dev", "STS average", "pairs.tsv, which chose", "agreement"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let run = place.path().join("out/layers-0");
    assert!(run.join("model/calibration.json").exists());
    let recipe = fs::read_to_string(run.join("recipe.toml")).unwrap();
    assert!(
        recipe.contains("steps = ") && !recipe.contains("epochs"),
        "{recipe}"
    );
}

#[test]
fn a_killed_distillation_goes_on_to_the_same_bits() {
    let place = workplace();
    let teacher = model("bert-small");
    let arguments = |output: &str| -> Vec<String> {
        let all = [
            "distill",
            &teacher,
            "lines.txt",
            "--steps",
            "40",
            "--batch",
            "16",
            "--layers",
            "1",
            "--layers",
            "2",
            "--checkpoint-steps",
            "3",
            "--evaluate-every",
            "10",
            "--output",
            output,
        ];
        all.iter().map(|a| a.to_string()).collect()
    };
    let whole = arguments("whole");
    let whole: Vec<&str> = whole.iter().skip(1).map(String::as_str).collect();
    distill(place.path(), &whole).assert().success();
    let resume = ["distill", "--resume", "killed"].map(str::to_owned);
    let begun = place.path().join("killed/distill.toml");
    kill_until_done(
        place.path(),
        &arguments("killed"),
        &resume,
        &begun,
        0,
        two_threads,
    );
    for student in ["layers-0", "layers-0-1"] {
        for file in ["model/model.safetensors", "metrics.jsonl"] {
            let read = |run: &str| {
                let path = place.path().join(run).join(student).join(file);
                fs::read(path).unwrap()
            };
            let (whole, killed) = (read("whole"), read("killed"));
            if file.ends_with("jsonl") {
                let lines = |bytes: &[u8]| bytes.iter().filter(|b| **b == b'\n').count();
                assert_eq!(lines(&whole), lines(&killed), "{student}");
            } else {
                assert_eq!(whole, killed, "{student}");
            }
        }
    }
}

#[test]
fn a_dry_run_makes_nothing() {
    let place = workplace();
    let teacher = model("bert-small");
    let arguments = [
        &teacher,
        "lines.txt",
        "--layers",
        "1",
        "--dry-run",
        "--output",
        "out",
    ];
    let text = stdout(&mut distill(place.path(), &arguments));
    assert!(
        text.contains("held out") && text.contains("out/layers-0: to do"),
        "{text}"
    );
    assert!(text.contains("3 epochs"), "{text}");
    assert!(!place.path().join("out").exists());
}

#[test]
fn what_cannot_be_is_refused() {
    let place = workplace();
    fs::write(place.path().join("empty.txt"), "\n \n").unwrap();
    fs::write(place.path().join("few.txt"), "one\ntwo\nthree\n").unwrap();
    let teacher = model("bert-small");
    let t = teacher.as_str();
    for (arguments, code, part) in [
        (&[t, "lines.txt", "--layers", "0"][..], 2, "1 to 2"),
        (&[t, "lines.txt", "--layers", "3"], 2, "1 to 2"),
        (&[t, "lines.txt", "--layers", "0,2"], 2, "layer 2"),
        (&[t, "lines.txt", "--layers", "1,0"], 2, "must rise"),
        (&[t, "lines.txt", "--layers", "two"], 2, "--layers two"),
        (
            &[t, "lines.txt", "--layers", "99999999999999999999"],
            2,
            "--layers",
        ),
        (&[t, "lines.txt", "--intermediate", "65"], 2, "1 to 64"),
        (&[t, "lines.txt", "--fresh", "--hidden", "64"], 2, "1 to 32"),
        (&[t, "lines.txt", "--hidden", "16"], 2, "--fresh"),
        (
            &[t, "lines.txt", "--fresh", "--layers", "0,1"],
            2,
            "number of layers",
        ),
        (&[t, "lines.txt", "--fresh", "--layers", "0"], 2, "0 layers"),
        (
            &[t, "lines.txt", "--learning-rate", "0"],
            2,
            "learning_rate",
        ),
        (&[t, "lines.txt", "--minutes=-1"], 2, "minutes"),
        (&[t, "lines.txt", "--batch", "0"], 2, "batch"),
        (&[t, "empty.txt"], 3, "empty.txt"),
        (
            &[t, "few.txt"],
            3,
            "different texts are needed, and it has 3",
        ),
        (&[t, "missing.txt"], 3, "missing.txt"),
        (&["nowhere", "lines.txt"], 5, "nowhere"),
        (&["--resume", "nowhere"], 2, "distill.toml"),
        (&[t], 2, "TEXT"),
    ] {
        let assert = distill(place.path(), arguments).assert().failure();
        let output = assert.get_output();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(part), "{arguments:?}: {told}");
    }
    assert!(!place.path().join("runs/distill").exists());
}

#[test]
fn vectors_of_other_widths_are_not_imitated_unseen() {
    let place = workplace();
    let recipe = format!(
        "model = '{}'\n[[stage]]\nname = 'one'\nsteps = 2\nlearning_rate = 1e-3\nviews = 1\n\
         objective = {{ loss = 'embedding_mse' }}\nteachers = [{{ model = '{}' }}]\n\
         train = [{{ path = 'lines.txt' }}]\n",
        model("bert-small"),
        model("nomic-small")
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    let mut train = gradus();
    train
        .current_dir(place.path())
        .args(["train", "recipe.toml"]);
    train
        .assert()
        .code(2)
        .stderr(contains("have 24 values, the model's 32"));
}
