//! Every objective's gradients against finite differences, and its edges.

use super::*;
use crate::model::Features;
use gradus_kernels::dropout::mix64;

struct Case {
    values: Vec<f32>,
    texts: Vec<u32>,
    teachers: Vec<Embeddings>,
    labels: Vec<f64>,
    weights: Vec<f32>,
    tolerances: Vec<Option<f32>>,
    dim: usize,
}

fn case(n: usize, dim: usize, seed: u64) -> Case {
    wide_case(2, n, dim, seed)
}

/// Examples of so many texts.
fn wide_case(columns: usize, n: usize, dim: usize, seed: u64) -> Case {
    let unit = |i: u64| (mix64(seed ^ mix64(i)) >> 40) as f32 / (1u64 << 24) as f32;
    let signed = |i: usize| 2.0 * unit(i as u64) - 1.0;
    let teacher = |t: usize| Embeddings::new(3, (0..3 * n).map(|i| signed(i + 9999 * t)).collect());
    Case {
        values: (0..columns * n * dim).map(signed).collect(),
        texts: (0..(columns * n) as u32).collect(),
        teachers: vec![teacher(1), teacher(2)],
        labels: (0..n)
            .map(|i| f64::from((5.0 * unit(i as u64 + 1000)).round()))
            .collect(),
        weights: (0..n).map(|i| 0.5 + unit(i as u64 + 2000)).collect(),
        tolerances: (0..n)
            .map(|i| (i % 3 == 0).then(|| unit(i as u64 + 3000) / 2.0))
            .collect(),
        dim,
    }
}

fn run(objective: &dyn Objective, case: &Case, values: &[f32], parameters: &[f32]) -> Output {
    objective.evaluate(
        parameters,
        &Input {
            embeddings: &Embeddings::new(case.dim, values.to_vec()),
            labels: &case.labels,
            weights: &case.weights,
            tolerances: &case.tolerances,
            texts: &case.texts,
            teachers: &case.teachers,
        },
    )
}

/// Central differences at two step sizes. Where they disagree a kink lies
/// within the step, and the coordinate is passed over.
fn check(objective: &dyn Objective, case: &Case, parameters: &[f32]) {
    let at = run(objective, case, &case.values, parameters);
    let mut checked = 0;
    let mut compare = |got: f32, loss: &dyn Fn(f32) -> f64, x: f32| {
        let slope = |h: f32| (loss(x + h) - loss(x - h)) / f64::from((x + h) - (x - h));
        let (wide, narrow) = (slope(2e-3), slope(4e-4));
        if (wide - narrow).abs() < 1e-4 * (1.0 + wide.abs()) {
            assert!(
                (f64::from(got) - narrow).abs() < 2e-4 * (1.0 + narrow.abs()),
                "{}: got {got}, slope {narrow}",
                objective.describe()
            );
            checked += 1;
        }
    };
    for i in 0..case.values.len() {
        let loss = |x: f32| {
            let mut values = case.values.clone();
            values[i] = x;
            run(objective, case, &values, parameters).loss
        };
        compare(at.embeddings[i], &loss, case.values[i]);
    }
    for i in 0..parameters.len() {
        let loss = |x: f32| {
            let mut parameters = parameters.to_vec();
            parameters[i] = x;
            run(objective, case, &case.values, &parameters).loss
        };
        compare(at.parameters[i], &loss, parameters[i]);
    }
    assert!(
        checked * 10 >= 8 * (case.values.len() + parameters.len()),
        "most were checked"
    );
}

fn point_losses() -> Vec<Box<dyn Fn() -> Box<dyn PointLoss>>> {
    vec![
        Box::new(|| Box::new(L1)),
        Box::new(|| Box::new(MeanSquaredError)),
        Box::new(|| Box::new(TranslatedRelu::new(2.5, 0.25, 1.0).unwrap())),
        Box::new(|| Box::new(SmoothK2::new(3.0, 0.25, 1.0).unwrap())),
    ]
}

impl PointLoss for Box<dyn PointLoss> {
    fn at(&self, error: f64, tolerance: Option<f64>) -> (f64, f64) {
        (**self).at(error, tolerance)
    }
    fn describe(&self) -> String {
        (**self).describe()
    }
}

const RULES: [OutOfRange; 4] = [
    OutOfRange::LabelAware,
    OutOfRange::Both,
    OutOfRange::Lower,
    OutOfRange::None,
];

