//! Training and test sets as a command line names them.

use std::path::Path;

use super::{HeldOut, Hits, Tally};
use crate::Result;
use crate::data::{DataError, DataRoot, Format, Known, LabelMap, PairFile, Place, Quoting};
use crate::data::{Remedy, Source, Split, TextFile};

/// The pairs of a test set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestSet {
    /// What reports call it.
    pub name: String,
    /// Its pairs of texts.
    pub pairs: Vec<(String, String)>,
}

/// A training set to hold beside test sets.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainSet {
    /// Pairs, as a recipe's source describes them.
    Pairs(Box<Source>),
    /// A file with a sentence a row.
    Sentences(Box<TextFile>),
}

/// A training set by what a user types: a known data set (`stsb:train`, with a
/// split where it has several), a file (`AllNLI.tsv.gz:train`), or a source as
/// recipes write it (`{ path = "a.csv", first = "x", second = "y" }`). A data
/// set's split is `train` where none is named and there is one. Files that are
/// not in braces are read as `reading` says.
///
/// # Errors
/// [`DataError::BadSource`], [`DataError::UnknownDataset`],
/// [`DataError::NoSuchSplit`].
pub fn parse_train(text: &str, reading: &Source) -> Result<TrainSet> {
    let first = |known: Known| known.splits().first().copied();
    // A year's task means its test set, though one year has more.
    let usual = |known: Known| known.split(None).ok().or(first(known));
    Ok(TrainSet::Pairs(Box::new(parse(text, &usual, reading)?)))
}

/// Test sets by what a user types: as [`parse_train`], but of a data set the
/// test split where none is named; and `sts`, the seven of the published tables.
///
/// # Errors
/// As [`parse_train`].
pub fn parse_test(text: &str, reading: &Source) -> Result<Vec<Source>> {
    if text == "sts" {
        let suite = Known::SUITE.map(|known| Source::dataset(known, Split::Test));
        return Ok(suite.to_vec());
    }
    let usual = |known: Known| known.splits().last().copied();
    Ok(vec![parse(text, &usual, reading)?])
}

fn parse(text: &str, usual: &dyn Fn(Known) -> Option<Split>, reading: &Source) -> Result<Source> {
    let bad = |problem: String, remedy: &str| DataError::BadSource {
        source_name: text.to_string(),
        problem,
        remedies: vec![Remedy::Plain(remedy.to_string().into())],
    };
    if text.trim_start().starts_with('{') {
        let table = format!("source = {text}");
        let parsed: Result<One, _> = toml::from_str(&table);
        let source = parsed
            .map_err(|e| bad(e.message().to_string(), "write it as in a recipe"))?
            .source;
        if !source.exclude.is_empty() || source.max_pairs.is_some() {
            let problem = "`exclude` and `max_pairs` mean nothing here: all rows are looked at";
            return Err(bad(problem.into(), "remove them").into());
        }
        source.validate()?;
        source.needs_pairs()?;
        return Ok(source);
    }
    // A file's name may hold a colon.
    let (name, split) = match text.rsplit_once(':') {
        Some((name, split)) if !Path::new(text).is_file() => (name, Some(split)),
        _ => (text, None),
    };
    let parsed = match split {
        None => None,
        Some(word) => Some(Split::parse(word).ok_or_else(|| {
            let problem = format!("{word:?} after the colon is no split");
            bad(problem, "write train, dev or test there")
        })?),
    };
    if Format::of(Path::new(name)).is_some() || Path::new(name).is_file() {
        let mut source = Source {
            path: Some(name.into()),
            ..reading.clone()
        };
        source.split = parsed.or(source.split);
        source.validate()?;
        return Ok(source);
    }
    let known = Known::parse(name)?;
    let split = match parsed.or(usual(known)) {
        // Says which splits there are, where this is none of them.
        Some(split) => known.split(Some(split))?,
        None => known.split(None)?,
    };
    let source = Source::dataset(known, split);
    source.needs_pairs()?;
    Ok(source)
}

/// A source in a table of its own, as TOML wants it.
#[derive(serde::Deserialize)]
struct One {
    source: Source,
}

impl TestSet {
    /// Reads a test set's pairs; labels need not be there.
    ///
    /// # Errors
    /// Those of [`Source::files`] and of reading them.
    pub fn read(source: &Source, base_dir: &Path, root: &DataRoot) -> Result<Self> {
        let mut pairs = Vec::new();
        for file in source.files(base_dir, root)? {
            let rows = file.rows(&labels_of(source)?)?;
            source.check_split(&rows)?;
            for row in rows {
                let row = row?;
                pairs.push((row.first, row.second));
            }
        }
        let name = Self::name_of(source);
        Ok(Self { name, pairs })
    }

