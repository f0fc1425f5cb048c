//! A token out of the scores of all.

use crate::recipe::Fill;

/// A token for a place, given the score of each; `draw` in `[0, 1)` decides
/// where chance does.
pub(crate) fn choose(scores: &[f32], fill: Fill, draw: f64, spare: &mut Vec<f64>) -> u32 {
    match fill {
        Fill::Argmax => likeliest(scores),
        Fill::Sample => drawn(scores, draw, spare),
    }
}

/// The first of the highest scores.
fn likeliest(scores: &[f32]) -> u32 {
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = i;
        }
    }
    best as u32
}

/// A token by the softmax of the scores: the one in whose share of `[0, 1)` the
/// draw falls.
fn drawn(scores: &[f32], draw: f64, spare: &mut Vec<f64>) -> u32 {
    let best = likeliest(scores);
    let highest = f64::from(scores.get(best as usize).copied().unwrap_or(0.0));
    spare.clear();
    spare.extend(scores.iter().map(|&s| (f64::from(s) - highest).exp()));
    let mut left = draw * spare.iter().sum::<f64>();
    for (i, share) in spare.iter().enumerate() {
        left -= share;
        if left < 0.0 {
            return i as u32;
        }
    }
    // Rounding, or scores that are no numbers.
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_kernels::dropout::mix64;

    #[test]
    fn the_first_of_the_highest_is_likeliest() {
        assert_eq!(likeliest(&[0.5, 2.0, -1.0, 2.0]), 1);
        assert_eq!(likeliest(&[f32::NEG_INFINITY, -3.0]), 1);
        assert_eq!(likeliest(&[f32::NAN, f32::NAN]), 0);
        assert_eq!(drawn(&[f32::NAN, 1.0], 0.3, &mut vec![]), 0);
    }

    #[test]
    fn pieces_are_drawn_by_their_probability() {
        let scores = [1.0f32, -2.0, 0.0, 2.5, f32::NEG_INFINITY];
        let total: f64 = scores.iter().map(|&s| f64::from(s).exp()).sum();
        let draws = 40_000u64;
        let mut counts = [0usize; 5];
        let mut spare = vec![];
        for i in 0..draws {
            let draw = (mix64(i) >> 11) as f64 / (1u64 << 53) as f64;
            counts[choose(&scores, Fill::Sample, draw, &mut spare) as usize] += 1;
        }
        for (score, count) in scores.iter().zip(counts) {
            let p = f64::from(*score).exp() / total;
            let deviation = (p * (1.0 - p) / draws as f64).sqrt();
            let got = count as f64 / draws as f64;
            assert!((got - p).abs() <= 5.0 * deviation, "{got} {p}");
        }
        // The ends of the interval.
        assert_eq!(drawn(&scores, 0.0, &mut spare), 0);
        assert_eq!(drawn(&scores, 1.0 - 1e-16, &mut spare), 3);
    }
}
