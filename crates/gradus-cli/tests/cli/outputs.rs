//! Nothing is overwritten or lost that the command did not write.

use crate::support::{gradus, model, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder with pairs, texts, a recipe, and a base model of the user's in
/// `model/`, with notes beside the weights.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let pairs = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gradus/tests/fixtures/training/pairs.tsv"
    );
    let text = fs::read_to_string(pairs).unwrap();
    let lines = text.lines().map(|line| line.split('\t').nth(1).unwrap());
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    fs::write(place.path().join("lines.txt"), lines).unwrap();
    fs::write(place.path().join("pairs.tsv"), &text).unwrap();
    fs::write(place.path().join("dev.tsv"), text).unwrap();
    copy_model(&place.path().join("model"));
    fs::write(place.path().join("model/NOTES.md"), "mine").unwrap();
    let recipe = "model = 'model'\ncheckpoint_steps = 1\n\
         [evaluation]\ndev = { path = 'dev.tsv', max_pairs = 50 }\nevery = 3\n\
         [[stage]]\nname = 'tune'\nobjective = { loss = 'mse', form = 'cosine' }\n\
         train = [{ path = 'pairs.tsv' }]\nsteps = 6\nbatch = 4\nlearning_rate = 1e-3\n";
    fs::write(place.path().join("tune.toml"), recipe).unwrap();
    place
}

fn copy_model(to: &Path) {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let to = to.join(path.file_name().unwrap());
            match path.is_dir() {
                true => copy(&path, &to),
                false => fs::write(&to, fs::read(&path).unwrap()).unwrap(),
            }
        }
    }
    copy(Path::new(&model("bert-small")), to);
}

fn run(place: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command
        .current_dir(place)
        .env("XDG_CACHE_HOME", place.join("cache"))
        .args(arguments);
    command
}

/// Every file below a folder, by its content.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let content = fs::read(&path).unwrap();
                    found.insert(path, content);
                }
            }
        }
    }
    found
}

/// The command fails, says `part`, and leaves all as it was.
fn refuses(place: &Path, arguments: &[&str], part: &str) {
    let before = files(place);
    let assert = run(place, arguments).assert().code(2);
    let told = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(told.contains(part), "{arguments:?}: {told}");
    let after = files(place);
    let changed: Vec<_> = after
        .keys()
        .filter(|path| before.get(*path) != after.get(*path))
        .collect();
    assert!(
        before.len() == after.len() && changed.is_empty(),
        "{arguments:?}: {changed:?}"
    );
}

#[test]
fn a_folder_of_the_users_is_no_place_for_a_run() {
    let place = workplace();
    fs::create_dir(place.path().join("notes")).unwrap();
    fs::write(place.path().join("notes/a.txt"), "mine").unwrap();
    let short = ["--steps", "2"];
    for (arguments, part) in [
        (
            &["train", "tune.toml", "--output", "."][..],
            "holds the recipe",
        ),
        (&["train", "tune.toml", "--output", "model"], "is the model"),
        (
            &["train", "tune.toml", "--output", "notes/../model/"],
            "is the model",
        ),
        (
            &["train", "tune.toml", "--output", "model/runs/a"],
            "lies in the model",
        ),
        (
            &["train", "tune.toml", "--output", "notes"],
            "no run of Gradus made it (a.txt)",
        ),
        (
            &["train", "tune.toml", "--output", "notes", "--overwrite"],
            "no run of Gradus",
        ),
        (
            &["train", "tune.toml", "--output", "dev.tsv"],
            "is the dev set",
        ),
        (
            &["train", "tune.toml", "--output", "lines.txt"],
            "is a file",
        ),
        (
            &["train", "tune.toml", "--output", "lines.txt/deeper"],
            "is a file",
        ),
        (&["sweep", "tune.toml", "--output", "."], "holds the recipe"),
        (&["sweep", "tune.toml", "--output", "notes"], "a.txt"),
        (
            &["sweep", "tune.toml", "--output", "model/sweep"],
            "lies in the model",
        ),
        (
            &[
                "quickstart",
                "--embedded",
                "--model",
                "model",
                "--output",
                ".",
            ],
            "holds the model",
        ),
        (
            &[
                "quickstart",
                "--embedded",
                "--model",
                "model",
                "--output",
                "notes",
            ],
            "a.txt",
        ),
    ] {
        refuses(place.path(), arguments, part);
    }
    for (arguments, part) in [
        (
            &["pretrain", "lines.txt", "--from", "model", "--output", "."][..],
            "holds the model",
        ),
        (
            &[
                "pretrain",
                "lines.txt",
                "--from",
                "model",
                "--output",
                "model",
            ],
            "is the model",
        ),
        (
            &["pretrain", "lines.txt", "--output", "."],
            "holds a text file",
        ),
        (&["pretrain", "lines.txt", "--output", "notes"], "a.txt"),
        (
            &["distill", "model", "lines.txt", "--output", "."],
            "holds the teacher",
        ),
        (
            &["distill", "model", "lines.txt", "--output", "model/small"],
            "lies in the teacher",
        ),
        (
            &["distill", "model", "lines.txt", "--output", "notes"],
            "a.txt",
        ),
    ] {
        refuses(place.path(), &[arguments, &short[..]].concat(), part);
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("model", place.path().join("link")).unwrap();
        refuses(
            place.path(),
            &["train", "tune.toml", "--output", "link"],
            "is the model",
        );
    }
}

