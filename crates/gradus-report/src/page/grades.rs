//! Predicted grades beside people's, on the dev set.

use super::html::{Cell, figure, paragraph, table};
use crate::chart::{Bin, Spread, bins, reliability, scatter, spreads};
use crate::run::{DevPairs, Run};
use gradus::calibration::{COVERAGE, Calibration, FOLDS, RawScore, cross_fitted};
use gradus::eval::{PairScores, Similarity, Suite};
use gradus::losses::Form;
use gradus::recipe::AnyRecipe;

/// Grades that more than so many whole numbers lie among are not rounded.
const MOST_GRADES: usize = 12;
const WORST: usize = 15;

/// What a run's model predicts for its dev set.
pub(super) struct Graded<'a> {
    dev: &'a DevPairs,
    pair_scores: &'a PairScores,
    gold: Vec<f64>,
    calibration: Calibration,
    /// Whether it lies with the model, or was fitted for the page.
    stored: bool,
    /// Predictions by maps fitted without the pair.
    predicted: Vec<f64>,
}

impl<'a> Graded<'a> {
    /// `None` where there is no dev set, no model, or no map can be fitted.
    pub fn of(run: &'a Run) -> Option<Self> {
        let (dev, after) = (run.dev.as_ref()?, run.after.as_ref()?);
        let (pair_scores, gold) = (&after.dev, dev.grades());
        let fit = |score, scores: &[f64]| {
            Calibration::fit(score, scores, &gold, dev.scale, COVERAGE, &dev.name).ok()
        };
        let stored = run.calibration.clone().filter(|c| c.scale == dev.scale);
        let is_stored = stored.is_some();
        let calibration = match stored {
            Some(stored) => stored,
            None => {
                let raw = fit(pair_scores.similarity.into(), &pair_scores.raw)?;
                let head = pair_scores
                    .grades
                    .as_ref()
                    .filter(|_| run.own_head().is_some());
                let head = head.and_then(|grades| fit(RawScore::Grade, grades));
                let better = |h: &Calibration| h.mean_absolute_error < raw.mean_absolute_error;
                head.filter(better).unwrap_or(raw)
            }
        };
        let predicted = cross_fitted(raw(pair_scores, calibration.score)?, &gold).ok()?;
        Some(Self {
            dev,
            pair_scores,
            gold,
            calibration,
            stored: is_stored,
            predicted,
        })
    }

    pub fn scale(&self) -> (f64, f64) {
        self.dev.scale
    }

    /// The mean distance of cross-fitted predictions from the grades.
    pub fn mean_error(&self) -> f64 {
        mean_error(&self.predicted, &self.gold)
    }

    /// The share of pairs whose rounded prediction is the rounded grade.
    pub fn rounding(&self) -> Option<f64> {
        self.grades()?;
        Some(rounded_right(&self.predicted, &self.gold))
    }

    /// The whole grades of the scale, if they are few.
    fn grades(&self) -> Option<Vec<i64>> {
        let (low, high) = self.dev.scale;
        let whole = low.round() as i64..=high.round() as i64;
        let few = (2..=MOST_GRADES).contains(&whole.clone().count());
        few.then(|| whole.collect())
    }

    /// All predictions that there are: colour, name and values.
    fn predictions(&self, run: &Run) -> Vec<(usize, String, Vec<f64>)> {
        let (low, high) = self.dev.scale;
        let (score, features) = (self.calibration.score.name(), run.own_head());
        let mut all = vec![(0, format!("calibrated {score}"), self.predicted.clone())];
        // Only scores between 0 and 1 can be stretched to the scale, as cosines are.
        let raw = &self.pair_scores.raw;
        let name = self.pair_scores.similarity.name();
        let stretched = self.pair_scores.similarity == Similarity::Cosine
            || raw.iter().all(|score| (0.0..=1.0).contains(score));
        if stretched {
            let line = raw.iter().map(|c| low + (high - low) * c);
            let name = format!("{name} stretched to {low} to {high}");
            all.push((1, name, line.collect()));
        }
        // The line of the cosine form is the one above, unless it was learned.
        let form = match &run.recipe {
            AnyRecipe::Similarity(recipe) => recipe.stages.last(),
            AnyRecipe::CrossEncoder(_) => None,
        };
        let form = form.and_then(|stage| stage.objective.loss.form());
        let learned = matches!(form, Some(Form::Cosine(map)) if map.learned);
        let shown = self.pair_scores.grades.as_ref();
        if let Some(grades) = shown.filter(|_| learned || run.own_head().is_some()) {
            let name = match features {
                Some(features) => format!("regression head on {}", features.notation()),
                None => "learned line on the cosine".into(),
            };
            all.push((2, name, grades.clone()));
        }
        all
    }

    /// Everything about the dev set's grades.
    pub fn section(&self, run: &Run) -> String {
        let mut out = String::from("<h2>Predicted grades</h2>\n");
        let by = match self.stored {
            true => "calibration.json of the model",
            false => "a calibration fitted for this page",
        };
        out += &paragraph(&format!(
            "On the {} pairs of {}, by {by}: {}. Every calibrated prediction below comes from a map that was fitted without the pair ({} folds). The model was selected on the same pairs, which may flatter it a little.",
            self.gold.len(),
            self.dev.name,
            self.calibration.describe(),
            self.gold.len().min(FOLDS)
        ));
        out += &self.scatter();
        out += &self.spread();
        out += &self.reliability(run);
        out += &self.confusion();
        out += &self.worst();
        out
    }