#[test]
fn head_form() {
    for loss in point_losses() {
        for features in [
            Features::Concat,
            Features::Difference,
            Features::ConcatDifference,
        ] {
            for (seed, rule) in RULES.into_iter().enumerate() {
                let objective = HeadForm::new(loss(), features, rule, (0.0, 5.0));
                let case = case(7, 5, seed as u64);
                let mut parameters = objective.initial_parameters(5, 9);
                // Spread the predictions over and beyond the labels' range.
                parameters.iter_mut().for_each(|w| *w *= 8.0);
                *parameters.last_mut().unwrap() = 2.0;
                check(&objective, &case, &parameters);
            }
        }
    }
}

#[test]
fn cosine_form() {
    for loss in point_losses() {
        for (seed, rule) in RULES.into_iter().enumerate() {
            for learned in [false, true] {
                let objective =
                    CosineForm::new(loss(), (4.0, 1.5), learned, rule, (0.0, 5.0)).unwrap();
                let parameters = objective.initial_parameters(5, 0);
                assert_eq!(parameters.len(), if learned { 2 } else { 0 });
                check(&objective, &case(7, 5, 10 + seed as u64), &parameters);
            }
        }
    }
}

#[test]
fn cross_entropy() {
    for features in [
        Features::Concat,
        Features::Difference,
        Features::ConcatDifference,
    ] {
        let case = case(9, 4, 20);
        let objective = CrossEntropy::new(features, case.labels.iter().copied()).unwrap();
        check(&objective, &case, &objective.initial_parameters(4, 9));
    }
}

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

#[test]
fn at_and_inside_the_buffer_there_is_no_gradient() {
    let relu = TranslatedRelu::new(2.0, 0.25, 1.0).unwrap();
    let k2 = SmoothK2::new(2.0, 0.25, 1.0).unwrap();
    for error in [0.0, 0.1, -0.25, 0.25] {
        assert_eq!(relu.at(error, None), (0.0, 0.0));
        assert_eq!(k2.at(error, None), (0.0, 0.0));
    }
    assert_eq!(relu.at(-0.75, None), (1.0, -2.0));
    assert_eq!(k2.at(-0.75, None), (0.5, -2.0));
    // A pair's own tolerance replaces x0, also by a narrower one.
    assert_eq!(relu.at(0.4, Some(0.5)), (0.0, 0.0));
    assert!(k2.at(0.2, Some(0.0)).0 > 0.0);
}

#[test]
fn edges_are_finite() {
    let identical = |dim: usize, value: f32| Case {
        values: vec![value; 2 * dim],
        texts: vec![0, 1],
        teachers: vec![],
        labels: vec![0.0],
        weights: vec![1.0],
        tolerances: vec![None],
        dim,
    };
    let head = HeadForm::new(
        MeanSquaredError,
        Features::ConcatDifference,
        OutOfRange::None,
        (0.0, 5.0),
    );
    let cosine = CosineForm::new(
        MeanSquaredError,
        (5.0, 0.0),
        false,
        OutOfRange::None,
        (0.0, 5.0),
    )
    .unwrap();
    for value in [0.0, 0.7] {
        let case = identical(3, value);
        for objective in [&head as &dyn Objective, &cosine] {
            let out = run(
                objective,
                &case,
                &case.values,
                &objective.initial_parameters(3, 1),
            );
            assert!(out.loss.is_finite() && out.embeddings.iter().all(|g| g.is_finite()));
        }
    }
    // Parallel vectors are at the cosine's maximum.
    let case = identical(3, 0.7);
    let out = run(&cosine, &case, &case.values, &[]);
    assert!((out.loss - 25.0).abs() < 1e-9 && out.embeddings.iter().all(|g| g.abs() < 1e-6));
}

#[test]
fn weights_scale_the_mean() {
    let objective = HeadForm::new(
        MeanSquaredError,
        Features::Concat,
        OutOfRange::None,
        (0.0, 5.0),
    );
    let mut case = case(2, 3, 30);
    let parameters = objective.initial_parameters(3, 1);
    case.weights = vec![1.0, 0.0];
    let first = run(&objective, &case, &case.values, &parameters);
    case.weights = vec![0.0, 1.0];
    let second = run(&objective, &case, &case.values, &parameters);
    case.weights = vec![3.0, 2.0];
    let both = run(&objective, &case, &case.values, &parameters);
    assert!((both.loss - 3.0 * first.loss - 2.0 * second.loss).abs() < 1e-12);
    assert!(first.embeddings[3..6].iter().all(|&g| g == 0.0));
}
