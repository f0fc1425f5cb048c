//! Self distillation, and kills in each of its phases.

use crate::common::{copy_of, fixture};
use crate::{Heard, environment};
use gradus::jobs::TestSets;
use gradus::jobs::self_distill::{SelfDistillTable, SelfDistillation};
use gradus::jobs::train::{self, TrainSettings};
use gradus::models::{CrossEncoder, ModelFolder, SentenceEncoder};
use gradus::training::{Silent, TrainingObserver};
use gradus_kernels::cpu::Cpu;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn workplace(models: usize, pairs: &str) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let mut text = String::from(
        "task = 'self-distillation'\ncycles = 2\nseed = 5\ncheckpoint_steps = 2\n\
         evaluation = { dev = { path = 'dev.tsv' }, every = 4 }\n",
    );
    for (model, name) in ["bert-small", "distilbert-small"][..models]
        .iter()
        .enumerate()
    {
        let copy = copy_of(name);
        let target = place.path().join(format!("model-{model}"));
        std::fs::rename(copy.path(), target).unwrap();
        text += &format!("[[model]]\nbi_encoder = 'model-{model}'\n");
    }
    text += &format!(
        "[pairs]\n{pairs}\n[cross_encoder]\nsteps = 5\nbatch = 8\nlearning_rate = 1e-3\n\
         [bi_encoder]\nsteps = 6\nbatch = 8\nlearning_rate = 1e-3\n"
    );
    std::fs::write(place.path().join("recipe.toml"), text).unwrap();
    let stored = std::fs::read_to_string(fixture("training/pairs.tsv")).unwrap();
    let (train, dev): (Vec<_>, Vec<_>) = stored.lines().enumerate().partition(|(i, _)| i % 4 > 0);
    let bare = |line: &str| line.split_once('\t').unwrap().1.to_owned();
    let train: Vec<String> = train.iter().map(|(_, line)| bare(line)).collect();
    let dev: Vec<&str> = dev.iter().map(|(_, line)| *line).collect();
    std::fs::write(place.path().join("dev.tsv"), dev.join("\n") + "\n").unwrap();
    std::fs::write(place.path().join("pairs.tsv"), train.join("\n") + "\n").unwrap();
    let texts: Vec<&str> = train.iter().flat_map(|line| line.split('\t')).collect();
    std::fs::write(place.path().join("texts.txt"), texts.join("\n") + "\n").unwrap();
    place
}

const PAIRS: &str = "sources = [{ path = 'pairs.tsv' }]";

fn run(
    place: &Path,
    name: &str,
    observer: &mut dyn TrainingObserver,
) -> gradus::Result<SelfDistillTable> {
    let root = Some(place.join(name));
    let recipe = place.join("recipe.toml");
    let (environment, tests) = (environment(), TestSets::None);
    SelfDistillation::prepare(&recipe, &[], root, tests, &environment, observer)?
        .run(false, observer)
}

