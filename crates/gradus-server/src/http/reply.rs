//! Answers, with what their headers say.

use crate::measures;
use crate::work::Answered;
use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::time::{Duration, Instant};

/// An answer in JSON with the headers of text-embeddings-inference, in milliseconds, and
/// `x-truncated`: the places of the inputs that were cut, where some were.
pub(crate) struct Reply {
    began: Instant,
    method: &'static str,
    headers: HeaderMap,
}

/// So many places of cut inputs are listed.
const LISTED: usize = 100;

impl Reply {
    /// A request came, with several inputs or a single one.
    pub fn begin(batch: bool) -> Self {
        let method = if batch { "batch" } else { "single" };
        measures::request(method);
        Self {
            began: Instant::now(),
            method,
            headers: HeaderMap::new(),
        }
    }

    /// Says how it went.
    pub fn note(&mut self, answered: &Answered) {
        let times = answered.times;
        self.set("x-compute-type", "cpu".into());
        self.set("x-compute-characters", answered.characters.to_string());
        self.set("x-compute-tokens", answered.tokens().to_string());
        self.set("x-tokenization-time", milliseconds(times.tokenized));
        self.set("x-queue-time", milliseconds(times.queued));
        self.set("x-inference-time", milliseconds(times.computed));
        let truncated = answered.truncated();
        if !truncated.is_empty() {
            let mut places: Vec<String> = truncated.iter().map(usize::to_string).collect();
            if places.len() > LISTED {
                places.truncate(LISTED);
                places.push("...".into());
            }
            self.set("x-truncated", places.join(","));
        }
    }

    fn set(&mut self, name: &'static str, value: String) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
    }

    /// The answer.
    pub fn json(mut self, body: &impl Serialize) -> Response {
        let took = self.began.elapsed();
        self.set("x-total-time", milliseconds(took));
        self.set("x-compute-time", milliseconds(took));
        measures::success(self.method, took);
        (self.headers, Json(body)).into_response()
    }
}

fn milliseconds(time: Duration) -> String {
    time.as_millis().to_string()
}
