//! Linear layers and pointwise activations.

use super::gemm::{self, Rhs};
use super::{COLUMN_STRIP, Cpu, ROW_GRAIN, Tensor, cut, math};
use crate::{Activation, Linear};

/// Rows of a weight gradient per task; fixed, so that its bits do not depend
/// on the number of threads.
const WEIGHT_ROWS: usize = 96;

pub(super) fn forward(cpu: &Cpu, params: &[f32], layer: &Linear, x: &Tensor) -> Tensor {
    let (n, k) = (layer.weight.rows, layer.weight.cols);
    assert_eq!(x.cols(), k, "input width");
    let weight = layer.weight.of(params);
    let bias = layer.bias.map(|b| b.of(params));
    let mut y = cpu.uninit(x.rows(), n);
    let ranges = cpu.split(x.rows(), ROW_GRAIN);
    let parts = cut(y.values_mut(), &ranges, n)
        .into_iter()
        .zip(&ranges)
        .collect();
    cpu.each(parts, |(y, range)| {
        let x = &x.values()[range.start * k..range.end * k];
        gemm::rows(y, x, weight, Rhs::Transposed, n, k);
        if let Some(bias) = bias {
            cpu.simd(
                #[inline(always)]
                || add_bias(y, bias),
            );
        }
    });
    y
}

pub(super) fn forward_activated(
    cpu: &Cpu,
    params: &[f32],
    layer: &Linear,
    activation: Activation,
    x: &Tensor,
) -> (Tensor, Tensor) {
    let pre = forward(cpu, params, layer, x);
    let n = pre.cols();
    let mut out = pre.like();
    let ranges = cpu.split(pre.rows(), ROW_GRAIN);
    let parts = cut(out.values_mut(), &ranges, n)
        .into_iter()
        .zip(&ranges)
        .collect();
    cpu.each(parts, |(out, range)| {
        let pre = &pre.values()[range.start * n..range.end * n];
        cpu.simd(
            #[inline(always)]
            || activate(activation, pre, out),
        );
    });
    (pre, out)
}

#[inline(always)]
fn add_bias(y: &mut [f32], bias: &[f32]) {
    for row in y.chunks_exact_mut(bias.len().max(1)) {
        for (y, b) in row.iter_mut().zip(bias) {
            *y += b;
        }
    }
}

#[inline(always)]
fn map(pre: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32) {
    for (out, &x) in out.iter_mut().zip(pre) {
        *out = f(x);
    }
}

const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

#[inline(always)]
fn activate(activation: Activation, pre: &[f32], out: &mut [f32]) {
    match activation {
        Activation::Identity => out.copy_from_slice(pre),
        Activation::Gelu => map(pre, out, |x| x * math::normal(x).0),
        Activation::GeluTanh => map(pre, out, |x| {
            0.5 * x * (1.0 + math::tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x)))
        }),
        Activation::Relu => map(pre, out, |x| x.max(0.0)),
        Activation::Tanh => map(pre, out, math::tanh),
    }
}

pub(super) fn activation_backward(
    cpu: &Cpu,
    activation: Activation,
    pre: &Tensor,
    mut dy: Tensor,
) -> Tensor {
    let n = pre.cols();
    let ranges = cpu.split(pre.rows(), ROW_GRAIN);
    let parts = cut(dy.values_mut(), &ranges, n)
        .into_iter()
        .zip(&ranges)
        .collect();
    cpu.each(parts, |(dy, range)| {
        let pre = &pre.values()[range.start * n..range.end * n];
        cpu.simd(
            #[inline(always)]
            || scale_by_slope(activation, pre, dy),
        );
    });
    dy
}

#[inline(always)]
fn scale(pre: &[f32], dy: &mut [f32], slope: impl Fn(f32) -> f32) {
    for (dy, &x) in dy.iter_mut().zip(pre) {
        *dy *= slope(x);
    }
}

#[inline(always)]
fn scale_by_slope(activation: Activation, pre: &[f32], dy: &mut [f32]) {
    match activation {
        Activation::Identity => {}
        Activation::Gelu => scale(pre, dy, |x| {
            let (phi, density) = math::normal(x);
            x.mul_add(density, phi)
        }),
        Activation::GeluTanh => scale(pre, dy, |x| {
            let t = math::tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x));
            let inner = SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner
        }),
        Activation::Relu => scale(pre, dy, |x| if x > 0.0 { 1.0 } else { 0.0 }),
        Activation::Tanh => scale(pre, dy, |x| {
            let t = math::tanh(x);
            1.0 - t * t
        }),
    }
}

pub(super) fn backward(
    cpu: &Cpu,
    params: &[f32],
    layer: &Linear,
    x: &Tensor,
    dy: &Tensor,
    grads: &mut [f32],
) -> Tensor {
    let (out, width, tokens) = (layer.weight.rows, layer.weight.cols, x.rows());
    assert_eq!((dy.rows(), dy.cols()), (tokens, out), "gradient shape");

    let slabs: Vec<_> = layer
        .weight
        .of_mut(grads)
        .chunks_mut((WEIGHT_ROWS * width).max(1))
        .enumerate()
        .collect();
    cpu.each(slabs, |(i, slab)| {
        gemm::add_outer(
            slab,
            dy.values(),
            x.values(),
            i * WEIGHT_ROWS,
            out,
            width,
            tokens,
        );
    });
    if let Some(bias) = layer.bias {
        add_column_sums(cpu, bias.of_mut(grads), dy);
    }

    let weight = layer.weight.of(params);
    let mut dx = cpu.uninit(tokens, width);
    let ranges = cpu.split(tokens, ROW_GRAIN);
    let parts = cut(dx.values_mut(), &ranges, width)
        .into_iter()
        .zip(&ranges)
        .collect();
    cpu.each(parts, |(dx, range)| {
        let dy = &dy.values()[range.start * out..range.end * out];
        gemm::rows(dx, dy, weight, Rhs::Plain, width, out);
    });
    dx
}

/// `sums += ` the column sums of `x`, rows taken in order.
pub(super) fn add_column_sums(cpu: &Cpu, sums: &mut [f32], x: &Tensor) {
    let cols = x.cols();
    let strips: Vec<_> = sums.chunks_mut(COLUMN_STRIP).enumerate().collect();
    cpu.each(strips, |(i, strip)| {
        let from = i * COLUMN_STRIP;
        cpu.simd(
            #[inline(always)]
            || {
                for row in x.values().chunks_exact(cols) {
                    for (sum, x) in strip.iter_mut().zip(&row[from..]) {
                        *sum += x;
                    }
                }
            },
        );
    });
}
