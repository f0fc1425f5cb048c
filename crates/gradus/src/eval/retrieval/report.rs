use std::fmt::Write;

use serde::Serialize;

use super::RetrievalScores;
use crate::util::text_table::TextTable;

/// How well models retrieve: a retrieval set after the other, its models one a row.
///
/// Tables show values x 100 with two decimals; as [`RetrievalReport::json`] they are
/// whole and lie in 0..1.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RetrievalReport {
    /// The sets.
    pub sets: Vec<SetScores>,
}

/// The scores of models on one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetScores {
    /// The set's name.
    pub set: String,
    /// Whose judgments count.
    pub split: String,
    /// How many queries have judgments.
    pub queries: usize,
    /// How many documents the corpus has.
    pub documents: usize,
    /// How many documents are ranked for a query.
    pub top: usize,
    /// The models.
    pub models: Vec<ModelRetrieval>,
}

/// The scores of one model on a set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelRetrieval {
    /// The model's name.
    pub model: String,
    /// Its scores.
    #[serde(flatten)]
    pub scores: RetrievalScores,
}

impl RetrievalReport {
    /// Aligned plain text.
    pub fn text(&self) -> String {
        self.shown(TextTable::aligned)
    }

    /// Markdown.
    pub fn markdown(&self) -> String {
        self.shown(TextTable::markdown)
    }

    /// JSON with everything in it, the values of each query too.
    pub fn json(&self) -> String {
        // Strings and numbers alone: writing them to memory cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    fn shown(&self, table: impl Fn(&TextTable) -> String) -> String {
        let mut out = String::new();
        for (place, set) in self.sets.iter().enumerate() {
            if place > 0 {
                out.push('\n');
            }
            let SetScores {
                set: name,
                split,
                queries,
                documents,
                top,
                ..
            } = set;
            let _ = writeln!(
                out,
                "{name}, {split}: {queries} queries, {documents} documents, the best {top} of each query; values x 100\n"
            );
            out += &table(&set.table());
        }
        out
    }
}

impl SetScores {
    /// Models down, measures across.
    fn table(&self) -> TextTable {
        let mut head = vec!["model".to_owned()];
        if let Some(first) = self.models.first() {
            head.extend(first.scores.measures().iter().map(ToString::to_string));
        }
        let row = |model: &ModelRetrieval| {
            let values = model.scores.means().iter();
            let values = values.map(|value| format!("{:.2}", 100.0 * value));
            std::iter::once(model.model.clone()).chain(values).collect()
        };
        let rows = self.models.iter().map(row);
        TextTable(std::iter::once(head).chain(rows).collect())
    }
}