#[test]
fn every_remedy_works_as_printed() {
    let place = workplace();
    run(place.path(), &["train", "tune.toml", "--output", "run"])
        .assert()
        .success();
    let weights = || fs::read(place.path().join("run/model/model.safetensors")).unwrap();
    let first = weights();
    refuses(
        place.path(),
        &["train", "tune.toml", "--output", "run"],
        "To go on with it: `gradus train --resume run`; to begin it anew: add `--overwrite`; \
         to let it be: add `--output run-2`",
    );
    run(place.path(), &["train", "--resume", "run"])
        .assert()
        .success();
    // What somebody put there stays.
    fs::write(place.path().join("run/diary.md"), "mine").unwrap();
    fs::write(place.path().join("run/model/NOTES.md"), "mine").unwrap();
    fs::write(
        place
            .path()
            .join("run/tensorboard/events.out.tfevents.1.mine"),
        "x",
    )
    .unwrap();
    let other = [
        "train",
        "tune.toml",
        "--output",
        "run",
        "--overwrite",
        "--set",
        "seed=5",
    ];
    run(place.path(), &other)
        .assert()
        .success()
        .stderr(contains("diary.md"));
    assert!(weights() != first);
    let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
    assert!(read("run/recipe.toml").contains("seed = 5"));
    for kept in ["run/diary.md", "run/model/NOTES.md"] {
        assert_eq!(read(kept), "mine");
    }
    assert_eq!(read("run/tensorboard/events.out.tfevents.1.mine"), "x");
    run(place.path(), &["train", "tune.toml", "--output", "run-2"])
        .assert()
        .success();
    refuses(
        place.path(),
        &["train", "tune.toml", "--output", "run"],
        "--output run-3`",
    );
    // The model of a run is an input like others.
    let from = [
        "train",
        "tune.toml",
        "--set",
        "model=run/model",
        "--overwrite",
        "--output",
        "run",
    ];
    refuses(place.path(), &from, "holds the model");
    // A run does not begin within another.
    refuses(
        place.path(),
        &["train", "tune.toml", "--output", "run/inner"],
        "belongs to another run",
    );
}

#[test]
fn each_command_goes_on_with_its_own_runs() {
    let place = workplace();
    run(place.path(), &["train", "tune.toml", "--output", "run"])
        .assert()
        .success();
    refuses(
        place.path(),
        &["pretrain", "--resume", "run"],
        "`gradus train --resume run` goes on",
    );
    for overwrite in [&[][..], &["--overwrite"]] {
        let arguments = [
            "pretrain",
            "lines.txt",
            "--from",
            "model",
            "--output",
            "run",
        ];
        let arguments = [&arguments[..], overwrite].concat();
        refuses(
            place.path(),
            &arguments,
            "belongs to another run, one of `gradus train`",
        );
        let arguments = [
            &["distill", "model", "lines.txt", "--output", "run"],
            overwrite,
        ]
        .concat();
        refuses(
            place.path(),
            &arguments,
            "belongs to another run, one of `gradus train`",
        );
        let arguments = [&["sweep", "tune.toml", "--output", "run"], overwrite].concat();
        refuses(
            place.path(),
            &arguments,
            "belongs to another run, one of `gradus train`",
        );
    }
}

