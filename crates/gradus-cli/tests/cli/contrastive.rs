//! `gradus train` without grades: contrastive objectives, ranking distillation.

use crate::support::{gradus, model, stdout};
use gradus::models::SentenceEncoder;
use gradus_kernels::cpu::Cpu;
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
    assert_eq!(
        told.matches(": encoding 160 texts once").count(),
        2,
        "{told}"
    );
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
            "Did you mean `loss = \"info_nce\"`?",
        ),
        (
            format!("{INFO_NCE}train = [{{ path = 'texts.txt', max_pairs = 1 }}]\n"),
            "it needs at least 2, and there is 1 example",
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

const TEMPLATES: [&str; 2] = [
    "--set=template=the book \"{}\" is [MASK].",
    "--set=stage.0.second_template=the text : \"{}\" is [MASK].",
];

#[test]
fn two_templates_make_two_views() {
    let place = workplace();
    let stage = format!("{INFO_NCE}denoise = true\ntrain = [{{ path = 'texts.txt' }}]\n");
    recipe(place.path(), "prompt.toml", &stage);
    let run = |output: &str, more: &[&str]| {
        let own = ["prompt.toml", "--output", output];
        let arguments = [&own[..], &TEMPLATES[..], more].concat();
        stdout(&mut train(place.path(), &arguments));
        losses(place.path(), output)
    };
    let f32 = "--precision=f32";
    let whole = run("whole", &[f32, "--threads=2"]);
    assert_eq!(run("again", &[f32, "--threads=1"]), whole);
    // Cut into chunks, a batch has the same losses but for rounding, which
    // grows with the steps.
    let chunked = run("chunked", &[f32, "--set=stage.0.chunk_tokens=40"]);
    for (a, b) in whole.iter().zip(&chunked).take(4) {
        assert!((a - b).abs() <= 1e-3, "{whole:?} {chunked:?}");
    }
    assert_ne!(run("noisy", &[f32, "--set=stage.0.denoise=false"]), whole);
    let half = run("half", &["--precision=bf16"]);
    assert!(half.iter().all(|loss| loss.is_finite()));

    let saved = place.path().join("whole/model");
    let card = fs::read_to_string(saved.join("README.md")).unwrap();
    assert!(card.contains("the book \"{}\" is [MASK].") && card.contains("no such module"));
    let info = stdout(gradus().arg("info").arg(&saved));
    assert!(info.contains("the book \"{}\" is [MASK]."), "{info}");
    let mut score = gradus();
    score
        .arg("score")
        .arg(&saved)
        .args(["a dog in the park", "a cat in the park"]);
    score.assert().success();
    // A recipe that names a pooling leaves the template of its model behind.
    let model = format!("--set=model={}", saved.display());
    let arguments = [
        "prompt.toml",
        &model,
        "--set=pooling=mean",
        "--output=plain",
    ];
    train(place.path(), &arguments)
        .assert()
        .failure()
        .stderr(contains("`denoise` needs `template`"));
    let arguments = ["prompt.toml", "--set=template=the {}"];
    train(place.path(), &arguments)
        .assert()
        .failure()
        .stderr(contains("the mask, `[MASK]`, must stand in it once"));
    let arguments = ["prompt.toml", TEMPLATES[0], "--set=pooling=cls"];
    train(place.path(), &arguments)
        .assert()
        .failure()
        .stderr(contains("exclude each other"));
}

#[test]
fn a_kept_projection_is_a_module_of_the_model() {
    let place = workplace();
    let stage = format!(
        "{INFO_NCE}projection = 'mlp'\nkeep_projection = true\ntrain = [{{ path = 'texts.txt' }}]\n"
    );
    recipe(place.path(), "kept.toml", &stage);
    let options = ["kept.toml", "--set=normalize=false", "--set=pooling=cls"];
    let saved = stdout(&mut train(place.path(), &options));
    let saved = place.path().join(saved.trim());
    let modules = fs::read_to_string(saved.join("modules.json")).unwrap();
    let mut modules: serde_json::Value = serde_json::from_str(&modules).unwrap();
    assert_eq!(modules[2]["type"], "sentence_transformers.models.Dense");
    let dense = fs::read_to_string(saved.join("2_Dense/config.json")).unwrap();
    assert!(
        dense.contains("torch.nn.modules.activation.Tanh"),
        "{dense}"
    );

    let vectors = |model: &SentenceEncoder<Cpu>| {
        let texts = ["a dog in the park", "a cat"];
        model.encode(&texts).unwrap()
    };
    let kept = SentenceEncoder::load(&saved, Cpu::new(1)).unwrap();
    let projected = vectors(&kept);
    let parameter = |name: &str| {
        let named = kept.layout().named().iter().find(|n| n.name.contains(name));
        named.unwrap().view.of(&kept.params().values()).to_vec()
    };
    let (weight, bias) = (
        parameter("2_Dense/linear.weight"),
        parameter("2_Dense/linear.bias"),
    );
    assert!(bias.iter().any(|&b| b != 0.0), "it was not trained");
    // The same model without the module.
    modules.as_array_mut().unwrap().truncate(2);
    fs::write(saved.join("modules.json"), modules.to_string()).unwrap();
    let before = vectors(&SentenceEncoder::load(&saved, Cpu::new(1)).unwrap());
    let width = bias.len();
    for text in 0..2 {
        for (out, b) in bias.iter().enumerate() {
            let row = &weight[out * width..][..width];
            let sum: f32 = row.iter().zip(before.row(text)).map(|(w, x)| w * x).sum();
            let want = (sum + b).tanh();
            assert!((projected.row(text)[out] - want).abs() < 1e-5);
        }
    }
    for (settings, part) in [
        (
            ["--set=stage.0.projection=batch_norm"],
            "depends on its batch",
        ),
        (["--set=stage.0.freeze=encoder"], "not frozen"),
    ] {
        let arguments = [&["kept.toml", "--output=refused"], &settings[..]].concat();
        let mut command = train(place.path(), &arguments);
        command.assert().failure().stderr(contains(part));
    }
}
