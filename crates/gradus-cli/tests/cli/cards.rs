//! Commands on a card whose kernels run by emulation: what they give is what the processor gives.

use crate::kills::{command, kill_until_done};
use crate::support::{cross_encoder, gradus, model, stdout};
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;

/// The folder with the library that stands in for the driver; none where there is no compiler.
fn emulator() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = FOLDER.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("emulated-card");
        fs::create_dir_all(&folder).ok()?;
        let source = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../gradus-cuda/emulator/driver.cpp"
        );
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
        let made = process::Command::new(compiler)
            .args([
                "-O2",
                "-march=native",
                "-w",
                "-std=c++17",
                "-shared",
                "-fPIC",
            ])
            .args(["-ffp-contract=off", "-o"])
            .arg(folder.join("libcuda.so.1"))
            .arg(source)
            .status();
        made.is_ok_and(|status| status.success()).then_some(folder)
    });
    made.as_deref()
}

/// The command in `place`, where there is such a card.
fn at(place: &Path) -> Command {
    let mut command = gradus();
    command
        .current_dir(place)
        .env("GRADUS_CUDA_LIBS", emulator().unwrap());
    command
}

const TEXTS: [&str; 4] = [
    "a cat",
    "",
    "two dogs in the garden of a house",
    "the man is playing a guitar",
];

/// Vectors of the texts, one after the other.
fn vectors(command: &mut Command) -> Vec<f64> {
    let printed = stdout(command);
    let of = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap();
        let values = object["embedding"].as_array().unwrap().clone();
        values.into_iter().map(|v| v.as_f64().unwrap())
    };
    printed.lines().flat_map(of).collect()
}

/// The largest difference, of the largest value.
fn off(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let size = want.iter().fold(1e-6f64, |a, b| a.max(b.abs()));
    got.iter()
        .zip(want)
        .fold(0f64, |a, (g, w)| a.max((g - w).abs()))
        / size
}

/// The length of the difference, of the length.
fn relative(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    length(&mut got.iter().zip(want).map(|(g, w)| g - w)) / length(&mut want.iter().copied())
}

#[test]
fn every_family_gives_the_processors_vectors() {
    if emulator().is_none() {
        return println!("skipped: no compiler of C++");
    }
    let here = std::env::temp_dir();
    for name in [
        "bert-small",
        "bert-gelu-new",
        "bert-odd",
        "distilbert-small",
        "electra-small",
        "jina-qk-norm",
        "jina-small",
        "mpnet-small",
        "nomic-small",
        "roberta-small",
        "xlmr-small",
    ] {
        let encode = |device: &str, precision: &str| {
            let mut command = at(&here);
            command.arg("encode").arg(model(name)).args(TEXTS);
            vectors(command.args(["--device", device, "--precision", precision]))
        };
        let exact = encode("cpu", "f32");
        for (precision, bound) in [("f32", 1e-5), ("bf16", 2e-2)] {
            let off = relative(&encode("cuda", precision), &exact);
            println!("{name} in {precision}: {off:.1e}");
            assert!(off < bound, "{name} in {precision}: {off:e}");
        }
    }
}

/// More than are tokenised at once, by the thread that encodes ahead.
#[test]
fn many_texts_have_the_vectors_of_few() {
    if emulator().is_none() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let few = ["a cat", "the dog", "two birds", "man"];
    let many: String = (0..1100).map(|i| format!("{}\n", few[i % 4])).collect();
    fs::write(place.path().join("many.txt"), many).unwrap();
    let small = model("bert-small");
    let encode = |device: &str, inputs: &[&str]| {
        let mut command = at(place.path());
        command.args(["encode", &small, "--device", device, "--precision", "f32"]);
        vectors(command.args(inputs))
    };
    let of_few = encode("cuda", &few);
    let of_many = encode("cuda", &["--input", "many.txt"]);
    assert_eq!(of_many.len(), 275 * of_few.len());
    assert!(of_many.chunks(of_few.len()).all(|some| some == of_few));
    assert!(relative(&of_many, &encode("cpu", &["--input", "many.txt"])) < 1e-5);
}

