//! Texts without grades: alone, in pairs that mean the same, in triplets.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::file::extension;
use super::overlap::PairIndex;
use super::{DataError, DataRoot, LabelMap, Lines, PairFile, Remedy, Source, TextFile};
use crate::{Error, Result};

/// What a row of a source stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowKind {
    /// Two texts with a grade.
    Graded,
    /// One text: the lines of a `.txt` file, or the different texts of a file
    /// of pairs.
    Texts,
    /// Two texts that mean the same; a grade is not read.
    Pairs,
    /// A text, one that means the same, and one that does not, or several
    /// ([`Source::negatives`]).
    Triplets,
    /// A query with several documents, each with a label: see [`Source::lists`].
    Lists,
}

impl RowKind {
    /// In words, for many of them.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Graded | Self::Pairs => "pairs",
            Self::Texts => "texts",
            Self::Triplets => "triplets",
            Self::Lists => "lists",
        }
    }
}

/// Rows without grades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlabelled {
    /// What they are.
    pub kind: RowKind,
    /// The texts of each row: one, two, or a triplet's three and its further negatives.
    pub rows: Vec<Vec<String>>,
    /// Rows left out because of `exclude`, or of what was held out.
    pub excluded: usize,
}

impl Source {
    /// Reads rows without their grades, as what [`Source::rows`] says, or else
    /// as what the file seems to be: a `.txt` file without a published form's
    /// header holds texts, three columns with a negative are triplets, other
    /// files hold pairs. Rows whose first text makes a pair of `held_out` with
    /// another are left out, and so are empty lines and texts that were there before.
    ///
    /// # Errors
    /// Those of [`Source::load`]; [`DataError::BadSource`] for a known data set
    /// without [`Source::rows`], whose pairs need not mean the same.
    pub fn unlabelled(
        &self,
        held_out: &PairIndex,
        base_dir: &Path,
        root: &DataRoot,
    ) -> Result<Unlabelled> {
        let files = self.files(base_dir, root)?;
        let kind = self.kind(&files)?;
        if kind == RowKind::Lists {
            let problem = "lists have labels, and this objective wants texts without them";
            let remedy = "set `rows` to texts, pairs or triplets";
            return self.bad_with(problem, vec![Remedy::Key(remedy.into())]);
        }
        let index = self.exclusion(base_dir, root)?;
        let mut found = Unlabelled {
            kind,
            rows: Vec::new(),
            excluded: 0,
        };
        let mut seen = HashSet::new();
        let most = self.max_pairs.unwrap_or(usize::MAX);
        for file in &files {
            let mut add = |row: Vec<String>| {
                let held = |i: &PairIndex| row[1..].iter().any(|other| i.contains(&row[0], other));
                if held(&index) || held(held_out) {
                    found.excluded += 1;
                } else if row.len() > 1 || seen.insert(row[0].clone()) {
                    found.rows.push(row);
                }
                found.rows.len() < most
            };
            self.read(file, kind, &mut add)?;
        }
        if !found.rows.is_empty() {
            return Ok(found);
        }
        let path = files.into_iter().next().map(|f| f.path).unwrap_or_default();
        Err(DataError::Empty { path }.into())
    }

    /// Hands rows on until `add` says that it is enough.
    fn read(
        &self,
        file: &PairFile,
        kind: RowKind,
        add: &mut impl FnMut(Vec<String>) -> bool,
    ) -> Result<()> {
        if kind == RowKind::Texts {
            let lines = holds_lines(file)?;
            return self.each_text(file, lines, &mut |text| {
                add(vec![if lines { text.trim().into() } else { text }])
            });
        }
        if let Some(negatives) = self.negatives {
            self.refuse_split()?;
            return file.each_tuple(negatives, add);
        }
        if kind == RowKind::Triplets {
            for triplet in file.triplets()? {
                let triplet = triplet?;
                if !add(vec![triplet.anchor, triplet.positive, triplet.negative]) {
                    break;
                }
            }
            return Ok(());
        }
        let rows = file.rows(&LabelMap::default())?;
        self.check_split(&rows)?;
        for row in rows {
            let row = row?;
            if !add(vec![row.first, row.second]) {
                break;
            }
        }
        Ok(())
    }

