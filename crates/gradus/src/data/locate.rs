//! Finding and reading the known data sets.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Column, Columns, DataError, DataRoot, Format, Graded, GradedPair};
use super::{Known, LabelMap, PairFile, Split, TextVariant};
use crate::Result;

/// How a data set is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// As released, with its subsets.
    Released,
    /// As on the hub under `mteb/`: one unnamed subset.
    Hub,
}

/// The files of a data set that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// How it is stored.
    pub layout: Layout,
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
    /// The files as released, relative to the root.
    fn released(self, split: Split, text: TextVariant) -> Vec<(String, PairFile)> {
        let tsv = |path: String, columns| {
            let mut file = PairFile::new(path, Format::Tsv);
            file.columns = columns;
            file
        };
        match self {
            Known::StsB => {
                let path = format!("stsb/sts-{}.csv", split.name());
                vec![(String::new(), tsv(path, Columns::at(5, 6, 4)))]
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

    /// The hub's name, and the names that its file may have there.
    fn hub(self, split: Split) -> Option<Vec<PathBuf>> {
        let name = match self {
            Known::Nli | Known::Wiki => return None,
            Known::StsB => "stsbenchmark-sts".to_string(),
            other => format!("{}-sts", other.name()),
        };
        let splits: &[_] = match split {
            Split::Dev => &["validation", "dev"],
            Split::Train => &["train"],
            Split::Test => &["test"],
        };
        let path =
            |split: &&str, end: &str| Path::new("mteb").join(&name).join(format!("{split}.{end}"));
        let paths = splits
            .iter()
            .flat_map(|s| [path(s, "jsonl"), path(s, "jsonl.gz")]);
        Some(paths.collect())
    }

    /// Finds the files under `root`. `text` matters for STS12-16 alone.
    ///
    /// # Errors
    /// [`DataError::MissingDataset`], [`DataError::NoSuchSplit`].
    pub fn locate(self, root: &DataRoot, split: Split, text: TextVariant) -> Result<Located> {
        self.split(Some(split))?;
        self.find(root, split, text, self.released(split, text))
    }

    /// Finds the triplets that a data set also comes in; `None` where it does
    /// not.
    ///
    /// # Errors
    /// [`DataError::MissingDataset`].
    pub fn locate_triplets(self, root: &DataRoot) -> Result<Option<PairFile>> {
        if self != Known::Nli {
            return Ok(None);
        }
        let file = PairFile::new("nli/nli_triplets.tsv", Format::Tsv);
        let files = vec![(String::new(), file)];
        let found = self.find(root, Split::Train, TextVariant::Original, files)?;
        Ok(found.files.into_iter().next().map(|(_, file)| file))
    }

    /// `files` under `root`, or what the hub has instead.
    fn find(
        self,
        root: &DataRoot,
        split: Split,
        text: TextVariant,
        mut files: Vec<(String, PairFile)>,
    ) -> Result<Located> {
        let missing = files
            .iter()
            .map(|(_, file)| &file.path)
            .find(|path| !root.path().join(path).is_file());
        let Some(missing) = missing else {
            for (_, file) in &mut files {
                file.path = root.path().join(&file.path);
            }
            let layout = Layout::Released;
            return Ok(Located { layout, files });
        };
        let senteval = !self.subsets().is_empty() && text == TextVariant::SentEval;
        let hub = self.hub(split).filter(|_| !senteval).unwrap_or_default();
        let found = hub
            .iter()
            .map(|path| root.path().join(path))
            .find(|p| p.is_file());
        if let Some(path) = found {
            let mut file = PairFile::new(path, Format::Jsonl);
            let column = |name: &str| Some(Column::Name(name.into()));
            file.columns.first = column("sentence1");
            file.columns.second = column("sentence2");
            file.columns.label = column("score");
            let layout = Layout::Hub;
            let files = vec![(String::new(), file)];
            return Ok(Located { layout, files });
        }
        let mut looked = vec![missing.clone()];
        looked.extend(hub.into_iter().take(1));
        let remedy = match self {
            Known::Nli | Known::Wiki => {
                "set GRADUS_DATA to a folder that has it, or give a file of your own as `path`"
            }
            _ if senteval => "set GRADUS_DATA to a folder that has it, or use the original text",
            _ => "fetch it with `gradus pull sts`, or set GRADUS_DATA to a folder that has it",
        };
        Err(DataError::MissingDataset {
            dataset: self.name(),
            detail: match senteval {
                true => format!("{}, senteval text", split.name()),
                false => split.name().to_string(),
            },
            root: root.path().to_path_buf(),
            origin: root.origin().describe(),
            looked,
            remedy,
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
