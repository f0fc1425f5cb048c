//! One revision of one repository on a hub.

use super::HubError;
use super::names::{repo_id_fault, safe_relative};

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RepoKind {
    Model,
    Dataset,
}

impl RepoKind {
    /// The hub's word for it in addresses and folder names.
    pub(super) fn plural(self) -> &'static str {
        match self {
            RepoKind::Model => "models",
            RepoKind::Dataset => "datasets",
        }
    }

    /// What stands before a repository's name in the address of a page or file.
    pub(super) fn url_prefix(self) -> &'static str {
        match self {
            RepoKind::Model => "",
            RepoKind::Dataset => "datasets/",
        }
    }

    /// Our word for it in messages.
    pub(super) fn noun(self) -> &'static str {
        match self {
            RepoKind::Model => "model",
            RepoKind::Dataset => "data set",
        }
    }
}

/// A branch, tag or commit of a repository; both names are checked, so they are
/// safe in paths.
#[derive(Debug, Clone)]
pub(super) struct Repo {
    pub(super) kind: RepoKind,
    pub(super) id: String,
    pub(super) revision: String,
}

impl Repo {
    pub(super) fn new(kind: RepoKind, id: &str, revision: Option<&str>) -> Result<Self, HubError> {
        if let Some(reason) = repo_id_fault(id) {
            return Err(HubError::BadRepoId {
                id: id.into(),
                reason,
            });
        }
        let revision = revision.unwrap_or("main");
        if safe_relative(revision).is_none() {
            return Err(HubError::BadRevision {
                id: id.into(),
                revision: revision.into(),
            });
        }
        Ok(Repo {
            kind,
            id: id.into(),
            revision: revision.into(),
        })
    }

    /// The name of its folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("{}--{}", self.kind.plural(), self.id.replace('/', "--"))
    }

    /// For messages: `model org/name` or `data set org/name@revision`.
    pub(super) fn label(&self) -> String {
        match self.revision.as_str() {
            "main" => format!("{} {}", self.kind.noun(), self.id),
            revision => format!("{} {}@{revision}", self.kind.noun(), self.id),
        }
    }
}
