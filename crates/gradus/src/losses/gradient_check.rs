//! Gradients against finite differences, and the edges of the regression
//! objectives.

use super::*;
use crate::nn::Features;
use gradus_kernels::dropout::mix64;

pub(crate) struct Case {
    pub values: Vec<f32>,
    pub texts: Vec<u32>,
    pub teachers: Vec<Embeddings>,
    pub labels: Vec<f64>,
    pub weights: Vec<f32>,
    pub tolerances: Vec<Option<f32>>,
    pub dim: usize,
}

pub(crate) fn case(n: usize, dim: usize, seed: u64) -> Case {
    wide_case(2, n, dim, seed)
}

/// Examples of so many texts.
pub(crate) fn wide_case(columns: usize, n: usize, dim: usize, seed: u64) -> Case {
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

pub(crate) fn run(
    objective: &dyn Objective,
    case: &Case,
    values: &[f32],
    parameters: &[f32],
) -> Output {
    objective.evaluate(
        parameters,
        &Input {
            embeddings: &Embeddings::new(case.dim, values.to_vec()),
            labels: &case.labels,
            weights: &case.weights,
            tolerances: &case.tolerances,
            texts: &case.texts,
            teachers: &case.teachers,
            memory: None,
            comparer: None,
        },
    )
}

/// Central differences at two step sizes. Where they disagree a kink lies
/// within the step, and the coordinate is passed over.
pub(crate) fn check(objective: &dyn Objective, case: &Case, parameters: &[f32]) {
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
