//! Weights as bytes: what `int8` means on every device, and in saved models.
//!
//! A row of a weight, which makes one value of a layer's output, has a scale `s` and
//! values `q` from -127 to 127: `w ~ s q`. The scale is the least number of 16
//! significant bits for which no value needs a larger byte. So `s q` is exact in f32, and a model
//! whose weights were read back from bytes has the same bytes again.

/// The largest byte; -128 is not used, so that the range is symmetric.
pub const MOST: f32 = 127.0;

/// The bits of an f32 behind its first 16 significant ones.
const REST: u32 = (1 << 8) - 1;

/// Writes a row of a weight as bytes and returns its scale. A row of zeros, or of numbers
/// too small to be told from them, has scale 0; one with a value that is not finite has
/// scale NaN.
///
/// # Panics
/// Unless `out` is as long as `row`.
pub fn quantize(row: &[f32], out: &mut [i8]) -> f32 {
    assert_eq!(row.len(), out.len());
    let scale = scale_of(row);
    // Tests that are false for NaN.
    if scale > 0.0 {
        for (q, w) in out.iter_mut().zip(row) {
            *q = (w / scale).round_ties_even() as i8;
        }
    } else {
        out.fill(0);
    }
    scale
}

/// The value of a byte.
#[inline(always)]
pub fn value(q: i8, scale: f32) -> f32 {
    f32::from(q) * scale
}

fn scale_of(row: &[f32]) -> f32 {
    if row.iter().any(|w| !w.is_finite()) {
        return f32::NAN;
    }
    let most = row.iter().fold(0f32, |most, w| most.max(w.abs()));
    let scale = most / MOST;
    if scale < f32::MIN_POSITIVE * 256.0 {
        return 0.0;
    }
    let up = f32::from_bits((scale.to_bits() + REST) & !REST);
    // Near the largest f32 the next number might be too large.
    match (MOST * up).is_finite() {
        true => up,
        false => f32::from_bits(scale.to_bits() & !REST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edges() {
        let mut out = [9; 3];
        assert_eq!(quantize(&[0.0; 3], &mut out), 0.0);
        assert_eq!(out, [0; 3]);
        assert_eq!(quantize(&[1e-40, -1e-41, 0.0], &mut out), 0.0);
        assert!(quantize(&[1.0, f32::NAN, 0.0], &mut out).is_nan());
        assert!(quantize(&[1.0, f32::INFINITY, 0.0], &mut out).is_nan());
        assert_eq!(out, [0; 3]);
        assert_eq!(quantize(&[127.0, -127.0, 1.4], &mut out), 1.0);
        assert_eq!(out, [127, -127, 1]);
        let large = quantize(&[f32::MAX, -f32::MAX, 0.0], &mut out);
        assert!(
            large.is_finite() && value(127, large).is_finite(),
            "{large}"
        );
    }

    proptest! {
        #[test]
        fn values_are_near_and_have_the_same_bytes_again(
            row in prop::collection::vec(-3.0f32..3.0, 1..70),
            power in -30i32..30,
        ) {
            let row: Vec<f32> = row.iter().map(|w| w * 2f32.powi(power)).collect();
            let mut bytes = vec![0; row.len()];
            let scale = quantize(&row, &mut bytes);
            let back: Vec<f32> = bytes.iter().map(|q| value(*q, scale)).collect();
            for (w, b) in row.iter().zip(&back) {
                prop_assert!((w - b).abs() <= 0.5 * scale * 1.0001, "{w} {b} {scale}");
            }
            let mut again = vec![0; row.len()];
            prop_assert_eq!(quantize(&back, &mut again), scale);
            prop_assert_eq!(again, bytes);
        }
    }
}
