//! Rows of pairs, and what a model answers to each.

use super::{PairScore, Scorer};
use crate::data::{DataError, LabelMap, Lines, PairFile, PairRows, Remedy, Step};
use crate::jobs::JobError;
use crate::jobs::chunks::Chunks;
use crate::util::{Observer, check_cancelled};
use crate::{Error, Result};
use std::io::Read;

const WHAT: &str = "scoring pairs";

/// Pairs in the order of their file or stream, read ahead by a thread of its own.
pub struct PairReader(Chunks<Step>);

impl PairReader {
    /// Opens a file. One without any pair has no rows.
    ///
    /// # Errors
    /// Those of [`PairFile::rows`]; [`DataError::UnclearColumns`] where a row holds
    /// three texts.
    pub fn open(file: &PairFile) -> Result<Self> {
        let rows = match file.rows(&LabelMap::default()) {
            Err(Error::Data(DataError::Empty { .. })) => None,
            rows => Some(rows.and_then(pairs_alone).map_err(JobError::input)?),
        };
        let open = move || Ok(rows.into_iter().flat_map(steps));
        Ok(Self(Chunks::read_file(&file.path, open)))
    }

    /// Reads a stream as `file` says; what is wrong with its first rows shows when
    /// they are read.
    pub fn stream(file: PairFile, stream: impl Read + Send + 'static) -> Self {
        let open = move || {
            let lines = Lines::new(stream, &file.path)?;
            let rows = file.rows_from(lines, &LabelMap::default())?;
            Ok(steps(pairs_alone(rows)?))
        };
        Self(Chunks::stream(open))
    }
}

fn steps(mut rows: PairRows) -> impl Iterator<Item = Result<Step>> {
    std::iter::from_fn(move || rows.next_step())
}

/// Refuses triplets, of which a row would get two answers.
fn pairs_alone(rows: PairRows) -> Result<PairRows> {
    if !rows.has_triplets() {
        return Ok(rows);
    }
    let unclear = DataError::UnclearColumns {
        path: rows.place(0).path,
        role: "sentence pair",
        reason: "each row holds three texts".into(),
        remedies: vec![Remedy::Columns],
    };
    Err(unclear.into())
}

/// What a row is answered by.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Nothing: the row holds the columns' names.
    Header,
    /// A blank, so that answers stay in step with lines.
    Blank,
    /// A score.
    Pair {
        /// The first text.
        first: String,
        /// The second text.
        second: String,
        /// How alike they are.
        score: PairScore,
    },
}

/// The answers to rows, in their order.
pub struct Answers<'a> {
    scorer: &'a Scorer,
    rows: PairReader,
    /// Rows that were read and not answered yet.
    ahead: Vec<Step>,
    done: u64,
}

impl<'a> Answers<'a> {
    /// Nothing is answered yet.
    pub fn new(scorer: &'a Scorer, rows: PairReader) -> Self {
        Self {
            scorer,
            rows,
            ahead: vec![],
            done: 0,
        }
    }

    /// The answers to the next rows, of a stream to those that have arrived, never none; `None`
    /// at the end. A header is a chunk of its own. What came before an error is answered first.
    ///
    /// # Errors
    /// Those of the rows, [`Scorer::score`]'s, and [`Error::Stopped`].
    pub fn next_chunk(&mut self, observer: &mut dyn Observer) -> Result<Option<Vec<Answer>>> {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, self.done, 0);
        let mut rows = std::mem::take(&mut self.ahead);
        if rows.is_empty() {
            match self.rows.0.next_chunk(self.scorer.at_a_time())? {
                Some(read) => rows = read,
                None => return Ok(None),
            }
        }
        if rows.first() == Some(&Step::Header) {
            self.ahead = rows.split_off(1);
            return Ok(Some(vec![Answer::Header]));
        }
        let pairs: Vec<(&str, &str)> = rows.iter().filter_map(pair).collect();
        let scores = self.scorer.score(&pairs)?;
        self.done += pairs.len() as u64;
        observer.progress(WHAT, self.done, 0);
        let mut scores = scores.into_iter();
        let answer = |row| match row {
            Step::Header => Some(Answer::Header),
            Step::Blank => Some(Answer::Blank),
            Step::Pair(pair) => scores.next().map(|score| Answer::Pair {
                first: pair.first,
                second: pair.second,
                score,
            }),
        };
        Ok(Some(rows.into_iter().filter_map(answer).collect()))
    }
}

fn pair(row: &Step) -> Option<(&str, &str)> {
    match row {
        Step::Pair(pair) => Some((&pair.first, &pair.second)),
        Step::Header | Step::Blank => None,
    }
}
