//! A training file without the rows that a test set holds.

use std::collections::HashSet;

use crate::Result;
use crate::data::{DelimitedReader, Lines, PairFile, Quoting};

/// Copies the lines of a file, but not the rows that begin on a line of
/// `dropped`; a header and blank lines stay. Each line goes to `write` without
/// its end.
///
/// # Errors
/// Those of reading, and those of `write`.
pub fn clean<E: From<crate::Error>>(
    file: &PairFile,
    dropped: &HashSet<u64>,
    mut write: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    // A quoted row may run over several lines, which go with it.
    let dialect = file.resolved()?;
    let quoted = file.format.has_cells() && dialect.quoting == Quoting::On;
    let mut rows = match quoted {
        true => Some(DelimitedReader::new(Lines::open(&file.path)?, dialect)),
        false => None,
    };
    let mut next_row = next_line(&mut rows)?;
    let mut lines = Lines::open(&file.path)?;
    let (mut number, mut dropping) = (0, false);
    while let Some(line) = lines.next_line()? {
        number += 1;
        let begins = match &rows {
            None => true,
            Some(_) => next_row == Some(number),
        };
        if begins {
            dropping = dropped.contains(&number);
            if rows.is_some() {
                next_row = next_line(&mut rows)?;
            }
        }
        if !dropping {
            write(line)?;
        }
    }
    Ok(())
}

/// The line on which the next row begins.
fn next_line(rows: &mut Option<DelimitedReader>) -> Result<Option<u64>> {
    let row = rows.as_mut().and_then(Iterator::next).transpose()?;
    Ok(row.map(|row| row.line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Format;

    fn cleaned(name: &str, text: &str, dropped: &[u64]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let file = PairFile::new(&path, Format::of(&path).unwrap());
        let mut out = String::new();
        let write = |line: &str| -> Result<()> {
            out.push_str(line);
            out.push('\n');
            Ok(())
        };
        clean(&file, &dropped.iter().copied().collect(), write).unwrap();
        out
    }

    #[test]
    fn rows_go_with_all_their_lines() {
        let text = "first,second\na,b\n\"c\nd\",e\nf,g\n";
        assert_eq!(cleaned("a.csv", text, &[3]), "first,second\na,b\nf,g\n");
        assert_eq!(
            cleaned("a.csv", text, &[5]),
            "first,second\na,b\n\"c\nd\",e\n"
        );
        assert_eq!(cleaned("a.csv", text, &[]), text);
        let text = "a \"b\tc\r\n\nd\te\n";
        assert_eq!(cleaned("a.tsv", text, &[3]), "a \"b\tc\n\n");
        assert_eq!(cleaned("a.jsonl", "{}\n{\"a\":1}", &[1]), "{\"a\":1}\n");
    }
}
