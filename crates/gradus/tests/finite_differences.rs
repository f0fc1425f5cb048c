//! The whole encoder's gradients against finite differences, with dropout, for
//! every parameter of models with and without Dense modules.

mod common;

use common::slope::{every_parameter_follows_the_slope, unit};
use common::{json, load, model_folder, strings};
use gradus::models::SentenceEncoder;
use gradus_kernels::cpu::{Arena, Cpu};
use gradus_kernels::dropout::Dropout;

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
fn gradients_of_every_parameter_follow_the_slope() {
    for name in [
        "bert-small",
        "bert-gelu-new",
        "roberta-small",
        "distilbert-small",
        "nomic-small",
        "jina-small",
        "jina-qk-norm",
        "electra-small",
        "mpnet-small",
    ] {
        let mut model = load(&model_folder(name));
        model.set_dropout(0.1, 0.1);
        let expected = json(model_folder(name).join("expected.json"));
        let texts = strings(&expected["texts"]);
        let scalar =
            |model: &SentenceEncoder<Cpu>, grads: Option<&mut Arena>| scalar(model, &texts, grads);
        let without = every_parameter_follows_the_slope(model, name, scalar);
        assert!(without.is_empty(), "{name}: no gradient for {without:?}");
    }
}
