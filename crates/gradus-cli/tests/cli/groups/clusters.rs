//! Clusters, their files and the page.

use super::{rows, texts};
use crate::index::Place;
use crate::support::{gradus, model};
use predicates::str::contains;
use serde_json::Value;
use std::fs;

#[test]
fn every_method_writes_texts_clusters_and_a_page() {
    let place = Place::new();
    place.file("texts.txt", &texts());
    let small = model("bert-small");
    let ways: [&[&str]; 3] = [
        &["--method", "k-means", "--clusters", "3"],
        &[
            "--method",
            "communities",
            "--threshold",
            "0.5",
            "--min-size",
            "2",
        ],
        &["--method", "density", "--min-size", "2"],
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let first = [
            "cluster",
            "texts.txt",
            "--model",
            &small,
            "--output",
            "c",
            "--format",
            "json",
        ];
        let said = place.run(&[&first[..], way].concat());
        let report: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(report["texts"], 18);
        let clusters = rows(&place.path("c/clusters.jsonl"));
        let all = rows(&place.path("c/texts.jsonl"));
        assert_eq!(all.len(), 18);
        assert_eq!(report["clusters"].as_array().unwrap(), &clusters);
        for (cluster, described) in clusters.iter().enumerate() {
            let own = all.iter().filter(|row| row["cluster"] == cluster);
            assert_eq!(own.count(), described["size"]);
            assert!(!described["examples"].as_array().unwrap().is_empty());
        }
        let alone = all.iter().filter(|row| row["cluster"].is_null()).count();
        assert_eq!(alone, report["alone"]);
        if number == 0 {
            assert_eq!((clusters.len(), alone), (3, 0));
        }
        let page = fs::read_to_string(place.path("c/map.html")).unwrap();
        assert!(page.contains("two birds in the house") && !page.contains("http"));
        // The same bits on other numbers of threads; vectors are taken from the index.
        let again = [
            "--threads",
            "3",
            "cluster",
            "c/texts.index",
            "--output",
            "d",
        ];
        place.run(&[&again[..], way].concat());
        for name in ["texts.jsonl", "clusters.jsonl", "map.html"] {
            let read = |folder: &str| fs::read(place.path(folder).join(name)).unwrap();
            assert_eq!(read("c"), read("d"), "{way:?} {name}");
        }
    }
}

#[test]
fn rows_as_parquet_are_those_as_json() {
    let place = Place::new();
    place.build("a.index", 60, &[]);
    let cluster = ["cluster", "a.index", "--clusters", "4", "--output", "c"];
    place.run(&cluster);
    let json = rows(&place.path("c/texts.jsonl"));
    place.run(&[&cluster[..], &["--rows", "parquet"]].concat());
    assert!(!place.path("c/texts.jsonl").exists());
    // Our own reader finds them as they are.
    place.run(&[
        "index",
        "build",
        "c/texts.parquet",
        "--model",
        &model("bert-small"),
        "--output",
        "b.index",
    ]);
    let read = gradus_index::store::Index::open(place.path("b.index")).unwrap();
    for (record, row) in read.records().zip(&json) {
        let (_, record) = record.unwrap();
        assert_eq!(
            (&record.id, &record.text),
            (
                &row["id"].as_str().unwrap().to_owned(),
                &row["text"].as_str().unwrap().to_owned(),
            )
        );
        assert_eq!(record.columns["cluster"], row["cluster"]);
        let columns: Value =
            serde_json::from_str(record.columns["columns"].as_str().unwrap()).unwrap();
        assert_eq!(columns, row["columns"]);
    }
}

#[test]
fn what_cannot_be_clustered_is_said() {
    let place = Place::new();
    place.file("texts.txt", &texts());
    place.build("a.index", 5, &[]);
    let small = model("bert-small");
    for (arguments, code, says) in [
        (
            vec!["cluster", "texts.txt", "--output", "c"],
            2,
            "add --model MODEL",
        ),
        (
            vec!["cluster", "none.txt", "--model", &small, "--output", "c"],
            1,
            "none.txt",
        ),
        (
            vec!["cluster", "a.index", "--clusters", "6", "--output", "c"],
            2,
            "ask for 1 to 5",
        ),
        (
            vec!["cluster", "a.index", "--output", "."],
            2,
            "choose a new one",
        ),
        (
            vec!["cluster", "a.index", "--threshold", "2", "--output", "c"],
            2,
            "from -1 to 1",
        ),
    ] {
        let mut command = gradus();
        command.current_dir(place.folder.path()).args(arguments);
        command.assert().code(code).stderr(contains(says));
    }
    place.file("none.txt", "");
    place.file("file", "");
    for (arguments, says) in [
        (
            ["cluster", "none.txt", "--model", &small, "--output", "e"],
            "none.txt: there are no texts",
        ),
        (
            ["dedupe", "none.txt", "--model", &small, "--output", "f"],
            "none.txt: there are no texts",
        ),
        (
            [
                "cluster",
                "texts.txt",
                "--model",
                &small,
                "--output",
                "file",
            ],
            "file: not a folder",
        ),
        (
            ["dedupe", ".", "--by", "words", "--output", "g"],
            "no index.json",
        ),
    ] {
        let mut command = gradus();
        command.current_dir(place.folder.path()).args(arguments);
        command.assert().code(2).stderr(contains(says));
    }
    assert!(!place.path("g").exists());
    // Vectors of a file that was changed are not taken for its own.
    let cluster = [
        "cluster",
        "texts.txt",
        "--model",
        &small,
        "--output",
        "d",
        "--clusters",
        "2",
    ];
    place.run(&cluster);
    place.file("texts.txt", "something else\nand more\n");
    let mut command = gradus();
    command.current_dir(place.folder.path()).args(cluster);
    command
        .assert()
        .code(2)
        .stderr(contains("remove that folder"));
}
