//! Keys.

use super::error::{ApiError, Kind};
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq};

/// The keys of which requests must bring one. Hashes are kept, which are of one length.
pub(crate) struct Keys(Vec<[u8; 32]>);

impl Keys {
    pub fn new(keys: &[String]) -> Self {
        Self(keys.iter().map(|key| hash(key)).collect())
    }

    /// Whether a request may go on; in a time that does not depend on how much of a key
    /// is right.
    fn allow(&self, given: Option<&str>) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let given = hash(given.unwrap_or_default());
        let same = self.0.iter().map(|key| key.ct_eq(&given));
        same.fold(Choice::from(0), |any, one| any | one).into()
    }
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn given(request: &Request) -> Option<&str> {
    let headers = request.headers();
    let bearer = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = bearer.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// Lets requests pass that bring a key.
pub(crate) async fn check(State(keys): State<Arc<Keys>>, request: Request, next: Next) -> Response {
    if keys.allow(given(&request)) {
        return next.run(request).await;
    }
    let message = "the server wants a key: send the header `Authorization: Bearer KEY`";
    let mut refused = ApiError::new(Kind::Unauthorized, message).into_response();
    let scheme = axum::http::HeaderValue::from_static("Bearer");
    refused
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, scheme);
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_keys_opens() {
        let keys = Keys::new(&["one".into(), "two".into()]);
        assert!(keys.allow(Some("one")) && keys.allow(Some("two")));
        for wrong in [None, Some(""), Some("on"), Some("one "), Some("three")] {
            assert!(!keys.allow(wrong), "{wrong:?}");
        }
        assert!(Keys::new(&[]).allow(None));
    }
}
