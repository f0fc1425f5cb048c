//! What is asked and what is answered: one file a protocol, or a part of one.

mod embed;
mod grade;
mod info;
mod openai;
mod predict;
mod rank;
mod rerank;
mod root;
mod search;
mod shared;
mod similarity;
mod tokens;

use crate::http::{Keys, State, check_key, speak};
use crate::page;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use std::sync::Arc;
use tower_http::cors::{Any, CorsLayer};
use utoipa::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

/// What there is, as OpenAPI describes it.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gradus",
        description = "Vectors, scores, grades and rankings of texts. The routes of text-embeddings-inference, OpenAI, Jina and Cohere, `/grade` and `/search`."
    ),
    paths(
        embed::embed,
        embed::embed_all,
        predict::predict,
        rerank::tei,
        rerank::rerank,
        similarity::similarity,
        tokens::tokenize,
        tokens::decode,
        openai::embeddings,
        openai::models,
        openai::model,
        grade::grade,
        search::search,
        search::indexes,
        info::info,
        info::health,
        info::measures,
    )
)]
struct Description;

/// All routes.
pub(crate) fn router(state: Arc<State>, keys: Arc<Keys>, origins: &[String]) -> Router {
    let locked = Router::new()
        .route("/embed", post(embed::embed))
        .route("/embed_all", post(embed::embed_all))
        .route("/predict", post(predict::predict))
        .route("/rerank", post(rerank::tei))
        .route("/v1/rerank", post(rerank::rerank))
        .route("/v2/rerank", post(rerank::rerank))
        .route("/similarity", post(similarity::similarity))
        .route("/tokenize", post(tokens::tokenize))
        .route("/decode", post(tokens::decode))
        .route("/embeddings", post(openai::embeddings))
        .route("/v1/embeddings", post(openai::embeddings))
        .route("/models", get(openai::models))
        .route("/v1/models", get(openai::models))
        .route("/v1/models/{*name}", get(openai::model))
        .route("/grade", post(grade::grade))
        .route("/search", post(search::search))
        .route("/indexes", get(search::indexes))
        .route("/invocations", post(root::root))
        .route("/", post(root::root))
        .route_layer(from_fn_with_state(keys, check_key));
    let open = Router::new()
        .route("/", get(page::page))
        .route("/page.js", get(page::script))
        .route("/page.css", get(page::style))
        .route("/card", get(info::card))
        .route("/info", get(info::info))
        .route("/health", get(info::health))
        .route("/ping", get(info::health))
        .route("/metrics", get(info::measures));
    let docs = SwaggerUi::new("/docs").url("/api-doc/openapi.json", Description::openapi());
    let all = locked
        .merge(open)
        .with_state(state)
        .merge(docs)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(speak));
    match cors(origins) {
        Some(cors) => all.layer(cors),
        None => all,
    }
}

fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION])
        .expose_headers([HeaderName::from_static("x-truncated")]);
    if origins.iter().any(|origin| origin == "*") {
        return Some(layer.allow_origin(Any));
    }
    let origins = origins.iter().filter_map(|o| HeaderValue::from_str(o).ok());
    Some(layer.allow_origin(origins.collect::<Vec<_>>()))
}
