//! Products of small matrices in f32.

use crate::cpu::math::{LANES, axpy};

/// A matrix inside a slice: value `(i, j)` is at `i * row + j * col`. One of the two is
/// 1.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a> {
    pub values: &'a [f32],
    pub row: usize,
    pub col: usize,
}

/// `out = a b` for small matrices: `out` is `[rows, cols]` with rows
/// `out_stride` apart, `a` is `[rows, terms]`, and the rows of `b` are
/// `b_stride` apart. Each value is summed over the terms in order.
///
/// Compiled once for each instruction set: it is long, and called from many
/// places.
pub(super) fn multiply(
    arch: pulp::Arch,
    out: (&mut [f32], usize),
    a: Strided<'_>,
    b: (&[f32], usize),
    shape: [usize; 3],
) {
    arch.dispatch(Multiply { out, a, b, shape });
}

/// A closure's body might not be compiled with the instructions: this is.
struct Multiply<'a> {
    out: (&'a mut [f32], usize),
    a: Strided<'a>,
    b: (&'a [f32], usize),
    shape: [usize; 3],
}

impl pulp::WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { out, a, b, shape } = self;
        let (out, out_stride) = out;
        let [rows, terms, cols] = shape;
        // The last block may overlap the one before; it writes the same again.
        macro_rules! blocks {
            ($R:literal) => {
                for i in (0..rows).step_by($R) {
                    let i = i.min(rows - $R);
                    let out = (&mut out[i * out_stride..], out_stride);
                    multiply_rows::<$R>(out, a, i, b, terms, cols);
                }
            };
        }
        // Blocks of equal size, of as many rows as registers hold sums of.
        let most = if S::F32_LANES == 16 { 8 } else { 6 };
        match rows.div_ceil(rows.div_ceil(most).max(1)) {
            8 => blocks!(8),
            7 => blocks!(7),
            6 => blocks!(6),
            5 => blocks!(5),
            4 => blocks!(4),
            _ => blocks!(1),
        }
    }
}

/// Values of some rows of a first factor, one term after the other.
trait Weights<const R: usize> {
    fn term(&self, l: usize) -> [f32; R];
}

/// Rows as they lie; all have the terms that are asked for and no others, so that no
/// access is checked.
struct Along<'a, const R: usize>([&'a [f32]; R]);

impl<const R: usize> Weights<R> for Along<'_, R> {
    #[inline(always)]
    fn term(&self, l: usize) -> [f32; R] {
        let mut term = [0f32; R];
        for (w, row) in term.iter_mut().zip(self.0) {
            *w = row[l];
        }
        term
    }
}

/// Rows of a transposed matrix: a term of all rows lies together.
struct Across<'a> {
    values: &'a [f32],
    stride: usize,
}

impl<const R: usize> Weights<R> for Across<'_> {
    #[inline(always)]
    fn term(&self, l: usize) -> [f32; R] {
        let mut term = [0f32; R];
        term.copy_from_slice(&self.values[l * self.stride..][..R]);
        term
    }
}

#[inline(always)]
fn multiply_rows<const R: usize>(
    out: (&mut [f32], usize),
    a: Strided<'_>,
    first: usize,
    b: (&[f32], usize),
    terms: usize,
    cols: usize,
) {
    if a.col == 1 {
        let mut rows: [&[f32]; R] = [&[]; R];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = &a.values[(first + r) * a.row..][..terms];
        }
        return multiply_by(&Along(rows), out, b, terms, cols);
    }
    assert!(a.row == 1);
    let columns = Across {
        values: &a.values[first..],
        stride: a.col,
    };
    multiply_by::<R>(&columns, out, b, terms, cols);
}

#[inline(always)]
fn multiply_by<const R: usize>(
    weights: &impl Weights<R>,
    (out, out_stride): (&mut [f32], usize),
    (b, b_stride): (&[f32], usize),
    terms: usize,
    cols: usize,
) {
    let whole = cols / LANES * LANES;
    for from in (0..whole).step_by(LANES) {
        let mut lanes = [[0f32; LANES]; R];
        for l in 0..terms {
            let row = &b[l * b_stride + from..][..LANES];
            for (lanes, w) in lanes.iter_mut().zip(weights.term(l)) {
                for (lane, x) in lanes.iter_mut().zip(row) {
                    *lane = w.mul_add(*x, *lane);
                }
            }
        }
        for (r, lanes) in lanes.iter().enumerate() {
            out[r * out_stride + from..][..LANES].copy_from_slice(lanes);
        }
    }
    if whole < cols {
        for r in 0..R {
            let rest = &mut out[r * out_stride + whole..][..cols - whole];
            rest.fill(0.0);
            for l in 0..terms {
                axpy(rest, weights.term(l)[r], &b[l * b_stride + whole..]);
            }
        }
    }
}
