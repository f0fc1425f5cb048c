use super::*;
use gradus_kernels::dropout::mix64;
use proptest::prelude::*;

fn unit(seed: u64, i: usize) -> f64 {
    mix64(seed ^ mix64(i as u64)) as f64 / u64::MAX as f64
}

/// Grades that follow the square of the score, with more noise where it is
/// higher.
fn pairs(seed: u64, n: usize) -> (Vec<f64>, Vec<f64>) {
    let scores: Vec<f64> = (0..n).map(|i| unit(seed, i)).collect();
    let grade = |(i, s): (usize, &f64)| {
        let noise = s * (unit(seed + 1, i) + unit(seed + 2, i) - 1.0);
        (5.0 * s * s + noise).clamp(0.0, 5.0)
    };
    let grades = scores.iter().enumerate().map(grade).collect();
    (scores, grades)
}

fn fit(scores: &[f64], grades: &[f64]) -> Result<Calibration, CalibrationError> {
    Calibration::fit(
        RawScore::Cosine,
        scores,
        grades,
        (0.0, 5.0),
        COVERAGE,
        "a test",
    )
}

#[test]
fn new_pairs_lie_within_their_intervals_as_often_as_stated() {
    let (scores, grades) = pairs(1, 2000);
    let calibration = fit(&scores, &grades).unwrap();
    let (scores, grades) = pairs(100, 5000);
    let calibrated: Vec<Calibrated> = scores.iter().map(|&s| calibration.apply(s)).collect();
    let within = |low: f64, high: f64| {
        let chosen: Vec<_> = (0..scores.len())
            .filter(|&i| (low..high).contains(&scores[i]))
            .collect();
        let hits = chosen
            .iter()
            .filter(|&&i| (calibrated[i].low..=calibrated[i].high).contains(&grades[i]));
        hits.count() as f64 / chosen.len() as f64
    };
    assert!(
        (0.77..0.83).contains(&within(0.0, 1.0)),
        "{}",
        within(0.0, 1.0)
    );
    // Not only on average, although the noise differs five times.
    for part in [(0.15, 0.4), (0.4, 0.7), (0.7, 1.0)] {
        let share = within(part.0, part.1);
        assert!((0.72..0.88).contains(&share), "{part:?}: {share}");
    }
    let error = calibrated
        .iter()
        .zip(&grades)
        .map(|(t, g)| (t.grade - g).abs());
    let error = error.sum::<f64>() / grades.len() as f64;
    let stated = calibration.mean_absolute_error;
    assert!(
        (error - stated).abs() < 0.02,
        "{error} where {stated} is stated"
    );
}

#[test]
fn few_pairs_give_an_interval_of_all_grades() {
    let two = fit(&[0.1, 0.9], &[1.0, 4.0]).unwrap();
    let calibrated = two.apply(0.5);
    assert_eq!(
        (calibrated.grade, calibrated.low, calibrated.high),
        (2.5, 0.0, 5.0)
    );
    let nothing = two.apply(f64::NAN);
    assert!(nothing.grade.is_nan() && (nothing.low, nothing.high) == (0.0, 5.0));
}

#[test]
fn nothing_is_calibrated_on_one_value() {
    let grades: Vec<f64> = (0..99).map(|i| f64::from(i) / 98.0 * 5.0).collect();
    let says = |scores: &[f64], grades: &[f64]| fit(scores, grades).unwrap_err().to_string();
    let equal = says(&[0.5; 99], &grades);
    assert!(
        equal.contains("the cosine of all 99 pairs is 0.5"),
        "{equal}"
    );
    let scores: Vec<f64> = (0..99).map(f64::from).collect();
    let equal = says(&scores, &[3.0; 99]);
    assert!(equal.contains("all 99 grades are 3"), "{equal}");
    // Grades that fall as the score rises are all pooled.
    let falling: Vec<f64> = grades.iter().rev().copied().collect();
    let level = says(&scores, &falling);
    assert!(level.contains("do not rise with the cosine"), "{level}");
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let says = |scores: &[f64], grades: &[f64]| fit(scores, grades).unwrap_err().to_string();
    assert!(says(&[], &[]).contains("too few"));
    assert!(says(&[0.1], &[1.0]).contains("too few"));
    assert!(says(&[0.1, 0.2], &[1.0]).contains("2 scores for 1"));
    assert!(says(&[0.1, f64::NAN], &[1.0, 2.0]).contains("pair 2: its cosine"));
    assert!(says(&[0.1, 0.2], &[f64::INFINITY, 2.0]).contains("pair 1: its grade"));
    assert!(says(&[0.1, 0.2], &[1.0, 7.0]).contains("outside of the scale"));
    let all = |coverage| {
        Calibration::fit(
            RawScore::Grade,
            &[0.1, 0.2],
            &[1.0, 2.0],
            (0.0, 5.0),
            coverage,
            "x",
        )
    };
    assert!(all(1.0).is_err() && all(0.0).is_err() && all(f64::NAN).is_err());
}

