//! `gradus train` and `gradus quickstart`.

use crate::kills::{command, kill_at, kill_until_done, two_threads};
use crate::support::{backend, gradus, model, stdout, tiny_data};
use gradus_kernels::cpu;
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::path::Path;

/// A folder with pairs and a recipe of two stages, first the head alone.
fn workplace(extra: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let pairs = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gradus/tests/fixtures/training/pairs.tsv"
    );
    fs::copy(pairs, place.path().join("pairs.tsv")).unwrap();
    let recipe = format!(
        "model = '{}'\nlog_every = 1\n{extra}\n\
         [evaluation]\ndev = {{ path = 'pairs.tsv', max_pairs = 50 }}\nevery = 7\n\
         [[stage]]\nname = 'head'\nfreeze = 'encoder'\nobjective = {{ loss = 'smooth_k2' }}\n\
         train = [{{ path = 'pairs.tsv' }}]\nsteps = 5\nlearning_rate = 1e-2\n\
         [[stage]]\nname = 'tune'\nobjective = {{ loss = 'smooth_k2', k = 3.0, x0 = 0.2 }}\n\
         train = [{{ path = 'pairs.tsv' }}]\nepochs = 2\nbatch = 4\naccumulate = 2\n\
         learning_rate = 1e-3\nwarmup = 0.2\nlayer_decay = 0.9\nclip = 1.0\n",
        model("bert-small")
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    place
}

fn train(place: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command.current_dir(place).arg("train").args(arguments);
    command
}

#[test]
fn a_run_leaves_a_folder_that_other_commands_use() {
    let place = workplace("");
    let printed = stdout(&mut train(
        place.path(),
        &["recipe.toml", "--set", "seed=5"],
    ));
    assert_eq!(Path::new(printed.trim()), Path::new("runs/recipe/model"));
    let run = place.path().join("runs/recipe");
    let resolved = fs::read_to_string(run.join("recipe.toml")).unwrap();
    assert!(resolved.contains("seed = 5") && resolved.contains("layer_decay = 0.9"));
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let metrics: Vec<serde_json::Value> = metrics
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let of = |kind: &str, stage: &str| {
        metrics
            .iter()
            .filter(|m| m["kind"] == kind && m["stage"] == stage)
            .count()
    };
    // 25 steps an epoch of 8 pairs; scored at 0, every 7th and the last.
    assert_eq!((of("step", "head"), of("step", "tune")), (5, 50));
    assert_eq!((of("evaluation", "head"), of("evaluation", "tune")), (2, 9));
    let last = metrics.last().unwrap();
    for key in ["spearman", "head_spearman", "geometry"] {
        assert!(!last[key].is_null(), "{key}: {last}");
    }
    let card = fs::read_to_string(run.join("model/README.md")).unwrap();
    assert!(card.contains("| tune | 200 |") && card.contains("smooth K2 (k 3, x0 0.2)"));
    // Fitted on the dev set.
    let calibration = fs::read_to_string(run.join("model/calibration.json")).unwrap();
    assert!(calibration.contains("\"pairs\": 50"), "{calibration}");
    let mut score = gradus();
    score
        .args(["score", "--format", "tsv"])
        .arg(run.join("model"))
        .args(["a dog", "a cat"]);
    let line = stdout(&mut score);
    let numbers: Vec<f64> = line
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    assert!(
        numbers.len() == 5
            && [0, 1, 2, 4]
                .iter()
                .all(|&i| (0.0..=5.0).contains(&numbers[i])),
        "{line}"
    );
    // The folder is taken; a finished run resumes to nothing left to do.
    train(place.path(), &["recipe.toml"])
        .assert()
        .code(2)
        .stderr(contains("--resume"));
    train(place.path(), &["--resume", "runs/recipe"])
        .assert()
        .success();
    // The other precision would not give the same bits.
    let other = match backend().precision() {
        cpu::Precision::F32 => "bf16",
        _ => "f32",
    };
    train(
        place.path(),
        &["--resume", "runs/recipe", "--precision", other],
    )
    .assert()
    .code(2)
    .stderr(contains("leave --precision out"));
}

