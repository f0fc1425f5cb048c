//! Texts of a batch compared with all others on the device.

use crate::losses::Comparer;
use gradus_kernels::Backend;
use std::fmt;

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
    use super::OnDevice;
    use crate::Embeddings;
    use crate::losses::{Consistency, InfoNce, Input, Objective, RankingDistillation, RankingLoss};
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
}
