//! Vectors and models, as OpenAI gives them.

use super::embed::makes_vectors;
use super::rerank::Usage;
use super::shared::{Inputs, reading};
use crate::http::{ApiError, Body, Kind, Reply, State};
use crate::work::shaped;
use axum::Json;
use axum::extract::{self, Path};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct EmbeddingsRequest {
    /// A text, a list of token ids, or a list of either.
    input: Inputs,
    /// The name of a model; by default the first that makes vectors.
    model: Option<String>,
    /// By default `float`.
    encoding_format: Option<EncodingFormat>,
    /// The first values of each vector.
    dimensions: Option<usize>,
    /// Of no effect.
    #[serde(rename = "user")]
    _user: Option<String>,
    /// Not OpenAI's: the model's prompt of this name goes before every text.
    prompt_name: Option<String>,
    /// Not OpenAI's: whether inputs beyond the model's length are cut, or an error.
    truncate: Option<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum EncodingFormat {
    #[default]
    Float,
    /// The values as little-endian f32, in base64.
    Base64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EmbeddingsResponse<'a> {
    object: &'static str,
    data: Vec<EmbeddingObject>,
    model: &'a str,
    usage: Usage,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EmbeddingObject {
    object: &'static str,
    index: usize,
    embedding: EmbeddingValues,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum EmbeddingValues {
    Float(Vec<f32>),
    Base64(String),
}

impl EmbeddingValues {
    fn new(format: EncodingFormat, vector: Vec<f32>) -> Self {
        match format {
            EncodingFormat::Float => Self::Float(vector),
            EncodingFormat::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                Self::Base64(STANDARD.encode(bytes))
            }
        }
    }
}

/// A vector of length 1 for each input.
#[utoipa::path(post, path = "/v1/embeddings", request_body = EmbeddingsRequest, tag = "OpenAI",
    responses((status = 200, description = "A vector for each input", body = EmbeddingsResponse)))]
pub(super) async fn embeddings(
    extract::State(state): extract::State<Arc<State>>,
    Body(request): Body<EmbeddingsRequest>,
) -> Result<Response, ApiError> {
    let (inputs, batch) = request.input.into_list();
    let mut reply = Reply::begin(batch);
    let name = request.model.as_deref();
    let at = state.find(name, makes_vectors, "make vectors")?;
    let mut reading = reading(request.prompt_name, request.truncate, None);
    reading.refuse_empty = true;
    let mut answered = state.workshop.vectors(at, inputs, reading).await?;
    reply.note(&answered);
    let tokens = answered.tokens();
    let values = std::mem::take(&mut answered.values);
    let vectors = shaped(at.1, values, request.dimensions, true)?;
    let format = request.encoding_format.unwrap_or_default();
    let data = vectors.into_iter().enumerate();
    let data = data.map(|(index, vector)| EmbeddingObject {
        object: "embedding",
        index,
        embedding: EmbeddingValues::new(format, vector),
    });
    Ok(reply.json(&EmbeddingsResponse {
        object: "list",
        data: data.collect(),
        model: &at.1.name,
        usage: Usage::of(tokens),
    }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelList {
    object: &'static str,
    data: Vec<ModelObject>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelObject {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
    /// Not OpenAI's: what it does, of `embed`, `rerank`, `classify` and `grade`.
    capabilities: Vec<&'static str>,
    /// Not OpenAI's: whether it is there.
    ready: bool,
}

fn described(state: &State) -> Vec<ModelObject> {
    let object = |at: &crate::http::At| {
        let model = at.model.get();
        let mut capabilities = vec![];
        if let Some(model) = model {
            if model.sentence().is_some() {
                capabilities.extend(["embed", "rerank"]);
            }
            if model.is_reranker() {
                capabilities.push("rerank");
            }
            if model.cross().is_some() {
                capabilities.push("classify");
            }
            capabilities.push("grade");
        }
        ModelObject {
            id: at.name.clone(),
            object: "model",
            created: model.map_or(0, |m| m.loaded),
            owned_by: "gradus",
            capabilities,
            ready: model.is_some(),
        }
    };
    state.models.iter().map(object).collect()
}

/// The models of this server.
#[utoipa::path(get, path = "/v1/models", tag = "OpenAI",
    responses((status = 200, description = "The models of this server", body = ModelList)))]
pub(super) async fn models(extract::State(state): extract::State<Arc<State>>) -> Json<ModelList> {
    Json(ModelList {
        object: "list",
        data: described(&state),
    })
}

/// A model of this server.
#[utoipa::path(get, path = "/v1/models/{name}", tag = "OpenAI",
    params(("name" = String, Path, description = "The model's name")),
    responses((status = 200, description = "The model", body = ModelObject)))]
pub(super) async fn model(
    extract::State(state): extract::State<Arc<State>>,
    Path(name): Path<String>,
) -> Result<Json<ModelObject>, ApiError> {
    let found = described(&state).into_iter().find(|m| m.id == name);
    let message = || format!("there is no model `{name}`");
    found
        .map(Json)
        .ok_or_else(|| ApiError::new(Kind::NoModel, message()).of("model"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_little_endian_floats() {
        let EmbeddingValues::Base64(text) =
            EmbeddingValues::new(EncodingFormat::Base64, vec![1.0, -2.0])
        else {
            panic!("another form");
        };
        assert_eq!(text, "AACAPwAAAMA=");
    }
}
