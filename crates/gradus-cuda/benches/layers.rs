//! How long layers of BERT take on a card, forward and with backward, for several numbers of tokens.
//!
//! `cargo bench -p gradus-cuda --bench layers`; with `GRADUS_CUDA_PROFILE=1` what each kernel took.

use gradus_cuda::{Arena, Cuda, Precision};
use gradus_kernels::dropout::{Dropout, mix64};
use gradus_kernels::{
    Activation, AdamWArenas, AdamWSegment, AdamWStep, AttentionInput, AttentionSpec, Backend, Clip,
    FeedForwardLayers, Linear, NormSpec, Packed, RowDropout, Sequence, View,
};
use std::time::Instant;

/// A layer's parameters.
struct Layer {
    qkv: Linear,
    out: Linear,
    feed_forward: FeedForwardLayers,
    norms: [NormSpec; 2],
}

/// Hands out the places of an arena.
struct Places(usize);

impl Places {
    fn view(&mut self, rows: usize, cols: usize) -> View {
        let view = View::new(self.0, rows, cols);
        self.0 += rows * cols;
        view
    }

    fn linear(&mut self, out: usize, width: usize) -> Linear {
        Linear {
            weight: self.view(out, width),
            bias: Some(self.view(1, out)),
        }
    }

    fn layer(&mut self, width: usize) -> Layer {
        Layer {
            qkv: self.linear(3 * width, width),
            out: self.linear(width, width),
            feed_forward: FeedForwardLayers {
                up: self.linear(4 * width, width),
                activation: Activation::Gelu,
                down: self.linear(width, 4 * width),
            },
            norms: [0; 2]
                .map(|_| NormSpec::layer_norm(self.view(1, width), self.view(1, width), 1e-12)),
        }
    }
}

