use super::PlainContrast;
use crate::losses::config::TrainingSet;
use crate::losses::directions::{Cosines, Directions};
use crate::losses::pairwise::{Pairwise, add};
use crate::losses::{ExampleTexts, Input, Objective, ObjectiveError, Output, error};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// InfoNCE with the other texts of the batch as negatives (van den Oord et al.
/// 2018; as in SimCSE, Gao et al. 2021, equations 1 and 5):
///
/// `l_i = -log( exp(s_ii / t) / sum_j exp(s_ij / t) )`
///
/// with `s_ij` the cosine of anchor `i` (first text of an example) and candidate
/// `j`. Candidates are the second texts of all examples and, where examples
/// have more texts, all of those as hard negatives; the own hard negatives'
/// terms are multiplied by `negative_weight`. The gradient by a logit is
/// `softmax - 1[j = i]`.
///
/// The same text twice in an example and nothing else is unsupervised SimCSE:
/// the two vectors differ by dropout. With two texts it is the multiple
/// negatives ranking loss (Henderson et al. 2017).
///
/// A candidate whose text is the anchor's, or that of the anchor's positive, is
/// no negative and is left out.
///
/// Negatives from a [`Memory`](crate::losses::Memory) of earlier steps are further
/// terms of an anchor's denominator, as in momentum contrast (He et al. 2020); the
/// positives that seek their anchors do not meet them.
#[derive(Debug, Clone, PartialEq)]
pub struct InfoNce {
    columns: usize,
    temperature: f64,
    learned: bool,
    symmetric: bool,
    log_negative_weight: f64,
}

impl InfoNce {
    /// For examples of `columns` texts: anchor, positive, hard negatives.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`] unless it lies within bounds.
    pub fn new(columns: usize, temperature: f64) -> Result<Self, ObjectiveError> {
        error::temperature(temperature)?;
        Ok(Self {
            columns: columns.max(2),
            temperature,
            learned: false,
            symmetric: false,
            log_negative_weight: 0.0,
        })
    }

    /// Trains the temperature from its given value on, as CLIP does (Radford et
    /// al. 2021): the parameter is `log(1 / t)`, kept at or below `log 100`.
    pub fn learned(mut self) -> Self {
        self.learned = true;
        self
    }

    /// Takes the mean with the loss in which the positives seek their anchors.
    pub fn symmetric(mut self) -> Self {
        self.symmetric = true;
        self
    }

    /// What the own hard negatives' terms are multiplied by; 1 otherwise.
    ///
    /// # Errors
    /// [`ObjectiveError::NegativeWeight`] unless it is positive and finite.
    pub fn negative_weight(mut self, weight: f64) -> Result<Self, ObjectiveError> {
        if !(weight > 0.0 && weight.is_finite()) {
            return Err(ObjectiveError::NegativeWeight(weight));
        }
        self.log_negative_weight = weight.ln();
        Ok(self)
    }
}

/// The settings of [`InfoNce`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InfoNceSettings {
    /// What similarities are divided by.
    pub temperature: f64,
    /// Whether the temperature is trained.
    pub learned: bool,
    /// Whether positives also seek their anchors.
    pub symmetric: bool,
    /// What the own hard negatives' terms are multiplied by.
    pub negative_weight: f64,
}

impl Default for InfoNceSettings {
    fn default() -> Self {
        Self {
            temperature: 0.05,
            learned: false,
            symmetric: false,
            negative_weight: 1.0,
        }
    }
}

