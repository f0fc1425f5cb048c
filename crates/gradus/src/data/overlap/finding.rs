//! What a training set shares with test sets, in numbers and words.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::Likeness;
use crate::util::text_table::TextTable;

/// How much of a kind is shared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// Pairs or sentences of the test set that are in the training set.
    pub test: usize,
    /// Their share, 0 to 1.
    pub test_share: f64,
    /// Training rows that have any of them.
    pub train: usize,
    /// Their share of all training rows, 0 to 1.
    pub train_share: f64,
}

/// What is shared, each kind with those before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Shared {
    /// The same characters.
    pub exact: Count,
    /// The same words.
    pub normalised: Count,
    /// Most trigrams; absent where they were not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<Count>,
}

impl Shared {
    /// All that is shared.
    pub fn widest(&self) -> Count {
        self.near.unwrap_or(self.normalised)
    }
}

/// What is shared with one test set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetFinding {
    /// Its name.
    pub name: String,
    /// Its pairs.
    pub pairs: usize,
    /// Its different sentences.
    pub sentences: usize,
    /// Pairs that are training pairs, in either order.
    pub shared_pairs: Shared,
    /// Sentences that training rows have.
    pub shared_sentences: Shared,
}

/// A training row and the test pair or sentence that it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The test set.
    pub set: String,
    /// How alike they are.
    pub likeness: Likeness,
    /// The Jaccard index of their trigrams; of a pair the lower one.
    pub similarity: f64,
    /// Where the training row stands: `FILE:LINE`.
    pub at: String,
    /// The training row's sentences.
    pub train: Vec<String>,
    /// Two sentences of the test set for a pair, one for a sentence.
    pub test: Vec<String>,
}

/// What a training set shares with test sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The training set.
    pub train: String,
    /// Its rows.
    pub rows: usize,
    /// Whether the rows are single sentences, which cannot be pairs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sentences_only: bool,
    /// The least Jaccard index of near texts; absent where they were not
    /// compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<f64>,
    /// Set by set.
    pub tests: Vec<SetFinding>,
    /// All sets together; a training row that several share counts once.
    pub all: SetFinding,
    /// Examples, where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

impl Finding {
    /// The sets that share pairs with the training set, in few words:
    /// `STS12 (1180 of 3108 pairs)`. Empty where there are none.
    pub fn shared_sets(&self) -> Vec<String> {
        let tests = self.tests.iter();
        let with = tests.filter(|set| set.shared_pairs.widest().test > 0);
        with.map(|set| {
            let shared = set.shared_pairs.widest().test;
            format!("{} ({shared} of {} pairs)", set.name, set.pairs)
        })
        .collect()
    }

    /// Tables for people.
    pub fn text(&self) -> String {
        let mut out = format!("training set: {}, {} rows\n", self.train, self.rows);
        if let Some(near) = self.near {
            let _ = writeln!(
                out,
                "near: at least {near} of the letter trigrams (Jaccard); columns are cumulative: what is found exactly is also found by words and near"
            );
        }
        for (title, of) in [
            ("test pairs in the training set", Of::Pairs),
            ("test sentences in the training set", Of::Sentences),
        ] {
            if of == Of::Pairs && self.sentences_only {
                continue;
            }
            let _ = write!(out, "\n{title}\n{}", self.table(of).aligned());
        }
        for example in &self.examples {
            let _ = write!(
                out,
                "\n{}, {} ({:.2})\n",
                example.set,
                example.likeness.name(),
                example.similarity
            );
            let _ = writeln!(out, "  {}: {}", example.at, example.train.join(" | "));
            let _ = writeln!(out, "  test: {}", example.test.join(" | "));
        }
        out
    }

    /// One line a test set and one for all.
    fn table(&self, of: Of) -> TextTable {
        let mut head = vec![
            "test set".to_string(),
            match of {
                Of::Pairs => "pairs".into(),
                Of::Sentences => "sentences".into(),
            },
            "exact".into(),
            "same words".into(),
        ];
        if self.near.is_some() {
            head.push("near".into());
        }
        head.extend(["share".into(), "rows: same words".into()]);
        if self.near.is_some() {
            head.push("rows: near".into());
        }
        head.push("share".into());
        let mut table = vec![head];
        for set in self.tests.iter().chain([&self.all]) {
            let (size, shared) = match of {
                Of::Pairs => (set.pairs, &set.shared_pairs),
                Of::Sentences => (set.sentences, &set.shared_sentences),
            };
            let mut row = vec![set.name.clone(), size.to_string()];
            row.push(shared.exact.test.to_string());
            row.push(shared.normalised.test.to_string());
            row.extend(shared.near.map(|near| near.test.to_string()));
            row.push(percent(shared.widest().test_share));
            row.push(shared.normalised.train.to_string());
            row.extend(shared.near.map(|near| near.train.to_string()));
            row.push(percent(shared.widest().train_share));
            table.push(row);
        }
        TextTable(table)
    }
}

/// What a table is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Pairs,
    Sentences,
}

impl Likeness {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Likeness::Exact => "exact",
            Likeness::Normalised => "same words",
            Likeness::Near => "near",
        }
    }
}

/// A share for people.
fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
