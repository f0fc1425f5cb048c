//! Losses of training, and runs that are killed.

use super::{at, emulator, off, workplace};
use crate::kills::{command, kill_until_done};
use crate::support::{gradus, model};
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process;

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

/// Steps that are queued as graphs have the bits of those that are queued job by job, be it that
/// nobody wants graphs or that the driver knows none.
#[test]
fn graphs_change_no_bit() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let recipe = format!(
        "model = '{}'\nlog_every = 1\n\
         [[stage]]\nname = 'tune'\nobjective = {{ loss = 'smooth_k2' }}\n\
         train = [{{ path = 'pairs.tsv' }}]\nsteps = 24\nbatch = 4\ndropout = 0.1\n\
         learning_rate = 1e-3\n",
        model("bert-small")
    );
    fs::write(place.path().join("graphs.toml"), recipe).unwrap();
    let train = |name: &str, variable: &str, value: &str| {
        let mut command = at(place.path());
        command.env(variable, value);
        command.args(["train", "graphs.toml", "--output", name, "--quiet"]);
        command.args(["--device", "cuda"]).assert().success();
        let run = place.path().join(name);
        let model = fs::read(run.join("model/model.safetensors")).unwrap();
        (losses(&run), model)
    };
    let seen = place.path().join("graphs.txt");
    let with = train("with", "GRADUS_EMULATED_GRAPHS", seen.to_str().unwrap());
    let lengths = fs::read_to_string(seen).unwrap();
    let long = lengths.lines().filter(|n| n.parse::<usize>().unwrap() > 10);
    assert!(long.count() >= 24, "{lengths}");
    assert!(train("without", "GRADUS_CUDA_GRAPHS", "0") == with);
    assert!(train("unknown", "GRADUS_EMULATED_GRAPHS", "0") == with);
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

/// What the card computes from the vectors to their gradient, with texts that are there twice.
#[test]
fn a_plain_contrast_has_the_processors_losses() {
    if emulator().is_none() {
        return;
    }
    let place = workplace();
    let (texts, triplets): (Vec<_>, Vec<_>) = (0..24)
        .map(|i| {
            let text = |i: usize| {
                format!(
                    "{} {}",
                    ["a", "the", "old"][i % 3],
                    ["cat", "dog"][i / 3 % 2]
                )
            };
            let (a, b, c) = (text(i), format!("{} in the park", text(i)), text(i + 2));
            (format!("{a} {}\n", i % 9), format!("{a}\t{b}\t{c}\n"))
        })
        .unzip();
    let write = |name: &str, text: String| fs::write(place.path().join(name), text).unwrap();
    write("short.txt", texts.concat());
    write(
        "triplets.tsv",
        format!("anchor\tpositive\tnegative\n{}", triplets.concat()),
    );
    let recipe = format!(
        "model = '{}'\nlog_every = 1\n\
         [[stage]]\nname = 'one'\nsteps = 10\nbatch = 12\naccumulate = 2\nlearning_rate = 1e-3\n\
         dropout = 0.1\nobjective = {{ loss = 'info_nce' }}\nprojection = 'mlp'\n\
         train = [{{ path = 'short.txt' }}]\n\
         [[stage]]\nname = 'two'\nsteps = 10\nbatch = 8\nlearning_rate = 1e-3\n\
         objective = {{ loss = 'info_nce', temperature = 0.1 }}\n\
         train = [{{ path = 'triplets.tsv' }}]\n",
        model("bert-small"),
    );
    trains_alike(place.path(), "plain", &recipe);
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
