//! Row arithmetic written so that the compiler vectorises it at any width.
//!
//! Sums go through a fixed number of lanes that are then combined in a fixed
//! order, so every instruction set gives the same bits.

/// Values of a vector.
pub(super) const LANES: usize = 16;

#[inline(always)]
fn combine(lanes: [f32; LANES], two: impl Fn(f32, f32) -> f32) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|i| two(lanes[i], lanes[i + 8]));
    let four: [f32; 4] = std::array::from_fn(|i| two(eight[i], eight[i + 4]));
    two(two(four[0], four[2]), two(four[1], four[3]))
}

/// Sums that run side by side, so that none waits for another.
const CHAINS: usize = 4;

/// Adds up pairs of values, which `f(x, y, sum)` does, in lane order.
#[inline(always)]
fn lane_sum(x: &[f32], y: &[f32], f: impl Fn(f32, f32, f32) -> f32) -> f32 {
    const BLOCK: usize = CHAINS * LANES;
    let y = &y[..x.len()];
    let mut chains = [[0f32; LANES]; CHAINS];
    let ((xs, x), (ys, y)) = (x.as_chunks::<BLOCK>(), y.as_chunks::<BLOCK>());
    for (x, y) in xs.iter().zip(ys) {
        for (c, lanes) in chains.iter_mut().enumerate() {
            for (l, lane) in lanes.iter_mut().enumerate() {
                *lane = f(x[c * LANES + l], y[c * LANES + l], *lane);
            }
        }
    }
    let [mut a, b, c, d] = chains;
    let ((xs, x), (ys, y)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in xs.iter().zip(ys) {
        for (l, lane) in a.iter_mut().enumerate() {
            *lane = f(x[l], y[l], *lane);
        }
    }
    for ((lane, x), y) in a.iter_mut().zip(x).zip(y) {
        *lane = f(*x, *y, *lane);
    }
    let lanes = std::array::from_fn(|l| (a[l] + b[l]) + (c[l] + d[l]));
    combine(lanes, |a, b| a + b)
}

#[inline(always)]
pub(super) fn sum(x: &[f32]) -> f32 {
    lane_sum(x, x, |x, _, sum| sum + x)
}

#[inline(always)]
pub(super) fn dot(x: &[f32], y: &[f32]) -> f32 {
    lane_sum(x, y, f32::mul_add)
}

/// The largest value; negative infinity of none.
#[inline(always)]
pub(super) fn max(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = if x > *lane { x } else { *lane };
    }
    combine(lanes, f32::max)
}

/// The sum of squared distances from `center`.
#[inline(always)]
pub(super) fn squares_about(x: &[f32], center: f32) -> f32 {
    lane_sum(x, x, |x, _, sum| {
        let d = x - center;
        d.mul_add(d, sum)
    })
}

/// `y += a * x`.
#[inline(always)]
pub(super) fn axpy(y: &mut [f32], a: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = a.mul_add(*x, *y);
    }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(super) fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `x * scale + bias`.
#[inline(always)]
pub(super) fn scale_and_add(row: &mut [f32], scale: f32, bias: &[f32]) {
    for (x, bias) in row.iter_mut().zip(bias) {
        *x = x.mul_add(scale, *bias);
    }
}

/// `len` rounded up to whole vectors.
pub(super) fn padded(len: usize) -> usize {
    len.next_multiple_of(LANES)
}

/// e^x, to about two units in the last place; 0 below -87.3.
///
/// Cody-Waite reduction to `[-ln2/2, ln2/2]` and the Taylor polynomial of
/// degree 7, whose remainder there is below 1e-8.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.3, 88.3);
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-0.693_359_4, clamped);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.0 / 5040.0;
    let p = r.mul_add(p, 1.0 / 720.0);
    let p = r.mul_add(p, 1.0 / 120.0);
    let p = r.mul_add(p, 1.0 / 24.0);
    let p = r.mul_add(p, 1.0 / 6.0);
    let p = r.mul_add(p, 0.5);
    let p = r.mul_add(p, 1.0);
    let p = r.mul_add(p, 1.0);
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let power = f32::from_bits(n.wrapping_add(127) << 23);
    if x < -87.3 { 0.0 } else { p * power }
}

