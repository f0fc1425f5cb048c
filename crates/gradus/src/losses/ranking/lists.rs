//! Lists of similarities, one a text, and probabilities over them.

use crate::Embeddings;
use crate::losses::Input;
use crate::losses::directions::{Cosines, Directions};
use crate::losses::pairwise::{Pairwise, add};

/// The cosines between the two views of a batch; with one view, which then
/// stands for both, those within it.
pub(crate) struct Views<'a> {
    of: Pairwise<'a>,
    views: usize,
    pub cosines: Cosines,
}

impl<'a> Views<'a> {
    pub fn of(input: &Input<'a>) -> Self {
        let n = input.examples();
        let views = (input.texts.len() / n.max(1)).max(1);
        let second = if views > 1 { n } else { 0 };
        let (of, cosines) = Pairwise::of(input, 0..n, second..second + n);
        Self { of, views, cosines }
    }

    /// The gradients of the embeddings from those of the cosines.
    pub fn gradients(&self, slopes: &Cosines, gradients: &mut [f32]) {
        let of_first = gradients.len() / self.views;
        let (firsts, seconds) = gradients.split_at_mut(of_first);
        let [of_firsts, of_seconds] = self.of.gradients(slopes);
        add(firsts, &of_firsts);
        add(
            if seconds.is_empty() { firsts } else { seconds },
            &of_seconds,
        );
    }
}

/// A teacher's cosines between the texts of a batch, `[n, dim]`.
pub(crate) fn teacher_cosines(vectors: &Embeddings) -> Cosines {
    let directions = Directions::of(vectors, 0, vectors.rows());
    directions.cosines(&directions)
}

/// Which texts of a batch stand in list `i`.
pub(crate) fn members(n: usize, i: usize, include_self: bool) -> Vec<usize> {
    (0..n).filter(|&j| include_self || j != i).collect()
}

/// The logarithms of `softmax(values / temperature)`.
pub(crate) fn log_softmax(values: &[f64], temperature: f64) -> Vec<f64> {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = values
        .iter()
        .map(|v| ((v - most) / temperature).exp())
        .sum();
    let log = sum.ln();
    values
        .iter()
        .map(|v| (v - most) / temperature - log)
        .collect()
}

/// The values of a list.
pub(crate) fn picked(row: &[f32], members: &[usize]) -> Vec<f64> {
    members.iter().map(|&j| f64::from(row[j])).collect()
}
