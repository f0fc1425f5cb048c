//! The feed-forward part of a transformer's layer: two linear layers with an
//! activation between them. What lies between, the widest values of the
//! layer, is in bf16 never written as f32.

use super::arena::Arena;
use super::linear::{activate, slopes, weight_gradient};
use super::matmul::{self, HalfKernel, HalfLine, Left, Lines, Panels, Rhs, Rows, Tiles, Weights};
use super::{Cpu, Tensor, linear, math};
use crate::{Activation, FeedForwardLayers, Linear};

/// What the backward pass of a feed-forward part needs: the inner layer's
/// values before and behind the activation.
pub struct FeedForwardSaved(Saved);

enum Saved {
    Float { pre: Tensor, post: Tensor },
    Half { pre: Tiles, post: Tiles },
}

/// The kernel, where the inner values can be kept in whole tiles.
fn half_of(cpu: &Cpu, layers: &FeedForwardLayers) -> Option<HalfKernel> {
    let whole = layers.up.weight.rows.is_multiple_of(matmul::COLS);
    cpu.half.filter(|_| whole)
}

/// The result alone.
pub(super) fn infer(cpu: &Cpu, params: &Arena, layers: &FeedForwardLayers, x: &Tensor) -> Tensor {
    let FeedForwardLayers {
        up,
        activation,
        down,
    } = layers;
    assert_eq!(x.cols(), up.weight.cols, "input width");
    let rhs = linear::inferring(cpu, up.weight.cols.max(down.weight.cols));
    let weights = |layer: &Linear| params.panels(cpu, layer.weight, rhs);
    let bias = |layer: &Linear| layer.bias.map(|b| params.view(b));
    let mut y = cpu.uninit(x.rows(), down.weight.rows);
    let (first, second) = (weights(up), weights(down));
    let first = Weights {
        panels: &first,
        bias: bias(up),
    };
    let second = Weights {
        panels: &second,
        bias: bias(down),
    };
    let rows = (linear::left(cpu, x, rhs), x.rows());
    let out = y.values_mut();
    let done = match rhs {
        Rhs::Bytes => matmul::chained_bytes(
            cpu,
            rows,
            first,
            #[inline(always)]
            |row, post| activate(*activation, false, row, post),
            second,
            out,
        ),
        _ => matmul::chained(
            cpu,
            rows,
            first,
            #[inline(always)]
            |row, post| activate(*activation, false, row, post),
            second,
            out,
        ),
    };
    if done {
        return y;
    }
    let post = linear::forward_activated_only(cpu, params, (up, rhs), *activation, x);
    linear::forward(cpu, params, (down, rhs), &post)
}

/// The result, and what the backward pass needs.
pub(super) fn forward(
    cpu: &Cpu,
    params: &Arena,
    layers: &FeedForwardLayers,
    x: &Tensor,
) -> (Tensor, FeedForwardSaved) {
    let FeedForwardLayers {
        up,
        activation,
        down,
    } = layers;
    let Some(half) = half_of(cpu, layers) else {
        let (pre, post) = linear::forward_activated(cpu, params, up, *activation, x);
        let y = linear::forward(cpu, params, (down, Rhs::Transposed), &post);
        return (y, FeedForwardSaved(Saved::Float { pre, post }));
    };
    assert_eq!(x.cols(), up.weight.cols, "input width");
    let tiles = || Tiles::uninit(&cpu.tiles, x.rows(), up.weight.rows);
    let (mut pre, mut post) = (tiles(), tiles());
    matmul::product(
        cpu,
        Left::Rows(x.values()),
        x.rows(),
        &params.panels(cpu, up.weight, Rhs::Transposed),
        up.bias.map(|b| params.view(b)),
        Lines::new(
            [&mut pre, &mut post],
            #[inline(always)]
            |row, [pre, post]: [&mut HalfLine; 2]| {
                matmul::narrow(half, row, pre);
                let mut active = [0.0; matmul::COLS];
                activate(*activation, false, row, &mut active);
                matmul::narrow(half, &active, post);
            },
        ),
    );
    let mut y = cpu.uninit(x.rows(), down.weight.rows);
    let cols = y.cols();
    matmul::product(
        cpu,
        Left::Tiles(&post),
        x.rows(),
        &params.panels(cpu, down.weight, Rhs::Transposed),
        down.bias.map(|b| params.view(b)),
        Rows::new(
            [y.values_mut()],
            cols,
            #[inline(always)]
            |row, [y]| *y = *row,
        ),
    );
    (y, FeedForwardSaved(Saved::Half { pre, post }))
}

/// Adds to the gradients of both layers and returns that of `x`.
pub(super) fn backward(
    cpu: &Cpu,
    params: &Arena,
    layers: &FeedForwardLayers,
    (x, saved): (&Tensor, FeedForwardSaved),
    dy: &Tensor,
    onto: Option<Tensor>,
    grads: &mut Arena,
) -> Tensor {
    let FeedForwardLayers {
        up,
        activation,
        down,
    } = layers;
    let (mut pre, post, half) = match (saved.0, cpu.half) {
        (Saved::Half { pre, post }, Some(half)) => (pre, post, half),
        (Saved::Half { .. }, None) => unreachable!("saved by another backend"),
        (Saved::Float { pre, post }, _) => {
            let saved = (pre, &post);
            let d = linear::activated_backward(cpu, params, down, *activation, saved, dy, grads);
            return linear::backward(cpu, params, up, x, &d, onto, grads);
        }
    };
    let panels = Panels::of_tiles(cpu, &post, cpu.spare_panels());
    let rows = dy.rows();
    let dy = linear::upstream(cpu, down, dy, grads);
    weight_gradient(cpu, down, dy.columns(), &panels, grads);
    cpu.keep_panels(panels);
    drop(post);
    matmul::product(
        cpu,
        dy.left(),
        rows,
        &params.panels(cpu, down.weight, Rhs::Plain),
        None,
        Lines::new(
            [&mut pre],
            #[inline(always)]
            |sums, [line]: [&mut HalfLine; 1]| {
                let (mut d, pre) = (*sums, matmul::widen(line));
                coarse_slopes(*activation, &pre, &mut d);
                matmul::narrow(half, &d, line);
            },
        ),
    );
    let d = pre;
    let panels = Panels::pack(
        cpu,
        x.values(),
        Rhs::Plain,
        x.cols(),
        x.rows(),
        cpu.spare_panels(),
    );
    weight_gradient(cpu, up, Left::TileColumns(&d), &panels, grads);
    cpu.keep_panels(panels);
    if let Some(bias) = up.bias {
        d.add_column_sums(cpu, grads.part(bias));
    }
    let panels = params.panels(cpu, up.weight, Rhs::Plain);
    linear::product_onto(cpu, Left::Tiles(&d), &panels, x, onto)
}

/// `dy *= f'(pre)`, as near as bf16 can tell.
#[inline(always)]
fn coarse_slopes(activation: Activation, pre: &[f32], dy: &mut [f32]) {
    match activation {
        Activation::Gelu => {
            for (dy, x) in dy.iter_mut().zip(pre) {
                *dy *= math::coarse_gelu_slope(*x);
            }
        }
        _ => slopes(activation, pre, dy),
    }
}
