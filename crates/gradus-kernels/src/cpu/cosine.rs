//! Cosines of all rows with all rows, and back.

use super::matmul::{self, Left, Panels, Rhs, Rows};
use super::pool::{normalize, normalize_backward};
use super::{Cpu, Tensor, math};

/// Rows of a result that are worth a task of their own.
const GRAIN: usize = 4;

pub(super) fn forward(cpu: &Cpu, a: &Tensor, b: &Tensor) -> Tensor {
    assert_eq!(a.cols(), b.cols(), "vectors of one width");
    products(cpu, &normalize(cpu, a), &normalize(cpu, b))
}

/// `a b^T`, in f32 whatever the backend's precision is.
fn products(cpu: &Cpu, a: &Tensor, b: &Tensor) -> Tensor {
    let panels = Panels::pack_exact(cpu, b.values(), Rhs::Transposed, b.rows(), b.cols());
    let mut out = cpu.uninit(a.rows(), b.rows());
    let cols = out.cols();
    matmul::product(
        cpu,
        Left::Rows(a.values()),
        a.rows(),
        &panels,
        None,
        Rows::new(
            [out.values_mut()],
            cols,
            #[inline(always)]
            |row, [out]| *out = *row,
        ),
    );
    out
}

pub(super) fn backward(cpu: &Cpu, a: &Tensor, b: &Tensor, dy: &Tensor) -> (Tensor, Tensor) {
    assert_eq!(
        (dy.rows(), dy.cols()),
        (a.rows(), b.rows()),
        "gradient shape"
    );
    let da = along(cpu, &normalize(cpu, b), a.rows(), |i, j| dy.row(i)[j]);
    let db = along(cpu, &normalize(cpu, a), b.rows(), |j, i| dy.row(i)[j]);
    (
        normalize_backward(cpu, a, &da),
        normalize_backward(cpu, b, &db),
    )
}

/// Each of `rows` rows is the sum of those of `x`, each times its weight.
fn along(
    cpu: &Cpu,
    x: &Tensor,
    rows: usize,
    weight: impl Fn(usize, usize) -> f32 + Sync + Send,
) -> Tensor {
    let width = x.cols();
    let mut out = cpu.uninit(rows, width);
    cpu.rows_mut(
        &mut out,
        GRAIN,
        #[inline(always)]
        |out, range| {
            for (out, row) in out.chunks_exact_mut(width.max(1)).zip(range) {
                out.fill(0.0);
                for i in 0..x.rows() {
                    math::axpy(out, weight(row, i), x.row(i));
                }
            }
        },
    );
    out
}
