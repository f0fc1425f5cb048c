//! Texts of a batch compared with all others on the device.

use crate::losses::{Comparer, Output, PlainContrast, left_out};
use gradus_kernels::{Activation, Backend, Linear, View};
use std::fmt;

/// A plain contrast of some examples, of which nothing but the loss and the gradients of its
/// parameters leaves the device.
pub(crate) struct ContrastOnDevice<'a> {
    pub contrast: PlainContrast,
    /// The texts: all first ones, then all second ones, and so on.
    pub texts: &'a [u32],
    /// The objective's own parameters: those of an MLP, if anything.
    pub parameters: &'a [f32],
    /// What the gradient of the vectors is multiplied by.
    pub share: f32,
}

impl ContrastOnDevice<'_> {
    /// The loss with the gradients of the parameters, and apart that of `vectors`,
    /// `[texts, width]`.
    pub fn evaluate<B: Backend>(self, backend: &B, vectors: &B::Tensor) -> (Output, B::Tensor) {
        backend.enter(|| self.evaluate_here(backend, vectors))
    }

    fn evaluate_here<B: Backend>(self, b: &B, vectors: &B::Tensor) -> (Output, B::Tensor) {
        let (texts, width) = b.shape(vectors);
        let mlp = self.contrast.through_mlp.then(|| {
            let layer = Linear {
                weight: View::new(0, width, width),
                bias: Some(View::new(width * width, 1, width)),
            };
            let params = b.arena(self.parameters.to_vec());
            let (pre, out) = b.linear_activated(&params, &layer, Activation::Tanh, vectors);
            (layer, params, pre, out)
        });
        let seen = mlp.as_ref().map_or(vectors, |(.., out)| out);
        let (loss, d) = self.contrasted(b, seen, texts);
        let (d, parameters) = match mlp {
            None => (d, vec![]),
            Some((layer, params, pre, _)) => {
                let count = self.parameters.len();
                let mut grads = b.gradient_arena(count, None);
                let d = b.activation_backward(Activation::Tanh, &pre, d);
                let d = b.linear_backward(&params, &layer, vectors, &d, None, &mut grads);
                (d, b.read_arena(&grads, 0..count))
            }
        };
        let d = match self.share == 1.0 {
            true => d,
            false => b.logits(d, self.share, &[]),
        };
        let output = Output {
            loss,
            embeddings: vec![],
            parameters,
        };
        (output, d)
    }

    /// The loss, and the gradient of what it sees.
    fn contrasted<B: Backend>(&self, b: &B, seen: &B::Tensor, texts: usize) -> (f64, B::Tensor) {
        let n = texts / self.contrast.columns;
        let [anchors, candidates] = [0..n as u32, n as u32..texts as u32].map(Vec::from_iter);
        let (u, v) = (b.gather(seen, &anchors), b.gather(seen, &candidates));
        let steepness = 1.0 / self.contrast.temperature;
        let left_out = left_out(self.texts, n);
        let logits = b.logits(b.cosines(&u, &v), steepness as f32, &left_out);
        // The slopes by the cosines.
        let scale = (steepness / n as f64) as f32;
        let (scored, slopes) = b.cross_entropy(logits, &anchors, scale);
        let (du, dv) = b.cosines_backward(&u, &v, &slopes);
        let du = b.gather_backward(&du, &anchors, texts);
        let d = b.add(du, &b.gather_backward(&dv, &candidates, texts));
        let losses = b.scored(scored).into_iter().map(|row| row.loss);
        (losses.sum::<f64>() / n as f64, d)
    }
}

/// A backend as a [`Comparer`].
pub(crate) struct OnDevice<'a, B>(pub &'a B);

impl<B: Backend> fmt::Debug for OnDevice<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnDevice({})", self.0.arithmetic())
    }
}

impl<B: Backend> OnDevice<'_, B> {
    fn tensor(&self, cols: usize, values: &[f32]) -> B::Tensor {
        self.0.tensor(values.len() / cols, cols, values)
    }
}

impl<B: Backend> Comparer for OnDevice<'_, B> {
    fn cosines(&self, dim: usize, first: &[f32], second: &[f32]) -> Vec<f32> {
        let (a, b) = (self.tensor(dim, first), self.tensor(dim, second));
        self.0.read(&self.0.cosines(&a, &b))
    }

    fn gradients(
        &self,
        dim: usize,
        first: &[f32],
        second: &[f32],
        slopes: &[f32],
    ) -> [Vec<f32>; 2] {
        let (a, b) = (self.tensor(dim, first), self.tensor(dim, second));
        let slopes = self.tensor(second.len() / dim, slopes);
        let (a, b) = self.0.cosines_backward(&a, &b, &slopes);
        [self.0.read(&a), self.0.read(&b)]
    }
}

#[cfg(test)]
mod tests {
    use super::{ContrastOnDevice, OnDevice};
    use crate::Embeddings;
    use crate::losses::{
        Consistency, InfoNce, Input, Objective, Projected, Projection, RankingDistillation,
        RankingLoss,
    };
    use gradus_kernels::Backend;
    use gradus_kernels::cpu::Cpu;
    use gradus_kernels::dropout::mix64;

