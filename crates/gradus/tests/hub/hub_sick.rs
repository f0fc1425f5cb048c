//! SICK's released splits, out of every form in which the hub has had it.

use gradus::data::{DataRoot, GradedPair, HubSet, Known, Split};
use gradus::hub::{NoProgress, Progress, pull_set};
use tempfile::tempdir;

use crate::server::Hub;
use crate::shapes::{all_of_sick, gzip, json_lines, parquet_of, released};
use crate::support::real_data;

const REPO: &str = "datasets/mteb/sickr-sts";
const SPLITS: [Split; 3] = [Split::Train, Split::Dev, Split::Test];

/// Collects what a person would read.
#[derive(Default)]
pub struct Notes(pub Vec<String>);

impl Progress for Notes {
    fn note(&mut self, message: &str) {
        self.0.push(message.into());
    }
}

fn sick() -> &'static HubSet {
    Known::SickR.on_hub().unwrap()
}

/// Pulls SICK and returns the splits and what was said.
fn pulled(hub: &Hub) -> ([Vec<GradedPair>; 3], String) {
    let dir = tempdir().unwrap();
    let mut notes = Notes::default();
    pull_set(
        &hub.config(dir.path()),
        dir.path(),
        sick(),
        None,
        &mut notes,
    )
    .unwrap();
    let root = DataRoot::resolve(Some(dir.path()));
    let splits = SPLITS.map(|split| released(&root, Known::SickR, split));
    (splits, notes.0.join("\n"))
}

/// The splits must be the released ones, pair for pair and grade for grade.
fn check(root: &DataRoot, found: &[Vec<GradedPair>; 3]) {
    for (split, found) in SPLITS.into_iter().zip(found) {
        let released = released(root, Known::SickR, split);
        assert_eq!(released.len(), found.len(), "{split:?}");
        for (a, b) in released.iter().zip(found) {
            assert_eq!(
                (a.first.trim(), a.second.trim()),
                (b.first.trim(), b.second.trim())
            );
            assert!((a.label - b.label).abs() < 1e-6, "{a:?} {b:?}");
        }
    }
}

#[test]
fn one_file_with_all_of_it() {
    let Some(root) = real_data() else { return };
    let hub = Hub::start();
    // The hub's order is another than the released one.
    let mut all = all_of_sick(&root);
    all.reverse();
    hub.publish(REPO, 'a', &[("test.jsonl.gz", &gzip(json_lines(&all)))]);
    let (found, notes) = pulled(&hub);
    check(&root, &found);
    let says =
        "9927 pairs, put into the released splits by content: 4500 train, 500 dev, 4927 test";
    assert_eq!(notes, format!("mteb/sickr-sts: {says}"));
}

#[test]
fn three_files_with_the_same_pairs() {
    let Some(root) = real_data() else { return };
    let hub = Hub::start();
    let text = json_lines(&all_of_sick(&root));
    // Packed once more, the bytes may differ.
    let (one, other) = (gzip(&text), gzip(format!("{text}\n")));
    let files: [(&str, &[u8]); 3] = [
        ("test.jsonl.gz", &one),
        ("train.jsonl.gz", &other),
        ("validation.jsonl.gz", &one),
    ];
    hub.publish(REPO, 'b', &files);
    let (found, notes) = pulled(&hub);
    check(&root, &found);
    assert!(notes.contains("hold the same pairs; read once"), "{notes}");
    assert!(notes.contains("9927 pairs"), "{notes}");
}

#[test]
fn three_files_with_a_split_each() {
    let Some(root) = real_data() else { return };
    let hub = Hub::start();
    let packed = SPLITS.map(|split| gzip(json_lines(&released(&root, Known::SickR, split))));
    let files: [(&str, &[u8]); 3] = [
        ("train.json.gz", &packed[0]),
        ("validation.json.gz", &packed[1]),
        ("test.json.gz", &packed[2]),
    ];
    hub.publish(REPO, 'c', &files);
    let (found, _) = pulled(&hub);
    check(&root, &found);
}