#[test]
fn a_cross_encoder_gives_the_processors_scores() {
    if emulator().is_none() {
        return;
    }
    let here = std::env::temp_dir();
    let score = |device: &str| -> f64 {
        let mut command = at(&here);
        command.args([
            "score",
            &cross_encoder("bert"),
            "a cat",
            "two dogs",
            "--format",
            "json",
        ]);
        let printed = stdout(command.args(["--device", device, "--precision", "f32"]));
        let object: Value = serde_json::from_str(&printed).unwrap();
        object["score"].as_f64().unwrap()
    };
    assert!((score("cuda") - score("cpu")).abs() < 1e-5);
}

/// Pairs, texts and labels from the stored pairs.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../gradus/tests/fixtures");
    let pairs = fs::read_to_string(format!("{fixtures}/training/pairs.tsv")).unwrap();
    let texts: Vec<&str> = pairs
        .lines()
        .map(|l| l.split('\t').nth(1).unwrap())
        .take(80)
        .collect();
    fs::write(place.path().join("texts.txt"), texts.join("\n")).unwrap();
    fs::write(place.path().join("pairs.tsv"), &pairs).unwrap();
    place
}

/// The losses of a run's steps.
fn losses(run: &Path) -> Vec<f64> {
    losses_of(run, "step")
}

/// The losses of a kind of lines.
fn losses_of(run: &Path, kind: &str) -> Vec<f64> {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = metrics
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap());
    lines
        .filter(|m| m["kind"] == kind)
        .map(|m| m["loss"].as_f64().unwrap())
        .collect()
}

/// Trains by a recipe on both devices; the losses of all steps agree.
fn trains_alike(place: &Path, name: &str, recipe: &str) {
    fs::write(place.join(format!("{name}.toml")), recipe).unwrap();
    let train = |device: &str, precision: &str| {
        let run = format!("{name}-{device}-{precision}");
        let mut command = at(place);
        command.args([
            "train",
            &format!("{name}.toml"),
            "--output",
            &run,
            "--quiet",
        ]);
        command
            .args(["--device", device, "--precision", precision])
            .assert()
            .success();
        losses(&place.join(run))
    };
    let exact = train("cpu", "f32");
    assert!(exact.len() >= 10, "{name}: {exact:?}");
    for (precision, bound) in [("f32", 1e-4), ("bf16", 4e-2)] {
        let off = off(&train("cuda", precision), &exact);
        assert!(off < bound, "{name} in {precision}: {off:e}");
    }
}

#[test]
fn a_regression_has_the_processors_losses() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let recipe = format!(
        "model = '{}'\nlog_every = 1\n\
         [[stage]]\nname = 'head'\nfreeze = 'encoder'\nobjective = {{ loss = 'smooth_k2' }}\n\
         train = [{{ path = 'pairs.tsv' }}]\nsteps = 5\nlearning_rate = 1e-2\n\
         [[stage]]\nname = 'tune'\nobjective = {{ loss = 'smooth_k2', k = 3.0, x0 = 0.2 }}\n\
         train = [{{ path = 'pairs.tsv' }}]\nsteps = 45\nbatch = 4\naccumulate = 2\ndropout = 0.1\n\
         learning_rate = 1e-3\nwarmup = 0.2\nlayer_decay = 0.9\nclip = 1.0\n",
        model("bert-small")
    );
    trains_alike(place.path(), "regression", &recipe);
}

#[test]
fn contrast_ranking_and_differences_have_the_processors_losses() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../gradus/tests/fixtures");
    let recipe = format!(
        "model = '{}'\nnormalize = false\nlog_every = 1\n\
         [[stage]]\nname = 'one'\nsteps = 12\nbatch = 8\nchunk_tokens = 100\nlearning_rate = 1e-3\n\
         dropout = 0.1\nobjective = {{ loss = 'info_nce' }}\nprojection = 'batch_norm'\n\
         also = [{{ loss = 'list_mle', temperature = 0.1 }}, {{ loss = 'consistency' }}]\n\
         teachers = [{{ model = '{}' }}]\n\
         difference = {{ generator = '{fixtures}/pretraining/bert', weight = 0.5 }}\n\
         train = [{{ path = 'texts.txt' }}]\n",
        model("bert-small"),
        model("bert-odd"),
    );
    trains_alike(place.path(), "contrast", &recipe);
}

