use super::generator::Blank;
use super::{DifferenceScore, Generator};
use crate::Embeddings;
use crate::models::TokenClassifier;
use crate::recipe::{Average, DifferenceSettings, Filled};
use crate::text::Masking;
use crate::text::{Tokens, Vocabulary, batches};
use gradus_kernels::dropout::{Dropout, mix64};
use gradus_kernels::{Backend, Sequence};

/// The class of a token that is another than in the text.
const REPLACED: u32 = 1;

/// Generator, discriminator, and how they are used.
pub struct DifferencePrediction<B: Backend> {
    settings: DifferenceSettings,
    generator: Generator<B>,
    discriminator: TokenClassifier<B>,
    vocabulary: Vocabulary,
    mask: u32,
    seed: u64,
}

/// A text that the generator filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Its tokens.
    pub ids: Vec<u32>,
    /// For each, 1 where it is another than in the text, else 0.
    pub replaced: Vec<u32>,
    /// How many tokens were masked.
    pub masked: usize,
    /// How many of them are as in the text.
    pub restored: usize,
}

/// The term of some texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// How generator and discriminator did.
    pub score: DifferenceScore,
    /// The gradient of the weighted term with respect to the texts' vectors, in
    /// their layout.
    pub vectors: Vec<f32>,
}

impl<B: Backend> DifferencePrediction<B> {
    /// Puts the parts together. `tokens` are those of the vocabulary that model
    /// and generator share, `mask` its mask.
    pub fn new(
        settings: DifferenceSettings,
        generator: Generator<B>,
        discriminator: TokenClassifier<B>,
        (vocabulary, mask): (Vocabulary, u32),
        seed: u64,
    ) -> Self {
        Self {
            settings,
            generator,
            discriminator,
            vocabulary,
            mask,
            seed,
        }
    }

    /// The discriminator.
    pub fn discriminator(&self) -> &TokenClassifier<B> {
        &self.discriminator
    }

    /// The discriminator, to train it.
    pub fn discriminator_mut(&mut self) -> &mut TokenClassifier<B> {
        &mut self.discriminator
    }

    /// What the generator makes of texts at a step. Each has a stream, which
    /// names its random draws. Special tokens and the first token stay.
    pub fn rebuild(&self, step: u64, texts: &[(&Tokens, u64)]) -> Vec<Rebuilt> {
        let rate = self.settings.mask_rate;
        let masking = Masking::new(&self.vocabulary, self.mask, rate, false, self.seed);
        let (mut blanks, mut chosen) = (vec![], vec![]);
        for &(tokens, stream) in texts {
            let mut masked = masking.apply(step, stream, &tokens.ids);
            // The first token is that of the vector.
            if let (Some(first), Some(id)) = (masked.ids.first_mut(), tokens.ids.first()) {
                *first = *id;
                masked.targets.retain(|&(place, _)| place > 0);
            }
            let places = match self.settings.positions {
                Filled::Masked => masked.targets.iter().map(|t| t.0).collect(),
                Filled::All => self.ordinary(&tokens.ids),
            };
            blanks.push(Blank {
                ids: masked.ids,
                places,
                key: mix64(mix64(self.seed ^ 0x6669_6c6c ^ step) ^ mix64(stream)),
            });
            chosen.push(masked.targets);
        }
        let filled = self.generator.fill(&blanks, self.settings.fill);
        let parts = texts.iter().zip(&blanks).zip(filled).zip(chosen);
        let rebuilt = parts.map(|(((text, blank), filled), chosen)| {
            let original = &text.0.ids;
            let mut ids = original.clone();
            for (&place, token) in blank.places.iter().zip(filled) {
                ids[place as usize] = token;
            }
            let differs = |(a, b): (&u32, &u32)| if a == b { 0 } else { REPLACED };
            let restored = |&(place, id): &(u32, u32)| ids[place as usize] == id;
            Rebuilt {
                replaced: ids.iter().zip(original).map(differs).collect(),
                masked: chosen.len(),
                restored: chosen.iter().filter(|t| restored(t)).count(),
                ids,
            }
        });
        rebuilt.collect()
    }

