//! What stays of a corpus that says things twice.

use super::{rows, texts};
use crate::index::Place;
use crate::support::{gradus, model};
use predicates::str::contains;
use serde_json::{Value, json};

#[test]
fn for_each_that_goes_one_stays_that_is_alike() {
    let place = Place::new();
    place.file(
        "texts.txt",
        &(texts() + "The DOG  is in the park\nsomething else\n"),
    );
    let small = model("bert-small");
    let first = [
        "dedupe",
        "texts.txt",
        "--model",
        &small,
        "--output",
        "d",
        "--format",
        "json",
    ];
    let mut kept_before = 0;
    for threshold in ["0.95", "0.99", "1"] {
        let said = place.run(&[&first[..], &["--threshold", threshold]].concat());
        let report: Value = serde_json::from_str(&said).unwrap();
        let (kept, removed) = (
            rows(&place.path("d/kept.jsonl")),
            rows(&place.path("d/removed.jsonl")),
        );
        assert_eq!(report["texts"], 20);
        assert_eq!(kept.len(), report["kept"]);
        let count = |by: &str| removed.iter().filter(|row| row["by"] == by).count();
        assert_eq!(
            (count("words"), count("meaning")),
            (
                report["by_words"].as_u64().unwrap() as usize,
                report["by_meaning"].as_u64().unwrap() as usize,
            )
        );
        assert_eq!(kept.len() + removed.len(), 20);
        let least: f64 = threshold.parse().unwrap();
        for row in &removed {
            let stays = kept.iter().find(|kept| kept["id"] == row["kept"]).unwrap();
            assert_eq!(stays["text"], row["kept_text"]);
            let least = if row["by"] == "words" { 0.8 } else { least };
            assert!(row["score"].as_f64().unwrap() >= least - 1e-6, "{row}");
        }
        // Small letters and single spaces.
        let loud = removed.iter().find(|row| row["id"] == "19").unwrap();
        assert_eq!(
            (&loud["by"], &loud["kept"], &loud["score"]),
            (&json!("words"), &json!("1"), &json!(1.0))
        );
        assert!(kept.len() >= kept_before);
        kept_before = kept.len();
    }
    let text = place.run(&first[..6]);
    assert!(
        text.contains("<- threshold") && text.contains("went by words"),
        "{text}"
    );
}

#[test]
fn the_rule_says_which_one_stays() {
    let place = Place::new();
    let row = |id: &str, text: &str, votes: f64| {
        json!({"id": id, "text": text, "votes": votes}).to_string() + "\n"
    };
    let corpus = row("a", "the dog is in the park today", 2.0)
        + &row("b", "The dog is in the park today !", 9.0)
        + &row("c", "the dog is in the park today and", 1.0)
        + &row("d", "the dog is in the park today", 9.0);
    place.file("texts.jsonl", &corpus);
    let small = model("bert-small");
    for (rule, stays) in [
        ("first", "a"),
        ("last", "d"),
        ("longest", "c"),
        ("shortest", "a"),
        ("highest:votes", "b"),
        ("lowest:votes", "c"),
    ] {
        place.run(&[
            "dedupe",
            "texts.jsonl",
            "--model",
            &small,
            "--output",
            "d",
            "--keep",
            rule,
            "--by",
            "words",
            "--word-threshold",
            "0.6",
        ]);
        let kept = rows(&place.path("d/kept.jsonl"));
        assert_eq!(kept.len(), 1, "{rule}");
        assert_eq!(kept[0]["id"], stays, "{rule}");
        assert!(kept[0]["columns"]["votes"].is_number());
    }
    for rule in ["central", "outlying"] {
        place.run(&[
            "dedupe",
            "d/texts.index",
            "--output",
            "e",
            "--keep",
            rule,
            "--threshold",
            "0.5",
        ]);
        assert_eq!(rows(&place.path("e/kept.jsonl")).len(), 1);
    }
    let mut command = gradus();
    command.current_dir(place.folder.path());
    command.args([
        "dedupe",
        "d/texts.index",
        "--output",
        "e",
        "--keep",
        "highest:likes",
    ]);
    command
        .assert()
        .code(2)
        .stderr(contains("its columns are \"votes\""));
}

#[test]
fn within_clusters_fewer_are_found_and_bits_do_not_depend_on_threads() {
    let place = Place::new();
    place.build("a.index", 400, &[]);
    let run = |output: &str, more: &[&str]| {
        let all = [
            "dedupe",
            "a.index",
            "--output",
            output,
            "--by",
            "meaning",
            "--threshold",
            "0.97",
        ];
        place.run(&[&all[..], more].concat());
        std::fs::read_to_string(place.path(output).join("kept.jsonl")).unwrap()
    };
    let all = run("d", &["--threads", "1"]);
    assert_eq!(all, run("e", &["--threads", "3"]));
    let within = run("f", &["--clusters", "8"]);
    assert_eq!(within, run("g", &["--clusters", "8", "--threads", "3"]));
    let count = |text: &str| text.lines().count();
    assert!(count(&all) <= count(&within) && count(&within) < 400);
}
