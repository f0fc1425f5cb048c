//! What the hub has of the known data sets: where, in which files, how much of
//! it, and under which licence. `docs/data.md` shows the same as a table.

use super::{Known, Split};

/// What a row of a set on the hub holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HubRows {
    /// Two texts and a score on this scale.
    Scores(f64, f64),
    /// Two texts and a class: 0 or `entailment`, 1 or `neutral`, 2 or
    /// `contradiction`; other rows have no class.
    Classes,
    /// A text, one that it entails and one that contradicts it.
    Triplets,
    /// A text.
    Lines,
}

/// A split of a set on the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubSplit {
    /// The split.
    pub split: Split,
    /// The names that its files may have in the repository, the first as it is
    /// now.
    pub names: &'static [&'static str],
    /// The file that `gradus pull` writes, in the set's folder.
    pub file: &'static str,
    /// How many pairs, triplets or texts it holds.
    pub rows: usize,
    /// How many of a split of classes are entailment, neutral and contradiction.
    pub classes: Option<[usize; 3]>,
}

/// A known data set as the hub has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HubSet {
    /// The data set.
    pub known: Known,
    /// The hub's name for it. The files are put into the folder of this name
    /// under the data root.
    pub repository: &'static str,
    /// The folder of the repository that holds the form wanted, where it has
    /// several.
    pub config: Option<&'static str>,
    /// The files it has now, for people.
    pub files: &'static str,
    /// What its rows are.
    pub rows: HubRows,
    /// Its splits.
    pub splits: &'static [HubSplit],
    /// Under which terms its authors give it.
    pub licence: &'static str,
}

const fn split(
    split: Split,
    names: &'static [&'static str],
    file: &'static str,
    rows: usize,
) -> HubSplit {
    HubSplit {
        split,
        names,
        file,
        rows,
        classes: None,
    }
}

const TRAIN: &[&str] = &["train"];
const DEV: &[&str] = &["validation", "dev", "trial"];
const TEST: &[&str] = &["test"];

const fn train(rows: usize) -> HubSplit {
    split(Split::Train, TRAIN, "train.jsonl", rows)
}

const fn dev(rows: usize) -> HubSplit {
    split(Split::Dev, DEV, "validation.jsonl", rows)
}

const fn test(rows: usize) -> HubSplit {
    split(Split::Test, TEST, "test.jsonl", rows)
}

const fn of_classes(split: HubSplit, classes: [usize; 3]) -> HubSplit {
    HubSplit {
        classes: Some(classes),
        ..split
    }
}

const SEMEVAL: &str = "each subset's own";
const NLI: &str = "of SNLI and MultiNLI";
const SIMCSE: &str = "princeton-nlp/datasets-for-simcse";

const fn sts(
    known: Known,
    repository: &'static str,
    files: &'static str,
    splits: &'static [HubSplit],
) -> HubSet {
    HubSet {
        known,
        repository,
        config: None,
        files,
        rows: HubRows::Scores(0.0, 5.0),
        splits,
        licence: SEMEVAL,
    }
}

const ONE_FILE: &str = "`test.jsonl.gz`";

