//! What is fetched, where it is put, and when nothing is asked for.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gradus::hub::{
    HubConfig, HubError, NoProgress, Progress, Token, find_cached_model, pull_dataset, pull_model,
};
use gradus::{Error, Result};
use tempfile::tempdir;

use crate::server::{Faults, Hub, TOKEN, oid};

pub const MODULES: &[u8] = br#"[{"path":""},{"path":"1_Pooling"},{"path":"2_Normalize"}]"#;
const CONFIG: &[u8] = br#"{"hidden_size":4}"#;

/// A model like those on the hub, with copies that are of no use here.
pub fn model_files(weights: &[u8]) -> Vec<(&'static str, &[u8])> {
    vec![
        ("README.md", b"card"),
        ("config.json", CONFIG),
        ("modules.json", MODULES),
        ("1_Pooling/config.json", b"{}"),
        ("tokenizer.json", b"{\"tok\": 1}"),
        ("model.safetensors", weights),
        ("onnx/model.safetensors", b"not wanted"),
        ("pytorch_model.bin", b"not wanted"),
    ]
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn pull(config: &HubConfig) -> Result<std::path::PathBuf> {
    pull_model(config, "o/n", None, &mut NoProgress)
}

#[test]
fn a_model_lands_in_the_shared_layout_and_nothing_else_is_fetched() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    let commit = hub.publish("models/o/n", 'a', &model_files(b"weights"));
    let mut config = hub.config(dir.path());
    config.token = Token::new(TOKEN);
    let folder = pull(&config).unwrap();

    let repo = config.cache.join("models--o--n");
    assert_eq!(folder, repo.join("snapshots").join(&commit));
    assert_eq!(fs::read_to_string(repo.join("refs/main")).unwrap(), commit);
    assert_eq!(
        fs::read(folder.join("model.safetensors")).unwrap(),
        b"weights"
    );
    assert_eq!(
        fs::read(folder.join("1_Pooling/config.json")).unwrap(),
        b"{}"
    );
    let expected = [
        "1_Pooling",
        "README.md",
        "config.json",
        "model.safetensors",
        "modules.json",
        "tokenizer.json",
    ];
    assert_eq!(names(&folder), expected);
    assert_eq!(
        fs::read(repo.join("blobs").join(oid(b"weights", true))).unwrap(),
        b"weights"
    );
    assert_eq!(
        fs::read(repo.join("blobs").join(oid(CONFIG, false))).unwrap(),
        CONFIG
    );
    #[cfg(unix)]
    {
        let link = fs::read_link(folder.join("1_Pooling/config.json")).unwrap();
        assert_eq!(link, Path::new("../../../blobs").join(oid(b"{}", false)));
    }

    // The token goes to the hub with every request, and nowhere else.
    let requests = hub.requests();
    assert!(requests.iter().filter(|r| r.on_hub).all(|r| r.authorized));
    let elsewhere: Vec<_> = requests.iter().filter(|r| !r.on_hub).collect();
    assert_eq!(elsewhere.len(), 1);
    assert!(!elsewhere[0].authorized);
}

#[test]
fn what_is_cached_needs_no_request_online_or_offline() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish("models/o/n", 'a', &model_files(b"weights"));
    let mut config = hub.config(dir.path());
    assert_eq!(find_cached_model(&config, "o/n", None), None);
    let folder = pull(&config).unwrap();
    assert!(!hub.requests().is_empty());

    assert_eq!(pull(&config).unwrap(), folder);
    config.offline = true;
    config.refresh = true;
    assert_eq!(pull(&config).unwrap(), folder);
    assert_eq!(
        find_cached_model(&config, "o/n", None),
        Some(folder.clone())
    );
    let by_commit = pull_model(&config, "o/n", Some(&"a".repeat(40)), &mut NoProgress);
    assert_eq!(by_commit.unwrap(), folder);
    let other = pull_model(&config, "o/other", None, &mut NoProgress).unwrap_err();
    assert!(
        matches!(other, Error::Hub(HubError::Offline { .. })),
        "{other}"
    );
    assert!(hub.requests().is_empty());

    // A file that went missing is noticed.
    fs::remove_file(folder.join("tokenizer.json")).unwrap();
    assert_eq!(find_cached_model(&config, "o/n", None), None);
}

