//! Score against speed and size.

use super::Sizes;
use crate::eval::Correlation;
use crate::util::text_table::TextTable;
use serde::Serialize;
use std::fmt::Write;

/// One model. Correlations lie in -1..1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudentRow {
    /// `teacher`, or the student's name.
    pub name: String,
    /// Its folder, or the teacher's name.
    pub model: String,
    /// Its size.
    #[serde(flatten)]
    pub sizes: Sizes,
    /// On texts held out, here and now.
    pub sentences_per_second: f64,
    /// How often the teacher's speed.
    pub speed_up: f64,
    /// Spearman's correlation of its cosines and the teacher's, on random pairs
    /// of texts held out.
    pub agreement: Correlation,
    /// Spearman's correlation on the dev set, where one was given.
    pub dev: Option<Correlation>,
    /// The mean of Spearman's correlations on the seven STS tasks, where they
    /// are there.
    pub average: Option<Correlation>,
    /// Seconds of training.
    pub seconds: Option<f64>,
}

/// A teacher and its students.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudentTable {
    /// Lines that say how the numbers came about.
    pub header: Vec<String>,
    /// The teacher first.
    pub rows: Vec<StudentRow>,
}

impl StudentTable {
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
        let with_dev = self.rows.iter().any(|row| row.dev.is_some());
        let with_average = self.rows.iter().any(|row| row.average.is_some());
        let mut head = vec![
            "model",
            "parameters",
            "in layers",
            "MB",
            "sentences/s",
            "speed",
        ];
        head.push("agreement");
        head.extend(with_dev.then_some("dev"));
        head.extend(with_average.then_some("STS average"));
        head.push("minutes");
        let millions = |n: usize| format!("{:.2} M", n as f64 / 1e6);
        let percent = |c: Option<Correlation>| {
            let value = c.and_then(Correlation::value);
            value.map_or("-".to_owned(), |v| format!("{:.2}", 100.0 * v))
        };
        let cells = |row: &StudentRow| {
            let mut cells = vec![
                row.name.clone(),
                millions(row.sizes.parameters),
                millions(row.sizes.layer_parameters),
                format!("{:.1}", row.sizes.bytes as f64 / 1e6),
                format!("{:.0}", row.sentences_per_second),
                format!("{:.1}x", row.speed_up),
                percent(Some(row.agreement)),
            ];
            cells.extend(with_dev.then(|| percent(row.dev)));
            cells.extend(with_average.then(|| percent(row.average)));
            let minutes = row.seconds.map(|s| format!("{:.1}", s / 60.0));
            cells.push(minutes.unwrap_or_else(|| "-".into()));
            cells
        };
        let head = head.into_iter().map(str::to_owned).collect();
        let rows = std::iter::once(head).chain(self.rows.iter().map(cells));
        TextTable(rows.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_that_are_known() {
        let row = StudentRow {
            name: "layers-0".into(),
            model: "runs/x/layers-0/model".into(),
            sizes: Sizes {
                parameters: 13_500_000,
                layer_parameters: 1_774_464,
                bytes: 54_000_000,
            },
            sentences_per_second: 1234.4,
            speed_up: 4.25,
            agreement: Correlation::Value(0.91234),
            dev: None,
            average: Some(Correlation::Value(0.7)),
            seconds: Some(90.0),
        };
        let table = StudentTable {
            header: vec!["teacher: big".into()],
            rows: vec![row],
        };
        let text = table.text();
        assert!(text.starts_with("teacher: big\nmodel "), "{text}");
        for part in ["1.77 M", "54.0", "1234", "4.2x", "91.23", "70.00", "1.5"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("dev"));
        assert!(table.markdown().starts_with("| model | parameters |"));
    }
}