/// So many texts that the card compares them.
#[test]
fn large_batches_have_the_processors_losses() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let (first, second) = (["a", "the", "two", "old"], ["cat", "dog", "man", "park"]);
    let mut texts = String::new();
    for i in 0..80 {
        texts += &format!(
            "{} {} {}\n",
            first[i % 4],
            second[i / 4 % 4],
            first[i / 16 % 4]
        );
    }
    fs::write(place.path().join("short.txt"), texts).unwrap();
    let recipe = format!(
        "model = '{}'\nlog_every = 1\n\
         [[stage]]\nname = 'one'\nsteps = 10\nbatch = 64\nlearning_rate = 1e-3\ndropout = 0.1\n\
         objective = {{ loss = 'info_nce' }}\nalso = [{{ loss = 'consistency' }}]\n\
         train = [{{ path = 'short.txt' }}]\n",
        model("bert-small"),
    );
    trains_alike(place.path(), "large", &recipe);
}

#[test]
fn a_template_and_a_learned_bias_have_the_processors_losses() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let stage = "log_every = 1\n[[stage]]\nname = 'one'\nsteps = 10\nbatch = 6\nlearning_rate = 1e-3\n\
                 dropout = 0.1\nobjective = { loss = 'info_nce' }\ntrain = [{ path = 'texts.txt' }]\n";
    let template = "template = 'it {} [MASK] .'\ndenoise = true\n";
    trains_alike(
        place.path(),
        "template",
        &format!("model = '{}'\n{template}{stage}", model("bert-small")),
    );
    trains_alike(
        place.path(),
        "bias",
        &format!("model = '{}'\n{stage}", model("mpnet-small")),
    );
    trains_alike(
        place.path(),
        "turned",
        &format!("model = '{}'\n{stage}", model("nomic-small")),
    );
}

#[test]
fn a_cross_encoder_has_the_processors_losses() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let recipe = format!(
        "task = 'cross-encoder'\nmodel = '{}'\nlog_every = 1\n\
         [[stage]]\nname = 'one'\nobjective = {{ loss = 'bce' }}\n\
         train = [{{ path = 'pairs.tsv' }}]\nsteps = 12\nbatch = 6\nlearning_rate = 1e-3\n",
        model("bert-small")
    );
    trains_alike(place.path(), "cross", &recipe);
}

