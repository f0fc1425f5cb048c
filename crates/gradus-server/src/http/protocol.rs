//! Errors in the words of the protocol that a route belongs to.

use super::error::{ApiError, Kind};
use crate::measures;
use axum::Json;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// text-embeddings-inference, and our own.
    Tei,
    OpenAi,
    /// Jina and Cohere: one reads `detail`, the other `message`.
    Rerank,
}

fn of_path(path: &str) -> Protocol {
    match path {
        "/rerank" => Protocol::Tei,
        path if path.ends_with("/rerank") => Protocol::Rerank,
        path if path.starts_with("/v1/") || path == "/embeddings" || path == "/models" => {
            Protocol::OpenAi
        }
        _ => Protocol::Tei,
    }
}

fn body(protocol: Protocol, error: &ApiError) -> Value {
    let ApiError {
        kind,
        message,
        field,
    } = error;
    match protocol {
        Protocol::Tei => json!({"error": message, "error_type": kind.tei()}),
        Protocol::OpenAi => {
            let (kind, code) = kind.openai();
            json!({"error": {"message": message, "type": kind, "param": field, "code": code}})
        }
        Protocol::Rerank => json!({"message": message, "detail": message}),
    }
}

/// Gives every refusal its body, those of the framework too.
pub(crate) async fn speak(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    if response.status().is_success() || response.status().is_redirection() {
        return response;
    }
    let own = response.extensions().get::<ApiError>().cloned();
    let error = own.unwrap_or_else(|| match response.status() {
        StatusCode::NOT_FOUND => ApiError::new(
            Kind::NoRoute,
            format!("there is no {path}; /docs lists what there is"),
        ),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::new(
            Kind::NoMethod,
            format!("{path} has another method; /docs lists what there is"),
        ),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(Kind::TooLarge, "the request is too large"),
        status => ApiError::new(Kind::Internal, status.to_string()),
    });
    measures::failure(error.kind.measure());
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    let mut spoken = Json(body(of_path(&path), &error)).into_response();
    *spoken.status_mut() = parts.status;
    spoken.headers_mut().extend(parts.headers);
    spoken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_speaks_its_protocol() {
        for (path, protocol) in [
            ("/embed", Protocol::Tei),
            ("/rerank", Protocol::Tei),
            ("/v1/rerank", Protocol::Rerank),
            ("/v2/rerank", Protocol::Rerank),
            ("/v1/embeddings", Protocol::OpenAi),
            ("/embeddings", Protocol::OpenAi),
            ("/v1/models", Protocol::OpenAi),
            ("/v1/nothing", Protocol::OpenAi),
            ("/grade", Protocol::Tei),
        ] {
            assert_eq!(of_path(path), protocol, "{path}");
        }
    }

    #[test]
    fn openai_nests_its_errors() {
        let error = ApiError::new(Kind::Validation, "no").of("dimensions");
        let body = body(Protocol::OpenAi, &error);
        assert_eq!(body["error"]["param"], "dimensions");
        assert_eq!(body["error"]["type"], "invalid_request_error");
    }
}
