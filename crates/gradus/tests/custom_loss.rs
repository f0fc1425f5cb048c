//! A loss from outside the library: its gradient follows its slope, and the engine
//! trains with it.

mod common;
#[path = "../examples/custom_loss.rs"]
mod example;

use common::copy_of;
use example::{OneSided, train};
use gradus::Embeddings;
use gradus::losses::{Input, Objective};
use gradus_kernels::cpu::Cpu;

fn loss(values: &[f32]) -> (f64, Vec<f32>) {
    let embeddings = Embeddings::new(3, values.to_vec());
    let input = Input {
        embeddings: &embeddings,
        labels: &[0.1, 0.9],
        weights: &[1.0, 1.0],
        tolerances: &[None, None],
        texts: &[0, 1, 2, 3],
        teachers: &[],
    };
    let output = OneSided.evaluate(&[], &input);
    (output.loss, output.embeddings)
}

#[test]
fn its_gradient_follows_its_slope() {
    let values = [0.5, -0.2, 0.8, 0.1, 0.9, 0.3, 0.4, 0.1, 0.7, -0.6, 0.2, 0.9];
    let (_, gradient) = loss(&values);
    for i in 0..values.len() {
        let moved = |by: f32| {
            let mut values = values;
            values[i] += by;
            loss(&values).0
        };
        let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
        assert!(
            (slope - f64::from(gradient[i])).abs() < 1e-4,
            "{i}: {slope}"
        );
    }
    assert!(gradient[..3].iter().any(|g| *g != 0.0));
}

#[test]
fn the_engine_trains_with_it() {
    let (model, place) = (copy_of("bert-small"), tempfile::tempdir().unwrap());
    let pairs = place.path().join("pairs.tsv");
    let text = "a dog\tthe house\t0.1\none cat\ttwo cats\t0.8\na river\tthe food\t0\n";
    std::fs::write(&pairs, text).unwrap();
    let run = place.path().join("run");
    train(model.path(), &pairs, 6, &run, Cpu::new(1)).unwrap();
    let record = std::fs::read_to_string(run.join("run.json")).unwrap();
    assert!(record.contains("one-sided squared error"), "{record}");
    let weights =
        |folder: &std::path::Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert!(weights(&run.join("model")) != weights(model.path()));
}
