//! Fetching a whole model or data set.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::thread::sleep;

use super::cache::RepoCache;
use super::completeness::holds_model;
use super::download::Source;
use super::http::Client;
use super::listing::Listing;
use super::repo::{Repo, RepoKind};
use super::select::{check_weights, model_files, module_folders};
use super::status_error::{is_passing, refusal};
use super::{HubConfig, HubError, Progress};
use crate::{Error, Result};

/// The most that a list of files may take; the largest repositories' lists have
/// a few megabytes.
const MAX_LISTING: u64 = 64 << 20;

/// Fetches a model from the hub and returns its folder in the cache. What is
/// cached is not fetched again, and if that is everything, no request is made
/// unless [`HubConfig::refresh`] asks for one.
pub fn pull_model(
    config: &HubConfig,
    id: &str,
    revision: Option<&str>,
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    let mut pull = Pull::new(config, RepoKind::Model, id, revision)?;
    if let Some(folder) = pull.filled_by_others(false) {
        return Ok(folder);
    }
    let listing = match pull.listing() {
        Ok(listing) => listing,
        Err(e) => {
            use HubError::{Disabled, Offline, Unreachable};
            let cut_off = matches!(
                e,
                Error::Hub(Disabled | Offline { .. } | Unreachable { .. })
            );
            let folder = pull.filled_by_others(true).filter(|_| cut_off).ok_or(e)?;
            progress.note(&format!(
                "{id}: taken from the cache as a plain encoder; whether it has modules \
                 (pooling and the like) could not be asked"
            ));
            return Ok(folder);
        }
    };
    let names = listing.names();
    // What else is needed depends on the modules.
    let mut modules = Vec::new();
    if names.contains(&"modules.json") {
        pull.fetch(&listing, &["modules.json"], progress)?;
        let path = pull.cache.snapshot(&listing.commit).join("modules.json");
        modules = module_folders(&fs::read(&path).map_err(Error::io(&path))?);
    }
    check_weights(&names, &modules, &pull.repo.label())?;
    pull.fetch(&listing, &model_files(&names, &modules), progress)?;
    pull.finish(&listing)
}

/// Fetches a data set's tables (JSON lines, CSV, TSV, Parquet) and its card
/// from the hub and returns its folder in the cache; otherwise as
/// [`pull_model`].
pub fn pull_dataset(
    config: &HubConfig,
    id: &str,
    revision: Option<&str>,
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    let mut pull = Pull::new(config, RepoKind::Dataset, id, revision)?;
    let listing = pull.listing()?;
    let tables = [".jsonl", ".json", ".csv", ".tsv", ".txt", ".parquet"];
    let wanted = |name: &&str| {
        let plain = name.strip_suffix(".gz").unwrap_or(name);
        *name == "README.md" || tables.iter().any(|end| plain.ends_with(end))
    };
    let names: Vec<&str> = listing.names().into_iter().filter(wanted).collect();
    pull.fetch(&listing, &names, progress)?;
    pull.finish(&listing)
}

/// The cached folder of a model, if it is known to hold all that is needed.
/// Makes no request.
pub fn find_cached_model(config: &HubConfig, id: &str, revision: Option<&str>) -> Option<PathBuf> {
    let pull = Pull::new(config, RepoKind::Model, id, revision).ok()?;
    pull.complete_model()
        .or_else(|| pull.filled_by_others(false))
}

/// One fetch of one revision. The connection is made when first needed, so a
/// fetch that needs nothing works without a network.
pub(super) struct Pull<'a> {
    config: &'a HubConfig,
    pub(super) repo: Repo,
    pub(super) cache: RepoCache,
    client: Option<Client>,
}

impl<'a> Pull<'a> {
    pub(super) fn new(
        config: &'a HubConfig,
        kind: RepoKind,
        id: &str,
        revision: Option<&str>,
    ) -> Result<Self> {
        let repo = Repo::new(kind, id, revision)?;
        let cache = RepoCache::new(&config.cache, &repo);
        Ok(Pull {
            config,
            repo,
            cache,
            client: None,
        })
    }

