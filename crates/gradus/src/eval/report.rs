//! Reports: the scores of models as a table.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{Aggregation, Correlation, Metric, SuiteScores};
use crate::data::{Known, TextVariant};
use crate::format::Provenance;
use crate::util::text_table::{TextTable, escaped};

/// The scores of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelScores {
    /// What the row is called.
    pub model: String,
    /// Its scores.
    #[serde(flatten)]
    pub scores: SuiteScores,
    /// How it was trained, where its folder says so.
    #[serde(default, skip_serializing_if = "Provenance::is_unknown")]
    pub training: Provenance,
}

/// The scores of models, one a row: say, before and after training.
///
/// Tables show correlations x 100 with two decimals; serialised (and as
/// [`Report::json`]) they are whole and lie in -1..1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The rows.
    pub models: Vec<ModelScores>,
}

/// What of a report is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct View {
    /// Also a table of the subsets.
    pub per_subset: bool,
    /// How subsets are put together.
    pub aggregation: Aggregation,
    /// Which correlation.
    pub metric: Metric,
}

impl Report {
    /// A report of one model.
    pub fn new(model: impl Into<String>, scores: SuiteScores) -> Self {
        let mut report = Self::default();
        report.push(model, scores);
        report
    }

    /// Adds a row.
    pub fn push(&mut self, model: impl Into<String>, scores: SuiteScores) {
        self.push_trained(model, scores, Provenance::default());
    }

    /// Adds the row of a model of which it is known how it was trained.
    pub fn push_trained(
        &mut self,
        model: impl Into<String>,
        scores: SuiteScores,
        training: Provenance,
    ) {
        let model = model.into();
        self.models.push(ModelScores {
            model,
            scores,
            training,
        });
    }

    /// Aligned plain text.
    pub fn text(&self, view: View) -> String {
        let mut out = self.header(view).join("\n") + "\n";
        for table in self.tables(view) {
            out.push('\n');
            out += &table.aligned();
        }
        let notes = self.notes(view);
        if !notes.is_empty() {
            out.push('\n');
        }
        for note in notes {
            let _ = writeln!(out, "note: {note}");
        }
        out
    }

    /// Markdown.
    pub fn markdown(&self, view: View) -> String {
        let mut out = self.header(view).join("; ") + "\n";
        for table in self.tables(view) {
            out.push('\n');
            out += &table.markdown();
        }
        let notes = self.notes(view);
        if !notes.is_empty() {
            out.push('\n');
        }
        for note in notes {
            let _ = writeln!(out, "- {}", escaped(&note));
        }
        out
    }

    /// JSON with everything in it, whatever the view.
    pub fn json(&self) -> String {
        // Strings and numbers alone: writing them to memory cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    fn header(&self, view: View) -> Vec<String> {
        let metric = match view.metric {
            Metric::Spearman => "Spearman's",
            Metric::Pearson => "Pearson's",
        };
        let aggregation = match view.aggregation {
            Aggregation::All => "all (one correlation over all pairs of a task)",
            Aggregation::Mean => "mean (of the subsets' correlations)",
            Aggregation::WeightedMean => {
                "weighted mean (of the subsets' correlations, by their size)"
            }
        };
        let mut similarities: Vec<&str> = Vec::new();
        for model in &self.models {
            let name = model.scores.similarity.as_str();
            if !similarities.contains(&name) {
                similarities.push(name);
            }
        }
        let similarity = similarities.join(", ");
        vec![
            format!("correlation: {metric} x 100"),
            format!("similarity: {similarity}"),
            format!("aggregation: {aggregation}"),
            format!("text: {}", self.text_line()),
        ]
    }

    /// The text variant, task by task where they differ.
    fn text_line(&self) -> String {
        let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
        for model in &self.models {
            let line = texts(&model.scores);
            match lines.iter_mut().find(|(known, _)| *known == line) {
                Some((_, models)) => models.push(&model.model),
                None => lines.push((line, vec![&model.model])),
            }
        }
        if let [(line, _)] = &lines[..] {
            return line.clone();
        }
        let lines = lines
            .iter()
            .map(|(line, models)| format!("{}: {line}", models.join(", ")));
        lines.collect::<Vec<_>>().join("; ")
    }

    fn tables(&self, view: View) -> Vec<TextTable> {
        let mut tables = vec![self.task_table(view)];
        if view.per_subset {
            tables.push(self.subset_table(view));
        }
        tables
    }

    /// Models down, tasks across; the average follows the tasks it is over.
    fn task_table(&self, view: View) -> TextTable {
        let (counted, others) = self.task_names();
        let averaged = self
            .models
            .iter()
            .any(|m| m.scores.tasks.iter().any(|t| t.in_average));
        let mut head = vec!["model".to_string()];
        head.extend(counted.iter().map(|name| name.to_string()));
        if averaged {
            head.push("Avg.".to_string());
        }
        head.extend(others.iter().map(|name| name.to_string()));
        let mut table = vec![head];
        for model in &self.models {
            let score = |name: &&str| {
                let task = model.scores.tasks.iter().find(|t| t.name == **name);
                task.map_or("-".to_string(), |t| {
                    cell(t.scores.get(view.aggregation).get(view.metric))
                })
            };
            let mut row = vec![model.model.clone()];
            row.extend(counted.iter().map(score));
            if averaged {
                let average = model.scores.average.get(view.aggregation);
                row.push(cell(average.get(view.metric)));
            }
            row.extend(others.iter().map(score));
            table.push(row);
        }
        TextTable(table)
    }

