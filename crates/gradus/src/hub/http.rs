//! The HTTP client: redirects, the token, proxies and timeouts.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use ureq::http::{HeaderMap, Response};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use super::endpoint::redirected;
use super::response::{Reply, parse_content_range};
use super::{Endpoint, HubConfig, HubError, Token};
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
        let roots = match &config.certificates {
            Some(path) => trusted_roots(path)?,
            None => RootCerts::WebPki,
        };
        let agent = Agent::config_builder()
            .user_agent(concat!("gradus/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .proxy(if config.env_proxy {
                Proxy::try_from_env()
            } else {
                None
            })
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(config.connect_timeout))
            .timeout_connect(Some(config.connect_timeout))
            .timeout_recv_response(Some(config.read_timeout))
            .timeout_per_read(Some(config.read_timeout))
            .max_idle_age(Duration::from_secs(5))
            .build()
            .new_agent();
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

fn trusted_roots(path: &Path) -> Result<RootCerts> {
    let pem = std::fs::read(path).map_err(Error::io(path))?;
    let bad = |reason: String| HubError::BadCertificates {
        path: path.into(),
        reason,
    };
    let mut roots = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(root) = item.map_err(|e| bad(e.to_string()))? {
            roots.push(root);
        }
    }
    if roots.is_empty() {
        return Err(bad("no certificate in it".into()).into());
    }
    Ok(RootCerts::from(roots))
}

/// An error in words that do not need the library's source to understand.
fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "the host is not known".into(),
        ureq::Error::Timeout(which) => format!("no answer in time ({which})"),
        ureq::Error::Io(e) => e.to_string(),
        other => other.to_string(),
    }
}

/// Puts read errors into the same words.
struct Readable<R>(R);

impl<R: Read> Read for Readable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|e| {
            let words = e
                .get_ref()
                .and_then(|inner| inner.downcast_ref())
                .map(describe);
            words.map_or(e, io::Error::other)
        })
    }
}
