//! The sizes that kernels are measured at.

use gradus_kernels::dropout::{Dropout, mix64};
use gradus_kernels::{Packed, Sequence};

#[derive(Clone, Copy)]
pub struct Model {
    pub name: &'static str,
    pub hidden: usize,
    pub wide: usize,
    pub heads: usize,
    /// Layers whose parameters the optimizer is measured on: enough to be more
    /// than caches hold.
    pub layers: usize,
}

/// Entries of the word embeddings, of positions and of segments.
pub const TABLES: [usize; 3] = [30_522, 512, 2];

const MODELS: [Model; 2] = [
    Model {
        name: "MiniLM",
        hidden: 384,
        wide: 1536,
        heads: 12,
        layers: 6,
    },
    Model {
        name: "BERT-base",
        hidden: 768,
        wide: 3072,
        heads: 12,
        layers: 2,
    },
];

#[derive(Clone)]
pub struct Shape {
    pub model: Model,
    pub batch: Packed,
    /// As in a training step; none when encoding.
    pub dropout: Option<Dropout>,
}

impl Shape {
    fn new(model: Model, tokens: usize, sequences: usize, training: bool) -> Self {
        Self {
            model,
            batch: batch(tokens, sequences),
            dropout: training.then(|| Dropout::for_step(0.1, 1, 1)),
        }
    }

    pub fn name(&self) -> String {
        format!("{} {}", self.model.name, self.batch.tokens())
    }

    /// As many tokens in texts of about 128, of which attention is a larger part.
    pub fn in_long_texts(&self) -> Self {
        let tokens = self.batch.tokens();
        Self::new(
            self.model,
            tokens,
            tokens.div_ceil(128),
            self.dropout.is_some(),
        )
    }
}

/// A training step of 16 pairs and a batch to encode, of both models.
pub fn all(smallest_only: bool) -> Vec<Shape> {
    let step = |model| Shape::new(model, 424, 32, true);
    if smallest_only {
        return vec![step(MODELS[0])];
    }
    MODELS
        .into_iter()
        .flat_map(|model| [step(model), Shape::new(model, 2048, 128, false)])
        .collect()
}

/// So many tokens in sequences of lengths that differ as sentences' do.
fn batch(tokens: usize, sequences: usize) -> Packed {
    let bound = |s: usize| match s {
        0 => 0,
        s if s == sequences => tokens,
        s => s * tokens / sequences + mix64(s as u64) as usize % 9 - 4,
    };
    let ids: Vec<u32> = (0..tokens as u64)
        .map(|i| (mix64(!i) % TABLES[0] as u64) as u32)
        .collect();
    Packed::new(
        (0..sequences).map(|s| Sequence {
            ids: &ids[bound(s)..bound(s + 1)],
            segments: &[],
            stream: s as u64,
        }),
        0,
    )
}

/// Values in `[from, to)`, the same for the same seed.
pub fn values(n: usize, seed: u64, [from, to]: [f32; 2]) -> Vec<f32> {
    let unit = |i| (mix64(mix64(seed) ^ i) >> 40) as f32 / (1u64 << 24) as f32;
    let units = (0..n as u64).map(unit);
    units.map(|x| from + (to - from) * x).collect()
}
