//! Whether double quotes enclose the cells of a tab-separated file.
//!
//! Published sets of sentence pairs hold quotes as text; spreadsheet programs
//! and data frames write them around cells. Both are tab-separated, so a file
//! says by its rows which it is:
//!
//! - A cell that quoting cannot have written (`"Yes," he said`, or `5" pipe`)
//!   shows that quotes are text. Files that quote do so everywhere.
//! - A quoted cell with something in it that needs quotes (`"say ""x"""`, a
//!   tab, a line end), where no cell of the other kind comes, shows quoting.
//! - `"A man."` shows nothing by itself. No program puts quotes around it that
//!   leaves other texts without; around `"Well, yes."` some do, unless another
//!   text with a comma has none.
//!
//! What stays open is a question to the user, never a guess.

use super::{DataError, Lines};
use crate::Result;

/// What quotes are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quoting {
    /// Text like any other character.
    Off,
    /// Around cells, and doubled within (RFC 4180).
    On,
    /// Either: rows show which it is, or that it cannot be told.
    #[default]
    Auto,
}

/// What the rows of a file showed so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    rows: usize,
    width: usize,
    /// A text without quotes around it.
    plain: bool,
    /// Such a text with a comma.
    plain_comma: bool,
    /// A quoted cell that needed no quotes, and one with a comma.
    weak: bool,
    weak_comma: bool,
    /// A cell that needed its quotes.
    strong: bool,
    /// A row that reads neither way.
    unclear: bool,
    /// A cell that quoting does not write.
    literal: bool,
    /// The first line with a quoted cell.
    line: Option<u64>,
}

/// How a row reads if quotes enclose cells.
enum Strict {
    /// These cells, and whether each is quoted.
    Cells(Vec<(String, bool)>),
    /// A quote is not closed in this line.
    Open,
    /// Not at all.
    Wrong,
    /// With backslashes before quotes, which is not read.
    Escaped,
}

fn strict(row: &str, delimiter: char) -> Strict {
    let mut cells = Vec::new();
    let mut rest = row;
    loop {
        let Some(mut inner) = rest.strip_prefix('"') else {
            let end = rest.find(delimiter);
            let cell = &rest[..end.unwrap_or(rest.len())];
            if cell.contains('"') {
                return Strict::Wrong;
            }
            cells.push((cell.to_string(), false));
            match end {
                None => return Strict::Cells(cells),
                Some(end) => rest = &rest[end + delimiter.len_utf8()..],
            }
            continue;
        };
        let mut cell = String::new();
        loop {
            let Some(quote) = inner.find('"') else {
                return Strict::Open;
            };
            cell.push_str(&inner[..quote]);
            inner = &inner[quote + 1..];
            match inner.strip_prefix('"') {
                Some(after) => {
                    cell.push('"');
                    inner = after;
                }
                None => break,
            }
        }
        let escaped = cell.ends_with('\\');
        cells.push((cell, true));
        match inner.strip_prefix(delimiter) {
            Some(after) => rest = after,
            None if inner.is_empty() => return Strict::Cells(cells),
            None if escaped => return Strict::Escaped,
            None => return Strict::Wrong,
        }
    }
}

impl Evidence {
    /// Takes a row in. `next` is the line after it, where that is known.
    pub(super) fn add(&mut self, line: u64, row: &str, delimiter: char, next: Option<&str>) {
        let width = row.matches(delimiter).count() + 1;
        self.rows += 1;
        if self.rows == 1 {
            self.width = width;
        }
        if !row.contains('"') {
            row.split(delimiter).for_each(|cell| self.plain_cell(cell));
            return;
        }
        match strict(row, delimiter) {
            Strict::Wrong => self.literal = true,
            Strict::Escaped => {
                self.line.get_or_insert(line);
                self.unclear = true;
            }
            Strict::Cells(cells) => {
                // A delimiter within quotes: the other rows show whether it is one.
                if cells.len() != width {
                    let count = |row: &str| row.matches(delimiter).count() + 1;
                    let other = match self.rows {
                        1 => next.map(count),
                        _ => Some(self.width),
                    };
                    if other == Some(width) {
                        self.literal = true;
                        return;
                    }
                    self.unclear |= other != Some(cells.len());
                    if self.rows == 1 {
                        self.width = cells.len();
                    }
                }
                for (cell, quoted) in &cells {
                    if !quoted {
                        self.plain_cell(cell);
                        continue;
                    }
                    self.line.get_or_insert(line);
                    if cell.contains(['"', '\n', delimiter]) {
                        self.strong = true;
                    } else if is_text(cell) {
                        self.weak = true;
                        self.weak_comma |= cell.contains(',');
                    }
                }
            }
            Strict::Open => {
                // A text that begins with a quote, if the row is whole.
                let follows = |next: &str| next.matches(delimiter).count() + 1 == self.width;
                if width == self.width && next.is_none_or(follows) {
                    self.literal |= next.is_some();
                }
            }
        }
    }

    fn plain_cell(&mut self, cell: &str) {
        if is_text(cell) {
            self.plain = true;
            self.plain_comma |= cell.contains(',');
        }
    }