/// Every set that can be fetched, in the order of the table.
const SETS: [HubSet; 12] = [
    sts(
        Known::Sts12,
        "mteb/sts12-sts",
        "`train.jsonl.gz`, `test.jsonl.gz`",
        &[train(2234), test(3108)],
    ),
    sts(Known::Sts13, "mteb/sts13-sts", ONE_FILE, &[test(1500)]),
    sts(Known::Sts14, "mteb/sts14-sts", ONE_FILE, &[test(3750)]),
    sts(Known::Sts15, "mteb/sts15-sts", ONE_FILE, &[test(3000)]),
    sts(Known::Sts16, "mteb/sts16-sts", ONE_FILE, &[test(1186)]),
    HubSet {
        licence: "scores CC BY-SA 4.0, texts each subset's own",
        ..sts(
            Known::StsB,
            "mteb/stsbenchmark-sts",
            "`train.jsonl.gz`, `validation.jsonl.gz`, `test.jsonl.gz`",
            &[train(5749), dev(1500), test(1379)],
        )
    },
    HubSet {
        rows: HubRows::Scores(1.0, 5.0),
        licence: "CC BY-NC-SA 3.0",
        ..sts(
            Known::SickR,
            "mteb/sickr-sts",
            "`test.jsonl.gz`: all 9,927 pairs",
            &[train(4500), dev(500), test(4927)],
        )
    },
    HubSet {
        known: Known::AllNli,
        repository: "sentence-transformers/all-nli",
        config: Some("pair-class"),
        files: "`pair-class/{train,dev,test}-00000-of-00001.parquet`",
        rows: HubRows::Classes,
        splits: &[
            of_classes(train(942_069), [314_315, 313_664, 314_090]),
            dev(19_657),
            test(19_656),
        ],
        licence: NLI,
    },
    HubSet {
        known: Known::Snli,
        repository: "stanfordnlp/snli",
        config: None,
        files: "`plain_text/{train,validation,test}-00000-of-00001.parquet`",
        rows: HubRows::Classes,
        splits: &[
            of_classes(train(549_367), [183_416, 182_764, 183_187]),
            of_classes(dev(9842), [3329, 3235, 3278]),
            of_classes(test(9824), [3368, 3219, 3237]),
        ],
        licence: "CC BY-SA 4.0",
    },
    HubSet {
        known: Known::MultiNli,
        repository: "nyu-mll/multi_nli",
        config: None,
        files: "`data/{train,validation_matched}-00000-of-00001.parquet`",
        rows: HubRows::Classes,
        splits: &[
            of_classes(train(392_702), [130_899, 130_900, 130_903]),
            of_classes(
                split(
                    Split::Dev,
                    &["validation_matched", "dev_matched"],
                    "validation.jsonl",
                    9815,
                ),
                [3479, 3123, 3213],
            ),
        ],
        licence: "by genre: OANC, CC BY 3.0, CC BY-SA 3.0",
    },
    HubSet {
        known: Known::NliTriplets,
        repository: SIMCSE,
        config: None,
        files: "`nli_for_simcse.csv`",
        rows: HubRows::Triplets,
        splits: &[split(
            Split::Train,
            &["nli_for_simcse"],
            "nli_for_simcse.csv",
            275_601,
        )],
        licence: NLI,
    },
    HubSet {
        known: Known::Wiki1m,
        repository: SIMCSE,
        config: None,
        files: "`wiki1m_for_simcse.txt`",
        rows: HubRows::Lines,
        splits: &[split(
            Split::Train,
            &["wiki1m_for_simcse"],
            "wiki1m_for_simcse.txt",
            1_000_000,
        )],
        licence: "Wikipedia's, CC BY-SA",
    },
];

/// Names that fetch more than one set, or a set of another name.
const ALIASES: [(&str, &[Known]); 3] = [
    ("sts", &Known::SUITE),
    ("nli", &[Known::AllNli]),
    ("wiki", &[Known::Wiki1m]),
];

impl HubSet {
    /// All of them.
    pub fn all() -> &'static [HubSet] {
        &SETS
    }

    /// The sets that `name` stands for in `gradus pull`: a data set's name, one
    /// of the names for several, or the hub's own name of a repository. Empty
    /// for any other.
    pub fn named(name: &str) -> Vec<&'static HubSet> {
        let lower = name.to_lowercase();
        let lower = lower.strip_prefix("datasets/").unwrap_or(&lower);
        if let Some((_, sets)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
            return sets.iter().filter_map(|known| known.on_hub()).collect();
        }
        let of_repository = |set: &&HubSet| set.repository.eq_ignore_ascii_case(lower);
        let sets: Vec<_> = SETS.iter().filter(of_repository).collect();
        match sets.is_empty() {
            true => Known::parse(lower)
                .ok()
                .and_then(Known::on_hub)
                .into_iter()
                .collect(),
            false => sets,
        }
    }

    /// Every name that [`HubSet::named`] knows, without the repositories'.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let aliases = ALIASES.iter().map(|(alias, _)| *alias);
        aliases.chain(SETS.iter().map(|set| set.known.name()))
    }

    /// The split's entry.
    pub fn split(&self, split: Split) -> Option<&'static HubSplit> {
        self.splits.iter().find(|entry| entry.split == split)
    }
}