    fn vectors(rows: usize, dim: usize, seed: u64) -> Embeddings {
        let draw = |i| (mix64(seed ^ mix64(i as u64)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        Embeddings::new(dim, (0..rows * dim).map(draw).collect())
    }

    #[test]
    fn a_device_gives_what_the_host_gives() {
        let (n, dim) = (130, 24);
        let ranking = |views| {
            let loss = RankingLoss::ListNet;
            let ranking = RankingDistillation::new(loss, 0.05, 0.025, vec![1.0], false);
            ranking.unwrap().views(views)
        };
        let objectives: [(Box<dyn Objective>, usize, bool); 5] = [
            (Box::new(InfoNce::new(2, 0.05).unwrap()), 2, false),
            (
                Box::new(InfoNce::new(3, 0.1).unwrap().symmetric()),
                3,
                false,
            ),
            (Box::new(Consistency::new(0.05, false).unwrap()), 2, false),
            (Box::new(ranking(2)), 2, true),
            (Box::new(ranking(1)), 1, true),
        ];
        let cpu = Cpu::new(2);
        for (objective, columns, taught) in objectives {
            for zero in [false, true] {
                let mut values = vectors(columns * n, dim, 1).into_vec();
                if zero {
                    values[5 * dim..6 * dim].fill(0.0);
                }
                let embeddings = Embeddings::new(dim, values);
                let teachers: Vec<Embeddings> =
                    taught.then(|| vectors(n, 7, 2)).into_iter().collect();
                let texts: Vec<u32> = (0..(columns * n) as u32).collect();
                let on_device = OnDevice(&cpu);
                let [host, device] = [None, Some(&on_device as _)].map(|comparer| {
                    objective.evaluate(
                        &[],
                        &Input {
                            embeddings: &embeddings,
                            labels: &vec![0.0; n],
                            weights: &vec![1.0; n],
                            tolerances: &vec![None; n],
                            texts: &texts,
                            teachers: &teachers,
                            memory: None,
                            comparer,
                        },
                    )
                });
                let name = objective.describe();
                assert!(
                    (host.loss - device.loss).abs() < 1e-5 * host.loss.abs(),
                    "{name}"
                );
                let most = host
                    .embeddings
                    .iter()
                    .fold(0f32, |most, x| most.max(x.abs()));
                assert!(most > 0.0);
                for (a, b) in host.embeddings.iter().zip(&device.embeddings) {
                    assert!((a - b).abs() < 2e-5 * most, "{name}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn a_plain_contrast_on_the_device_is_that_of_the_host() {
        let (n, dim) = (37, 20);
        for (columns, mlp) in [(2, false), (2, true), (3, false), (3, true)] {
            let info_nce = Box::new(InfoNce::new(columns, 0.1).unwrap());
            let objective: Box<dyn Objective> = match mlp {
                false => info_nce,
                true => Box::new(Projected::new(Projection::Mlp, info_nce)),
            };
            let contrast = objective.plain_contrast().unwrap();
            assert_eq!((contrast.columns, contrast.through_mlp), (columns, mlp));
            let embeddings = vectors(columns * n, dim, 4);
            // Some texts are there twice.
            let texts: Vec<u32> = (0..(columns * n) as u32).map(|text| text % 61).collect();
            let mut parameters = objective.initial_parameters(dim, 5);
            parameters.iter_mut().for_each(|p| *p *= 10.0);
            let host = objective.evaluate(
                &parameters,
                &Input {
                    embeddings: &embeddings,
                    labels: &vec![0.0; n],
                    weights: &vec![1.0; n],
                    tolerances: &vec![None; n],
                    texts: &texts,
                    teachers: &[],
                    memory: None,
                    comparer: None,
                },
            );
            let cpu = Cpu::new(2);
            let on_device = ContrastOnDevice {
                contrast,
                texts: &texts,
                parameters: &parameters,
                share: 0.5,
            };
            let tensor = cpu.tensor(columns * n, dim, embeddings.as_slice());
            let (device, gradient) = on_device.evaluate(&cpu, &tensor);
            assert!((host.loss - device.loss).abs() < 1e-5 * host.loss.abs());
            let near = |host: &[f32], device: &[f32], share: f32| {
                assert_eq!(host.len(), device.len());
                let most = host.iter().fold(0f32, |most, x| most.max(x.abs()));
                for (h, d) in host.iter().zip(device) {
                    assert!((share * h - d).abs() < 3e-5 * most, "{h} {d}");
                }
            };
            near(&host.embeddings, &cpu.read(&gradient), 0.5);
            near(&host.parameters, &device.parameters, 1.0);
        }
        let other = InfoNce::new(2, 0.1).unwrap();
        let weighted = other.clone().negative_weight(2.0).unwrap();
        for not_plain in [other.clone().symmetric(), other.learned(), weighted] {
            assert!(not_plain.plain_contrast().is_none());
        }
    }
}
