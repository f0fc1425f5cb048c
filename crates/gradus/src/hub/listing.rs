//! The list of a commit's files.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::HubError;
use super::digest::{Oid, is_lower_hex};
use super::names::safe_relative;
use crate::Error;

/// The files of one commit. Kept next to the snapshot, in the hub's own JSON,
/// so that a later run knows what belongs to it without asking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Listing {
    /// The repository's present name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    /// The commit.
    #[serde(rename = "sha")]
    pub(super) commit: String,
    /// Its files.
    #[serde(rename = "siblings", default)]
    pub(super) files: Vec<ListedFile>,
}

/// One file of a commit; mirrors may leave out all but the name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ListedFile {
    #[serde(rename = "rfilename")]
    pub(super) name: String,
    #[serde(default)]
    pub(super) size: Option<u64>,
    #[serde(rename = "blobId", default)]
    blob_id: Option<String>,
    #[serde(default)]
    lfs: Option<LargeFile>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LargeFile {
    #[serde(default)]
    sha256: Option<String>,
}

impl Listing {
    /// Reads the hub's answer. Names that could lead out of the folder fail the
    /// whole listing: a hub that sends one is not to be trusted with the rest.
    pub(super) fn parse(json: &[u8], from: &str) -> Result<Self, HubError> {
        let bad = |reason: String| HubError::BadListing {
            url: from.into(),
            reason,
        };
        let listing: Listing = serde_json::from_slice(json).map_err(|e| bad(e.to_string()))?;
        if listing.commit.len() < 40 || !is_lower_hex(&listing.commit) {
            return Err(bad(format!("\"{}\" is not a commit", listing.commit)));
        }
        for file in &listing.files {
            if safe_relative(&file.name).is_none() {
                return Err(HubError::UnsafeName {
                    from: from.into(),
                    name: file.name.clone(),
                });
            }
        }
        Ok(listing)
    }

    /// What lies in a snapshot, as if it were all there is.
    pub(super) fn of_folder(folder: &Path, commit: String) -> Result<Self, Error> {
        let mut files = Vec::new();
        let mut pending = vec![(folder.to_path_buf(), String::new())];
        while let Some((folder, prefix)) = pending.pop() {
            for entry in fs::read_dir(&folder).map_err(Error::io(&folder))? {
                let entry = entry.map_err(Error::io(&folder))?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.file_type().map_err(Error::io(entry.path()))?.is_dir() {
                    pending.push((entry.path(), format!("{name}/")));
                } else {
                    files.push(ListedFile {
                        name,
                        size: None,
                        blob_id: None,
                        lfs: None,
                    });
                }
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Listing {
            id: None,
            commit,
            files,
        })
    }

    /// The names of all files.
    pub(super) fn names(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.name.as_str()).collect()
    }
}

impl ListedFile {
    /// The checksum of the file's content, if the listing has it. The blob id
    /// of a large file is that of a pointer to it and says nothing here.
    pub(super) fn oid(&self) -> Option<Oid> {
        match &self.lfs {
            Some(large) => Oid::parse(large.sha256.as_deref()?),
            None => Oid::parse(self.blob_id.as_deref()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41";

    fn parse(siblings: &str) -> Result<Listing, HubError> {
        let json = format!(r#"{{"sha":"{COMMIT}","private":false,"siblings":{siblings}}}"#);
        Listing::parse(json.as_bytes(), "url")
    }

    #[test]
    fn checksums_of_small_and_large_files() {
        let (git, sha) = (COMMIT, "a".repeat(64));
        let listing = parse(&format!(
            r#"[{{"rfilename":"a","size":3,"blobId":"{git}"}},
                {{"rfilename":"b","blobId":"{git}","lfs":{{"sha256":"{sha}","size":9}}}},
                {{"rfilename":"c"}}]"#
        ))
        .unwrap();
        let oids: Vec<_> = listing.files.iter().map(ListedFile::oid).collect();
        assert_eq!(
            oids,
            [Some(Oid::GitBlob(git.into())), Some(Oid::Sha256(sha)), None]
        );
        let kept = serde_json::to_vec(&listing).unwrap();
        assert_eq!(Listing::parse(&kept, "file").unwrap(), listing);
    }

    #[test]
    fn hostile_or_broken_listings_are_refused() {
        for name in ["../x", "/x", "a\\\\b", ""] {
            let result = parse(&format!(r#"[{{"rfilename":"{name}"}}]"#));
            assert!(
                matches!(result, Err(HubError::UnsafeName { .. })),
                "{name}: {result:?}"
            );
        }
        for json in [
            "",
            "<html>",
            "[]",
            r#"{"sha":"../../x"}"#,
            r#"{"sha":"abc"}"#,
        ] {
            let result = Listing::parse(json.as_bytes(), "url");
            assert!(
                matches!(result, Err(HubError::BadListing { .. })),
                "{json}: {result:?}"
            );
        }
    }
}
