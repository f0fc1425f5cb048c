//! Losses of a cross-encoder's logits against sentence-transformers' own.

mod common;

use common::{distance, fixture, json, numbers};
use gradus::losses::{ScoreInput, ScoreLossSettings, ScoreTrainingSet, ScoreUnit};
use serde_json::Value;

#[test]
fn losses_and_their_gradients() {
    let cases = json(fixture("score_losses.json"));
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() > 60);
    for case in cases {
        let name = format!("{} {}", case["loss"], case["settings"]);
        let mut settings = case["settings"].clone();
        settings["loss"] = case["loss"].clone();
        let settings: ScoreLossSettings = serde_json::from_value(settings).unwrap();
        let whole = |key: &str| -> Vec<usize> {
            let all = case[key].as_array().unwrap().iter();
            all.map(|n| n.as_u64().unwrap() as usize).collect()
        };
        let (targets, lists) = (numbers(&case["targets"]), whole("lists"));
        let weights = vec![1.0; targets.len()];
        // Built for labels of which it can learn, as the case's may be all equal.
        let mut usual = targets.clone();
        usual[0] += 1.0;
        let loss = settings
            .build(ScoreTrainingSet {
                labels: if case["loss"] == "bce" || case["loss"] == "cross_entropy" {
                    &targets
                } else {
                    &usual
                },
                weights: &weights,
                lists: &lists,
            })
            .unwrap();
        let logits: Vec<f32> = numbers(&case["logits"]).iter().map(|&x| x as f32).collect();
        let outputs = case["outputs"].as_u64().unwrap() as usize;
        assert_eq!(loss.outputs(), outputs, "{name}");
        let pairs = lists.len() == targets.len() + 1;
        assert_eq!(loss.unit() == ScoreUnit::Pairs, pairs, "{name}");
        let got = loss.evaluate(&ScoreInput {
            logits: &logits,
            outputs,
            targets: &targets,
            weights: &weights,
            tolerances: &vec![None; targets.len()],
            lists: &lists,
        });
        let want = case["expected_loss"].as_f64().unwrap();
        let off = (got.loss - want).abs();
        assert!(off < 1e-6 * (1.0 + want), "{name}: {} {want}", got.loss);
        let gradient = numbers(&case["gradient"]);
        if gradient.iter().all(|g| *g == 0.0) {
            assert!(got.logits.iter().all(|g| *g == 0.0), "{name}");
        } else {
            let off = distance(&got.logits, &gradient);
            assert!(off < 1e-6, "{name}: {off}");
        }
    }
}

/// A recipe's writing of each kind of loss, as the docs have it.
#[test]
fn recipes_name_the_losses() {
    for (written, sigmoid) in [
        ("objective = { loss = \"bce\", pos_weight = 1 }", true),
        ("objective = { loss = \"smooth_k2\", k = 3 }", false),
    ] {
        let value: Value = toml::from_str(written).unwrap();
        let settings: ScoreLossSettings =
            serde_json::from_value(value["objective"].clone()).unwrap();
        let data = ScoreTrainingSet {
            labels: &[0.0, 5.0],
            weights: &[1.0; 2],
            lists: &[0, 1, 2],
        };
        let loss = settings.build(data).unwrap();
        assert_eq!(loss.sigmoid(), sigmoid, "{}", loss.describe());
    }
}
