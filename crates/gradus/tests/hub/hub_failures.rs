//! Broken connections, damaged bytes, refusals and hostile answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gradus::Result;
use gradus::hub::{
    Endpoint, HubConfig, HubError, NoProgress, Token, find_cached_model, pull_model,
};
use tempfile::tempdir;

use crate::hub_error;
use crate::hub_pull::model_files;
use crate::server::{Faults, Hub, TOKEN, oid};

fn pull(config: &HubConfig) -> Result<PathBuf> {
    pull_model(config, "o/n", None, &mut NoProgress)
}

fn weights() -> Vec<u8> {
    (0..200_000u32).map(|i| (i % 251) as u8).collect()
}

fn incomplete(config: &HubConfig, weights: &[u8]) -> PathBuf {
    let name = format!("{}.incomplete", oid(weights, true));
    config.cache.join("models--o--n/blobs").join(name)
}

#[test]
fn a_dropped_connection_is_taken_up_where_it_broke() {
    let (hub, dir, weights) = (Hub::start(), tempdir().unwrap(), weights());
    hub.publish("models/o/n", 'a', &model_files(&weights));
    hub.faults(Faults {
        cut: Some((60_000, 2)),
        ..Faults::default()
    });
    let folder = pull(&hub.config(dir.path())).unwrap();
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights);
    let ranges: Vec<_> = hub
        .requests()
        .into_iter()
        .filter(|r| !r.on_hub)
        .map(|r| r.range)
        .collect();
    assert_eq!(
        ranges,
        [
            None,
            Some("bytes=60000-".into()),
            Some("bytes=120000-".into())
        ]
    );
    assert_eq!(hub.content_bytes(), weights.len(), "no byte was sent twice");
}

#[test]
fn a_later_run_goes_on_where_an_earlier_one_gave_up() {
    let (hub, dir, weights) = (Hub::start(), tempdir().unwrap(), weights());
    hub.publish("models/o/n", 'a', &model_files(&weights));
    hub.faults(Faults {
        cut: Some((50_000, 1)),
        ..Faults::default()
    });
    let mut config = hub.config(dir.path());
    config.retries = 0;
    let error = hub_error(pull(&config));
    assert!(
        matches!(error, HubError::Interrupted { have: 50_000, .. }),
        "{error}"
    );
    assert_eq!(find_cached_model(&config, "o/n", None), None);
    hub.requests();
    let folder = pull(&config).unwrap();
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights);
    let requests = hub.requests();
    let content: Vec<_> = requests.iter().filter(|r| !r.on_hub).collect();
    assert_eq!(content.len(), 1);
    assert_eq!(content[0].range.as_deref(), Some("bytes=50000-"));
    assert_eq!(hub.content_bytes(), weights.len());
}

#[test]
fn a_server_without_ranges_still_gives_the_right_bytes() {
    let (hub, dir, weights) = (Hub::start(), tempdir().unwrap(), weights());
    hub.publish("models/o/n", 'a', &model_files(&weights));
    hub.faults(Faults {
        cut: Some((60_000, 1)),
        no_ranges: true,
        ..Faults::default()
    });
    let folder = pull(&hub.config(dir.path())).unwrap();
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights);
    assert_eq!(hub.content_bytes(), weights.len() + 60_000);
}

#[test]
fn a_connection_that_breaks_at_the_same_place_is_given_up() {
    let (hub, dir, weights) = (Hub::start(), tempdir().unwrap(), weights());
    hub.publish("models/o/n", 'a', &model_files(&weights));
    hub.faults(Faults {
        cut: Some((0, u32::MAX)),
        ..Faults::default()
    });
    let mut config = hub.config(dir.path());
    config.retries = 2;
    let error = hub_error(pull(&config));
    assert!(
        matches!(error, HubError::Interrupted { attempts: 3, .. }),
        "{error}"
    );
}

#[test]
fn damaged_bytes_are_never_taken_for_the_file() {
    let (hub, dir, weights) = (Hub::start(), tempdir().unwrap(), weights());
    hub.publish("models/o/n", 'a', &model_files(&weights));
    hub.faults(Faults {
        corrupt: true,
        ..Faults::default()
    });
    let config = hub.config(dir.path());
    let error = hub_error(pull(&config));
    assert!(
        matches!(&error, HubError::Checksum { file, .. } if file == "model.safetensors"),
        "{error}"
    );
    let repo = config.cache.join("models--o--n");
    assert!(!repo.join("blobs").join(oid(&weights, true)).exists());
    assert!(!incomplete(&config, &weights).exists());
    assert!(!repo.join("refs/main").exists());
    assert_eq!(find_cached_model(&config, "o/n", None), None);

    hub.faults(Faults::default());
    let folder = pull(&config).unwrap();
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights);
}

