//! DifferencePrediction prediction: PyTorch's stored loss and gradients, slopes, what the
//! generator fills, and runs with it.

#[path = "../common/mod.rs"]
mod common;
mod gradients;
mod rebuilt;
mod refusals;
mod runs;
mod training;

use common::{fixture, load, model_folder};
use gradus::models::TokenClassifier;
use gradus::recipe::{Average, DifferenceSettings, Fill, Filled};
use gradus::tasks::diffcse::{DifferencePrediction, Generator};
use gradus::text::Tokens;
use gradus_kernels::cpu::Cpu;
use std::sync::Arc;

const SEED: u64 = 5;

/// What a recipe has without further keys, with a weight of 1.
fn settings() -> DifferenceSettings {
    DifferenceSettings {
        generator: "generator".into(),
        mask_rate: 0.3,
        weight: 1.0,
        fill: Fill::Argmax,
        positions: Filled::All,
        average: Average::Real,
    }
}

/// A discriminator from the stored model `name`, without dropout.
fn difference(
    name: &str,
    settings: DifferenceSettings,
    threads: usize,
) -> DifferencePrediction<Cpu> {
    let backend = Arc::new(Cpu::new(threads));
    let folder = fixture("pretraining/bert");
    let generator = Generator::load(&folder, Arc::clone(&backend)).unwrap();
    let mut discriminator = TokenClassifier::load(&model_folder(name), backend, 2, 7).unwrap();
    discriminator.set_dropout(0.0, 0.0);
    let vocabulary = load(&folder).tokenizer().vocabulary();
    let mask = vocabulary.mask().unwrap();
    DifferencePrediction::new(settings, generator, discriminator, (vocabulary, mask), SEED)
}

fn tokens(ids: &[u32]) -> Tokens {
    let mut tokens = Tokens::default();
    tokens.ids.extend_from_slice(ids);
    tokens
}

fn streams(texts: &[Tokens]) -> Vec<(&Tokens, u64)> {
    texts.iter().zip(0..).collect()
}
