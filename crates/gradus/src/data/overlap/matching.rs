//! What counts as the same text.

use serde::{Deserialize, Serialize};

/// What counts as the same text. Either way a pair is the same in both orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// The same characters, but for white space at the ends.
    Exact,
    /// The same words: lower-cased runs of letters and digits. Also finds the
    /// tokenised, lower-cased text of SentEval.
    #[default]
    #[serde(alias = "normalized")]
    Normalised,
}

impl Matching {
    /// What two texts share that are the same.
    pub(super) fn key(self, text: &str) -> String {
        let text = text.trim();
        if self == Matching::Exact {
            return text.to_string();
        }
        let mut key = String::with_capacity(text.len());
        let mut gap = false;
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_alphanumeric() {
                if gap && !key.is_empty() {
                    key.push(' ');
                }
                key.push(c);
                gap = false;
            } else {
                gap = true;
            }
        }
        // Texts of signs alone differ by their signs.
        if key.is_empty() {
            text.to_string()
        } else {
            key
        }
    }

    pub(super) fn pair(self, first: &str, second: &str) -> (String, String) {
        let (a, b) = (self.key(first), self.key(second));
        if a <= b { (a, b) } else { (b, a) }
    }
}