    /// Hands the texts of a file on until `add` says that it is enough: its
    /// lines that are not blank, the column that the source names, both texts of
    /// pairs, or the one column that holds texts.
    pub(crate) fn each_text(
        &self,
        file: &PairFile,
        lines: bool,
        add: &mut impl FnMut(String) -> bool,
    ) -> Result<()> {
        let mut texts = TextFile::new(&file.path, (!lines).then_some(file.format));
        texts.header = file.header;
        texts.dialect = file.dialect;
        texts.column.clone_from(&self.text);
        if !lines && self.text.is_none() {
            match file.rows(&self.labels) {
                Ok(rows) => {
                    self.check_split(&rows)?;
                    for row in rows {
                        let row = row?;
                        if !add(row.first) || !add(row.second) {
                            break;
                        }
                    }
                    return Ok(());
                }
                // No pairs: a column of texts?
                Err(Error::Data(DataError::UnclearColumns {
                    role: "sentence pair",
                    ..
                })) if file.columns.first.is_none() => {}
                Err(error) => return Err(error),
            }
        }
        for row in texts.rows()? {
            let text = row?.text;
            if !text.trim().is_empty() && !add(text) {
                break;
            }
        }
        Ok(())
    }

    fn kind(&self, files: &[PairFile]) -> Result<RowKind> {
        if let Some(kind) = self.rows {
            return Ok(kind);
        }
        if self.dataset.is_some() {
            let problem = "its pairs need not mean the same, and grades are not read here";
            return self.bad(problem, "set `rows = \"texts\"`, or `\"pairs\"` if they do");
        }
        match files.first() {
            Some(file) if holds_lines(file)? => Ok(RowKind::Texts),
            Some(file) if file.rows(&LabelMap::default())?.has_triplets() => Ok(RowKind::Triplets),
            _ => Ok(RowKind::Pairs),
        }
    }
}

