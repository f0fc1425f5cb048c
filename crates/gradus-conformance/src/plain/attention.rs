//! Attention whose backward starts from each row's log-sum-exp, as devices do
//! it; and what goes before it.

use super::{Matrix, Plain, PlainAttended, PlainBatch, dot, mask};
use gradus_kernels::{AttentionInput, AttentionSpec, Rotary};
use std::ops::Range;

/// One query of one head, and what it sees.
struct Query {
    /// Its row, and that of its sequence's first token.
    row: usize,
    first: usize,
    len: usize,
    head: usize,
    /// Rows.
    keys: Range<usize>,
    stream: u64,
}

fn queries(spec: &AttentionSpec, batch: &PlainBatch) -> Vec<Query> {
    let mut all = vec![];
    for (bounds, &stream) in batch
        .packed
        .offsets()
        .windows(2)
        .zip(batch.packed.streams())
    {
        let (first, len) = (bounds[0], bounds[1] - bounds[0]);
        for head in 0..spec.q_heads {
            for i in 0..len {
                let keys = spec.mask.visible(i, len);
                all.push(Query {
                    row: first + i,
                    first,
                    len,
                    head,
                    keys: first + keys.start..first + keys.end,
                    stream,
                });
            }
        }
    }
    all
}

/// The columns of a head of queries and of the keys and values that it meets.
fn columns(spec: &AttentionSpec, head: usize) -> [Range<usize>; 3] {
    let (size, shared) = (spec.head_dim, spec.kv_head(head));
    [
        head,
        spec.q_heads + shared,
        spec.q_heads + spec.kv_heads + shared,
    ]
    .map(|h| h * size..(h + 1) * size)
}

impl Query {
    /// The scores of the keys that it sees.
    fn scores(&self, spec: &AttentionSpec, input: &AttentionInput<'_, Plain>) -> Vec<f64> {
        let [q, k, _] = columns(spec, self.head);
        let query = &input.qkv.row(self.row)[q];
        let longest = input.batch.packed.longest();
        let keys = self.keys.clone();
        keys.map(|j| {
            let score = dot(query, &input.qkv.row(j)[k.clone()]) * f64::from(spec.scale);
            let place = longest - 1 + j - self.row;
            score + input.bias.map_or(0.0, |b| b.row(self.head)[place])
        })
        .collect()
    }

    /// What the probabilities of the keys that it sees are multiplied by.
    fn mask(&self, input: &AttentionInput<'_, Plain>) -> Vec<f64> {
        let Some(dropout) = input.dropout else {
            return vec![1.0; self.keys.len()];
        };
        let key = dropout.head_row_key(self.stream, self.head, self.row - self.first);
        let all = mask(self.len, dropout, key);
        all[self.keys.start - self.first..self.keys.end - self.first].to_vec()
    }
}

pub(super) fn forward(
    spec: &AttentionSpec,
    input: AttentionInput<'_, Plain>,
) -> (Matrix, PlainAttended) {
    spec.check(input.qkv.cols);
    let mut out = Matrix::zeros(input.qkv.rows, spec.q_width());
    let mut sums = Matrix::zeros(input.qkv.rows, spec.q_heads);
    for query in queries(spec, input.batch) {
        let [own, _, values] = columns(spec, query.head);
        let scores = query.scores(spec, &input);
        let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|s| (s - highest).exp()).sum();
        let sum = highest + total.ln();
        sums.row_mut(query.row)[query.head] = sum;
        let out = &mut out.row_mut(query.row)[own];
        let masks = query.mask(&input);
        for ((j, score), mask) in query.keys.clone().zip(scores).zip(masks) {
            let p = (score - sum).exp() * mask;
            for (out, v) in out.iter_mut().zip(&input.qkv.row(j)[values.clone()]) {
                *out += p * v;
            }
        }
    }
    (out, PlainAttended(sums))
}

pub(super) fn backward(
    spec: &AttentionSpec,
    input: AttentionInput<'_, Plain>,
    (context, PlainAttended(sums)): (&Matrix, PlainAttended),
    dy: &Matrix,
    mut dbias: Option<&mut Matrix>,
) -> Matrix {
    let mut grad = Matrix::zeros(input.qkv.rows, input.qkv.cols);
    let longest = input.batch.packed.longest();
    for query in queries(spec, input.batch) {
        let (i, h) = (query.row, query.head);
        let [q, k, v] = columns(spec, h);
        let dy = &dy.row(i)[q.clone()];
        let along = dot(dy, &context.row(i)[q.clone()]);
        let (scores, masks) = (query.scores(spec, &input), query.mask(&input));
        for ((j, score), mask) in query.keys.clone().zip(scores).zip(masks) {
            let p = (score - sums.row(i)[h]).exp();
            let slope = p * (dot(dy, &input.qkv.row(j)[v.clone()]) * mask - along);
            if let Some(dbias) = &mut dbias {
                dbias.row_mut(h)[longest - 1 + j - i] += slope;
            }
            let slope = slope * f64::from(spec.scale);
            for (d, dy) in dy.iter().enumerate() {
                let (query, key) = (input.qkv.row(i)[q.start + d], input.qkv.row(j)[k.start + d]);
                grad.row_mut(i)[q.start + d] += slope * key;
                grad.row_mut(j)[k.start + d] += slope * query;
                grad.row_mut(j)[v.start + d] += p * mask * dy;
            }
        }
    }
    grad
}

/// Turns queries and keys by their positions times `sign`.
pub(super) fn turn(
    rotary: &Rotary,
    spec: &AttentionSpec,
    batch: &PlainBatch,
    mut qkv: Matrix,
    sign: f64,
) -> Matrix {
    spec.check(qkv.cols);
    let pairs = spec.head_dim / 2;
    assert_eq!(2 * pairs, spec.head_dim, "a head is pairs");
    for row in 0..qkv.rows {
        let position = f64::from(batch.packed.positions()[row]);
        let turned = &mut qkv.row_mut(row)[..spec.q_width() + spec.kv_width()];
        for head in turned.chunks_exact_mut(spec.head_dim) {
            for i in 0..pairs {
                let speed = f64::from(rotary.base).powf(-(i as f64) / pairs as f64);
                let (sine, cosine) = (sign * position * speed).sin_cos();
                let (x, y) = (head[i], head[i + pairs]);
                head[i] = x * cosine - y * sine;
                head[i + pairs] = x * sine + y * cosine;
            }
        }
    }
    qkv
}