/// 2^x to 3e-6 of it, below what rounding to bf16 leaves; 0 from -127 down, and NaN of
/// NaN.
///
/// The polynomial on `[-1/2, 1/2]` is 1 at 0 and else the least-squares one,
/// reweighted until its largest relative error was least.
#[inline(always)]
pub(super) fn coarse_exp2(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    // At the bound the power's bits come out as zero.
    let x = if x < -127.0 { -127.0 } else { x };
    let shifted = x + ROUND;
    let r = x - (shifted - ROUND);
    let p = 0.009_582_853f32;
    let p = r.mul_add(p, 0.055_906_426);
    let p = r.mul_add(p, 0.240_240_99);
    let p = r.mul_add(p, 0.693_124_2);
    let p = r.mul_add(p, 1.0);
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// Hyperbolic tangent, to about 2e-7.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let e = exp(2.0 * x.abs());
    let t = 1.0 - 2.0 / (e + 1.0);
    // Near zero the subtraction cancels; the odd series does not.
    let x2 = x * x;
    let series = x * (1.0 - x2 * (1.0 / 3.0 - x2 * (2.0 / 15.0)));
    if x.abs() < 0.04 {
        series
    } else {
        t.copysign(x)
    }
}

/// The normal distribution function at `x`, to 1.1e-7.
///
/// `1/2 + x p(x^2)` up to 5.5, and 0 and 1 beyond, which is 1.9e-8 off; `p` is the
/// polynomial of degree 15 in `2 x^2 / 5.5^2 - 1` that has the least errors of `x` times
/// the function, found as [`coarse_gelu`]'s: without division and power, which take
/// longer than all of it.
#[inline(always)]
pub(super) fn distribution(x: f32) -> f32 {
    const P: [f32; 16] = [
        0.128_551_93,
        -0.064_172_34,
        0.047_737_45,
        -0.038_792_413,
        0.032_073_72,
        -0.026_053_87,
        0.020_339_614,
        -0.014_963_74,
        0.010_312_143,
        -0.006_929_988_5,
        0.004_477_472_5,
        -0.002_240_130_7,
        0.000_841_191_7,
        -0.000_673_344_9,
        0.000_592_035_6,
        -0.000_190_642_04,
    ];
    const BOUND: f32 = 5.5;
    let c = x.clamp(-BOUND, BOUND);
    let u = (c * c).mul_add(2.0 / (BOUND * BOUND), -1.0);
    let inner = c.mul_add(horner(&P, u), 0.5);
    let above = if x > BOUND { 1.0 } else { inner };
    if x < -BOUND { 0.0 } else { above }
}

/// The normal density at `x`.
#[inline(always)]
pub(super) fn density(x: f32) -> f32 {
    exp(-0.5 * x * x) * 0.398_942_3
}

/// GELU to 1e-5 between -4 and 4, and to 4e-5 of `x` beyond: below what
/// rounding to bf16 leaves.
///
/// `x (1/2 + x p(x^2))`; `p` is the least-squares polynomial of degree 8,
/// reweighted until its largest error, 7e-6, was least.
#[inline(always)]
pub(super) fn coarse_gelu(x: f32) -> f32 {
    const P: [f32; 9] = [
        0.175_948_96,
        -0.084_317_155,
        0.055_969_886,
        -0.036_962_16,
        0.022_300_53,
        -0.011_988_51,
        0.006_586_561_6,
        -0.003_676_414_3,
        0.001_130_830_8,
    ];
    let clamped = x.clamp(-4.0, 4.0);
    x * clamped.mul_add(polynomial(&P, clamped), 0.5)
}

/// The slope of GELU to 1.2e-5 between -4 and 4, and to 6e-4 beyond, where it
/// is that at the bound: below what rounding to bf16 leaves.
///
/// `1/2 + x p(x^2)`, `p` of degree 9 and found as [`coarse_gelu`]'s.
#[inline(always)]
pub(super) fn coarse_gelu_slope(x: f32) -> f32 {
    const P: [f32; 10] = [
        0.183_260_1,
        -0.113_534_13,
        0.114_194_21,
        -0.115_002_85,
        0.102_188_6,
        -0.074_315_55,
        0.042_562_127,
        -0.026_455_235,
        0.019_269_615,
        -0.007_043_655,
    ];
    let clamped = x.clamp(-4.0, 4.0);
    clamped.mul_add(polynomial(&P, clamped), 0.5)
}

/// A polynomial of `x^2 / 8 - 1`, which is between -1 and 1 where `x` is
/// between -4 and 4.
#[inline(always)]
fn polynomial<const N: usize>(coefficients: &[f32; N], x: f32) -> f32 {
    horner(coefficients, (x * x).mul_add(0.125, -1.0))
}

