//! Products of all rows of a matrix with all of another.

use pulp::{Simd, WithSimd};

/// The sums of a product are in so many parts, which are then added in order.
pub(super) const LANES: usize = 8;

/// `own others^T`, summed in f64 as [`dot`](super::directions::dot) sums, some rows by
/// some others at a time.
///
/// The values are those of f32. f64 holds their products exactly, so that it makes no
/// difference whether an instruction rounds them before it adds.
pub(super) struct Products<'a> {
    pub dim: usize,
    /// `[rows, dim]`.
    pub own: &'a [f64],
    /// `[cols, dim]`.
    pub others: &'a [f64],
    /// `[rows, cols]`.
    pub out: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // How many registers have the parts of a sum, and how many sums there is room for.
        match S::F64_LANES {
            8 => self.tiles::<S, 1, 4>(simd),
            4 => self.tiles::<S, 2, 2>(simd),
            2 => self.tiles::<S, 4, 2>(simd),
            _ => self.tiles::<S, 8, 1>(simd),
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
    a: [&[f64]; SIDE],
    b: [&[f64]; SIDE],
) -> [[f64; SIDE]; SIDE] {
    let mut sums = [[[simd.splat_f64s(0.0); PARTS]; SIDE]; SIDE];
    let whole = a[0].len() / LANES;
    let a_parts = a.map(|row| S::as_simd_f64s(row).0.as_chunks::<PARTS>().0);
    let b_parts = b.map(|row| S::as_simd_f64s(row).0.as_chunks::<PARTS>().0);
    let (a_parts, b_parts) = (a_parts.map(|p| &p[..whole]), b_parts.map(|p| &p[..whole]));
    for k in 0..whole {
        for i in 0..SIDE {
            for j in 0..SIDE {
                for p in 0..PARTS {
                    let (x, y) = (a_parts[i][k][p], b_parts[j][k][p]);
                    sums[i][j][p] = simd.mul_add_e_f64s(x, y, sums[i][j][p]);
                }
            }
        }
    }
    let mut out = [[0.0; SIDE]; SIDE];
    for i in 0..SIDE {
        for j in 0..SIDE {
            let (x, y) = (&a[i][whole * LANES..], &b[j][whole * LANES..]);
            let rest: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
            let lanes: &[f64] = pulp::bytemuck::cast_slice(&sums[i][j]);
            out[i][j] = lanes.iter().sum::<f64>() + rest;
        }
    }
    out
}