#[test]
fn parquet_with_grades_of_single_precision_on_the_converted_branch() {
    let Some(root) = real_data() else { return };
    let hub = Hub::start();
    hub.publish(REPO, 'd', &[("sick.py", b"a script"), ("README.md", b"")]);
    let file = parquet_of(&all_of_sick(&root), true);
    hub.publish_at(
        REPO,
        "refs/convert/parquet",
        'e',
        &[("default/test/0000.parquet", &file)],
    );
    let (found, _) = pulled(&hub);
    check(&root, &found);
}

#[test]
fn another_edition_of_the_texts_and_pairs_of_elsewhere() {
    let Some(root) = real_data() else { return };
    let hub = Hub::start();
    let mut all = all_of_sick(&root);
    for (i, pair) in all.iter_mut().enumerate() {
        match i % 5 {
            0 => pair.first = pair.first.replace('\'', "\u{2019}").replace(' ', "\u{a0}"),
            1 => pair.second = format!(" {}. ", pair.second.to_uppercase()),
            2 => std::mem::swap(&mut pair.first, &mut pair.second),
            _ => {}
        }
    }
    all.insert(
        7,
        GradedPair::new("A pair of nobody's.", "Nobody has it.", 3.0),
    );
    // As often as SICK has it, and once more.
    all.push(all[3].clone());
    hub.publish(REPO, 'f', &[("test.jsonl.gz", &gzip(json_lines(&all)))]);
    let (found, notes) = pulled(&hub);
    assert_eq!(found.each_ref().map(Vec::len), [4500, 500, 4927]);
    assert!(
        notes.contains("2 that the released files do not hold were left out"),
        "{notes}"
    );
    assert!(!notes.contains("another grade"), "{notes}");
    for (split, found) in SPLITS.into_iter().zip(&found) {
        let released = released(&root, Known::SickR, split);
        assert!(released.iter().zip(found).all(|(a, b)| a.label == b.label));
    }
}

#[test]
fn what_is_missing_and_graded_otherwise_is_said() {
    let Some(root) = real_data() else { return };
    let hub = Hub::start();
    let mut all = all_of_sick(&root);
    all.truncate(9900);
    all[0].label = 1.5;
    hub.publish(REPO, 'a', &[("test.jsonl.gz", &gzip(json_lines(&all)))]);
    let (found, notes) = pulled(&hub);
    assert_eq!(found.each_ref().map(Vec::len), [4500, 500, 4900]);
    for part in [
        "4500 train, 500 dev, 4900 test",
        "4500 train, 500 dev and 4927 test were released",
        "1 pairs have another grade",
    ] {
        assert!(notes.contains(part), "{part} not in: {notes}");
    }
}

#[test]
fn an_earlier_pull_is_put_right_and_nobody_elses_file_is_lost() {
    let Some(root) = real_data() else { return };
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    let text = json_lines(&all_of_sick(&root));
    hub.publish(REPO, 'a', &[("test.jsonl.gz", &gzip(&text))]);
    // What this program wrote before: all of SICK as the test set.
    let folder = dir.path().join("mteb/sickr-sts");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("test.jsonl"), &text).unwrap();
    let config = hub.config(dir.path());
    let mut notes = Notes::default();
    pull_set(&config, dir.path(), sick(), None, &mut notes).unwrap();
    let here = DataRoot::resolve(Some(dir.path()));
    check(
        &root,
        &SPLITS.map(|split| released(&here, Known::SickR, split)),
    );
    assert_eq!(
        std::fs::read_to_string(folder.join("test.jsonl.old")).unwrap(),
        text
    );
    assert!(notes.0.join("\n").contains("kept as"), "{:?}", notes.0);

    // From here on they are its own, and are whole or written anew.
    hub.requests();
    std::fs::remove_file(folder.join("train.jsonl")).unwrap();
    pull_set(&config, dir.path(), sick(), None, &mut NoProgress).unwrap();
    pull_set(&config, dir.path(), sick(), None, &mut NoProgress).unwrap();
    assert!(hub.requests().is_empty());
    assert!(folder.join("train.jsonl").is_file() && !folder.join("test.jsonl.old2").exists());
}