impl InfoNceSettings {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`], [`ObjectiveError::NegativeWeight`].
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        self.loss(2).map(drop)
    }

    /// The objective for this training set.
    ///
    /// # Errors
    /// Those of [`InfoNceSettings::validate`].
    pub fn build(&self, data: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        Ok(Box::new(self.loss(data.columns)?))
    }

    fn loss(&self, columns: usize) -> Result<InfoNce, ObjectiveError> {
        let mut loss = InfoNce::new(columns, self.temperature)?;
        loss = loss.negative_weight(self.negative_weight)?;
        if self.symmetric {
            loss = loss.symmetric();
        }
        if self.learned {
            loss = loss.learned();
        }
        Ok(loss)
    }
}

/// Largest `1 / t` that training reaches.
const STEEPEST: f64 = 100.0;

/// One direction of the loss.
struct Side<'a> {
    /// `[n, candidates]`; the first `n` candidates are the answers.
    cosines: &'a Cosines,
    /// The text of every anchor, and of every candidate.
    anchors: &'a [u32],
    candidates: &'a [u32],
    log_negative_weight: f64,
    weights: &'a [f32],
    /// The cosines of each anchor with its negatives from the memory; empty without.
    remembered: &'a [Vec<f32>],
    log_memory_weight: f64,
}

/// What one anchor adds.
struct Row {
    loss: f64,
    /// The slopes by the logits of the candidates and of the memory's negatives.
    by_logits: Vec<f64>,
}

/// Rows whose slopes by the logits are held at a time.
const ROWS: usize = 256;

impl Side<'_> {
    /// Loss and, if it is `wanted`, its slope by `1 / t`; the slopes by the cosines go
    /// to `slopes` and, of the memory's, to `to_memory`.
    fn evaluate(
        &self,
        (steepness, wanted): (f64, bool),
        slopes: &mut Cosines,
        to_memory: &mut [Vec<f32>],
    ) -> (f64, f64) {
        let (mut loss, mut by_steepness) = (0.0, 0.0);
        let cols = slopes.cols;
        for (block, slopes) in slopes.values.chunks_mut(ROWS * cols.max(1)).enumerate() {
            let first = block * ROWS;
            let each = slopes.par_chunks_mut(cols.max(1)).enumerate();
            let rows: Vec<Row> = each
                .map(|(i, slopes)| {
                    let row = self.row(first + i, steepness);
                    for (slope, by_logit) in slopes.iter_mut().zip(&row.by_logits) {
                        *slope += (by_logit * steepness) as f32;
                    }
                    row
                })
                .collect();
            // One chain of sums, whatever the threads.
            for (i, row) in (first..).zip(&rows) {
                loss += row.loss;
                let remembered = self.remembered(i);
                if wanted {
                    let cosines = self.cosines.row(i).iter().chain(remembered);
                    for (by_logit, cosine) in row.by_logits.iter().zip(cosines) {
                        by_steepness += by_logit * f64::from(*cosine);
                    }
                }
                if !remembered.is_empty() {
                    let slopes = row.by_logits[cols..].iter();
                    to_memory[i] = slopes.map(|slope| (slope * steepness) as f32).collect();
                }
            }
        }
        (loss, by_steepness)
    }

    fn remembered(&self, i: usize) -> &[f32] {
        self.remembered.get(i).map_or(&[], |r| r)
    }

    fn row(&self, i: usize, steepness: f64) -> Row {
        let n = self.anchors.len();
        let own = [self.anchors[i], self.candidates[i]];
        let candidates = self.cosines.row(i).iter().enumerate().map(|(j, &s)| {
            if j != i && own.contains(&self.candidates[j]) {
                return f64::NEG_INFINITY;
            }
            let hard = j >= n && j % n == i;
            let extra = if hard { self.log_negative_weight } else { 0.0 };
            f64::from(s) * steepness + extra
        });
        let further = self.remembered(i).iter();
        let further = further.map(|&s| f64::from(s) * steepness + self.log_memory_weight);
        let mut logits: Vec<f64> = candidates.chain(further).collect();
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let own = logits[i];
        for logit in &mut logits {
            *logit = (*logit - most).exp();
        }
        let sum: f64 = logits.iter().sum();
        let weight = f64::from(self.weights[i]) / n as f64;
        for (j, term) in logits.iter_mut().enumerate() {
            let answer = if j == i { 1.0 } else { 0.0 };
            *term = weight * (*term / sum - answer);
        }
        Row {
            loss: weight * (most + sum.ln() - own),
            by_logits: logits,
        }
    }
}

impl Objective for InfoNce {
    fn columns(&self) -> usize {
        self.columns
    }

    /// The negatives are the other examples' texts.
    fn min_batch(&self) -> usize {
        2
    }

    fn uses_memory(&self) -> bool {
        true
    }

    fn plain_contrast(&self) -> Option<PlainContrast> {
        let plain = !self.learned && !self.symmetric && self.log_negative_weight == 0.0;
        plain.then_some(PlainContrast {
            columns: self.columns,
            temperature: self.temperature,
            through_mlp: false,
        })
    }

    /// Some text must be a negative of some example: neither its anchor nor its
    /// positive.
    fn check_examples(&self, examples: ExampleTexts<'_>) -> Result<(), ObjectiveError> {
        let all = || examples.texts.chunks_exact(examples.columns);
        let mut candidates: Vec<u32> = Vec::new();
        // With one view a text is its own positive.
        for text in all().flat_map(|row| &row[1.min(row.len() - 1)..]) {
            if !candidates.contains(text) {
                candidates.push(*text);
            }
            if candidates.len() > 2 {
                return Ok(());
            }
        }
        let own = |row: &[u32], text: u32| row.iter().take(2).any(|t| *t == text);
        let some = all().any(|row| candidates.iter().any(|&text| !own(row, text)));
        if some {
            Ok(())
        } else {
            Err(ObjectiveError::NoNegatives(all().len()))
        }
    }

    fn initial_parameters(&self, _dim: usize, _seed: u64) -> Vec<f32> {
        match self.learned {
            true => vec![(1.0 / self.temperature).min(STEEPEST).ln() as f32],
            false => vec![],
        }
    }

    fn decayed(&self, _dim: usize) -> Vec<bool> {
        vec![false; usize::from(self.learned)]
    }

    fn evaluate(&self, parameters: &[f32], input: &Input<'_>) -> Output {
        let n = input.examples();
        let mut output = Output::zero(input, parameters.len());
        let log = parameters.first().map(|&p| f64::from(p));
        let steepness = log.map_or(1.0 / self.temperature, |p| p.exp().min(STEEPEST));
        let (pairs, cosines) = Pairwise::of(input, 0..n, n..self.columns * n);
        let mut slopes = Cosines::zeros(n, cosines.cols);
        let (anchor_texts, candidate_texts) = input.texts.split_at(n);
        let memory = input.memory.map(|memory| {
            let anchors = Directions::of(input.embeddings, 0, n);
            let entries = Directions::of(memory.vectors, 0, memory.vectors.rows());
            let cosines = anchors.cosines_with(memory.negatives, &entries);
            (memory, anchors, entries, cosines)
        });
        let remembered = memory.as_ref().map_or(&[][..], |(.., cosines)| cosines);
        let mut to_memory = vec![vec![]; remembered.len()];
        let forth = Side {
            cosines: &cosines,
            anchors: anchor_texts,
            candidates: candidate_texts,
            log_negative_weight: self.log_negative_weight,
            weights: input.weights,
            remembered,
            log_memory_weight: input.memory.map_or(0.0, |memory| memory.log_weight),
        };
        let (mut loss, mut by_steepness) =
            forth.evaluate((steepness, self.learned), &mut slopes, &mut to_memory);
        if self.symmetric {
            let mut back = Cosines::zeros(n, n);
            for i in 0..n {
                back.row_mut(i).copy_from_slice(&cosines.row(i)[..n]);
            }
            let mut back_slopes = Cosines::zeros(n, n);
            let (l, s) = Side {
                cosines: &back.transposed(),
                anchors: &candidate_texts[..n],
                candidates: anchor_texts,
                log_negative_weight: 0.0,
                weights: input.weights,
                remembered: &[],
                log_memory_weight: 0.0,
            }
            .evaluate((steepness, self.learned), &mut back_slopes, &mut []);
            (loss, by_steepness) = ((loss + l) / 2.0, (by_steepness + s) / 2.0);
            let remembered = to_memory.iter_mut().flatten();
            for slope in slopes.values.iter_mut().chain(remembered) {
                *slope /= 2.0;
            }
            let back_slopes = back_slopes.transposed();
            for i in 0..n {
                for (slope, back) in slopes.row_mut(i).iter_mut().zip(back_slopes.row(i)) {
                    *slope += back / 2.0;
                }
            }
        }
        output.loss = loss;
        let (own, others) = output.embeddings.split_at_mut(n * input.embeddings.dim());
        let [of_anchors, of_candidates] = pairs.gradients(&slopes);
        add(own, &of_anchors);
        add(others, &of_candidates);
        if let Some((memory, anchors, entries, _)) = &memory {
            anchors.add_gradients_of((memory.negatives, &to_memory), entries, own);
        }
        if let (Some(slope), Some(log)) = (output.parameters.first_mut(), log) {
            // d (1/t) / d log(1/t) = 1/t, and nothing beyond the bound.
            let inside = log.exp() <= STEEPEST || by_steepness > 0.0;
            *slope = if inside {
                by_steepness * steepness
            } else {
                0.0
            } as f32;
        }
        output
    }

    fn describe(&self) -> String {
        let mut text = format!("InfoNCE (temperature {}", self.temperature);
        if self.learned {
            text += ", learned";
        }
        if self.symmetric {
            text += ", both directions";
        }
        let negatives = self.columns - 2;
        if negatives > 0 {
            let weight = self.log_negative_weight.exp();
            text += &format!(", {negatives} hard negatives of weight {weight:.3}");
        }
        text + ")"
    }
}