#[test]
fn a_model_that_the_run_did_not_write_is_not_replaced() {
    let place = workplace();
    run(place.path(), &["train", "tune.toml", "--output", "run"])
        .assert()
        .success();
    let own = place.path().join("run/model");
    fs::rename(&own, place.path().join("elsewhere")).unwrap();
    copy_model(&own);
    refuses(
        place.path(),
        &["train", "--resume", "run"],
        "was not written by this run",
    );
    fs::remove_dir_all(&own).unwrap();
    // That of another run neither.
    run(place.path(), &["train", "tune.toml", "--output", "other"])
        .assert()
        .success();
    fs::rename(place.path().join("other/model"), &own).unwrap();
    refuses(
        place.path(),
        &["train", "--resume", "run"],
        "was not written by this run",
    );
}

#[test]
fn files_that_a_user_changed_in_a_model_are_set_aside() {
    let place = workplace();
    run(
        place.path(),
        &[
            "pretrain",
            "lines.txt",
            "--from",
            "model",
            "--steps",
            "2",
            "--output",
            "run",
        ],
    )
    .assert()
    .success();
    let at = |name: &str| place.path().join("run/model").join(name);
    fs::write(at("NOTES.md"), "mine").unwrap();
    fs::write(at("README.md"), "my own card").unwrap();
    // A run that has ended writes its model once more.
    let resume = ["pretrain", "--resume", "run"];
    run(place.path(), &resume)
        .assert()
        .success()
        .stderr(contains("README.md.changed-1"));
    assert_eq!(fs::read_to_string(at("NOTES.md")).unwrap(), "mine");
    assert_eq!(
        fs::read_to_string(at("README.md.changed-1")).unwrap(),
        "my own card"
    );
    assert!(
        fs::read_to_string(at("README.md"))
            .unwrap()
            .contains("2 steps")
    );
}

#[test]
fn runs_of_earlier_versions_go_on() {
    let place = workplace();
    run(place.path(), &["train", "tune.toml", "--output", "run"])
        .assert()
        .success();
    for hidden in [".gradus-run.json", "model/.gradus-files"] {
        fs::remove_file(place.path().join("run").join(hidden)).unwrap();
    }
    refuses(
        place.path(),
        &["train", "tune.toml", "--output", "run"],
        "holds a run already",
    );
    run(place.path(), &["train", "--resume", "run"])
        .assert()
        .success();
    assert!(place.path().join("run/.gradus-run.json").is_file());
    run(
        place.path(),
        &["train", "tune.toml", "--output", "run", "--overwrite"],
    )
    .assert()
    .success();
}

