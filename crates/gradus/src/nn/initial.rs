//! Values to begin training from.

use super::NamedView;
use gradus_kernels::dropout::mix64;

/// The standard deviation of BERT's initial weights.
const DEVIATION: f64 = 0.02;

/// Draws further from the mean than so many deviations are drawn again, as
/// TensorFlow's truncated normal does.
const TRUNCATED: f64 = 2.0;

/// A parameter's initial values as BERT has them: weights and tables from a
/// truncated normal distribution, biases 0, scales of layer norms 1. A function
/// of seed and name.
pub(crate) fn initial_values(named: &NamedView, seed: u64) -> Vec<f32> {
    let len = named.view.len();
    if named.name.ends_with("bias") {
        return vec![0.0; len];
    }
    if named.is_bias_or_norm() {
        return vec![1.0; len];
    }
    let key = named
        .name
        .bytes()
        .fold(mix64(seed ^ 0x0069_6e69_7469_616c), |key, byte| {
            mix64(key ^ u64::from(byte))
        });
    (0..len as u64)
        .map(|i| (DEVIATION * truncated_normal(mix64(key ^ i))) as f32)
        .collect()
}

/// A value of the standard normal distribution within [`TRUNCATED`].
fn truncated_normal(key: u64) -> f64 {
    for attempt in 0.. {
        let bits = mix64(key ^ attempt << 1);
        // Box and Muller 1958; the first factor must not be 0.
        let unit = |bits: u64| (bits + 1) as f64 / (1u64 << 32) as f64;
        let radius = (-2.0 * unit(bits >> 32).ln()).sqrt();
        let value = radius * (std::f64::consts::TAU * unit(bits & 0xFFFF_FFFF)).cos();
        if value.abs() <= TRUNCATED {
            return value;
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_kernels::View;

    fn values(name: &str, seed: u64) -> Vec<f32> {
        let named = NamedView {
            name: name.into(),
            view: View::new(0, 200, 100),
            // As layouts have it: all but matrices.
            vector: name.contains("orm.") || name.ends_with("bias"),
            layer: None,
        };
        initial_values(&named, seed)
    }

    #[test]
    fn weights_are_a_truncated_normal_distribution() {
        let drawn = values("dense.weight", 3);
        let n = drawn.len() as f64;
        let wide = || drawn.iter().map(|&x| f64::from(x) / DEVIATION);
        let mean = wide().sum::<f64>() / n;
        let variance = wide().map(|x| x * x).sum::<f64>() / n;
        assert!(wide().all(|x| x.abs() <= TRUNCATED + 1e-6));
        // A standard normal distribution cut at two deviations has variance
        // 1 - 4 density(2) / (2 Phi(2) - 1) = 0.7737.
        assert!(mean.abs() < 4.0 / n.sqrt(), "{mean}");
        assert!(
            (variance - 0.7737).abs() < 4.0 * 1.0 / n.sqrt(),
            "{variance}"
        );
        let inside = wide().filter(|x| x.abs() < 1.0).count() as f64 / n;
        assert!((inside - 0.6827 / 0.9545).abs() < 0.015, "{inside}");
    }

    #[test]
    fn values_depend_on_seed_and_name() {
        let base = values("a.weight", 1);
        assert_eq!(base, values("a.weight", 1));
        assert_ne!(base, values("a.weight", 2));
        assert_ne!(base, values("b.weight", 1));
        assert!(values("a.bias", 1).iter().all(|&x| x == 0.0));
        for norm in ["x.LayerNorm.weight", "lm_head.layer_norm.weight"] {
            assert!(values(norm, 1).iter().all(|&x| x == 1.0));
        }
    }
}
