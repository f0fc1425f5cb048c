//! What each cycle gave.

use crate::eval::Correlation;
use crate::util::text_table::TextTable;
use serde::Serialize;
use std::fmt::Write;

/// One form of a model after a cycle. Correlations lie in -1..1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FormRow {
    /// Cycle and form.
    pub name: String,
    /// `bi-encoder` or `cross-encoder`.
    pub form: &'static str,
    /// Counted from 1; 0 is before training.
    pub cycle: usize,
    /// The model's folder.
    pub model: String,
    /// Spearman's correlation on the dev set.
    pub dev: Option<f64>,
    /// Whether it is the best cycle of its form.
    pub best: bool,
    /// The mean of Spearman's correlations on the seven STS tasks, of the best and of
    /// the given models.
    pub average: Option<Correlation>,
}

/// All forms of all cycles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfDistillTable {
    /// Lines that say how the numbers came about.
    pub header: Vec<String>,
    /// The given models first.
    pub rows: Vec<FormRow>,
}

impl SelfDistillTable {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for line in &self.header {
            let _ = writeln!(out, "{line}");
        }
        out + &self.cells().aligned()
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut out = self.cells().markdown();
        out.push('\n');
        for line in &self.header {
            let _ = writeln!(out, "- {line}");
        }
        out
    }

    fn cells(&self) -> TextTable {
        let with_average = self.rows.iter().any(|row| row.average.is_some());
        let mut head = vec!["model", "dev", "best"];
        head.extend(with_average.then_some("STS average"));
        let percent = |value: Option<f64>| {
            value.map_or("-".to_owned(), |value| format!("{:.2}", 100.0 * value))
        };
        let cells = |row: &FormRow| {
            let best = if row.best { "best" } else { "" };
            let mut cells = vec![row.name.clone(), percent(row.dev), best.to_owned()];
            cells.extend(with_average.then(|| percent(row.average.and_then(Correlation::value))));
            cells
        };
        let head = head.into_iter().map(str::to_owned).collect();
        let rows = std::iter::once(head).chain(self.rows.iter().map(cells));
        TextTable(rows.collect())
    }
}
