//! Where to fetch from, and where to keep what was fetched.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Endpoint, HubError};
use crate::Result;
use crate::util::{CERTIFICATE_VARIABLES, Token};

/// How fetching is done. [`HubConfig::from_env`] follows the environment
/// variables of `huggingface_hub`; [`HubConfig::new`] ignores them all.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HubConfig {
    /// The hub (`HF_ENDPOINT`).
    pub endpoint: Endpoint,
    /// For private and gated repositories (`HF_TOKEN`, or the token file).
    pub token: Option<Token>,
    /// The hub's cache, shared with Python (`HF_HUB_CACHE`).
    pub cache: PathBuf,
    /// Where models from Python packages are kept.
    pub package_cache: PathBuf,
    /// Make no request of any kind (`HF_HUB_OFFLINE`).
    pub offline: bool,
    /// Ask the hub whether a cached revision has moved on.
    pub refresh: bool,
    /// Use the proxy of `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`.
    pub env_proxy: bool,
    /// A PEM file of the only roots to trust (`SSL_CERT_FILE`), in place of
    /// Mozilla's, which are built in.
    pub certificates: Option<PathBuf>,
    /// How long to wait for a connection: short, so that a machine without a
    /// network moves on to other ways soon.
    pub connect_timeout: Duration,
    /// How long to wait for the next byte.
    pub read_timeout: Duration,
    /// How often to go on after a transfer broke off without getting further.
    pub retries: u32,
    /// The first pause between two attempts; it doubles each time.
    pub backoff: Duration,
    /// Commands to try as `pip`, each with its leading arguments.
    pub pip: Vec<Vec<OsString>>,
}

impl HubConfig {
    /// The public hub, without a token or proxy, keeping everything in `cache`.
    pub fn new(cache: impl AsRef<Path>) -> Self {
        let command = |words: &[&str]| words.iter().map(OsString::from).collect();
        HubConfig {
            endpoint: Endpoint::default(),
            token: None,
            cache: cache.as_ref().join("hub"),
            package_cache: cache.as_ref().join("packages"),
            offline: false,
            refresh: false,
            env_proxy: false,
            certificates: None,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            retries: 4,
            backoff: Duration::from_millis(500),
            pip: vec![
                command(&["python3", "-m", "pip"]),
                command(&["pip3"]),
                command(&["pip"]),
            ],
        }
    }

    /// How long to wait before trying again after so many failures in a row.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
        self.backoff
            .saturating_mul(doubled)
            .min(Duration::from_secs(30))
    }

    /// What the environment asks for.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// [`HubConfig::from_env`] with `lookup` in place of the environment.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let var = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let text = |name: &str| var(name).map(|value| value.to_string_lossy().into_owned());
        let home = var("HOME")
            .or_else(|| var("USERPROFILE"))
            .map(PathBuf::from);
        let path = |name: &str| var(name).map(|value| expand_home(value, home.as_deref()));
        let flag = |name: &str| text(name).map(|value| is_true(&value));

        let user_cache = path("XDG_CACHE_HOME").or_else(|| Some(home.as_ref()?.join(".cache")));
        let hf_home = path("HF_HOME").or_else(|| Some(user_cache.as_ref()?.join("huggingface")));
        let cache = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(hf_home.as_ref()?.join("hub")))
            .ok_or(HubError::NoCacheFolder)?;
        let package_cache = match &user_cache {
            Some(folder) => folder.join("gradus").join("models"),
            None => cache.join(".gradus-packages"),
        };

        let given = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
        let in_file = || {
            let file = path("HF_TOKEN_PATH").or_else(|| Some(hf_home.as_ref()?.join("token")))?;
            std::fs::read_to_string(file).ok()
        };
        let token = if flag("HF_HUB_DISABLE_IMPLICIT_TOKEN") == Some(true) {
            None
        } else {
            given.or_else(in_file).as_deref().and_then(Token::new)
        };

        let endpoint = match text("HF_ENDPOINT") {
            Some(address) => Endpoint::parse(&address)?,
            None => Endpoint::default(),
        };
        Ok(HubConfig {
            endpoint,
            token,
            package_cache,
            offline: flag("HF_HUB_OFFLINE")
                .or_else(|| flag("TRANSFORMERS_OFFLINE"))
                .unwrap_or(false),
            env_proxy: true,
            certificates: CERTIFICATE_VARIABLES.iter().find_map(|name| path(name)),
            cache: cache.clone(),
            ..Self::new(cache)
        })
    }
}

/// What `huggingface_hub` takes for yes.
fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str())
}

fn expand_home(value: OsString, home: Option<&Path>) -> PathBuf {
    let path = PathBuf::from(value);
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(vars: &[(&str, &str)]) -> Result<HubConfig> {
        HubConfig::from_lookup(|name| {
            let (_, value) = vars.iter().find(|(key, _)| *key == name)?;
            Some(value.into())
        })
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        for (vars, expected) in [
            (vec![("HOME", "/h")], "/h/.cache/huggingface/hub"),
            (
                vec![("HOME", "/h"), ("XDG_CACHE_HOME", "/x")],
                "/x/huggingface/hub",
            ),
            (vec![("HOME", "/h"), ("HF_HOME", "~/hf")], "/h/hf/hub"),
            (vec![("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/c")], "/c"),
            (vec![("HUGGINGFACE_HUB_CACHE", "/old")], "/old"),
            (
                vec![("HOME", "/h"), ("HF_HUB_CACHE", "")],
                "/h/.cache/huggingface/hub",
            ),
        ] {
            assert_eq!(
                config(&vars).unwrap().cache,
                Path::new(expected),
                "{vars:?}"
            );
        }
        let packages = config(&[("XDG_CACHE_HOME", "/x")]).unwrap().package_cache;
        assert_eq!(packages, Path::new("/x/gradus/models"));
        assert!(config(&[]).is_err());
    }

    #[test]
    fn tokens_come_from_the_variable_or_the_file_and_are_never_printed() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().to_str().unwrap();
        std::fs::write(format!("{home}/token"), "hf_file\n").unwrap();
        let base = ("HF_HOME", home);
        let token = |vars: &[_]| {
            let header = config(vars).unwrap().token.map(|t| t.header());
            header.map(|header| header.replace("Bearer ", ""))
        };
        assert_eq!(token(&[base]).as_deref(), Some("hf_file"));
        assert_eq!(
            token(&[base, ("HF_TOKEN", " hf_var ")]).as_deref(),
            Some("hf_var")
        );
        assert_eq!(token(&[base, ("HF_TOKEN_PATH", "/nowhere/token")]), None);
        assert_eq!(token(&[base, ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);

        let printed = format!("{:?}", config(&[base, ("HF_TOKEN", "hf_secret")]).unwrap());
        assert!(printed.contains("Token") && !printed.contains("hf_secret"));
    }

    #[test]
    fn offline_and_mirrors() {
        let base = ("HF_HOME", "/hf");
        for (value, offline) in [
            ("1", true),
            ("true", true),
            ("Yes", true),
            ("0", false),
            ("no", false),
        ] {
            let config = config(&[base, ("HF_HUB_OFFLINE", value)]).unwrap();
            assert_eq!(config.offline, offline, "{value}");
        }
        assert!(
            config(&[base, ("TRANSFORMERS_OFFLINE", "1")])
                .unwrap()
                .offline
        );
        let mirror = config(&[base, ("HF_ENDPOINT", "http://mirror:8080/")]).unwrap();
        assert_eq!(mirror.endpoint.as_str(), "http://mirror:8080");
        assert!(config(&[base, ("HF_ENDPOINT", "mirror")]).is_err());
    }
}
