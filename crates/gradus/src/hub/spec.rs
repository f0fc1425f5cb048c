//! What a user means by the name of a model.

use std::path::PathBuf;

use super::HubError;
use super::names::repo_id_fault;

/// Plain encoders that the hub knows by a bare name. Every other bare name is
/// one of sentence-transformers' models, as in that library.
const BARE_NAMES: [&str; 18] = [
    "albert-base-v1",
    "albert-base-v2",
    "bert-base-cased",
    "bert-base-chinese",
    "bert-base-german-cased",
    "bert-base-multilingual-cased",
    "bert-base-multilingual-uncased",
    "bert-base-uncased",
    "bert-large-cased",
    "bert-large-uncased",
    "camembert-base",
    "distilbert-base-cased",
    "distilbert-base-multilingual-cased",
    "distilbert-base-uncased",
    "distilroberta-base",
    "roberta-base",
    "roberta-large",
    "xlm-roberta-base",
];

/// The name of a model, told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSpec {
    /// A folder here.
    Folder(PathBuf),
    /// A model on a hub.
    Hub {
        /// `org/name`, or one of the few bare names the hub knows.
        id: String,
        /// What stood after `@`.
        revision: Option<String>,
    },
}

impl ModelSpec {
    /// Reads a name by its looks alone. What starts with a dot, slash or tilde,
    /// contains a backslash, ends with a slash or has more than one is a path
    /// and never looked up on a hub.
    pub fn parse(spec: &str) -> Result<Self, HubError> {
        let (id, revision) = match spec.split_once('@') {
            Some((id, revision)) => (id, Some(revision.to_string())),
            None => (spec, None),
        };
        let path_start = spec.starts_with(['.', '/', '~']) || spec.get(1..2) == Some(":");
        let slashes = id.matches('/').count();
        if path_start || spec.contains('\\') || id.ends_with('/') || slashes > 1 {
            return Ok(ModelSpec::Folder(PathBuf::from(spec)));
        }
        if let Some(reason) = repo_id_fault(id) {
            return Err(HubError::BadRepoId {
                id: id.into(),
                reason,
            });
        }
        let bare = slashes == 0 && !BARE_NAMES.contains(&id.to_lowercase().as_str());
        let prefix = if bare { "sentence-transformers/" } else { "" };
        Ok(ModelSpec::Hub {
            id: format!("{prefix}{id}"),
            revision,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(id: &str, revision: Option<&str>) -> ModelSpec {
        ModelSpec::Hub {
            id: id.into(),
            revision: revision.map(str::to_string),
        }
    }

    #[test]
    fn names_are_told_from_paths() {
        for (spec, expected) in [
            (
                "all-MiniLM-L6-v2",
                hub("sentence-transformers/all-MiniLM-L6-v2", None),
            ),
            ("bert-base-uncased", hub("bert-base-uncased", None)),
            ("BAAI/bge-small-en", hub("BAAI/bge-small-en", None)),
            ("o/n@refs/pr/1", hub("o/n", Some("refs/pr/1"))),
        ] {
            assert_eq!(ModelSpec::parse(spec).unwrap(), expected);
        }
        for path in ["./m", "/m", "~/m", "m/", "a\\b", "a/b/c", "C:m", "../m"] {
            assert_eq!(
                ModelSpec::parse(path).unwrap(),
                ModelSpec::Folder(path.into())
            );
        }
        for bad in ["", "a b", "@main", "é"] {
            assert!(ModelSpec::parse(bad).is_err(), "{bad:?}");
        }
    }
}