#[test]
fn every_family_learns_and_goes_on_from_what_it_saved() {
    for name in [
        "distilbert-small",
        "nomic-small",
        "jina-small",
        "jina-qk-norm",
        "mpnet-small",
    ] {
        let place = workplace("");
        let from = format!("model={}", model(name));
        let set = ["--set", &from, "--set", "stage.1.epochs=4"];
        stdout(train(place.path(), &["recipe.toml"]).args(set));
        let run = place.path().join("runs/recipe");
        let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let losses: Vec<f64> = metrics
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
            .filter(|m| m["kind"] == "step" && m["stage"] == "tune")
            .map(|m| m["loss"].as_f64().unwrap())
            .collect();
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&losses[..25]), mean(&losses[75..]));
        assert!(last < first, "{name}: {first} to {last}");
        // What was saved is a model like the first.
        let again = [
            "recipe.toml",
            "--set",
            "model=runs/recipe/model",
            "--output",
            "again",
        ];
        stdout(&mut train(place.path(), &again));
        assert!(place.path().join("again/model/model.safetensors").is_file());
    }
}

#[test]
fn a_dry_run_tells_the_plan_and_leaves_nothing() {
    let place = workplace("");
    train(place.path(), &["recipe.toml", "--dry-run"])
        .assert()
        .success()
        .stdout(
            contains("50 of 8 pairs")
                .and(contains("warm-up 10 steps (20 %)"))
                .and(contains("memory")),
        );
    let json = stdout(&mut train(
        place.path(),
        &["recipe.toml", "--dry-run", "--json"],
    ));
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(plan["stages"][1]["steps"], 50);
    assert!(plan["stages"][1]["seconds"].as_f64().unwrap() > 0.0);
    let untimed = ["recipe.toml", "--dry-run", "--json", "--untimed"];
    let plan: serde_json::Value =
        serde_json::from_str(&stdout(&mut train(place.path(), &untimed))).unwrap();
    assert!(plan["stages"][1]["seconds"].is_null());
    assert!(!place.path().join("runs").exists());
}

#[test]
fn a_recipe_may_drop_the_normalisation() {
    let place = workplace("normalize = false");
    train(place.path(), &["recipe.toml"]).assert().success();
    let saved = place.path().join("runs/recipe/model");
    let modules = fs::read_to_string(saved.join("modules.json")).unwrap();
    assert!(!modules.contains("Normalize"), "{modules}");
    let mut encode = gradus();
    encode.arg("encode").arg(&saved).arg("a dog in the park");
    let line: serde_json::Value = serde_json::from_str(&stdout(&mut encode)).unwrap();
    let length: f64 = line["embedding"]
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap().powi(2))
        .sum();
    assert!((length.sqrt() - 1.0).abs() > 0.1, "{length}");
}

#[test]
fn mistakes_are_named_before_any_work() {
    let place = workplace("");
    for (arguments, part) in [
        (
            &["recipe.toml", "--set", "stage.0.learning_rte=1"][..],
            "Did you mean `learning_rate`?",
        ),
        (
            &["recipe.toml", "--set", "stage.1.objective.x0=0.7"],
            "0 <= x0 <= 0.5",
        ),
        (&["recipe.toml", "--set", "stage.1.batch=0"], "`batch` is 0"),
        (&["--resume", "nowhere"], "no run here"),
        (&["recipe.toml", "--resume", "x"], "cannot be used with"),
        (&[], "required"),
    ] {
        train(place.path(), arguments)
            .assert()
            .code(2)
            .stderr(contains(part));
    }
    train(place.path(), &["missing.toml"])
        .assert()
        .code(3)
        .stderr(contains("missing.toml"));
    fs::write(place.path().join("pairs.tsv"), "5\ta\tb\nx\tc\td\n").unwrap();
    train(place.path(), &["recipe.toml"])
        .assert()
        .code(3)
        .stderr(contains("pairs.tsv:2"));
}

