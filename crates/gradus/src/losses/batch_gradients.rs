//! Gradients and edges of the objectives over whole batches.

use super::gradient_check::{Case, case, check, run, wide_case};
use super::*;
use crate::nn::Features;

#[test]
fn info_nce() {
    let plain = |columns| InfoNce::new(columns, 0.2).unwrap();
    let mut doubled = case(6, 5, 40);
    // Two examples share their positive; one anchor is another's positive.
    (doubled.texts[7], doubled.texts[2]) = (doubled.texts[6], doubled.texts[9]);
    for case in [case(7, 5, 41), doubled] {
        for objective in [
            plain(2),
            plain(2).symmetric(),
            plain(2).learned(),
            plain(2).learned().symmetric(),
        ] {
            check(&objective, &case, &objective.initial_parameters(5, 0));
        }
    }
    let triplets = wide_case(3, 6, 5, 42);
    let weighted = plain(3).negative_weight(2.5).unwrap();
    for objective in [weighted.clone(), weighted.symmetric().learned()] {
        check(&objective, &triplets, &objective.initial_parameters(5, 0));
    }
    // Several negatives of each, one of them twice.
    let mut tuples = wide_case(5, 4, 5, 43);
    tuples.texts[4 * 4] = tuples.texts[3 * 4];
    let weighted = plain(5).negative_weight(0.5).unwrap();
    for objective in [weighted.clone(), weighted.symmetric()] {
        check(&objective, &tuples, &[]);
    }
}

#[test]
fn texts_that_are_the_same_are_no_negatives() {
    let objective = InfoNce::new(2, 0.05).unwrap();
    let mut case = case(3, 4, 50);
    let apart = run(&objective, &case, &case.values, &[]);
    // Example 1 is now example 0 once more: neither is a negative of the other.
    case.texts = vec![0, 0, 2, 3, 3, 5];
    let together = run(&objective, &case, &case.values, &[]);
    assert!(together.loss < apart.loss);
    // Its own term is what it would be without the other.
    case.weights = vec![1.0, 0.0, 0.0];
    let first = run(&objective, &case, &case.values, &[]).loss;
    let rows = [0, 2, 3, 5].map(|row| &case.values[4 * row..][..4]);
    let without = Case {
        values: vec![],
        texts: vec![0, 2, 3, 5],
        teachers: vec![],
        labels: vec![0.0; 2],
        weights: vec![1.0, 0.0],
        tolerances: vec![None; 2],
        dim: 4,
    };
    let alone = run(&objective, &without, &rows.concat(), &[]).loss;
    assert!((3.0 * first - 2.0 * alone).abs() < 1e-6, "{first} {alone}");
}

#[test]
fn order_of_graded_pairs() {
    for similarity in [PairSimilarity::Cosine, PairSimilarity::Angle] {
        for (seed, scale) in [1.0, 4.0].into_iter().enumerate() {
            let objective = Cosent::new(similarity, scale).unwrap();
            check(&objective, &case(9, 6, 60 + seed as u64), &[]);
        }
    }
    check(&PearsonLoss, &case(9, 5, 62), &[]);
}

#[test]
fn cosent_is_its_sum_over_pairs() {
    let case = case(8, 5, 63);
    let objective = Cosent::new(PairSimilarity::Cosine, 20.0).unwrap();
    let got = run(&objective, &case, &case.values, &[]).loss;
    let embeddings = Embeddings::new(5, case.values.clone());
    let s: Vec<f64> = (0..8).map(|i| embeddings.cosine(i, 8 + i)).collect();
    let mut sum = 1.0;
    for a in 0..8 {
        for b in 0..8 {
            if case.labels[a] < case.labels[b] {
                let weight = f64::from(case.weights[a] * case.weights[b]);
                sum += weight * (20.0 * (s[a] - s[b])).exp();
            }
        }
    }
    assert!((got - sum.ln()).abs() < 1e-5, "{got} {}", sum.ln());
}

fn distillation(loss: RankingLoss, include_self: bool) -> RankingDistillation {
    RankingDistillation::new(loss, 0.3, 0.15, vec![1.0, 2.0], include_self).unwrap()
}

#[test]
fn ranking() {
    for include_self in [false, true] {
        let case = case(7, 5, 70 + u64::from(include_self));
        check(&Consistency::new(0.3, include_self).unwrap(), &case, &[]);
        for loss in [RankingLoss::ListNet, RankingLoss::ListMle] {
            check(&distillation(loss, include_self), &case, &[]);
        }
    }
}

