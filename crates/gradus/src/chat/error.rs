use std::path::PathBuf;

/// Why a chat endpoint gives no answers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The address is not one.
    #[error("\"{address}\" is no address of an endpoint: {reason}")]
    BadAddress {
        /// As given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// This build cannot make requests.
    #[error(
        "this build cannot ask an endpoint (built without the feature `hub`): build with the feature"
    )]
    Disabled,
    /// The certificates to trust could not be read.
    #[error("certificates in {}: {reason}; give a PEM file of trusted roots", path.display())]
    BadCertificates {
        /// The file that SSL_CERT_FILE or its like names.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The endpoint refuses the request, and will again.
    #[error("{url}: the endpoint answered {status}: {message}; {remedy}")]
    Refused {
        /// The address asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The endpoint's own words.
        message: String,
        /// What may help.
        remedy: String,
    },
    /// The endpoint is somewhere else. Neither key nor texts are sent there unasked.
    #[error(
        "{url}: the endpoint sends requests on to {location}; give that address, if you trust it"
    )]
    Moved {
        /// The address asked.
        url: String,
        /// Where it leads.
        location: String,
    },
    /// No answer came that could be used, however often the request was sent.
    #[error("{url}: no usable answer to {attempts} requests in a row; the last: {reason}")]
    NoAnswer {
        /// The address asked.
        url: String,
        /// How often the request was sent.
        attempts: u32,
        /// What went wrong last.
        reason: String,
    },
}

/// What may help where an endpoint refuses.
pub(super) fn remedy(status: u16, key_variable: &str, has_key: bool) -> String {
    match (status, has_key) {
        (401 | 403, false) => {
            format!("put a key into {key_variable}, or name its variable with --key-env")
        }
        (401, true) => {
            format!("check the key in {key_variable}, or name another variable with --key-env")
        }
        (403, true) => format!("check that the key in {key_variable} may use this model"),
        (402 | 429, _) => "check the account's credit and limits".into(),
        (404 | 405, _) => "check --endpoint and --model".into(),
        _ => "check --model, --temperature, --max-tokens and --extra".into(),
    }
}
