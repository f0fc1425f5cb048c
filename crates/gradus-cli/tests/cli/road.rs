//! The road of a user with a network, on a hub on loopback that has what the
//! real one has: pull, then everything else without a network.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use gradus::data::DataRoot;
use predicates::prelude::*;

use crate::server::Hub;
use crate::shapes::{publish_sts, publish_training};
use crate::support::{gradus, model, stdout};

/// The folder with the real data sets, as the library's tests find it.
fn real_data() -> Option<DataRoot> {
    let path = match std::env::var_os("GRADUS_DATA") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
    };
    if path.join("sts").is_dir() {
        return Some(DataRoot::resolve(Some(&path)));
    }
    println!("skipped: no data sets under {}", path.display());
    None
}

/// The command with its own cache and data folder in `place`, at the root of the
/// repository.
fn offline(place: &Path) -> Command {
    let mut command = gradus();
    command.env("HF_HUB_CACHE", place.join("cache"));
    command.env("GRADUS_DATA", place.join("data"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    command
}

fn online(place: &Path, hub: &Hub) -> Command {
    let mut command = offline(place);
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    command.env_remove("HF_HUB_OFFLINE");
    command.env("HF_ENDPOINT", &hub.address);
    command
}

/// The seven correlations over all pairs, as the table shows them.
fn scores(command: &mut Command) -> String {
    let table = stdout(command.args(["eval", &model("bert-small")]));
    let row = table
        .lines()
        .find(|line| line.starts_with(&model("bert-small")));
    let row = row.unwrap();
    assert_eq!(row.split_whitespace().count(), 9, "{table}");
    row.to_string()
}

#[test]
fn pull_quickstart_eval_and_train() {
    let Some(root) = real_data() else { return };
    let (hub, place) = (Hub::start(), tempfile::tempdir().unwrap());
    publish_sts(&hub, &root);
    publish_training(&hub);
    let place = place.path();

    let mut pull = online(place, &hub);
    pull.args(["pull", "sts", "nli", "nli-triplets", "wiki1m"]);
    let says = predicate::str::contains("4500 train, 500 dev, 4927 test")
        .and(predicate::str::contains(
            "mteb/sts12-sts: 2234 pairs in train",
        ))
        .and(predicate::str::contains(
            "mteb/stsbenchmark-sts: 1500 pairs in dev",
        ));
    let done = pull.assert().success().stderr(says);
    let folders = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert_eq!(folders.lines().count(), 10);
    assert!(folders.lines().all(|folder| Path::new(folder).is_dir()));

    // From here on nothing is asked of anybody.
    hub.requests();
    let mut again = offline(place);
    again
        .args(["pull", "sts", "mteb/sickr-sts", "wiki1m"])
        .assert()
        .success();

    let run = place.join("quickstart");
    let mut quickstart = offline(place);
    quickstart
        .args(["quickstart", "--model", &model("bert-small"), "--output"])
        .arg(&run);
    let says = predicate::str::contains("2. the data: STS-B and SICK-R in")
        .and(predicate::str::contains("not comparable").not());
    quickstart.assert().success().stderr(says);
    assert!(run.join("model").is_dir());

    // The published protocol: the scores are those of the released files.
    let mut real = offline(place);
    real.env("GRADUS_DATA", root.path());
    assert_eq!(scores(&mut offline(place)), scores(&mut real));

    for (recipe, set) in [
        (
            "sts/cosine-filtered",
            vec![
                "stage.0.train.0.max_pairs=64",
                "stage.0.train.1.max_pairs=64",
            ],
        ),
        ("regression/bert-nli", vec!["stage.0.batch=2"]),
        ("simcse/supervised-bert", vec!["stage.0.batch=2"]),
        ("simcse/unsupervised-bert", vec!["stage.0.batch=2"]),
        (
            "simcse-mini/unsupervised",
            vec!["stage.0.batch=2", "stage.0.steps=2"],
        ),
        (
            "sts/head-filtered",
            vec![
                "stage.1.train.0.max_pairs=16",
                "stage.1.train.1.max_pairs=16",
            ],
        ),
    ] {
        let mut train = offline(place);
        train.args(["train", &format!("recipes/{recipe}.toml"), "--output"]);
        train.arg(place.join(recipe.replace('/', "-")));
        train.args(["--set", &format!("model={}", model("bert-small"))]);
        for set in set {
            train.args(["--set", set]);
        }
        train.assert().success();
    }
    assert!(hub.requests().is_empty());
}

#[test]
fn quickstart_says_what_is_missing_of_data_that_is_there_in_part() {
    let Some(root) = real_data() else { return };
    let (hub, place) = (Hub::start(), tempfile::tempdir().unwrap());
    publish_sts(&hub, &root);
    let place = place.path();
    online(place, &hub)
        .args(["pull", "stsb"])
        .assert()
        .success();
    let mut quickstart = offline(place);
    quickstart.args(["quickstart", "--model", &model("bert-small"), "--output"]);
    quickstart.arg(place.join("run"));
    let says = predicate::str::contains("not all of the STS data is here: data set sickr (train)")
        .and(predicate::str::contains("`gradus pull sts`"));
    quickstart.assert().success().stderr(says);
}
