//! The HTTP client.

use super::{ChatConfig, ChatError};
use crate::util::http::{HttpSettings, RootsError, describe};
use crate::{Error, Result};
use std::path::Path;
use ureq::Agent;

/// The most bytes of an answer.
const MOST: u64 = 16 << 20;

/// What came back.
pub(super) struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub location: Option<String>,
    pub body: String,
}

/// Sends requests to one address.
pub(super) struct Client {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

impl Client {
    pub(super) fn new(config: &ChatConfig) -> Result<Self> {
        let settings = HttpSettings {
            certificates: config.certificates.as_deref(),
            env_proxy: config.env_proxy && !config.address.is_local(),
            connect_timeout: config.connect_timeout,
            read_timeout: config.timeout,
            whole_timeout: Some(config.timeout),
        };
        let path = config.certificates.as_deref().unwrap_or(Path::new(""));
        let agent = settings.agent().map_err(|e| match e {
            RootsError::Io(e) => Error::io(path)(e),
            RootsError::Bad(reason) => ChatError::BadCertificates {
                path: path.into(),
                reason,
            }
            .into(),
        })?;
        Ok(Self {
            agent,
            url: config.address.as_str().to_owned(),
            authorization: config.key.as_ref().map(|key| key.header()),
        })
    }

    /// Sends a request; the error is why there is no whole answer.
    pub(super) fn post(&self, body: &str) -> Result<Answer, String> {
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let response = request.send(body).map_err(|e| describe(&e))?;
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let (retry_after, location) = (header("retry-after"), header("location"));
        let status = response.status().as_u16();
        let body = response
            .into_body()
            .into_with_config()
            .limit(MOST)
            .lossy_utf8(true);
        Ok(Answer {
            status,
            retry_after,
            location,
            body: body.read_to_string().map_err(|e| describe(&e))?,
        })
    }
}
