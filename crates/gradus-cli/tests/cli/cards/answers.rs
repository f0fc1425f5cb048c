//! Vectors and scores.

use super::{TEXTS, at, emulator, relative, vectors};
use crate::support::{cross_encoder, model, stdout};
use serde_json::Value;
use std::fs;

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
