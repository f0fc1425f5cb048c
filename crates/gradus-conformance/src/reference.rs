//! Plain definitions in f64.

use gradus_kernels::{
    Activation, AttentionMask, AttentionSpec, NormKind, NormSpec, Packed, Pooling,
};

/// `x W^T + b`.
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

/// The error function: its Maclaurin series near zero, a continued fraction of
/// what is missing to one beyond.
pub fn erf(x: f64) -> f64 {
    if x.abs() < 2.5 {
        let (mut term, mut sum) = (x, x);
        for n in 1..80 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return sum * 2.0 / std::f64::consts::PI.sqrt();
    }
    let z = x.abs();
    let fraction = (1..120)
        .rev()
        .fold(0.0, |below, n| f64::from(n) / 2.0 / (z + below));
    let missing = (-z * z).exp() / std::f64::consts::PI.sqrt() / (z + fraction);
    (1.0 - missing).copysign(x)
}

/// The activation at `x`.
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

/// Over every run of `gamma.len()` values.
pub fn norm(kind: NormKind, x: &[f64], gamma: &[f64], beta: Option<&[f64]>, eps: f64) -> Vec<f64> {
    let width = gamma.len();
    x.chunks(width)
        .flat_map(|x| {
            let mean = match kind {
                NormKind::LayerNorm => x.iter().sum::<f64>() / width as f64,
                NormKind::Rms | NormKind::RmsOnePlus => 0.0,
            };
            let square = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            let deviation = (square + eps).sqrt();
            (0..width).map(move |i| {
                let scale = match kind {
                    NormKind::RmsOnePlus => 1.0 + gamma[i],
                    _ => gamma[i],
                };
                (x[i] - mean) / deviation * scale + beta.map_or(0.0, |b| b[i])
            })
        })
        .collect()
}

/// The values of a norm's parameters, and the norm of `x`.
pub fn norm_by(spec: &NormSpec, params: &[f64], x: &[f64]) -> Vec<f64> {
    let beta = spec.beta.map(|b| &params[b.range()]);
    let gamma = &params[spec.gamma.range()];
    norm(spec.kind, x, gamma, beta, f64::from(spec.eps))
}

/// `bias` is `[heads, 2 * longest - 1]`, the distance 0 in the middle.
pub fn attention(
    qkv: &[f64],
    spec: &AttentionSpec,
    bias: Option<&[f64]>,
    batch: &Packed,
) -> Vec<f64> {
    let (longest, size, width) = (batch.longest(), spec.head_dim, spec.q_width());
    let mut out = vec![0.0; batch.tokens() * width];
    for bounds in batch.offsets().windows(2) {
        for h in 0..spec.q_heads {
            let shared = h / (spec.q_heads / spec.kv_heads);
            let part = |row: usize, from: usize| {
                let at = row * spec.qkv_width() + from;
                &qkv[at..at + size]
            };
            let key = |row| part(row, width + shared * size);
            let value = |row| part(row, width + (spec.kv_heads + shared) * size);
            for i in bounds[0]..bounds[1] {
                let sees = |j: &usize| match spec.mask {
                    AttentionMask::Full => true,
                    AttentionMask::Causal => *j <= i,
                    AttentionMask::Window { before, after } => *j + before >= i && *j <= i + after,
                };
                let keys: Vec<usize> = (bounds[0]..bounds[1]).filter(sees).collect();
                let scores: Vec<f64> = keys
                    .iter()
                    .map(|&j| {
                        let pairs = part(i, h * size).iter().zip(key(j));
                        let dot: f64 = pairs.map(|(q, k)| q * k).sum();
                        let place = h * (2 * longest - 1) + longest - 1 + j - i;
                        let bias = bias.map_or(0.0, |b| b[place]);
                        (dot * f64::from(spec.scale) + bias).exp()
                    })
                    .collect();
                let total: f64 = scores.iter().sum();
                for (&j, score) in keys.iter().zip(&scores) {
                    for (d, v) in value(j).iter().enumerate() {
                        out[i * width + h * size + d] += score / total * v;
                    }
                }
            }
        }
    }
    out
}

/// Complex numbers, of which a head's first half holds the real parts.
pub fn rotary(qkv: &[f64], batch: &Packed, spec: &AttentionSpec, base: f64) -> Vec<f64> {
    let mut out = qkv.to_vec();
    let (size, turned) = (spec.head_dim, spec.q_width() + spec.kv_width());
    let rows = out.chunks_mut(spec.qkv_width());
    for (row, position) in rows.zip(batch.positions()) {
        for head in row[..turned].chunks_mut(size) {
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

/// Each mode's vector of every sequence, side by side.
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

/// Rows divided by their lengths.
pub fn normalize(x: &[f64], width: usize) -> Vec<f64> {
    x.chunks(width)
        .flat_map(|row| {
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
            row.iter().map(move |x| x / length)
        })
        .collect()
}

/// The cosine of every row of `a` with every row of `b`.
pub fn cosines(a: &[f64], b: &[f64], width: usize) -> Vec<f64> {
    let (a, b) = (normalize(a, width), normalize(b, width));
    a.chunks(width)
        .flat_map(|a| {
            b.chunks(width)
                .map(|b| a.iter().zip(b).map(|(a, b)| a * b).sum())
                .collect::<Vec<f64>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_has_its_known_values() {
        for (x, expected) in [
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (2.5, 0.999_593_047_982_555),
            (3.0, 0.999_977_909_503_001_4),
            (5.0, 0.999_999_999_998_462_5),
        ] {
            assert!((erf(x) - expected).abs() < 1e-14, "{x}: {}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
        assert!((erf(2.499_999_99) - erf(2.500_000_01)).abs() < 1e-9);
        assert_eq!(erf(0.0), 0.0);
        assert_eq!(erf(30.0), 1.0);
    }
}
