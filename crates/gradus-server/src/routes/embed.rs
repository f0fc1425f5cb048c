//! Vectors, as text-embeddings-inference gives them.

use super::shared::{ErrorBody, Inputs, Side, reading};
use crate::http::{ApiError, Body, Reply, State};
use crate::model::ServedModel;
use crate::work::shaped;
use axum::extract;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct EmbedRequest {
    /// A text, a list of token ids, or a list of either.
    inputs: Inputs,
    /// Whether inputs beyond the model's length are cut, or an error; by default as the
    /// server was told.
    truncate: Option<bool>,
    /// The side that is cut off; by default as the model's tokenizer says.
    truncation_direction: Option<Side>,
    /// The model's prompt of this name goes before every text.
    prompt_name: Option<String>,
    /// Whether vectors are divided by their length; true by default.
    normalize: Option<bool>,
    /// The first values of each vector.
    dimensions: Option<usize>,
    /// The name of a model, where there are several.
    model: Option<String>,
}

pub(super) fn makes_vectors(model: &ServedModel) -> bool {
    model.sentence().is_some()
}

/// A vector for each input.
#[utoipa::path(post, path = "/embed", request_body = EmbedRequest, tag = "text-embeddings-inference",
    responses((status = 200, description = "A vector for each input", body = Vec<Vec<f32>>),
        (status = 422, description = "A value cannot be obeyed", body = ErrorBody),
        (status = 429, description = "The queue is full", body = ErrorBody)))]
pub(super) async fn embed(
    extract::State(state): extract::State<Arc<State>>,
    Body(request): Body<EmbedRequest>,
) -> Result<Response, ApiError> {
    let (inputs, batch) = request.inputs.into_list();
    let mut reply = Reply::begin(batch);
    let name = request.model.as_deref();
    let (number, model) = state.find(name, makes_vectors, "make vectors")?;
    let reading = reading(
        request.prompt_name,
        request.truncate,
        request.truncation_direction,
    );
    let at = (number, model);
    let mut answered = state.workshop.vectors(at, inputs, reading).await?;
    reply.note(&answered);
    let values = std::mem::take(&mut answered.values);
    let normalize = request.normalize.unwrap_or(true);
    let vectors = shaped(model, values, request.dimensions, normalize)?;
    Ok(reply.json(&vectors))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct EmbedAllRequest {
    /// A text, a list of token ids, or a list of either.
    inputs: Inputs,
    /// As of `/embed`.
    truncate: Option<bool>,
    /// As of `/embed`.
    truncation_direction: Option<Side>,
    /// As of `/embed`.
    prompt_name: Option<String>,
    /// The name of a model, where there are several.
    model: Option<String>,
}

/// A vector for each token of each input, before pooling.
#[utoipa::path(post, path = "/embed_all", request_body = EmbedAllRequest, tag = "text-embeddings-inference",
    responses((status = 200, description = "The vectors of each input's tokens", body = Vec<Vec<Vec<f32>>>),
        (status = 422, description = "A value cannot be obeyed", body = ErrorBody)))]
pub(super) async fn embed_all(
    extract::State(state): extract::State<Arc<State>>,
    Body(request): Body<EmbedAllRequest>,
) -> Result<Response, ApiError> {
    let (inputs, batch) = request.inputs.into_list();
    let mut reply = Reply::begin(batch);
    let name = request.model.as_deref();
    let (number, model) = state.find(name, makes_vectors, "make vectors")?;
    let reading = reading(
        request.prompt_name,
        request.truncate,
        request.truncation_direction,
    );
    let at = (number, model);
    let answered = state.workshop.token_vectors(at, inputs, reading).await?;
    reply.note(&answered);
    let width = model
        .sentence()
        .map_or(1, |m| m.config().hidden_size)
        .max(1);
    let vectors = answered.values.iter();
    let vectors: Vec<Vec<&[f32]>> = vectors.map(|v| v.chunks_exact(width).collect()).collect();
    Ok(reply.json(&vectors))
}
