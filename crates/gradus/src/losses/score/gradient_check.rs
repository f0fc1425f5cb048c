//! Gradients of the losses of scores against finite differences.

use super::*;
use gradus_kernels::dropout::mix64;

/// A batch on which a loss is checked.
pub(super) struct Case {
    pub logits: Vec<f32>,
    pub outputs: usize,
    pub targets: Vec<f64>,
    pub weights: Vec<f32>,
    pub tolerances: Vec<Option<f32>>,
    pub lists: Vec<usize>,
}

impl Case {
    /// Lists of these sizes, with whole labels from 0 to 3.
    fn of_lists(sizes: &[usize], seed: u64) -> Self {
        let mut lists = vec![0];
        for size in sizes {
            lists.push(lists[lists.len() - 1] + size);
        }
        Self::of(lists, 1, seed)
    }

    /// So many pairs, with whole labels from 0 to 3.
    fn of_pairs(rows: usize, outputs: usize, seed: u64) -> Self {
        Self::of((0..=rows).collect(), outputs, seed)
    }

    fn of(lists: Vec<usize>, outputs: usize, seed: u64) -> Self {
        let rows = lists[lists.len() - 1];
        let unit = |i: usize| (mix64(seed ^ mix64(i as u64)) >> 40) as f32 / (1u64 << 24) as f32;
        let by_row = |at: usize| move |row: usize| (row, unit(row + at));
        Self {
            logits: (0..rows * outputs).map(|i| 6.0 * unit(i) - 2.0).collect(),
            outputs,
            targets: (0..rows)
                .map(by_row(1000))
                .map(|(_, u)| f64::from((3.0 * u).round()))
                .collect(),
            weights: (0..rows).map(by_row(2000)).map(|(_, u)| 0.5 + u).collect(),
            tolerances: (0..rows)
                .map(by_row(3000))
                .map(|(row, u)| (row % 3 == 0).then_some(u / 2.0))
                .collect(),
            lists,
        }
    }

    pub fn run(&self, loss: &dyn ScoreLoss) -> ScoreOutput {
        self.at(loss, &self.logits)
    }

    fn at(&self, loss: &dyn ScoreLoss, logits: &[f32]) -> ScoreOutput {
        loss.evaluate(&ScoreInput {
            logits,
            outputs: self.outputs,
            targets: &self.targets,
            weights: &self.weights,
            tolerances: &self.tolerances,
            lists: &self.lists,
        })
    }

    pub fn build(&self, toml: &str) -> Box<dyn ScoreLoss> {
        let settings: ScoreLossSettings = toml::from_str(toml).unwrap();
        let data = ScoreTrainingSet {
            labels: &self.targets,
            weights: &self.weights,
            lists: &self.lists,
        };
        settings.build(data).unwrap()
    }

    /// Central differences at two step sizes. Where they disagree a kink lies within
    /// the step, and the logit is passed over.
    fn check(&self, toml: &str) {
        let loss = &*self.build(toml);
        let gradient = self.run(loss).logits;
        assert!(gradient.iter().any(|g| *g != 0.0), "{toml}");
        let mut checked = 0;
        for (i, &got) in gradient.iter().enumerate() {
            let slope = |h: f32| {
                let mut logits = self.logits.clone();
                let x = logits[i];
                let mut value = |x: f32| {
                    logits[i] = x;
                    self.at(loss, &logits).loss
                };
                (value(x + h) - value(x - h)) / f64::from((x + h) - (x - h))
            };
            let (wide, narrow) = (slope(2e-3), slope(4e-4));
            if (wide - narrow).abs() < 1e-4 * (1.0 + wide.abs()) {
                let off = (f64::from(got) - narrow).abs();
                assert!(
                    off < 2e-4 * (1.0 + narrow.abs()),
                    "{toml}: got {got}, slope {narrow}"
                );
                checked += 1;
            }
        }
        assert!(checked * 10 >= 8 * gradient.len(), "{toml}: {checked}");
    }
}

#[test]
fn losses_of_pairs() {
    for seed in 0..3 {
        let case = Case::of_pairs(11, 1, seed);
        for toml in [
            "loss = 'bce'",
            "loss = 'bce'\npos_weight = 2.5\nscale = [-1, 4]",
            "loss = 'mse'",
            "loss = 'l1'\nout_of_range = 'both'",
            "loss = 'smooth_k2'\nk = 3\nx0 = 0.3",
            "loss = 'smooth_k2'\nout_of_range = 'label_aware'",
            "loss = 'translated_relu'\nout_of_range = 'lower'\nrange = [0, 2]",
        ] {
            case.check(toml);
        }
        Case::of_pairs(9, 4, seed).check("loss = 'cross_entropy'\nclasses = 4");
    }
}

#[test]
fn losses_of_lists() {
    for seed in 0..3 {
        let case = Case::of_lists(&[4, 1, 7, 2, 5], 10 + seed);
        for toml in [
            "loss = 'margin_mse'",
            "loss = 'rank_net'",
            "loss = 'rank_net'\nk = 2\nsigma = 2\nreduction_log = 'natural'",
            "loss = 'lambda'",
            "loss = 'lambda'\nweighting = 'ndcg_loss1'",
            "loss = 'lambda'\nweighting = 'ndcg_loss2'\nk = 3",
            "loss = 'lambda'\nweighting = 'lambda_rank'\nsigma = 0.5",
            "loss = 'lambda'\nmu = 2\nk = 1",
            "loss = 'lambda'\nweighting = 'none'",
            "loss = 'list_net'",
            "loss = 'list_mle'",
            "loss = 'list_mle'\nrespect_input_order = false",
            "loss = 'p_list_mle'",
            "loss = 'p_list_mle'\nrespect_input_order = false",
        ] {
            case.check(toml);
        }
    }
}
