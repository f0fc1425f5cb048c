//! Bodies of requests.

use super::error::{ApiError, Kind};
use super::state::State;
use axum::extract::{FromRequest, Request};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A body of JSON, whatever its content type says.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<State>> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<State>) -> Result<Self, ApiError> {
        let limits = &state.workshop.limits;
        let receive = receive(request.into_body(), limits.body);
        let received = tokio::time::timeout(limits.receive_time, receive).await;
        let slow = || ApiError::new(Kind::Slow, "the request did not come in time");
        let bytes = received.map_err(|_| slow())??;
        parse(&bytes).map(Self)
    }
}

/// All of a body. What is beyond the limit is read and thrown away: who sends it
/// reads the answer only then.
async fn receive(mut body: axum::body::Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = vec![];
    let mut length = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| ApiError::new(Kind::Syntax, format!("the body: {e}")))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        match length > limit {
            true => bytes = vec![],
            false => bytes.extend_from_slice(&data),
        }
    }
    match length > limit {
        true => {
            let message = format!("the request has {length} bytes, and {limit} are the most");
            Err(ApiError::new(Kind::TooLarge, message))
        }
        false => Ok(bytes),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|e| match e.classify() {
        serde_json::error::Category::Data => ApiError::new(Kind::Shape, format!("the body: {e}")),
        _ => ApiError::new(Kind::Syntax, format!("the body is no JSON: {e}")),
    })
}
