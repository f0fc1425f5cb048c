use super::Mined;
use crate::Result;
use crate::jobs::JobError;
use serde_json::{Map, Value, json};
use std::path::Path;

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinedFormat {
    /// A query, a positive, a negative: `anchor`, `positive`, `negative`, and with
    /// scores `scores`, a list of two.
    Triplet,
    /// A query, a positive, all negatives: `anchor`, `positive`, `negative_1` and so
    /// on, and with scores `scores`. What has fewer negatives is left out.
    Tuple,
    /// A query, a document, a label of 1 or 0: `query`, `document`, `label`, or with
    /// scores `score` in its place.
    LabeledPair,
    /// A query, a list of documents, the positive first, and one of labels: `query`,
    /// `docs`, `labels`, or with scores `scores` in its place.
    LabeledList,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Cells with tabs between them.
    Tsv,
    /// Cells with commas between them, in double quotes where need be.
    Csv,
    /// A JSON object a line.
    Jsonl,
}

impl Written {
    /// What the name of a file says, if it does.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "tsv" => Some(Self::Tsv),
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

/// Makes rows of what was mined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinedForm {
    /// What a row holds.
    pub format: MinedFormat,
    /// Whether it has the scores.
    pub scores: bool,
    /// How many negatives a tuple has.
    pub negatives: usize,
    /// How it is written.
    pub written: Written,
}

impl MinedForm {
    /// The names of the columns.
    pub fn columns(&self) -> Vec<String> {
        let mut names: Vec<String> = match self.format {
            MinedFormat::Triplet => ["anchor", "positive", "negative"].map(str::to_owned).into(),
            MinedFormat::Tuple => {
                let negatives = (1..=self.negatives).map(|n| format!("negative_{n}"));
                let two = ["anchor", "positive"].map(str::to_owned);
                two.into_iter().chain(negatives).collect()
            }
            MinedFormat::LabeledPair => ["query", "document"].map(str::to_owned).into(),
            MinedFormat::LabeledList => ["query", "docs"].map(str::to_owned).into(),
        };
        let last = match (self.format, self.scores) {
            (MinedFormat::Triplet | MinedFormat::Tuple, false) => None,
            (MinedFormat::LabeledPair, true) => Some("score"),
            (MinedFormat::LabeledPair, false) => Some("label"),
            (MinedFormat::LabeledList, false) => Some("labels"),
            (_, true) => Some("scores"),
        };
        names.extend(last.map(str::to_owned));
        names
    }

    /// The first line of a file, where it has one.
    pub fn header(&self) -> Option<String> {
        match self.written {
            Written::Tsv => Some(self.columns().join("\t")),
            Written::Csv => Some(self.columns().join(",")),
            Written::Jsonl => None,
        }
    }

    /// The lines of a query.
    ///
    /// # Errors
    /// [`JobError::Settings`] for a text that cells with tabs cannot hold.
    pub fn lines(&self, mined: &Mined<'_>) -> Result<Vec<String>> {
        self.rows(mined)
            .into_iter()
            .map(|row| self.line(row))
            .collect()
    }

    /// The values of the rows of a query, in the order of the columns.
    pub fn rows(&self, mined: &Mined<'_>) -> Vec<Vec<Value>> {
        let Mined {
            query,
            positives,
            negatives,
        } = mined;
        let mut rows: Vec<Vec<Value>> = Vec::new();
        if self.format == MinedFormat::LabeledPair {
            let one = positives.iter().map(|(text, score)| (text, score, 1));
            let all = one.chain(negatives.iter().map(|(text, score)| (text, score, 0)));
            for (text, score, label) in all {
                let last = if self.scores {
                    json!(score)
                } else {
                    json!(label)
                };
                rows.push(vec![json!(query), json!(text), last]);
            }
            return rows;
        }
        for (positive, of_positive) in positives {
            let scores = |all: &[(&str, f64)]| {
                let others = all.iter().map(|(_, score)| *score);
                json!(
                    std::iter::once(*of_positive)
                        .chain(others)
                        .collect::<Vec<f64>>()
                )
            };
            match self.format {
                MinedFormat::Triplet => {
                    for negative in negatives {
                        let mut row = vec![json!(query), json!(positive), json!(negative.0)];
                        row.extend(self.scores.then(|| scores(&[*negative])));
                        rows.push(row);
                    }
                }
                MinedFormat::Tuple if negatives.len() == self.negatives => {
                    let mut row = vec![json!(query), json!(positive)];
                    row.extend(negatives.iter().map(|(text, _)| json!(text)));
                    row.extend(self.scores.then(|| scores(negatives)));
                    rows.push(row);
                }
                MinedFormat::LabeledList if !negatives.is_empty() => {
                    let others = negatives.iter().map(|(text, _)| *text);
                    let documents: Vec<&str> = std::iter::once(*positive).chain(others).collect();
                    let labels = (0..documents.len()).map(|place| i32::from(place == 0));
                    let last = match self.scores {
                        true => scores(negatives),
                        false => json!(labels.collect::<Vec<i32>>()),
                    };
                    rows.push(vec![json!(query), json!(documents), last]);
                }
                _ => {}
            }
        }
        rows
    }