    /// The places of a text that the generator may fill.
    fn ordinary(&self, ids: &[u32]) -> Vec<u32> {
        let places = (0u32..).zip(ids).skip(1);
        places
            .filter(|(_, id)| !self.vocabulary.is_special(**id))
            .map(|(place, _)| place)
            .collect()
    }

    /// The term of texts with `vectors`, in passes of at most `limit` tokens.
    /// Adds the discriminator's gradients, multiplied by `share`, to `grads`.
    pub fn evaluate(
        &self,
        (step, texts): (u64, &[(&Tokens, u64)]),
        vectors: &Embeddings,
        limit: Option<usize>,
        share: f64,
        grads: &mut B::Arena,
    ) -> Term {
        let rebuilt = self.rebuild(step, texts);
        self.discriminate((step, texts), &rebuilt, vectors, limit, share, grads)
    }

    /// The same of texts that were rebuilt.
    pub fn discriminate(
        &self,
        (step, texts): (u64, &[(&Tokens, u64)]),
        rebuilt: &[Rebuilt],
        vectors: &Embeddings,
        limit: Option<usize>,
        share: f64,
        grads: &mut B::Arena,
    ) -> Term {
        let mut term = Term {
            score: DifferenceScore::default(),
            vectors: vec![0.0; vectors.as_slice().len()],
        };
        // A text without tokens has no place for its vector.
        let rows: Vec<usize> = (0..texts.len())
            .filter(|&i| !rebuilt[i].ids.is_empty())
            .collect();
        let weight = self.settings.weight;
        let divisor = self.divisor(rebuilt).max(1) as f64;
        let scale = (weight * share / divisor) as f32;
        let dropout = Dropout::for_step(0.0, mix64(self.seed ^ 0x6469_6666), step);
        let limit = limit.unwrap_or(usize::MAX);
        for rows in batches(&rows, |&i| rebuilt[i].ids.len(), limit, 1) {
            let sequences = rows.iter().map(|&i| Sequence {
                ids: &rebuilt[i].ids,
                segments: &texts[i].0.segments,
                stream: texts[i].1,
            });
            let batch = self.discriminator.pack(sequences);
            let first: Vec<f32> = rows
                .iter()
                .flat_map(|&i| vectors.row(i).iter().copied())
                .collect();
            let classes: Vec<u32> = rows
                .iter()
                .flat_map(|&i| rebuilt[i].replaced.iter().copied())
                .collect();
            let (scored, gradient) =
                self.discriminator
                    .gradients(batch, &first, &classes, scale, Some(dropout), grads);
            for (scored, class) in scored.iter().zip(&classes) {
                term.score.loss += scored.loss / divisor;
                let correct = usize::from(scored.correct);
                match *class {
                    REPLACED => term.score.correct_on_replaced += correct,
                    _ => term.score.correct_on_original += correct,
                }
            }
            let dim = vectors.dim();
            for (&i, own) in rows.iter().zip(gradient.chunks_exact(dim.max(1))) {
                let place = &mut term.vectors[i * dim..(i + 1) * dim];
                for (place, g) in place.iter_mut().zip(own) {
                    // The share is the discriminator's alone.
                    *place = *g / share as f32;
                }
            }
        }
        for text in rebuilt {
            term.score.tokens += text.ids.len();
            term.score.replaced += text.replaced.iter().filter(|r| **r == REPLACED).count();
            term.score.masked += text.masked;
            term.score.restored += text.restored;
        }
        term
    }

    /// What a batch's sum over tokens is divided by.
    fn divisor(&self, rebuilt: &[Rebuilt]) -> usize {
        let lengths = rebuilt.iter().map(|text| text.ids.len());
        match self.settings.average {
            Average::Real => lengths.sum(),
            Average::All => lengths.max().unwrap_or(0) * rebuilt.len(),
        }
    }

    /// What the term is multiplied by.
    pub fn weight(&self) -> f64 {
        self.settings.weight
    }
}