    fn scatter(&self) -> String {
        let Some(scores) = raw(self.pair_scores, self.calibration.score) else {
            return String::new();
        };
        let points: Vec<(f64, f64)> = scores
            .iter()
            .copied()
            .zip(self.gold.iter().copied())
            .collect();
        let name = match self.calibration.score {
            RawScore::Cosine => "cosine",
            RawScore::Grade => "grade of the regression head",
            RawScore::Score => "score of the cross-encoder",
        };
        let svg = scatter(
            "Grades over raw scores",
            (name, "people's grade"),
            &points,
            &self.calibration,
        );
        let legend = [
            (0, "a pair"),
            (1, "isotonic map, and the ends of its interval"),
        ];
        let caption = format!(
            "The map turns the {name} into a grade; {:.0} % of people's grades should lie between the thin lines.",
            100.0 * self.calibration.coverage
        );
        figure(&svg, &legend, &caption)
    }

    fn spread(&self) -> String {
        let Some(grades) = self.grades() else {
            return String::new();
        };
        let of = |&grade: &i64| {
            let here = self.predicted.iter().zip(&self.gold);
            let here = here.filter(|(_, gold)| gold.round() as i64 == grade);
            Spread::of(grade as f64, here.map(|(p, _)| *p).collect())
        };
        let all: Vec<Spread> = grades.iter().filter_map(of).collect();
        let names = ("people's grade, rounded", "calibrated prediction");
        let svg = spreads("Predictions by grade", names, &all, self.dev.scale);
        let counts: Vec<String> = all
            .iter()
            .map(|s| format!("{}: {}", s.grade, s.pairs))
            .collect();
        let caption = format!(
            "Boxes hold the middle half of the predictions, with the median; whiskers reach from the 5th to the 95th percentile. Dashed: predictions that are right. Pairs by grade: {}.",
            counts.join(", ")
        );
        figure(
            &svg,
            &[(0, "predictions of pairs with this grade")],
            &caption,
        )
    }

    fn reliability(&self, run: &Run) -> String {
        let all = self.predictions(run);
        let drawn: Vec<(usize, Vec<Bin>)> = all
            .iter()
            .map(|(colour, _, p)| (*colour, bins(p, &self.gold, 12)))
            .collect();
        let names = ("mean prediction", "mean of people's grades");
        let svg = reliability("Reliability of predictions", names, &drawn, self.dev.scale);
        let legend: Vec<(usize, &str)> =
            all.iter().map(|(c, name, _)| (*c, name.as_str())).collect();
        let most = drawn.iter().map(|(_, bins)| bins.len()).max().unwrap_or(0);
        let caption = format!(
            "{} of about equally many pairs with neighbouring predictions. On the dashed line predictions are right on average; above it people grade higher. Spearman's correlation does not see this.",
            match most {
                1 => "One bin".to_owned(),
                n => format!("{n} bins"),
            }
        );
        let mut out = String::from("<h3>Are predictions right on average?</h3>\n");
        out += &figure(&svg, &legend, &caption);
        let rows: Vec<Vec<Cell>> = all
            .iter()
            .zip(&drawn)
            .map(|((_, name, predicted), (_, bins))| {
                let off: f64 = bins
                    .iter()
                    .map(|b| b.pairs as f64 * (b.predicted - b.grade).abs())
                    .sum();
                let rounding = self.grades().map(|_| rounded_right(predicted, &self.gold));
                vec![
                    Cell::text(name),
                    Cell::number(format!("{:.3}", mean_error(predicted, &self.gold))),
                    Cell::number(format!("{:.3}", off / self.gold.len() as f64)),
                    Cell::number(rounding.map_or("n/a".into(), |r| format!("{:.1} %", 100.0 * r))),
                ]
            })
            .collect();
        let head = [
            "prediction",
            "mean error",
            "off the line",
            "rounds to the grade",
        ];
        let head: Vec<String> = head.iter().map(|s| (*s).to_owned()).collect();
        let caption = format!(
            "On {}, seed {}. Off the line: the mean distance of the bins' points from the dashed line. Rounds to the grade: the share of pairs whose prediction and grade round to the same whole number.",
            self.dev.name,
            run.recipe.seed()
        );
        out + &table(&caption, &head, &rows)
    }

