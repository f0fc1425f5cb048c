//! Linear layers and pointwise activations.

use super::arena::Arena;
use super::matmul::{self, Left, Panels, Rhs, Rows, Tiles};
use super::{Cpu, ROW_GRAIN, Tensor, math};
use crate::{Activation, Linear};

/// How weights of products with so many terms are laid out for inference.
pub(super) fn inferring(cpu: &Cpu, terms: usize) -> Rhs {
    match cpu.bytes {
        Some(_) if terms <= matmul::MOST_TERMS => Rhs::Bytes,
        _ => Rhs::Transposed,
    }
}

/// Rows as the product with weights of some layout takes them.
pub(super) fn left<'a>(cpu: &Cpu, x: &'a Tensor, rhs: Rhs) -> Left<'a> {
    // Rows are laid out in bytes wherever the backend has those.
    match rhs == Rhs::Bytes || cpu.bytes.is_none() {
        true => x.left(),
        false => Left::Rows(x.values()),
    }
}

/// `x W^T + b`, row by row to `store`.
fn forward_into<const N: usize>(
    cpu: &Cpu,
    params: &Arena,
    (layer, rhs): (&Linear, Rhs),
    x: &Tensor,
    out: [&mut Tensor; N],
    store: impl matmul::Store<matmul::Row, N>,
) {
    assert_eq!(x.cols(), layer.weight.cols, "input width");
    let panels = params.panels(cpu, layer.weight, rhs);
    matmul::product(
        cpu,
        left(cpu, x, rhs),
        x.rows(),
        &panels,
        layer.bias.map(|b| params.view(b)),
        Rows::new(out.map(Tensor::values_mut), layer.weight.rows, store),
    );
}

pub(super) fn forward(
    cpu: &Cpu,
    params: &Arena,
    (layer, rhs): (&Linear, Rhs),
    x: &Tensor,
) -> Tensor {
    let mut y = cpu.uninit(x.rows(), layer.weight.rows);
    forward_into(
        cpu,
        params,
        (layer, rhs),
        x,
        [&mut y],
        #[inline(always)]
        |row, [y]| *y = *row,
    );
    y
}

pub(super) fn forward_activated(
    cpu: &Cpu,
    params: &Arena,
    layer: &Linear,
    activation: Activation,
    x: &Tensor,
) -> (Tensor, Tensor) {
    let exact = cpu.half.is_none();
    let mut pre = cpu.uninit(x.rows(), layer.weight.rows);
    let mut post = pre.like();
    forward_into(
        cpu,
        params,
        (layer, Rhs::Transposed),
        x,
        [&mut pre, &mut post],
        #[inline(always)]
        |row, [pre, post]| {
            *pre = *row;
            activate(activation, exact, row, post);
        },
    );
    (pre, post)
}

pub(super) fn forward_activated_only(
    cpu: &Cpu,
    params: &Arena,
    (layer, rhs): (&Linear, Rhs),
    activation: Activation,
    x: &Tensor,
) -> Tensor {
    let exact = cpu.half.is_none() && rhs != Rhs::Bytes;
    let mut post = cpu.uninit(x.rows(), layer.weight.rows);
    forward_into(
        cpu,
        params,
        (layer, rhs),
        x,
        [&mut post],
        #[inline(always)]
        |row, [post]| activate(activation, exact, row, post),
    );
    post
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
pub(super) fn activate(activation: Activation, exact: bool, pre: &[f32], out: &mut [f32]) {
    match activation {
        Activation::Identity => out.copy_from_slice(pre),
        Activation::Gelu if exact => map(pre, out, |x| x * math::distribution(x)),
        Activation::Gelu => map(pre, out, math::coarse_gelu),
        Activation::GeluTanh => map(pre, out, |x| {
            0.5 * x * (1.0 + math::tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x)))
        }),
        Activation::Relu => map(pre, out, |x| x.max(0.0)),
        Activation::Silu => map(pre, out, |x| x * math::logistic(x)),
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
    cpu.rows_mut(
        &mut dy,
        ROW_GRAIN,
        #[inline(always)]
        |dy, range| {
            slopes(
                activation,
                &pre.values()[range.start * n..range.end * n],
                dy,
            )
        },
    );
    dy
}

