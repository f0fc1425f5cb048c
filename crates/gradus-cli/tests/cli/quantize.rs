//! `gradus quantize`, and models in int8.

use crate::support::{cross_encoder, gradus, model, stdout};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::path::Path;

const TEXTS: [&str; 2] = ["the cat is sleeping", "the dog is in a park"];

/// The first number that the command prints.
fn score(model: impl AsRef<Path>, args: &[&str]) -> f64 {
    let mut command = gradus();
    command.arg("score").arg(model.as_ref()).args(TEXTS);
    let said = stdout(command.args(["--format", "tsv"]).args(args));
    said.split('\t').next().unwrap().parse().unwrap()
}

fn quantize(model: impl AsRef<Path>, output: &Path) -> assert_cmd::Command {
    let mut command = gradus();
    let model = model.as_ref();
    command
        .arg("quantize")
        .arg(model)
        .arg("--output")
        .arg(output);
    command
}

#[test]
fn a_copy_is_smaller_runs_in_int8_and_scores_alike() {
    let place = tempfile::tempdir().unwrap();
    for (name, model) in [
        ("bi", model("bert-small")),
        ("roberta", model("roberta-small")),
        ("cross", cross_encoder("bert")),
    ] {
        let small = place.path().join(name);
        // Nothing is multiplied, so nothing is said of that.
        quantize(&model, &small)
            .arg("--quiet")
            .assert()
            .success()
            .stderr(predicate::str::is_empty());
        fs::remove_dir_all(&small).unwrap();
        let mut command = quantize(&model, &small);
        command
            .arg("--json")
            .assert()
            .success()
            .stderr(contains("precision").not());
        fs::remove_dir_all(&small).unwrap();
        let said = stdout(quantize(&model, &small).arg("--json"));
        let json: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert!(json["tensors"].as_u64().unwrap() > 4, "{said}");
        let (before, now) = (&json["bytes_before"], &json["bytes"]);
        assert!(
            now.as_u64().unwrap() < before.as_u64().unwrap() / 2,
            "{said}"
        );
        let on_disk = fs::metadata(small.join("model.safetensors")).unwrap().len();
        assert_eq!(now.as_u64(), Some(on_disk));

        for (model, in_int8) in [(Path::new(&model), false), (&small, true)] {
            let said = stdout(gradus().arg("info").arg(model));
            assert_eq!(said.contains(", in int8"), in_int8, "{said}");
        }

        let exact = score(&model, &["--precision", "f32"]);
        for (model, precision) in [
            (Path::new(&model), "int8"),
            (&small, "f32"),
            (&small, "int8"),
        ] {
            let near = score(model, &["--precision", precision]);
            assert!(
                (near - exact).abs() < 0.03,
                "{name} {precision}: {near} {exact}"
            );
        }
        assert_eq!(score(&small, &[]), score(&small, &["--precision", "int8"]));
    }
}

#[test]
fn a_copy_says_that_it_runs_in_int8() {
    let place = tempfile::tempdir().unwrap();
    let small = place.path().join("small");
    quantize(model("bert-small"), &small).assert().success();
    let encode = |args: &[&str]| {
        let mut command = gradus();
        command.arg("encode").arg(&small).arg(TEXTS[0]).args(args);
        command.assert().success()
    };
    let note = "precision  int8, as the model's weights are";
    encode(&[]).stderr(contains(note));
    encode(&["--precision", "f32"]).stderr(contains("int8").not());
}

#[test]
fn bits_do_not_depend_on_the_batch_or_the_threads() {
    let place = tempfile::tempdir().unwrap();
    let texts = place.path().join("texts.txt");
    let lines: Vec<String> = (0..90)
        .map(|i| format!("the cat is {}in the park", "very ".repeat(i % 23)))
        .collect();
    fs::write(&texts, lines.join("\n")).unwrap();
    let encode = |input: &[&str], threads: &str| {
        let mut command = gradus();
        command.args(["encode", &model("bert-small"), "--precision", "int8"]);
        stdout(command.args(["--threads", threads]).args(input))
    };
    let input = ["--input", texts.to_str().unwrap()];
    let all = encode(&input, "1");
    assert_eq!(all, encode(&input, "3"));
    let alone = encode(&[&lines[22]], "2");
    let vector = |line: &str| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        object["embedding"].clone()
    };
    assert_eq!(vector(all.lines().nth(22).unwrap()), vector(&alone));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let small = place.path().join("small");
    quantize(model("bert-small"), &small).assert().success();
    quantize(model("bert-small"), &small)
        .assert()
        .code(2)
        .stderr(contains("exists already; choose another folder"));
    quantize(&small, &place.path().join("smaller"))
        .assert()
        .code(2)
        .stderr(contains("is in int8 already"));
    assert!(!place.path().join("smaller").exists());
    let inside = Path::new(&model("bert-small")).join("int8");
    quantize(model("bert-small"), &inside)
        .assert()
        .failure()
        .stderr(contains("lies in"));
    quantize("no-such-model-here/at-all", &place.path().join("x"))
        .assert()
        .failure();
}

#[test]
fn training_is_not_in_int8_but_may_begin_with_such_a_model() {
    let place = tempfile::tempdir().unwrap();
    let small = place.path().join("small");
    quantize(model("bert-small"), &small).assert().success();
    let pairs = "the cat\ta cat\t4\nthe dog\ta man\t1\n".repeat(8);
    fs::write(place.path().join("pairs.tsv"), pairs).unwrap();
    let recipe = "model = \"small\"\noutput = \"run\"\n\n[[stage]]\nname = \"grades\"\n\
        objective = { loss = \"mse\", form = \"cosine\", scale = 5.0, offset = 0.0 }\n\
        train = [{ path = \"pairs.tsv\" }]\nepochs = 1\nbatch = 8\nlearning_rate = 1e-5\n";
    fs::write(place.path().join("recipe.toml"), recipe).unwrap();
    let train = |args: &[&str]| {
        let mut command = gradus();
        command.current_dir(place.path());
        command.args(["train", "recipe.toml"]).args(args);
        command
    };
    train(&["--precision", "int8"])
        .assert()
        .code(2)
        .stderr(contains("int8 is for inference").and(contains("gradus quantize")));
    train(&[]).assert().success();
    let config = fs::read_to_string(place.path().join("run/model/config.json")).unwrap();
    assert!(!config.contains("quantization_config"), "{config}");
    score(place.path().join("run/model"), &[]);
}

#[test]
fn a_damaged_folder_is_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    let small = place.path().join("small");
    quantize(model("bert-small"), &small).assert().success();
    let config = small.join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("gradus-int8", "gptq")).unwrap();
    gradus()
        .arg("score")
        .arg(&small)
        .args(TEXTS)
        .assert()
        .failure()
        .stderr(contains("quantization_config").and(contains("config.json")));
}
