//! The tokenizer by itself, as text-embeddings-inference has it.

use super::shared::ErrorBody;
use crate::http::{ApiError, Body, Kind, Reply, State};
use axum::extract;
use axum::response::Response;
use gradus::format::PromptChoice;
use gradus::text::TextToken;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A text or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
pub(super) enum Texts {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct TokenizeRequest {
    inputs: Texts,
    /// True by default.
    add_special_tokens: Option<bool>,
    /// The model's prompt of this name goes before every text.
    prompt_name: Option<String>,
    /// The name of a model, where there are several.
    model: Option<String>,
}

/// A token, and the characters of the text that it stands for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SimpleToken {
    id: u32,
    text: String,
    special: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<usize>,
}

impl From<TextToken> for SimpleToken {
    fn from(token: TextToken) -> Self {
        Self {
            id: token.id,
            text: token.text,
            special: token.special,
            start: token.start,
            stop: token.stop,
        }
    }
}

/// The tokens of each text, not cut.
#[utoipa::path(post, path = "/tokenize", request_body = TokenizeRequest, tag = "text-embeddings-inference",
    responses((status = 200, description = "The tokens of each text", body = Vec<Vec<SimpleToken>>),
        (status = 422, description = "A value cannot be obeyed", body = ErrorBody)))]
pub(super) async fn tokenize(
    extract::State(state): extract::State<Arc<State>>,
    Body(request): Body<TokenizeRequest>,
) -> Result<Response, ApiError> {
    let (texts, batch) = match request.inputs {
        Texts::One(text) => (vec![text], false),
        Texts::Many(texts) => (texts, true),
    };
    let reply = Reply::begin(batch);
    if texts.is_empty() {
        return Err(ApiError::new(Kind::Empty, "there are no inputs"));
    }
    let limits = &state.workshop.limits;
    if texts.len() > limits.items || texts.iter().any(|text| text.len() > limits.text) {
        let message = format!(
            "more than {} texts, or one of more than {} bytes",
            limits.items, limits.text
        );
        return Err(ApiError::new(Kind::TooLarge, message));
    }
    let (_, model) = state.find(request.model.as_deref(), |_| true, "tokenize")?;
    let prompt = match (request.prompt_name, model.sentence()) {
        (None, _) => String::new(),
        (Some(name), Some(encoder)) => {
            let prompts = &encoder.folder().modules.prompts;
            let prompt = prompts.choose(&PromptChoice::Named(name));
            prompt.map_err(|e| ApiError::new(Kind::Validation, e).of("prompt_name"))?
        }
        (Some(_), None) => {
            let message = "a model that scores pairs has no prompts";
            return Err(ApiError::new(Kind::Validation, message).of("prompt_name"));
        }
    };
    let special = request.add_special_tokens.unwrap_or(true);
    let model = Arc::clone(model);
    let tokens = tokio::task::spawn_blocking(move || {
        let of = |text: &String| {
            model
                .tokenizer()
                .text_tokens(&format!("{prompt}{text}"), special)
        };
        texts.iter().map(of).collect::<gradus::Result<Vec<_>>>()
    });
    let tokens = tokens.await;
    let tokens = tokens.map_err(|e| ApiError::new(Kind::Internal, e.to_string()))?;
    let tokens = tokens.map_err(|e| ApiError::of_library(Kind::Tokenizer, e))?;
    let simple = |tokens: Vec<TextToken>| tokens.into_iter().map(SimpleToken::from).collect();
    let tokens: Vec<Vec<SimpleToken>> = tokens.into_iter().map(simple).collect();
    Ok(reply.json(&tokens))
}

/// The ids of a text or of several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "expected a list of token ids, or a list of such lists"
)]
pub(super) enum Ids {
    One(Vec<u32>),
    Many(Vec<Vec<u32>>),
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct DecodeRequest {
    ids: Ids,
    /// True by default.
    skip_special_tokens: Option<bool>,
    /// The name of a model, where there are several.
    model: Option<String>,
}

/// The text of token ids.
#[utoipa::path(post, path = "/decode", request_body = DecodeRequest, tag = "text-embeddings-inference",
    responses((status = 200, description = "A text for each list of ids", body = Vec<String>),
        (status = 422, description = "A value cannot be obeyed", body = ErrorBody)))]
pub(super) async fn decode(
    extract::State(state): extract::State<Arc<State>>,
    Body(request): Body<DecodeRequest>,
) -> Result<Response, ApiError> {
    let lists = match request.ids {
        Ids::One(ids) => vec![ids],
        Ids::Many(lists) => lists,
    };
    let reply = Reply::begin(lists.len() > 1);
    if lists.iter().all(Vec::is_empty) {
        return Err(ApiError::new(Kind::Empty, "there are no ids"));
    }
    let (_, model) = state.find(request.model.as_deref(), |_| true, "tokenize")?;
    let skip = request.skip_special_tokens.unwrap_or(true);
    let decode = |ids: &Vec<u32>| model.tokenizer().decode(ids, skip);
    let texts: gradus::Result<Vec<String>> = lists.iter().map(decode).collect();
    let texts = texts.map_err(|e| ApiError::of_library(Kind::Validation, e))?;
    Ok(reply.json(&texts))
}
