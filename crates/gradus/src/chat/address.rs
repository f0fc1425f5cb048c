//! Where a chat endpoint is asked.

use super::ChatError;
use crate::util::origin::Origin;

const PATH: &str = "/chat/completions";

/// The address that requests go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatAddress {
    url: String,
}

impl ChatAddress {
    /// Completes what users give: `http://localhost:8080` and `.../v1` both mean
    /// `.../v1/chat/completions`. A path with a version in it gets no other; a query
    /// stays at the end.
    ///
    /// # Errors
    /// [`ChatError::BadAddress`] for what is no `http` or `https` address, or holds a
    /// user name.
    pub fn parse(address: &str) -> Result<Self, ChatError> {
        let fault = |reason| ChatError::BadAddress {
            // A password is not repeated.
            address: match address.contains('@') {
                true => "(with a user name)".into(),
                false => address.into(),
            },
            reason,
        };
        let text = address.trim();
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
            return Err(fault("it has spaces or characters outside ASCII"));
        }
        let Some(origin) = Origin::of(text) else {
            return Err(fault(
                "it is not of the form http://host:port or https://host",
            ));
        };
        if origin.authority.contains('@') {
            return Err(fault(
                "it holds a user name; put the key into an environment variable instead",
            ));
        }
        if text.contains('#') {
            return Err(fault("it has a fragment"));
        }
        let (base, query) = match text.split_once('?') {
            Some((base, query)) => (base, format!("?{query}")),
            None => (text, String::new()),
        };
        let base = base.trim_end_matches('/');
        let path = base
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'));
        let path = path.map_or("", |(_, path)| path);
        let is_version = |part: &str| {
            let number = part.strip_prefix('v').unwrap_or_default();
            number.starts_with(|c: char| c.is_ascii_digit())
        };
        let whole = match () {
            () if base.ends_with(PATH) => base.to_owned(),
            () if path.split('/').any(is_version) => format!("{base}{PATH}"),
            () => format!("{base}/v1{PATH}"),
        };
        Ok(Self {
            url: whole + &query,
        })
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// The address for people, without a query, which may hold a key.
    pub fn shown(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    /// Whether it is on this machine, where no proxy is needed and often no key.
    pub fn is_local(&self) -> bool {
        Origin::of(&self.url).is_some_and(|origin| origin.is_loopback())
    }

    /// Whether what is sent can be read on the way.
    pub fn is_open(&self) -> bool {
        !self.is_local() && Origin::of(&self.url).is_some_and(|origin| origin.scheme == "http")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed() {
        for (given, asked) in [
            (
                "http://localhost:8080",
                "http://localhost:8080/v1/chat/completions",
            ),
            (
                "http://localhost:8080/",
                "http://localhost:8080/v1/chat/completions",
            ),
            (" http://h:1/v1/ ", "http://h:1/v1/chat/completions"),
            (
                "https://api.openai.com/v1",
                "https://api.openai.com/v1/chat/completions",
            ),
            (
                "https://h/v1/chat/completions",
                "https://h/v1/chat/completions",
            ),
            (
                "https://openrouter.ai/api",
                "https://openrouter.ai/api/v1/chat/completions",
            ),
            (
                "https://g.com/v1beta/openai/",
                "https://g.com/v1beta/openai/chat/completions",
            ),
            (
                "https://a.com/openai/v1?api-version=1",
                "https://a.com/openai/v1/chat/completions?api-version=1",
            ),
            (
                "https://vllm.example",
                "https://vllm.example/v1/chat/completions",
            ),
        ] {
            assert_eq!(ChatAddress::parse(given).unwrap().as_str(), asked);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "localhost:8080",
            "ftp://h",
            "http://",
            "http://a b",
            "http://h/#x",
        ] {
            assert!(ChatAddress::parse(bad).is_err(), "{bad}");
        }
        let error = ChatAddress::parse("https://me:secret@host").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        let open = |url| ChatAddress::parse(url).unwrap().is_open();
        assert!(open("http://10.0.0.1") && !open("http://localhost") && !open("https://h"));
    }
}