/// The weights and labels of a run, by their places in its folder.
fn made(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(root: &Path, at: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                walk(root, &path, found);
            } else if [".safetensors", ".jsonl"]
                .iter()
                .any(|end| name.ends_with(end))
                && name != "metrics.jsonl"
            {
                let relative = path.strip_prefix(root).unwrap().to_path_buf();
                found.insert(relative, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

#[test]
fn both_forms_learn_from_each_other_and_the_best_are_kept() {
    let place = workplace(1, PAIRS);
    let table = run(place.path(), "run", &mut Silent).unwrap();
    let root = place.path().join("run");
    // Before training, then two cycles of each form.
    assert_eq!(table.rows.len(), 5);
    for form in ["bi-encoder", "cross-encoder"] {
        let own: Vec<_> = table
            .rows
            .iter()
            .filter(|r| r.form == form && r.cycle > 0)
            .collect();
        let best: Vec<_> = own.iter().filter(|row| row.best).collect();
        assert_eq!((own.len(), best.len()), (2, 1));
        assert!(own.iter().all(|row| row.dev <= best[0].dev));
        let weights = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
        assert!(weights(&root.join(form)) == weights(Path::new(&best[0].model)));
    }
    SentenceEncoder::load(root.join("bi-encoder"), Cpu::new(1)).unwrap();
    CrossEncoder::load(root.join("cross-encoder"), Cpu::new(1)).unwrap();
    assert!(ModelFolder::is_cross_encoder(&root.join("cross-encoder")).unwrap());
    // Labels are those of the form before: cosines, then scores in (0, 1).
    let labels = |name: &str| -> Vec<f64> {
        let text = std::fs::read_to_string(root.join("pairs").join(name)).unwrap();
        let rows = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        rows.map(|row| row["score"].as_f64().unwrap()).collect()
    };
    let cosines = labels("cycle-1-for-cross-encoders.jsonl");
    let scores = labels("cycle-1-for-bi-encoders.jsonl");
    assert_eq!(cosines.len(), scores.len());
    assert!(scores.iter().all(|score| (0.0..1.0).contains(score)));
    assert_ne!(cosines, labels("cycle-2-for-cross-encoders.jsonl"));
    assert!(root.join("table.md").is_file());
    // A second call finds all finished and changes nothing.
    let before = made(&root);
    assert_eq!(run(place.path(), "run", &mut Silent).unwrap(), table);
    assert!(before == made(&root));
}

#[test]
fn a_run_stopped_in_any_phase_goes_on_to_the_same_bits() {
    let place = workplace(2, PAIRS);
    run(place.path(), "whole", &mut Silent).unwrap();
    let mut stops = 0;
    // Steps of two cycles of two forms of two models: 2 * (5 + 6) * 2.
    for stop in [0, 3, 5, 7, 10, 13, 21, 24, 30, 43] {
        let mut observer = Heard {
            stop_at_step: Some(stop),
            ..Heard::default()
        };
        match run(place.path(), "stopped", &mut observer) {
            Err(error) => {
                assert!(error.to_string().contains("stopped"), "{error}");
                stops += 1;
            }
            Ok(_) => break,
        }
    }
    assert!(stops >= 6, "{stops}");
    let root = place.path().join("stopped");
    let job = SelfDistillation::resume(&root, TestSets::None, &environment(), &mut Silent);
    job.unwrap().run(false, &mut Silent).unwrap();
    assert!(made(&place.path().join("whole")) == made(&root));
}

#[test]
fn pairs_are_made_from_texts_and_what_is_wrong_is_named() {
    let corpus = "corpus = [{ path = 'texts.txt' }]\nranks = [1, 3]\nrandom = 1\nmost = 60";
    let place = workplace(1, corpus);
    let recipe = place.path().join("recipe.toml");
    let prepare = |set: &[&str]| {
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        let root = Some(place.path().join("made"));
        let environment = environment();
        SelfDistillation::prepare(
            &recipe,
            &set,
            root,
            TestSets::None,
            &environment,
            &mut Silent,
        )
    };
    let plan = prepare(&[]).unwrap().plan(&mut Silent).unwrap().join("\n");
    assert!(plan.contains("pairs          60"), "{plan}");
    for (set, part) in [
        ("cycles=0", "`cycles` is 0"),
        ("pairs.ranks=[0]", "count from 1"),
        ("pairs.sources=[{path=\"pairs.tsv\"}]", "give one of them"),
        ("cross_encoder.batch=0", "`batch` is 0"),
        ("task=similarity", "expected `self-distillation`"),
        ("cycle=2", "Did you mean `cycles`?"),
    ] {
        let error = prepare(&[set]).err().unwrap();
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[test]
fn a_stage_follows_a_cross_encoder_and_goes_on_to_the_same_bits() {
    let place = workplace(1, PAIRS);
    let cross_encoder = fixture("cross_encoders").join("bert");
    let train = |name: &str, with: bool, threads: usize, stop: Option<u64>| {
        let term = match with {
            true => format!(
                "self_distillation = {{ cross_encoder = '{}', candidates = 3, loss = 'list_mle' }}\n",
                cross_encoder.display()
            ),
            false => String::new(),
        };
        let text = format!(
            "model = 'model-0'\nseed = 2\ncheckpoint_steps = 3\n[[stage]]\nname = 'one'\n\
             objective = {{ loss = 'info_nce' }}\nalso = [{{ loss = 'consistency' }}]\n\
             projection = 'mlp'\ntrain = [{{ path = 'texts.txt', rows = 'texts' }}]\n\
             steps = 8\nbatch = 6\naccumulate = 2\nlearning_rate = 1e-3\n{term}"
        );
        let recipe = place.path().join("stage.toml");
        std::fs::write(&recipe, text).unwrap();
        let settings = TrainSettings {
            output: Some(place.path().join(name)),
            ..TrainSettings::new(recipe)
        };
        let mut environment = environment();
        environment.threads = threads;
        let mut observer = Heard {
            stop_at_step: stop,
            ..Heard::default()
        };
        let done = train::train(&settings, &environment, &mut observer);
        if stop.is_some() {
            assert!(done.is_err());
            train::resume(&place.path().join(name), &environment, &mut Silent).unwrap();
        } else {
            done.unwrap();
        }
        let model = place.path().join(name).join("model/model.safetensors");
        std::fs::read(model).unwrap()
    };
    let whole = train("whole", true, 2, None);
    assert!(whole == train("others", true, 1, None));
    assert!(whole == train("stopped", true, 3, Some(5)));
    assert!(whole != train("without", false, 2, None));
    let metrics = std::fs::read_to_string(place.path().join("whole/metrics.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert!(line["self_distillation"].as_f64().unwrap() > 0.0, "{line}");
}
