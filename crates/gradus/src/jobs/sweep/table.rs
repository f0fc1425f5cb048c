//! The outcomes of a sweep side by side.

use super::{GridRow, Outcome};
use crate::eval::{Aggregation, Interval, Metric, Suite, partial_average, resampled_spearman};
use crate::util::text_table::{TextTable, escaped};
use serde::Serialize;
use std::fmt::Write;

/// Draws of the test pairs behind each interval.
const RESAMPLES: usize = 1000;
/// Share of the draws that an interval covers.
const CONFIDENCE: f64 = 0.95;
const BOOTSTRAP_SEED: u64 = 1;

/// A value over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Its mean.
    pub mean: f64,
    /// Its sample standard deviation, from two seeds on.
    pub deviation: Option<f64>,
}

impl Spread {
    fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len() as f64;
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Some(Self {
            mean,
            deviation: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()),
        })
    }
}

/// How a row's test average differs from that of the row all are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// This row less that one, each averaged over its seeds.
    pub value: f64,
    /// Where it lies in 95 % of draws of the test pairs (paired bootstrap,
    /// percentiles); it does not cover what other seeds would change.
    pub interval: Option<Interval>,
}

/// One setting over its seeds. Correlations lie in -1..1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowSummary {
    /// What tables call it.
    pub label: String,
    /// `key=value` of each setting.
    pub settings: Vec<String>,
    /// The seeds that are finished.
    pub seeds: Vec<u64>,
    /// Those of them whose run came to nothing.
    pub failed: Vec<u64>,
    /// Spearman's correlation on the dev set.
    pub dev: Option<Spread>,
    /// Spearman's correlation on each task, in the order of [`SweepTable::tasks`].
    pub tasks: Vec<Option<Spread>>,
    /// Their mean.
    pub average: Option<Spread>,
    /// Against the row of [`SweepTable::against`].
    pub difference: Option<Difference>,
    /// Seconds of training of a seed.
    pub seconds: Option<f64>,
}

/// The rows of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepTable {
    /// Lines that say how the numbers came about.
    pub header: Vec<String>,
    /// The test tasks' names.
    pub tasks: Vec<String>,
    /// One a setting.
    pub rows: Vec<RowSummary>,
    /// The row with the best mean on the dev set.
    pub best: Option<usize>,
    /// The row that the others are compared with.
    pub against: Option<usize>,
}

impl SweepTable {
    /// Puts outcomes side by side. `suite` are the tasks that they were scored
    /// on, if any; `against` is the row that the others are compared with, by
    /// default the best; `header` says what was trained, on what, chosen how.
    pub fn new(
        rows: &[(GridRow, Vec<Outcome>)],
        suite: Option<&Suite>,
        against: Option<usize>,
        (mut header, correlated): (Vec<String>, &str),
    ) -> Self {
        let tasks: Vec<String> = suite
            .iter()
            .flat_map(|s| s.tasks.iter().map(|t| t.name.clone()))
            .collect();
        if let Some(suite) = suite {
            header.push(format!(
                "test scores: Spearman's correlation x 100 of {correlated}, aggregation all, {} text, mean over seeds (± their standard deviation)",
                suite.text.name()
            ));
            let names: Vec<&str> = tasks.iter().map(String::as_str).collect();
            header.extend(partial_average(&names));
            let reference = match against {
                Some(row) => format!("to `{}`", rows[row].0.label()),
                None => "to the best row".to_owned(),
            };
            header.push(format!(
                "difference: of the average, {reference}, with its {:.0} % interval over {RESAMPLES} draws of the test pairs (paired bootstrap)",
                100.0 * CONFIDENCE
            ));
        }
        let summary = |(row, outcomes): &(GridRow, Vec<Outcome>)| {
            let of_task = |t| Spread::of(outcomes.iter().filter_map(|o| score(o, t)));
            RowSummary {
                label: row.label(),
                settings: row.settings.clone(),
                seeds: outcomes.iter().map(|o| o.seed).collect(),
                failed: outcomes
                    .iter()
                    .filter(|o| o.failure.is_some())
                    .map(|o| o.seed)
                    .collect(),
                dev: Spread::of(outcomes.iter().filter_map(|o| o.dev)),
                tasks: (0..tasks.len()).map(of_task).collect(),
                average: Spread::of(outcomes.iter().filter_map(average)),
                difference: None,
                seconds: Spread::of(outcomes.iter().map(|o| o.seconds)).map(|s| s.mean),
            }
        };
        let mut table = Self {
            header,
            rows: rows.iter().map(summary).collect(),
            best: None,
            against,
            tasks,
        };
        let by_dev = |row: &RowSummary| {
            // A setting that failed for some seed is not to be recommended.
            let dev = row.dev.filter(|_| row.failed.is_empty());
            dev.map_or(f64::NEG_INFINITY, |d| d.mean)
        };
        table.best = (0..table.rows.len())
            .filter(|&r| by_dev(&table.rows[r]) > f64::NEG_INFINITY)
            .max_by(|&a, &b| by_dev(&table.rows[a]).total_cmp(&by_dev(&table.rows[b])));
        table.against = against.or(table.best);
        if let (Some(suite), Some(against)) = (suite, table.against) {
            table.compare(rows, suite, against);
        }
        table
    }