#[test]
fn pretraining_has_the_processors_losses() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let pretrain = |device: &str, precision: &str| {
        let run = format!("{device}-{precision}");
        let mut command = at(place.path());
        command.args([
            "pretrain",
            "texts.txt",
            "--output",
            &run,
            "--steps",
            "20",
            "--layers",
            "1",
        ]);
        command.args([
            "--hidden",
            "32",
            "--heads",
            "1",
            "--intermediate",
            "64",
            "--vocab",
            "200",
        ]);
        command.args([
            "--max-tokens",
            "24",
            "--batch-tokens",
            "256",
            "--evaluate-every",
            "2",
            "--quiet",
        ]);
        command
            .args(["--device", device, "--precision", precision])
            .assert()
            .success();
        losses_of(&place.path().join(run), "evaluation")
    };
    let exact = pretrain("cpu", "f32");
    assert!(exact.len() >= 10, "{exact:?}");
    for (precision, bound) in [("f32", 1e-4), ("bf16", 2e-2)] {
        let off = off(&pretrain("cuda", precision), &exact);
        assert!(off < bound, "{precision}: {off:e}");
    }
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits_on_a_card() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let recipe = format!(
        "model = '{}'\nlog_every = 1\ncheckpoint_steps = 1\nprecision = 'bf16'\ndevice = 'cuda'\n\
         [[stage]]\nname = 'tune'\nobjective = {{ loss = 'smooth_k2' }}\ndropout = 0.1\n\
         train = [{{ path = 'pairs.tsv' }}]\nsteps = 25\nbatch = 4\nlearning_rate = 1e-3\n",
        model("bert-small")
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    let on_the_card = |command: &mut process::Command| {
        command.env("GRADUS_CUDA_LIBS", emulator().unwrap());
    };
    let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let of = |output| words(&["train", "recipe.toml", "--output", output]);
    let mut whole = command(place.path(), &of("whole"));
    on_the_card(&mut whole);
    assert!(whole.status().unwrap().success());
    let (resume, begun) = (
        words(&["train", "--resume", "killed"]),
        place.path().join("killed/recipe.toml"),
    );
    kill_until_done(place.path(), &of("killed"), &resume, &begun, 3, on_the_card);
    for file in [
        "model/model.safetensors",
        "model/regression_head.safetensors",
    ] {
        let of = |run: &str| fs::read(place.path().join(run).join(file)).unwrap();
        assert!(of("whole") == of("killed"), "{file}");
    }
    // It went on on the card, as its copy of the recipe says.
    let resolved = fs::read_to_string(place.path().join("killed/recipe.toml")).unwrap();
    assert!(resolved.contains("device = \"cuda:0\"") && resolved.contains("precision = \"bf16\""));
    // Where there is none, that is said, and not gone on on the processor.
    let mut elsewhere = gradus();
    elsewhere
        .current_dir(place.path())
        .args(["train", "recipe.toml", "--output", "other"]);
    elsewhere
        .env("GRADUS_CUDA_LIBS", place.path())
        .assert()
        .failure()
        .stderr(contains("--device cpu"));
}

#[test]
fn auto_takes_the_card_and_says_so() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let words = ["encode", &model("bert-small"), "a cat"];
    let said = at(place.path()).args(words).assert().success();
    said.stderr(contains("cuda:0, the first card"));
    let said = at(place.path())
        .args(words)
        .args(["--device", "cpu"])
        .assert()
        .success();
    assert!(!String::from_utf8_lossy(&said.get_output().stderr).contains("cuda"));
    // int8 is the processor's.
    at(place.path())
        .args(words)
        .args(["--precision", "int8"])
        .assert()
        .success();
    let refused = at(place.path())
        .args(words)
        .args(["--precision", "int8", "--device", "cuda"])
        .assert()
        .failure();
    refused.stderr(contains("cuda:0 does not compute in int8"));
    let listed = stdout(at(place.path()).args(["info", "--devices"]));
    assert!(
        listed.contains("emulated card") && listed.contains("auto"),
        "{listed}"
    );
}

#[test]
fn a_card_whose_memory_is_used_up_is_named() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let words = ["encode", &model("bert-small"), "a cat", "--device", "cuda"];
    let full = at(place.path())
        .env("GRADUS_EMULATED_MEMORY", "100000")
        .args(words)
        .assert()
        .failure();
    full.stderr(contains("the card's memory is used up"));
}

#[test]
fn a_stage_that_a_card_has_no_memory_for_does_not_begin() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let recipe = format!(
        "model = '{}'\n[[stage]]\nname = 'tune'\nobjective = {{ loss = 'info_nce' }}\nbatch = 64\nlearning_rate = 1e-3\n\
         train = [{{ path = 'texts.txt' }}]\nsteps = 5\n",
        model("bert-small")
    );
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    let mut command = at(place.path());
    command.args(["train", "recipe.toml", "--device", "cuda"]);
    let short = command
        .env("GRADUS_EMULATED_MEMORY", "1000000")
        .assert()
        .failure();
    short.stderr(contains("stage `tune` needs about").and(contains("chunk_tokens")));
    assert!(!place.path().join("runs/recipe/metrics.jsonl").exists());
}
