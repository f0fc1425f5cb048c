//! f32 matrix products on the `gemm` crate, with the promise it does not make:
//! a row of the result has the same bits however many rows there are.

#![allow(unsafe_code)]

use gemm::Parallelism;

/// How the second factor is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rhs {
    /// `[n, k]`: the product is `a b^T`.
    Transposed,
    /// `[k, n]`: the product is `a b`.
    Plain,
}

/// `c = a b` or `c = a b^T` for `a` `[m, k]` and `c` `[m, n]`, row-major.
pub(super) fn rows(c: &mut [f32], a: &[f32], b: &[f32], rhs: Rhs, n: usize, k: usize) {
    if n == 0 || c.is_empty() {
        return;
    }
    let m = c.len() / n;
    assert_eq!(a.len(), m * k);
    assert_eq!(b.len(), n * k);
    if k == 0 {
        c.fill(0.0);
        return;
    }
    if n == 1 {
        // One column: `gemm` would take its matrix-vector road, whose order of
        // summation follows the shape.
        for (c, a) in c.iter_mut().zip(a.chunks_exact(k)) {
            *c = super::math::dot(a, b);
        }
        return;
    }
    let least = least_rows(n, k);
    if m >= least {
        product(c, a, b, rhs, m, n, k);
    } else {
        let mut padded_a = vec![0.0; least * k];
        padded_a[..a.len()].copy_from_slice(a);
        let mut padded_c = vec![0.0; least * n];
        product(&mut padded_c, &padded_a, b, rhs, least, n, k);
        c.copy_from_slice(&padded_c[..m * n]);
    }
}

/// Below this many rows `gemm` 0.19 chooses other code, with another order of
/// summation: up to 256 results in all, or one row, or up to 64 rows and
/// columns with more than 512 terms.
fn least_rows(n: usize, k: usize) -> usize {
    let small = 256 / n + 1;
    if n <= 64 && k > 512 {
        small.max(65)
    } else {
        small.max(2)
    }
}

fn product(c: &mut [f32], a: &[f32], b: &[f32], rhs: Rhs, m: usize, n: usize, k: usize) {
    assert!(c.len() == m * n && a.len() == m * k && b.len() == n * k);
    let (rhs_cs, rhs_rs) = match rhs {
        Rhs::Transposed => (k as isize, 1),
        Rhs::Plain => (1, n as isize),
    };
    // SAFETY: the assertion above makes every index that the strides below can
    // reach lie inside its slice, and `c` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            1,
            k as isize,
            b.as_ptr(),
            rhs_cs,
            rhs_rs,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Rows `from..` of `c += dy^T x`, as many as `c` holds, where `dy` is
/// `[k, out]` and `x` is `[k, n]`: a slab of a weight's gradient.
pub(super) fn add_outer(
    c: &mut [f32],
    dy: &[f32],
    x: &[f32],
    from: usize,
    out: usize,
    n: usize,
    k: usize,
) {
    if c.is_empty() || k == 0 {
        return;
    }
    let m = c.len() / n;
    assert!(c.len() == m * n && from + m <= out && dy.len() == k * out && x.len() == k * n);
    // SAFETY: by the assertion, `dy[from..]` read with row stride 1 (up to `m`)
    // and column stride `out` (up to `k`) ends inside `dy`; `x` and `c` are
    // read and written whole, and `c` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            true,
            dy.as_ptr().add(from),
            out as isize,
            1,
            x.as_ptr(),
            1,
            n as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(n: usize, seed: u64) -> Vec<f32> {
        (0..n as u64)
            .map(|i| (crate::dropout::mix64(seed ^ i) >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rows_match_the_definition(m in 1usize..40, n in 1usize..90, k in 1usize..600, seed: u64, plain: bool) {
            let (a, b) = (values(m * k, seed), values(n * k, seed ^ 1));
            let mut c = vec![f32::NAN; m * n];
            let rhs = if plain { Rhs::Plain } else { Rhs::Transposed };
            rows(&mut c, &a, &b, rhs, n, k);
            for i in 0..m {
                for j in 0..n {
                    let exact: f64 = (0..k)
                        .map(|l| {
                            let y = if plain { b[l * n + j] } else { b[j * k + l] };
                            f64::from(a[i * k + l]) * f64::from(y)
                        })
                        .sum();
                    prop_assert!((f64::from(c[i * n + j]) - exact).abs() < 1e-4 * (k as f64).sqrt());
                }
            }
        }

        #[test]
        fn a_row_has_the_same_bits_in_any_company(
            m in 1usize..300,
            n in prop::sample::select(vec![1usize, 2, 7, 16, 31, 48, 64, 65, 96, 312, 384]),
            k in prop::sample::select(vec![1usize, 2, 3, 32, 64, 312, 384, 513, 768, 1536]),
            seed: u64,
            plain: bool,
        ) {
            let (a, b) = (values(m * k, seed), values(n * k, seed ^ 1));
            let rhs = if plain { Rhs::Plain } else { Rhs::Transposed };
            let mut whole = vec![0.0; m * n];
            rows(&mut whole, &a, &b, rhs, n, k);
            let from = (seed % m as u64) as usize;
            let to = from + 1 + (seed >> 32) as usize % (m - from);
            let mut part = vec![0.0; (to - from) * n];
            rows(&mut part, &a[from * k..to * k], &b, rhs, n, k);
            prop_assert!(part == whole[from * n..to * n], "{from}..{to} of {m}");
        }

        #[test]
        fn outer_products_match_the_definition(out in 1usize..70, n in 1usize..70, k in 0usize..80, seed: u64) {
            let (dy, x) = (values(k * out, seed), values(k * n, seed ^ 1));
            let from = (seed % out as u64) as usize;
            let mut c = vec![0.5; (out - from) * n];
            add_outer(&mut c, &dy, &x, from, out, n, k);
            for i in from..out {
                for j in 0..n {
                    let exact: f64 = 0.5 + (0..k)
                        .map(|l| f64::from(dy[l * out + i]) * f64::from(x[l * n + j]))
                        .sum::<f64>();
                    prop_assert!((f64::from(c[(i - from) * n + j]) - exact).abs() < 1e-4);
                }
            }
        }
    }
}
