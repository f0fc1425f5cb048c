//! What moves more than it computes.

use super::{Bound, Case};
use crate::shapes::{Shape, TABLES, values};
use gradus_kernels::cpu::{Cpu, Tensor};
use gradus_kernels::{
    Activation, AdamWArenas, AdamWSegment, AdamWStep, Backend, Clip, EmbeddingTables, NormSpec,
    Pooling, RowDropout, View,
};
use std::hint::black_box;

/// Bytes of a value.
const SIZE: usize = size_of::<f32>();

pub fn all(shape: &Shape) -> Vec<Case> {
    let mut cases = vec![
        norm(shape),
        norm_backward(shape),
        activation_backward(shape),
        embed(shape),
        embed_backward(shape),
        pool(shape),
        pool_backward(shape),
    ];
    // These know nothing of tokens: once for each model.
    if shape.dropout.is_some() {
        cases.extend([adamw(shape), gradient_norm(shape)]);
    }
    cases
}

fn matrix(cpu: &Cpu, rows: usize, cols: usize, seed: u64) -> Tensor {
    cpu.tensor(rows, cols, &values(rows * cols, seed, [-1.0, 1.0]))
}

/// Bytes of so many matrices with a row for each token.
fn matrices(count: usize, shape: &Shape) -> usize {
    count * shape.batch.tokens() * shape.model.hidden * SIZE
}

fn layer_norm(width: usize) -> NormSpec {
    NormSpec::layer_norm(View::new(0, 1, width), View::new(width, 1, width), 1e-12)
}

/// The shape's dropout, on its rows.
fn row_dropout<'a>(shape: &'a Shape) -> Option<RowDropout<'a, Cpu>> {
    let batch = &shape.batch;
    shape.dropout.map(|dropout| RowDropout { batch, dropout })
}

fn norm(shape: &Shape) -> Case {
    let work = matrices(4, shape);
    let (name, shape) = (shape.name(), shape.clone());
    Case::new(
        "layer norm forward",
        name,
        Bound::Update,
        work,
        move |cpu| {
            let (shape, width) = (shape.clone(), shape.model.hidden);
            let rows = shape.batch.tokens();
            let norm = layer_norm(width);
            let params = cpu.arena(values(2 * width, 1, [0.5, 1.0]));
            let residual = matrix(cpu, rows, width, 2);
            let mut input = Some(matrix(cpu, rows, width, 3));
            Box::new(move || {
                // What was normalised is the next call's input: it has the size.
                if let Some(x) = input.take() {
                    let y = cpu.add_norm(&params, &norm, x, Some(&residual), row_dropout(&shape));
                    input = Some(black_box(y).saved.normalized);
                }
            })
        },
    )
}

fn norm_backward(shape: &Shape) -> Case {
    let work = matrices(3 + usize::from(shape.dropout.is_some()), shape);
    let (name, shape) = (shape.name(), shape.clone());
    let kernel = "layer norm backward";
    Case::new(kernel, name, Bound::Update, work, move |cpu| {
        let (shape, width) = (shape.clone(), shape.model.hidden);
        let (norm, tokens) = (layer_norm(width), shape.batch.tokens());
        let params = cpu.arena(values(2 * width, 1, [0.5, 1.0]));
        let mut grads = cpu.arena(vec![0.0; 2 * width]);
        let x = matrix(cpu, tokens, width, 3);
        let saved = cpu
            .add_norm(&params, &norm, x, None, row_dropout(&shape))
            .saved;
        let dy = matrix(cpu, tokens, width, 4);
        Box::new(move || {
            let dropout = row_dropout(&shape);
            black_box(cpu.add_norm_backward(
                &params,
                &norm,
                saved.as_ref(),
                &dy,
                dropout,
                &mut grads,
            ));
        })
    })
}

fn activation_backward(shape: &Shape) -> Case {
    let (rows, cols) = (shape.batch.tokens(), shape.model.wide);
    let work = 3 * rows * cols * SIZE;
    let name = format!("{} {cols}", shape.name());
    Case::new("GELU backward", name, Bound::Update, work, move |cpu| {
        // The slope is 1 there: the gradient, passed on from call to call,
        // neither grows nor becomes denormal.
        let pre = cpu.tensor(rows, cols, &values(rows * cols, 2, [6.0, 8.0]));
        let mut gradient = Some(matrix(cpu, rows, cols, 3));
        Box::new(move || {
            if let Some(dy) = gradient.take() {
                gradient = Some(cpu.activation_backward(Activation::Gelu, &pre, dy));
            }
        })
    })
}