fn values(n: usize, seed: u64) -> Vec<f32> {
    let one = |i| (mix64(seed ^ i) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
    (0..n as u64).map(|i| 0.05 * one(i)).collect()
}

/// Sequences of a length, or of lengths like those of sentences, of so many tokens in all.
fn batch(tokens: usize, length: Option<usize>) -> Packed {
    let (mut lengths, mut left, mut seed) = (vec![], tokens, 0);
    while left > 0 {
        seed += 1;
        let own = length.unwrap_or(8 + mix64(seed) as usize % 12 + mix64(seed << 8) as usize % 20);
        lengths.push(own.min(left));
        left -= own.min(left);
    }
    let ids = vec![1; tokens];
    let sequence = |(stream, &len): (usize, &usize)| Sequence {
        ids: &ids[..len],
        segments: &[],
        stream: stream as u64,
    };
    Packed::new(lengths.iter().enumerate().map(sequence), 0)
}

fn forward_backward(
    cuda: &Cuda,
    params: &Arena,
    grads: Option<&mut Arena>,
    layers: &[Layer],
    spec: &AttentionSpec,
    packed: &Packed,
    x: &[f32],
) {
    let moved = cuda.batch(packed.clone());
    let width = spec.q_width();
    let x = cuda.tensor(packed.tokens(), width, x);
    let mut x = cuda.to_half(x);
    let drop = |site| Dropout::for_step(0.1, 1, 2).at(site, 0.1);
    let rows = |site| {
        Some(RowDropout {
            batch: &moved,
            dropout: drop(site),
        })
    };
    let mut saved = vec![];
    let Some(grads) = grads else {
        for layer in layers {
            let qkv = cuda.linear_inferred(params, &layer.qkv, &x);
            let input = AttentionInput {
                qkv: &qkv,
                batch: &moved,
                bias: None,
                dropout: None,
            };
            let context = cuda.attention(spec, input);
            let y = cuda.linear_inferred(params, &layer.out, &context);
            let middle = cuda.norm_inferred(params, &layer.norms[0], y, Some(&x));
            let y = cuda.feed_forward(params, &layer.feed_forward, &middle);
            x = cuda.norm_inferred(params, &layer.norms[1], y, Some(&middle));
        }
        return;
    };
    for layer in layers {
        let qkv = cuda.linear(params, &layer.qkv, &x);
        let input = AttentionInput {
            qkv: &qkv,
            batch: &moved,
            bias: None,
            dropout: Some(drop(1)),
        };
        let (context, attended) = cuda.attention_kept(spec, input);
        let y = cuda.linear(params, &layer.out, &context);
        let first = cuda.add_norm(params, &layer.norms[0], y, Some(&x), rows(2));
        let (y, kept) = cuda.feed_forward_kept(params, &layer.feed_forward, &first.out);
        let second = cuda.add_norm(params, &layer.norms[1], y, Some(&first.out), rows(3));
        saved.push((x, qkv, context, attended, first, kept, second.saved));
        x = second.out;
    }
    let mut d = x;
    for (layer, (x, qkv, context, attended, first, kept, second)) in layers.iter().zip(saved).rev()
    {
        let (residual, branch) =
            cuda.add_norm_backward(params, &layer.norms[1], second.as_ref(), &d, rows(3), grads);
        let branch = branch.as_ref().unwrap();
        let own = (&first.out, kept);
        d = cuda.feed_forward_backward(
            params,
            &layer.feed_forward,
            own,
            branch,
            Some(residual),
            grads,
        );
        let (residual, branch) = cuda.add_norm_backward(
            params,
            &layer.norms[0],
            first.saved.as_ref(),
            &d,
            rows(2),
            grads,
        );
        let branch = branch.as_ref().unwrap();
        let dc = cuda.linear_backward(params, &layer.out, &context, branch, None, grads);
        let input = AttentionInput {
            qkv: &qkv,
            batch: &moved,
            bias: None,
            dropout: Some(drop(1)),
        };
        let dqkv = cuda.attention_backward(spec, input, (&context, attended), &dc, None);
        d = cuda.linear_backward(params, &layer.qkv, &x, &dqkv, Some(residual), grads);
    }
}

fn main() {
    let cuda = match Cuda::new(0, Precision::Bf16) {
        Ok(cuda) => cuda,
        Err(why) => return println!("skipped: {why}"),
    };
    println!(
        "{}, {}; {}",
        cuda.describe(),
        cuda.arithmetic(),
        cuda.note().unwrap_or("")
    );
    let only = std::env::var("LAYERS_ONLY").unwrap_or_default();
    for (name, width, count, head) in [("BERT-base", 768, 12, 64), ("MiniLM", 384, 6, 32)] {
        let mut places = Places(0);
        let layers: Vec<Layer> = (0..count).map(|_| places.layer(width)).collect();
        let len = places.0;
        let mut params = cuda.arena(values(len, 1));
        let mut grads = cuda.gradient_arena(len, None);
        let mut moments = [cuda.arena(vec![0.0; len]), cuda.arena(vec![0.0; len])];
        let spec = AttentionSpec::full(width / head, head);
        for (tokens, length) in [
            (448, None),
            (4096, None),
            (27_000, None),
            (65_536, None),
            (8_192, Some(256)),
            (32_768, Some(256)),
            (32_768, Some(512)),
        ] {
            let case = format!(
                "{name} {tokens} tokens of {}",
                length.map_or("sentences".into(), |n| n.to_string())
            );
            if !case.contains(&only) {
                continue;
            }
            let packed = batch(tokens, length);
            let x = values(tokens * width, 2);
            let segments = [AdamWSegment {
                range: 0..len,
                learning_rate: 1e-6,
                weight_decay: 0.01,
            }];
            let mut run = |train: bool| {
                if !train {
                    forward_backward(&cuda, &params, None, &layers, &spec, &packed, &x);
                    return;
                }
                cuda.zero(&mut grads);
                forward_backward(
                    &cuda,
                    &params,
                    Some(&mut grads),
                    &layers,
                    &spec,
                    &packed,
                    &x,
                );
                let norm = cuda.gradient_norm(&grads, std::slice::from_ref(&(0..len)), 0.0);
                let [first, second] = &mut moments;
                let arenas = AdamWArenas {
                    params: &mut params,
                    grads: &grads,
                    first,
                    second,
                };
                let step = AdamWStep {
                    beta1: 0.9,
                    beta2: 0.999,
                    eps: 1e-8,
                    step: 3,
                };
                cuda.adamw(
                    arenas,
                    &segments,
                    &step,
                    Clip {
                        norm: &norm,
                        most: Some(1.0),
                    },
                );
            };
            for train in [false, true] {
                let times: Vec<f64> = (0..12)
                    .map(|i| {
                        if i == 2 {
                            cuda.finish();
                        }
                        let begun = Instant::now();
                        run(train);
                        let queued = begun.elapsed().as_secs_f64();
                        cuda.finish();
                        if i == 5 {
                            print!("(queued in {:.2} ms) ", 1e3 * queued);
                        }
                        1e3 * begun.elapsed().as_secs_f64()
                    })
                    .skip(2)
                    .collect();
                let mut sorted = times.clone();
                sorted.sort_by(f64::total_cmp);
                let ms = sorted[sorted.len() / 2];
                let flops =
                    if train { 6.0 } else { 2.0 } * 12.0 * (width * width * count * tokens) as f64;
                println!(
                    "{case}, {}: {ms:.3} ms, {:.0} TFLOP/s, {} MB held",
                    if train { "a step" } else { "forward" },
                    flops / ms / 1e9,
                    cuda.memory_held() >> 20
                );
            }
        }
        if let Err(why) = cuda.check() {
            println!("{why}");
        }
    }
}
