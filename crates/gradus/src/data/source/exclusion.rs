//! The pairs that a source leaves out.

use std::path::Path;

use super::Source;
use crate::Result;
use crate::data::{DataError, DataRoot, Format, Known, PairFile, PairIndex, Split, TextVariant};

impl Source {
    /// The pairs that `exclude` names.
    pub(in crate::data) fn exclusion(&self, base_dir: &Path, root: &DataRoot) -> Result<PairIndex> {
        let mut index = PairIndex::new(self.exclude_by);
        for entry in &self.exclude {
            let files = if Format::of(Path::new(entry)).is_some() {
                let source = Source::file(entry);
                vec![source.pair_file(Path::new(entry), base_dir)?]
            } else {
                known_files(entry, root)?
            };
            for file in files {
                for row in file.rows(&self.labels)? {
                    let row = row?;
                    index.insert(&row.first, &row.second);
                }
            }
        }
        Ok(index)
    }
}

/// The files behind an `exclude` entry that is a name.
fn known_files(entry: &str, root: &DataRoot) -> Result<Vec<PairFile>> {
    let sets = match entry.split_once('/') {
        None if entry == "sts" => Known::SUITE.map(|k| (k, Split::Test)).to_vec(),
        None => {
            let known = Known::parse(entry)?;
            Source::dataset(known, Split::Train).needs_pairs()?;
            let split = match known.splits() {
                [only] => *only,
                _ => Split::Test,
            };
            vec![(known, split)]
        }
        Some((name, split)) => {
            let known = Known::parse(name)?;
            Source::dataset(known, Split::Train).needs_pairs()?;
            let parsed = Split::parse(split).ok_or_else(|| DataError::NoSuchSplit {
                dataset: known.name(),
                split: split.to_string(),
                known: known.splits().iter().map(|s| s.name()).collect(),
            })?;
            vec![(known, known.split(Some(parsed))?)]
        }
    };
    let mut files = Vec::new();
    for (known, split) in sets {
        let located = known.locate(root, split, TextVariant::Original)?;
        files.extend(located.files.into_iter().map(|(_, file)| file));
    }
    Ok(files)
}
