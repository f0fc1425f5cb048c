//! Vocabulary of HTML. Whatever comes from files is escaped here.

use crate::markup::escaped;
use std::fmt::Write;

/// A cell of a table.
pub(super) struct Cell {
    text: String,
    class: &'static str,
    /// 0 to 1: how strongly it is tinted.
    tint: Option<f64>,
}

impl Cell {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            class: "text",
            tint: None,
        }
    }

    /// A number, to the right.
    pub fn number(text: impl Into<String>) -> Self {
        Self {
            class: "number",
            ..Self::text(text)
        }
    }

    /// A range, on two lines where room is scarce.
    pub fn range(text: impl Into<String>) -> Self {
        Self {
            class: "number range",
            ..Self::text(text)
        }
    }

    /// The best of its column.
    pub fn best(self, best: bool) -> Self {
        let class = if best { "number best" } else { self.class };
        Self { class, ..self }
    }

    /// Tints it.
    pub fn tint(self, share: f64) -> Self {
        Self {
            tint: Some(share.clamp(0.0, 1.0)),
            ..self
        }
    }
}

/// A table; `caption` says how its numbers came about. All is escaped.
pub(super) fn table(caption: &str, head: &[String], rows: &[Vec<Cell>]) -> String {
    let mut out = String::from("<div class=\"table\"><table>");
    if !head.is_empty() {
        out += "<thead><tr>";
        // A column of text is headed on the left.
        for (c, name) in head.iter().enumerate() {
            let of_text = rows
                .first()
                .and_then(|r| r.get(c))
                .is_some_and(|cell| cell.class == "text");
            let class = if of_text { "text" } else { "number" };
            let _ = write!(out, "<th class=\"{class}\">{}</th>", escaped(name));
        }
        out += "</tr></thead>";
    }
    out += "<tbody>";
    for row in rows {
        out += "<tr>";
        for cell in row {
            let tint = cell.tint.map_or(String::new(), |t| {
                format!(" style=\"--tint:{:.0}%\"", 60.0 * t)
            });
            let tinted = if cell.tint.is_some() { " tinted" } else { "" };
            let _ = write!(
                out,
                "<td class=\"{}{tinted}\"{tint}>{}</td>",
                cell.class,
                escaped(&cell.text)
            );
        }
        out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
    // Beside the table: it would scroll with it.
    if !caption.is_empty() {
        let _ = writeln!(out, "<p class=\"caption\">{}</p>", escaped(caption));
    }
    out
}

/// A drawing with its legend: colours of series (by their place) and what they
/// are, and a sentence on what there is to see.
pub(super) fn figure(svg: &str, legend: &[(usize, &str)], caption: &str) -> String {
    let mut out = format!("<figure>{svg}<figcaption>");
    for (colour, name) in legend {
        let _ = write!(
            out,
            "<span class=\"key\" style=\"--key:var(--series-{})\">{}</span> ",
            colour % crate::markup::COLOURS + 1,
            escaped(name)
        );
    }
    let _ = writeln!(out, "{}</figcaption></figure>", escaped(caption));
    out
}

/// A paragraph.
pub(super) fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escaped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_file_is_markup() {
        let evil = "<script>alert('x' & \"y\")</script>\u{0}";
        let html = table(evil, &[evil.into()], &[vec![Cell::text(evil).tint(7.0)]])
            + &figure("", &[(9, evil)], evil)
            + &paragraph(evil);
        assert!(
            !html.contains("<script") && !html.contains('\u{0}'),
            "{html}"
        );
        assert_eq!(
            html.matches("&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)")
                .count(),
            6
        );
    }
}
