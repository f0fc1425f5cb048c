//! Data sets known by name, in the forms that the hub has.

use std::fs;
use std::path::{Path, PathBuf};

use gradus::Error;
use gradus::data::{DataRoot, GradedPair, HubSet, Known, RowKind, Source, Split};
use gradus::hub::{HubError, NoProgress, Token, other_edition, pull_set};
use tempfile::{TempDir, tempdir};

use crate::hub_sick::Notes;
use crate::server::{Faults, Hub, TOKEN};
use crate::shapes::{
    Cells, gzip, json_lines, names, parquet, parquet_of, publish_training, released,
};

/// Names and contents.
type Files = Vec<(&'static str, Vec<u8>)>;

const STS13: &str = "datasets/mteb/sts13-sts";

fn set(known: Known) -> &'static HubSet {
    known.on_hub().unwrap()
}

fn pull(hub: &Hub, dir: &Path, known: Known) -> gradus::Result<PathBuf> {
    pull_set(&hub.config(dir), dir, set(known), None, &mut NoProgress)
}

fn refused(hub: &Hub, known: Known) -> (String, TempDir) {
    let dir = tempdir().unwrap();
    let error = pull(hub, dir.path(), known).unwrap_err();
    (error.to_string(), dir)
}

fn pairs(count: usize) -> Vec<GradedPair> {
    (0..count)
        .map(|i| GradedPair::new(format!("The \"first\" of {i}"), "a second", (i % 6) as f64))
        .collect()
}

fn read(dir: &Path, known: Known, split: Split) -> Vec<GradedPair> {
    released(&DataRoot::resolve(Some(dir)), known, split)
}

/// Whether `text` holds every one of `parts`.
#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} not in: {text}");
    }
}

#[test]
fn every_form_of_a_task_gives_the_same_file() {
    let rows = pairs(1500);
    let text = json_lines(&rows);
    let array = format!("[{}]", text.trim_end().replace('\n', ","));
    let words = text.replace("\"score\":4.0", "\"score\":\"4.00\"");
    let older = text
        .replace("sentence1", "sentence_A")
        .replace("sentence2", "sentence_B");
    let older = older.replace("score", "relatedness_score");
    let (first, second) = rows.split_at(700);
    let parts = [parquet_of(first, false), parquet_of(second, false)];
    let main = "main";
    let converted = "refs/convert/parquet";
    let forms: Vec<(&str, Files)> = vec![
        (main, vec![("test.jsonl.gz", gzip(&text))]),
        (
            main,
            vec![("test.jsonl", format!("\n{text}\n").into_bytes())],
        ),
        (main, vec![("test.json", array.into_bytes())]),
        (main, vec![("test.jsonl.gz", gzip(&words))]),
        (main, vec![("test.jsonl.gz", gzip(&older))]),
        (
            main,
            vec![("data/test-00000-of-00001.parquet", parquet_of(&rows, true))],
        ),
        (main, vec![("test.parquet", parquet_of(&rows, false))]),
        (
            main,
            vec![
                ("data/test-00000-of-00002.parquet", parts[0].clone()),
                ("data/test-00001-of-00002.parquet", parts[1].clone()),
            ],
        ),
        (
            converted,
            vec![("default/test/0000.parquet", parquet_of(&rows, false))],
        ),
        (
            converted,
            vec![(
                "mteb--sts13-sts/json-test.parquet",
                parquet_of(&rows, false),
            )],
        ),
    ];
    let mut expected = None;
    for (revision, files) in forms {
        let (hub, dir) = (Hub::start(), tempdir().unwrap());
        hub.publish(STS13, 'a', &[("README.md", b"")]);
        let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (*n, &b[..])).collect();
        hub.publish_at(STS13, revision, 'b', &files);
        let folder = pull(&hub, dir.path(), Known::Sts13).unwrap();
        assert_eq!(names(&folder), ["sts13.pulled.json", "test.jsonl"]);
        let found = fs::read_to_string(folder.join("test.jsonl")).unwrap();
        assert_eq!(
            &found,
            expected.get_or_insert(found.clone()),
            "{:?}",
            files[0].0
        );
        assert_eq!(read(dir.path(), Known::Sts13, Split::Test), rows);
    }
}

