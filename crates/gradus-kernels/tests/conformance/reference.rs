//! Plain definitions in f64.

use gradus_kernels::{Activation, Packed, Pooling};

pub fn linear(x: &[f64], w: &[f64], b: Option<&[f64]>, out: usize, width: usize) -> Vec<f64> {
    x.chunks(width)
        .flat_map(|x| {
            (0..out).map(move |o| {
                let dot: f64 = x.iter().zip(&w[o * width..]).map(|(x, w)| x * w).sum();
                dot + b.map_or(0.0, |b| b[o])
            })
        })
        .collect()
}

/// The error function's Maclaurin series, exact to rounding for |x| < 3.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

pub fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Gelu => 0.5 * x * (1.0 + erf(x / 2f64.sqrt())),
        Activation::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
    }
}

pub fn layer_norm(x: &[f64], gamma: &[f64], beta: &[f64], eps: f64) -> Vec<f64> {
    let width = gamma.len();
    x.chunks(width)
        .flat_map(|x| {
            let mean = x.iter().sum::<f64>() / width as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            let deviation = (variance + eps).sqrt();
            (0..width).map(move |i| (x[i] - mean) / deviation * gamma[i] + beta[i])
        })
        .collect()
}

pub fn attention(qkv: &[f64], batch: &Packed, heads: usize, width: usize) -> Vec<f64> {
    biased_attention(qkv, None, batch, heads, width)
}

/// `bias` is `[heads, 2 * longest - 1]`, the distance 0 in the middle.
pub fn biased_attention(
    qkv: &[f64],
    bias: Option<&[f64]>,
    batch: &Packed,
    heads: usize,
    width: usize,
) -> Vec<f64> {
    let longest = batch.longest();
    let size = width / heads;
    let mut out = vec![0.0; batch.tokens() * width];
    for bounds in batch.offsets().windows(2) {
        for h in 0..heads {
            let part = |row: usize, part: usize| {
                let at = row * 3 * width + part * width + h * size;
                &qkv[at..at + size]
            };
            for i in bounds[0]..bounds[1] {
                let scores: Vec<f64> = (bounds[0]..bounds[1])
                    .map(|j| {
                        let dot: f64 = part(i, 0).iter().zip(part(j, 1)).map(|(q, k)| q * k).sum();
                        let bias =
                            bias.map_or(0.0, |b| b[h * (2 * longest - 1) + longest - 1 + j - i]);
                        (dot / (size as f64).sqrt() + bias).exp()
                    })
                    .collect();
                let total: f64 = scores.iter().sum();
                for (j, score) in (bounds[0]..bounds[1]).zip(&scores) {
                    for (d, v) in part(j, 2).iter().enumerate() {
                        out[i * width + h * size + d] += score / total * v;
                    }
                }
            }
        }
    }
    out
}

/// Complex numbers, of which a head's first half holds the real parts.
pub fn rotary(qkv: &[f64], batch: &Packed, heads: usize, width: usize, base: f64) -> Vec<f64> {
    let mut out = qkv.to_vec();
    let size = width / heads;
    for (row, position) in out.chunks_mut(3 * width).zip(batch.positions()) {
        for head in row[..2 * width].chunks_mut(size) {
            for i in 0..size / 2 {
                let angle = f64::from(*position) / base.powf(2.0 * i as f64 / size as f64);
                let (x, y) = (head[i], head[i + size / 2]);
                head[i] = x * angle.cos() - y * angle.sin();
                head[i + size / 2] = x * angle.sin() + y * angle.cos();
            }
        }
    }
    out
}

pub fn pool(modes: &[Pooling], batch: &Packed, x: &[f64], width: usize) -> Vec<f64> {
    let mut out = Vec::new();
    for (bounds, &mark) in batch.offsets().windows(2).zip(batch.marks()) {
        let rows: Vec<&[f64]> = x[bounds[0] * width..bounds[1] * width]
            .chunks(width)
            .collect();
        let n = rows.len() as f64;
        for mode in modes {
            for c in 0..width {
                let column = rows.iter().map(|r| r[c]);
                out.push(match mode {
                    _ if rows.is_empty() => 0.0,
                    Pooling::Marked => rows[mark][c],
                    Pooling::Cls => rows[0][c],
                    Pooling::LastToken => rows[rows.len() - 1][c],
                    Pooling::Mean => column.sum::<f64>() / n,
                    Pooling::MeanSqrtLen => column.sum::<f64>() / n.sqrt(),
                    Pooling::Max => column.fold(f64::NEG_INFINITY, f64::max),
                    Pooling::WeightedMean => {
                        let total = n * (n + 1.0) / 2.0;
                        column.zip(1..).map(|(x, w)| x * f64::from(w)).sum::<f64>() / total
                    }
                });
            }
        }
    }
    out
}

pub fn normalize(x: &[f64], width: usize) -> Vec<f64> {
    x.chunks(width)
        .flat_map(|row| {
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
            row.iter().map(move |x| x / length)
        })
        .collect()
}