#[inline(always)]
fn scale(pre: &[f32], dy: &mut [f32], slope: impl Fn(f32) -> f32) {
    for (dy, &x) in dy.iter_mut().zip(pre) {
        *dy *= slope(x);
    }
}

/// `dy *= f'(pre)`.
#[inline(always)]
pub(super) fn slopes(activation: Activation, pre: &[f32], dy: &mut [f32]) {
    match activation {
        Activation::Identity => {}
        Activation::Gelu => scale(pre, dy, |x| {
            x.mul_add(math::density(x), math::distribution(x))
        }),
        Activation::GeluTanh => scale(pre, dy, |x| {
            let t = math::tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x));
            let inner = SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner
        }),
        Activation::Relu => scale(pre, dy, |x| if x > 0.0 { 1.0 } else { 0.0 }),
        Activation::Silu => scale(pre, dy, |x| {
            let s = math::logistic(x);
            s * (1.0 + x * (1.0 - s))
        }),
        Activation::Tanh => scale(pre, dy, |x| {
            let t = math::tanh(x);
            1.0 - t * t
        }),
    }
}

/// The gradient of a layer's result as its products take it.
pub(super) enum Upstream<'a> {
    Float(&'a Tensor),
    /// Rounded once for all of them.
    Half(Tiles),
}

impl Upstream<'_> {
    pub fn left(&self) -> Left<'_> {
        match self {
            Self::Float(dy) => Left::Rows(dy.values()),
            Self::Half(dy) => Left::Tiles(dy),
        }
    }

    pub fn columns(&self) -> Left<'_> {
        match self {
            Self::Float(dy) => Left::Columns {
                values: dy.values(),
                width: dy.cols(),
            },
            Self::Half(dy) => Left::TileColumns(dy),
        }
    }
}

/// Adds to the gradient of a layer's bias; what the other gradients are made of.
pub(super) fn upstream<'a>(
    cpu: &Cpu,
    layer: &Linear,
    dy: &'a Tensor,
    grads: &mut Arena,
) -> Upstream<'a> {
    let whole = dy.cols().is_multiple_of(matmul::COLS);
    match cpu.half.filter(|_| whole) {
        Some(half) => {
            let bias = layer.bias.map(|bias| grads.part(bias));
            Upstream::Half(Tiles::round(cpu, half, dy, bias))
        }
        None => {
            if let Some(bias) = layer.bias {
                add_column_sums(cpu, grads.part(bias), dy, 0);
            }
            Upstream::Float(dy)
        }
    }
}

/// Adds to the gradients of weight and bias; returns what that of `x` is made of.
fn add_gradients<'a>(
    cpu: &Cpu,
    layer: &Linear,
    x: &Tensor,
    dy: &'a Tensor,
    grads: &mut Arena,
) -> Upstream<'a> {
    let (out, width, tokens) = (layer.weight.rows, layer.weight.cols, x.rows());
    assert_eq!((dy.rows(), dy.cols()), (tokens, out), "gradient shape");
    assert_eq!(x.cols(), width, "input width");
    let inputs = Panels::pack(
        cpu,
        x.values(),
        Rhs::Plain,
        width,
        tokens,
        cpu.spare_panels(),
    );
    let dy = upstream(cpu, layer, dy, grads);
    weight_gradient(cpu, layer, dy.columns(), &inputs, grads);
    cpu.keep_panels(inputs);
    dy
}

