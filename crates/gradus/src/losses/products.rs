//! Products of all rows of a matrix with all of another.

use pulp::{Simd, WithSimd};

/// The sums of a product are in so many parts, which are then added in order.
const LANES: usize = 16;

/// `own others^T` of vectors of length 1, some rows by some others at a time. Each is summed in
/// [`LANES`] parts in f32, which are added in f64: off by some 1e-7.
pub(super) struct Products<'a> {
    pub dim: usize,
    /// `[rows, dim]`.
    pub own: &'a [f32],
    /// `[cols, dim]`.
    pub others: &'a [f32],
    /// `[rows, cols]`.
    pub out: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // How many registers have the parts of a sum, and how many sums there is room for.
        match S::F32_LANES {
            16 => self.tiles::<S, 1, 4>(simd),
            8 => self.tiles::<S, 2, 2>(simd),
            4 => self.tiles::<S, 4, 2>(simd),
            _ => self.tiles::<S, 16, 1>(simd),
        }
    }
}

impl Products<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const PARTS: usize, const SIDE: usize>(self, simd: S) {
        let Self {
            dim,
            own,
            others,
            out,
        } = self;
        let (rows, cols) = (own.len() / dim, others.len() / dim);
        // Where there are fewer rows, the last one stands in for those beyond.
        let some = |first: usize, count: usize| {
            std::array::from_fn::<usize, SIDE, _>(|i| (first + i).min(count - 1))
        };
        for j in (0..cols).step_by(SIDE) {
            let js = some(j, cols);
            let b = js.map(|j| &others[j * dim..(j + 1) * dim]);
            for i in (0..rows).step_by(SIDE) {
                let is = some(i, rows);
                let a = is.map(|i| &own[i * dim..(i + 1) * dim]);
                let dots = tile::<S, PARTS, SIDE>(simd, a, b);
                for (i, dots) in is.into_iter().zip(dots) {
                    for (j, dot) in js.into_iter().zip(dots) {
                        out[i * cols + j] = dot as f32;
                    }
                }
            }
        }
    }
}

/// The products of some rows with as many others.
#[inline(always)]
fn tile<S: Simd, const PARTS: usize, const SIDE: usize>(
    simd: S,
    a: [&[f32]; SIDE],
    b: [&[f32]; SIDE],
) -> [[f64; SIDE]; SIDE] {
    let mut sums = [[[simd.splat_f32s(0.0); PARTS]; SIDE]; SIDE];
    let whole = a[0].len() / LANES;
    let a_parts = a.map(|row| S::as_simd_f32s(row).0.as_chunks::<PARTS>().0);
    let b_parts = b.map(|row| S::as_simd_f32s(row).0.as_chunks::<PARTS>().0);
    let (a_parts, b_parts) = (a_parts.map(|p| &p[..whole]), b_parts.map(|p| &p[..whole]));
    for k in 0..whole {
        for i in 0..SIDE {
            for j in 0..SIDE {
                for p in 0..PARTS {
                    let (x, y) = (a_parts[i][k][p], b_parts[j][k][p]);
                    sums[i][j][p] = simd.mul_add_e_f32s(x, y, sums[i][j][p]);
                }
            }
        }
    }
    let mut out = [[0.0; SIDE]; SIDE];
    for i in 0..SIDE {
        for j in 0..SIDE {
            let (x, y) = (&a[i][whole * LANES..], &b[j][whole * LANES..]);
            let rest = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y));
            let lanes: &[f32] = pulp::bytemuck::cast_slice(&sums[i][j]);
            out[i][j] = lanes.iter().map(|x| f64::from(*x)).chain(rest).sum();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_kernels::dropout::mix64;
    use pulp::{Arch, Scalar};

    /// Directions: rows of length 1.
    fn rows(count: usize, dim: usize, seed: u64) -> Vec<f32> {
        let draw = |i| (mix64(seed ^ mix64(i as u64)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        let mut values: Vec<f32> = (0..count * dim).map(draw).collect();
        for row in values.chunks_exact_mut(dim) {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row.iter_mut().for_each(|x| *x /= length);
        }
        values
    }

    #[test]
    fn products_of_odd_shapes_are_those_of_plain_loops() {
        for (m, n, dim) in [
            (1, 1, 1),
            (3, 7, 15),
            (4, 4, 16),
            (9, 5, 67),
            (13, 2, 384),
            (6, 11, 771),
        ] {
            let (own, others) = (rows(m, dim, 1), rows(n, dim, 2));
            let run = |by: &dyn Fn(Products<'_>)| {
                let mut out = vec![f32::NAN; m * n];
                by(Products {
                    dim,
                    own: &own,
                    others: &others,
                    out: &mut out,
                });
                out
            };
            let best = run(&|products| Arch::new().dispatch(products));
            let plain = run(&|products| products.with_simd(Scalar::new()));
            for (i, want) in (0..m * n).map(|i| {
                let (a, b) = (&own[i / n * dim..][..dim], &others[i % n * dim..][..dim]);
                let terms = a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y));
                (i, terms.sum::<f64>())
            }) {
                for got in [best[i], plain[i]] {
                    assert!(
                        (f64::from(got) - want).abs() < 3e-7,
                        "{m} {n} {dim}: {got} {want}"
                    );
                }
            }
        }
    }
}
