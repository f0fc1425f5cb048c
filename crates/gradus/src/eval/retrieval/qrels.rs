use std::collections::BTreeMap;
use std::path::Path;

use crate::Result;
use crate::data::{DataError, Lines, Place};

/// Relevance judgments: how relevant documents are to queries, by their ids. A
/// document is relevant from 1 on; one that is not there was not judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Qrels {
    queries: BTreeMap<String, BTreeMap<String, i32>>,
}

impl Qrels {
    /// Reads a file of judgments, one a line: three cells with tabs between them
    /// (query, document, relevance), with or without a first line of names, as BEIR
    /// has them; or TREC's four columns (query, a number that is not read, document,
    /// relevance) with white space between them. gzip and zstd are unpacked.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io); [`DataError::BadJudgment`];
    /// [`DataError::Empty`] without a judgment.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_lines(Lines::open(path)?, path)
    }

    fn from_lines(mut lines: Lines, path: &Path) -> Result<Self> {
        let mut qrels = Self::default();
        let mut number = 0;
        while let Some(line) = lines.next_line()? {
            number += 1;
            let bare = line.trim();
            if bare.is_empty() {
                continue;
            }
            let bad = |problem: String| DataError::BadJudgment {
                at: Place::new(path, number),
                problem,
            };
            let (query, document, relevance) = cells(bare).ok_or_else(|| {
                bad(format!(
                    "it has {} columns",
                    bare.split_whitespace().count()
                ))
            })?;
            // The names of the columns.
            if number == 1 && relevance.parse::<f64>().is_err() {
                continue;
            }
            let relevance =
                whole(relevance).ok_or_else(|| bad(format!("the relevance is {relevance:?}")))?;
            if query.is_empty() || document.is_empty() {
                return Err(bad("an id is empty".into()).into());
            }
            let judged = qrels.queries.entry(query.to_owned()).or_default();
            match judged.insert(document.to_owned(), relevance) {
                Some(other) if other != relevance => {
                    let twice = format!("{document:?} was judged {other} before");
                    return Err(bad(twice).into());
                }
                _ => {}
            }
        }
        match qrels.queries.is_empty() {
            true => {
                let path = path.to_path_buf();
                Err(DataError::Empty { path }.into())
            }
            false => Ok(qrels),
        }
    }

    /// Adds a judgment.
    pub fn insert(
        &mut self,
        query: impl Into<String>,
        document: impl Into<String>,
        relevance: i32,
    ) {
        let judged = self.queries.entry(query.into()).or_default();
        judged.insert(document.into(), relevance);
    }

    /// The queries with their judged documents, by id.
    pub fn queries(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, i32>)> {
        self.queries.iter().map(|(id, judged)| (&**id, judged))
    }

    /// A query's judged documents.
    pub fn judged(&self, query: &str) -> Option<&BTreeMap<String, i32>> {
        self.queries.get(query)
    }

    /// How many queries have judgments.
    pub fn len(&self) -> usize {
        self.queries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.queries.is_empty()
    }
}

/// Query, document and relevance of a line.
fn cells(line: &str) -> Option<(&str, &str, &str)> {
    let by_tabs: Vec<&str> = line.split('\t').map(str::trim).collect();
    if let [query, document, relevance] = by_tabs[..] {
        return Some((query, document, relevance));
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [query, _, document, relevance] => Some((query, document, relevance)),
        [query, document, relevance] => Some((query, document, relevance)),
        _ => None,
    }
}

/// A whole number, also where it is written as 1.0.
fn whole(text: &str) -> Option<i32> {
    let whole = |x: &f64| x.fract() == 0.0 && x.abs() <= f64::from(i32::MAX);
    let number = text.parse().ok().filter(whole);
    number.map(|x| x as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn read(text: &str) -> Result<Qrels> {
        let path = Path::new("qrels.tsv");
        let lines = Lines::new(Cursor::new(text.as_bytes().to_vec()), path)?;
        Qrels::from_lines(lines, path)
    }

    #[test]
    fn every_form_gives_the_same_judgments() {
        let mut want = Qrels::default();
        want.insert("q 1", "d1", 2);
        want.insert("q 1", "d2", 0);
        want.insert("2", "d1", -1);
        let tabs = "q 1\td1\t2\nq 1\td2\t0\n\n2\td1\t-1\n";
        assert_eq!(read(tabs).unwrap(), want);
        let named = format!("query-id\tcorpus-id\tscore\r\n{tabs}");
        assert_eq!(read(&named).unwrap(), want);
        let trec = tabs
            .replace("q 1", "q1")
            .replace("\td", " Q0  d")
            .replace('\t', " ");
        let trec = read(&trec).unwrap();
        assert_eq!(trec.judged("q1"), want.judged("q 1"));
        assert_eq!(read("a b 1.0").unwrap().judged("a").unwrap()["b"], 1);
    }

    #[test]
    fn what_is_no_judgment_is_refused_with_its_line() {
        for (line, what) in [
            (
                "q\td",
                "qrels.tsv:2: not a relevance judgment: it has 2 columns",
            ),
            (
                "a b c d e",
                "qrels.tsv:2: not a relevance judgment: it has 5 columns",
            ),
            (
                "q\td\thigh",
                "qrels.tsv:2: not a relevance judgment: the relevance is \"high\"",
            ),
            (
                "q\td\t0.5",
                "qrels.tsv:2: not a relevance judgment: the relevance is \"0.5\"",
            ),
            (
                "q\td\t1e99",
                "qrels.tsv:2: not a relevance judgment: the relevance is",
            ),
            (
                "\t\t1",
                "qrels.tsv:2: not a relevance judgment: it has 1 columns",
            ),
            (
                "q\tx\t2",
                "qrels.tsv:2: not a relevance judgment: \"x\" was judged 1 before",
            ),
        ] {
            let error = read(&format!("q\tx\t1\n{line}\n")).unwrap_err().to_string();
            assert!(error.starts_with(what), "{error}");
        }
        assert!(read("query-id\tcorpus-id\tscore\n").is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_lines_never_panic(text in "[ -~\t\n]{0,80}") {
            if let Ok(qrels) = read(&text) {
                prop_assert!(!qrels.is_empty());
            }
        }
    }
}
