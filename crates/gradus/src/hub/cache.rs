//! The cache on disk, as `huggingface_hub` lays it out.
//!
//! ```text
//! models--org--name/
//!   blobs/{checksum}            contents; `{checksum}.incomplete` while on the way
//!   snapshots/{commit}/{file}   links into blobs
//!   refs/{revision}             the commit a branch or tag stood at
//!   .gradus/{commit}.json       ours: the commit's list of files
//! .locks/models--org--name/{checksum}.lock
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use super::digest::{Oid, is_lower_hex};
use super::listing::Listing;
use super::repo::Repo;
use crate::util::atomic::{Unfinished, copy_content, write_bytes};
use crate::{Error, Result};

/// The part of the cache that belongs to one repository.
pub(super) struct RepoCache {
    root: PathBuf,
    locks: PathBuf,
}

impl RepoCache {
    pub(super) fn new(cache: &Path, repo: &Repo) -> Self {
        let folder = repo.folder();
        RepoCache {
            root: cache.join(&folder),
            locks: cache.join(".locks").join(folder),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn blob(&self, oid: &Oid) -> PathBuf {
        self.root.join("blobs").join(oid.as_str())
    }

    pub(super) fn incomplete(&self, oid: &Oid) -> PathBuf {
        self.root
            .join("blobs")
            .join(format!("{}.incomplete", oid.as_str()))
    }

    pub(super) fn lock(&self, oid: &Oid) -> PathBuf {
        self.locks.join(format!("{}.lock", oid.as_str()))
    }

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// Whether Python asked for `file` of `commit` and learned that there is none.
    pub(super) fn known_missing(&self, commit: &str, file: &str) -> bool {
        self.root
            .join(".no_exist")
            .join(commit)
            .join(file)
            .is_file()
    }

    /// The commit that `revision` was at when it was last fetched.
    pub(super) fn commit_of(&self, revision: &str) -> Option<String> {
        if let Ok(text) = fs::read_to_string(self.root.join("refs").join(revision)) {
            let commit = text.trim();
            return is_lower_hex(commit).then(|| commit.to_string());
        }
        // A whole commit needs no reference.
        let is_commit = revision.len() >= 40 && is_lower_hex(revision);
        (is_commit && self.snapshot(revision).is_dir()).then(|| revision.to_string())
    }

    pub(super) fn set_commit(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit || self.commit_of(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        write_bytes(&self.root.join("refs").join(revision), commit.as_bytes())
    }

    fn listing_path(&self, commit: &str) -> PathBuf {
        self.root.join(".gradus").join(format!("{commit}.json"))
    }

    /// The kept list of a commit's files; a damaged one counts as none.
    pub(super) fn listing(&self, commit: &str) -> Option<Listing> {
        let json = fs::read(self.listing_path(commit)).ok()?;
        let listing = Listing::parse(&json, commit).ok()?;
        (listing.commit == commit).then_some(listing)
    }

    pub(super) fn keep_listing(&self, listing: &Listing) -> Result<()> {
        // Strings and numbers only: this cannot fail.
        let json = serde_json::to_vec(listing).unwrap_or_default();
        write_bytes(&self.listing_path(&listing.commit), &json)
    }

    /// Whether the content is here whole. `huggingface_hub` moves blobs into
    /// place when complete, as we do, so only a length that is wrong (a full
    /// disk, a copy by hand) speaks against one.
    pub(super) fn has_blob(&self, oid: &Oid, size: Option<u64>) -> bool {
        fs::metadata(self.blob(oid))
            .is_ok_and(|meta| meta.is_file() && size.is_none_or(|size| meta.len() == size))
    }

    /// Makes `file` of `commit` show the blob `oid`.
    pub(super) fn link(&self, oid: &Oid, commit: &str, file: &str) -> Result<()> {
        let place = self.snapshot(commit).join(file);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(Error::io(folder))?;
        }
        let temporary = Unfinished::beside(&place);
        let depth = file.matches('/').count() + 2;
        let target = PathBuf::from("../".repeat(depth))
            .join("blobs")
            .join(oid.as_str());
        // Where links cannot be made, a copy is what huggingface_hub makes, too.
        if symlink(&target, temporary.path()).is_err() {
            copy_content(&self.blob(oid), temporary.path())?;
        }
        temporary.commit(&place).map_err(Error::io(&place))
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_target: &Path, _link: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