#[test]
fn what_is_there_is_not_fetched_again_and_needs_no_network() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    let file = gzip(json_lines(&pairs(1499)));
    hub.publish(STS13, 'a', &[("test.jsonl.gz", &file)]);
    let mut config = hub.config(dir.path());
    let root = dir.path().join("data");
    let mut notes = Notes::default();
    let folder = pull_set(&config, &root, set(Known::Sts13), None, &mut notes).unwrap();
    assert_eq!(folder, root.join("mteb/sts13-sts"));
    let count = "test has 1499 pairs where 1500 were published";
    says(&notes.0.join("\n"), &["1499 pairs in test", count]);

    hub.requests();
    config.offline = true;
    let mut again = Notes::default();
    pull_set(&config, &root, set(Known::Sts13), None, &mut again).unwrap();
    says(&again.0.join("\n"), &[count]);
    // From the hub's cache alone, should the written files be gone or cut.
    fs::write(folder.join("test.jsonl"), "{}").unwrap();
    pull_set(&config, &root, set(Known::Sts13), None, &mut NoProgress).unwrap();
    fs::remove_dir_all(&root).unwrap();
    pull_set(&config, &root, set(Known::Sts13), None, &mut NoProgress).unwrap();
    assert_eq!(read(&root, Known::Sts13, Split::Test).len(), 1499);
    assert!(hub.requests().is_empty());

    // A newer version, and one by its commit.
    config.offline = false;
    hub.publish_at(
        STS13,
        "old",
        'c',
        &[("test.jsonl.gz", &gzip(json_lines(&pairs(3))))],
    );
    hub.publish(
        STS13,
        'b',
        &[("test.jsonl.gz", &gzip(json_lines(&pairs(1500))))],
    );
    config.refresh = true;
    pull_set(&config, &root, set(Known::Sts13), None, &mut NoProgress).unwrap();
    assert_eq!(read(&root, Known::Sts13, Split::Test).len(), 1500);
    config.refresh = false;
    let commit = "c".repeat(40);
    pull_set(
        &config,
        &root,
        set(Known::Sts13),
        Some(&commit),
        &mut NoProgress,
    )
    .unwrap();
    assert_eq!(read(&root, Known::Sts13, Split::Test).len(), 3);
}

#[test]
fn files_made_by_hand_are_left_alone_where_they_are_the_set() {
    let dir = tempdir().unwrap();
    let hub = Hub::start();
    let folder = dir.path().join("mteb/sts13-sts");
    fs::create_dir_all(&folder).unwrap();
    let mine = json_lines(&pairs(1500)).replace("a second", "mine");
    fs::write(folder.join("test.jsonl"), &mine).unwrap();
    pull(&hub, dir.path(), Known::Sts13).unwrap();
    assert!(hub.requests().is_empty());
    assert_eq!(fs::read_to_string(folder.join("test.jsonl")).unwrap(), mine);
}

#[test]
fn a_broken_transfer_goes_on_where_it_was() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    let rows = pairs(1500);
    let file = parquet_of(&rows, false);
    hub.publish(STS13, 'a', &[("test.parquet", &file)]);
    let mut config = hub.config(dir.path());
    config.retries = 0;
    hub.faults(Faults {
        cut: Some((file.len() / 2, 1)),
        ..Faults::default()
    });
    let error = pull_set(
        &config,
        dir.path(),
        set(Known::Sts13),
        None,
        &mut NoProgress,
    );
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::Hub(HubError::Interrupted { .. })),
        "{error}"
    );
    assert!(!dir.path().join("mteb/sts13-sts/test.jsonl").exists());
    pull_set(
        &config,
        dir.path(),
        set(Known::Sts13),
        None,
        &mut NoProgress,
    )
    .unwrap();
    assert_eq!(hub.content_bytes(), file.len());
    assert_eq!(read(dir.path(), Known::Sts13, Split::Test), rows);
}

#[test]
fn a_repository_that_moved_is_followed_and_one_that_is_gone_is_named() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish(
        STS13,
        'a',
        &[("test.jsonl.gz", &gzip(json_lines(&pairs(1500))))],
    );
    hub.rename(STS13, "datasets/mteb/STS13");
    let mut notes = Notes::default();
    let mut config = hub.config(dir.path());
    config.token = Token::new(TOKEN);
    pull_set(&config, dir.path(), set(Known::Sts13), None, &mut notes).unwrap();
    says(
        &notes.0.join("\n"),
        &["mteb/sts13-sts is now called mteb/STS13"],
    );
    assert_eq!(read(dir.path(), Known::Sts13, Split::Test).len(), 1500);

    let (error, dir) = refused(&hub, Known::Sts14);
    let folder = dir.path().join("mteb/sts14-sts");
    says(
        &error,
        &[
            "sts14",
            "mteb/sts14-sts is not on http",
            "looked there for test with",
            folder.to_str().unwrap(),
        ],
    );
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let hub = Hub::start();
        hub.publish(STS13, 'a', &[("test.jsonl.gz", b"")]);
        hub.refuse(STS13, status);
        let (error, _dir) = refused(&hub, Known::Sts13);
        says(
            &error,
            &[
                "mteb/sts13-sts",
                "refuses access",
                "/datasets/mteb/sts13-sts",
                "HF_TOKEN",
            ],
        );
    }
}

