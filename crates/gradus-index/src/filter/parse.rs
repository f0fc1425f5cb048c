//! From words to a filter.

use super::read::{Kind, Token, fail, tokens};
use super::{Filter, FilterError};
use serde_json::Value;

/// Conditions within each other.
const DEEPEST: usize = 64;

pub(super) fn parse(text: &str) -> Result<Filter, FilterError> {
    let mut words = Words {
        tokens: tokens(text)?,
        place: 0,
    };
    let filter = words.any(0)?;
    match words.now() {
        Token {
            kind: Kind::End, ..
        } => Ok(filter),
        Token {
            at,
            kind: Kind::Close,
        } => fail(*at, "a ) that closes nothing; the end was expected"),
        Token { at, .. } => fail(*at, "and, or, or the end was expected"),
    }
}

struct Words {
    /// The last is the end.
    tokens: Vec<Token>,
    place: usize,
}

impl Words {
    fn now(&self) -> &Token {
        &self.tokens[self.place.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.now().clone();
        self.place += 1;
        token
    }

    /// Whether a word of the grammar is next, which is taken then.
    fn takes(&mut self, word: &str) -> bool {
        let here = matches!(&self.now().kind, Kind::Word(w) if w.eq_ignore_ascii_case(word));
        self.place += usize::from(here);
        here
    }

    fn any(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut parts = vec![self.all(depth)?];
        while self.takes("or") {
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, Filter::Or))
    }

    fn all(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut parts = vec![self.one(depth)?];
        while self.takes("and") {
            parts.push(self.one(depth)?);
        }
        Ok(one_or(parts, Filter::And))
    }

    fn one(&mut self, depth: usize) -> Result<Filter, FilterError> {
        if depth > DEEPEST {
            let what = format!("conditions are more than {DEEPEST} deep");
            return fail(self.now().at, what);
        }
        if self.takes("not") {
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        let first = self.take();
        let column = match first.kind {
            Kind::Open => {
                let filter = self.any(depth + 1)?;
                let close = self.take();
                return match close.kind {
                    Kind::Close => Ok(filter),
                    _ => fail(close.at, "a ) was expected"),
                };
            }
            Kind::Word(word) if !is_of_grammar(&word) => word,
            Kind::Quoted(name) => name,
            _ => return fail(first.at, "a column was expected"),
        };
        self.test(column)
    }

    fn test(&mut self, column: String) -> Result<Filter, FilterError> {
        if self.takes("in") {
            let open = self.take();
            if open.kind != Kind::Open {
                return fail(open.at, "a ( with values behind it was expected");
            }
            let mut values = vec![self.value()?];
            loop {
                let next = self.take();
                match next.kind {
                    Kind::Comma => values.push(self.value()?),
                    Kind::Close => return Ok(Filter::In(column, values)),
                    _ => return fail(next.at, "a , or a ) was expected"),
                }
            }
        }
        let sign = self.take();
        let Kind::Compare(comparison) = sign.kind else {
            return fail(sign.at, "=, !=, <, <=, >, >= or in was expected");
        };
        let value = self.value()?;
        Ok(Filter::Compare(column, comparison, value))
    }

    fn value(&mut self) -> Result<Value, FilterError> {
        let token = self.take();
        match token.kind {
            Kind::Value(value) => Ok(value),
            Kind::Word(word) => {
                let what = format!("a value was expected; a text stands in quotes: \"{word}\"");
                fail(token.at, what)
            }
            _ => fail(token.at, "a value was expected"),
        }
    }
}

fn is_of_grammar(word: &str) -> bool {
    let words = ["and", "or", "not", "in"];
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn one_or(mut parts: Vec<Filter>, many: impl Fn(Vec<Filter>) -> Filter) -> Filter {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            many(parts)
        }
    }
}
