//! Matrix products and attention.

use super::{Bound, Case};
use crate::shapes::{Shape, values};
use gradus_kernels::cpu::{Cpu, Tensor};
use gradus_kernels::{
    Activation, AttentionInput, AttentionSpec, Backend, FeedForwardLayers, Linear, View,
};
use std::hint::black_box;

pub fn all(shape: &Shape) -> Vec<Case> {
    let (h, wide) = (shape.model.hidden, shape.model.wide);
    let long = shape.in_long_texts();
    vec![
        forward(shape, h, 3 * h),
        forward(shape, wide, h),
        activated(shape),
        feed_forward(shape),
        feed_forward_training(shape),
        backward(shape, h, wide),
        backward(shape, wide, h),
        attention(shape),
        attention_backward(shape),
        attention(&long),
        attention_backward(&long),
    ]
}

/// A layer with a bias, and where it ends.
fn layer(at: usize, input: usize, output: usize) -> (Linear, usize) {
    let weight = View::new(at, output, input);
    let bias = View::new(weight.range().end, 1, output);
    let layer = Linear {
        weight,
        bias: Some(bias),
    };
    (layer, bias.range().end)
}

/// Weights of about the size that keeps sums near 1.
fn weights(len: usize) -> Vec<f32> {
    values(len, 1, [-0.05, 0.05])
}

fn activations(cpu: &Cpu, rows: usize, cols: usize, seed: u64) -> Tensor {
    cpu.tensor(rows, cols, &values(rows * cols, seed, [-1.0, 1.0]))
}

fn named(shape: &Shape, input: usize, output: usize) -> String {
    format!("{} {input}>{output}", shape.name())
}

fn forward(shape: &Shape, input: usize, output: usize) -> Case {
    let tokens = shape.batch.tokens();
    let name = named(shape, input, output);
    let work = 2 * tokens * input * output;
    Case::new("linear forward", name, Bound::Products, work, move |cpu| {
        let (layer, len) = layer(0, input, output);
        let params = cpu.arena(weights(len));
        let x = activations(cpu, tokens, input, 2);
        Box::new(move || {
            black_box(cpu.linear(&params, &layer, &x));
        })
    })
}

fn activated(shape: &Shape) -> Case {
    let tokens = shape.batch.tokens();
    let (input, output) = (shape.model.hidden, shape.model.wide);
    let name = named(shape, input, output);
    let work = 2 * tokens * input * output;
    Case::new("linear + GELU", name, Bound::Products, work, move |cpu| {
        let (layer, len) = layer(0, input, output);
        let params = cpu.arena(weights(len));
        let x = activations(cpu, tokens, input, 2);
        Box::new(move || {
            black_box(cpu.linear_activated(&params, &layer, Activation::Gelu, &x));
        })
    })
}

/// A feed-forward part, and how many parameters it has.
fn both_layers(h: usize, wide: usize) -> (FeedForwardLayers, usize) {
    let (up, at) = layer(0, h, wide);
    let (down, len) = layer(at, wide, h);
    let activation = Activation::Gelu;
    let layers = FeedForwardLayers {
        up,
        activation,
        down,
    };
    (layers, len)
}

fn feed_forward(shape: &Shape) -> Case {
    let tokens = shape.batch.tokens();
    let (h, wide) = (shape.model.hidden, shape.model.wide);
    let name = format!("{} {h}>{wide}>{h}", shape.name());
    let work = 4 * tokens * h * wide;
    Case::new("feed-forward", name, Bound::Products, work, move |cpu| {
        let (layers, len) = both_layers(h, wide);
        let params = cpu.arena(weights(len));
        let x = activations(cpu, tokens, h, 2);
        Box::new(move || {
            black_box(cpu.feed_forward(&params, &layers, &x));
        })
    })
}

fn feed_forward_training(shape: &Shape) -> Case {
    let tokens = shape.batch.tokens();
    let (h, wide) = (shape.model.hidden, shape.model.wide);
    let name = format!("{} {h}>{wide}>{h}", shape.name());
    let work = 12 * tokens * h * wide;
    let kind = "feed-forward, both ways";
    Case::new(kind, name, Bound::Products, work, move |cpu| {
        let (layers, len) = both_layers(h, wide);
        let params = cpu.arena(weights(len));
        let mut grads = cpu.arena(vec![0.0; len]);
        let x = activations(cpu, tokens, h, 2);
        let dy = activations(cpu, tokens, h, 3);
        Box::new(move || {
            let (_, inner) = cpu.feed_forward_kept(&params, &layers, &x);
            black_box(cpu.feed_forward_backward(
                &params,
                &layers,
                (&x, inner),
                &dy,
                None,
                &mut grads,
            ));
        })
    })
}

fn backward(shape: &Shape, input: usize, output: usize) -> Case {
    let tokens = shape.batch.tokens();
    let name = named(shape, input, output);
    let work = 4 * tokens * input * output;
    Case::new("linear backward", name, Bound::Products, work, move |cpu| {
        let (layer, len) = layer(0, input, output);
        let params = cpu.arena(weights(len));
        let mut grads = cpu.arena(vec![0.0; len]);
        let x = activations(cpu, tokens, input, 2);
        let dy = activations(cpu, tokens, output, 3);
        Box::new(move || {
            black_box(cpu.linear_backward(&params, &layer, &x, &dy, None, &mut grads));
        })
    })
}

/// Operations of one product of all heads: queries and keys, or probabilities
/// and values.
fn attention_product(shape: &Shape) -> usize {
    let lengths = shape.batch.offsets().windows(2).map(|w| w[1] - w[0]);
    2 * lengths.map(|n| n * n).sum::<usize>() * shape.model.hidden
}

fn spec(shape: &Shape) -> AttentionSpec {
    AttentionSpec::full(shape.model.heads, shape.model.hidden / shape.model.heads)
}

fn input<'a>(qkv: &'a Tensor, shape: &'a Shape) -> AttentionInput<'a, Cpu> {
    AttentionInput {
        qkv,
        batch: &shape.batch,
        bias: None,
        dropout: shape.dropout,
    }
}

/// With the number of texts, on which attention's work depends.
fn of_texts(shape: &Shape) -> String {
    format!("{} in {}", shape.name(), shape.batch.sequences())
}

fn attention(shape: &Shape) -> Case {
    let (name, work) = (of_texts(shape), 2 * attention_product(shape));
    let shape = shape.clone();
    Case::new("attention forward", name, Bound::F32, work, move |cpu| {
        let (shape, spec) = (shape.clone(), spec(&shape));
        let qkv = activations(cpu, shape.batch.tokens(), spec.qkv_width(), 2);
        Box::new(move || {
            black_box(cpu.attention(&spec, input(&qkv, &shape)));
        })
    })
}

/// Five products, as the probabilities are computed anew.
fn attention_backward(shape: &Shape) -> Case {
    let (name, work) = (of_texts(shape), 5 * attention_product(shape));
    let shape = shape.clone();
    Case::new("attention backward", name, Bound::F32, work, move |cpu| {
        let (shape, spec) = (shape.clone(), spec(&shape));
        let tokens = shape.batch.tokens();
        let qkv = activations(cpu, tokens, spec.qkv_width(), 2);
        let dy = activations(cpu, tokens, spec.q_width(), 3);
        let (context, ()) = cpu.attention_kept(&spec, input(&qkv, &shape));
        Box::new(move || {
            let (input, saved) = (input(&qkv, &shape), (&context, ()));
            black_box(cpu.attention_backward(&spec, input, saved, &dy, None));
        })
    })
}
