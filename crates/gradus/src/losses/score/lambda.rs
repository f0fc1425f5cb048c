use super::lambda_weighting::{LambdaWeighting, discount};
use super::training_set::differ;
use super::{ScoreInput, ScoreLoss, ScoreOutput, ScoreTrainingSet, ScoreUnit, sigmoid, softplus};
use crate::losses::ObjectiveError;
use serde::{Deserialize, Serialize};

/// LambdaLoss: minus the mean, over the pairs of documents `i`, `j` of a list with
/// `y_i > y_j`, of `w_ij log2 sigmoid(sigma (s_i - s_j))`, a bound of NDCG by its
/// [`LambdaWeighting`] `w`. Without weights it is RankNet.
///
/// The mean is over all pairs of a batch. A document's gain is `2^y - 1`, of a
/// negative label 0. With `k`, at least one of a pair is among the `k` of the highest
/// scores. Documents of one score stand in the order of the input. Lists of equal
/// labels have no pairs.
///
/// Sources: Wang et al. (2018); Burges et al. (2005); sentence-transformers'
/// `LambdaLoss` and `RankNetLoss`.
#[derive(Debug, Clone, PartialEq)]
pub struct LambdaLoss {
    settings: LambdaSettings,
}

/// The base of the logarithm in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReductionLog {
    /// To base 2.
    #[default]
    Binary,
    /// To base e.
    Natural,
}

/// The settings of [`LambdaLoss`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LambdaSettings {
    /// What a pair of documents weighs.
    pub weighting: LambdaWeighting,
    /// The part of NDCG-Loss2 in [`LambdaWeighting::NdcgLoss2Pp`]; default: 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mu: Option<f64>,
    /// Only pairs of which one is among so many of the highest scores count, and NDCG
    /// is of so many; default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
    /// What differences of scores are multiplied by.
    pub sigma: f64,
    /// The least that gains are divided by.
    pub eps: f64,
    /// The base of the logarithm.
    pub reduction_log: ReductionLog,
}

impl Default for LambdaSettings {
    fn default() -> Self {
        Self {
            weighting: LambdaWeighting::default(),
            mu: None,
            k: None,
            sigma: 1.0,
            eps: 1e-10,
            reduction_log: ReductionLog::default(),
        }
    }
}

impl LambdaSettings {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::NotPositive`], [`ObjectiveError::Unused`].
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        let k = self.k.map(|k| k as f64);
        for (setting, value) in [
            ("mu", self.mu),
            ("k", k),
            ("sigma", Some(self.sigma)),
            ("eps", Some(self.eps)),
        ] {
            if let Some(value) = value.filter(|x| !(x.is_finite() && *x > 0.0)) {
                return Err(ObjectiveError::NotPositive { setting, value });
            }
        }
        if self.mu.is_some() && self.weighting != LambdaWeighting::NdcgLoss2Pp {
            let what = format!("`weighting = \"{}\"`", self.weighting.name());
            return Err(ObjectiveError::unused("mu", what));
        }
        Ok(())
    }

    /// The loss for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::EmptyList`]; [`ObjectiveError::NoListToLearn`] where no list
    /// has two labels; those of [`LambdaSettings::validate`].
    pub fn build(&self, data: ScoreTrainingSet<'_>) -> Result<Box<dyn ScoreLoss>, ObjectiveError> {
        data.some_list("two labels", differ)?;
        Ok(Box::new(LambdaLoss::new(self.clone())?))
    }

    pub(super) const UNIT: ScoreUnit = ScoreUnit::Lists;
}

/// The settings of [`LambdaLoss`] without weights: RankNet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RankNetSettings {
    /// Only pairs of which one is among so many of the highest scores count; default:
    /// all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
    /// What differences of scores are multiplied by.
    pub sigma: f64,
    /// The base of the logarithm.
    pub reduction_log: ReductionLog,
}

impl Default for RankNetSettings {
    fn default() -> Self {
        Self {
            k: None,
            sigma: 1.0,
            reduction_log: ReductionLog::default(),
        }
    }
}

