//! The edges of the losses of scores: what is refused, what is 0, and what is large.

use super::gradient_check::Case;
use super::*;
use crate::losses::ObjectiveError;

const OF_LISTS: [&str; 11] = [
    "loss = 'margin_mse'",
    "loss = 'rank_net'",
    "loss = 'lambda'",
    "loss = 'lambda'\nweighting = 'ndcg_loss1'",
    "loss = 'lambda'\nweighting = 'ndcg_loss2'",
    "loss = 'lambda'\nweighting = 'lambda_rank'",
    "loss = 'list_net'",
    "loss = 'list_mle'",
    "loss = 'list_mle'\nrespect_input_order = false",
    "loss = 'p_list_mle'",
    "loss = 'p_list_mle'\nrespect_input_order = false",
];

const OF_PAIRS: [&str; 5] = [
    "loss = 'bce'",
    "loss = 'mse'",
    "loss = 'l1'",
    "loss = 'smooth_k2'",
    "loss = 'translated_relu'",
];

fn case(logits: &[f32], targets: &[f64], lists: &[usize]) -> Case {
    Case {
        logits: logits.to_vec(),
        outputs: 1,
        targets: targets.to_vec(),
        weights: vec![1.0; targets.len()],
        tolerances: vec![None; targets.len()],
        lists: lists.to_vec(),
    }
}

fn settings(toml: &str) -> ScoreLossSettings {
    toml::from_str(toml).unwrap()
}

/// Built for a set of which it can learn.
fn usual(toml: &str) -> Box<dyn ScoreLoss> {
    case(&[0.0; 3], &[0.0, 1.0, 0.0], &[0, 3]).build(toml)
}

#[test]
fn a_list_of_one_document_says_nothing() {
    let one = case(&[3.0], &[1.0], &[0, 1]);
    for toml in OF_LISTS {
        // A document with itself is a pair of NDCG-Loss1, whose slope is 0.
        let output = one.run(&*usual(toml));
        assert_eq!(output.logits, [0.0], "{toml}");
        assert_eq!(output.loss == 0.0, !toml.contains("ndcg_loss1"), "{toml}");
    }
}

#[test]
fn lists_of_equal_labels_have_no_pairs() {
    let equal = case(&[3.0, -1.0, 0.5], &[2.0; 3], &[0, 3]);
    for toml in &OF_LISTS[1..6] {
        if toml.contains("ndcg_loss1") {
            continue;
        }
        let output = equal.run(&*usual(toml));
        assert_eq!((output.loss, output.logits), (0.0, vec![0.0; 3]), "{toml}");
    }
    // Without any relevant document all gains are 0.
    let none = case(&[3.0, -1.0, 0.5], &[0.0; 3], &[0, 3]);
    let output = none.run(&*usual("loss = 'lambda'\nweighting = 'ndcg_loss1'"));
    assert_eq!((output.loss, output.logits), (0.0, vec![0.0; 3]));
}

#[test]
fn large_logits_are_finite_and_point_the_right_way() {
    let large = case(&[-1e4, 1e4, 0.0, 1e4], &[1.0, 0.0, 1.0, 0.0], &[0, 2, 4]);
    for toml in OF_LISTS.iter().chain(&OF_PAIRS) {
        let pairs = OF_PAIRS.contains(toml);
        let large = match pairs {
            true => case(&large.logits, &large.targets, &[0, 1, 2, 3, 4]),
            false => case(&large.logits, &large.targets, &large.lists),
        };
        let output = large.run(&*usual(toml));
        let finite = output.loss.is_finite() && output.logits.iter().all(|g| g.is_finite());
        assert!(finite && output.loss > 100.0, "{toml} {output:?}");
        let right = output.logits[0] < 0.0 && output.logits[1] > 0.0;
        assert!(right, "{toml} {output:?}");
        // The other way round nothing is wrong.
        let targets = [0.0, 1.0, 0.0, 1.0];
        if !pairs && !toml.contains("respect") && toml.contains("lambda") {
            let right = case(&large.logits, &targets, &large.lists).run(&*usual(toml));
            assert!(right.loss < 1.0 && right.logits.iter().all(|g| g.abs() < 1e-3));
        }
    }
}

