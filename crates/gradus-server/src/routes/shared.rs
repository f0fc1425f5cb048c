//! Fields that several routes have.

use crate::http::{ApiError, Kind};
use crate::work::{Input, Reading};
use gradus::format::PromptChoice;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A text, or its token ids.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "an input is a text or a list of token ids, and there is one of them or a list"
)]
pub(super) enum OneInput {
    Text(String),
    Ids(Vec<u32>),
}

/// One input or several.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "expected a text, a list of token ids, or a list of either"
)]
pub(super) enum Inputs {
    One(OneInput),
    Many(Vec<OneInput>),
}

impl From<OneInput> for Input {
    fn from(input: OneInput) -> Self {
        match input {
            OneInput::Text(text) => Self::Text(text),
            OneInput::Ids(ids) => Self::Ids(ids),
        }
    }
}

impl Inputs {
    /// As they are worked on, and whether they came as a list.
    pub fn into_list(self) -> (Vec<Input>, bool) {
        match self {
            Self::One(OneInput::Ids(ids)) if ids.is_empty() => (vec![], true),
            Self::One(input) => (vec![input.into()], false),
            Self::Many(inputs) => (inputs.into_iter().map(Input::from).collect(), true),
        }
    }
}

/// The side of an input that is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub(super) enum Side {
    #[serde(alias = "left")]
    Left,
    #[serde(alias = "right")]
    Right,
}

/// How inputs are read, as these requests say it.
pub(super) fn reading(
    prompt_name: Option<String>,
    truncate: Option<bool>,
    side: Option<Side>,
) -> Reading {
    Reading {
        prompt: prompt_name.map(PromptChoice::Named),
        truncate,
        cut_beginnings: side.map(|side| side == Side::Left),
        refuse_empty: false,
    }
}

/// A text, by itself or as the field of an object.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "expected a text, or an object with the field `text`"
)]
pub(super) enum Document {
    Text(String),
    Object { text: String },
}

impl Document {
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Object { text } => text,
        }
    }
}

/// An error in the shape of text-embeddings-inference.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    error: String,
    error_type: String,
}

/// A number of the best that is more than none; none or 0 is all.
pub(super) fn most(top: Option<i64>, field: &'static str) -> Result<Option<usize>, ApiError> {
    match top {
        None | Some(0) => Ok(None),
        Some(top) => usize::try_from(top).map(Some).map_err(|_| {
            let message = format!("{field} is {top}, and must be a number from 0 on");
            ApiError::new(Kind::Validation, message).of(field)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_texts_ids_or_lists_of_them() {
        let read = |json: &str| serde_json::from_str::<Inputs>(json).map(Inputs::into_list);
        let text = |t: &str| Input::Text(t.into());
        assert_eq!(read("\"a\"").unwrap(), (vec![text("a")], false));
        assert_eq!(read("[]").unwrap(), (vec![], true));
        assert_eq!(
            read("[1, 2]").unwrap(),
            (vec![Input::Ids(vec![1, 2])], false)
        );
        assert_eq!(
            read("[\"a\", [1], \"\"]").unwrap(),
            (vec![text("a"), Input::Ids(vec![1]), text("")], true)
        );
        for bad in ["1", "null", "[-1]", "[1.5]", "{}", "[[[1]]]", "[\"a\", 1]"] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains("expected a text"), "{bad}: {error}");
        }
    }

    #[test]
    fn none_and_nothing_are_all() {
        assert_eq!(most(None, "top_n"), Ok(None));
        assert_eq!(most(Some(0), "top_n"), Ok(None));
        assert_eq!(most(Some(3), "top_n"), Ok(Some(3)));
        assert!(most(Some(-1), "top_n").is_err());
    }
}
