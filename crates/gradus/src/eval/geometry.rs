//! How a model's vectors are spread over the sphere.
//!
//! Alignment and uniformity follow Wang & Isola, *Understanding Contrastive
//! Representation Learning through Alignment and Uniformity on the
//! Hypersphere* (ICML 2020), with alpha = 2 and t = 2. Training can collapse
//! (all vectors alike) while rank correlations still look fair; these numbers
//! show it.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Embedder;
use super::embedder::embed_all;
use crate::data::GradedPair;
use crate::util::random;
use crate::{Embeddings, Result};

/// A mean cosine of different sentences above this is taken for a collapse.
/// Useful sentence encoders lie near 0 (contrastive training) to 0.6 (a plain
/// BERT's mean).
pub const MAX_MEAN_COSINE: f64 = 0.9;

/// A uniformity above this is taken for a collapse: were all cosines alike,
/// -0.5 would mean 0.875. Equal vectors have 0, vectors spread evenly -4.
pub const MAX_UNIFORMITY: f64 = -0.5;

/// Up to so many pairs of sentences, uniformity is over all of them; beyond,
/// over a sample of `SAMPLE`.
const MAX_PAIRS: usize = 4_000_000;
const SAMPLE: usize = 1_000_000;

/// How vectors are spread. Lower alignment and lower uniformity are better.
/// A number is `None` where there is nothing to take it over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// The mean squared distance of the normalised vectors of positive pairs:
    /// those graded at least 80 % of the scale. 0 to 4.
    pub alignment: Option<f64>,
    /// How many positive pairs there are.
    pub positives: usize,
    /// `log mean exp(-2 d^2)` over pairs of different sentences, `d` the
    /// distance of their normalised vectors. At most 0.
    pub uniformity: Option<f64>,
    /// How many pairs of sentences it is over; fewer than all where they are
    /// sampled.
    pub uniformity_pairs: usize,
    /// The mean cosine of different sentences, over all their pairs. Exact:
    /// the sum of all cosines is the squared length of the sum of vectors.
    pub mean_cosine: Option<f64>,
    /// How many different sentences there are.
    pub sentences: usize,
    /// How many of them have a vector that is zero or not finite. They are
    /// left out above.
    pub broken: usize,
}

impl Geometry {
    /// Measures the vectors of all sentences in `pairs`, graded on `scale`
    /// (lowest, highest). `seed` picks the sample where there is one.
    ///
    /// # Errors
    /// Those of the embedder.
    pub fn measure(
        embedder: &dyn Embedder,
        pairs: &[GradedPair],
        scale: (f64, f64),
        seed: u64,
    ) -> Result<Self> {
        let mut places = HashMap::new();
        let mut texts = Vec::new();
        let mut place = |text| {
            *places.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() - 1
            })
        };
        let least = scale.0 + 0.8 * (scale.1 - scale.0);
        let mut positives = Vec::new();
        for pair in pairs {
            let (first, second) = (place(pair.first.as_str()), place(pair.second.as_str()));
            // The slack takes in a grade of 0.8 that rounding puts below.
            if pair.label >= least - 1e-9 * (scale.1 - scale.0).abs() {
                positives.push((first, second));
            }
        }
        let embeddings = embed_all(embedder, &texts)?;
        Ok(Self::of(&embeddings, &positives, seed))
    }

    /// Measures vectors of different sentences. `positives` are rows that
    /// belong together, each below the number of rows.
    ///
    /// # Panics
    /// If a row in `positives` does not exist: a bug of the caller.
    pub fn of(embeddings: &Embeddings, positives: &[(usize, usize)], seed: u64) -> Self {
        let unit: Vec<Option<Vec<f32>>> = (0..embeddings.rows())
            .map(|i| normalised(embeddings.row(i)))
            .collect();
        let both = |&(a, b): &(usize, usize)| Some((unit[a].as_deref()?, unit[b].as_deref()?));
        let aligned: Vec<f64> = positives
            .iter()
            .filter_map(both)
            .map(|(a, b)| squared_distance(a, b))
            .collect();
        let used: Vec<&[f32]> = unit.iter().filter_map(Option::as_deref).collect();
        let (uniformity, uniformity_pairs) = uniformity(&used, seed);
        Self {
            alignment: mean(&aligned),
            positives: aligned.len(),
            uniformity,
            uniformity_pairs,
            mean_cosine: mean_cosine(&used, embeddings.dim()),
            sentences: unit.len(),
            broken: unit.len() - used.len(),
        }
    }

    /// What is wrong, if the vectors have collapsed or are broken: see
    /// [`MAX_MEAN_COSINE`] and [`MAX_UNIFORMITY`].
    pub fn collapse_warning(&self) -> Option<String> {
        if self.broken > 0 {
            return Some(format!(
                "{} of {} sentences have a vector that is zero or not finite; training may have diverged: lower the learning rate",
                self.broken, self.sentences
            ));
        }
        let what = match (self.mean_cosine, self.uniformity) {
            (Some(cosine), _) if cosine > MAX_MEAN_COSINE => {
                format!(
                    "the mean cosine of different sentences is {cosine:.3} (above {MAX_MEAN_COSINE})"
                )
            }
            (_, Some(uniformity)) if uniformity > MAX_UNIFORMITY => {
                format!("uniformity is {uniformity:.3} (above {MAX_UNIFORMITY})")
            }
            _ => return None,
        };
        Some(format!(
            "the vectors are nearly alike: {what}; if training led there, lower the learning rate; a contrastive objective spreads them"
        ))
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn normalised(row: &[f32]) -> Option<Vec<f32>> {
    let norm = row
        .iter()
        .map(|&v| f64::from(v).powi(2))
        .sum::<f64>()
        .sqrt();
    let usable = norm.is_finite() && norm > 0.0;
    usable.then(|| row.iter().map(|&v| (f64::from(v) / norm) as f32).collect())
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    // Separate lanes let the compiler use vector instructions; their order,
    // and so the result, is fixed.
    let mut lanes = [0f32; 16];
    let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let mut sum: f64 = rest.map(|(x, y)| f64::from(x - y).powi(2)).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += (x - y) * (x - y);
        }
    }
    sum += lanes.iter().map(|&v| f64::from(v)).sum::<f64>();
    sum
}

