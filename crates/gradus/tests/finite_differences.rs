//! The whole encoder's gradients against finite differences, with dropout, for
//! every parameter of models with and without Dense modules.

mod common;

use common::{json, load, model_folder, strings};
use gradus::model::SentenceEncoder;
use gradus_kernels::Backend;
use gradus_kernels::cpu::{Arena, Cpu};
use gradus_kernels::dropout::{Dropout, mix64};

/// A value in `[-1, 1)`, the same for the same number.
fn unit(i: u64) -> f32 {
    (mix64(i) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// A fixed scalar of a model's embeddings, and its gradient where asked for.
fn scalar(model: &SentenceEncoder<Cpu>, texts: &[&str], grads: Option<&mut Arena>) -> f64 {
    let tokens = model.tokenizer().encode(texts).unwrap();
    let dropout = Dropout::for_step(0.1, 3, 7);
    let passed = model.forward(model.pack(tokens.iter().zip(0..)), Some(dropout));
    let values = passed.embeddings().as_slice();
    let cotangent: Vec<f32> = (0..values.len() as u64).map(unit).collect();
    let sum = values
        .iter()
        .zip(&cotangent)
        .map(|(v, c)| f64::from(*v) * f64::from(*c))
        .sum();
    if let Some(grads) = grads {
        model.backward(passed, &cotangent, grads);
    }
    sum
}

#[test]
fn every_parameter_follows_the_slope() {
    for name in [
        "bert-small",
        "bert-gelu-new",
        "roberta-small",
        "distilbert-small",
        "nomic-small",
        "jina-small",
        "mpnet-small",
    ] {
        let mut model = load(&model_folder(name));
        model.set_dropout(0.1, 0.1);
        let expected = json(model_folder(name).join("expected.json"));
        let texts = strings(&expected["texts"]);
        let mut grads = model.gradient_arena();
        scalar(&model, &texts, Some(&mut grads));
        let grads = grads.values();
        for (number, named) in model.layout().named().to_vec().iter().enumerate() {
            let range = named.view.range();
            let values = model.params().values()[range.clone()].to_vec();
            // Along a random direction, as far as keeps to the tangent.
            let direction: Vec<f32> = (0..values.len())
                .map(|i| unit(mix64(number as u64) ^ i as u64))
                .collect();
            let length = direction
                .iter()
                .map(|d| f64::from(*d).powi(2))
                .sum::<f64>()
                .sqrt();
            let step = (4e-3 / length.max(1.0)) as f32 * (1.0 + length as f32).sqrt();
            let mut along = |sign: f32| {
                let moved: Vec<f32> = values
                    .iter()
                    .zip(&direction)
                    .map(|(v, d)| v + sign * step * d)
                    .collect();
                let (backend, params) = model.params_mut();
                backend.write_arena(params, range.start, &moved);
                scalar(&model, &texts, None)
            };
            let slope = (along(1.0) - along(-1.0)) / f64::from(2.0 * step);
            let (backend, params) = model.params_mut();
            backend.write_arena(params, range.start, &values);
            let exact: f64 = grads[range.clone()]
                .iter()
                .zip(&direction)
                .map(|(g, d)| f64::from(*g) * f64::from(*d))
                .sum();
            let norm = grads[range]
                .iter()
                .map(|g| f64::from(*g).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!(norm > 0.0, "{name}: {} gets no gradient", named.name);
            assert!(
                (slope - exact).abs() <= 0.03 * norm + 1e-3,
                "{name}: {}: slope {slope}, gradient {exact}, norm {norm}",
                named.name
            );
        }
    }
}
