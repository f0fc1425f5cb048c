//! The public data sets that are known by name.

use serde::{Deserialize, Serialize};

use super::error::nearest;
use super::{DataError, LabelMap};
use crate::Result;

/// A data set known by name.
///
/// Two layouts are understood under a [`DataRoot`](super::DataRoot): the files as released
/// (`sts/STS12/MSRpar.tsv`, `stsb/sts-dev.csv`, `sick/SICK_train.txt`,
/// `nli/nli_all.tsv`, `wiki/sentences.txt`), and what `gradus pull` writes of the
/// hub's copies (see [`HubSet`](super::HubSet)). The first is taken where both
/// are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Known {
    /// SemEval 2012, task on semantic textual similarity: the test set, five subsets.
    Sts12,
    /// SemEval 2013, task on semantic textual similarity: without SMT.
    Sts13,
    /// SemEval 2014, task on semantic textual similarity: six subsets.
    Sts14,
    /// SemEval 2015, task on semantic textual similarity: five subsets.
    Sts15,
    /// SemEval 2016, task on semantic textual similarity: five subsets.
    Sts16,
    /// The STS Benchmark.
    StsB,
    /// SICK's relatedness scores, 1 to 5.
    SickR,
    /// Natural language inference, as classes; as triplets too. Where the data
    /// root has no `nli/nli_all.tsv`, the training split of [`Known::AllNli`],
    /// and [`Known::NliTriplets`].
    Nli,
    /// Sentences of Wikipedia, one a line: texts, no pairs. Where the data root
    /// has no `wiki/sentences.txt`, [`Known::Wiki1m`].
    Wiki,
    /// SNLI and MultiNLI together, as sentence-transformers publishes them.
    AllNli,
    /// SNLI, without the pairs on which annotators did not agree.
    Snli,
    /// MultiNLI; its dev split is the matched one.
    MultiNli,
    /// SimCSE's triplets of SNLI and MultiNLI.
    NliTriplets,
    /// SimCSE's million sentences of Wikipedia: texts, no pairs.
    Wiki1m,
}

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// For training.
    Train,
    /// For choosing checkpoints. SICK calls it `trial`, the hub `validation`.
    #[serde(alias = "trial", alias = "validation")]
    Dev,
    /// For reporting.
    Test,
}

/// Which text of STS12-16 is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextVariant {
    /// As released.
    #[default]
    Original,
    /// Lower-cased and PTB-tokenised by the SentEval toolkit, as most
    /// published tables read it. Kept for STS12-16 only.
    SentEval,
}

impl Split {
    /// As recipes write it.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Dev => "dev",
            Split::Test => "test",
        }
    }

    /// By the name that recipes or a data set give it.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "train" => Some(Split::Train),
            "dev" | "trial" | "validation" => Some(Split::Dev),
            "test" => Some(Split::Test),
            _ => None,
        }
    }
}

impl TextVariant {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            TextVariant::Original => "original",
            TextVariant::SentEval => "senteval",
        }
    }
}

impl Known {
    /// All of them.
    pub const ALL: [Known; 14] = [
        Known::Sts12,
        Known::Sts13,
        Known::Sts14,
        Known::Sts15,
        Known::Sts16,
        Known::StsB,
        Known::SickR,
        Known::Nli,
        Known::Wiki,
        Known::AllNli,
        Known::Snli,
        Known::MultiNli,
        Known::NliTriplets,
        Known::Wiki1m,
    ];

    /// The seven whose test splits make the published tables, in their order.
    pub const SUITE: [Known; 7] = [
        Known::Sts12,
        Known::Sts13,
        Known::Sts14,
        Known::Sts15,
        Known::Sts16,
        Known::StsB,
        Known::SickR,
    ];

