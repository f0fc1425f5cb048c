use super::lists::{Views, log_softmax, members, picked, teacher_cosines};
use crate::losses::config::TrainingSet;
use crate::losses::directions::Cosines;
use crate::losses::{Input, Objective, ObjectiveError, Output, error};
use gradus_kernels::dropout::mix64;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How a list is held against the teacher's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankingLoss {
    /// Cross-entropy of the probabilities over the list (Cao et al. 2007):
    /// `-sum_j softmax_j(t_i / t3) log softmax_j(s_i / t2)`.
    ListNet,
    /// The Plackett-Luce likelihood of the teacher's order `pi` (Xia et al.
    /// 2008), the mean over its places `j` of
    /// `log sum_{k >= j} exp(s_i,pi(k) / t2) - s_i,pi(j) / t2`. The teacher's
    /// ties are broken at random.
    ListMle,
}

/// Ranking distillation (RankCSE, section 3.3): the student's list of each text
/// follows that of one or several teachers, the mean over the texts.
///
/// The teachers' cosines are averaged by weight. Batches need their vectors:
/// see [`Input::teachers`].
#[derive(Debug, Clone, PartialEq)]
pub struct RankingDistillation {
    loss: RankingLoss,
    /// The student's.
    temperature: f64,
    /// ListNet's of the teacher.
    teacher_temperature: f64,
    teachers: Vec<f64>,
    include_self: bool,
    views: usize,
}

impl RankingDistillation {
    /// With the student's temperature, the teacher's (which ListMLE does not
    /// use), and a weight for each teacher.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`]; [`ObjectiveError::Teachers`] without a
    /// teacher, or with weights that are not positive.
    pub fn new(
        loss: RankingLoss,
        temperature: f64,
        teacher_temperature: f64,
        teachers: Vec<f64>,
        include_self: bool,
    ) -> Result<Self, ObjectiveError> {
        for t in [temperature, teacher_temperature] {
            error::temperature(t)?;
        }
        let total: f64 = teachers.iter().sum();
        if !(total > 0.0 && total.is_finite() && teachers.iter().all(|w| *w > 0.0)) {
            return Err(ObjectiveError::Teachers);
        }
        Ok(Self {
            loss,
            temperature,
            teacher_temperature,
            teachers: teachers.into_iter().map(|w| w / total).collect(),
            include_self,
            views: 2,
        })
    }

    /// With one view, a text's own vector stands for both.
    pub fn views(mut self, views: usize) -> Self {
        self.views = views.clamp(1, 2);
        self
    }

    /// The teachers' cosines, averaged.
    fn targets(&self, input: &Input<'_>) -> Cosines {
        let n = input.examples();
        let mut targets = Cosines::zeros(n, n);
        for (weight, vectors) in self.teachers.iter().zip(input.teachers) {
            let cosines = teacher_cosines(vectors);
            for (sum, c) in targets.values.iter_mut().zip(cosines.values) {
                *sum += *weight as f32 * c;
            }
        }
        targets
    }

    /// The loss of a list and its slopes by the student's cosines. `key` breaks
    /// ties.
    pub(super) fn list(&self, student: &[f64], teacher: &[f64], key: u64) -> (f64, Vec<f64>) {
        let t = self.temperature;
        if self.loss == RankingLoss::ListNet {
            let (logs, wanted) = (
                log_softmax(student, t),
                log_softmax(teacher, self.teacher_temperature),
            );
            let both = || logs.iter().zip(&wanted);
            let loss = both().map(|(s, w)| -w.exp() * s).sum();
            return (loss, both().map(|(s, w)| (s.exp() - w.exp()) / t).collect());
        }
        let places = student.len() as f64;
        let mut order: Vec<usize> = (0..student.len()).collect();
        let chance = |j: usize| mix64(key ^ j as u64);
        order.sort_by(|&a, &b| {
            let by_teacher = teacher[b].total_cmp(&teacher[a]);
            by_teacher.then_with(|| chance(a).cmp(&chance(b)))
        });
        // From the last place on, the sums over what is left; from the first
        // place on, how often and how much each has been in such a sum.
        let most = student.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let terms: Vec<f64> = student.iter().map(|s| ((s - most) / t).exp()).collect();
        let mut left = vec![0.0; order.len()];
        let mut sum = 0.0;
        for (place, &j) in order.iter().enumerate().rev() {
            sum += terms[j];
            // All that is left may lie so far below the best that it vanishes.
            left[place] = f64::max(sum, f64::MIN_POSITIVE);
        }
        let mut slopes = vec![0.0; student.len()];
        let (mut loss, mut inverse) = (0.0, 0.0);
        for (place, &j) in order.iter().enumerate() {
            loss += left[place].ln() - (student[j] - most) / t;
            inverse += 1.0 / left[place];
            slopes[j] = (terms[j] * inverse - 1.0) / (t * places);
        }
        (loss / places, slopes)
    }
}

