use super::ChatAddress;
use crate::util::{CERTIFICATE_VARIABLES, Token};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How a chat endpoint is asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChatConfig {
    /// Where.
    pub address: ChatAddress,
    /// The key that is sent along; servers of one's own often want none.
    pub key: Option<Token>,
    /// The environment variable that holds the key, for messages.
    pub key_variable: String,
    /// Use the proxy of `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`. An endpoint on this
    /// machine is always asked without.
    pub env_proxy: bool,
    /// A PEM file of the only roots to trust, in place of the built-in ones.
    pub certificates: Option<PathBuf>,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long a request may take in all.
    pub timeout: Duration,
    /// How often a request is sent again that may succeed later.
    pub retries: u32,
    /// The first pause before that; it doubles each time, up to a minute.
    pub pause: Duration,
    /// The most requests a minute.
    pub requests_per_minute: Option<f64>,
    /// For the jitter of pauses.
    pub seed: u64,
}

impl ChatConfig {
    /// Without key and proxy.
    pub fn new(address: ChatAddress) -> Self {
        Self {
            address,
            key: None,
            key_variable: "OPENAI_API_KEY".into(),
            env_proxy: false,
            certificates: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(120),
            retries: 5,
            pause: Duration::from_secs(1),
            requests_per_minute: None,
            seed: 0,
        }
    }

    /// With what the environment holds: the key in `key_variable`, proxy and roots.
    pub fn from_env(address: ChatAddress, key_variable: &str) -> Self {
        Self::from_lookup(address, key_variable, |name| std::env::var_os(name))
    }

    /// [`ChatConfig::from_env`] with `lookup` in place of the environment.
    pub fn from_lookup(
        address: ChatAddress,
        key_variable: &str,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let var = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let key = var(key_variable).and_then(|key| Token::new(&key.to_string_lossy()));
        Self {
            key,
            key_variable: key_variable.into(),
            env_proxy: true,
            certificates: CERTIFICATE_VARIABLES
                .iter()
                .find_map(|n| var(n))
                .map(PathBuf::from),
            ..Self::new(address)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_comes_from_its_variable_and_is_never_printed() {
        let address = ChatAddress::parse("http://localhost").unwrap();
        let lookup = |name: &str| (name == "MY_KEY").then(|| OsString::from(" sk-1 \n"));
        let config = ChatConfig::from_lookup(address.clone(), "MY_KEY", lookup);
        assert_eq!(config.key, Token::new("sk-1"));
        assert!(!format!("{config:?}").contains("sk-1"));
        let config = ChatConfig::from_lookup(address, "OTHER", lookup);
        assert_eq!(config.key, None);
    }
}
