//! How well a student ranks pairs as its teacher does.

use crate::eval::{Correlation, PairScores, spearman};
use crate::util::atomic::write_file;
use crate::{Embeddings, Error, Result};
use gradus_kernels::dropout::mix64;
use std::path::Path;

/// The pairs that each text held out is the first of.
const PAIRS_EACH: usize = 5;

/// Random pairs of texts held out, with the teacher's cosine of each. No labels
/// are needed: the grade of a pair is what the teacher says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    pairs: Vec<(usize, usize)>,
    cosines: Vec<f64>,
}

impl Agreement {
    /// Draws pairs of the texts that the teacher gave these vectors.
    pub fn new(teacher: &Embeddings, seed: u64) -> Self {
        let pairs = draw(teacher.rows(), seed);
        let cosines = PairScores::of_rows(teacher, None, &pairs).raw;
        Self { pairs, cosines }
    }

    /// Spearman's correlation of a student's cosines and the teacher's, given its
    /// vectors of the same texts.
    pub fn of(&self, student: &Embeddings) -> Correlation {
        let cosines = PairScores::of_rows(student, None, &self.pairs).raw;
        spearman(&cosines, &self.cosines)
    }

    /// Writes the pairs as a file of graded pairs: cosine, first, second.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path, texts: &[String]) -> Result<()> {
        write_file(path, |out| {
            for ((a, b), cosine) in self.pairs.iter().zip(&self.cosines) {
                let line = format!("{cosine}\t{}\t{}\n", texts[*a], texts[*b]);
                out.write_all(line.as_bytes()).map_err(Error::io(path))?;
            }
            Ok(())
        })
    }
}

/// Each of `n` texts with a few others.
fn draw(n: usize, seed: u64) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for first in 0..n {
        for round in 0..PAIRS_EACH.min(n.saturating_sub(1)) {
            let key = mix64(seed ^ mix64((first * PAIRS_EACH + round) as u64));
            let step = 1 + key as usize % (n - 1);
            pairs.push((first, (first + step) % n));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(dim: usize, turn: f32) -> Embeddings {
        let value = |i: usize| (mix64(i as u64) >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
        let values = (0..40 * dim).map(|i| value(i) + turn * value(i + 9999));
        Embeddings::new(dim, values.collect())
    }

    #[test]
    fn a_teacher_agrees_with_itself_and_others_less() {
        let teacher = vectors(8, 0.0);
        let agreement = Agreement::new(&teacher, 1);
        assert_eq!(agreement.pairs.len(), 40 * PAIRS_EACH);
        assert!(agreement.pairs.iter().all(|(a, b)| a != b));
        let of = |turn| agreement.of(&vectors(8, turn)).value().unwrap();
        assert!((of(0.0) - 1.0).abs() < 1e-12);
        assert!(of(0.3) < 1.0 && of(0.3) > of(3.0));
        assert_ne!(draw(40, 1), draw(40, 2));
        assert!(draw(1, 1).is_empty() && draw(0, 1).is_empty());
    }
}
