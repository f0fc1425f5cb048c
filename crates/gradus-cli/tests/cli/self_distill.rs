//! `gradus self-distill` and `gradus label` as they are typed.

use crate::kills::{kill_until_done, two_threads};
use crate::support::{cross_encoder, gradus, model, stdout};
use serde_json::Value;
use std::fs;
use std::path::Path;

const PAIRS: &str = "a dog in the park\ta cat in the park\none bird\ttwo birds sing\n\
    the old man reads\tan old woman reads a book\nhello world\tgood food\n\
    a man plays a guitar\tthe man is playing\nred house\tblue house by the river\n";

fn recipe(folder: &Path) -> String {
    let text = format!(
        "task = \"self-distillation\"\ncycles = 1\ncheckpoint_steps = 2\n\
         evaluation = {{ dev = {{ path = \"dev.tsv\" }} }}\n\
         [[model]]\nbi_encoder = '{}'\n[pairs]\nsources = [{{ path = \"pairs.tsv\" }}]\n\
         [cross_encoder]\nsteps = 12\nbatch = 4\n[bi_encoder]\nsteps = 12\nbatch = 4\n",
        model("bert-small")
    );
    fs::write(folder.join("recipe.toml"), text).unwrap();
    fs::write(folder.join("pairs.tsv"), PAIRS).unwrap();
    let dev: String = PAIRS
        .lines()
        .enumerate()
        .map(|(i, line)| format!("{i}\t{line}\n"))
        .collect();
    fs::write(folder.join("dev.tsv"), dev).unwrap();
    folder.join("recipe.toml").to_str().unwrap().to_owned()
}

#[test]
fn both_forms_come_out_and_a_killed_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (whole, killed) = (path("whole"), path("killed"));
    let args = ["self-distill", &recipe, "--no-tests", "--precision", "f32"];
    let plan = stdout(gradus().args(args).arg("--dry-run"));
    assert!(plan.contains("pairs          6"), "{plan}");
    let table = stdout(gradus().args(args).args(["--output", &whole]));
    assert!(table.contains("cycle 1, cross-encoder"), "{table}");
    let all = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let begin = all(&[&args[..], &["--output", &killed]].concat());
    let resume = all(&[
        "self-distill",
        "--resume",
        &killed,
        "--no-tests",
        "--precision",
        "f32",
    ]);
    let begun = Path::new(&killed).join("self-distillation.toml");
    kill_until_done(folder.path(), &begin, &resume, &begun, 1, two_threads);
    for form in ["bi-encoder", "cross-encoder"] {
        let weights =
            |root: &str| fs::read(Path::new(root).join(form).join("model.safetensors")).unwrap();
        assert!(weights(&whole) == weights(&killed), "{form}");
        let from = format!("{whole}/{form}");
        let json = stdout(gradus().args(["score", &from, "a dog", "a cat", "--format", "json"]));
        let score: Value = serde_json::from_str(&json).unwrap();
        assert!(score["recommended"].is_number());
    }
}

#[test]
fn pairs_are_labelled_and_refusals_name_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (pairs, silver) = (path("pairs.tsv"), path("silver.tsv"));
    fs::write(&pairs, PAIRS).unwrap();
    let cross = cross_encoder("bert");
    let args = ["label", &pairs, "--teacher", &cross, "--output", &silver];
    let said = stdout(gradus().args(args));
    assert!(said.contains("6 pairs, scores from"), "{said}");
    let text = fs::read_to_string(&silver).unwrap();
    assert!(text.starts_with("sentence1\tsentence2\tscore\n"), "{text}");
    assert_eq!(text.lines().count(), 7);
    let fails = |args: &[&str], part: &str| {
        let done = gradus().args(args).assert().failure();
        let error = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        assert!(error.contains(part), "{part}: {error}");
    };
    fails(&args, "--overwrite");
    let other = path("silver.xlsx");
    fails(
        &["label", &pairs, "--teacher", &cross, "--output", &other],
        ".jsonl",
    );
    let texts = path("texts.txt");
    fs::write(&texts, "a dog\na cat\ntwo birds\n").unwrap();
    let made = path("made.jsonl");
    let corpus = [
        "label",
        "--corpus",
        &texts,
        "--teacher",
        &cross,
        "--output",
        &made,
    ];
    fails(&corpus, "--by");
    let by = model("bert-small");
    stdout(gradus().args(corpus).args(["--by", &by, "--ranks", "1"]));
    assert!(fs::read_to_string(&made).unwrap().lines().count() >= 2);
}