    fn line(&self, row: Vec<Value>) -> Result<String> {
        let cell = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        match self.written {
            Written::Jsonl => {
                let object: Map<String, Value> = self.columns().into_iter().zip(row).collect();
                Ok(Value::Object(object).to_string())
            }
            Written::Csv => {
                let cells = row.into_iter().map(|value| {
                    let cell = cell(value);
                    match cell.contains(['"', ',', '\n', '\r']) || cell.trim() != cell {
                        true => format!("\"{}\"", cell.replace('"', "\"\"")),
                        false => cell,
                    }
                });
                Ok(cells.collect::<Vec<_>>().join(","))
            }
            Written::Tsv => {
                let cells: Vec<String> = row.into_iter().map(cell).collect();
                match cells.iter().find(|cell| cell.contains(['\t', '\n', '\r'])) {
                    None => Ok(cells.join("\t")),
                    Some(cell) => {
                        let start: String = cell.chars().take(60).collect();
                        let message = format!(
                            "the text {start:?} has a tab or a line end, which .tsv cannot hold; write .jsonl or .csv"
                        );
                        Err(JobError::Settings(message).into())
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: MinedFormat, scores: bool, written: Written) -> Vec<String> {
        let form = MinedForm {
            format,
            scores,
            negatives: 2,
            written,
        };
        let mined = Mined {
            query: "q",
            positives: vec![("p", 0.5), ("r", 0.25)],
            negatives: vec![("a, \"b\"", 0.125), ("c", -1.0)],
        };
        let lines = form.header().into_iter();
        lines.chain(form.lines(&mined).unwrap()).collect()
    }

    #[test]
    fn each_format_has_its_rows() {
        use MinedFormat::*;
        assert_eq!(
            lines(Triplet, true, Written::Tsv),
            [
                "anchor\tpositive\tnegative\tscores",
                "q\tp\ta, \"b\"\t[0.5,0.125]",
                "q\tp\tc\t[0.5,-1.0]",
                "q\tr\ta, \"b\"\t[0.25,0.125]",
                "q\tr\tc\t[0.25,-1.0]",
            ]
        );
        assert_eq!(
            lines(Tuple, false, Written::Csv),
            [
                "anchor,positive,negative_1,negative_2",
                "q,p,\"a, \"\"b\"\"\",c",
                "q,r,\"a, \"\"b\"\"\",c",
            ]
        );
        assert_eq!(
            lines(LabeledPair, false, Written::Tsv),
            [
                "query\tdocument\tlabel",
                "q\tp\t1",
                "q\tr\t1",
                "q\ta, \"b\"\t0",
                "q\tc\t0",
            ]
        );
        let first = &lines(LabeledList, false, Written::Jsonl)[0];
        assert_eq!(
            first,
            "{\"query\":\"q\",\"docs\":[\"p\",\"a, \\\"b\\\"\",\"c\"],\"labels\":[1,0,0]}"
        );
    }

    #[test]
    fn what_lacks_negatives_is_no_tuple_and_no_list() {
        let mined = Mined {
            query: "q",
            positives: vec![("p", 0.5)],
            negatives: vec![],
        };
        for (format, rows) in [
            (MinedFormat::Triplet, 0),
            (MinedFormat::Tuple, 0),
            (MinedFormat::LabeledPair, 1),
            (MinedFormat::LabeledList, 0),
        ] {
            let form = MinedForm {
                format,
                scores: false,
                negatives: 1,
                written: Written::Jsonl,
            };
            assert_eq!(form.rows(&mined).len(), rows, "{format:?}");
        }
        let tabs = Mined {
            positives: vec![("a\tb", 0.5)],
            ..mined
        };
        let form = MinedForm {
            format: MinedFormat::LabeledPair,
            scores: false,
            negatives: 1,
            written: Written::Tsv,
        };
        let error = form.lines(&tabs).unwrap_err().to_string();
        assert!(error.contains("write .jsonl or .csv"), "{error}");
    }
}