    /// The files of the revision: as kept from an earlier fetch if there was
    /// one, else as the hub lists them now.
    pub(super) fn listing(&mut self) -> Result<Listing> {
        let kept = self.kept_listing();
        if let Some(listing) = kept.filter(|_| self.config.offline || !self.config.refresh) {
            return Ok(listing);
        }
        // Without a network, what another program fetched of a data set has to
        // do; of a model one can tell whether it does.
        if self.config.offline
            && self.repo.kind == RepoKind::Dataset
            && let Some(commit) = self.cache.commit_of(&self.repo.revision)
        {
            return Listing::of_folder(&self.cache.snapshot(&commit), commit);
        }
        let url = self.config.endpoint.listing_url(&self.repo);
        let listing = Listing::parse(&self.ask(&url)?, &url)?;
        self.cache.keep_listing(&listing)?;
        Ok(listing)
    }

    fn kept_listing(&self) -> Option<Listing> {
        self.cache
            .listing(&self.cache.commit_of(&self.repo.revision)?)
    }

    /// Brings the files `names` of the listing into the snapshot.
    pub(super) fn fetch(
        &mut self,
        listing: &Listing,
        names: &[&str],
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let snapshot = self.cache.snapshot(&listing.commit);
        for file in &listing.files {
            let needed = names.contains(&file.name.as_str());
            if !needed || snapshot.join(&file.name).is_file() {
                continue;
            }
            // Another commit may have had the same file.
            if let Some(oid) = file.oid()
                && self.cache.has_blob(&oid, file.size)
            {
                self.cache.link(&oid, &listing.commit, &file.name)?;
                continue;
            }
            self.connect()?;
            if let Some(client) = &self.client {
                let source = Source {
                    config: self.config,
                    client,
                    repo: &self.repo,
                    cache: &self.cache,
                    commit: &listing.commit,
                };
                source.fetch(file, progress)?;
            }
        }
        Ok(())
    }

    /// Records that the revision is at this commit, now that its files are
    /// here; until then the cached state of before stays in force.
    pub(super) fn finish(&self, listing: &Listing) -> Result<PathBuf> {
        self.cache
            .set_commit(&self.repo.revision, &listing.commit)?;
        Ok(self.cache.snapshot(&listing.commit))
    }

    fn connect(&mut self) -> Result<()> {
        if self.config.offline {
            return Err(HubError::Offline {
                what: self.repo.label(),
                cache: self.cache.root().into(),
            }
            .into());
        }
        if self.client.is_none() {
            self.client = Some(Client::new(self.config)?);
        }
        Ok(())
    }

    /// Gets `url` whole, trying again where that may help.
    fn ask(&mut self, url: &str) -> Result<Vec<u8>> {
        self.connect()?;
        let mut failures = 0;
        loop {
            let Some(client) = &self.client else {
                return Err(HubError::Disabled.into());
            };
            let reply = client.get(url, 0)?;
            let status = reply.status;
            let error = if status == 200 {
                let mut body = Vec::new();
                match reply.body.take(MAX_LISTING).read_to_end(&mut body) {
                    Ok(_) => return Ok(body),
                    Err(e) => HubError::Unreachable {
                        url: url.into(),
                        reason: e.to_string(),
                    },
                }
            } else {
                refusal(self.config, &self.repo, url, &reply)
            };
            failures += 1;
            if failures > self.config.retries || (status != 200 && !is_passing(status)) {
                return Err(error.into());
            }
            sleep(self.config.pause(failures));
        }
    }

    /// The snapshot, if by the kept listing nothing is missing.
    fn complete_model(&self) -> Option<PathBuf> {
        let listing = self.kept_listing()?;
        let snapshot = self.cache.snapshot(&listing.commit);
        let modules = fs::read(snapshot.join("modules.json"));
        let modules = modules
            .map(|json| module_folders(&json))
            .unwrap_or_default();
        let needed = model_files(&listing.names(), &modules);
        let complete = needed.iter().all(|name| snapshot.join(name).is_file());
        (complete && holds_model(&snapshot)).then_some(snapshot)
    }

    /// The snapshot, if another program fetched all that is needed. Some fetch
    /// the encoder alone; whether modules are then missing can be seen only if
    /// they asked for those, too. `trusting` takes such a snapshot as it is.
    fn filled_by_others(&self, trusting: bool) -> Option<PathBuf> {
        if self.config.refresh && !self.config.offline {
            return None;
        }
        let commit = self.cache.commit_of(&self.repo.revision)?;
        let listed = self.cache.listing(&commit).is_some();
        let snapshot = self.cache.snapshot(&commit);
        let modules_known = snapshot.join("modules.json").is_file()
            || self.cache.known_missing(&commit, "modules.json");
        (!listed && (modules_known || trusting) && holds_model(&snapshot)).then_some(snapshot)
    }
}
