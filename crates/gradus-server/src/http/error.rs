//! Why a request gets no answer.

use crate::engine::ItemError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gradus::format::ModelError;

/// The kinds of refusal, each with its status and its names in the protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The body is no JSON.
    Syntax,
    /// It is JSON of another shape than the route's.
    Shape,
    /// A value cannot be obeyed.
    Validation,
    /// There is nothing to answer.
    Empty,
    /// More than the limits allow.
    TooLarge,
    /// No key, or not one of the server's.
    Unauthorized,
    /// No such model.
    NoModel,
    /// No such route.
    NoRoute,
    /// The route has no such method.
    NoMethod,
    /// The model does something else.
    WrongModel,
    /// The tokenizer fails.
    Tokenizer,
    /// The queue is full.
    Overloaded,
    /// A model is being loaded.
    Loading,
    /// The answer was not there in time.
    Late,
    /// The client sent its request too slowly.
    Slow,
    /// Computing failed.
    Internal,
}

impl Kind {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Syntax | Self::Empty => StatusCode::BAD_REQUEST,
            Self::Shape | Self::Validation | Self::WrongModel | Self::Tokenizer => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NoModel | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::NoMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            Self::Loading => StatusCode::SERVICE_UNAVAILABLE,
            Self::Late => StatusCode::GATEWAY_TIMEOUT,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What text-embeddings-inference calls it in `error_type`.
    pub fn tei(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Tokenizer => "tokenizer",
            Self::Overloaded => "overloaded",
            Self::Loading => "unhealthy",
            Self::Internal | Self::Late => "backend",
            Self::Unauthorized => "unauthorized",
            Self::NoRoute | Self::NoModel => "not_found",
            _ => "validation",
        }
    }

    /// What OpenAI calls it: the type and the code.
    pub fn openai(self) -> (&'static str, &'static str) {
        match self {
            Self::Unauthorized => ("invalid_request_error", "invalid_api_key"),
            Self::NoModel => ("invalid_request_error", "model_not_found"),
            Self::NoRoute | Self::NoMethod => ("invalid_request_error", "unknown_url"),
            Self::Overloaded => ("rate_limit_error", "rate_limit_exceeded"),
            Self::Loading => ("server_error", "model_loading"),
            Self::Late | Self::Slow => ("server_error", "timeout"),
            Self::Internal => ("server_error", "internal_error"),
            Self::TooLarge => ("invalid_request_error", "request_too_large"),
            _ => ("invalid_request_error", "invalid_value"),
        }
    }

    /// What the metric of failures calls it.
    pub fn measure(self) -> &'static str {
        match self {
            Self::TooLarge => "batch_size",
            Self::WrongModel | Self::NoModel => "model_type",
            Self::Tokenizer => "tokenization",
            Self::Overloaded | Self::Loading => "overloaded",
            Self::Internal | Self::Late => "inference",
            _ => "validation",
        }
    }
}

/// Why a request gets no answer. As a response it has no body yet:
/// [`speak`](super::speak) writes one in the words of the route's protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub kind: Kind,
    pub message: String,
    /// The field that is to blame.
    pub field: Option<&'static str>,
}

/// Seconds after which a client should try again.
const RETRY_AFTER: &str = "1";

impl ApiError {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            field: None,
        }
    }

    /// The same that blames a field.
    #[must_use]
    pub fn of(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    /// What the library says, without the places of files, which are no business of
    /// clients.
    pub fn of_library(kind: Kind, error: gradus::Error) -> Self {
        match error {
            gradus::Error::Model(
                ModelError::Tokenizer { message, .. } | ModelError::Prompt { message, .. },
            ) => Self::new(kind, message),
            error => {
                tracing::error!(%error, "a model failed");
                Self::new(
                    Kind::Internal,
                    "the model failed; the server's log says why",
                )
            }
        }
    }

    pub fn overloaded() -> Self {
        Self::new(
            Kind::Overloaded,
            "the queue is full; try again in a second, or send less at a time",
        )
    }

    pub fn late() -> Self {
        Self::new(Kind::Late, "there was no answer in the time of a request")
    }

    /// The input at a place has no answer.
    pub fn of_item(place: usize, error: ItemError) -> Self {
        match error {
            ItemError::Late => Self::late(),
            error => Self::new(Kind::Internal, format!("input {place}: {error}")),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        if matches!(self.kind, Kind::Overloaded | Kind::Loading) {
            let after = HeaderValue::from_static(RETRY_AFTER);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response.extensions_mut().insert(self);
        response
    }
}