    /// Fills in the differences to row `against`.
    fn compare(&mut self, rows: &[(GridRow, Vec<Outcome>)], suite: &Suite, against: usize) {
        let draws = resampled_averages(rows, suite);
        let Some(reference) = self.rows[against].average.map(|a| a.mean) else {
            return;
        };
        let others = self.rows.iter_mut().enumerate();
        for (r, row) in others.filter(|(r, _)| *r != against) {
            row.difference = row.average.map(|average| {
                let pairs = draws[r].iter().zip(&draws[against]);
                let differences: Vec<f64> = pairs.map(|(row, other)| row - other).collect();
                Difference {
                    value: average.mean - reference,
                    interval: Interval::percentile(&differences, CONFIDENCE),
                }
            });
        }
    }

    /// Aligned plain text.
    pub fn text(&self) -> String {
        let mut out = self.header.join("\n") + "\n\n" + &self.cells().aligned();
        if let Some(best) = self.best {
            let _ = writeln!(out, "\nbest by the dev set: {}", self.rows[best].label);
        }
        for note in self.notes() {
            let _ = writeln!(out, "note: {note}");
        }
        out
    }

    /// Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for line in &self.header {
            let _ = writeln!(out, "- {}", escaped(line));
        }
        out.push('\n');
        out += &self.cells().markdown();
        if let Some(best) = self.best {
            let label = escaped(&self.rows[best].label);
            let _ = writeln!(out, "\nBest by the dev set: {label}.");
        }
        for note in self.notes() {
            let _ = writeln!(out, "\nNote: {}", escaped(&note));
        }
        out
    }

    fn cells(&self) -> TextTable {
        let mut head = vec!["setting".to_owned(), "dev".to_owned()];
        head.extend(self.tasks.iter().cloned());
        if !self.tasks.is_empty() {
            head.extend(["Avg.".to_owned(), "difference".to_owned()]);
        }
        head.push("seeds".into());
        let mut table = vec![head];
        for (r, row) in self.rows.iter().enumerate() {
            let label = match self.best == Some(r) {
                true => format!("{} *", row.label),
                false => row.label.clone(),
            };
            let mut cells = vec![label, with_deviation(row.dev)];
            let mean = |s: &Option<Spread>| s.map_or("-".into(), |s| percent(s.mean));
            cells.extend(row.tasks.iter().map(mean));
            if !self.tasks.is_empty() {
                cells.push(with_deviation(row.average));
                cells.push(row.difference.map_or("-".into(), difference));
            }
            cells.push((row.seeds.len() - row.failed.len()).to_string());
            table.push(cells);
        }
        TextTable(table)
    }

    fn notes(&self) -> Vec<String> {
        let failed = self.rows.iter().filter(|row| !row.failed.is_empty());
        let note = |row: &RowSummary| {
            let seeds: Vec<String> = row.failed.iter().map(u64::to_string).collect();
            let (label, seeds) = (&row.label, seeds.join(", "));
            format!("{label}: the loss became infinite or no number with seed {seeds}")
        };
        failed.map(note).collect()
    }
}

/// A cell's score on a task.
fn score(outcome: &Outcome, task: usize) -> Option<f64> {
    let tasks = &outcome.test.as_ref()?.scores.tasks;
    let scores = tasks.get(task)?.scores.get(Aggregation::All);
    scores.get(Metric::Spearman).value()
}

/// The average over the tasks that count in it.
fn average(outcome: &Outcome) -> Option<f64> {
    let average = outcome.test.as_ref()?.scores.average.get(Aggregation::All);
    average.get(Metric::Spearman).value()
}

/// For each row its average over tasks and seeds on the same draws of pairs.
fn resampled_averages(rows: &[(GridRow, Vec<Outcome>)], suite: &Suite) -> Vec<Vec<f64>> {
    let cells = rows.iter().enumerate().flat_map(|(r, (_, outcomes))| {
        let tests = outcomes.iter().filter_map(|o| o.test.as_ref());
        tests.map(move |test| (r, test))
    });
    let cells: Vec<_> = cells.collect();
    let mut sums = vec![vec![0.0; RESAMPLES]; rows.len()];
    let mut counts = vec![0.0; rows.len()];
    for (t, task) in suite.tasks.iter().enumerate().filter(|(_, t)| t.in_average) {
        let grades: Vec<f64> = task.iter().map(|pair| pair.label).collect();
        let fits = cells
            .iter()
            .filter_map(|(r, test)| Some((*r, test.similarities.get(t)?.as_slice())))
            .filter(|(_, s)| s.len() == grades.len());
        let (owners, similarities): (Vec<usize>, Vec<&[f64]>) = fits.unzip();
        let seed = BOOTSTRAP_SEED + t as u64;
        let draws = resampled_spearman(&grades, &similarities, RESAMPLES, seed);
        for (r, draws) in owners.into_iter().zip(draws) {
            counts[r] += 1.0;
            for (sum, draw) in sums[r].iter_mut().zip(draws) {
                *sum += draw;
            }
        }
    }
    for (sums, count) in sums.iter_mut().zip(counts) {
        for sum in sums {
            *sum /= count;
        }
    }
    sums
}

fn percent(value: f64) -> String {
    format!("{:.2}", 100.0 * value)
}

fn with_deviation(spread: Option<Spread>) -> String {
    match spread {
        None => "-".into(),
        Some(Spread {
            mean,
            deviation: None,
        }) => percent(mean),
        Some(Spread {
            mean,
            deviation: Some(d),
        }) => format!("{} ± {}", percent(mean), percent(d)),
    }
}

fn difference(d: Difference) -> String {
    let value = format!("{:+.2}", 100.0 * d.value);
    match d.interval {
        Some(i) => format!("{value} [{:+.2}, {:+.2}]", 100.0 * i.low, 100.0 * i.high),
        None => value,
    }
}
