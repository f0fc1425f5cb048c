//! What all HTTP clients of the library share.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

/// How requests are made.
pub(crate) struct HttpSettings<'a> {
    /// A PEM file of the only roots to trust, in place of Mozilla's, which are built in.
    pub certificates: Option<&'a Path>,
    /// Use the proxy that the environment names.
    pub env_proxy: bool,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for the next byte.
    pub read_timeout: Duration,
    /// How long a request may take in all.
    pub whole_timeout: Option<Duration>,
}

/// Why the roots to trust cannot be used.
#[derive(Debug)]
pub(crate) enum RootsError {
    /// The file cannot be read.
    Io(io::Error),
    /// It holds something else.
    Bad(String),
}

impl HttpSettings<'_> {
    /// A client that hands on every status and follows no redirect.
    pub(crate) fn agent(&self) -> Result<Agent, RootsError> {
        let roots = match self.certificates {
            Some(path) => trusted_roots(path)?,
            None => RootCerts::WebPki,
        };
        let agent = Agent::config_builder()
            .user_agent(concat!("gradus/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .proxy(if self.env_proxy {
                Proxy::try_from_env()
            } else {
                None
            })
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(self.whole_timeout)
            .timeout_resolve(Some(self.connect_timeout))
            .timeout_connect(Some(self.connect_timeout))
            .timeout_recv_response(Some(self.read_timeout))
            .timeout_per_read(Some(self.read_timeout))
            .max_idle_age(Duration::from_secs(5))
            .build()
            .new_agent();
        Ok(agent)
    }
}

fn trusted_roots(path: &Path) -> Result<RootCerts, RootsError> {
    let pem = std::fs::read(path).map_err(RootsError::Io)?;
    let mut roots = Vec::new();
    for item in parse_pem(&pem) {
        let item = item.map_err(|e| RootsError::Bad(e.to_string()))?;
        if let PemItem::Certificate(root) = item {
            roots.push(root);
        }
    }
    if roots.is_empty() {
        return Err(RootsError::Bad("no certificate in it".into()));
    }
    Ok(RootCerts::from(roots))
}

/// An error in words that do not need the library's source to understand.
pub(crate) fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "the host is not known".into(),
        ureq::Error::Timeout(which) => format!("no answer in time ({which})"),
        ureq::Error::Io(e) => e.to_string(),
        other => other.to_string(),
    }
}

/// Puts read errors into the same words.
pub(crate) struct Readable<R>(pub R);

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