    fn confusion(&self) -> String {
        let Some(grades) = self.grades() else {
            return String::new();
        };
        let mut head = vec!["people's grade".to_owned()];
        head.extend(grades.iter().map(|g| format!("predicted {g}")));
        head.push("pairs".into());
        let mut rows = Vec::new();
        for &gold in &grades {
            let here = self.predicted.iter().zip(&self.gold);
            let here = here.filter(|(_, g)| g.round() as i64 == gold);
            let predicted: Vec<i64> = here.map(|(p, _)| p.round() as i64).collect();
            let mut row = vec![Cell::number(gold.to_string())];
            for &grade in &grades {
                let count = predicted.iter().filter(|t| **t == grade).count();
                let share = count as f64 / predicted.len().max(1) as f64;
                row.push(
                    Cell::number(count.to_string())
                        .tint(share)
                        .best(gold == grade),
                );
            }
            row.push(Cell::number(predicted.len().to_string()));
            rows.push(row);
        }
        let caption = format!(
            "Calibrated predictions on {}, both sides rounded. Bold: right. The tint is the share of a row.",
            self.dev.name
        );
        format!("<h3>Rounded grades</h3>\n{}", table(&caption, &head, &rows))
    }

    fn worst(&self) -> String {
        let mut order: Vec<usize> = (0..self.gold.len()).collect();
        let error = |i: usize| (self.predicted[i] - self.gold[i]).abs();
        order.sort_by(|&a, &b| error(b).total_cmp(&error(a)));
        let rows: Vec<Vec<Cell>> = order
            .iter()
            .take(WORST)
            .map(|&i| {
                let pair = &self.dev.pairs[i];
                vec![
                    Cell::number(format!("{:.1}", self.gold[i])),
                    Cell::number(format!("{:.1}", self.predicted[i])),
                    Cell::number(format!("{:.2}", self.pair_scores.raw[i])),
                    Cell::text(&pair.first),
                    Cell::text(&pair.second),
                ]
            })
            .collect();
        let raw = self.pair_scores.similarity.name();
        let head = ["grade", "predicted", raw, "first text", "second text"];
        let head: Vec<String> = head.iter().map(|s| (*s).to_owned()).collect();
        let caption = format!(
            "The {} of {} pairs of {} furthest from their grade.",
            rows.len(),
            self.gold.len(),
            self.dev.name
        );
        format!("<h3>Worst errors</h3>\n{}", table(&caption, &head, &rows))
    }

    /// How often intervals hold on other data: the test tasks that have the
    /// dev set's scale.
    pub fn coverage(&self, run: &Run, suite: Option<&Suite>) -> String {
        let (Some(suite), Some(after)) = (suite, &run.after) else {
            return String::new();
        };
        let mut rows = Vec::new();
        for (task, pair_scores) in suite.tasks.iter().zip(&after.tasks) {
            let Some(scores) =
                raw(pair_scores, self.calibration.score).filter(|_| task.scale == self.dev.scale)
            else {
                continue;
            };
            let predicted: Vec<_> = scores.iter().map(|&s| self.calibration.apply(s)).collect();
            let gold: Vec<f64> = task.iter().map(|p| p.label).collect();
            let n = gold.len().max(1) as f64;
            let held = predicted
                .iter()
                .zip(&gold)
                .filter(|(t, g)| (t.low..=t.high).contains(g))
                .count();
            let width = predicted.iter().map(|t| t.high - t.low).sum::<f64>() / n;
            let grades: Vec<f64> = predicted.iter().map(|t| t.grade).collect();
            rows.push(vec![
                Cell::text(&task.name),
                Cell::number(gold.len().to_string()),
                Cell::number(format!("{:.1} %", 100.0 * held as f64 / n)),
                Cell::number(format!("{width:.2}")),
                Cell::number(format!("{:.3}", mean_error(&grades, &gold))),
                Cell::number(format!("{:.1} %", 100.0 * rounded_right(&grades, &gold))),
            ]);
        }
        if rows.is_empty() {
            return String::new();
        }
        let head = [
            "task",
            "pairs",
            "within the interval",
            "mean width",
            "mean error",
            "rounds to the grade",
        ];
        let head: Vec<String> = head.iter().map(|s| (*s).to_owned()).collect();
        let caption = format!(
            "The calibration of {} on test tasks with the same scale, {} text, seed {}; its intervals are made to hold {:.0} % of the grades of pairs like those of its fit. Far from that, a calibration on pairs of the new kind is needed (gradus calibrate).",
            self.calibration.fitted_on,
            suite.text.name(),
            run.recipe.seed(),
            100.0 * self.calibration.coverage
        );
        format!(
            "<h3>Do the intervals hold elsewhere?</h3>\n{}",
            table(&caption, &head, &rows)
        )
    }
}

fn raw(pair_scores: &PairScores, score: RawScore) -> Option<&[f64]> {
    match score {
        RawScore::Grade => pair_scores.grades.as_deref(),
        raw if raw == pair_scores.similarity.into() => Some(&pair_scores.raw),
        // A calibration of another kind of model.
        RawScore::Cosine | RawScore::Score => None,
    }
}

fn mean_error(predicted: &[f64], gold: &[f64]) -> f64 {
    let errors = predicted.iter().zip(gold).map(|(p, g)| (p - g).abs());
    errors.sum::<f64>() / gold.len().max(1) as f64
}

fn rounded_right(predicted: &[f64], gold: &[f64]) -> f64 {
    let right = predicted
        .iter()
        .zip(gold)
        .filter(|(p, g)| p.round() == g.round());
    right.count() as f64 / gold.len().max(1) as f64
}