#[test]
fn a_value_that_is_not_finite_stops_the_run() {
    let place = workplace("checkpoint_steps = 1");
    let heavy: String = (0..40)
        .map(|i| {
            format!(
                "{}\ta dog\ta cat {i}\t{}\n",
                i % 5,
                if i == 30 { "3e38" } else { "1" }
            )
        })
        .collect();
    fs::write(place.path().join("heavy.tsv"), heavy).unwrap();
    let columns = "stage.1.train.0={path='heavy.tsv',label=0,first=1,second=2,weight=3}";
    train(
        place.path(),
        &[
            "recipe.toml",
            "--set",
            columns,
            "--set",
            "stage.1.objective.k=1e6",
        ],
    )
    .assert()
    .code(1)
    .stderr(
        contains("stage `tune`, step")
            .and(contains("is not finite"))
            .and(contains("last good checkpoint is runs/recipe/checkpoints/")),
    );
}

/// Everything that must be the same bits.
fn bits(run: &Path) -> Vec<Vec<u8>> {
    let mut files = vec![
        "model/model.safetensors",
        "model/regression_head.safetensors",
        "model/README.md",
    ]
    .into_iter()
    .map(|f| fs::read(run.join(f)).unwrap())
    .collect::<Vec<_>>();
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    // Speed is the one thing that may differ.
    files.push(
        metrics
            .lines()
            .map(|l| l.split(",\"pairs_per_second\"").next().unwrap().to_owned() + "\n")
            .collect::<String>()
            .into_bytes(),
    );
    files
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let place = workplace("checkpoint_steps = 1");
    train(
        place.path(),
        &["recipe.toml", "--output", "whole", "--threads", "1"],
    )
    .assert()
    .success();
    let expected = bits(&place.path().join("whole"));
    let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let run = place.path().join("killed");
    let begun = run.join("recipe.toml");
    let begin = words(&["train", "recipe.toml", "--output", "killed"]);
    let resume = words(&["train", "--resume", "killed"]);
    for attempt in 0..3u64 {
        kill_until_done(place.path(), &begin, &resume, &begun, attempt, two_threads);
        assert!(bits(&run) == expected, "{attempt} differs");
        fs::remove_dir_all(&run).unwrap();
    }
    // One kill, at one moment after the other: a checkpoint follows every step, so the writing
    // of checkpoints and models is among them.
    for call in (1..).step_by(11) {
        if kill_at(call, &mut command(place.path(), &begin)).is_some() {
            assert!(call > 100 || cfg!(not(target_os = "linux")), "{call}");
            break;
        }
        let next = if begun.exists() { &resume } else { &begin };
        let ended = command(place.path(), next).status().unwrap();
        assert!(ended.success(), "after a kill at {call}");
        assert!(bits(&run) == expected, "after a kill at {call}");
        fs::remove_dir_all(&run).unwrap();
    }
}

#[test]
fn changed_data_is_noticed_on_resume() {
    let place = workplace("");
    train(place.path(), &["recipe.toml"]).assert().success();
    let pairs = place.path().join("pairs.tsv");
    let text = fs::read_to_string(&pairs).unwrap();
    fs::write(&pairs, text.replacen("the", "a", 1)).unwrap();
    train(place.path(), &["--resume", "runs/recipe"])
        .assert()
        .code(1)
        .stderr(contains("data changed"));
}

#[test]
fn quickstart_goes_from_nothing_to_a_table() {
    let place = tempfile::tempdir().unwrap();
    let mut command = gradus();
    command.current_dir(place.path()).args([
        "quickstart",
        "--embedded",
        "--model",
        &model("bert-small"),
    ]);
    let printed = stdout(&mut command);
    for part in [
        "before",
        "after",
        "predicted grade",
        "gradus score runs/quickstart/model",
    ] {
        assert!(printed.contains(part), "{printed}");
    }
    let mut score = gradus();
    score.current_dir(place.path()).args([
        "score",
        "--format",
        "tsv",
        "runs/quickstart/model",
        "a dog",
        "a dog",
    ]);
    let printed = stdout(&mut score);
    let cosine: f32 = printed.split('\t').nth(3).unwrap().parse().unwrap();
    assert!((cosine - 1.0).abs() < 1e-6, "{printed}");
}