#[test]
fn output_files_replace_nothing_unasked() {
    let place = workplace();
    fs::write(place.path().join("mine.txt"), "mine").unwrap();
    fs::write(place.path().join("empty.txt"), "").unwrap();
    let encode = ["encode", "model", "--input", "lines.txt", "--output"];
    let eval = [
        "eval",
        "model",
        "--only-pairs",
        "--pairs",
        "pairs.tsv",
        "--output",
    ];
    let bench = [
        "bench",
        "model",
        "--text",
        "lines.txt",
        "--repeat",
        "1",
        "--output",
    ];
    let clean = ["data", "overlap", "pairs.tsv", "dev.tsv", "--write-clean"];
    for command in [&encode[..], &eval, &bench, &clean] {
        let with = |more: &[&'static str]| [command, more].concat();
        refuses(
            place.path(),
            &with(&["mine.txt"]),
            "add `--overwrite` to replace it",
        );
        run(place.path(), &with(&["empty.txt"])).assert().success();
        run(place.path(), &with(&["mine.txt", "--overwrite"]))
            .assert()
            .success();
        assert!(fs::read_to_string(place.path().join("mine.txt")).unwrap() != "mine");
        fs::write(place.path().join("mine.txt"), "mine").unwrap();
        fs::write(place.path().join("empty.txt"), "").unwrap();
        run(place.path(), &with(&["/dev/null"])).assert().success();
    }
    let overwriting = |command: &[&'static str], file: &'static str, part: &str| {
        let arguments = [command, &[file, "--overwrite"]].concat();
        refuses(place.path(), &arguments, part);
    };
    overwriting(&encode, "lines.txt", "is the input");
    overwriting(&encode, "model/config.json", "lies in the model");
    overwriting(&encode, "model/NOTES.md", "lies in the model");
    overwriting(&encode, "model/vocab.txt", "lies in the model");
    // New, and no file that a model has.
    run(place.path(), &[&encode[..], &["model/new.jsonl"]].concat())
        .assert()
        .success();
    overwriting(&eval, "./model/../pairs.tsv", "is a file of pairs");
    overwriting(&bench, "lines.txt", "is the text");
    overwriting(&clean, "pairs.tsv", "is the training set");
    overwriting(&clean, "dev.tsv", "is a test set");
}

#[test]
fn reports_replace_their_own_pages_only() {
    let place = workplace();
    run(place.path(), &["train", "tune.toml", "--output", "run"])
        .assert()
        .success();
    let report = ["report", "run", "--tasks", "none"];
    for _ in 0..2 {
        run(place.path(), &report).assert().success();
    }
    fs::write(place.path().join("run/report.html"), "mine").unwrap();
    refuses(place.path(), &report, "exists already");
    for file in ["run/metrics.jsonl", "run/model/config.json"] {
        let arguments = [&report[..], &["--output", file, "--overwrite"]].concat();
        refuses(place.path(), &arguments, "is a file of the run");
    }
    let anew = [&report[..], &["--overwrite"]].concat();
    run(place.path(), &anew).assert().success();
    fs::write(place.path().join("page.html"), "mine").unwrap();
    let page = [&report[..], &["--output", "page.html", "--overwrite"]].concat();
    run(place.path(), &page).assert().success();
}

#[test]
fn a_calibration_replaces_calibrations_only() {
    let place = workplace();
    let calibrate = ["calibrate", "model", "pairs.tsv"];
    let path = place.path().join("model/calibration.json");
    fs::write(&path, "{\"mine\": 1}").unwrap();
    refuses(place.path(), &calibrate, "add `--overwrite` to replace it");
    run(place.path(), &[&calibrate[..], &["--overwrite"]].concat())
        .assert()
        .success();
    run(place.path(), &calibrate)
        .assert()
        .success()
        .stderr(contains("replaced"));
    refuses(
        place.path(),
        &[&calibrate[..], &["--output", "model/inner"]].concat(),
        "lies in the model",
    );
    assert_eq!(
        fs::read_to_string(place.path().join("model/NOTES.md")).unwrap(),
        "mine"
    );
}

#[test]
fn a_resume_with_other_inputs_is_refused() {
    let place = workplace();
    copy_model(&place.path().join("teacher"));
    let set = "stage.0.also=[{loss='embedding_mse'}]";
    let teachers = "stage.0.teachers=[{model='teacher'}]";
    let train = [
        "train",
        "tune.toml",
        "--output",
        "run",
        "--set",
        set,
        "--set",
        teachers,
    ];
    run(place.path(), &train).assert().success();
    let resume = ["train", "--resume", "run"];
    run(place.path(), &resume).assert().success();
    for (file, part) in [
        (
            "dev.tsv",
            "the dev set dev.tsv changed since this run began",
        ),
        ("teacher/tokenizer_config.json", "the model teacher changed"),
        ("model/config.json", "the model that it began with changed"),
    ] {
        let path = place.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        let changed = match file {
            "dev.tsv" => text.replacen("the", "a", 1),
            _ => format!("{text} "),
        };
        fs::write(&path, changed).unwrap();
        run(place.path(), &resume)
            .assert()
            .code(1)
            .stderr(contains(part));
        fs::write(&path, text).unwrap();
    }
    // A calibration says nothing about vectors.
    run(place.path(), &["calibrate", "model", "pairs.tsv"])
        .assert()
        .success();
    run(place.path(), &resume).assert().success();
}

#[test]
fn a_sweep_is_resumed_or_begun_anew() {
    let place = workplace();
    let sweep = [
        "sweep",
        "tune.toml",
        "--no-tests",
        "--seeds",
        "1,2",
        "--set",
        "stage.0.steps=3",
    ];
    let table = stdout(&mut run(place.path(), &sweep));
    let resume = ["sweep", "--resume", "sweeps/tune"];
    assert_eq!(stdout(&mut run(place.path(), &resume)), table);
    let changed = [&sweep[..], &["--set", "stage.0.steps=4"]].concat();
    run(place.path(), &changed).assert().code(2).stderr(
        contains("sweeps/tune: holds a run of another recipe already")
            .and(contains("`gradus sweep --resume sweeps/tune`"))
            .and(contains("--output sweeps/tune-2`")),
    );
    let anew = [&changed[..], &["--overwrite"]].concat();
    run(place.path(), &anew).assert().success();
    run(place.path(), &resume).assert().success();
    // Runs that ended are not compared with such on another dev set.
    let dev = place.path().join("dev.tsv");
    let text = fs::read_to_string(&dev).unwrap();
    fs::write(&dev, text.replacen("the", "a", 1)).unwrap();
    run(place.path(), &resume)
        .assert()
        .code(1)
        .stderr(contains("dev.tsv changed"));
}

#[test]
fn a_distillation_keeps_its_options() {
    let place = workplace();
    let distill = [
        "distill",
        "model",
        "lines.txt",
        "--layers",
        "1",
        "--steps",
        "3",
        "--batch",
        "8",
        "--no-tests",
        "--output",
        "small",
    ];
    run(place.path(), &distill).assert().success();
    let resume = ["distill", "--resume", "small"];
    let assert = run(place.path(), &resume).assert().success();
    let told = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(!told.contains("no test scores"), "{told}");
    for option in [
        ["--seed", "3"],
        ["--batch", "8"],
        ["--objective", "rank"],
        ["--columns", "1,2"],
    ] {
        let arguments = [&resume[..], &option].concat();
        run(place.path(), &arguments)
            .assert()
            .code(2)
            .stderr(contains("cannot be used with"));
    }
    let card = fs::read_to_string(place.path().join("small/layers-0/model/README.md")).unwrap();
    assert!(
        card.contains("# layers-0, a student of model, trained with Gradus"),
        "{card}"
    );
    assert!(card.contains("It learned from the vectors of "), "{card}");
    // A calibration of the user's is not taken away.
    run(
        place.path(),
        &["calibrate", "small/layers-0/model", "pairs.tsv"],
    )
    .assert()
    .success();
    run(place.path(), &distill).assert().success();
    assert!(
        place
            .path()
            .join("small/layers-0/model/calibration.json")
            .is_file()
    );
    let other = [&distill[..], &["--seed", "9"]].concat();
    run(place.path(), &other)
        .assert()
        .code(2)
        .stderr(contains("holds a run of other settings already").and(contains("--overwrite")));
    run(place.path(), &[&other[..], &["--overwrite"]].concat())
        .assert()
        .success();
    let settings = fs::read_to_string(place.path().join("small/distill.toml")).unwrap();
    assert!(settings.contains("seed = 9"), "{settings}");
}

#[test]
fn quickstart_is_resumed_or_begun_anew() {
    let place = workplace();
    let quickstart = ["quickstart", "--embedded", "--model", "model"];
    let first = stdout(&mut run(place.path(), &quickstart));
    refuses(
        place.path(),
        &quickstart,
        "`gradus quickstart --resume runs/quickstart`",
    );
    let resume = ["quickstart", "--resume", "runs/quickstart"];
    assert_eq!(stdout(&mut run(place.path(), &resume)), first);
    let anew = [&quickstart[..], &["--overwrite"]].concat();
    assert_eq!(stdout(&mut run(place.path(), &anew)), first);
}

#[test]
#[cfg(unix)]
fn what_is_saved_is_readable_as_the_umask_says() {
    use std::os::unix::fs::PermissionsExt;
    let place = workplace();
    // What is copied from a private model is no more private than what is new.
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(place.path().join("model/tokenizer.json"), private).unwrap();
    run(place.path(), &["train", "tune.toml", "--output", "run"])
        .assert()
        .success();
    let distill = [
        "distill",
        "model",
        "lines.txt",
        "--steps",
        "2",
        "--output",
        "small",
    ];
    run(place.path(), &distill).assert().success();
    let new = place.path().join("new");
    fs::write(&new, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let expected = mode(&new);
    for root in ["run", "small", "cache"] {
        let written = files(&place.path().join(root));
        assert!(!written.is_empty());
        for path in written.keys() {
            assert_eq!(mode(path), expected, "{}", path.display());
        }
    }
}