    /// A row that went on over several lines in quotes.
    fn add_long(&mut self, line: u64) {
        self.rows += 1;
        self.line.get_or_insert(line);
        self.strong = true;
    }

    /// What quotes are; `None` if it cannot be told. `whole` says that there
    /// are no more rows.
    pub(super) fn verdict(&self, whole: bool) -> Option<Quoting> {
        match () {
            () if self.literal && self.strong && !whole => None,
            () if self.literal => Some(Quoting::Off),
            () if self.unclear => None,
            () if self.strong => Some(Quoting::On),
            () if !self.weak => Some(Quoting::Auto),
            // Quotes around every text, in more than one row.
            () if !self.plain => (whole && self.rows > 1).then_some(Quoting::On),
            () if self.weak_comma && !self.plain_comma => None,
            () => Some(Quoting::Auto),
        }
    }
}

/// Whether a cell is a text, not empty and not a number.
fn is_text(cell: &str) -> bool {
    let cell = cell.trim();
    !cell.is_empty() && cell.parse::<f64>().is_err()
}

/// The most lines that a cell in quotes is followed over.
const LONGEST: usize = 200;

/// Reads a file until it shows what quotes are, or to its end.
///
/// # Errors
/// [`DataError::UnclearQuotes`]; those of [`Lines`].
pub(super) fn decide(mut lines: Lines, delimiter: char) -> Result<Quoting> {
    let mut seen = Evidence::default();
    let mut ahead = next(&mut lines)?;
    while let Some((number, row)) = ahead.take() {
        ahead = next(&mut lines)?;
        let open = row.contains('"') && matches!(strict(&row, delimiter), Strict::Open);
        let before = seen.rows;
        seen.add(
            number,
            &row,
            delimiter,
            ahead.as_ref().map(|(_, row)| row.as_str()),
        );
        // A quote that stays open may close on a later line.
        if open && !seen.literal {
            let mut whole = row;
            for _ in 0..LONGEST {
                let Some((_, more)) = ahead.take() else { break };
                whole = whole + "\n" + &more;
                ahead = next(&mut lines)?;
                match strict(&whole, delimiter) {
                    Strict::Open => continue,
                    Strict::Cells(cells) if before == 0 || cells.len() == seen.width => {
                        seen.add_long(number);
                        if before == 0 {
                            seen.width = cells.len();
                        }
                    }
                    _ => seen.literal = true,
                }
                break;
            }
        }
        if seen.literal {
            return Ok(Quoting::Off);
        }
    }
    let unclear = || {
        let at = super::Place::new(lines.path(), seen.line.unwrap_or(1));
        DataError::UnclearQuotes { at }.into()
    };
    match seen.verdict(true) {
        Some(Quoting::On) => Ok(Quoting::On),
        Some(_) => Ok(Quoting::Off),
        None => Err(unclear()),
    }
}

/// The next line that is not blank, and its number.
fn next(lines: &mut Lines) -> Result<Option<(u64, String)>> {
    loop {
        match lines.next_line()? {
            None => return Ok(None),
            Some(row) if row.trim().is_empty() => {}
            Some(row) => {
                let row = row.to_string();
                return Ok(Some((lines.place().line, row)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn decided(text: &str) -> Option<Quoting> {
        let bytes = std::io::Cursor::new(text.as_bytes().to_vec());
        decide(Lines::new(bytes, Path::new("f.tsv")).unwrap(), '\t').ok()
    }

    #[test]
    fn files_show_what_their_quotes_are() {
        let (on, off) = (Some(Quoting::On), Some(Quoting::Off));
        for (text, want) in [
            ("a\tb\nc\td\n", off),
            // Text, whatever else comes.
            ("\"Yes,\" he said\ta\nb\tc\n", off),
            ("5\" pipe\ta\n", off),
            ("\"say \"\"x\"\"\"\ta\n5\" pipe\tb\n", off),
            ("\"Never closed\tb\nc\td\n", off),
            ("a\t\"Never closed\nc\td\n", off),
            ("1.0\t\"Oh!\tNo!\"\n1.0\ta\tb\n", off),
            ("2\ta\tb\n1.0\t\"Oh!\tNo!\"\n", off),
            ("\"A man.\"\tA dog.\n", off),
            ("\"Well, yes.\"\tA, b.\n", off),
            // What a spreadsheet program or a data frame writes.
            ("\"say \"\"x\"\"\"\ta\nb\tc\n", on),
            ("a\tb\n\"tab\tin it\"\tc\n", on),
            ("a\tb\n\"two\nlines\"\tc\n", on),
            (
                "\"sentence1\"\t\"sentence2\"\t\"score\"\n\"a\"\t\"b\"\t3.5\n",
                on,
            ),
            // A question.
            ("\"Well, yes.\"\tA dog.\n", None),
            ("\"a\"\t\"b\"\n", None),
            ("\"a\"\t\"say \\\"x\\\"\"\n\"b\"\t\"c\"\n", None),
        ] {
            assert_eq!(decided(text), want, "{text:?}");
        }
    }
}
