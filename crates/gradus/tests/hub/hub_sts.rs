//! The seven STS tasks as data sets of the hub.

use std::fs;
use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use gradus::Error;
use gradus::hub::{HubError, NoProgress, STS_SETS, pull_sts};
use tempfile::tempdir;

use crate::server::Hub;

const ROW: &str = r#"{"split":"x","sentence1":"a \"b\"","sentence2":"c","score":2.5}"#;

fn gzip(text: &str) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

#[test]
fn seven_tasks_are_unpacked_and_checked_once() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    let two = format!("{ROW}\n\n{ROW}");
    let (packed, parquet) = (gzip(&two), b"PAR1");
    for (i, set) in STS_SETS.iter().enumerate() {
        let repo = format!("datasets/mteb/{set}");
        let files: [(&str, &[u8]); 3] = match i {
            0 => [
                ("test.jsonl", two.as_bytes()),
                ("README.md", b""),
                ("x.jsonl", b""),
            ],
            _ => [
                ("test.jsonl.gz", &packed),
                ("train.jsonl.gz", &packed),
                ("data/test-0.parquet", parquet),
            ],
        };
        hub.publish(&repo, 'd', &files);
    }
    let mut config = hub.config(dir.path());
    let root = dir.path().join("data");
    let folders = pull_sts(&config, &root, &mut NoProgress).unwrap();
    assert_eq!(folders.len(), 7);
    assert_eq!(folders[6], root.join("mteb/sickr-sts"));
    for folder in &folders {
        let text = fs::read_to_string(folder.join("test.jsonl")).unwrap();
        assert_eq!(text, format!("{ROW}\n{ROW}\n"));
    }
    assert!(folders[1].join("train.jsonl").is_file());
    assert_eq!(fs::read_dir(&folders[0]).unwrap().count(), 1);
    assert!(hub.requests().iter().all(|r| !r.path.contains("parquet")));

    assert_eq!(pull_sts(&config, &root, &mut NoProgress).unwrap(), folders);
    // From the hub's cache alone, should the unpacked files be gone.
    fs::remove_dir_all(&root).unwrap();
    config.offline = true;
    pull_sts(&config, &root, &mut NoProgress).unwrap();
    assert!(folders[6].join("test.jsonl").is_file());
    assert!(hub.requests().is_empty());
}

#[test]
fn tasks_in_parquet_only_are_said_so() {
    let (hub, dir) = (Hub::start(), tempdir().unwrap());
    hub.publish(
        "datasets/mteb/sts12-sts",
        'd',
        &[("data/test-0.parquet", b"PAR1")],
    );
    let error = pull_sts(&hub.config(dir.path()), dir.path(), &mut NoProgress).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, Error::Hub(HubError::NoJsonLines { .. })),
        "{text}"
    );
    assert!(
        text.contains("Parquet") && text.contains("sts12-sts"),
        "{text}"
    );
}

#[test]
fn bad_rows_are_named_by_file_and_line_and_nothing_is_written() {
    for (bad, line) in [
        (
            format!("{ROW}\n{{\"sentence1\":\"a\",\"sentence2\":\"b\"}}\n"),
            2,
        ),
        (format!("{ROW}\n{ROW}\nnot json\n"), 3),
        (
            r#"{"sentence1":"a","sentence2":"b","score":"high"}"#.into(),
            1,
        ),
        (r#"{"sentence1":null,"sentence2":"b","score":1}"#.into(), 1),
        (String::new(), 1),
    ] {
        let (hub, dir) = (Hub::start(), tempdir().unwrap());
        hub.publish(
            "datasets/mteb/sts12-sts",
            'd',
            &[("test.jsonl.gz", &gzip(&bad))],
        );
        let result = pull_sts(&hub.config(dir.path()), dir.path(), &mut NoProgress);
        match result.unwrap_err() {
            Error::Hub(HubError::BadRow { file, line: at, .. }) => {
                assert_eq!((file.as_str(), at), ("mteb/sts12-sts/test.jsonl.gz", line));
            }
            other => panic!("{bad:?}: {other}"),
        }
        assert_eq!(
            fs::read_dir(dir.path().join("mteb/sts12-sts"))
                .unwrap()
                .count(),
            0
        );
    }
}