#[test]
fn refresh_follows_the_branch_and_fetches_only_what_changed() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish("models/o/n", 'a', &model_files(b"weights"));
    let mut config = hub.config(dir.path());
    let old = pull(&config).unwrap();
    hub.requests();
    let mut files = model_files(b"weights");
    files[0].1 = b"new card";
    hub.publish("models/o/n", 'b', &files);
    assert_eq!(pull(&config).unwrap(), old);
    config.refresh = true;
    let new = pull(&config).unwrap();
    assert!(new.ends_with("b".repeat(40)));
    assert_eq!(fs::read(new.join("README.md")).unwrap(), b"new card");
    assert_eq!(fs::read(new.join("model.safetensors")).unwrap(), b"weights");
    let paths: Vec<_> = hub.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(
        paths.len(),
        3,
        "the listing and one file by redirect: {paths:?}"
    );
    config.refresh = false;
    assert_eq!(pull(&config).unwrap(), new);
}

/// Lays files into the cache the way Python does.
pub fn fill_cache(config: &HubConfig, id: &str, files: &[(&str, &[u8])]) {
    let repo = config
        .cache
        .join(format!("models--{}", id.replace('/', "--")));
    let commit = "a".repeat(40);
    fs::create_dir_all(repo.join("refs")).unwrap();
    fs::write(repo.join("refs/main"), &commit).unwrap();
    for (name, bytes) in files {
        let place = repo.join("snapshots").join(&commit).join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }
}

#[test]
fn what_python_fetched_is_used() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish("models/o/n", 'a', &model_files(b"weights"));
    let config = hub.config(dir.path());
    fill_cache(&config, "o/n", &model_files(b"weights")[1..6]);
    let folder = pull(&config).unwrap();
    assert_eq!(find_cached_model(&config, "o/n", None), Some(folder));
    assert!(hub.requests().is_empty());
}

#[test]
fn what_python_fetched_in_part_is_completed() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish("models/o/n", 'a', &model_files(b"weights"));
    let config = hub.config(dir.path());
    // The encoder alone, as when loaded without its pooling.
    let all = model_files(b"weights");
    fill_cache(&config, "o/n", &[all[1], all[4], all[5]]);
    assert_eq!(find_cached_model(&config, "o/n", None), None);
    let folder = pull(&config).unwrap();
    assert!(folder.join("1_Pooling/config.json").is_file());
    assert!(
        hub.requests().iter().all(|r| r.on_hub),
        "the weights were there"
    );
}

#[test]
fn what_may_be_half_a_model_is_used_only_when_nobody_can_be_asked_and_said_so() {
    #[derive(Default)]
    struct Notes(Vec<String>);
    impl Progress for Notes {
        fn note(&mut self, message: &str) {
            self.0.push(message.into());
        }
    }
    let dir = tempdir().unwrap();
    let mut config = HubConfig::new(dir.path());
    config.offline = true;
    let all = model_files(b"weights");
    fill_cache(&config, "o/n", &[all[1], all[4], all[5]]);
    let mut notes = Notes::default();
    let folder = pull_model(&config, "o/n", None, &mut notes).unwrap();
    assert!(folder.join("model.safetensors").is_file());
    assert!(notes.0[0].contains("plain encoder"), "{:?}", notes.0);

    // Python leaves a mark for a file it asked for and that there is not.
    let mark = config
        .cache
        .join("models--o--n/.no_exist")
        .join("a".repeat(40));
    fs::create_dir_all(&mark).unwrap();
    fs::write(mark.join("modules.json"), "").unwrap();
    let mut notes = Notes::default();
    assert_eq!(
        pull_model(&config, "o/n", None, &mut notes).unwrap(),
        folder
    );
    assert!(notes.0.is_empty());

    fs::remove_file(folder.join("tokenizer.json")).unwrap();
    let error = pull(&config).unwrap_err();
    assert!(
        matches!(error, Error::Hub(HubError::Offline { .. })),
        "{error}"
    );
}

