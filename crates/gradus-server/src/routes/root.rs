//! What text-embeddings-inference answers at `/`, where Hugging Face's client sends
//! everything, and at `/invocations`.

use super::{embed, predict, rerank, similarity};
use crate::http::{ApiError, Body, Kind, State};
use axum::extract;
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// Answers by what is asked: a ranking where there is a `query`, cosines where `inputs`
/// is an object, and else vectors, or classes where the first model makes none.
pub(super) async fn root(
    extract::State(state): extract::State<Arc<State>>,
    Body(body): Body<Value>,
) -> Result<Response, ApiError> {
    let again = extract::State(Arc::clone(&state));
    if body.get("query").is_some() {
        return rerank::tei(again, of(body)?).await;
    }
    if body.get("inputs").is_some_and(Value::is_object) {
        return similarity::similarity(again, of(body)?).await;
    }
    let name = body.get("model").and_then(Value::as_str);
    let (_, model) = state.find(name, |_| true, "exist")?;
    match embed::makes_vectors(model) {
        true => embed::embed(again, of(body)?).await,
        false => predict::predict(again, of(body)?).await,
    }
}

fn of<T: DeserializeOwned>(body: Value) -> Result<Body<T>, ApiError> {
    let read = serde_json::from_value(body);
    read.map(Body)
        .map_err(|e| ApiError::new(Kind::Shape, format!("the body: {e}")))
}
