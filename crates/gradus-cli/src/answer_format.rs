//! The forms in which commands answer row by row.

use std::io::{self, IsTerminal};

/// By name, for options.
pub const FORMATS: &[(&str, AnswerFormat)] = &[
    ("text", AnswerFormat::Text),
    ("tsv", AnswerFormat::Tsv),
    ("json", AnswerFormat::Json),
];

/// The form of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFormat {
    /// Rounded, for people.
    Text,
    /// Numbers unrounded, in columns.
    Tsv,
    /// An object a line.
    Json,
}

impl AnswerFormat {
    /// That of answers on standard output where nobody says: for people on a terminal.
    pub fn usual() -> Self {
        match io::stdout().is_terminal() {
            true => Self::Text,
            false => Self::Tsv,
        }
    }
}

/// A text without tabs, line ends and what else steers a terminal.
pub fn on_one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}