#[test]
fn mirrors_that_list_names_only_are_asked_for_checksums() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish("models/o/n", 'a', &model_files(b"weights"));
    hub.faults(Faults {
        no_checksums: true,
        ..Faults::default()
    });
    let vars = [
        ("HF_HOME", dir.path().to_str().unwrap()),
        ("HF_ENDPOINT", &hub.address),
    ];
    let mut config = HubConfig::from_lookup(|name| {
        let (_, value) = vars.iter().find(|(key, _)| *key == name)?;
        Some(value.into())
    })
    .unwrap();
    config.env_proxy = false;
    let folder = pull(&config).unwrap();
    assert!(folder.starts_with(dir.path().join("hub/models--o--n")));
    assert_eq!(
        fs::read(folder.join("model.safetensors")).unwrap(),
        b"weights"
    );
    let heads = hub.requests().into_iter().filter(|r| r.method == "HEAD");
    assert!(heads.count() >= 6);

    hub.publish("models/o/m", 'a', &model_files(b"other"));
    hub.faults(Faults {
        no_checksums: true,
        no_etags: true,
        ..Faults::default()
    });
    let error = pull_model(&config, "o/m", None, &mut NoProgress).unwrap_err();
    assert!(
        matches!(error, Error::Hub(HubError::NoChecksum { .. })),
        "{error}"
    );
}

#[test]
fn two_at_once_fetch_a_file_once() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    let weights = vec![7; 300_000];
    hub.publish("models/o/n", 'a', &model_files(&weights));
    hub.faults(Faults {
        slow: Duration::from_millis(200),
        ..Faults::default()
    });
    let config = hub.config(dir.path());
    std::thread::scope(|scope| {
        let both = [scope.spawn(|| pull(&config)), scope.spawn(|| pull(&config))];
        for one in both {
            let folder = one.join().unwrap().unwrap();
            assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights);
        }
    });
    assert_eq!(hub.content_bytes(), weights.len());
}

#[test]
fn data_sets_have_their_own_addresses_and_folders() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish(
        "datasets/o/d",
        'c',
        &[("data/test.csv", b"a,b"), ("script.py", b"no")],
    );
    let mut config = hub.config(dir.path());
    let folder = pull_dataset(&config, "o/d", None, &mut NoProgress).unwrap();
    assert!(folder.starts_with(config.cache.join("datasets--o--d")));
    assert_eq!(fs::read(folder.join("data/test.csv")).unwrap(), b"a,b");
    assert_eq!(names(&folder), ["data"]);
    // Another program keeps no list of files; what is there is then all.
    fs::remove_dir_all(config.cache.join("datasets--o--d/.gradus")).unwrap();
    config.offline = true;
    assert_eq!(
        pull_dataset(&config, "o/d", None, &mut NoProgress).unwrap(),
        folder
    );
}

#[test]
fn progress_is_told_per_file() {
    #[derive(Default)]
    struct Heard(Vec<(String, Option<u64>, u64)>, u64, u32);
    impl Progress for Heard {
        fn start(&mut self, name: &str, total: Option<u64>, already: u64) {
            self.0.push((name.into(), total, already));
        }
        fn advance(&mut self, bytes: u64) {
            self.1 += bytes;
        }
        fn finish(&mut self) {
            self.2 += 1;
        }
    }
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    let files = model_files(b"weights");
    hub.publish("models/o/n", 'a', &files);
    let mut heard = Heard::default();
    pull_model(&hub.config(dir.path()), "o/n", None, &mut heard).unwrap();
    assert!(heard.0.contains(&("model.safetensors".into(), Some(7), 0)));
    let all: usize = files[..6].iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!((heard.1, heard.2), (all as u64, 6));
}
