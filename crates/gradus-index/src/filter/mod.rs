//! Conditions on the columns of texts, such as `lang = "de" and year > 2019`.
//!
//! ```text
//! filter     = all { "or" all }
//! all        = one { "and" one }
//! one        = "not" one | "(" filter ")" | column test
//! test       = ("=" | "!=" | "<" | "<=" | ">" | ">=") value | "in" "(" value { "," value } ")"
//! value      = "text" | 'text' | number | true | false | null
//! column     = letters, digits, "_", "-", "."; any other name in backquotes
//! ```
//!
//! A number is compared with numbers, and with texts that are numbers, as cells of files
//! without types are. A column that a text does not have is null: it equals null alone,
//! and no other test of it holds but `!=`.

mod parse;
mod read;

use serde_json::{Map, Value};
use std::cmp::Ordering;

/// Why a filter cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--filter, at character {at}: {what}")]
pub struct FilterError {
    /// The character that is to blame, counted from 1.
    pub at: usize,
    /// What is wrong there.
    pub what: String,
}

/// A condition on the columns of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them hold.
    And(Vec<Filter>),
    /// One of them holds.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A column is as a value, or less, or more.
    Compare(String, Comparison, Value),
    /// A column is one of some values.
    In(String, Vec<Value>),
}

/// How a column is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    More,
    /// `>=`
    MoreOrEqual,
}

impl Filter {
    /// Understands a filter.
    ///
    /// # Errors
    /// [`FilterError`] with the place that is to blame.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }

    /// Whether it holds for a text with these columns.
    pub fn holds(&self, columns: &Map<String, Value>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|filter| filter.holds(columns)),
            Self::Or(any) => any.iter().any(|filter| filter.holds(columns)),
            Self::Not(filter) => !filter.holds(columns),
            Self::Compare(column, comparison, value) => {
                let own = columns.get(column).unwrap_or(&Value::Null);
                comparison.holds(own, value)
            }
            Self::In(column, values) => {
                let own = columns.get(column).unwrap_or(&Value::Null);
                let equal = |value| Comparison::Equal.holds(own, value);
                values.iter().any(equal)
            }
        }
    }
}

impl Comparison {
    fn holds(self, own: &Value, value: &Value) -> bool {
        let order = order(own, value);
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::Unequal => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::More => order == Some(Ordering::Greater),
            Self::MoreOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// How a column's value stands to that of a filter; `None` where they cannot be compared.
fn order(own: &Value, value: &Value) -> Option<Ordering> {
    match (own, value) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (own, Value::Number(number)) => {
            let own = match own {
                Value::Number(own) => own.as_f64(),
                Value::String(own) => own.trim().parse().ok(),
                _ => None,
            };
            own?.partial_cmp(&number.as_f64()?)
        }
        // Cells hold "true" and "false".
        (Value::String(own), Value::Bool(value)) => Some(own.parse::<bool>().ok()?.cmp(value)),
        (Value::Number(own), Value::String(text)) => {
            let number: f64 = text.trim().parse().ok()?;
            own.as_f64()?.partial_cmp(&number)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn holds(filter: &str, columns: Value) -> bool {
        let Value::Object(columns) = columns else {
            panic!("columns are an object");
        };
        Filter::parse(filter).unwrap().holds(&columns)
    }

    #[test]
    fn conditions_hold_or_do_not() {
        let row =
            || json!({"lang": "de", "year": 2021, "cell": "7", "on": true, "a b": 1, "no": null});
        for filter in [
            r#"lang = "de" and year > 2019"#,
            "lang = 'de' AND NOT year < 2019",
            "lang in ('en', 'de')",
            "year in (1, 2021)",
            "cell = 7 and cell < 7.5 and cell >= 7",
            "cell = '7'",
            "on = true and not on = false",
            "`a b` = 1",
            "missing = null and no = null",
            "missing != 'x'",
            "not (lang = 'en' or year = 3)",
            "lang = 'en' or lang = 'de' and year = 2021",
            "year >= 2021 and year <= 2021 and year != 2020",
            "year = 2.021e3",
            "lang > 'da' and lang < 'df'",
        ] {
            assert!(holds(filter, row()), "{filter}");
            assert!(!holds(&format!("not ({filter})"), row()), "{filter}");
        }
        for filter in [
            "missing < 3",
            "missing = 3",
            "lang < 3",
            "on = 'x'",
            "no > 1",
            "lang in ()",
        ] {
            let holds = Filter::parse(filter).map(|_| holds(filter, row()));
            assert_ne!(holds, Ok(true), "{filter}");
        }
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        for (filter, at, what) in [
            ("", 1, "a column"),
            ("lang", 5, "=, !="),
            ("lang =", 7, "a value"),
            ("lang = \"de", 8, "has no end"),
            ("lang = de", 8, "in quotes"),
            ("(lang = 1", 10, ")"),
            ("lang = 1)", 9, "the end"),
            ("lang = 1 year = 2", 10, "and, or"),
            ("lang == 1", 7, "a value"),
            ("and = 1", 1, "a column"),
            ("x in 1", 6, "("),
            ("x in (1", 8, ")"),
            ("x = 1 and", 10, "a column"),
            ("x = #", 5, "a value"),
            ("x = 1e999", 5, "number"),
            ("`x = 1", 1, "has no end"),
        ] {
            let error = Filter::parse(filter).unwrap_err();
            assert_eq!(error.at, at, "{filter}: {error}");
            assert!(error.what.contains(what), "{filter}: {error}");
        }
        let deep = "(".repeat(100_000);
        assert!(Filter::parse(&deep).unwrap_err().what.contains("deep"));
        let deep = format!("{}x = 1", "not ".repeat(100_000));
        assert!(Filter::parse(&deep).unwrap_err().what.contains("deep"));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in r#"[ a-z0-9"'`()=<>!,.äß-]{0,40}|(and|or|not|in|x|=|!=|\(|\)|1|'a'| ){0,20}"#) {
            if let Ok(filter) = Filter::parse(&text) {
                filter.holds(&Map::new());
            }
        }
    }
}
