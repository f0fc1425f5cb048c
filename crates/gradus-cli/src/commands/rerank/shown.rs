//! The forms of a ranking.

use super::Format;
use crate::answer_format::on_one_line;
use crate::exit::Failure;
use crate::output::Output;
use gradus::calibration::RawScore;
use gradus::jobs::rerank::{Item, Reranker};
use gradus::models::RankedDocument;
use serde::Serialize;

/// The columns of the tab-separated form.
pub const COLUMNS: [&str; 5] = ["query", "rank", "score", "document", "text"];

/// A document's place, as JSON.
#[derive(Serialize)]
struct Line<'a> {
    query_id: &'a str,
    query: &'a str,
    rank: usize,
    score: f64,
    index: usize,
    id: &'a str,
    text: &'a str,
}

/// Writes rankings in one of the forms.
pub struct Shown<'a> {
    format: Format,
    ranker: &'a Reranker,
    /// Whether queries are told apart.
    several: bool,
    written: bool,
    output: Output,
}

impl<'a> Shown<'a> {
    /// Nothing is written yet.
    pub fn new(format: Format, ranker: &'a Reranker, queries: usize, output: Output) -> Self {
        Self {
            format,
            ranker,
            several: queries > 1,
            written: false,
            output,
        }
    }

    /// Writes a query's documents, and hands them on.
    pub fn write(&mut self, query: &Item, ranked: &[RankedDocument]) -> Result<(), Failure> {
        if self.format == Format::Text {
            if self.several {
                let gap = if self.written { "\n" } else { "" };
                let title = format!("{gap}{}: {}", query.id, on_one_line(&query.text));
                self.output.line(&title)?;
            } else {
                let name = match self.ranker.model().raw_score() {
                    RawScore::Cosine => "cosine",
                    _ => "score",
                };
                self.output.line(&format!("rank {name:>8}"))?;
            }
        }
        self.written = true;
        for (rank, place) in (1..).zip(ranked) {
            let document = &self.ranker.documents()[place.index];
            let (score, text) = (place.score, &document.text);
            match self.format {
                Format::Json => self.output.json_line(&Line {
                    query_id: &query.id,
                    query: &query.text,
                    rank,
                    score,
                    index: place.index,
                    id: &document.id,
                    text,
                })?,
                Format::Tsv => {
                    let (query, id) = (on_one_line(&query.id), on_one_line(&document.id));
                    let text = on_one_line(text);
                    let line = format!("{query}\t{rank}\t{score}\t{id}\t{text}");
                    self.output.line(&line)?;
                }
                Format::Text => {
                    let text = on_one_line(text);
                    let line = format!("{rank:4} {score:8.4}  [{}] {text}", document.id);
                    self.output.line(&line)?;
                }
                Format::Trec => {
                    let (query, id) = (&query.id, &document.id);
                    let line = format!("{query} Q0 {id} {rank} {score} gradus");
                    self.output.line(&line)?;
                }
            }
        }
        self.output.flush()
    }

    /// Ends the output.
    pub fn finish(self) -> Result<(), Failure> {
        self.output.finish()
    }
}

/// Refuses ids that a TREC run cannot hold.
pub fn check_ids(items: &[Item], what: &str) -> Result<(), Failure> {
    let unfit = |item: &&Item| item.id.is_empty() || item.id.contains(char::is_whitespace);
    match items.iter().find(unfit) {
        None => Ok(()),
        Some(item) => Err(Failure::Usage(format!(
            "the {what} id {:?} is empty or holds a space, which --format trec cannot write; \
             take another column of ids, or --format tsv",
            item.id
        ))),
    }
}