    /// Subsets down, models across.
    fn subset_table(&self, view: View) -> TextTable {
        let mut head = vec!["subset".to_string(), "pairs".to_string()];
        head.extend(self.models.iter().map(|m| m.model.clone()));
        let mut table = vec![head];
        let mut seen: Vec<(&str, &str)> = Vec::new();
        let rows = self.models.iter().flat_map(|m| &m.scores.tasks);
        for (task, subset) in rows.flat_map(|t| t.subsets.iter().map(move |s| (t, s))) {
            let key = (task.name.as_str(), subset.name.as_str());
            if seen.contains(&key) {
                continue;
            }
            seen.push(key);
            let name = match subset.name.as_str() {
                "" => task.name.clone(),
                name => format!("{}/{name}", task.name),
            };
            let mut row = vec![name, subset.pairs.to_string()];
            for model in &self.models {
                let found = model
                    .scores
                    .tasks
                    .iter()
                    .filter(|t| t.name == key.0)
                    .flat_map(|t| &t.subsets)
                    .find(|s| s.name == key.1);
                row.push(found.map_or("-".to_string(), |s| cell(s.scores.get(view.metric))));
            }
            table.push(row);
        }
        TextTable(table)
    }

    /// The tasks in the average, and the others, each named once.
    fn task_names(&self) -> (Vec<&str>, Vec<&str>) {
        let (mut counted, mut others) = (Vec::new(), Vec::new());
        for task in self.models.iter().flat_map(|m| &m.scores.tasks) {
            let list = match task.in_average {
                true => &mut counted,
                false => &mut others,
            };
            if !list.contains(&task.name.as_str()) {
                list.push(task.name.as_str());
            }
        }
        (counted, others)
    }

    /// The models' own notes, what the average is over, and why a cell has no
    /// number.
    fn notes(&self, view: View) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        let (counted, others) = self.task_names();
        if let Some(note) = partial_average(&counted) {
            notes.push(note);
        } else if !counted.is_empty() && !others.is_empty() {
            notes.push(format!("Avg. is over {}", counted.join(", ")));
        }
        for model in &self.models {
            let tasks = &model.scores.tasks;
            let own = tasks.iter().filter(|t| t.in_average);
            let own: Vec<&str> = own.map(|t| t.name.as_str()).collect();
            if own.len() != counted.len() {
                let (name, own) = (&model.model, own.join(", "));
                notes.push(format!("{name}: its Avg. is over {own} alone"));
            }
            notes.extend(model.scores.notes.iter().cloned());
            let training = model.training.notes();
            notes.extend(
                training
                    .iter()
                    .map(|note| format!("{}: {note}", model.model)),
            );
            for task in tasks {
                let score = task.scores.get(view.aggregation).get(view.metric);
                if let Correlation::Undefined(why) = score {
                    notes.push(format!("{}, {}: undefined, {why}", model.model, task.name));
                }
            }
        }
        let mut seen = std::collections::HashSet::new();
        notes.retain(|note| seen.insert(note.clone()));
        notes
    }
}

/// What is to be said of an average that is not over all seven tasks.
pub fn partial_average(tasks: &[&str]) -> Option<String> {
    let of_suite = |known: &Known| tasks.contains(&known.title());
    let found = Known::SUITE.iter().filter(|k| of_suite(k)).count();
    (found == tasks.len() && (1..Known::SUITE.len()).contains(&found)).then(|| {
        format!(
            "Avg. is over {} alone, not the seven tasks of published averages",
            tasks.join(", ")
        )
    })
}

fn texts(scores: &SuiteScores) -> String {
    let of = |text: TextVariant| {
        let tasks = scores.tasks.iter().filter(|t| t.text == text);
        tasks.map(|t| t.name.as_str()).collect::<Vec<_>>()
    };
    let (original, senteval) = (of(TextVariant::Original), of(TextVariant::SentEval));
    match (original.is_empty(), senteval.is_empty()) {
        (_, true) => TextVariant::Original.name().to_string(),
        (true, false) => TextVariant::SentEval.name().to_string(),
        (false, false) => format!(
            "{} ({}), {} ({})",
            TextVariant::SentEval.name(),
            senteval.join(", "),
            TextVariant::Original.name(),
            original.join(", ")
        ),
    }
}

fn cell(score: Correlation) -> String {
    match score {
        Correlation::Value(value) => format!("{:.2}", value * 100.0),
        Correlation::Undefined(_) => "n/a".to_string(),
    }
}