/// The settings of [`RankingLoss::ListNet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListNetSettings {
    /// What similarities are divided by.
    pub temperature: f64,
    /// The teacher's temperature; default: half of `temperature`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher_temperature: Option<f64>,
    /// Whether a text stands in its own list.
    pub include_self: bool,
}

impl Default for ListNetSettings {
    fn default() -> Self {
        Self {
            temperature: 0.05,
            teacher_temperature: None,
            include_self: false,
        }
    }
}

impl ListNetSettings {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`].
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        self.loss(vec![1.0]).map(drop)
    }

    /// The objective for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`], [`ObjectiveError::Teachers`].
    pub fn build(&self, data: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        let loss = self.loss(data.teachers.to_vec())?;
        Ok(Box::new(loss.views(data.columns)))
    }

    fn loss(&self, teachers: Vec<f64>) -> Result<RankingDistillation, ObjectiveError> {
        let of_teacher = self.teacher_temperature.unwrap_or(self.temperature / 2.0);
        let (loss, t) = (RankingLoss::ListNet, self.temperature);
        RankingDistillation::new(loss, t, of_teacher, teachers, self.include_self)
    }
}

/// The settings of [`RankingLoss::ListMle`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListMleSettings {
    /// What similarities are divided by.
    pub temperature: f64,
    /// Whether a text stands in its own list.
    pub include_self: bool,
}

impl Default for ListMleSettings {
    fn default() -> Self {
        Self {
            temperature: 0.05,
            include_self: false,
        }
    }
}

impl ListMleSettings {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`].
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        self.loss(vec![1.0]).map(drop)
    }

    /// The objective for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`], [`ObjectiveError::Teachers`].
    pub fn build(&self, data: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        let loss = self.loss(data.teachers.to_vec())?;
        Ok(Box::new(loss.views(data.columns)))
    }

    fn loss(&self, teachers: Vec<f64>) -> Result<RankingDistillation, ObjectiveError> {
        let (loss, t) = (RankingLoss::ListMle, self.temperature);
        RankingDistillation::new(loss, t, t, teachers, self.include_self)
    }
}

impl Objective for RankingDistillation {
    fn columns(&self) -> usize {
        self.views
    }

    /// A list of one has one order.
    fn min_batch(&self) -> usize {
        if self.include_self { 2 } else { 3 }
    }

    fn teachers(&self) -> usize {
        self.teachers.len()
    }

    fn evaluate(&self, _parameters: &[f32], input: &Input<'_>) -> Output {
        let n = input.examples();
        let mut output = Output::zero(input, 0);
        let views = Views::of(input);
        let targets = self.targets(input);
        let mut slopes = Cosines::zeros(n, n);
        let rows = slopes.values.par_chunks_mut(n.max(1)).enumerate();
        let losses: Vec<f64> = rows
            .map(|(i, row)| {
                let members = members(n, i, self.include_self);
                // A single text has nothing to be ranked against.
                if members.len() < 2 {
                    return 0.0;
                }
                let student = picked(views.cosines.row(i), &members);
                let teacher = picked(targets.row(i), &members);
                let key = mix64(u64::from(input.texts[i]));
                let (loss, by_list) = self.list(&student, &teacher, key);
                let weight = f64::from(input.weights[i]) / n as f64;
                for (&j, slope) in members.iter().zip(by_list) {
                    row[j] = (weight * slope) as f32;
                }
                weight * loss
            })
            .collect();
        for loss in losses {
            output.loss += loss;
        }
        views.gradients(&slopes, &mut output.embeddings);
        output
    }

    fn describe(&self) -> String {
        let loss = match self.loss {
            RankingLoss::ListNet => "ListNet",
            RankingLoss::ListMle => "ListMLE",
        };
        format!(
            "{loss} (temperature {}) after {} teacher(s)",
            self.temperature,
            self.teachers.len()
        )
    }
}
