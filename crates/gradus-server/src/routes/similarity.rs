//! Cosines of one text with others, as text-embeddings-inference gives them.

use super::embed::makes_vectors;
use super::shared::{ErrorBody, Side, reading};
use crate::http::{ApiError, Body, Kind, Reply, State};
use crate::work::Input;
use axum::extract;
use axum::response::Response;
use gradus::cosine;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SimilarityRequest {
    inputs: SimilarityInputs,
    parameters: Option<SimilarityParameters>,
    /// The name of a model, where there are several.
    model: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SimilarityInputs {
    source_sentence: String,
    sentences: Vec<String>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct SimilarityParameters {
    /// As of `/embed`.
    truncate: Option<bool>,
    /// As of `/embed`.
    truncation_direction: Option<Side>,
    /// As of `/embed`.
    prompt_name: Option<String>,
}

/// The cosine of the source sentence's vector with that of each sentence.
#[utoipa::path(post, path = "/similarity", request_body = SimilarityRequest, tag = "text-embeddings-inference",
    responses((status = 200, description = "A cosine for each sentence", body = Vec<f32>),
        (status = 422, description = "A value cannot be obeyed", body = ErrorBody)))]
pub(super) async fn similarity(
    extract::State(state): extract::State<Arc<State>>,
    Body(request): Body<SimilarityRequest>,
) -> Result<Response, ApiError> {
    let mut reply = Reply::begin(true);
    let name = request.model.as_deref();
    let at = state.find(name, makes_vectors, "make vectors")?;
    let SimilarityInputs {
        source_sentence,
        sentences,
    } = request.inputs;
    if sentences.is_empty() {
        return Err(ApiError::new(Kind::Empty, "`sentences` is empty"));
    }
    let parameters = request.parameters.unwrap_or_default();
    let reading = reading(
        parameters.prompt_name,
        parameters.truncate,
        parameters.truncation_direction,
    );
    let inputs = std::iter::once(source_sentence).chain(sentences);
    let inputs = inputs.map(Input::Text).collect();
    let answered = state.workshop.vectors(at, inputs, reading).await?;
    reply.note(&answered);
    let (source, others) = match answered.values.split_first() {
        Some(split) => split,
        None => return Err(ApiError::new(Kind::Internal, "there are no vectors")),
    };
    let cosines: Vec<f32> = others.iter().map(|v| cosine(source, v) as f32).collect();
    Ok(reply.json(&cosines))
}