#[test]
fn long_lists_are_finite() {
    let n = 3000;
    let logits: Vec<f32> = (0..n).map(|i| (i % 17) as f32 - 1e3).collect();
    let targets: Vec<f64> = (0..n).map(|i| f64::from(i % 5)).collect();
    let long = case(&logits, &targets, &[0, n as usize]);
    for toml in [
        "loss = 'list_mle'",
        "loss = 'p_list_mle'",
        "loss = 'list_net'",
    ] {
        let output = long.run(&*long.build(toml));
        let finite = output.loss.is_finite() && output.logits.iter().all(|g| g.is_finite());
        assert!(finite && output.loss > 0.0, "{toml}");
        // A shift of all logits changes nothing, so the slopes sum to 0.
        let sum: f64 = output.logits.iter().copied().map(f64::from).sum();
        assert!(sum.abs() < 1e-4, "{toml} {sum}");
    }
}

#[test]
fn a_batch_of_lists_is_the_mean_of_its_lists() {
    let logits = [0.3, -1.0, 2.0, 0.1, 0.2];
    let targets = [1.0, 0.0, 2.0, 0.0, 1.0];
    for toml in OF_LISTS {
        if toml.contains("lambda") || toml.contains("rank_net") {
            continue;
        }
        let loss = usual(toml);
        let both = case(&logits, &targets, &[0, 2, 5]).run(&*loss);
        let first = case(&logits[..2], &targets[..2], &[0, 2]).run(&*loss);
        let second = case(&logits[2..], &targets[2..], &[0, 3]).run(&*loss);
        let mean = (first.loss + second.loss) / 2.0;
        assert!((both.loss - mean).abs() < 1e-12, "{toml}");
    }
}

#[test]
fn labels_map_onto_the_sigmoid() {
    let labels = [0.0, 5.0, 2.5, 7.0];
    let pairs = case(&[0.0; 4], &labels, &[0, 1, 2, 3, 4]);
    let stated = pairs.run(&*pairs.build("loss = 'bce'\nscale = [0, 5]"));
    // sigmoid(0) - y, over four rows; 7 counts as 5.
    assert_eq!(stated.logits, [0.125, -0.125, 0.0, -0.125]);
    let found = case(&[0.0; 3], &labels[..3], &[0, 1, 2, 3]);
    let found = found.run(&*found.build("loss = 'bce'"));
    assert_eq!(found.logits.map_signs(), [1, -1, 0]);
    // Soft labels stay as they are.
    let soft = case(&[0.0; 2], &[0.5, 0.75], &[0, 1, 2]);
    assert_eq!(soft.run(&*soft.build("loss = 'bce'")).logits, [0.0, -0.125]);
}

trait Signs {
    fn map_signs(&self) -> Vec<i32>;
}

impl Signs for Vec<f32> {
    fn map_signs(&self) -> Vec<i32> {
        let sign = |g: &f32| i32::from(*g > 0.0) - i32::from(*g < 0.0);
        self.iter().map(sign).collect()
    }
}

