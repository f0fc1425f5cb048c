//! Servers, by the addresses of what they serve.

/// Scheme, host and port: what decides whether two addresses are one server.
#[derive(PartialEq)]
pub(crate) struct Origin {
    /// `http` or `https`.
    pub(crate) scheme: String,
    /// Host and port, with a user name where the address has one.
    pub(crate) authority: String,
}

impl Origin {
    /// The server of an `http` or `https` address.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" => ":80",
            "https" => ":443",
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#']).next()?.to_ascii_lowercase();
        let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
        let host = authority.rsplit('@').next()?;
        (!host.is_empty() && !host.starts_with(':')).then(|| Origin {
            scheme,
            authority: authority.to_string(),
        })
    }

    /// Whether it is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.authority.rsplit('@').next().unwrap_or_default();
        if let Some(bracketed) = host.strip_prefix('[') {
            return bracketed.split(']').next() == Some("::1");
        }
        let host = host.split(':').next().unwrap_or_default();
        host == "localhost"
            || host.starts_with("127.") && host.parse::<std::net::Ipv4Addr>().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known() {
        let local = |url| Origin::of(url).unwrap().is_loopback();
        for url in [
            "http://localhost:8080/v1",
            "http://127.0.0.1",
            "http://[::1]:80/",
        ] {
            assert!(local(url), "{url}");
        }
        for url in [
            "https://api.openai.com",
            "http://127.0.0.1.evil.com",
            "http://10.0.0.1",
        ] {
            assert!(!local(url), "{url}");
        }
    }
}