#[test]
fn what_a_repository_lacks_is_said_with_what_it_has() {
    for (files, parts) in [
        (
            vec!["x.py", "README.md"],
            vec![
                "no file is named test with .jsonl",
                "it has x.py, README.md",
            ],
        ),
        (
            vec!["train.jsonl.gz"],
            vec!["no file is named test", "it has train.jsonl.gz"],
        ),
        (
            vec!["data/test-00001-of-00003.parquet"],
            vec!["only data/test-00001-of-00003.parquet of 3 files"],
        ),
        (
            vec!["default/partial-test/0000.parquet"],
            vec!["no file is named test"],
        ),
        (vec![], vec!["it has nothing"]),
    ] {
        let hub = Hub::start();
        let files: Vec<(&str, &[u8])> = files.into_iter().map(|name| (name, &b"x"[..])).collect();
        hub.publish(STS13, 'a', &files);
        let (error, dir) = refused(&hub, Known::Sts13);
        says(&error, &parts);
        says(&error, &["sts13", "gradus pull sts13@COMMIT"]);
        assert!(!dir.path().join("mteb/sts13-sts").exists());
    }
    // A set without one of its splits is pulled, and that is said.
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    let file = gzip(json_lines(&pairs(1379)));
    hub.publish(
        "datasets/mteb/stsbenchmark-sts",
        'a',
        &[("test.jsonl.gz", &file)],
    );
    let mut notes = Notes::default();
    let config = hub.config(dir.path());
    pull_set(&config, dir.path(), set(Known::StsB), None, &mut notes).unwrap();
    says(
        &notes.0.join("\n"),
        &[
            "no train split",
            "no dev split: no file is named validation or dev",
        ],
    );
}

#[test]
fn rows_that_are_not_what_they_were_are_named_and_nothing_is_written() {
    let row =
        |score: &str| format!("{{\"sentence1\":\"a\",\"sentence2\":\"b\",\"score\":{score}}}\n");
    let good = row("2.5");
    for (text, parts) in [
        (
            format!("{good}{{\"sentence1\":\"a\",\"sentence2\":\"b\"}}\n"),
            vec!["row 2", "score is null"],
        ),
        (format!("{good}{good}not json\n"), vec!["row 3"]),
        (
            format!("{good}{}", row("\"high\"")),
            vec!["row 2", "\"high\", not a number"],
        ),
        (
            format!("{good}{}", row("7")),
            vec!["row 2", "the score 7 is outside 0 to 5"],
        ),
        (
            good.replace("\"a\"", "\"\""),
            vec!["row 1", "sentence1 is empty"],
        ),
        (
            format!("{good}{}", good.replace("\"a\"", "null")),
            vec!["row 2", "sentence1 is null"],
        ),
        (
            good.replace("sentence2", "other"),
            vec!["no column sentence2", "it has"],
        ),
        (
            row("0.5").repeat(200),
            vec!["its scores end at 0.5", "run from 0 to 5"],
        ),
        (String::new(), vec!["it has no rows"]),
    ] {
        let hub = Hub::start();
        hub.publish(STS13, 'a', &[("test.jsonl.gz", &gzip(&text))]);
        let (error, dir) = refused(&hub, Known::Sts13);
        says(&error, &parts);
        says(&error, &["mteb/sts13-sts/test.jsonl.gz", "COMMIT"]);
        let folder = dir.path().join("mteb/sts13-sts");
        assert!(!folder.exists() || names(&folder).is_empty(), "{text}");
    }
    for bytes in [&b"PAR1"[..], b"not parquet at all", b""] {
        let hub = Hub::start();
        hub.publish(STS13, 'a', &[("test.parquet", bytes)]);
        let (error, _dir) = refused(&hub, Known::Sts13);
        says(&error, &["mteb/sts13-sts/test.parquet"]);
    }
}

