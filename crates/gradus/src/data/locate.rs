//! Finding and reading the known data sets.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::published::STSB_WIDTH;
use super::{Column, Columns, DataError, DataRoot, Format, Graded, GradedPair, HubRows};
use super::{Known, LabelMap, PairFile, Quoting, Split, TextVariant};
use crate::Result;

/// How a data set is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetLayout {
    /// As released, with its subsets.
    Released,
    /// As `gradus pull` writes what the hub has: one unnamed subset.
    Hub,
}

/// The files of a data set that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// How it is stored.
    pub layout: SetLayout,
    /// Each subset's name (empty for the only one) and file.
    pub files: Vec<(String, PairFile)>,
}

/// A named part of a task, scored by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Subset {
    /// Its name; empty for the only one.
    pub name: String,
    /// Its pairs.
    pub pairs: Vec<GradedPair>,
}

impl Known {
    /// The files as released, relative to the root; none for what only the hub
    /// has.
    fn released(self, split: Split, text: TextVariant) -> Vec<(String, PairFile)> {
        let tsv = |path: String, columns| {
            let mut file = PairFile::new(path, Format::Tsv);
            file.columns = columns;
            // In all of them quotes are text, and none has a header unless set.
            file.dialect.quoting = Quoting::Off;
            file.header = Some(false);
            file
        };
        match self {
            Known::StsB => {
                let path = format!("stsb/sts-{}.csv", split.name());
                let mut file = tsv(path, Columns::at(5, 6, 4));
                file.width = Some(STSB_WIDTH);
                vec![(String::new(), file)]
            }
            Known::SickR => {
                let name = match split {
                    Split::Train => "train",
                    Split::Dev => "trial",
                    Split::Test => "test_annotated",
                };
                let path = format!("sick/SICK_{name}.txt");
                let mut file = tsv(path, Columns::at(1, 2, 3));
                file.header = Some(true);
                vec![(String::new(), file)]
            }
            Known::Nli => {
                let file = tsv("nli/nli_all.tsv".into(), Columns::at(1, 2, 0));
                vec![(String::new(), file)]
            }
            Known::Wiki => {
                let file = tsv("wiki/sentences.txt".into(), Columns::default());
                vec![(String::new(), file)]
            }
            _ if split != Split::Test => Vec::new(),
            _ => {
                let folder = match text {
                    TextVariant::Original => "sts",
                    TextVariant::SentEval => "sts-senteval",
                };
                let subset = |name: &&str| {
                    let path = format!("{folder}/{}/{name}.tsv", self.title());
                    (name.to_string(), tsv(path, Columns::at(1, 2, 0)))
                };
                self.subsets().iter().map(subset).collect()
            }
        }
    }

    /// What a pull writes for the split, relative to the root, and the names
    /// that others may have given the file.
    fn pulled(self, split: Split) -> Vec<PairFile> {
        let Some(set) = self.on_hub() else {
            return self
                .stand_in()
                .map_or_else(Vec::new, |other| other.pulled(split));
        };
        let Some(entry) = set.split(split) else {
            return Vec::new();
        };
        let folder = Path::new(set.repository);
        let column = |name: &str| Some(Column::Name(name.into()));
        let of_pairs = |file: String, label: &str| {
            let mut file = PairFile::new(folder.join(file), Format::Jsonl);
            file.columns.first = column("sentence1");
            file.columns.second = column("sentence2");
            file.columns.label = column(label);
            file
        };
        match set.rows {
            HubRows::Scores(..) => {
                let names = std::iter::once(entry.file.trim_end_matches(".jsonl"));
                let names = names.chain(entry.names.iter().copied());
                names
                    .flat_map(|name| [format!("{name}.jsonl"), format!("{name}.jsonl.gz")])
                    .map(|file| of_pairs(file, "score"))
                    .collect()
            }
            HubRows::Classes => vec![of_pairs(entry.file.into(), "label")],
            HubRows::Triplets => vec![PairFile::new(folder.join(entry.file), Format::Csv)],
            HubRows::Lines => vec![PairFile::new(folder.join(entry.file), Format::Tsv)],
        }
    }