#[test]
fn the_better_score_is_taken() {
    let (scores, grades) = pairs(5, 500);
    let head = |features| RegressionHead {
        features,
        scale: vec![0.0, 5.0],
        outputs: 1,
        values: vec![],
    };
    let pair_scores = PairScores {
        raw: (0..500).map(|i| unit(77, i)).collect(),
        grades: Some(scores),
        ..PairScores::default()
    };
    let best = |pair_scores: &PairScores, features| {
        let head = head(features);
        let best = Calibration::best(pair_scores, Some(&head), &grades, (0.0, 5.0), 0.8, "x");
        best.unwrap().score
    };
    assert_eq!(best(&pair_scores, Features::Concat), RawScore::Grade);
    assert_eq!(best(&pair_scores, Features::Cosine), RawScore::Cosine);
    let turned = PairScores {
        raw: pair_scores.grades.clone().unwrap(),
        grades: Some(pair_scores.raw.clone()),
        ..PairScores::default()
    };
    assert_eq!(best(&turned, Features::Concat), RawScore::Cosine);
    let scored = PairScores::of_scores(turned.raw);
    assert_eq!(best(&scored, Features::Concat), RawScore::Score);
}

#[test]
fn files_read_back_and_damage_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let load = || Calibration::load(folder.path());
    assert_eq!(load().unwrap(), None);
    let (scores, grades) = pairs(3, 400);
    let calibration = fit(&scores, &grades).unwrap();
    let path = calibration.save(folder.path()).unwrap();
    assert_eq!(load().unwrap(), Some(calibration));
    let whole = std::fs::read_to_string(&path).unwrap();
    for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(load().is_err(), "{cut}");
    }
    let json: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let with = |key: &str, value: serde_json::Value| {
        let mut json = json.clone();
        json[key] = value;
        std::fs::write(&path, json.to_string()).unwrap();
        load().unwrap_err().to_string()
    };
    use serde_json::json;
    assert!(with("format", json!(2)).contains("supported: 1"));
    assert!(with("map", json!([])).contains("no point; fit it again"));
    assert!(with("map", json!([[0, 2], [1, 1]])).contains("fall"));
    assert!(with("map", json!([[1, 1], [0, 2]])).contains("do not rise"));
    assert!(with("map", json!([[0]])).contains("gradus calibrate"));
    // Fitted on pairs of one grade.
    assert!(with("map", json!([[0, 3], [1, 3]])).contains("one value; fit it again"));
    assert!(with("map", json!([[0.5, 3]])).contains("one value"));
    assert!(with("scale", json!([3, 3])).contains("differ"));
    assert!(with("scale", json!([5, 0])).contains("scale"));
    assert!(with("coverage", json!(1)).contains("coverage"));
    assert!(with("bands", json!([])).contains("bands"));
    assert!(with("score", json!("length")).contains("length"));
    assert!(with("surprise", json!(1)).contains("surprise"));
}

proptest! {
    #[test]
    fn grades_keep_the_order_of_scores_and_lie_within_their_intervals(
        points in prop::collection::vec((-8i32..8, 0u8..6), 2..250),
        at in prop::collection::vec(-2f64..2.0, 2..30),
    ) {
        let scores: Vec<f64> = points.iter().map(|p| f64::from(p.0) / 8.0).collect();
        let grades: Vec<f64> = points.iter().map(|p| f64::from(p.1.min(5))).collect();
        let level = |e: CalibrationError| {
            use CalibrationError::{EqualGrades, EqualScores, Level};
            matches!(e, EqualGrades { .. } | EqualScores { .. } | Level { .. })
        };
        let calibration = match fit(&scores, &grades) {
            Ok(calibration) => calibration,
            Err(e) => return { prop_assert!(level(e)); Ok(()) },
        };
        let mut at = at;
        at.sort_by(f64::total_cmp);
        let calibrated: Vec<Calibrated> = at.iter().map(|&s| calibration.apply(s)).collect();
        prop_assert!(calibrated.is_sorted_by(|a, b| a.grade <= b.grade));
        for t in &calibrated {
            prop_assert!(0.0 <= t.low && t.low <= t.grade && t.grade <= t.high && t.high <= 5.0);
        }
    }
}
