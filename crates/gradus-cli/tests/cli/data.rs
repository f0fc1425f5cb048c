//! `gradus data`.

use crate::support::{gradus, stdout, tiny_data};
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn overlap(place: &Path, args: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command.current_dir(place);
    command
        .args(["--data", "."])
        .args(["data", "overlap"])
        .args(args);
    command
}

fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    tiny_data(place.path());
    let train = "sentence1,sentence2,score\n\
                 \"The old woman is walking.\",\"A man is\nwalking!\",2\n\
                 nothing like it,nor this one,1\n\
                 a dog is in the park,the dog is in a park,3\n\
                 two dogs are playing,1000 readers read books!,0\n\
                 the cat is sleeping,some other text,1\n";
    fs::write(place.path().join("train.csv"), train).unwrap();
    place
}

#[test]
fn pairs_and_sentences_are_found_in_every_test_set() {
    let place = workplace();
    let json = stdout(&mut overlap(place.path(), &["train.csv", "sts", "--json"]));
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["rows"], 5);
    let tests = found["tests"].as_array().unwrap();
    let names: Vec<_> = tests.iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R"
        ]
    );
    let stsb = &tests[5];
    assert_eq!(stsb["pairs"], 4);
    let trains = |kind: &str| stsb["shared_pairs"][kind]["train"].as_u64().unwrap();
    assert_eq!((trains("exact"), trains("normalised")), (1, 2));
    assert_eq!(stsb["shared_pairs"]["normalised"]["test_share"], 0.5);
    let rows = |kind: &str| stsb["shared_sentences"][kind]["train"].as_u64().unwrap();
    assert_eq!((rows("exact"), rows("normalised")), (3, 4));
    // All sets hold the same pairs here: a training row counts once.
    assert_eq!(found["all"]["shared_pairs"]["normalised"]["train"], 2);

    let text = stdout(&mut overlap(
        place.path(),
        &["train.csv", "--examples", "1", "--near", "0.6"],
    ));
    for part in [
        "training set: train.csv, 5 rows",
        "near: at least 0.6",
        "test pairs in the training set",
        "STS-B, near (0.",
        "train.csv:6: two dogs are playing | 1000 readers read books!",
        "  test: two dogs playing | 1000 readers read books!",
    ] {
        assert!(text.contains(part), "{part} not in: {text}");
    }
    let known = stdout(&mut overlap(place.path(), &["stsb:test", "stsb", "--json"]));
    let known: Value = serde_json::from_str(&known).unwrap();
    assert_eq!(known["all"]["shared_pairs"]["exact"]["test_share"], 1.0);
}

#[test]
fn a_clean_file_has_no_test_pairs() {
    let place = workplace();
    let args = ["train.csv", "--no-near", "--write-clean", "clean.csv"];
    overlap(place.path(), &args)
        .assert()
        .success()
        .stderr(contains("2 rows dropped"));
    let clean = fs::read_to_string(place.path().join("clean.csv")).unwrap();
    assert_eq!(
        clean,
        "sentence1,sentence2,score\nnothing like it,nor this one,1\n\
         two dogs are playing,1000 readers read books!,0\nthe cat is sleeping,some other text,1\n"
    );
    let again = stdout(&mut overlap(
        place.path(),
        &["clean.csv", "--json", "--no-near"],
    ));
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["all"]["shared_pairs"]["normalised"]["train"], 0);
    let args = ["train.csv", "--drop", "sentences", "--write-clean", "c.csv"];
    overlap(place.path(), &args).assert().success();
    let clean = fs::read_to_string(place.path().join("c.csv")).unwrap();
    assert_eq!(
        clean,
        "sentence1,sentence2,score\nnothing like it,nor this one,1\n"
    );
}

#[test]
fn every_form_of_a_training_set_is_read() {
    let place = workplace();
    let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
    write(
        "AllNLI.tsv",
        "split\tdataset\tfilename\tsentence1\tsentence2\tlabel\n\
         train\tS\tf\ta man is walking\tthe old woman is walking\tneutral\n\
         dev\tS\tf\tx\ty\tneutral\n",
    );
    write(
        "nli_for_simcse.csv",
        "sent0,sent1,hard_neg\na man is walking,x,the old woman is walking\n",
    );
    write("a.dat", "a man is walking;the old woman is walking\n");
    write("wiki.txt", "A man is walking.\n\nAnother one.\n");
    let count = |args: &[&str], what: &str| {
        let mut all = vec!["--json", "--no-near"];
        all.extend(args);
        let found: Value = serde_json::from_str(&stdout(&mut overlap(place.path(), &all))).unwrap();
        let train = found["all"][what]["normalised"]["train"].as_u64().unwrap();
        (found["rows"].as_u64().unwrap(), train)
    };
    assert_eq!(count(&["AllNLI.tsv:train", "stsb"], "shared_pairs"), (1, 1));
    assert_eq!(count(&["AllNLI.tsv:dev", "stsb"], "shared_pairs"), (1, 0));
    assert_eq!(count(&["nli_for_simcse.csv"], "shared_pairs"), (2, 1));
    let braces = "{ path = 'a.dat', format = 'tsv', delimiter = ';', first = 0, second = 1 }";
    assert_eq!(count(&[braces, "sts12", "sts13"], "shared_pairs"), (1, 1));
    assert_eq!(
        count(&["--sentences", "wiki.txt"], "shared_sentences"),
        (2, 1)
    );
    let two = [
        "nli_for_simcse.csv",
        "AllNLI.tsv:train",
        "--with",
        "stsb",
        "train.csv",
    ];
    assert_eq!(count(&two, "shared_pairs"), (3, 2));
}

#[test]
fn what_makes_no_sense_is_said_before_the_work() {
    let place = workplace();
    for (args, code, part) in [
        (
            &["stsb:trian", "sts"][..],
            2,
            "no split; write train, dev or test there",
        ),
        (&["stsbb"], 2, "did you mean \"stsb\"?"),
        (
            &["stsb:train", "sts"],
            3,
            "data set stsb (train) is not under .",
        ),
        (&["missing.tsv"], 3, "missing.tsv"),
        (&["train.csv", "--near", "1.5"], 2, "above 0 and at most 1"),
        (
            &["train.csv", "--near", "0.5", "--no-near"],
            2,
            "cannot be used with",
        ),
        (
            &["sts12:test", "--write-clean", "x.tsv"],
            2,
            "the training set has 5",
        ),
        (&["train.csv", "--write-clean", "x.gz"], 2, "without .gz"),
        (&["train.csv", "--drop", "pairs"], 2, "--write-clean"),
        (&[], 2, "required"),
    ] {
        overlap(place.path(), args)
            .assert()
            .code(code)
            .stdout("")
            .stderr(contains(part));
    }
    assert!(!place.path().join("x.tsv").exists());
}
