//! `gradus pull`.

use crate::support::{gradus, model, stdout};
use predicates::prelude::*;
use std::fs;

#[test]
fn what_is_here_is_named() {
    let folder = model("bert-small");
    assert_eq!(
        stdout(gradus().args(["pull", &folder])),
        format!("{folder}\n")
    );
}

#[test]
fn data_that_is_here_is_not_fetched_again() {
    let root = tempfile::tempdir().unwrap();
    let mut expected = String::new();
    for set in gradus::hub::STS_SETS {
        let folder = root.path().join("mteb").join(set);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("test.jsonl"), "").unwrap();
        expected += &format!("{}\n", folder.display());
    }
    let mut command = gradus();
    command.args(["pull", "sts", "--data"]).arg(root.path());
    assert_eq!(stdout(&mut command), expected);
}

#[test]
fn what_cannot_be_fetched() {
    for name in ["sts", "org/name"] {
        let root = tempfile::tempdir().unwrap();
        let mut command = gradus();
        command.args(["pull", name, "--data"]).arg(root.path());
        let says = predicate::str::contains("offline mode is on");
        command.assert().code(5).stdout("").stderr(says);
    }
    // Nobody listens there.
    let mut command = gradus();
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    command
        .args(["pull", "org/name"])
        .env_remove("HF_HUB_OFFLINE");
    command.env("HF_ENDPOINT", "http://127.0.0.1:9");
    let says = predicate::str::contains("check the network");
    command.assert().code(5).stderr(says);
}