    /// What reports call a source: a test split as tables head it, else as
    /// recipes name it.
    pub fn name_of(source: &Source) -> String {
        let known = source.dataset.as_deref().and_then(|n| Known::parse(n).ok());
        match (known, source.split) {
            (Some(known), Some(Split::Test)) => known.title().to_string(),
            _ => source.describe(),
        }
    }
}

/// How labels are told from texts in a file without names.
fn labels_of(source: &Source) -> Result<LabelMap> {
    match &source.dataset {
        Some(name) => Ok(Known::parse(name)?.labels()),
        None => Ok(source.labels.clone()),
    }
}

/// What becomes of each row of a training set.
pub trait RowWatch {
    /// A row was looked up. `file` and `line` say where it stands; a triplet is
    /// two rows of one line.
    fn row(&mut self, file: usize, line: u64, hits: &Hits);
}

impl TrainSet {
    /// What reports call it.
    pub fn name(&self) -> String {
        match self {
            Self::Pairs(source) => source.describe(),
            Self::Sentences(file) => file.path.display().to_string(),
        }
    }

    /// Its files.
    ///
    /// # Errors
    /// Those of [`Source::files`].
    pub fn files(&self, base_dir: &Path, root: &DataRoot) -> Result<Vec<PairFile>> {
        match self {
            Self::Pairs(source) => source.files(base_dir, root),
            Self::Sentences(file) => {
                let format = file.format.unwrap_or(Format::Tsv);
                let mut pairs = PairFile::new(base_dir.join(&file.path), format);
                pairs.dialect = file.dialect;
                if file.format.is_none() {
                    pairs.dialect.quoting = Quoting::Off;
                }
                Ok(vec![pairs])
            }
        }
    }

    /// Looks every row up in `held`, counts it in `tally` and tells `watch`.
    ///
    /// # Errors
    /// Those of [`TrainSet::files`] and of reading them.
    pub fn look_up(
        &self,
        (base_dir, root): (&Path, &DataRoot),
        held: &mut HeldOut,
        tally: &mut Tally,
        watch: &mut dyn RowWatch,
    ) -> Result<()> {
        for (number, file) in self.files(base_dir, root)?.iter().enumerate() {
            let mut count = |line: u64, first: &str, second: Option<&str>| {
                let hits = held.look_up(first, second);
                let row: Vec<&str> = [Some(first), second].into_iter().flatten().collect();
                tally.add(held, &hits, &row, &Place::new(&file.path, line));
                watch.row(number, line, &hits);
            };
            match self {
                Self::Pairs(source) => {
                    let rows = file.rows(&labels_of(source)?)?;
                    source.check_split(&rows)?;
                    for row in rows {
                        let row = row?;
                        count(row.line, &row.first, Some(&row.second));
                    }
                }
                Self::Sentences(texts) => {
                    let texts = TextFile {
                        path: base_dir.join(&texts.path),
                        ..TextFile::clone(texts)
                    };
                    for row in texts.rows()? {
                        let row = row?;
                        if !row.text.trim().is_empty() {
                            count(row.line, &row.text, None);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_named_as_people_name_them() {
        let train = |text: &str| match parse_train(text, &Source::default()).map(|set| set.name()) {
            Ok(name) => name,
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(train("stsb:train"), "stsb/train");
        assert_eq!(train("STS-B"), "stsb/train");
        assert_eq!(train("stsb:dev"), "stsb/dev");
        assert_eq!(train("nli"), "nli/train");
        assert_eq!(train("sts12"), "sts12/test");
        assert_eq!(train("a/b.tsv.gz:train"), "a/b.tsv.gz");
        assert_eq!(train("{ path = \"a.dat\", format = \"tsv\" }"), "a.dat");
        for (text, part) in [
            ("stsb:val", "\"val\" after the colon is no split"),
            ("sts13:train", "no split \"train\"; it has: test"),
            ("stsx", "did you mean \"stsb\""),
            ("{ path = \"a.tsv\", max_pairs = 3 }", "mean nothing here"),
            ("{ pat = 3 }", "unknown field"),
            ("{", "write it as in a recipe"),
            ("{ path = \"a.dat\" }", "the extension does not tell"),
        ] {
            assert!(train(text).contains(part), "{text}: {}", train(text));
        }
        let test = |text: &str| -> Vec<String> {
            let sources = parse_test(text, &Source::default()).unwrap();
            sources.iter().map(TestSet::name_of).collect()
        };
        let seven = "STS12 STS13 STS14 STS15 STS16 STS-B SICK-R";
        assert_eq!(test("sts").join(" "), seven);
        assert_eq!(test("stsb"), ["STS-B"]);
        assert_eq!(test("stsb:dev"), ["stsb/dev"]);
        assert_eq!(test("mine.csv"), ["mine.csv"]);
    }
}
