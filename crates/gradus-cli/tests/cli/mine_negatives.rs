//! `gradus mine-negatives`.

use crate::support::{cross_encoder, gradus, model, stdout};
use gradus::data::{DataRoot, PairIndex, RowKind, Source};
use predicates::prelude::*;
use std::fs;
use std::path::Path;

/// Pairs and a corpus in a folder.
fn files(folder: &Path) -> (String, String) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let pairs = write(
        "pairs.tsv",
        "query\tpositive\nwhat is a cat\ta cat is an animal\nwhat is rain\train is water\nwhat is a cat\ta cat has fur\nwho sings\tbirds sing\n",
    );
    let corpus = write(
        "corpus.txt",
        "a dog is an animal\n\nwater is wet\na cat has fur\nmen sing\n",
    );
    (pairs, corpus)
}

fn mine(folder: &Path, output: &str, more: &[&str]) -> String {
    let (pairs, corpus) = files(folder);
    let path = folder.join(output);
    let mut command = gradus();
    command.args(["mine-negatives", &model("bert-small"), "--pairs", &pairs]);
    command.args(["--corpus", &corpus, "--overwrite", "--output"]);
    assert_eq!(stdout(command.arg(&path).args(more)), "");
    fs::read_to_string(path).unwrap()
}

#[test]
fn triplets_are_written_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let text = mine(folder.path(), "out.tsv", &[]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "anchor\tpositive\tnegative");
    // Three negatives for each of four pairs.
    assert_eq!(lines.len(), 13);
    let of_cats = lines.iter().filter(|l| l.starts_with("what is a cat\t"));
    for line in of_cats {
        let negative = line.split('\t').next_back().unwrap();
        assert!(!negative.starts_with("a cat"), "{line}");
    }
    let root = DataRoot::resolve(Some(folder.path()));
    let source = |rows, name: &str| Source {
        rows: Some(rows),
        ..Source::file(folder.path().join(name))
    };
    let nothing = PairIndex::default();
    let triplets = source(RowKind::Triplets, "out.tsv");
    let triplets = triplets.unlabelled(&nothing, Path::new(""), &root).unwrap();
    assert_eq!(triplets.rows.len(), 12);
    // The same again, in any form, on any threads.
    assert_eq!(mine(folder.path(), "out.tsv", &["--threads", "1"]), text);
    for (name, format, lists) in [
        ("tuples.tsv", "n-tuple", 4),
        ("tuples.csv", "n-tuple", 4),
        ("tuples.jsonl", "n-tuple", 4),
        ("lists.jsonl", "labeled-list", 4),
        ("lists.csv", "labeled-list", 4),
        ("pairs.csv", "labeled-pair", 3),
    ] {
        for scores in [&[][..], &["--output-scores"]] {
            let options = [&["--output-format", format], scores].concat();
            mine(folder.path(), name, &options);
            let found = source(RowKind::Lists, name);
            let found = found.lists(&nothing, Path::new(""), &root).unwrap().lists;
            assert_eq!(found.len(), lists, "{name}");
            for list in found {
                assert!(list.documents.len() >= 4, "{name}");
                let whole = list.labels.iter().all(|label| label.fract() == 0.0);
                assert_eq!(whole, scores.is_empty(), "{name} {:?}", list.labels);
            }
        }
    }
}

#[test]
fn random_samples_depend_on_the_seed_alone() {
    let folder = tempfile::tempdir().unwrap();
    let sample = |seed: &str, threads: &str| {
        let random = [
            "--sampling",
            "random",
            "--range-max",
            "5",
            "--num-negatives",
            "2",
        ];
        let more = [&random[..], &["--seed", seed, "--threads", threads]].concat();
        mine(folder.path(), "out.jsonl", &more)
    };
    assert_eq!(sample("1", "1"), sample("1", "3"));
    let all: std::collections::HashSet<String> =
        (1..6).map(|s| sample(&s.to_string(), "1")).collect();
    assert!(all.len() > 1);
}

#[test]
fn what_was_left_out_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (pairs, _) = files(folder.path());
    let mut command = gradus();
    let path = folder.path().join("out.jsonl");
    command.args(["mine-negatives", &model("bert-small"), "--pairs", &pairs]);
    command.args(["--max-score", "-1", "--output"]).arg(&path);
    let says =
        predicate::str::contains("0 rows in").and(predicate::str::contains("by --max-score"));
    let says = says.and(predicate::str::contains(
        "3 queries have fewer than 3 negatives",
    ));
    command.assert().success().stderr(says);
    assert_eq!(fs::read_to_string(path).unwrap(), "");
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (pairs, _) = files(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let fails = |more: &[&str], code: i32, says: &str| {
        let mut command = gradus();
        command.args(["mine-negatives", &model("bert-small"), "--pairs"]);
        let says = predicate::str::contains(says.to_owned());
        command
            .args(more)
            .assert()
            .code(code)
            .stdout("")
            .stderr(says);
    };
    let (text, good) = (path("out.txt"), path("out.tsv"));
    fails(
        &[&pairs, "--output", &text],
        2,
        "give it the extension .tsv, .csv or .jsonl",
    );
    let list = ["--include-positives", "--output-format", "labeled-list"];
    fails(
        &[&[&*pairs, "--output", &good], &list[..]].concat(),
        2,
        "n-tuple",
    );
    let range = ["--range-min", "5", "--range-max", "6"];
    fails(
        &[&[&*pairs, "--output", &good], &range[..]].concat(),
        2,
        "leave 1 candidates",
    );
    fails(&[&pairs, "--output", &pairs], 2, "pairs");
    let tabs = path("tabs.jsonl");
    fs::write(
        &tabs,
        "{\"query\": \"a\\tb\", \"positive\": \"c\"}\n{\"query\": \"d\", \"positive\": \"e\"}\n",
    )
    .unwrap();
    fails(&[&tabs, "--output", &good], 2, "write .jsonl or .csv");
    assert!(!Path::new(&good).exists());
}

#[test]
fn a_cross_encoder_scores_candidates() {
    let folder = tempfile::tempdir().unwrap();
    let margin = [
        "--max-score",
        "0.99",
        "--output-scores",
        "--output-format",
        "labeled-pair",
    ];
    let cross = cross_encoder("bert");
    let by_scores = [&margin[..], &["--cross-encoder", &cross]].concat();
    let cosines = mine(folder.path(), "out.tsv", &margin);
    let scores = mine(folder.path(), "out.tsv", &by_scores);
    assert_ne!(cosines, scores);
    for line in scores.lines().skip(1) {
        let score: f64 = line.split('\t').next_back().unwrap().parse().unwrap();
        assert!((0.0..=1.0).contains(&score), "{line}");
    }
}