/// Adds `dy^T x` to the gradient of a layer's weight; `columns` are those of
/// `dy`, `inputs` is `x` laid out.
pub(super) fn weight_gradient(
    cpu: &Cpu,
    layer: &Linear,
    columns: Left<'_>,
    inputs: &Panels,
    grads: &mut Arena,
) {
    let (sums, overwrite) = grads.sum(layer.weight);
    let isa = cpu.isa;
    matmul::product(
        cpu,
        columns,
        layer.weight.rows,
        inputs,
        None,
        Rows::new(
            [sums],
            layer.weight.cols,
            #[inline(always)]
            |sums, [grads]| {
                if overwrite {
                    // It is not read again before the optimizer's step.
                    return matmul::write_past_cache(isa, sums, grads);
                }
                for (g, sum) in grads.iter_mut().zip(sums) {
                    *g += sum;
                }
            },
        ),
    );
}

/// `dy W`, row by row to `store`.
fn input_gradient(
    cpu: &Cpu,
    params: &Arena,
    layer: &Linear,
    dy: &Upstream<'_>,
    out: &mut Tensor,
    store: impl matmul::Store<matmul::Row, 1>,
) {
    let panels = params.panels(cpu, layer.weight, Rhs::Plain);
    matmul::product(
        cpu,
        dy.left(),
        out.rows(),
        &panels,
        None,
        Rows::new([out.values_mut()], layer.weight.cols, store),
    );
}

pub(super) fn backward(
    cpu: &Cpu,
    params: &Arena,
    layer: &Linear,
    x: &Tensor,
    dy: &Tensor,
    onto: Option<Tensor>,
    grads: &mut Arena,
) -> Tensor {
    let dy = add_gradients(cpu, layer, x, dy, grads);
    let panels = params.panels(cpu, layer.weight, Rhs::Plain);
    product_onto(cpu, dy.left(), &panels, x, onto)
}

/// A product of the shape of `like`, added to `onto` where that is given.
pub(super) fn product_onto(
    cpu: &Cpu,
    left: Left<'_>,
    panels: &Panels,
    like: &Tensor,
    onto: Option<Tensor>,
) -> Tensor {
    let (rows, cols) = (like.rows(), like.cols());
    let Some(mut sum) = onto else {
        let mut out = like.like();
        let sink = Rows::new(
            [out.values_mut()],
            cols,
            #[inline(always)]
            |sums: &matmul::Row, [out]: [&mut matmul::Row; 1]| *out = *sums,
        );
        matmul::product(cpu, left, rows, panels, None, sink);
        return out;
    };
    assert_eq!(
        (sum.rows(), sum.cols()),
        (rows, cols),
        "what it is added to"
    );
    let sink = Rows::new(
        [sum.values_mut()],
        cols,
        #[inline(always)]
        |sums: &matmul::Row, [out]: [&mut matmul::Row; 1]| {
            for (out, sum) in out.iter_mut().zip(sums) {
                *out += sum;
            }
        },
    );
    matmul::product(cpu, left, rows, panels, None, sink);
    sum
}

pub(super) fn activated_backward(
    cpu: &Cpu,
    params: &Arena,
    layer: &Linear,
    activation: Activation,
    (mut pre, x): (Tensor, &Tensor),
    dy: &Tensor,
    grads: &mut Arena,
) -> Tensor {
    let dy = add_gradients(cpu, layer, x, dy, grads);
    input_gradient(
        cpu,
        params,
        layer,
        &dy,
        &mut pre,
        #[inline(always)]
        |sums, [pre]| {
            let mut d = *sums;
            slopes(activation, pre, &mut d);
            *pre = d;
        },
    );
    pre
}

/// `sums += ` the sums of `x`'s columns from `first` on, rows taken in order.
pub(super) fn add_column_sums(cpu: &Cpu, sums: &mut [f32], x: &Tensor, first: usize) {
    let cols = x.cols();
    let width = cpu.column_strip(sums.len());
    let strips: Vec<_> = sums.chunks_mut(width).enumerate().collect();
    cpu.each(strips, |(i, strip)| {
        let from = first + i * width;
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
