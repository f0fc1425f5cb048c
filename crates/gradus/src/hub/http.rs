//! The HTTP client: redirects, the token, proxies and timeouts.

use std::path::Path;

use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use super::endpoint::redirected;
use super::response::{Reply, parse_content_range};
use super::{Endpoint, HubConfig, HubError};
use crate::util::Token;
use crate::util::http::{HttpSettings, Readable, RootsError, describe};
use crate::{Error, Result};

const MAX_REDIRECTS: usize = 10;

/// Speaks HTTP with one hub. Redirects are followed here and not by the
/// library, as checksums are in the headers of the first hop, and the token
/// must not leave the hub's own host.
pub(super) struct Client {
    agent: Agent,
    endpoint: Endpoint,
    token: Option<Token>,
}

impl Client {
    pub(super) fn new(config: &HubConfig) -> Result<Self> {
        let settings = HttpSettings {
            certificates: config.certificates.as_deref(),
            env_proxy: config.env_proxy,
            connect_timeout: config.connect_timeout,
            read_timeout: config.read_timeout,
            whole_timeout: None,
        };
        let path = config.certificates.as_deref().unwrap_or(Path::new(""));
        let agent = settings.agent().map_err(|e| match e {
            RootsError::Io(e) => Error::io(path)(e),
            RootsError::Bad(reason) => HubError::BadCertificates {
                path: path.into(),
                reason,
            }
            .into(),
        })?;
        Ok(Client {
            agent,
            endpoint: config.endpoint.clone(),
            token: config.token.clone(),
        })
    }

    /// Asks for what is at `url`, from byte `from` on.
    pub(super) fn get(&self, url: &str, from: u64) -> Result<Reply> {
        self.follow(url, |at| {
            let mut request = self.agent.get(at);
            if from > 0 {
                request = request.header("Range", format!("bytes={from}-"));
            }
            if let Some(token) = self.token_for(at) {
                request = request.header("Authorization", token);
            }
            request.call()
        })
    }

    /// Asks for the headers of what is at `url`, as far as the hub's own host
    /// has them.
    pub(super) fn head(&self, url: &str) -> Result<Reply> {
        self.follow(url, |at| {
            // Another host's ETag is its own affair and no checksum.
            if !self.endpoint.owns(at) {
                return Ok(Response::new(Body::builder().data("")));
            }
            let mut request = self.agent.head(at);
            if let Some(token) = self.token_for(at) {
                request = request.header("Authorization", token);
            }
            request.call()
        })
    }

    fn token_for(&self, url: &str) -> Option<String> {
        let token = self.token.as_ref()?;
        self.endpoint.owns(url).then(|| token.header())
    }

    fn follow(
        &self,
        url: &str,
        send: impl Fn(&str) -> Result<Response<Body>, ureq::Error>,
    ) -> Result<Reply> {
        let mut at = url.to_string();
        let mut linked_etag = None;
        for _ in 0..MAX_REDIRECTS {
            let response = send(&at).map_err(|e| HubError::Unreachable {
                url: url.into(),
                reason: describe(&e),
            })?;
            let headers = response.headers();
            linked_etag = linked_etag.or_else(|| text(headers, "x-linked-etag"));
            let status = response.status().as_u16();
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                let etag = linked_etag.or_else(|| text(headers, "etag"));
                return Ok(Reply {
                    status,
                    etag,
                    length: text(headers, "content-length").and_then(|v| v.parse().ok()),
                    range: text(headers, "content-range").and_then(|v| parse_content_range(&v)),
                    error_code: text(headers, "x-error-code"),
                    body: Box::new(Readable(response.into_body().into_reader())),
                });
            }
            at = text(headers, "location")
                .and_then(|location| redirected(&at, &location))
                .ok_or_else(|| HubError::BadRedirect {
                    url: url.into(),
                    reason: "a redirect without a usable address",
                })?;
        }
        Err(HubError::BadRedirect {
            url: url.into(),
            reason: "too many redirects",
        }
        .into())
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_string())
}
