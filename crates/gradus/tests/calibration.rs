//! Isotonic maps against scikit-learn.

use gradus::calibration::Isotonic;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    at: Vec<f64>,
    expected: Vec<f64>,
}

#[test]
fn isotonic_maps_are_those_of_scikit_learn() {
    let reference: Reference =
        serde_json::from_str(include_str!("reference/isotonic.json")).unwrap();
    for case in reference.cases {
        let map = Isotonic::fit(case.x.iter().copied().zip(case.y)).unwrap();
        for (&x, expected) in case.at.iter().zip(case.expected) {
            let got = map.at(x);
            assert!(
                (got - expected).abs() < 1e-9,
                "{} at {x}: {got}, not {expected}",
                case.name
            );
        }
    }
}
