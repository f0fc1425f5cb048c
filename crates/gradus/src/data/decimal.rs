//! How numbers are written in a file.

use serde::{Deserialize, Serialize};

/// How numbers are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decimal {
    /// `3.5`.
    #[default]
    Point,
    /// `3,5`.
    Comma,
}

impl Decimal {
    /// A number as it is written here in its usual form; other texts as they
    /// are. `None` for a number that is written the other way.
    pub(super) fn usual(self, text: &str) -> Option<String> {
        if self == Self::Point {
            return Some(text.to_string());
        }
        let bare = text.trim();
        match bare.split_once(',') {
            None if bare.contains('.') && bare.parse::<f64>().is_ok() => None,
            Some((whole, part)) if is_number(whole, part) => Some(format!("{whole}.{part}")),
            _ => Some(text.to_string()),
        }
    }
}

/// Whether these are the two sides of a decimal comma.
pub(super) fn is_number(whole: &str, part: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let whole = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    !whole.is_empty() && !part.is_empty() && digits(whole) && digits(part)
}
