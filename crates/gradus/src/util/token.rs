//! Secrets that servers know their users by.

use std::fmt;

/// A secret that lets its bearer in. Never printed, and sent to the one server only
/// that it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Trims the text; `None` if nothing is left or it cannot be in a header.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let sound = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        sound.then(|| Token(text.into()))
    }

    #[cfg_attr(not(feature = "hub"), allow(dead_code))]
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// The text without the secret, which a server may have put into its answer.
    #[cfg_attr(not(feature = "hub"), allow(dead_code))]
    pub(crate) fn hide_in(&self, text: &str) -> String {
        text.replace(&self.0, "***")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_trimmed_and_never_printed() {
        let token = Token::new(" secret\n").unwrap();
        assert_eq!(token.header(), "Bearer secret");
        assert_eq!(format!("{token:?}"), "Token(..)");
        assert_eq!(token.hide_in("wrong key: secret"), "wrong key: ***");
        assert_eq!(Token::new("two\r\nlines"), None);
        assert_eq!(Token::new("  "), None);
    }
}
