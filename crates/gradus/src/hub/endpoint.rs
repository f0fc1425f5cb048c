//! The hub's address, and the addresses of what it serves.

use super::HubError;
use super::repo::Repo;
use crate::util::origin::Origin;

/// Where a hub is served: `https://huggingface.co`, a mirror of it, or a server
/// of one's own that speaks the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: String,
}

impl Default for Endpoint {
    fn default() -> Self {
        Endpoint {
            base: "https://huggingface.co".into(),
        }
    }
}

impl Endpoint {
    /// Reads an `http` or `https` address; a path prefix is allowed, a user
    /// name, query or fragment is not.
    pub fn parse(address: &str) -> Result<Self, HubError> {
        let fault = |reason| HubError::BadEndpoint {
            address: address.into(),
            reason,
        };
        let base = address.trim().trim_end_matches('/');
        if base.contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
            return Err(fault("it has spaces or characters outside ASCII"));
        }
        let Some(origin) = Origin::of(base) else {
            return Err(fault("it is not of the form https://host"));
        };
        if origin.authority.contains('@') {
            return Err(fault(
                "it holds a user name; give a token in HF_TOKEN instead",
            ));
        }
        if base.contains(['?', '#']) {
            return Err(fault("it has a query or fragment"));
        }
        Ok(Endpoint { base: base.into() })
    }

    /// The address, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.base
    }

    /// Where the files of a repository are listed, with sizes and checksums.
    pub(super) fn listing_url(&self, repo: &Repo) -> String {
        format!(
            "{}/api/{}/{}/revision/{}?blobs=true",
            self.base,
            repo.kind.plural(),
            repo.id,
            encode(&repo.revision, "")
        )
    }

    /// Where one file of one commit is served.
    pub(super) fn file_url(&self, repo: &Repo, commit: &str, file: &str) -> String {
        let (prefix, id) = (repo.kind.url_prefix(), &repo.id);
        format!(
            "{}/{prefix}{id}/resolve/{commit}/{}",
            self.base,
            encode(file, "/")
        )
    }

    /// Whether `url` is on this hub's own host, the only one that may see the
    /// token.
    #[cfg_attr(not(feature = "hub"), allow(dead_code))]
    pub(super) fn owns(&self, url: &str) -> bool {
        Origin::of(url).is_some_and(|origin| Some(origin) == Origin::of(&self.base))
    }
}

/// The address that a redirect found at `from` leads to.
#[cfg_attr(not(feature = "hub"), allow(dead_code))]
pub(super) fn redirected(from: &str, location: &str) -> Option<String> {
    if Origin::of(location).is_some() {
        return Some(location.to_string());
    }
    let (scheme, rest) = from.split_once("://")?;
    if location.starts_with("//") {
        return Some(format!("{scheme}:{location}"));
    }
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(host_end);
    if location.starts_with('/') {
        return Some(format!("{scheme}://{host}{location}"));
    }
    // Another scheme, such as file:, must not be taken for a relative path.
    if location.split(['/', '?', '#']).next()?.contains(':') {
        return None;
    }
    let path = path.split(['?', '#']).next()?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(format!("{scheme}://{host}{folder}/{location}"))
}

/// Percent-encodes everything but unreserved characters and those in `keep`.
fn encode(text: &str, keep: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || keep.contains(c) {
            out.push(c);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::repo::RepoKind;

    #[test]
    fn addresses_are_checked() {
        assert_eq!(
            Endpoint::parse(" https://h.co/ ").unwrap().as_str(),
            "https://h.co"
        );
        assert_eq!(
            Endpoint::parse("http://127.0.0.1:8080/hf")
                .unwrap()
                .as_str(),
            "http://127.0.0.1:8080/hf"
        );
        for bad in [
            "",
            "huggingface.co",
            "ftp://h",
            "https://",
            "https://:80",
            "https://u:p@h",
            "https://h?x",
            "https://h o",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn files_and_revisions_are_encoded() {
        let hub = Endpoint::parse("https://h/hf").unwrap();
        let model = Repo::new(RepoKind::Model, "o/n", Some("refs/pr/1")).unwrap();
        assert_eq!(
            hub.listing_url(&model),
            "https://h/hf/api/models/o/n/revision/refs%2Fpr%2F1?blobs=true"
        );
        assert_eq!(
            hub.file_url(&model, "ab12", "d/a b#?%ü.json"),
            "https://h/hf/o/n/resolve/ab12/d/a%20b%23%3F%25%C3%BC.json"
        );
        let data = Repo::new(RepoKind::Dataset, "o/n", None).unwrap();
        assert_eq!(
            hub.file_url(&data, "ab", "x"),
            "https://h/hf/datasets/o/n/resolve/ab/x"
        );
    }

    #[test]
    fn only_the_same_host_port_and_scheme_is_the_hub() {
        let hub = Endpoint::parse("https://h.co").unwrap();
        for own in ["https://h.co/x", "https://H.CO:443/x"] {
            assert!(hub.owns(own), "{own}");
        }
        for other in [
            "http://h.co/x",
            "https://h.co:444/x",
            "https://h.co.evil/x",
            "https://h.co@evil/x",
            "/x",
        ] {
            assert!(!hub.owns(other), "{other}");
        }
    }

    #[test]
    fn redirects_are_followed_like_links() {
        let from = "https://h.co/o/n/resolve/main/f?x=1";
        for (location, to) in [
            ("https://cdn/x?sig=1", Some("https://cdn/x?sig=1")),
            ("//cdn/x", Some("https://cdn/x")),
            ("/api/cache/f?y", Some("https://h.co/api/cache/f?y")),
            ("g", Some("https://h.co/o/n/resolve/main/g")),
            ("file:///etc/passwd", None),
        ] {
            assert_eq!(redirected(from, location).as_deref(), to, "{location}");
        }
    }
}
