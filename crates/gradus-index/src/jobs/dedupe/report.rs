//! What went, and what other thresholds would do.

use super::{By, Decided, DedupeSettings};
use crate::Result;
use crate::groups;
use crate::store::Index;
use serde::Serialize;

/// How many texts went and why.
#[derive(Debug, Clone, Serialize)]
pub struct DedupeReport {
    /// Texts that were there.
    pub texts: usize,
    /// Texts that stay.
    pub kept: usize,
    /// Texts that went for their words.
    pub by_words: usize,
    /// Texts that went for their meaning.
    pub by_meaning: usize,
    /// The threshold of words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words_threshold: Option<f32>,
    /// The threshold of meaning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// Texts by their cosine with the nearest text kept before them, the highest first;
    /// nothing where meaning was not compared.
    pub cosines: Vec<Bin>,
    /// Some of those that went for their words.
    pub words_examples: Vec<Gone>,
}

/// A stretch of cosines.
#[derive(Debug, Clone, Serialize)]
pub struct Bin {
    /// From this on.
    pub from: f32,
    /// Below this, but for 1.
    pub below: f32,
    /// So many texts.
    pub texts: usize,
    /// So many are from here on up: about so many texts go by meaning at a threshold of
    /// `from`.
    pub from_here_up: usize,
    /// Some of them.
    pub examples: Vec<Gone>,
}

/// A text and the one kept before it that it is nearest to.
#[derive(Debug, Clone, Serialize)]
pub struct Gone {
    /// How alike they are.
    pub score: f32,
    /// The one that is kept.
    pub kept: String,
    /// The other.
    pub text: String,
}

/// Ends of stretches.
const BOUNDS: [f32; 13] = [
    1.0, 0.99, 0.98, 0.97, 0.96, 0.95, 0.925, 0.9, 0.875, 0.85, 0.8, 0.7, 0.6,
];

pub(super) fn make(
    index: &Index,
    decided: &Decided,
    settings: &DedupeSettings,
) -> Result<DedupeReport> {
    let by = |wanted: By| {
        let gone = decided.order.iter().copied();
        let gone = gone.filter(|row| decided.gone[*row].is_some_and(|(by, _)| by == wanted));
        gone.collect::<Vec<usize>>()
    };
    let (words, meaning) = (by(By::Words), by(By::Meaning));
    let pair = |row: usize, of: usize, score: f32| -> Result<Gone> {
        Ok(Gone {
            score,
            kept: index.record(of)?.text,
            text: index.record(row)?.text,
        })
    };
    let mut cosines = vec![];
    let mut above = 0;
    let bounds = BOUNDS.windows(2).filter(|_| settings.meaning.is_some());
    for pair_of in bounds {
        let &[below, from] = pair_of else { continue };
        let within = |cosine: f32| cosine >= from && (cosine < below || below == 1.0);
        let rows = decided.order.iter().copied().filter(|row| {
            let nearest = decided.nearest[*row];
            nearest.is_some_and(|nearest| within(nearest.cosine))
        });
        let rows: Vec<usize> = rows.collect();
        above += rows.len();
        let examples = groups::evenly(&rows, settings.examples).into_iter();
        let examples = examples.filter_map(|row| {
            let nearest = decided.nearest[row]?;
            Some(pair(row, nearest.of, nearest.cosine))
        });
        cosines.push(Bin {
            from,
            below,
            texts: rows.len(),
            from_here_up: above,
            examples: examples.collect::<Result<_>>()?,
        });
    }
    let words_examples = groups::evenly(&words, settings.examples).into_iter();
    let words_examples = words_examples.filter_map(|row| {
        let (_, duplicate) = decided.gone[row]?;
        Some(pair(row, duplicate.of, duplicate.score))
    });
    Ok(DedupeReport {
        texts: decided.order.len(),
        kept: decided.order.len() - words.len() - meaning.len(),
        by_words: words.len(),
        by_meaning: meaning.len(),
        words_threshold: settings.words.map(|words| words.threshold),
        threshold: settings.meaning.map(|meaning| meaning.threshold),
        cosines,
        words_examples: words_examples.collect::<Result<_>>()?,
    })
}
