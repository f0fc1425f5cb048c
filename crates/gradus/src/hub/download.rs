//! Fetching one file: resumed where an earlier attempt broke off, checked, and
//! only then put where it counts as there.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread::sleep;

use super::cache::RepoCache;
use super::digest::Oid;
use super::http::Client;
use super::listing::ListedFile;
use super::lock::Lock;
use super::repo::Repo;
use super::status_error::{is_passing, refusal};
use super::{HubConfig, HubError, Progress};
use crate::{Error, Result};

/// What all files of one fetch have in common.
pub(super) struct Source<'a> {
    pub(super) config: &'a HubConfig,
    pub(super) client: &'a Client,
    pub(super) repo: &'a Repo,
    pub(super) cache: &'a RepoCache,
    pub(super) commit: &'a str,
}

/// How one attempt at a transfer ended.
enum Attempt {
    /// All bytes are there. `fresh` if none is from an earlier attempt.
    Complete { fresh: bool },
    /// The connection broke; what arrived is kept.
    Broken(String),
}

impl Source<'_> {
    /// Brings `file` into the snapshot.
    pub(super) fn fetch(&self, file: &ListedFile, progress: &mut dyn Progress) -> Result<()> {
        let url = self
            .config
            .endpoint
            .file_url(self.repo, self.commit, &file.name);
        let oid = match file.oid() {
            Some(oid) => oid,
            None => self.ask_oid(&url, &file.name)?,
        };
        let _lock = Lock::acquire(&self.cache.lock(&oid), &file.name, progress)?;
        // Whoever held the lock may have fetched it for us.
        if !self.cache.has_blob(&oid, file.size) {
            self.transfer(&url, file, &oid, progress)?;
        }
        self.cache.link(&oid, self.commit, &file.name)
    }

    fn ask_oid(&self, url: &str, name: &str) -> Result<Oid> {
        let reply = self.client.head(url)?;
        if reply.status != 200 {
            return Err(refusal(self.config, self.repo, url, &reply).into());
        }
        let oid = reply.etag.as_deref().and_then(Oid::parse);
        Ok(oid.ok_or_else(|| HubError::NoChecksum {
            file: name.into(),
            url: url.into(),
        })?)
    }

    fn transfer(
        &self,
        url: &str,
        file: &ListedFile,
        oid: &Oid,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let partial = self.cache.incomplete(oid);
        if let Some(folder) = partial.parent() {
            fs::create_dir_all(folder).map_err(Error::io(folder))?;
        }
        let (mut furthest, mut failures) = (0, 0);
        loop {
            match self.attempt(url, file, &partial, progress)? {
                Attempt::Complete { fresh } => {
                    let actual = oid.of_file(&partial).map_err(Error::io(&partial))?;
                    if actual == oid.as_str() {
                        let blob = self.cache.blob(oid);
                        fs::rename(&partial, &blob).map_err(Error::io(&blob))?;
                        progress.finish();
                        return Ok(());
                    }
                    fs::remove_file(&partial).map_err(Error::io(&partial))?;
                    // The fault may lie in what an earlier attempt left behind.
                    if fresh {
                        return Err(HubError::Checksum {
                            file: file.name.clone(),
                            expected: oid.as_str().into(),
                            actual,
                        }
                        .into());
                    }
                    progress.note(&format!(
                        "{}: the resumed copy is damaged, starting over",
                        file.name
                    ));
                }
                Attempt::Broken(reason) => {
                    let have = fs::metadata(&partial).map_or(0, |meta| meta.len());
                    if have > furthest {
                        (furthest, failures) = (have, 0);
                    }
                    failures += 1;
                    if failures > self.config.retries {
                        return Err(HubError::Interrupted {
                            file: file.name.clone(),
                            have,
                            attempts: failures,
                            reason,
                        }
                        .into());
                    }
                    sleep(self.config.pause(failures));
                }
            }
        }
    }

    fn attempt(
        &self,
        url: &str,
        file: &ListedFile,
        partial: &Path,
        progress: &mut dyn Progress,
    ) -> Result<Attempt> {
        let mut out = File::options()
            .create(true)
            .append(true)
            .open(partial)
            .map_err(Error::io(partial))?;
        let mut have = out.metadata().map_err(Error::io(partial))?.len();
        if file.size.is_some_and(|size| have > size) {
            have = restart(&mut out, partial)?;
        }
        if file.size == Some(have) && have > 0 {
            progress.start(&file.name, file.size, have);
            return Ok(Attempt::Complete { fresh: false });
        }
        let reply = match self.client.get(url, have) {
            Ok(reply) => reply,
            Err(Error::Hub(HubError::Unreachable { reason, .. })) => {
                return Ok(Attempt::Broken(reason));
            }
            Err(e) => return Err(e),
        };
        let total = match (reply.status, reply.range) {
            (206, Some((first, total))) if first == have => {
                total.or_else(|| have.checked_add(reply.length?))
            }
            (200, _) => {
                // The server does not do parts, or none was asked for.
                have = restart(&mut out, partial)?;
                reply.length
            }
            (206 | 416, _) => {
                restart(&mut out, partial)?;
                return Ok(Attempt::Broken(
                    "the hub sent another part than asked for".into(),
                ));
            }
            (status, _) if is_passing(status) => {
                return Ok(Attempt::Broken(format!("the hub answered {status}")));
            }
            _ => return Err(refusal(self.config, self.repo, url, &reply).into()),
        };
        let total = file.size.or(total);
        let fresh = have == 0;
        progress.start(&file.name, total, have);
        // One byte more than is due is enough to know that something is wrong.
        let due = total.map_or(u64::MAX, |total| {
            total.saturating_sub(have).saturating_add(1)
        });
        if let Some(reason) =
            copy(reply.body.take(due), &mut out, progress).map_err(Error::io(partial))?
        {
            return Ok(Attempt::Broken(reason));
        }
        out.sync_all().map_err(Error::io(partial))?;
        let have = out.metadata().map_err(Error::io(partial))?.len();
        match total {
            Some(total) if have < total => Ok(Attempt::Broken(format!(
                "it ended after {have} of {total} bytes"
            ))),
            _ => Ok(Attempt::Complete { fresh }),
        }
    }
}

/// Forgets what was there.
fn restart(out: &mut File, path: &Path) -> Result<u64> {
    out.set_len(0).map_err(Error::io(path))?;
    out.seek(SeekFrom::Start(0)).map_err(Error::io(path))
}

/// Copies all there is. A failing source gives its reason, as one can go on
/// from there; a failing disk is an error.
fn copy(
    mut from: impl Read,
    to: &mut File,
    progress: &mut dyn Progress,
) -> io::Result<Option<String>> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(n) => {
                to.write_all(&buffer[..n])?;
                progress.advance(n as u64);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Ok(Some(e.to_string())),
        }
    }
}
