//! How alike the two texts of a pair are, with gradients.

use crate::losses::Input;
use crate::losses::directions::{Directions, dot};
use serde::{Deserialize, Serialize};

/// The similarity that an ordering objective trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairSimilarity {
    /// The cosine.
    #[default]
    Cosine,
    /// The angle in complex space of AnglE (Li & Li 2024, equation 5): the
    /// halves of a vector are real and imaginary parts of complex numbers,
    /// `s = |sum of the parts of u / v|` over the ratio of the lengths. It has
    /// slopes where the cosine is flat. The last value of a vector of odd width
    /// does not count.
    Angle,
}

/// The similarities of a batch's pairs.
pub(crate) struct Similarities {
    kind: PairSimilarity,
    first: Directions,
    second: Directions,
    pub values: Vec<f64>,
}

impl Similarities {
    pub fn of(kind: PairSimilarity, input: &Input<'_>) -> Self {
        let n = input.examples();
        let first = Directions::of(input.embeddings, 0, n);
        let second = Directions::of(input.embeddings, n, n);
        let values = (0..n)
            .map(|i| match kind {
                PairSimilarity::Cosine => dot(first.row(i), second.row(i)),
                PairSimilarity::Angle => dot(&turned(first.row(i)), second.row(i)).abs(),
            })
            .collect();
        Self {
            kind,
            first,
            second,
            values,
        }
    }

    /// The gradients of the embeddings, `[2 n, dim]`, from those of the
    /// similarities.
    pub fn gradients(&self, slopes: &[f64], gradients: &mut [f32]) {
        let n = slopes.len();
        let dim = gradients.len().checked_div(2 * n).unwrap_or(0);
        let (firsts, seconds) = gradients.split_at_mut(n * dim);
        for (i, &slope) in slopes.iter().enumerate() {
            let (u, v) = (self.first.row(i), self.second.row(i));
            let own = i * dim..(i + 1) * dim;
            let (to_first, to_second) = match self.kind {
                PairSimilarity::Cosine => (scaled(v, slope), scaled(u, slope)),
                PairSimilarity::Angle => {
                    let turned_u = turned(u);
                    let sign = dot(&turned_u, v).signum();
                    (
                        scaled(&turned_back(v), sign * slope),
                        scaled(&turned_u, sign * slope),
                    )
                }
            };
            self.first
                .add_across(i, &to_first, &mut firsts[own.clone()]);
            self.second.add_across(i, &to_second, &mut seconds[own]);
        }
    }
}

fn scaled(x: &[f32], factor: f64) -> Vec<f32> {
    x.iter().map(|x| (f64::from(*x) * factor) as f32).collect()
}

/// `(a + b, b - a)` of the halves `a` and `b`: its product with `(c, d)` is the
/// sum of real and imaginary parts of `(a + ib) / (c + id)`, but for the
/// length of the divisor.
fn turned(x: &[f32]) -> Vec<f32> {
    combined(x, |a, b| (a + b, b - a))
}

/// The transposed of [`turned`].
fn turned_back(x: &[f32]) -> Vec<f32> {
    combined(x, |c, d| (c - d, c + d))
}

fn combined(x: &[f32], f: impl Fn(f32, f32) -> (f32, f32)) -> Vec<f32> {
    let half = x.len() / 2;
    let mut out = vec![0.0; x.len()];
    for i in 0..half {
        (out[i], out[half + i]) = f(x[i], x[half + i]);
    }
    out
}
