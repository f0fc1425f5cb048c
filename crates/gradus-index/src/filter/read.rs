//! The words of a filter.

use super::{Comparison, FilterError};
use serde_json::{Number, Value};

/// A word and the character that it begins at, counted from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub at: usize,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A name, or a word of the grammar.
    Word(String),
    /// A name in backquotes.
    Quoted(String),
    Value(Value),
    Compare(Comparison),
    Open,
    Close,
    Comma,
    End,
}

pub(super) fn fail<T>(at: usize, what: impl Into<String>) -> Result<T, FilterError> {
    let what = what.into();
    Err(FilterError { at, what })
}

/// All words, with the end as the last.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = vec![];
    let mut place = 0;
    while let Some(&c) = characters.get(place) {
        let at = place + 1;
        let next = characters.get(place + 1).copied();
        let (kind, length) = match (c, next) {
            (c, _) if c.is_whitespace() => {
                place += 1;
                continue;
            }
            ('(', _) => (Kind::Open, 1),
            (')', _) => (Kind::Close, 1),
            (',', _) => (Kind::Comma, 1),
            ('!', Some('=')) => (Kind::Compare(Comparison::Unequal), 2),
            ('<', Some('=')) => (Kind::Compare(Comparison::LessOrEqual), 2),
            ('>', Some('=')) => (Kind::Compare(Comparison::MoreOrEqual), 2),
            ('=', _) => (Kind::Compare(Comparison::Equal), 1),
            ('<', _) => (Kind::Compare(Comparison::Less), 1),
            ('>', _) => (Kind::Compare(Comparison::More), 1),
            ('"' | '\'' | '`', _) => {
                let (inner, length) = quoted(&characters[place..], at)?;
                match c {
                    '`' => (Kind::Quoted(inner), length),
                    _ => (Kind::Value(Value::String(inner)), length),
                }
            }
            (c, _) if is_of_word(c) => {
                let word = characters[place..].iter().take_while(|c| is_of_word(**c));
                let word: String = word.collect();
                let length = word.chars().count();
                (word_of(word, at)?, length)
            }
            (c, _) => {
                return fail(
                    at,
                    format!("{c:?} stands where a value, a column or a sign was expected"),
                );
            }
        };
        tokens.push(Token { at, kind });
        place += length;
    }
    tokens.push(Token {
        at: characters.len() + 1,
        kind: Kind::End,
    });
    Ok(tokens)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '+')
}

/// What stands between two quotes of a kind, and how long it is with them. A quote
/// within is written twice.
fn quoted(characters: &[char], at: usize) -> Result<(String, usize), FilterError> {
    let quote = characters[0];
    let mut inner = String::new();
    let mut place = 1;
    while let Some(&c) = characters.get(place) {
        if c == quote {
            if characters.get(place + 1) != Some(&quote) {
                return Ok((inner, place + 1));
            }
            place += 1;
        }
        inner.push(c);
        place += 1;
    }
    fail(at, format!("what begins with {quote} has no end"))
}

/// A number, one of the words for values, or a name.
fn word_of(word: String, at: usize) -> Result<Kind, FilterError> {
    let is_number = word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if is_number && let Ok(number) = word.parse::<f64>() {
        let number = match word.parse::<i64>() {
            Ok(whole) => Some(Number::from(whole)),
            Err(_) => Number::from_f64(number),
        };
        return match number {
            Some(number) => Ok(Kind::Value(Value::Number(number))),
            None => fail(at, format!("{word} is no finite number")),
        };
    }
    Ok(match word.as_str() {
        "true" => Kind::Value(Value::Bool(true)),
        "false" => Kind::Value(Value::Bool(false)),
        "null" => Kind::Value(Value::Null),
        _ => Kind::Word(word),
    })
}