/// The three tables, and how many values they are.
fn tables(width: usize) -> (EmbeddingTables, usize) {
    let words = View::new(0, TABLES[0], width);
    let positions = View::new(words.range().end, TABLES[1], width);
    let segments = View::new(positions.range().end, TABLES[2], width);
    let tables = EmbeddingTables {
        words,
        positions: Some(positions),
        segments: Some(segments),
    };
    (tables, segments.range().end)
}

/// Rows of words and of the result; the other tables stay in a cache.
fn embed(shape: &Shape) -> Case {
    let work = matrices(2, shape);
    let (name, shape) = (shape.name(), shape.clone());
    Case::new("embedding lookup", name, Bound::Update, work, move |cpu| {
        let batch = shape.batch.clone();
        let (tables, len) = tables(shape.model.hidden);
        let params = cpu.arena(values(len, 1, [-1.0, 1.0]));
        Box::new(move || {
            black_box(cpu.embed(&params, &tables, &batch));
        })
    })
}

/// The gradient is read, rows of words are changed.
fn embed_backward(shape: &Shape) -> Case {
    let work = matrices(3, shape);
    let (name, shape) = (shape.name(), shape.clone());
    Case::new("embedding scatter", name, Bound::Update, work, move |cpu| {
        let batch = shape.batch.clone();
        let (tables, len) = tables(shape.model.hidden);
        let mut grads = cpu.gradient_arena(len, Some(tables.words));
        let dy = matrix(cpu, batch.tokens(), shape.model.hidden, 2);
        Box::new(move || {
            cpu.embed_backward(&tables, &batch, &dy, &mut grads);
            black_box(&mut grads);
        })
    })
}

/// One vector per sequence besides the tokens'.
fn pooled(shape: &Shape) -> usize {
    matrices(1, shape) + shape.batch.sequences() * shape.model.hidden * SIZE
}

fn pool(shape: &Shape) -> Case {
    let work = pooled(shape);
    let (name, shape) = (shape.name(), shape.clone());
    Case::new("pooling forward", name, Bound::Read, work, move |cpu| {
        let batch = shape.batch.clone();
        let x = matrix(cpu, batch.tokens(), shape.model.hidden, 2);
        Box::new(move || {
            black_box(cpu.pool(&[Pooling::Mean], &batch, &x));
        })
    })
}

fn pool_backward(shape: &Shape) -> Case {
    let work = pooled(shape);
    let (name, shape) = (shape.name(), shape.clone());
    Case::new("pooling backward", name, Bound::Update, work, move |cpu| {
        let batch = shape.batch.clone();
        let width = shape.model.hidden;
        let x = matrix(cpu, batch.tokens(), width, 2);
        let dy = matrix(cpu, batch.sequences(), width, 3);
        Box::new(move || {
            black_box(cpu.pool_backward(&[Pooling::Mean], &batch, &x, &dy));
        })
    })
}

/// Parameters of the model's layers, without biases and norms.
fn parameters(shape: &Shape) -> usize {
    let model = &shape.model;
    model.layers * (4 * model.hidden + 2 * model.wide) * model.hidden
}

fn of_parameters(shape: &Shape) -> String {
    let millions = parameters(shape) as f64 / 1e6;
    format!("{} {millions:.1}M values", shape.model.name)
}

fn adamw(shape: &Shape) -> Case {
    let len = parameters(shape);
    // Values and both moments are read and written, gradients read.
    let work = 7 * len * SIZE;
    let make = move |cpu: &Cpu| cpu.arena(values(len, 1, [0.1, 1.0]));
    let case = Case::new(
        "AdamW step",
        of_parameters(shape),
        Bound::Update,
        work,
        move |cpu| {
            let mut params = make(cpu);
            let grads = make(cpu);
            let (mut first, mut second) = (make(cpu), make(cpu));
            let segments = [AdamWSegment {
                range: 0..len,
                learning_rate: 1e-5,
                weight_decay: 0.01,
            }];
            let step = AdamWStep {
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-8,
                step: 100,
            };
            Box::new(move || {
                let arenas = AdamWArenas {
                    params: &mut params,
                    grads: &grads,
                    first: &mut first,
                    second: &mut second,
                };
                let (norm, most) = (&1.1, Some(1.0));
                cpu.adamw(arenas, &segments, &step, Clip { norm, most });
                black_box(&mut params);
            })
        },
    );
    Case {
        f32_only: true,
        ..case
    }
}

fn gradient_norm(shape: &Shape) -> Case {
    let len = parameters(shape);
    let case = Case::new(
        "gradient norm",
        of_parameters(shape),
        Bound::Read,
        len * SIZE,
        move |cpu| {
            let arena = cpu.arena(values(len, 1, [-1.0, 1.0]));
            let whole = 0..len;
            Box::new(move || {
                black_box(cpu.gradient_norm(&arena, std::slice::from_ref(&whole), 0.0));
            })
        },
    );
    Case {
        f32_only: true,
        ..case
    }
}