    /// As recipes write it.
    pub fn name(self) -> &'static str {
        match self {
            Known::Sts12 => "sts12",
            Known::Sts13 => "sts13",
            Known::Sts14 => "sts14",
            Known::Sts15 => "sts15",
            Known::Sts16 => "sts16",
            Known::StsB => "stsb",
            Known::SickR => "sickr",
            Known::Nli => "nli",
            Known::Wiki => "wiki",
            Known::AllNli => "allnli",
            Known::Snli => "snli",
            Known::MultiNli => "multinli",
            Known::NliTriplets => "nli-triplets",
            Known::Wiki1m => "wiki1m",
        }
    }

    /// As tables head their columns.
    pub fn title(self) -> &'static str {
        match self {
            Known::Sts12 => "STS12",
            Known::Sts13 => "STS13",
            Known::Sts14 => "STS14",
            Known::Sts15 => "STS15",
            Known::Sts16 => "STS16",
            Known::StsB => "STS-B",
            Known::SickR => "SICK-R",
            Known::Nli => "NLI",
            Known::Wiki => "Wiki",
            Known::AllNli => "AllNLI",
            Known::Snli => "SNLI",
            Known::MultiNli => "MultiNLI",
            Known::NliTriplets => "NLI triplets",
            Known::Wiki1m => "Wiki 1M",
        }
    }

    /// By name, without regard to case, `-` and `_`.
    ///
    /// # Errors
    /// [`DataError::UnknownDataset`].
    pub fn parse(name: &str) -> Result<Self> {
        let bare = name.to_lowercase().replace(['-', '_'], "");
        let bare = match bare.as_str() {
            "stsbenchmark" => "stsb",
            "sick" => "sickr",
            "mnli" => "multinli",
            "nlitriplets" => "nli-triplets",
            other => other,
        };
        let found = Self::ALL.into_iter().find(|known| known.name() == bare);
        found.ok_or_else(|| {
            let error = DataError::UnknownDataset {
                name: name.to_string(),
                suggestion: nearest(bare, Self::ALL.map(Self::name)),
                known: Self::ALL.map(|known| known.name().to_string()).to_vec(),
            };
            error.into()
        })
    }

    /// The splits it has.
    pub fn splits(self) -> &'static [Split] {
        match self {
            Known::StsB | Known::SickR | Known::AllNli | Known::Snli => {
                &[Split::Train, Split::Dev, Split::Test]
            }
            Known::Nli | Known::Wiki | Known::NliTriplets | Known::Wiki1m => &[Split::Train],
            Known::MultiNli => &[Split::Train, Split::Dev],
            Known::Sts12 => &[Split::Train, Split::Test],
            _ => &[Split::Test],
        }
    }

    /// `split` if it exists. If `None` the only split, and of the yearly STS tasks
    /// the test split, whether or not that year had a training set.
    ///
    /// # Errors
    /// [`DataError::NoSuchSplit`].
    pub fn split(self, split: Option<Split>) -> Result<Split> {
        match (split, self.splits()) {
            (None, [only]) => Ok(*only),
            (None, _) if self == Known::Sts12 => Ok(Split::Test),
            (Some(split), splits) if splits.contains(&split) => Ok(split),
            (split, splits) => Err(DataError::NoSuchSplit {
                dataset: self.name(),
                split: split.map(Split::name).unwrap_or_default().to_string(),
                known: splits.iter().map(|s| s.name()).collect(),
            }
            .into()),
        }
    }

    /// Whether it holds pairs with grades or classes; else texts alone.
    pub fn has_pairs(self) -> bool {
        !matches!(self, Known::Wiki | Known::Wiki1m)
    }

    /// How its labels are read unless a recipe says otherwise: scores on their
    /// own scale (SICK 1-5, the others 0-5), inference classes as
    /// [`LabelMap::nli`].
    pub fn labels(self) -> LabelMap {
        match self {
            Known::Nli | Known::AllNli | Known::Snli | Known::MultiNli | Known::NliTriplets => {
                LabelMap::nli()
            }
            Known::SickR => LabelMap::scale(1.0, 5.0),
            _ => LabelMap::scale(0.0, 5.0),
        }
    }

    /// How many pairs the released test split has; `None` without one.
    pub fn test_pairs(self) -> Option<usize> {
        match self {
            Known::Sts12 => Some(3108),
            Known::Sts13 => Some(1500),
            Known::Sts14 => Some(3750),
            Known::Sts15 => Some(3000),
            Known::Sts16 => Some(1186),
            Known::StsB => Some(1379),
            Known::SickR => Some(4927),
            _ => None,
        }
    }

    /// The subsets that STS12-16 are released in; none for the others.
    pub fn subsets(self) -> &'static [&'static str] {
        match self {
            Known::Sts12 => &[
                "MSRpar",
                "MSRvid",
                "SMTeuroparl",
                "surprise.OnWN",
                "surprise.SMTnews",
            ],
            // SMT is left out everywhere: its licence does not let it be shared.
            Known::Sts13 => &["FNWN", "headlines", "OnWN"],
            Known::Sts14 => &[
                "deft-forum",
                "deft-news",
                "headlines",
                "images",
                "OnWN",
                "tweet-news",
            ],
            Known::Sts15 => &[
                "answers-forums",
                "answers-students",
                "belief",
                "headlines",
                "images",
            ],
            Known::Sts16 => &[
                "answer-answer",
                "headlines",
                "plagiarism",
                "postediting",
                "question-question",
            ],
            _ => &[],
        }
    }
}
