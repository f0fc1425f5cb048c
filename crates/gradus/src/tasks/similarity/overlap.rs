//! What a run's training data shares with the sets that it is evaluated on.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::overlap::{
    Finding, HeldOut, Matching, PairIndex, SetFinding, Shared, Tally, TestSet,
};
use crate::data::{DataError, DataRoot, GradedPair, Known, Source, Split};
use crate::format::SetOverlap;
use crate::util::atomic::write_bytes;
use crate::{Error, Result};

/// What a run's training data shares with the seven test sets, as far as they
/// are in the data folder, and with the recipe's dev set. Texts are compared by
/// their characters and by their words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunOverlap {
    /// Whether the recipe leaves out all pairs of these sets.
    pub excluded: bool,
    /// Test sets that are not in the data folder, or cannot be read there.
    pub not_compared: Vec<String>,
    /// The training data of all stages.
    pub run: Finding,
    /// Each stage's sources, named `STAGE: SOURCE`.
    pub sources: Vec<Finding>,
}

impl RunOverlap {
    pub(crate) const FILE: &str = "overlap.json";

    /// What the run in the folder `root` found; `None` where it left nothing of
    /// use.
    pub fn read(root: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(root.join(Self::FILE)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes it into the folder of a run.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn write(&self, root: &Path) -> Result<()> {
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::Internal(format!("overlap: {e}")))?;
        json.push(b'\n');
        write_bytes(&root.join(Self::FILE), &json)
    }

    /// The finding in words.
    pub fn describe(&self) -> String {
        let unknown = match &self.not_compared[..] {
            [] => String::new(),
            sets => format!("; not in the data folder: {}", sets.join(", ")),
        };
        let shared = self.run.shared_sets();
        if !shared.is_empty() {
            let sets = shared.join(", ");
            return format!(
                "the training data holds pairs of {sets}: scores on these sets are inflated{unknown}"
            );
        }
        let tests = self.run.tests.iter();
        let compared: Vec<&str> = tests.map(|set| set.name.as_str()).collect();
        if compared.is_empty() {
            return "not known: no test set is in the data folder".into();
        }
        let all = &self.run.all;
        let sentences = match (all.shared_sentences.widest().test, all.sentences) {
            (0, _) => "nor any single sentence of them".to_owned(),
            (1, all) => format!("but 1 of their {all} single sentences"),
            (shared, all) => format!("but {shared} of their {all} single sentences"),
        };
        format!(
            "the training data holds no pair of {}, {sentences}{unknown}",
            compared.join(", ")
        )
    }

    /// The columns of [`RunOverlap::table`].
    pub const COLUMNS: [&str; 7] = [
        "set (original text)",
        "pairs",
        "in training: exact",
        "same words",
        "sentences",
        "in training: exact",
        "same words",
    ];

    /// A row for each set that was compared: its pairs and its sentences, and how
    /// many of them the training data holds.
    pub fn table(&self) -> Vec<[String; 7]> {
        let of = |s: &Shared| [s.exact.test.to_string(), s.normalised.test.to_string()];
        let row = |set: &SetFinding| {
            let ([pairs, pairs_by_words], [sentences, sentences_by_words]) =
                (of(&set.shared_pairs), of(&set.shared_sentences));
            [
                set.name.clone(),
                set.pairs.to_string(),
                pairs,
                pairs_by_words,
                set.sentences.to_string(),
                sentences,
                sentences_by_words,
            ]
        };
        self.run.tests.iter().map(row).collect()
    }

    /// Each set's numbers, for the model's folder.
    pub(crate) fn by_set(&self) -> Vec<SetOverlap> {
        let tests = self.run.tests.iter();
        tests
            .map(|set| SetOverlap {
                set: set.name.clone(),
                pairs: set.pairs,
                shared_pairs: set.shared_pairs.widest().test,
                sentences: set.sentences,
                shared_sentences: set.shared_sentences.widest().test,
            })
            .collect()
    }
}

/// Looks at training data as it is read.
pub(crate) struct Watch {
    /// The pairs that no source may give.
    pub held_out: PairIndex,
    held: HeldOut,
    not_compared: Vec<String>,
    run: Tally,
    sources: Vec<Finding>,
    excluded: bool,
}

impl Watch {
    /// Reads the test sets, whose pairs no source may give with `exclude_overlap`;
    /// `dev` is the recipe's dev set by its name.
    ///
    /// # Errors
    /// With `exclude_overlap` where a test set is missing or cannot be read;
    /// without it such a set is not compared.
    pub fn new(
        exclude_overlap: bool,
        dev: Option<(String, &[GradedPair])>,
        root: &DataRoot,
    ) -> Result<Self> {
        let (mut sets, mut not_compared) = (Vec::new(), Vec::new());
        for known in Known::SUITE {
            let source = Source::dataset(known, Split::Test);
            match TestSet::read(&source, Path::new(""), root) {
                Ok(set) => sets.push(set),
                Err(error) if exclude_overlap => return Err(error),
                Err(Error::Data(DataError::MissingDataset { .. })) => {
                    not_compared.push(known.title().to_string());
                }
                Err(error) => not_compared.push(format!("{} ({error})", known.title())),
            }
        }
        if let Some((name, pairs)) = dev {
            let texts = |pair: &GradedPair| (pair.first.clone(), pair.second.clone());
            let pairs = pairs.iter().map(texts).collect();
            sets.push(TestSet { name, pairs });
        }
        let mut held_out = PairIndex::new(Matching::Normalised);
        if exclude_overlap {
            for (first, second) in sets.iter().flat_map(|set| &set.pairs) {
                held_out.insert(first, second);
            }
        }
        let held = HeldOut::new(&sets, None);
        Ok(Self {
            held_out,
            run: Tally::new(&held, 0),
            held,
            not_compared,
            sources: Vec::new(),
            excluded: exclude_overlap,
        })
    }

    /// Looks at the pairs, or texts, that a stage's source gave.
    pub fn see<'a, const N: usize>(
        &mut self,
        stage: &str,
        source: &Source,
        rows: impl Iterator<Item = [&'a str; N]>,
    ) {
        let mut own = Tally::new(&self.held, 0);
        for row in rows {
            let hits = self.held.look_up(row[0], row.get(1).copied());
            own.add(&self.held, &hits, &row, &"");
            self.run.add(&self.held, &hits, &row, &"");
        }
        let name = format!("{stage}: {}", source.describe());
        self.sources.push(own.finding(&self.held, name));
    }

    /// What was found.
    pub fn finish(self) -> RunOverlap {
        RunOverlap {
            excluded: self.excluded,
            not_compared: self.not_compared,
            run: self.run.finding(&self.held, "all stages"),
            sources: self.sources,
        }
    }
}
