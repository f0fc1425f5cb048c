//! Norms and their backward, run by run.

use super::{Matrix, Plain, PlainArena};
use gradus_kernels::{
    AttentionSpec, LayerNormOutput, LayerNormSaved, NormKind, NormSpec, QueryKeyNorms, RowDropout,
};

/// Normalises some values to `xhat`; returns the inverse of their deviation.
fn standardize(spec: &NormSpec, xhat: &mut [f64]) -> f64 {
    let n = xhat.len() as f64;
    let mean = match spec.kind {
        NormKind::LayerNorm => xhat.iter().sum::<f64>() / n,
        NormKind::Rms | NormKind::RmsOnePlus => 0.0,
    };
    let square = xhat.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let inverse = 1.0 / (square + f64::from(spec.eps)).sqrt();
    for x in xhat {
        *x = (*x - mean) * inverse;
    }
    inverse
}

fn scale(spec: &NormSpec, gamma: f64) -> f64 {
    match spec.kind {
        NormKind::RmsOnePlus => 1.0 + gamma,
        NormKind::LayerNorm | NormKind::Rms => gamma,
    }
}

/// The norm of `x`, which becomes normalised, and the inverses of the deviations.
fn run_by_run(params: &PlainArena, spec: &NormSpec, x: &mut [f64]) -> (Vec<f64>, Vec<f64>) {
    let gamma = params.view(spec.gamma);
    let beta = spec.beta.map_or(vec![0.0; gamma.len()], |b| params.view(b));
    let (mut out, mut inverses) = (vec![], vec![]);
    for run in x.chunks_exact_mut(spec.width()) {
        inverses.push(standardize(spec, run));
        let values = run.iter().zip(&gamma).zip(&beta);
        out.extend(values.map(|((x, g), b)| x * scale(spec, *g) + b));
    }
    (out, inverses)
}

/// The gradient of a row before its norm; adds to those of scale and shift.
fn back(
    params: &PlainArena,
    spec: &NormSpec,
    (xhat, inverses): (&[f64], &[f64]),
    dy: &[f64],
    grads: &mut PlainArena,
) -> Vec<f64> {
    let gamma = params.view(spec.gamma);
    let mut dx = vec![];
    let width = spec.width();
    let runs = dy.chunks_exact(width).zip(xhat.chunks_exact(width));
    for ((dy, xhat), inverse) in runs.zip(inverses) {
        let dgamma: Vec<f64> = dy.iter().zip(xhat).map(|(d, x)| d * x).collect();
        grads.add_all(spec.gamma, &dgamma);
        if let Some(beta) = spec.beta {
            grads.add_all(beta, dy);
        }
        let dz: Vec<f64> = dy
            .iter()
            .zip(&gamma)
            .map(|(d, g)| d * scale(spec, *g))
            .collect();
        let n = width as f64;
        let along = dz.iter().zip(xhat).map(|(d, x)| d * x).sum::<f64>() / n;
        let mean = match spec.kind {
            NormKind::LayerNorm => dz.iter().sum::<f64>() / n,
            NormKind::Rms | NormKind::RmsOnePlus => 0.0,
        };
        dx.extend(
            dz.iter()
                .zip(xhat)
                .map(|(d, x)| (d - mean - x * along) * inverse),
        );
    }
    dx
}

pub(super) fn forward(
    params: &PlainArena,
    spec: &NormSpec,
    x: Matrix,
    residual: Option<&Matrix>,
    dropout: Option<RowDropout<'_, Plain>>,
) -> LayerNormOutput<Matrix> {
    let mut x = match dropout {
        Some(dropout) => drop(x, dropout),
        None => x,
    };
    if let Some(residual) = residual {
        x = x.zip(residual, |x, r| x + r);
    }
    let mut out = Matrix::zeros(x.rows, x.cols);
    let mut inverse_deviation = Matrix::zeros(x.rows, spec.runs(x.cols));
    for row in 0..x.rows {
        let (values, inverses) = run_by_run(params, spec, x.row_mut(row));
        out.row_mut(row).copy_from_slice(&values);
        inverse_deviation.row_mut(row).copy_from_slice(&inverses);
    }
    let normalized = x;
    LayerNormOutput {
        out,
        saved: LayerNormSaved {
            normalized,
            inverse_deviation,
        },
    }
}

pub(super) fn backward(
    params: &PlainArena,
    spec: &NormSpec,
    saved: LayerNormSaved<&Matrix>,
    dy: &Matrix,
    dropout: Option<RowDropout<'_, Plain>>,
    grads: &mut PlainArena,
) -> (Matrix, Option<Matrix>) {
    let mut dx = Matrix::zeros(dy.rows, dy.cols);
    for row in 0..dy.rows {
        let own = (saved.normalized.row(row), saved.inverse_deviation.row(row));
        let values = back(params, spec, own, dy.row(row), grads);
        dx.row_mut(row).copy_from_slice(&values);
    }
    let branch = dropout.map(|dropout| drop(dx.clone(), dropout));
    (dx, branch)
}

pub(super) fn drop(mut x: Matrix, RowDropout { batch, dropout }: RowDropout<'_, Plain>) -> Matrix {
    for row in 0..x.rows {
        let mask = batch.mask(dropout, row, x.cols);
        for (x, mask) in x.row_mut(row).iter_mut().zip(mask) {
            *x *= mask;
        }
    }
    x
}

pub(super) fn queries_and_keys(
    params: &PlainArena,
    norms: &QueryKeyNorms,
    spec: &AttentionSpec,
    mut qkv: Matrix,
) -> (Matrix, LayerNormSaved<Matrix>) {
    spec.check(qkv.cols);
    let (queries, keys) = (spec.q_width(), spec.kv_width());
    let runs = norms.queries.runs(queries) + norms.keys.runs(keys);
    let mut normalized = Matrix::zeros(qkv.rows, queries + keys);
    let mut inverse_deviation = Matrix::zeros(qkv.rows, runs);
    for row in 0..qkv.rows {
        let xhat = normalized.row_mut(row);
        xhat.copy_from_slice(&qkv.row(row)[..queries + keys]);
        let (q, k) = xhat.split_at_mut(queries);
        let (mut out, mut inverses) = run_by_run(params, &norms.queries, q);
        let (out_k, inverses_k) = run_by_run(params, &norms.keys, k);
        out.extend(out_k);
        inverses.extend(inverses_k);
        qkv.row_mut(row)[..queries + keys].copy_from_slice(&out);
        inverse_deviation.row_mut(row).copy_from_slice(&inverses);
    }
    let saved = LayerNormSaved {
        normalized,
        inverse_deviation,
    };
    (qkv, saved)
}

pub(super) fn queries_and_keys_backward(
    params: &PlainArena,
    norms: &QueryKeyNorms,
    spec: &AttentionSpec,
    saved: LayerNormSaved<&Matrix>,
    mut dy: Matrix,
    grads: &mut PlainArena,
) -> Matrix {
    let (queries, keys) = (spec.q_width(), spec.kv_width());
    let own_runs = norms.queries.runs(queries);
    for row in 0..dy.rows {
        let (q, k) = dy.row(row)[..queries + keys].split_at(queries);
        let (xhat_q, xhat_k) = saved.normalized.row(row).split_at(queries);
        let (of_q, of_k) = saved.inverse_deviation.row(row).split_at(own_runs);
        let mut dx = back(params, &norms.queries, (xhat_q, of_q), q, grads);
        dx.extend(back(params, &norms.keys, (xhat_k, of_k), k, grads));
        dy.row_mut(row)[..queries + keys].copy_from_slice(&dx);
    }
    dy
}
