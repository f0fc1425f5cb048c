//! How long the losses that compare all texts of a batch take on the host, in
//! milliseconds: the least of some calls. `RAYON_NUM_THREADS` sets the threads.
//!
//!     cargo bench -p gradus --bench losses [-- MLP]
//!
//! Words choose those whose names have them.

use gradus::Embeddings;
use gradus::losses::{
    Consistency, InfoNce, Input, Objective, Projected, Projection, RankingDistillation, RankingLoss,
};
use gradus_kernels::dropout::mix64;
use std::time::Instant;

const CALLS: usize = 5;

/// Numbers between -1 and 1.
fn vectors(rows: usize, dim: usize, seed: u64) -> Embeddings {
    let draw = |i: usize| (mix64(seed ^ mix64(i as u64)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
    Embeddings::new(dim, (0..rows * dim).map(draw).collect())
}

fn milliseconds(objective: &dyn Objective, n: usize, dim: usize) -> f64 {
    let (embeddings, teacher) = (vectors(2 * n, dim, 1), vectors(n, dim, 2));
    let texts: Vec<u32> = (0..2 * n as u32).collect();
    let input = Input {
        embeddings: &embeddings,
        labels: &vec![0.0; n],
        weights: &vec![1.0; n],
        tolerances: &vec![None; n],
        texts: &texts,
        teachers: &[teacher],
        memory: None,
        comparer: None,
    };
    let parameters = objective.initial_parameters(dim, 3);
    let time = |_| {
        let began = Instant::now();
        std::hint::black_box(objective.evaluate(&parameters, &input));
        began.elapsed().as_secs_f64() * 1e3
    };
    (0..CALLS).map(time).fold(f64::INFINITY, f64::min)
}

fn main() {
    let ranking = |loss| RankingDistillation::new(loss, 0.05, 0.025, vec![1.0], false);
    let info_nce = || Box::new(InfoNce::new(2, 0.05).expect("a temperature"));
    let through = |projection| Box::new(Projected::new(projection, info_nce()));
    let objectives: Vec<Box<dyn Objective>> = vec![
        info_nce(),
        through(Projection::Mlp),
        through(Projection::BatchNorm),
        Box::new(Consistency::new(0.05, false).expect("a temperature")),
        Box::new(ranking(RankingLoss::ListNet).expect("a teacher")),
        Box::new(ranking(RankingLoss::ListMle).expect("a teacher")),
    ];
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words = words.iter().filter(|word| !word.starts_with('-'));
    let wanted = |name: &str| words.clone().all(|word| name.contains(word.as_str()));
    for (n, dim) in [(64, 384), (512, 384), (2048, 768)] {
        for objective in objectives.iter().filter(|o| wanted(&o.describe())) {
            let time = milliseconds(&**objective, n, dim);
            println!("{n} x {dim}  {time:9.2} ms  {}", objective.describe());
        }
    }
}