#[test]
fn one_view_is_both() {
    for loss in [RankingLoss::ListNet, RankingLoss::ListMle] {
        let single = distillation(loss, false).views(1);
        let alone = wide_case(1, 7, 5, 74);
        check(&single, &alone, &[]);
        let mut twice = wide_case(1, 7, 5, 74);
        twice.values = [&alone.values[..], &alone.values].concat();
        twice.texts = [&alone.texts[..], &alone.texts].concat();
        let one = run(&single, &alone, &alone.values, &[]);
        let both = run(&distillation(loss, false), &twice, &twice.values, &[]);
        assert!((one.loss - both.loss).abs() < 1e-12);
        for (i, g) in one.embeddings.iter().enumerate() {
            let sum = both.embeddings[i] + both.embeddings[35 + i];
            assert!((g - sum).abs() < 1e-6, "{g} {sum}");
        }
    }
}

#[test]
fn embedding_mse() {
    for columns in [1, 2, 3] {
        let objective = EmbeddingMse::new(columns, vec![1.0, 2.0]).unwrap();
        let mut case = wide_case(columns, 6, 3, 75);
        check(&objective, &case, &[]);
        if columns == 2 {
            // Texts twice: both views are held against the teachers.
            case.texts = [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5].into();
            check(&objective, &case, &[]);
            let out = run(&objective, &case, &case.values, &[]);
            assert!(out.embeddings.iter().all(|g| *g != 0.0));
        } else {
            // Other texts of an example have no part.
            let out = run(&objective, &case, &case.values, &[]);
            assert!(out.embeddings[..18].iter().all(|g| *g != 0.0));
            assert!(out.embeddings[18..].iter().all(|g| *g == 0.0));
        }
    }
    let objective = EmbeddingMse::new(1, vec![3.0]).unwrap();
    let mut case = wide_case(1, 4, 3, 76);
    case.values = case.teachers[0].as_slice().to_vec();
    let at_teacher = run(&objective, &case, &case.values, &[]);
    assert!(at_teacher.loss == 0.0 && at_teacher.embeddings.iter().all(|g| *g == 0.0));
    for bad in [vec![], vec![0.0], vec![1.0, -1.0], vec![f64::NAN]] {
        assert_eq!(EmbeddingMse::new(1, bad), Err(ObjectiveError::Teachers));
    }
}

#[test]
fn embedding_mse_is_finite_at_its_edges() {
    for n in [1, 3] {
        for value in [0.0, 1e-30, -1e30, f32::MAX] {
            for weight in [0.0, 1.0] {
                let mut case = wide_case(1, n, 3, 78);
                case.values.fill(value);
                case.weights.fill(weight);
                let objective = EmbeddingMse::new(1, vec![1.0, 1.0]).unwrap();
                let out = run(&objective, &case, &case.values, &[]);
                assert!(out.loss.is_finite() && out.loss >= 0.0, "{value}");
                assert!(out.embeddings.iter().all(|g| g.is_finite()), "{value}");
                let moves = out.embeddings.iter().any(|g| *g != 0.0);
                assert_eq!(moves, weight > 0.0, "{value}");
            }
        }
    }
}

#[test]
fn embedding_mse_between_unit_vectors_is_that_of_cosines() {
    let objective = EmbeddingMse::new(1, vec![1.0]).unwrap();
    let mut case = wide_case(1, 5, 3, 77);
    let unit = |values: &[f32]| -> Vec<f32> {
        let rows = values.chunks_exact(3).flat_map(|row| {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row.iter().map(move |x| x / length)
        });
        rows.collect()
    };
    case.values = unit(&case.values);
    case.teachers = vec![Embeddings::new(3, unit(case.teachers[0].as_slice()))];
    case.weights.fill(1.0);
    let joint = [&case.values[..], case.teachers[0].as_slice()].concat();
    let joint = Embeddings::new(3, joint);
    let wanted = (0..5)
        .map(|i| 2.0 - 2.0 * joint.cosine(i, 5 + i))
        .sum::<f64>()
        / 5.0;
    let got = run(&objective, &case, &case.values, &[]).loss;
    assert!((got - wanted).abs() < 1e-6, "{got} {wanted}");
}

#[test]
fn views_that_agree_are_consistent() {
    let mut case = case(5, 4, 72);
    let (first, second) = case.values.split_at_mut(20);
    second.copy_from_slice(first);
    let out = run(
        &Consistency::new(0.05, false).unwrap(),
        &case,
        &case.values,
        &[],
    );
    assert!(out.loss.abs() < 1e-9 && out.embeddings.iter().all(|g| g.abs() < 1e-6));
}

#[test]
fn list_mle_is_least_in_the_teachers_order() {
    let objective = distillation(RankingLoss::ListMle, false);
    let mut case = case(6, 3, 73);
    // The student is the teacher, in both views.
    let teacher = case.teachers[0].as_slice().to_vec();
    case.teachers[1] = case.teachers[0].clone();
    case.values = [teacher.clone(), teacher].concat();
    let right = run(&objective, &case, &case.values, &[]).loss;
    let turned: Vec<f32> = case.values.iter().rev().copied().collect();
    assert!(right < run(&objective, &case, &turned, &[]).loss);
}

