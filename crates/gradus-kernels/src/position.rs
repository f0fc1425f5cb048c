//! What attention may know of positions beside what the embeddings hold.

use crate::View;

/// Rotary positions (Su et al. 2021): with `d` values in a head, value `i` and
/// value `i + d / 2` of every query and key are turned as a point of the plane
/// by the angle `position * base^(-2 i / d)`, for `i` below `d / 2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rotary {
    /// The ratio of the fastest turn to the slowest, nearly.
    pub base: f32,
}

/// A bias on attention's scores that depends on the head and on how far the key
/// stands behind the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DistanceBias {
    /// `-slope * |distance|` with the slopes of [`alibi_slopes`]: ALiBi (Press
    /// et al. 2022) for encoders, which look both ways.
    Alibi,
    /// A learned value, `table[bucket][head]`, with the buckets of
    /// [`DistanceBias::bucket`].
    Learned {
        /// `[buckets, heads]`.
        table: View,
        /// Larger distances share the last bucket of their direction.
        max_distance: usize,
    },
}

impl DistanceBias {
    /// The bucket of a key that stands `distance` tokens behind its query, as in
    /// T5 (Raffel et al. 2020) for attention in both directions.
    ///
    /// Half of the buckets are for keys in front of the query, the other half
    /// for those behind. The first half of each holds one distance a bucket,
    /// the rest grow with the logarithm up to `max_distance`.
    pub fn bucket(distance: isize, buckets: usize, max_distance: usize) -> usize {
        let half = buckets / 2;
        let side = if distance > 0 { half } else { 0 };
        let far = distance.unsigned_abs();
        let exact = half / 2;
        if far < exact || exact == 0 {
            return side + far.min(half.saturating_sub(1));
        }
        let ratio = |n: usize| (n as f64 / exact as f64).ln();
        let steps = ratio(far) / ratio(max_distance.max(exact + 1)) * (half - exact) as f64;
        side + (exact + steps as usize).min(half - 1)
    }
}

/// ALiBi's slope of each head: for `n` heads, `n` a power of two, the powers of
/// `2^(-8/n)` from the first on; for another number those of the power of two
/// below it and then every other one of those for twice that many (Press et al.
/// 2022, and their code for other numbers).
pub fn alibi_slopes(heads: usize) -> Vec<f32> {
    let whole = |n: usize| (1..=n).map(move |i| (-8.0 * i as f64 / n as f64).exp2() as f32);
    let below = match heads.is_power_of_two() {
        true => heads,
        false => heads.next_power_of_two() / 2,
    };
    let between = whole(2 * below).step_by(2);
    whole(below).chain(between).take(heads).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_of_eight_and_of_twelve_heads() {
        let eight: Vec<f32> = (1..=8).map(|i| 0.5f32.powi(i)).collect();
        assert_eq!(alibi_slopes(8), eight);
        let twelve = alibi_slopes(12);
        assert_eq!(twelve[..8], eight);
        for (slope, power) in twelve[8..].iter().zip([0.5f32, 1.5, 2.5, 3.5]) {
            assert!((slope - 2f32.powf(-power)).abs() < 1e-7, "{twelve:?}");
        }
        assert_eq!(alibi_slopes(1), [2f32.powi(-8)]);
        assert_eq!(alibi_slopes(0), []);
    }

    #[test]
    fn buckets_of_32_up_to_128() {
        let bucket = |d| DistanceBias::bucket(d, 32, 128);
        // Computed in PyTorch by MPNet's formula.
        for (distance, expected) in [
            (0, 0),
            (-1, 1),
            (-7, 7),
            (-8, 8),
            (-11, 8),
            (-12, 9),
            (-15, 9),
            (-16, 10),
            (-31, 11),
            (-32, 12),
            (-64, 14),
            (-90, 14),
            (-91, 15),
            (-128, 15),
            (-5000, 15),
            (1, 17),
            (8, 24),
            (128, 31),
        ] {
            assert_eq!(bucket(distance), expected, "{distance}");
        }
    }

    #[test]
    fn odd_numbers_of_buckets_stay_inside() {
        for buckets in 1..40 {
            for distance in -300..300 {
                let bucket = DistanceBias::bucket(distance, buckets, 4);
                assert!(bucket < buckets, "{distance}: {bucket} of {buckets}");
            }
        }
    }
}