impl RankNetSettings {
    fn lambda(&self) -> LambdaSettings {
        LambdaSettings {
            weighting: LambdaWeighting::None,
            k: self.k,
            sigma: self.sigma,
            reduction_log: self.reduction_log,
            ..Default::default()
        }
    }

    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::NotPositive`].
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        self.lambda().validate()
    }

    /// The loss for this training set.
    ///
    /// # Errors
    /// Those of [`LambdaSettings::build`].
    pub fn build(&self, data: ScoreTrainingSet<'_>) -> Result<Box<dyn ScoreLoss>, ObjectiveError> {
        self.lambda().build(data)
    }

    pub(super) const UNIT: ScoreUnit = ScoreUnit::Lists;
}

/// A pair of rows, the weight of its term, and the difference of its scores times
/// sigma.
struct Term {
    rows: (usize, usize),
    weight: f64,
    difference: f64,
}

/// Differences of scores end here.
const FURTHEST: f64 = 1e8;

impl LambdaLoss {
    /// With these settings.
    ///
    /// # Errors
    /// Those of [`LambdaSettings::validate`].
    pub fn new(settings: LambdaSettings) -> Result<Self, ObjectiveError> {
        settings.validate()?;
        Ok(Self { settings })
    }

    /// The gains of documents in the order of their scores, over the highest DCG of
    /// the first `k`.
    fn gains(&self, labels: &[f64], k: usize) -> Vec<f64> {
        let gain = |y: f64| y.max(0.0).exp2() - 1.0;
        let mut best = labels.to_vec();
        best.sort_by(|a, b| b.total_cmp(a));
        let first = best.iter().take(k).enumerate();
        let dcg: f64 = first.map(|(place, y)| gain(*y) / discount(place)).sum();
        let dcg = dcg.max(self.settings.eps);
        labels.iter().map(|y| gain(*y) / dcg).collect()
    }

    /// Hands the terms of a list, whose first row is `start`, to `each`.
    fn terms(&self, start: usize, scores: &[f64], targets: &[f64], mut each: impl FnMut(Term)) {
        let Self { settings } = self;
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let labels: Vec<f64> = order.iter().map(|&row| targets[row]).collect();
        let k = settings.k.unwrap_or(usize::MAX);
        let gains = self.gains(&labels, k);
        let mu = settings.mu.unwrap_or(10.0);
        for i in 0..order.len() {
            for j in 0..order.len() {
                let in_order = labels[i] > labels[j] || settings.weighting.of_all_pairs();
                if !in_order || i.min(j) >= k {
                    continue;
                }
                each(Term {
                    rows: (start + order[i], start + order[j]),
                    weight: settings.weighting.weight((i, j), &gains, mu),
                    difference: scores[order[i]] - scores[order[j]],
                });
            }
        }
    }
}

impl ScoreLoss for LambdaLoss {
    fn evaluate(&self, input: &ScoreInput<'_>) -> ScoreOutput {
        let mut output = ScoreOutput::zero(input);
        let mut slopes = vec![0.0; input.rows()];
        let (mut count, sigma) = (0usize, self.settings.sigma);
        for rows in input.ranges() {
            let of_list = input.weight(&rows);
            let (scores, targets) = (input.scores(&rows), &input.targets[rows.clone()]);
            self.terms(rows.start, &scores, targets, |term| {
                count += 1;
                let weight = of_list * term.weight;
                let difference = term.difference.clamp(-FURTHEST, FURTHEST);
                output.loss += weight * softplus(-sigma * difference);
                if term.difference.abs() <= FURTHEST {
                    let slope = weight * sigma * sigmoid(-sigma * difference);
                    slopes[term.rows.0] -= slope;
                    slopes[term.rows.1] += slope;
                }
            });
        }
        let base = match self.settings.reduction_log {
            ReductionLog::Binary => std::f64::consts::LN_2,
            ReductionLog::Natural => 1.0,
        };
        let divisor = base * count.max(1) as f64;
        output.loss /= divisor;
        for (row, slope) in slopes.into_iter().enumerate() {
            output.logits[row * input.outputs] = (slope / divisor) as f32;
        }
        output
    }

    fn unit(&self) -> ScoreUnit {
        ScoreUnit::Lists
    }

    fn describe(&self) -> String {
        let settings = &self.settings;
        let mut text = match settings.weighting {
            LambdaWeighting::None => "RankNet".to_owned(),
            LambdaWeighting::NdcgLoss2Pp => {
                let mu = settings.mu.unwrap_or(10.0);
                format!("LambdaLoss (ndcg_loss2pp, mu {mu})")
            }
            weighting => format!("LambdaLoss ({})", weighting.name()),
        };
        if let Some(k) = settings.k {
            text += &format!(" at {k}");
        }
        text
    }
}