/// Whether a file is plain text: named so, and without tabs in its first line.
fn holds_lines(file: &PairFile) -> Result<bool> {
    if extension(&file.path).is_none_or(|end| end != "txt") {
        return Ok(false);
    }
    let mut lines = Lines::open(&file.path)?;
    Ok(lines.next_line()?.is_none_or(|line| !line.contains('\t')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;
    use std::fs;

    fn read(name: &str, text: &str, rows: Option<RowKind>) -> Result<Unlabelled> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        let source = Source {
            rows,
            ..Source::file(name)
        };
        let root = DataRoot::resolve(Some(folder.path()));
        source.unlabelled(&PairIndex::default(), folder.path(), &root)
    }

    fn rows(found: &Unlabelled) -> Vec<Vec<&str>> {
        let each = found.rows.iter();
        each.map(|row| row.iter().map(String::as_str).collect())
            .collect()
    }

    #[test]
    fn files_show_what_they_hold() {
        let found = read("a.txt", "one, two\n\n two \none, two\n", None).unwrap();
        assert_eq!(found.kind, RowKind::Texts);
        assert_eq!(rows(&found), [["one, two"], ["two"]]);
        let found = read("a.tsv", "a\tb\nc\td\n", None).unwrap();
        assert_eq!((found.kind, found.rows.len()), (RowKind::Pairs, 2));
        let text = "sent0,sent1,hard_neg\na,b,c\n";
        let found = read("a.csv", text, None).unwrap();
        assert_eq!(
            (found.kind, rows(&found)),
            (RowKind::Triplets, vec![vec!["a", "b", "c"]])
        );
    }

    #[test]
    fn texts_may_stand_in_one_column() {
        let texts = |name: &str, text: &str| read(name, text, Some(RowKind::Texts));
        let found = texts("a.csv", "id,text\n1,a\n2,b\n").unwrap();
        assert_eq!(rows(&found), [["a"], ["b"]]);
        let found = texts("a.json", "[{\"sentence\": \"a\", \"id\": 3}]").unwrap();
        assert_eq!(rows(&found), [["a"]]);
        let error = texts("a.csv", "id,name\n1,a\n").unwrap_err().to_string();
        assert!(error.contains("first row holds names"), "{error}");
        assert!(error.contains("header = true"), "{error}");
    }

    #[test]
    fn a_row_is_what_the_source_says() {
        let texts = read("a.tsv", "a\tb\nb\tc\n", Some(RowKind::Texts)).unwrap();
        assert_eq!(rows(&texts), [["a"], ["b"], ["c"]]);
        let triplets = read("a.tsv", "a\tb\tc\n", Some(RowKind::Triplets)).unwrap();
        assert_eq!(rows(&triplets), [["a", "b", "c"]]);
        assert!(read("a.tsv", "a\tb\n", Some(RowKind::Triplets)).is_err());
        assert!(read("a.txt", "\n\n", None).is_err());
    }

    #[test]
    fn a_row_may_have_several_negatives() {
        let tuples = |name: &str, text: &str, negatives| {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), text).unwrap();
            let source = Source {
                rows: Some(RowKind::Triplets),
                negatives: Some(negatives),
                ..Source::file(name)
            };
            let root = DataRoot::resolve(Some(folder.path()));
            source.unlabelled(&PairIndex::default(), folder.path(), &root)
        };
        // Of what `gradus negatives` writes: fewer come again, in turn.
        let text =
            "sentence\tpositive\tnegative_1\tnegative_2\tmodel\na\tb\tc\td\tm\ne\tf\tg\t\tm\n";
        let found = tuples("a.tsv", text, 3).unwrap();
        assert_eq!(
            rows(&found),
            [["a", "b", "c", "d", "c"], ["e", "f", "g", "g", "g"]]
        );
        assert_eq!(rows(&tuples("a.tsv", text, 1).unwrap())[0], ["a", "b", "c"]);
        // Of what `gradus mine-negatives` writes, with other names and null.
        let text = "{\"anchor\": \"a\", \"positive\": \"b\", \"negative_1\": null, \"negative_2\": \"d\"}\n";
        assert_eq!(
            rows(&tuples("a.jsonl", text, 2).unwrap()),
            [["a", "b", "d", "d"]]
        );
        // Lists, and several positives.
        let text = "{\"query\": \"a\", \"pos\": [\"b\", \"c\"], \"neg\": [\"d\", \"e\", \"f\"]}\n";
        assert_eq!(
            rows(&tuples("a.jsonl", text, 2).unwrap()),
            [["a", "b", "d", "e"], ["a", "c", "d", "e"]]
        );
        for (name, text) in [
            ("a.tsv", "anchor\tpositive\nb\tc\n"),
            ("a.tsv", "a\tb\tc\n"),
            (
                "a.jsonl",
                "{\"query\": \"a\", \"docs\": [\"b\"], \"labels\": [1]}",
            ),
        ] {
            let error = tuples(name, text, 2).unwrap_err().to_string();
            assert!(error.contains("negative_1, negative_2"), "{error}");
        }
        let empty = "anchor\tpositive\tnegative_1\tnegative_2\na\tb\t\t\n";
        let error = tuples("a.tsv", empty, 2).unwrap_err().to_string();
        assert!(
            error.contains("a.tsv:2") && error.contains("negative_1"),
            "{error}"
        );
        assert!(tuples("a.tsv", text, 0).is_err());
        let source = Source {
            rows: Some(RowKind::Triplets),
            negatives: Some(2),
            split: Some(Split::Train),
            ..Source::file("a.tsv")
        };
        let folder = tempfile::tempdir().unwrap();
        let root = DataRoot::resolve(Some(folder.path()));
        let error = source.unlabelled(&PairIndex::default(), folder.path(), &root);
        assert!(error.unwrap_err().to_string().contains("`split` is set"));
    }

    #[test]
    fn triplets_with_either_pair_held_out_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let text = "anchor,positive,negative\na,b,c\na,d,e\na,f,g\n";
        fs::write(folder.path().join("a.csv"), text).unwrap();
        let mut held = PairIndex::default();
        held.insert("B", "a");
        held.insert("a", "e.");
        held.insert("f", "g");
        let root = DataRoot::resolve(Some(folder.path()));
        let found = Source::file("a.csv").unlabelled(&held, folder.path(), &root);
        let found = found.unwrap();
        assert_eq!(found.rows, [["a", "f", "g"]]);
        assert_eq!(found.excluded, 2);
    }

    #[test]
    fn held_out_pairs_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.tsv"), "A dog.\tA cat.\nx\ty\n").unwrap();
        let mut held = PairIndex::default();
        held.insert("a cat", "a dog");
        let root = DataRoot::resolve(Some(folder.path()));
        let found = Source::file("a.tsv").unlabelled(&held, folder.path(), &root);
        let found = found.unwrap();
        assert_eq!((rows(&found), found.excluded), (vec![vec!["x", "y"]], 1));
    }
}