fn uniformity(unit: &[&[f32]], seed: u64) -> (Option<f64>, usize) {
    let n = unit.len();
    if n < 2 {
        return (None, 0);
    }
    let kernel = |i: usize, j: usize| (-2.0 * squared_distance(unit[i], unit[j])).exp();
    // Partial sums are collected in order and added up in order, so that the
    // result does not depend on the number of threads.
    let all = n * (n - 1) / 2;
    let (parts, count): (Vec<f64>, usize) = if all <= MAX_PAIRS {
        let row = |i: usize| (i + 1..n).map(|j| kernel(i, j)).sum();
        ((0..n).into_par_iter().map(row).collect(), all)
    } else {
        let drawn = |k: usize| {
            let i = draw(seed, 2 * k as u64, n);
            let j = draw(seed, 2 * k as u64 + 1, n - 1);
            kernel(i, if j < i { j } else { j + 1 })
        };
        ((0..SAMPLE).into_par_iter().map(drawn).collect(), SAMPLE)
    };
    let mean = parts.iter().sum::<f64>() / count as f64;
    (Some(mean.ln()), count)
}

/// A number below `n`, the `k`-th of `seed`.
fn draw(seed: u64, k: u64, n: usize) -> usize {
    ((u128::from(random(seed, k)) * n as u128) >> 64) as usize
}

fn mean_cosine(unit: &[&[f32]], dim: usize) -> Option<f64> {
    let n = unit.len() as f64;
    if n < 2.0 {
        return None;
    }
    let mut sum = vec![0f64; dim];
    let mut squares = 0.0;
    for row in unit {
        for (s, &v) in sum.iter_mut().zip(*row) {
            *s += f64::from(v);
            squares += f64::from(v).powi(2);
        }
    }
    let total: f64 = sum.iter().map(|s| s * s).sum();
    Some((total - squares) / (n * (n - 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dim: usize, data: &[f32], positives: &[(usize, usize)]) -> Geometry {
        Geometry::of(&Embeddings::new(dim, data.to_vec()), positives, 1)
    }

    #[test]
    fn numbers_are_those_of_the_formulas() {
        // Lengths do not matter: unit vectors at 0, 90 and 180 degrees.
        let g = of(2, &[2.0, 0.0, 0.0, 0.5, -1.0, 0.0], &[(0, 1), (0, 2)]);
        assert!((g.alignment.unwrap() - 3.0).abs() < 1e-6);
        let want = ((2.0 * (-4f64).exp() + (-8f64).exp()) / 3.0).ln();
        assert!((g.uniformity.unwrap() - want).abs() < 1e-6);
        assert!((g.mean_cosine.unwrap() + 1.0 / 3.0).abs() < 1e-6);
        assert_eq!((g.positives, g.uniformity_pairs, g.sentences), (2, 3, 3));
        assert_eq!(g.collapse_warning(), None);
    }

    #[test]
    fn collapse_and_broken_vectors_are_told() {
        let alike = of(2, &[1.0, 0.01, 1.0, 0.0, 1.0, -0.01], &[]);
        assert_eq!(alike.alignment, None);
        let warning = alike.collapse_warning().unwrap();
        assert!(warning.contains("mean cosine"), "{warning}");
        let broken = of(
            2,
            &[1.0, 0.0, f32::NAN, 0.0, 0.0, 0.0, 0.0, 1.0],
            &[(0, 1), (0, 3)],
        );
        assert_eq!((broken.broken, broken.positives), (2, 1));
        assert!((broken.mean_cosine.unwrap()).abs() < 1e-6);
        assert!(broken.collapse_warning().unwrap().starts_with("2 of 4"));
        let none = of(0, &[], &[]);
        assert_eq!((none.uniformity, none.mean_cosine), (None, None));
        assert_eq!(none.collapse_warning(), None);
    }

    #[test]
    fn the_lane_sum_takes_in_every_value() {
        let a: Vec<f32> = (0..37).map(|i| i as f32).collect();
        let b: Vec<f32> = (0..37).map(|i| (i + i % 3) as f32).collect();
        let want: f64 = (0..37).map(|i| f64::from((i % 3) * (i % 3))).sum();
        assert_eq!(squared_distance(&a, &b), want);
    }

    #[test]
    fn the_sample_agrees_with_all_pairs_and_repeats() {
        let n = 3000;
        let noise = |k| draw(7, k, 2001) as f32 / 1000.0 - 1.0;
        let data: Vec<f32> = (0..n * 4).map(|k| noise(k as u64)).collect();
        let sampled = of(4, &data, &[]);
        assert_eq!(sampled.uniformity_pairs, SAMPLE);
        assert_eq!(sampled, of(4, &data, &[]));
        let fewer = of(4, &data[..2800 * 4], &[]);
        assert_eq!(fewer.uniformity_pairs, 2800 * 2799 / 2);
        let (a, b) = (sampled.uniformity.unwrap(), fewer.uniformity.unwrap());
        assert!((a - b).abs() < 0.02, "{a} {b}");
    }
}
