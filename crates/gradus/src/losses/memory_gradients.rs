//! Negatives from a memory: gradients, and the batch that they stand for.

use super::gradient_check::{Case, case, check, run, wide_case};
use super::*;

/// An objective that always has the same memory.
struct Remembering {
    inner: Box<dyn Objective>,
    vectors: Embeddings,
    negatives: Vec<Vec<u32>>,
    log_weight: f64,
}

impl Remembering {
    /// Entries of width `dim`, of which each of `n` examples has some.
    fn new(inner: impl Objective + 'static, (n, dim): (usize, usize), log_weight: f64) -> Self {
        let entries = wide_case(1, 7, dim, 300);
        Self {
            inner: Box::new(inner),
            vectors: Embeddings::new(dim, entries.values),
            negatives: (0..n)
                .map(|i| (0..7).filter(move |j| !(i as u32 + j).is_multiple_of(3) && i != 1))
                .map(|picked| picked.collect())
                .collect(),
            log_weight,
        }
    }
}

impl Objective for Remembering {
    fn columns(&self) -> usize {
        self.inner.columns()
    }

    fn evaluate(&self, parameters: &[f32], input: &Input<'_>) -> Output {
        let memory = Memory {
            vectors: &self.vectors,
            negatives: &self.negatives,
            log_weight: self.log_weight,
        };
        let memory = Some(memory);
        self.inner.evaluate(parameters, &Input { memory, ..*input })
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[test]
fn slopes_are_those_of_the_loss() {
    let plain = |columns| InfoNce::new(columns, 0.2).unwrap();
    for objective in [
        plain(2),
        plain(2).symmetric(),
        plain(2).learned(),
        plain(2).learned().symmetric(),
    ] {
        let parameters = objective.initial_parameters(5, 0);
        let remembering = Remembering::new(objective, (6, 5), 0.4);
        check(&remembering, &case(6, 5, 301), &parameters);
    }
    let weighted = plain(3).negative_weight(2.5).unwrap();
    let remembering = Remembering::new(weighted, (6, 5), -0.7);
    check(&remembering, &wide_case(3, 6, 5, 302), &[]);
}

#[test]
fn slopes_within_other_objectives_are_those_of_the_loss() {
    let plain = || Box::new(InfoNce::new(2, 0.4).unwrap());
    let widths = Matryoshka::new(plain(), vec![(6, 1.0), (3, 0.5)]).unwrap();
    check(
        &Remembering::new(widths, (5, 6), 0.1),
        &case(5, 6, 303),
        &[],
    );
}

/// Where every anchor has all entries, they are the positives of further examples
/// without weight.
#[test]
fn a_memory_is_a_batch_that_is_larger() {
    let (n, m, dim) = (5, 7, 4);
    for temperature in [0.05, 0.5] {
        let objective = InfoNce::new(2, temperature).unwrap();
        let own = case(n, dim, 305);
        let mut remembering = Remembering::new(objective.clone(), (n, dim), 0.0);
        remembering.negatives = vec![(0..m as u32).collect(); n];
        let found = run(&remembering, &own, &own.values, &[]);

        let entries = remembering.vectors.as_slice();
        let (anchors, positives) = own.values.split_at(n * dim);
        let larger = Case {
            values: [anchors, entries, positives, entries].concat(),
            texts: (0..2 * (n + m) as u32).collect(),
            teachers: vec![],
            labels: vec![0.0; n + m],
            weights: [&own.weights[..], &[0.0; 7]].concat(),
            tolerances: vec![None; n + m],
            dim,
        };
        let wanted = run(&objective, &larger, &larger.values, &[]);
        let scale = (n + m) as f64 / n as f64;
        assert!((found.loss - scale * wanted.loss).abs() < 1e-12);
        let rows = |from: usize| &wanted.embeddings[from * dim..(from + n) * dim];
        for (g, w) in found
            .embeddings
            .iter()
            .zip(rows(0).iter().chain(rows(n + m)))
        {
            let wanted = scale * f64::from(*w);
            assert!(
                (f64::from(*g) - wanted).abs() < 1e-6 * (1.0 + wanted.abs()),
                "{g} {wanted}"
            );
        }
    }
}

#[test]
fn without_negatives_a_memory_changes_no_bit() {
    let objective = InfoNce::new(2, 0.1).unwrap().learned().symmetric();
    let (parameters, case) = (objective.initial_parameters(4, 0), case(6, 4, 306));
    let mut remembering = Remembering::new(objective.clone(), (6, 4), 2.0);
    remembering.negatives = vec![vec![]; 6];
    let found = run(&remembering, &case, &case.values, &parameters);
    assert_eq!(found, run(&objective, &case, &case.values, &parameters));
}

/// What lies behind a projection for the batch does so for the memory, and its entries
/// are constants there: the projection is not trained through them.
#[test]
fn a_projection_is_that_of_the_memory_too() {
    for projection in [Projection::Mlp, Projection::BatchNorm] {
        let sum = || {
            let info_nce = Box::new(InfoNce::new(2, 0.5).unwrap());
            let other = Box::new(Consistency::new(0.5, false).unwrap());
            let parts: Vec<(f64, Box<dyn Objective>)> = vec![(0.5, other), (1.0, info_nce)];
            WeightedSum::new(parts).unwrap()
        };
        let objective = Projected::new(projection, Box::new(sum()));
        let (case, mut parameters) = (case(6, 4, 85), objective.initial_parameters(4, 3));
        // Fresh weights are so small that everything is linear.
        parameters.iter_mut().for_each(|w| *w *= 20.0);
        assert!(objective.uses_memory());
        let mut behind = Remembering::new(sum(), (6, 4), 0.1);
        behind.vectors = objective.seen(&parameters, &behind.vectors).into_owned();
        let behind = Projected::new(projection, Box::new(behind));
        check(&behind, &case, &parameters);
        let before = Remembering::new(objective, (6, 4), 0.1);
        assert_eq!(
            run(&before, &case, &case.values, &parameters),
            run(&behind, &case, &case.values, &parameters)
        );
    }
}
