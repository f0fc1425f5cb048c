//! `gradus pull`.

use crate::support::{gradus, model, stdout};
use gradus::data::HubSet;
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
    for set in HubSet::named("sts") {
        let folder = root.path().join(set.repository);
        fs::create_dir_all(&folder).unwrap();
        for split in set.splits {
            fs::write(folder.join(split.file), "{}\n".repeat(split.rows)).unwrap();
        }
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

#[test]
fn names_that_are_nothing_are_answered_with_what_there_is() {
    let root = tempfile::tempdir().unwrap();
    for (name, near) in [
        ("stss", "sts"),
        ("nli-triplet", "nli-triplets"),
        ("wikim1", "wiki1m"),
    ] {
        let mut command = gradus();
        command.args(["pull", name, "--data"]).arg(root.path());
        let says = predicate::str::contains(format!("did you mean `gradus pull {near}`?"))
            .and(predicate::str::contains("known: sts, nli, wiki, sts12"));
        command.assert().code(5).stdout("").stderr(says);
    }
    let mut command = gradus();
    command
        .args(["pull", "RobZamp/sick", "--data"])
        .arg(root.path());
    let says = predicate::str::contains("another edition")
        .and(predicate::str::contains("`gradus pull sickr`"));
    command.assert().code(5).stdout("").stderr(says);
    let mut command = gradus();
    command
        .args(["pull", "sickr@a b", "--data"])
        .arg(root.path());
    command.assert().code(5).stdout("");
}
