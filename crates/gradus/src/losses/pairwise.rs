//! All texts of a batch with all others: on the host, or by whoever does it faster.

use super::Input;
use super::directions::{Cosines, Directions};
use std::fmt::Debug;
use std::ops::Range;

/// Compares texts elsewhere than on the host, such as on a device. Rows follow each other; all
/// have a length above 0.
pub trait Comparer: Debug + Sync {
    /// The cosine of each of the `first` rows with each of the `second`: `[first, second]`.
    fn cosines(&self, dim: usize, first: &[f32], second: &[f32]) -> Vec<f32>;
    /// The gradients of both by those of their cosines, `slopes`.
    fn gradients(&self, dim: usize, first: &[f32], second: &[f32], slopes: &[f32])
    -> [Vec<f32>; 2];
}

/// From so many cosines on it pays to move texts and slopes to and fro.
const MANY: usize = 64 * 64;

/// The texts of two ranges of a batch.
pub(crate) struct Pairwise<'a> {
    dim: usize,
    first: &'a [f32],
    second: &'a [f32],
    by: By<'a>,
}

enum By<'a> {
    Host([Directions; 2]),
    Other(&'a dyn Comparer),
}

impl<'a> Pairwise<'a> {
    /// With all their cosines.
    pub fn of(input: &Input<'a>, first: Range<usize>, second: Range<usize>) -> (Self, Cosines) {
        let (all, dim) = (input.embeddings.as_slice(), input.embeddings.dim());
        let rows = |of: &Range<usize>| &all[of.start * dim..of.end * dim];
        let many = first.len() * second.len() >= MANY;
        let (first, second) = (rows(&first), rows(&second));
        let by = match input
            .comparer
            .filter(|_| many && have_directions(dim, [first, second]))
        {
            Some(comparer) => By::Other(comparer),
            None => By::Host([first, second].map(|rows| Directions::of_rows(dim, rows))),
        };
        let cosines = match &by {
            By::Host([first, second]) => first.cosines(second),
            By::Other(comparer) => Cosines {
                cols: second.len() / dim,
                values: comparer.cosines(dim, first, second),
            },
        };
        let own = Self {
            dim,
            first,
            second,
            by,
        };
        (own, cosines)
    }

    /// The gradients of both, by those of their cosines.
    pub fn gradients(&self, slopes: &Cosines) -> [Vec<f32>; 2] {
        match &self.by {
            By::Other(comparer) => {
                comparer.gradients(self.dim, self.first, self.second, &slopes.values)
            }
            By::Host([first, second]) => {
                let mut both = [vec![0.0; self.first.len()], vec![0.0; self.second.len()]];
                first.add_gradients(slopes, second, &mut both[0]);
                second.add_gradients(&slopes.transposed(), first, &mut both[1]);
                both
            }
        }
    }
}

/// Whether no row is zero, which only the host takes.
fn have_directions(dim: usize, all: [&[f32]; 2]) -> bool {
    let mut rows = all
        .into_iter()
        .flat_map(|rows| rows.chunks_exact(dim.max(1)));
    rows.all(|row| row.iter().any(|x| *x != 0.0))
}

/// Adds values to others, one by one.
pub(crate) fn add(to: &mut [f32], values: &[f32]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to += value;
    }
}