/// A polynomial of `u`.
#[inline(always)]
fn horner<const N: usize>(coefficients: &[f32; N], u: f32) -> f32 {
    // A loop: a closure might be compiled without the instructions at hand.
    let mut p = 0.0;
    for c in coefficients.iter().rev() {
        p = u.mul_add(p, *c);
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_follows_the_library() {
        for i in -9000..8800 {
            let x = i as f32 / 100.0;
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            if x < -87.3 {
                assert_eq!(ours, 0.0);
            } else {
                assert!((ours / exact - 1.0).abs() < 4e-7, "{x}: {ours} {exact}");
            }
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
    }

    #[test]
    fn the_coarse_power_stays_near_the_exact_one() {
        for i in -12_600..=12_000 {
            let x = i as f32 / 100.0;
            let (got, wanted) = (f64::from(coarse_exp2(x)), f64::from(x).exp2());
            assert!((got / wanted - 1.0).abs() < 3.2e-6, "{x}: {got} {wanted}");
        }
        for x in [-127.0, -1e9, f32::NEG_INFINITY] {
            assert_eq!(coarse_exp2(x), 0.0, "{x}");
        }
        assert!(coarse_exp2(f32::NAN).is_nan());
        assert!(coarse_exp2(-126.7) >= 0.0);
        assert_eq!(coarse_exp2(0.0), 1.0);
    }

    #[test]
    fn tanh_follows_the_library() {
        for i in -2000..2000 {
            let x = i as f32 / 173.0;
            assert!(
                (f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 3e-7,
                "{x}"
            );
        }
    }

    /// The distribution function in f64: its series where it converges soon, the
    /// continued fraction elsewhere.
    fn exact(x: f64) -> f64 {
        let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        if x.abs() < 3.0 {
            let (mut term, mut sum) = (x, x);
            for n in 1..120 {
                term *= x * x / f64::from(2 * n + 1);
                sum += term;
            }
            return 0.5 + density * sum;
        }
        let tail = (1..80)
            .rev()
            .fold(x.abs(), |f, n| x.abs() + f64::from(n) / f);
        let upper = density / tail;
        if x < 0.0 { upper } else { 1.0 - upper }
    }

    #[test]
    fn the_normal_distribution_is_near_the_exact_one() {
        // From standard tables.
        for (x, phi) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_1),
            (-1.0, 0.158_655_253_9),
            (2.5, 0.993_790_334_7),
            (-3.0, 0.001_349_898_0),
        ] {
            assert!((exact(x) - phi).abs() < 1e-9, "{x}");
            assert!(
                (f64::from(distribution(x as f32)) - phi).abs() < 3e-7,
                "{x}"
            );
        }
        for i in -9000..=9000 {
            let x = i as f32 / 1000.0;
            let off = f64::from(distribution(x)) - exact(f64::from(x));
            assert!(off.abs() < 1.1e-7, "{x}: {off}");
        }
        assert_eq!(distribution(f32::NEG_INFINITY), 0.0);
        assert_eq!(distribution(f32::INFINITY), 1.0);
        assert!(distribution(f32::NAN).is_nan());
        let h = 1e-2;
        for i in -40..40 {
            let x = i as f32 / 10.0;
            let slope = (distribution(x + h) - distribution(x - h)) / (2.0 * h);
            assert!((slope - density(x)).abs() < 1e-4, "{x}");
        }
    }

    #[test]
    fn coarse_gelu_stays_near_the_exact_one() {
        for i in -1200..1200 {
            let x = i as f32 / 100.0;
            let off = f64::from(coarse_gelu(x)) - f64::from(x * distribution(x));
            let allowed = if x.abs() <= 4.0 {
                1.0e-5
            } else {
                4e-5 * f64::from(x.abs())
            };
            assert!(off.abs() < allowed, "{x}: {off}");
        }
    }

    #[test]
    fn the_coarse_slope_stays_near_the_exact_one() {
        for i in -1200..1200 {
            let x = i as f32 / 100.0;
            let off = coarse_gelu_slope(x) - x.mul_add(density(x), distribution(x));
            let allowed = if x.abs() <= 4.0 { 1.2e-5 } else { 6e-4 };
            assert!(off.abs() < allowed, "{x}: {off}");
        }
    }

    #[test]
    fn sums_cover_every_length() {
        for n in 0..70 {
            let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let expected: f64 = x.iter().map(|&v| f64::from(v)).sum();
            assert_eq!(f64::from(sum(&x)), expected);
            let squares: f64 = x.iter().map(|&v| f64::from(v).powi(2)).sum();
            assert_eq!(f64::from(dot(&x, &x)), squares);
            assert_eq!(f64::from(squares_about(&x, 0.0)), squares);
        }
    }
}
