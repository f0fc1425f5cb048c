//! What an answer other than "here it is" means, in words and remedies.

use super::repo::Repo;
use super::response::Reply;
use super::{HubConfig, HubError};

/// The error that `reply`, not a success, stands for.
pub(super) fn refusal(config: &HubConfig, repo: &Repo, url: &str, reply: &Reply) -> HubError {
    let code = reply.error_code.as_deref().unwrap_or("");
    let (what, endpoint) = (repo.label(), config.endpoint.as_str().to_string());
    let token = config.token.is_some();
    match (reply.status, code) {
        // Without a token the hub answers 401 for what does not exist, too.
        (401 | 404, "RepoNotFound" | "RevisionNotFound") | (404, "") => HubError::NotFound {
            what,
            endpoint,
            token,
        },
        (401 | 403, _) => HubError::Denied {
            what,
            page: format!("{endpoint}/{}{}", repo.kind.url_prefix(), repo.id),
            endpoint,
            token,
        },
        (status, code) => HubError::Status {
            url: url.into(),
            status,
            reason_text: code.into(),
        },
    }
}

/// Whether the same request may well succeed in a moment.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}