#[test]
fn parts_of_a_sum_that_want_fewer_texts_see_the_first_ones() {
    let triplets = wide_case(3, 6, 5, 81);
    let parts = || -> [Box<dyn Objective>; 2] {
        [
            Box::new(Consistency::new(0.1, false).unwrap()),
            Box::new(InfoNce::new(3, 0.2).unwrap().learned()),
        ]
    };
    let [consistency, contrast] = parts();
    let sum = WeightedSum::new(vec![(0.5, consistency), (1.0, contrast)]).unwrap();
    assert_eq!(sum.columns(), 3);
    check(&sum, &triplets, &sum.initial_parameters(5, 0));
    // What a part adds is what it gives for pairs of the first two texts.
    let [consistency, contrast] = parts();
    let parameters = contrast.initial_parameters(5, 0);
    let together = run(&sum, &triplets, &triplets.values, &parameters).loss;
    let alone = run(&*contrast, &triplets, &triplets.values, &parameters).loss;
    let pairs = Case {
        values: vec![],
        texts: triplets.texts[..12].to_vec(),
        teachers: vec![],
        labels: triplets.labels.clone(),
        weights: triplets.weights.clone(),
        tolerances: triplets.tolerances.clone(),
        dim: 5,
    };
    let first = run(&*consistency, &pairs, &triplets.values[..12 * 5], &[]).loss;
    assert!((together - alone - 0.5 * first).abs() < 1e-9);
}

#[test]
fn sums_and_widths() {
    let case = case(6, 8, 80);
    let sum = WeightedSum::new(vec![
        (
            1.0,
            Box::new(InfoNce::new(2, 0.2).unwrap().learned()) as Box<dyn Objective>,
        ),
        (0.5, Box::new(distillation(RankingLoss::ListNet, false))),
        (
            2.0,
            Box::new(HeadForm::new(
                MeanSquaredError,
                Features::Concat,
                OutOfRange::None,
                (0.0, 5.0),
            )),
        ),
    ])
    .unwrap();
    let parameters = sum.initial_parameters(8, 3);
    assert_eq!(parameters.len(), sum.decayed(8).len());
    check(&sum, &case, &parameters);
    let head = sum.head(&parameters, 8).unwrap();
    assert_eq!(head.values, parameters[1..]);
    let widths = vec![(8, 1.0), (3, 0.5)];
    let inner = Box::new(Cosent::new(PairSimilarity::Cosine, 2.0).unwrap());
    let matryoshka = Matryoshka::new(inner, widths).unwrap();
    check(&matryoshka, &case, &[]);
    assert!(matryoshka.check(8).is_ok() && matryoshka.check(7).is_err());
    let head = HeadForm::new(L1, Features::Concat, OutOfRange::None, (0.0, 1.0));
    assert!(Matryoshka::new(Box::new(head), vec![(2, 1.0)]).is_err());
}

#[test]
fn projections() {
    let case = case(6, 4, 85);
    for projection in [Projection::Mlp, Projection::BatchNorm] {
        let inner = InfoNce::new(2, 0.5).unwrap().learned();
        let objective = Projected::new(projection, Box::new(inner));
        let mut parameters = objective.initial_parameters(4, 3);
        assert_eq!(parameters.len(), objective.decayed(4).len());
        // Fresh weights are so small that everything is linear.
        let last = parameters.len() - 1;
        parameters[..last].iter_mut().for_each(|w| *w *= 20.0);
        check(&objective, &case, &parameters);
        assert!(objective.head(&parameters, 4).is_none());
    }
}

#[test]
fn edges_of_batches_are_finite() {
    let objectives: [Box<dyn Objective>; 7] = [
        Box::new(InfoNce::new(2, 0.05).unwrap().symmetric()),
        Box::new(Cosent::new(PairSimilarity::Cosine, 20.0).unwrap()),
        Box::new(Cosent::new(PairSimilarity::Angle, 20.0).unwrap()),
        Box::new(PearsonLoss),
        Box::new(Consistency::new(0.05, false).unwrap()),
        Box::new(distillation(RankingLoss::ListNet, false)),
        Box::new(distillation(RankingLoss::ListMle, false)),
    ];
    for n in [1, 2, 3] {
        for value in [0.0, 0.7, 1e30, 1e-30] {
            for weight in [0.0, 1.0] {
                let mut case = case(n, 5, 90);
                case.values.fill(value);
                case.weights.fill(weight);
                for objective in &objectives {
                    let out = run(&**objective, &case, &case.values, &[]);
                    let what = (objective.describe(), n, value, weight);
                    assert!(out.loss.is_finite(), "{what:?}: {}", out.loss);
                    assert!(out.embeddings.iter().all(|g| g.is_finite()), "{what:?}");
                    let direction = value != 0.0;
                    assert!(
                        direction || out.embeddings.iter().all(|g| *g == 0.0),
                        "{what:?}"
                    );
                }
            }
        }
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(InfoNce::new(2, bad).is_err() && Cosent::new(PairSimilarity::Cosine, bad).is_err());
        assert!(Consistency::new(bad, false).is_err());
        assert!(InfoNce::new(2, 0.05).unwrap().negative_weight(bad).is_err());
    }
}

