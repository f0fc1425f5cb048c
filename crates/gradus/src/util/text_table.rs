//! Tables as text.

use std::fmt::Write;

/// Rows of cells, equally many in each; the first row and column are headings.
pub(crate) struct TextTable(pub Vec<Vec<String>>);

impl TextTable {
    /// Columns under each other, numbers to the right.
    pub fn aligned(&self) -> String {
        let mut out = String::new();
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |c: usize| self.0.iter().map(|row| length(&row[c])).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.0 {
            let mut line = String::new();
            for (c, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let pad = " ".repeat(width - length(cell));
                let _ = match c {
                    0 => write!(line, "{cell}{pad}"),
                    _ => write!(line, "  {pad}{cell}"),
                };
            }
            out += line.trim_end();
            out.push('\n');
        }
        out
    }

    /// As Markdown has it.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for (r, row) in self.0.iter().enumerate() {
            let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
            if r == 0 {
                let _ = writeln!(out, "|---{}|", "|--:".repeat(row.len() - 1));
            }
        }
        out
    }
}

/// Text that may stand in a cell of a Markdown table.
pub(crate) fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn length(cell: &str) -> usize {
    cell.chars().count()
}
