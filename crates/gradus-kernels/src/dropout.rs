//! Dropout from a counter-based generator.
//!
//! A mask is a pure function of (seed, step, site, sequence stream, row in the
//! sequence, column). So backward regenerates what forward used, a sequence
//! re-encoded in another chunk meets the same mask, and neither batch order
//! nor thread count matters.

/// One dropout site of one training step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Probability that a value is dropped, in `[0, 1)`.
    pub p: f32,
    /// The run's seed mixed with the step; see [`Dropout::for_step`].
    pub key: u64,
    /// Which dropout layer this is; unique within the network.
    pub site: u32,
}

impl Dropout {
    /// The dropout of probability `p` for one optimiser step of a run.
    pub fn for_step(p: f32, seed: u64, step: u64) -> Self {
        Self {
            p,
            key: mix64(mix64(seed ^ 0x6772_6164_7573) ^ step),
            site: 0,
        }
    }

    /// The same step's dropout at another site, with that site's probability.
    pub fn at(self, site: u32, p: f32) -> Self {
        Self { site, p, ..self }
    }

    /// A value is dropped where its 16 random bits are below this.
    #[inline(always)]
    pub fn threshold(&self) -> u32 {
        (self.p.clamp(0.0, 0.9999) * 65536.0).round() as u32
    }

    /// What kept values are multiplied by; exact for the threshold used.
    #[inline(always)]
    pub fn scale(&self) -> f32 {
        65536.0 / (65536 - self.threshold()) as f32
    }

    /// The key of one row of one sequence, whose dropout stream this is.
    #[inline(always)]
    pub fn row_key(&self, stream: u64, row: usize) -> u32 {
        let sequence = mix64(self.key ^ mix64(stream ^ (u64::from(self.site) << 32)));
        let row = mix64(sequence ^ row as u64);
        (row >> 32) as u32 ^ row as u32
    }

    /// The key of the probabilities of query `i` of one head: heads count as rows
    /// of their own.
    #[inline(always)]
    pub fn head_row_key(&self, stream: u64, head: usize, i: usize) -> u32 {
        self.row_key(stream, (head << 32) | i)
    }

    /// Multiplies `values`, one row, by the row's mask. Every backend drops what
    /// this drops.
    #[inline(always)]
    pub fn apply(&self, values: &mut [f32], row_key: u32) {
        let (threshold, scale) = (self.threshold(), self.scale());
        // Each 32-bit hash serves one column of the left half and one of the
        // right half, which keeps both loops free of shuffles.
        let half = values.len().div_ceil(2);
        let (left, right) = values.split_at_mut(half);
        for (c, value) in left.iter_mut().enumerate() {
            let bits = hash32(row_key.wrapping_add((c as u32).wrapping_mul(0x9E37_79B9))) & 0xFFFF;
            *value *= if bits < threshold { 0.0 } else { scale };
        }
        for (c, value) in right.iter_mut().enumerate() {
            let bits = hash32(row_key.wrapping_add((c as u32).wrapping_mul(0x9E37_79B9))) >> 16;
            *value *= if bits < threshold { 0.0 } else { scale };
        }
    }
}

/// SplitMix64's finaliser (Steele, Lea & Flood 2014).
#[inline(always)]
pub fn mix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A 32-bit integer hash with low bias (multipliers found by C. Wellons).
#[inline(always)]
fn hash32(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(dropout: Dropout, stream: u64, row: usize, cols: usize) -> Vec<f32> {
        let mut values = vec![1.0; cols];
        dropout.apply(&mut values, dropout.row_key(stream, row));
        values
    }

    #[test]
    fn drops_the_stated_share_and_keeps_the_mean() {
        let dropout = Dropout::for_step(0.1, 7, 3).at(5, 0.1);
        let (mut dropped, mut sum, rows, cols) = (0, 0.0f64, 400, 257);
        for row in 0..rows {
            for value in mask(dropout, 11, row, cols) {
                dropped += usize::from(value == 0.0);
                sum += f64::from(value);
            }
        }
        let n = (rows * cols) as f64;
        // Four standard deviations of a binomial share.
        let bound = 4.0 * (0.1 * 0.9 / n).sqrt();
        assert!((dropped as f64 / n - 0.1).abs() < bound, "{dropped}");
        assert!((sum / n - 1.0).abs() < bound * 1.2, "{sum}");
    }

    #[test]
    fn masks_differ_by_every_part_of_the_key() {
        let base = Dropout::for_step(0.5, 7, 3).at(1, 0.5);
        let reference = mask(base, 2, 0, 64);
        assert_eq!(reference, mask(base, 2, 0, 64));
        assert_ne!(reference, mask(base, 3, 0, 64));
        assert_ne!(reference, mask(base, 2, 1, 64));
        assert_ne!(reference, mask(base.at(2, 0.5), 2, 0, 64));
        assert_ne!(
            reference,
            mask(Dropout::for_step(0.5, 8, 3).at(1, 0.5), 2, 0, 64)
        );
        assert_ne!(
            reference,
            mask(Dropout::for_step(0.5, 7, 4).at(1, 0.5), 2, 0, 64)
        );
    }

    #[test]
    fn neighbouring_columns_and_rows_are_uncorrelated() {
        let dropout = Dropout::for_step(0.5, 1, 1).at(0, 0.5);
        let rows: Vec<Vec<f32>> = (0..200).map(|r| mask(dropout, 0, r, 200)).collect();
        let correlation = |pairs: &mut dyn Iterator<Item = (f32, f32)>| {
            let (mut sum, mut n) = (0.0f64, 0.0f64);
            for (a, b) in pairs {
                sum += f64::from(a - 1.0) * f64::from(b - 1.0);
                n += 1.0;
            }
            sum / n
        };
        let columns =
            correlation(&mut rows.iter().flat_map(|r| r.windows(2).map(|w| (w[0], w[1]))));
        let lines = correlation(
            &mut rows
                .windows(2)
                .flat_map(|w| w[0].iter().copied().zip(w[1].iter().copied())),
        );
        assert!(
            columns.abs() < 0.025 && lines.abs() < 0.025,
            "{columns} {lines}"
        );
    }
}
