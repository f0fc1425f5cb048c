//! Sums of a matrix's rows, each time with other weights.

use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Adds `weights others` to `sums`.
///
/// A value is one chain of sums over the rows of `others` in their order.
pub(super) struct RowSums<'a> {
    pub dim: usize,
    /// The weights of each sum, `[sums, cols]`, a row beginning `stride` behind the last.
    pub weights: &'a [f32],
    pub stride: usize,
    /// `[cols, dim]`.
    pub others: &'a [f32],
    /// `[sums, dim]`.
    pub sums: &'a mut [f32],
}

/// So many rows stay near while all sums get them.
const NEAR: usize = 64;
/// Sums at a time, which share what is read.
const SIDE: usize = 4;

impl WithSimd for RowSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // How many registers of a sum there is room for, four sums at a time.
        match S::F32_LANES {
            16 => self.blocks::<S, 4>(simd),
            8 => self.blocks::<S, 2>(simd),
            _ => self.blocks::<S, 1>(simd),
        }
    }
}

impl RowSums<'_> {
    #[inline(always)]
    fn blocks<S: Simd, const WIDE: usize>(self, simd: S) {
        let Self {
            dim,
            weights,
            stride,
            others,
            sums,
        } = self;
        if dim == 0 {
            return;
        }
        let cols = others.len() / dim;
        let wide = WIDE * S::F32_LANES;
        let whole = dim - dim % wide;
        let groups = (sums.len() / dim).div_ceil(SIDE);
        let mut near_rows = vec![];
        let mut packed = vec![[[0f32; SIDE]; NEAR]; groups];
        for from in (0..cols).step_by(NEAR) {
            let to = (from + NEAR).min(cols);
            let others = &others[from * dim..to * dim];
            // Without weight where there are fewer sums.
            for (r, sum) in (0..sums.len() / dim).map(|r| (r, r * stride)) {
                let own = packed[r / SIDE].iter_mut();
                for (own, weight) in own.zip(&weights[sum + from..sum + to]) {
                    own[r % SIDE] = *weight;
                }
            }
            for at in (0..whole).step_by(wide) {
                let at = at..at + wide;
                let near = near(&mut near_rows, others, dim, at.clone(), wide);
                for (own, sums) in packed.iter().zip(sums.chunks_mut(SIDE * dim)) {
                    columns::<S, WIDE>(simd, dim, &own[..to - from], near, sums, at.clone());
                }
            }
            for at in (whole..dim).step_by(S::F32_LANES) {
                let at = at..(at + S::F32_LANES).min(dim);
                let near = near(&mut near_rows, others, dim, at.clone(), S::F32_LANES);
                for (own, sums) in packed.iter().zip(sums.chunks_mut(SIDE * dim)) {
                    columns::<S, 1>(simd, dim, &own[..to - from], near, sums, at.clone());
                }
            }
        }
    }
}

/// Some columns of rows, side by side and filled up with zeros: rows that are apart by a power of
/// two push each other out of a processor's nearest memory.
#[inline(always)]
fn near<'a>(
    to: &'a mut Vec<f32>,
    rows: &[f32],
    dim: usize,
    at: Range<usize>,
    wide: usize,
) -> &'a [f32] {
    to.clear();
    for row in rows.chunks_exact(dim) {
        to.extend_from_slice(&row[at.clone()]);
        to.resize(to.len() + wide - at.len(), 0.0);
    }
    to
}

/// Some columns of up to four sums; `near` has those of the rows, `WIDE` registers each.
#[inline(always)]
fn columns<S: Simd, const WIDE: usize>(
    simd: S,
    dim: usize,
    own: &[[f32; SIDE]],
    near: &[f32],
    sums: &mut [f32],
    at: Range<usize>,
) {
    let lanes = S::F32_LANES;
    let part = |w: usize| at.start + w * lanes..(at.start + (w + 1) * lanes).min(at.end);
    let mut all = [[simd.splat_f32s(0.0); WIDE]; SIDE];
    for (row, all) in sums.chunks_exact(dim).zip(&mut all) {
        for (w, sum) in all.iter_mut().enumerate() {
            *sum = simd.partial_load_f32s(&row[part(w)]);
        }
    }
    let rows = S::as_simd_f32s(near).0.as_chunks::<WIDE>().0;
    for (weights, x) in own.iter().zip(rows) {
        for r in 0..SIDE {
            let weight = simd.splat_f32s(weights[r]);
            for w in 0..WIDE {
                all[r][w] = simd.mul_add_e_f32s(weight, x[w], all[r][w]);
            }
        }
    }
    for (row, all) in sums.chunks_exact_mut(dim).zip(&all) {
        for (w, sum) in all.iter().enumerate() {
            simd.partial_store_f32s(&mut row[part(w)], *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_kernels::dropout::mix64;
    use pulp::{Arch, Scalar};

    fn values(count: usize, seed: u64) -> Vec<f32> {
        let draw = |i| (mix64(seed ^ mix64(i as u64)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        (0..count).map(draw).collect()
    }

    #[test]
    fn sums_of_odd_shapes_are_those_of_plain_loops() {
        for (rows, cols, dim) in [
            (1, 1, 1),
            (3, 65, 17),
            (4, 64, 64),
            (9, 130, 83),
            (6, 3, 200),
            (5, 0, 7),
        ] {
            // Weights of another matrix lie between.
            let stride = cols + 3;
            let (weights, others) = (values(rows * stride, 1), values(cols * dim, 2));
            let before = values(rows * dim, 3);
            let run = |by: &dyn Fn(RowSums<'_>)| {
                let mut sums = before.clone();
                by(RowSums {
                    dim,
                    weights: &weights,
                    stride,
                    others: &others,
                    sums: &mut sums,
                });
                sums
            };
            let best = run(&|sums| Arch::new().dispatch(sums));
            let plain = run(&|sums| sums.with_simd(Scalar::new()));
            for i in 0..rows * dim {
                let (r, c) = (i / dim, i % dim);
                let term = |j| f64::from(weights[r * stride + j]) * f64::from(others[j * dim + c]);
                let want = f64::from(before[i]) + (0..cols).map(term).sum::<f64>();
                for got in [best[i], plain[i]] {
                    let off = (f64::from(got) - want).abs();
                    assert!(off < 2e-5, "{rows} {cols} {dim}: {got} {want}");
                }
            }
        }
    }
}