impl Known {
    /// What the hub has of it; `None` for sets that only exist in a data folder.
    pub fn on_hub(self) -> Option<&'static HubSet> {
        SETS.iter().find(|set| set.known == self)
    }

    /// The shortest name that fetches it.
    pub(super) fn pull_name(self) -> &'static str {
        let alias = ALIASES.iter().find(|(_, sets)| **sets == [self]);
        alias.map_or(self.name(), |(alias, _)| alias)
    }

    /// The set that stands in for this one where the data root lacks it.
    pub(super) fn stand_in(self) -> Option<Known> {
        match self {
            Known::Nli => Some(Known::AllNli),
            Known::Wiki => Some(Known::Wiki1m),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1234567 as 1,234,567.
    fn grouped(number: usize) -> String {
        let digits = number.to_string();
        let mut out = String::new();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        out
    }

    fn table() -> String {
        let mut out = String::from(
            "| name | on the hub | files there | rows of each split | licence |\n\
             |---|---|---|---|---|\n",
        );
        for set in HubSet::all() {
            let rows: Vec<_> = set
                .splits
                .iter()
                .map(|s| format!("{} {}", s.split.name(), grouped(s.rows)))
                .collect();
            out += &format!(
                "| `{}` | `{}` | {} | {} | {} |\n",
                set.known.name(),
                set.repository,
                set.files,
                rows.join(", "),
                set.licence
            );
        }
        out
    }

    #[test]
    fn the_documentation_has_the_same_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/data.md");
        let page = std::fs::read_to_string(path).unwrap();
        let table = table();
        assert!(page.contains(&table), "docs/data.md should have\n{table}");
        for (alias, sets) in ALIASES {
            assert!(page.contains(&format!("`gradus pull {alias}`")), "{alias}");
            assert!(!sets.is_empty());
        }
    }

    #[test]
    fn counts_agree_with_each_other() {
        for set in HubSet::all() {
            for split in set.splits {
                if let Some(classes) = split.classes {
                    let sum: usize = classes.iter().sum();
                    assert_eq!(sum, split.rows, "{:?} {:?}", set.known, split.split);
                }
                assert!(set.known.splits().contains(&split.split));
            }
            let test = set.split(Split::Test).map(|s| s.rows);
            if Known::SUITE.contains(&set.known) {
                assert_eq!(test, set.known.test_pairs(), "{:?}", set.known);
            }
        }
        let all = Known::AllNli.on_hub().unwrap().splits[0].classes.unwrap();
        let [snli, multi] = [Known::Snli, Known::MultiNli]
            .map(|known| known.on_hub().unwrap().splits[0].classes.unwrap());
        for class in 0..3 {
            assert_eq!(all[class], snli[class] + multi[class]);
        }
    }

    #[test]
    fn names_stand_for_sets() {
        let known = |name: &str| -> Vec<Known> {
            HubSet::named(name).iter().map(|set| set.known).collect()
        };
        assert_eq!(known("sts"), Known::SUITE);
        assert_eq!(known("nli"), [Known::AllNli]);
        assert_eq!(known("mteb/sickr-sts"), [Known::SickR]);
        assert_eq!(known("datasets/MTEB/sickr-sts"), [Known::SickR]);
        assert_eq!(known(SIMCSE), [Known::NliTriplets, Known::Wiki1m]);
        assert_eq!(known("STS-12"), [Known::Sts12]);
        assert!(known("all-MiniLM-L6-v2").is_empty());
        for name in HubSet::names() {
            assert!(!known(name).is_empty(), "{name}");
        }
    }
}
