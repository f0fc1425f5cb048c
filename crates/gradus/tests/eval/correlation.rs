//! Correlations against SciPy, and what must hold for any values.

use gradus::eval::{Correlation, Undefined, average_ranks, pearson, spearman};
use proptest::prelude::*;
use serde_json::Value;

#[test]
fn scipy_agrees() {
    let reference: Value =
        serde_json::from_str(include_str!("../reference/correlations.json")).unwrap();
    let cases = reference["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 16);
    for case in cases {
        let values = |key: &str| -> Vec<f64> {
            let values = case[key].as_array().unwrap().iter();
            values
                .map(|v| v.as_str().unwrap().parse().unwrap())
                .collect()
        };
        let (x, y) = (values("x"), values("y"));
        for (name, got) in [("pearson", pearson(&x, &y)), ("spearman", spearman(&x, &y))] {
            match (case[name].as_f64(), got) {
                (Some(want), Correlation::Value(got)) => {
                    // Far from zero the inputs' own rounding shows.
                    assert!(
                        (got - want).abs() < 1e-12,
                        "{name} {}: {got} {want}",
                        case["name"]
                    );
                }
                (None, Correlation::Undefined(_)) => {}
                (want, got) => panic!("{name} {}: {got:?} {want:?}", case["name"]),
            }
        }
    }
}

#[test]
fn what_is_undefined_says_why() {
    for (x, y, why) in [
        (&[1.0, 2.0][..], &[1.0][..], Undefined::LengthMismatch),
        (&[], &[], Undefined::TooFewValues),
        (&[1.0], &[1.0], Undefined::TooFewValues),
        (&[1.0, 1.0], &[1.0, 2.0], Undefined::Constant),
        (&[1.0, 2.0], &[0.0, -0.0], Undefined::Constant),
        (&[1.0, f64::NAN], &[1.0, 2.0], Undefined::NotFinite),
    ] {
        assert_eq!(pearson(x, y), Correlation::Undefined(why));
        assert_eq!(spearman(x, y), Correlation::Undefined(why));
    }
    let infinite = pearson(&[1.0, f64::INFINITY], &[1.0, 2.0]);
    assert_eq!(infinite, Correlation::Undefined(Undefined::NotFinite));
    let parts = [Correlation::Value(0.5), infinite];
    let mean = Correlation::mean(parts);
    assert_eq!(mean, Correlation::Undefined(Undefined::UndefinedPart));
    assert_eq!(Correlation::mean([]).value(), None);
}

#[test]
fn json_holds_the_number_or_the_reason() {
    let values = [
        Correlation::Value(0.25),
        Correlation::Undefined(Undefined::Constant),
    ];
    let json = serde_json::to_string(&values).unwrap();
    assert_eq!(json, "[0.25,{\"value\":null,\"reason\":\"constant\"}]");
    let back: [Correlation; 2] = serde_json::from_str(&json).unwrap();
    assert_eq!(back, values);
}

#[test]
fn ties_share_their_average_rank() {
    assert_eq!(average_ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
    assert_eq!(average_ranks(&[0.0, -0.0, 0.0]), [2.0, 2.0, 2.0]);
    assert_eq!(average_ranks(&[]), Vec::<f64>::new());
}

/// Two sides with many ties, neither constant.
fn sides() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let value = prop_oneof![(-4i32..4).prop_map(f64::from), -1e3..1e3f64];
    let varied = |v: &Vec<f64>| v.iter().any(|x| *x != v[0]);
    (2usize..30).prop_flat_map(move |n| {
        let side = proptest::collection::vec(value.clone(), n).prop_filter("constant", varied);
        (side.clone(), side)
    })
}

fn near(a: Correlation, b: Correlation) -> bool {
    (a.value().unwrap() - b.value().unwrap()).abs() < 1e-9
}

proptest! {
    #[test]
    fn bounded_symmetric_and_one_with_itself((x, y) in sides()) {
        for of in [pearson, spearman] {
            let r = of(&x, &y);
            prop_assert!((-1.0..=1.0).contains(&r.value().unwrap()));
            prop_assert_eq!(r, of(&y, &x));
            prop_assert!(near(of(&x, &x), Correlation::Value(1.0)));
            let negated: Vec<f64> = x.iter().map(|v| -v).collect();
            prop_assert!((of(&negated, &y).value().unwrap() + r.value().unwrap()).abs() < 1e-9);
        }
    }

    #[test]
    fn the_order_of_pairs_does_not_matter((x, y) in sides(), turn in 0usize..30) {
        let turned = |v: &[f64]| {
            let mut v = v.to_vec();
            v.rotate_left(turn % x.len());
            v.reverse();
            v
        };
        prop_assert_eq!(spearman(&x, &y), spearman(&turned(&x), &turned(&y)));
        prop_assert!(near(pearson(&x, &y), pearson(&turned(&x), &turned(&y))));
    }

    #[test]
    fn only_order_counts_for_spearman_and_only_lines_for_pearson((x, y) in sides()) {
        let cubed: Vec<f64> = x.iter().map(|v| v.powi(3)).collect();
        prop_assume!(average_ranks(&cubed) == average_ranks(&x));
        prop_assert_eq!(spearman(&cubed, &y), spearman(&x, &y));
        for (scale, shift) in [(3.0, 1.0), (1e290, 0.0), (1e-290, 0.0)] {
            let line: Vec<f64> = x.iter().map(|v| v * scale + shift).collect();
            prop_assert!(near(pearson(&line, &y), pearson(&x, &y)), "{}", scale);
        }
    }

    #[test]
    fn any_values_give_a_number_or_a_reason(
        x in proptest::collection::vec(any::<f64>(), 0..8),
        y in proptest::collection::vec(any::<f64>(), 0..8),
    ) {
        for of in [pearson, spearman] {
            if let Correlation::Value(r) = of(&x, &y) {
                prop_assert!((-1.0..=1.0).contains(&r), "{}", r);
            }
        }
    }
}