#[test]
fn overlap_with_evaluation_sets_is_said_written_and_filtered() {
    let place = workplace("");
    tiny_data(place.path());
    fs::remove_file(place.path().join("sick/SICK_test_annotated.txt")).unwrap();
    let pairs = place.path().join("pairs.tsv");
    let own = fs::read_to_string(&pairs).unwrap();
    // Three of the four test pairs, one of them in other letters.
    let seen = "2\tThe old woman is walking.\tA man is walking!\n\
                3\ta dog is in the park\tthe dog is in a park\n\
                5\tthe cat is sleeping\tthe cat is sleeping\n";
    fs::write(place.path().join("mixed.tsv"), format!("{own}{seen}")).unwrap();
    let run = |args: &[&str]| {
        let mut all = vec![
            "--data",
            ".",
            "recipe.toml",
            "--set",
            "evaluation.dev.max_pairs=3",
        ];
        all.extend(["--set", "stage.0.train.0.path=mixed.tsv"]);
        all.extend(args);
        train(place.path(), &all)
    };
    let off = "is not under";
    run(&["--set", "exclude_overlap=true"])
        .assert()
        .code(3)
        .stderr(contains("sickr").and(contains(off)));
    run(&[]).assert().success().stderr(
        contains("overlap    the training data holds pairs of STS12 (15 of 20 pairs)")
            .and(contains("STS-B (3 of 4 pairs), pairs.tsv (3 of 3 pairs)"))
            .and(contains(
                "scores on these sets are inflated; not in the data folder: SICK-R",
            )),
    );
    let json = fs::read_to_string(place.path().join("runs/recipe/overlap.json")).unwrap();
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["not_compared"][0], "SICK-R");
    assert_eq!(found["sources"][0]["train"], "head: mixed.tsv");
    let stsb = |source: &serde_json::Value| {
        let sets = source["tests"].as_array().unwrap();
        let stsb = sets.iter().find(|set| set["name"] == "STS-B").unwrap();
        stsb["shared_pairs"].clone()
    };
    assert_eq!(stsb(&found["run"])["exact"]["test"], 2);
    assert_eq!(stsb(&found["run"])["normalised"]["test"], 3);
    assert_eq!(stsb(&found["sources"][1])["normalised"]["test"], 0);
    let card = fs::read_to_string(place.path().join("runs/recipe/model/README.md")).unwrap();
    for part in [
        "Seed 777.",
        "## Overlap with evaluation sets",
        "holds pairs of STS12 (15 of 20 pairs)",
        "Not compared, as not in the data folder: SICK-R.",
        "| STS-B | 4 | 2 | 3 |",
    ] {
        assert!(card.contains(part), "{part} not in: {card}");
    }
    // Whoever scores the model is told as well.
    let mut eval = gradus();
    eval.current_dir(place.path());
    eval.args([
        "eval",
        "runs/recipe/model",
        "--only-pairs",
        "--pairs",
        "pairs.tsv",
    ]);
    let table = stdout(&mut eval);
    for part in [
        "note: runs/recipe/model: trained with seed 777, chosen by the Spearman correlation of the cosines on pairs.tsv",
        "STS-B (3 of 4 pairs), pairs.tsv (3 of 3 pairs): scores on these sets are inflated",
    ] {
        assert!(table.contains(part), "{part} not in: {table}");
    }
    let mut info = gradus();
    info.current_dir(place.path())
        .args(["info", "runs/recipe/model"]);
    let told = stdout(&mut info);
    assert!(
        told.contains("training         trained with seed 777"),
        "{told}"
    );

    tiny_data(place.path());
    let args = ["--set", "exclude_overlap=true", "--output", "clean"];
    run(&args)
        .assert()
        .success()
        .stderr(contains("holds no pair of STS12, STS13").and(contains("SICK-R, pairs.tsv")));
    let card = fs::read_to_string(place.path().join("clean/model/README.md")).unwrap();
    assert!(card.contains("without the pairs of these sets. The training data holds no pair"));
    // A model remembers the runs that it comes from.
    let base = "model=clean/model";
    let args = [
        "--set",
        base,
        "--set",
        "exclude_overlap=true",
        "--output",
        "third",
    ];
    run(&args).assert().success();
    let mut eval = gradus();
    eval.current_dir(place.path());
    eval.args([
        "eval",
        "third/model",
        "--only-pairs",
        "--pairs",
        "pairs.tsv",
    ]);
    assert!(stdout(&mut eval).contains("before that, from "));
}
