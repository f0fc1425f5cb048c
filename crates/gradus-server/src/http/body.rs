//! Bodies of requests.

use super::error::{ApiError, Kind};
use super::state::State;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A body of JSON, whatever its content type says.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<State>> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<State>) -> Result<Self, ApiError> {
        let limits = &state.workshop.limits;
        let receive = Limited::new(request.into_body(), limits.body).collect();
        let bytes = match tokio::time::timeout(limits.receive_time, receive).await {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(e)) if e.is::<LengthLimitError>() => {
                let message = format!("the request has more than {} bytes", limits.body);
                return Err(ApiError::new(Kind::TooLarge, message));
            }
            Ok(Err(e)) => return Err(ApiError::new(Kind::Syntax, format!("the body: {e}"))),
            Err(_) => {
                return Err(ApiError::new(
                    Kind::Slow,
                    "the request did not come in time",
                ));
            }
        };
        parse(&bytes).map(Self)
    }
}

fn parse<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|e| match e.classify() {
        serde_json::error::Category::Data => ApiError::new(Kind::Shape, format!("the body: {e}")),
        _ => ApiError::new(Kind::Syntax, format!("the body is no JSON: {e}")),
    })
}