    /// Finds the files under `root`. `text` matters for STS12-16 alone.
    ///
    /// # Errors
    /// [`DataError::MissingDataset`], [`DataError::NoSuchSplit`].
    pub fn locate(self, root: &DataRoot, split: Split, text: TextVariant) -> Result<Located> {
        self.split(Some(split))?;
        let senteval = !self.subsets().is_empty() && text == TextVariant::SentEval;
        let pulled = match senteval {
            true => Vec::new(),
            false => self.pulled(split),
        };
        let detail = match senteval {
            true => format!("{}, senteval text", split.name()),
            false => split.name().to_string(),
        };
        let remedy = match self {
            _ if senteval => {
                "set GRADUS_DATA to a folder that has it, or use the original text".to_string()
            }
            _ => self.remedy(),
        };
        self.find(root, self.released(split, text), pulled, detail, remedy)
    }

    /// Finds the triplets that a data set also comes in; `None` where it does
    /// not.
    ///
    /// # Errors
    /// [`DataError::MissingDataset`].
    pub fn locate_triplets(self, root: &DataRoot) -> Result<Option<PairFile>> {
        let released = match self {
            Known::Nli => {
                let mut file = PairFile::new("nli/nli_triplets.tsv", Format::Tsv);
                file.dialect.quoting = Quoting::Off;
                vec![file]
            }
            Known::NliTriplets => Vec::new(),
            _ => return Ok(None),
        };
        let released = released.into_iter().map(|f| (String::new(), f)).collect();
        let pulled = Known::NliTriplets.pulled(Split::Train);
        let remedy = Known::NliTriplets.remedy();
        let found = self.find(root, released, pulled, "triplets".into(), remedy)?;
        Ok(found.files.into_iter().next().map(|(_, file)| file))
    }

    /// How to come by it.
    fn remedy(self) -> String {
        let name = match self {
            _ if Known::SUITE.contains(&self) => "sts",
            other => other.stand_in().unwrap_or(other).pull_name(),
        };
        format!("fetch it with `gradus pull {name}`, or set GRADUS_DATA to a folder that has it")
    }

    /// `released` under `root`, else the first of `pulled` that is there.
    fn find(
        self,
        root: &DataRoot,
        mut released: Vec<(String, PairFile)>,
        pulled: Vec<PairFile>,
        detail: String,
        remedy: String,
    ) -> Result<Located> {
        let missing = released
            .iter()
            .map(|(_, file)| &file.path)
            .find(|path| !root.path().join(path).is_file());
        if missing.is_none() && !released.is_empty() {
            for (_, file) in &mut released {
                file.path = root.path().join(&file.path);
            }
            let layout = SetLayout::Released;
            let files = released;
            return Ok(Located { layout, files });
        }
        let mut looked: Vec<PathBuf> = missing.into_iter().cloned().collect();
        looked.extend(pulled.first().map(|file| file.path.clone()));
        for mut file in pulled {
            file.path = root.path().join(&file.path);
            if file.path.is_file() {
                let layout = SetLayout::Hub;
                let files = vec![(String::new(), file)];
                return Ok(Located { layout, files });
            }
        }
        Err(DataError::MissingDataset {
            dataset: self.name(),
            detail: detail.into(),
            root: root.path().to_path_buf(),
            origin: root.origin().describe(),
            looked,
            remedy: remedy.into(),
        }
        .into())
    }
}

impl Located {
    /// Reads all subsets with `labels`; pairs whose label it skips are left out.
    ///
    /// # Errors
    /// Those of [`PairFile::graded`] and its rows.
    pub fn load(&self, labels: &LabelMap) -> Result<Vec<Subset>> {
        let mut subsets = Vec::with_capacity(self.files.len());
        for (name, file) in &self.files {
            let mut pairs = Vec::new();
            for row in file.graded(labels)? {
                if let Graded::Pair(pair) = row? {
                    pairs.push(pair);
                }
            }
            let name = name.clone();
            subsets.push(Subset { name, pairs });
        }
        Ok(subsets)
    }
}
