//! Files of pairs, without labels and with them.

use crate::data::{Column, Format, Source};
use crate::util::atomic::write_file;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader};
use std::path::Path;

/// A row of such a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    sentence1: String,
    sentence2: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
}

/// Writes pairs, with scores where there are some; the file is whole or not there.
pub(in crate::jobs) fn write(
    path: &Path,
    pairs: &[(String, String)],
    scores: Option<&[f64]>,
) -> Result<()> {
    write_file(path, |out| {
        for (i, (first, second)) in pairs.iter().enumerate() {
            let row = Row {
                sentence1: first.clone(),
                sentence2: second.clone(),
                score: scores.map(|scores| scores[i]),
            };
            let json =
                serde_json::to_string(&row).map_err(|e| Error::Internal(format!("a pair: {e}")))?;
            out.write_all(json.as_bytes())
                .and_then(|()| out.write_all(b"\n"))
                .map_err(Error::io(path))?;
        }
        Ok(())
    })
}

/// Reads the pairs of such a file.
pub(in crate::jobs) fn read(path: &Path) -> Result<Vec<(String, String)>> {
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    BufReader::new(file)
        .lines()
        .map(|line| {
            let line = line.map_err(Error::io(path))?;
            let row: Row = serde_json::from_str(&line)
                .map_err(|e| Error::Internal(format!("{}: {e}", path.display())))?;
            Ok((row.sentence1, row.sentence2))
        })
        .collect()
}

/// Such a file with scores, as a recipe names it.
pub(in crate::jobs) fn source(path: &Path) -> Source {
    let column = |name: &str| Some(Column::Name(name.to_owned()));
    Source {
        format: Some(Format::Jsonl),
        first: column("sentence1"),
        second: column("sentence2"),
        label: column("score"),
        ..Source::file(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataRoot;

    #[test]
    fn labelled_pairs_are_read_as_they_were_written() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("pairs.jsonl");
        let pairs = vec![
            ("a\tb \"c\"".to_owned(), "d\\e".to_owned()),
            ("f".to_owned(), "g\u{2028}".to_owned()),
        ];
        let scores = [-0.125, 0.1 + 0.2];
        write(&path, &pairs, Some(&scores)).unwrap();
        assert_eq!(read(&path).unwrap(), pairs);
        let root = DataRoot::resolve(Some(place.path()));
        let loaded = source(&path).load(place.path(), &root).unwrap();
        let labels: Vec<f64> = loaded.pairs.iter().map(|p| p.label).collect();
        assert_eq!(labels, scores);
        assert_eq!(loaded.pairs[0].first, pairs[0].0);
    }
}
