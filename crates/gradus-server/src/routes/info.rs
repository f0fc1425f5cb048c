//! What the server says of itself.

use crate::http::{ApiError, Kind, State};
use crate::measures as numbers;
use crate::model::ServedModel;
use axum::Json;
use axum::extract::{self, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Debug, Deserialize)]
pub(super) struct OfModel {
    model: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Info {
    model_id: String,
    model_sha: String,
    model_dtype: &'static str,
    served_model_name: String,
    #[schema(value_type = Object)]
    model_type: Value,
    max_input_length: usize,
    max_batch_tokens: usize,
    max_queued_tokens: usize,
    max_client_batch_size: usize,
    auto_truncate: bool,
    /// Values of a vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
    /// The names of the model's prompts.
    prompts: Vec<String>,
    /// The names of all models of the server.
    models: Vec<String>,
    version: &'static str,
}

fn kind(model: &ServedModel) -> Value {
    if let Some(encoder) = model.sentence() {
        let pooling = &encoder.folder().modules.pooling;
        let names: Vec<String> = pooling
            .iter()
            .map(|p| format!("{p:?}").to_lowercase())
            .collect();
        return json!({"embedding": {"pooling": names.join("+")}});
    }
    let labels = model.labels.iter().enumerate();
    let by_id: serde_json::Map<String, Value> = labels
        .clone()
        .map(|(id, name)| (id.to_string(), name.as_str().into()))
        .collect();
    let by_label: serde_json::Map<String, Value> =
        labels.map(|(id, name)| (name.clone(), id.into())).collect();
    let labels = json!({"id2label": by_id, "label2id": by_label});
    match model.is_reranker() {
        true => json!({"reranker": labels}),
        false => json!({"classifier": labels}),
    }
}

/// A model and the limits of its requests.
#[utoipa::path(get, path = "/info", tag = "Gradus",
    params(("model" = Option<String>, Query, description = "A model's name; by default the first's")),
    responses((status = 200, description = "The model and the limits", body = Info)))]
pub(super) async fn info(
    extract::State(state): extract::State<Arc<State>>,
    Query(OfModel { model }): Query<OfModel>,
) -> Result<Json<Info>, ApiError> {
    let (_, model) = state.find(model.as_deref(), |_| true, "exist")?;
    let prompts = model.sentence().map(|m| &m.folder().modules.prompts.named);
    let names = prompts.into_iter().flatten().map(|(name, _)| name.clone());
    Ok(Json(Info {
        model_id: model.name.clone(),
        model_sha: model.hash.clone(),
        model_dtype: model.precision(),
        served_model_name: model.name.clone(),
        model_type: kind(model),
        max_input_length: model.tokenizer().max_tokens(),
        max_batch_tokens: model.batch_tokens(),
        max_queued_tokens: state.workshop.limits.queued_tokens,
        max_client_batch_size: state.workshop.limits.items,
        auto_truncate: state.workshop.truncate,
        dimensions: model.sentence().map(|m| m.dim()),
        prompts: names.collect(),
        models: state.models.iter().map(|at| at.name.clone()).collect(),
        version: env!("CARGO_PKG_VERSION"),
    }))
}

/// Whether all models are there.
#[utoipa::path(get, path = "/health", tag = "Gradus",
    responses((status = 200, description = "All models are there"),
        (status = 503, description = "A model is being loaded, or the server is stopping")))]
pub(super) async fn health(
    extract::State(state): extract::State<Arc<State>>,
) -> Result<Json<Value>, ApiError> {
    match state.is_ready() {
        true => Ok(Json(json!({"status": "ready"}))),
        false => Err(ApiError::new(
            Kind::Loading,
            "a model is being loaded, or the server is stopping",
        )),
    }
}

/// Numbers in Prometheus' text form.
#[utoipa::path(get, path = "/metrics", tag = "Gradus",
    responses((status = 200, description = "Numbers in Prometheus' text form", body = String)))]
pub(super) async fn measures() -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], numbers::text()).into_response()
}

/// A model's card, as its folder has it.
pub(super) async fn card(
    extract::State(state): extract::State<Arc<State>>,
    Query(OfModel { model }): Query<OfModel>,
) -> Result<Response, ApiError> {
    let (_, model) = state.find(model.as_deref(), |_| true, "exist")?;
    let text = model.card();
    let kind = "text/plain; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