#[test]
fn a_damaged_beginning_from_an_earlier_run_is_fetched_anew() {
    for leftover in [1_000, 200_000, 200_001] {
        let (hub, dir, weights) = (Hub::start(), tempdir().unwrap(), weights());
        hub.publish("models/o/n", 'a', &model_files(&weights));
        let config = hub.config(dir.path());
        let partial = incomplete(&config, &weights);
        fs::create_dir_all(partial.parent().unwrap()).unwrap();
        fs::write(&partial, vec![9; leftover]).unwrap();
        let folder = pull(&config).unwrap();
        assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights);
        assert!(!partial.exists());
    }
}

#[test]
fn a_busy_hub_is_asked_again() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish("models/o/n", 'a', &model_files(b"weights"));
    let busy = |times| Faults {
        busy: times,
        ..Faults::default()
    };
    hub.faults(busy(2));
    pull(&hub.config(dir.path())).unwrap();
    hub.faults(busy(100));
    let other = tempdir().unwrap();
    let error = hub_error(pull(&hub.config(other.path())));
    assert!(
        matches!(error, HubError::Status { status: 503, .. }),
        "{error}"
    );
}

#[test]
fn gated_and_missing_models_are_told_apart_with_what_to_do() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish("models/o/n", 'a', &model_files(b"weights"));
    hub.gate("models/o/n");
    let mut config = hub.config(dir.path());
    let text = hub_error(pull(&config)).to_string();
    assert!(text.contains("HF_TOKEN") && text.contains("/o/n"), "{text}");
    config.token = Token::new("wrong");
    assert!(matches!(
        hub_error(pull(&config)),
        HubError::Denied { token: true, .. }
    ));
    config.token = Token::new(TOKEN);
    pull(&config).unwrap();

    let missing = hub_error(pull_model(&config, "o/typo", None, &mut NoProgress));
    assert!(matches!(missing, HubError::NotFound { .. }), "{missing}");
}

#[test]
fn hostile_file_names_write_nothing() {
    for name in [
        "../../../../evil.safetensors",
        "/evil.safetensors",
        "a\\..\\evil.safetensors",
    ] {
        let (hub, dir) = (Hub::start(), tempdir().unwrap());
        let mut files = model_files(b"weights");
        files.push((name, b"evil"));
        hub.publish("models/o/n", 'a', &files);
        let config = hub.config(&dir.path().join("deep/er"));
        let error = hub_error(pull(&config));
        assert!(
            matches!(&error, HubError::UnsafeName { name: n, .. } if n == name),
            "{error}"
        );
        assert!(!dir.path().join("deep").exists(), "{name}");
        assert!(!Path::new("/evil.safetensors").exists());
    }
    let config = HubConfig::new("unused");
    for id in ["../x", "a/../b", "a/b/c"] {
        let error = hub_error(pull_model(&config, id, None, &mut NoProgress));
        assert!(matches!(error, HubError::BadRepoId { .. }), "{error}");
    }
    let error = hub_error(pull_model(&config, "o/n", Some("../../x"), &mut NoProgress));
    assert!(matches!(error, HubError::BadRevision { .. }), "{error}");
}

#[test]
fn weights_in_another_format_are_named() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish(
        "models/o/n",
        'a',
        &[("config.json", b"{}"), ("pytorch_model.bin", b"x")],
    );
    let error = hub_error(pull(&hub.config(dir.path())));
    assert!(
        matches!(&error, HubError::NoSafetensors { found, .. } if found == "pytorch_model.bin"),
        "{error}"
    );
}

#[test]
fn without_a_hub_one_hears_so_at_once() {
    let dir = tempdir().unwrap();
    let mut config = HubConfig::new(dir.path());
    // Nobody listens on the port of a listener that is gone.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    config.endpoint = Endpoint::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    let start = Instant::now();
    let error = hub_error(pull(&config));
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_server_that_falls_silent_does_not_hang_the_run() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish("models/o/n", 'a', &model_files(b"weights"));
    hub.faults(Faults {
        slow: Duration::from_secs(20),
        ..Faults::default()
    });
    let mut config = hub.config(dir.path());
    config.read_timeout = Duration::from_millis(100);
    config.retries = 1;
    let start = Instant::now();
    let error = hub_error(pull(&config));
    assert!(
        matches!(&error, HubError::Interrupted { reason, .. } if reason.contains("in time")),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(10));
}