#[test]
fn inference_in_parquet_becomes_pairs_with_classes() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    publish_training(&hub);
    let mut notes = Notes::default();
    let config = hub.config(dir.path());
    pull_set(&config, dir.path(), set(Known::AllNli), None, &mut notes).unwrap();
    says(
        &notes.0.join("\n"),
        &["train has 6 pairs where 942069 were published"],
    );
    // The score form lies beside it and is not fetched.
    assert!(
        hub.requests()
            .iter()
            .all(|r| !r.path.contains("pair-score"))
    );
    let root = DataRoot::resolve(Some(dir.path()));
    for name in ["allnli", "nli"] {
        let source = Source {
            dataset: Some(name.into()),
            split: Some(Split::Train),
            ..Source::default()
        };
        let loaded = source.load(Path::new(""), &root).unwrap();
        let labels: Vec<f64> = loaded.pairs.iter().map(|pair| pair.label).collect();
        assert_eq!(labels, [2.0, 1.0, 0.0, 2.0, 1.0, 0.0], "{name}");
        assert_eq!(loaded.scale, Some((0.0, 2.0)));
    }
    // SNLI has pairs without a class; some rows lack a text.
    let file = parquet(&[
        ("premise", Cells::Text(vec!["a"; 4])),
        ("hypothesis", Cells::Text(vec!["b", "b", "b", " "])),
        ("label", Cells::Integer(vec![0, -1, 2, 1])),
    ]);
    hub.publish(
        "datasets/stanfordnlp/snli",
        'a',
        &[("plain_text/train-00000-of-00001.parquet", &file)],
    );
    let mut notes = Notes::default();
    pull_set(&config, dir.path(), set(Known::Snli), None, &mut notes).unwrap();
    says(
        &notes.0.join("\n"),
        &[
            "1 pairs of train left out, on which annotators",
            "1 pairs of train left out, which lack a text",
            "no test split",
        ],
    );
    assert_eq!(read(dir.path(), Known::Snli, Split::Train).len(), 2);
    let bad = parquet(&[
        ("premise", Cells::Text(vec!["a"])),
        ("hypothesis", Cells::Text(vec!["b"])),
        ("label", Cells::Integer(vec![3])),
    ]);
    hub.publish(
        "datasets/nyu-mll/multi_nli",
        'a',
        &[("data/train-00000-of-00001.parquet", &bad)],
    );
    let (error, _dir) = refused(&hub, Known::MultiNli);
    says(&error, &["row 1: label is 3", "0 (entailment)"]);
}

#[test]
fn triplets_and_sentences_are_read_as_published() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    publish_training(&hub);
    for known in [Known::NliTriplets, Known::Wiki1m] {
        pull(&hub, dir.path(), known).unwrap();
    }
    let folder = dir.path().join("princeton-nlp/datasets-for-simcse");
    assert_eq!(
        names(&folder),
        [
            "nli-triplets.pulled.json",
            "nli_for_simcse.csv",
            "wiki1m.pulled.json",
            "wiki1m_for_simcse.txt"
        ]
    );
    let root = DataRoot::resolve(Some(dir.path()));
    let rows = |name: &str, rows| {
        let source = Source {
            dataset: Some(name.into()),
            rows: Some(rows),
            ..Source::default()
        };
        source.unlabelled(&Default::default(), Path::new(""), &root)
    };
    for name in ["nli-triplets", "nli"] {
        let found = rows(name, RowKind::Triplets).unwrap().rows;
        assert_eq!(found[0][1], "Somebody eats, it seems.");
        assert_eq!(
            found[1],
            ["The \"dog\" runs.", "An animal moves.", "A dog sleeps."]
        );
    }
    for name in ["wiki1m", "wiki"] {
        let found = rows(name, RowKind::Texts).unwrap().rows;
        assert_eq!(found, [["YMCA in South Australia"], ["It was."], ["Été."]]);
    }
    pull(&hub, dir.path(), Known::AllNli).unwrap();
    let error = Source {
        split: Some(Split::Train),
        rows: Some(RowKind::Triplets),
        ..Source::dataset(Known::AllNli, Split::Train)
    };
    let error = error
        .unlabelled(&Default::default(), Path::new(""), &root)
        .unwrap_err();
    says(
        &error.to_string(),
        &["it holds no triplets", "nli-triplets"],
    );
}

#[test]
fn another_edition_is_not_taken_for_the_set() {
    for name in ["RobZamp/sick", "robzamp/SICK", "datasets/RobZamp/sick"] {
        let text = other_edition(name).unwrap().to_string();
        says(
            &text,
            &["4,439, 495 and 4,906", "4,927", "gradus pull sickr"],
        );
    }
    assert!(other_edition("mteb/sickr-sts").is_none());
}