/// The fewest examples that give a gradient are what each objective says.
#[test]
fn batches_below_the_least_have_no_gradient() {
    let boxed = |views| -> Vec<Box<dyn Objective>> {
        let mut all: Vec<Box<dyn Objective>> = vec![
            Box::new(InfoNce::new(2, 0.2).unwrap()),
            Box::new(InfoNce::new(2, 0.2).unwrap().symmetric()),
            Box::new(Cosent::new(PairSimilarity::Cosine, 5.0).unwrap()),
            Box::new(Cosent::new(PairSimilarity::Angle, 5.0).unwrap()),
            Box::new(PearsonLoss),
        ];
        for include_self in [false, true] {
            all.push(Box::new(Consistency::new(0.2, include_self).unwrap()));
            for loss in [RankingLoss::ListNet, RankingLoss::ListMle] {
                all.push(Box::new(distillation(loss, include_self).views(views)));
            }
        }
        all.push(Box::new(EmbeddingMse::new(2, vec![1.0, 1.0]).unwrap()));
        all
    };
    for objective in boxed(2) {
        let least = objective.min_batch();
        for n in 1..=4 {
            let mut case = case(n, 5, 95);
            case.labels = (0..n).map(|i| i as f64).collect();
            let out = run(&*objective, &case, &case.values, &[]);
            let most = out.embeddings.iter().fold(0f32, |m, g| m.max(g.abs()));
            assert_eq!(most > 1e-6, n >= least, "{} at {n}", objective.describe());
        }
    }
    let batch_norm = Projected::new(
        Projection::BatchNorm,
        Box::new(EmbeddingMse::new(1, vec![1.0]).unwrap()),
    );
    assert_eq!(batch_norm.min_batch(), 2);
    let head = HeadForm::new(L1, Features::Concat, OutOfRange::None, (0.0, 5.0));
    let sum = WeightedSum::new(vec![
        (1.0, Box::new(head) as Box<dyn Objective>),
        (0.0, Box::new(PearsonLoss)),
    ]);
    assert_eq!(sum.unwrap().min_batch(), 3);
    let none: Vec<(f64, Box<dyn Objective>)> = vec![(0.0, Box::new(PearsonLoss))];
    assert_eq!(WeightedSum::new(none).err(), Some(ObjectiveError::NoPart));
}

/// What the check of a stage's examples says is what happens in a batch of them all.
#[test]
fn examples_without_a_negative_are_found() {
    let objective = InfoNce::new(2, 0.2).unwrap();
    for (rows, learns) in [
        (&[[0, 0], [0, 0], [0, 0]][..], false),
        (&[[0, 1], [0, 1], [0, 1]], false),
        (&[[0, 1], [1, 0], [0, 1]], false),
        (&[[0, 0], [1, 1], [0, 0]], true),
        (&[[0, 1], [0, 2], [0, 1]], true),
        (&[[0, 1], [1, 1], [0, 0]], true),
        (&[[0, 1], [2, 3], [4, 5]], true),
    ] {
        let found = objective.check_examples(ExampleTexts {
            columns: 2,
            texts: rows.as_flattened(),
        });
        assert_eq!(found.is_ok(), learns, "{rows:?}");
        let mut case = case(3, 5, 97);
        case.weights.fill(1.0);
        let column = |c: usize| rows.iter().map(move |row| row[c]);
        case.texts = column(0).chain(column(1)).collect();
        let out = run(&objective, &case, &case.values, &[]);
        let moves = out.embeddings.iter().any(|g| *g != 0.0);
        assert_eq!(moves, learns, "{rows:?}");
    }
    let alone = ExampleTexts {
        columns: 1,
        texts: &[4, 4],
    };
    let none = Some(ObjectiveError::NoNegatives(2));
    assert_eq!(objective.check_examples(alone).err(), none);
    let triplets = ExampleTexts {
        columns: 3,
        texts: &[0, 1, 2, 0, 1, 2],
    };
    assert!(
        InfoNce::new(3, 0.2)
            .unwrap()
            .check_examples(triplets)
            .is_ok()
    );
}