#[test]
fn sets_without_anything_to_learn_are_refused() {
    let build = |toml: &str, labels: &[f64], weight: f32, lists: &[usize]| {
        let data = ScoreTrainingSet {
            labels,
            weights: &vec![weight; labels.len()],
            lists,
        };
        settings(toml).build(data).map(|loss| loss.describe())
    };
    for toml in OF_LISTS {
        let nothing = build(toml, &[1.0, 0.0], 1.0, &[0, 1, 2]);
        assert!(
            matches!(nothing, Err(ObjectiveError::NoListToLearn { count: 2, .. })),
            "{toml}"
        );
        let empty = build(toml, &[1.0, 0.0], 1.0, &[0, 2, 2]);
        assert_eq!(empty, Err(ObjectiveError::EmptyList(2)), "{toml}");
        let weightless = build(toml, &[1.0, 0.0], 0.0, &[0, 2]);
        assert!(matches!(
            weightless,
            Err(ObjectiveError::NoListToLearn { .. })
        ));
    }
    for toml in OF_PAIRS.iter().copied().chain(["loss = 'cross_entropy'"]) {
        let equal = build(toml, &[1.0, 1.0], 1.0, &[0, 1, 2]);
        let expected = ObjectiveError::EqualLabels {
            count: 2,
            value: 1.0,
        };
        assert_eq!(equal, Err(expected), "{toml}");
        let weightless = build(toml, &[1.0, 0.0], 0.0, &[0, 1, 2]);
        assert_eq!(weightless, Err(ObjectiveError::NoWeight(2)), "{toml}");
    }
    for (label, classes, toml) in [
        (1.5, 1000, "loss = 'cross_entropy'"),
        (-1.0, 1000, "loss = 'cross_entropy'"),
        (3.0, 3, "loss = 'cross_entropy'\nclasses = 3"),
        (1e9, 1000, "loss = 'cross_entropy'"),
    ] {
        let built = build(toml, &[0.0, label], 1.0, &[0, 1, 2]);
        let expected = ObjectiveError::NotAClassNumber { label, classes };
        assert_eq!(built, Err(expected), "{toml}");
    }
}

#[test]
fn settings_out_of_their_bounds_are_refused() {
    for toml in [
        "loss = 'bce'\npos_weight = 0",
        "loss = 'bce'\npos_weight = inf",
        "loss = 'bce'\nscale = [1, 1]",
        "loss = 'mse'\nrange = [5, 0]",
        "loss = 'smooth_k2'\nx0 = 0.6",
        "loss = 'translated_relu'\nk = -1",
        "loss = 'cross_entropy'\nclasses = 1",
        "loss = 'cross_entropy'\nclasses = 1001",
        "loss = 'lambda'\nk = 0",
        "loss = 'lambda'\nsigma = nan",
        "loss = 'lambda'\neps = 0",
        "loss = 'lambda'\nmu = -1",
        "loss = 'lambda'\nweighting = 'lambda_rank'\nmu = 5",
        "loss = 'rank_net'\nk = 0",
    ] {
        assert!(settings(toml).validate().is_err(), "{toml}");
    }
}

#[test]
fn what_is_written_reads_back() {
    let all = ScoreLossName::ALL.iter().map(|loss| loss.in_recipe());
    let further = [
        "loss = 'bce'\npos_weight = 2\nscale = [0, 5]",
        "loss = 'smooth_k2'\nk = 3\nout_of_range = 'both'\nrange = [0, 5]",
        "loss = 'lambda'\nmu = 3\nk = 10\nreduction_log = 'natural'",
        "loss = 'p_list_mle'\nrespect_input_order = false",
    ];
    for text in all.chain(further.map(str::to_owned)) {
        let read = settings(&text);
        assert_eq!(read.validate(), Ok(()), "{text}");
        let written = toml::to_string(&read).unwrap();
        assert_eq!(settings(&written), read, "{written}");
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(
            serde_json::from_str::<ScoreLossSettings>(&json).unwrap(),
            read
        );
    }
}

#[test]
fn mistakes_are_shown_where_they_are() {
    for (toml, parts) in [
        (
            "loss = 'bce'\nposweight = 1",
            &[
                "line 2, column 1",
                "unknown field `posweight`",
                "`pos_weight`",
            ][..],
        ),
        ("loss = 'no'", &["line 1, column 8", "`p_list_mle`"]),
        ("k = 1", &["missing field `loss`"]),
        (
            "loss = 'bce'\nk = 1",
            &["`k` has no meaning for `loss = \"bce\"`; remove it"],
        ),
        ("loss = 'lambda'\nk = 'all'", &["invalid type: string"]),
        (
            "loss = 'lambda'\nweighting = 'ndcg'",
            &["unknown variant `ndcg`", "`ndcg_loss2pp`"],
        ),
    ] {
        let error = toml::from_str::<ScoreLossSettings>(toml).unwrap_err();
        for part in parts {
            assert!(error.to_string().contains(part), "{toml}: {error}");
        }
    }
}
