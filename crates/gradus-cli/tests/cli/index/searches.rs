//! What is found.

use super::{Place, all_ids, found, ids};
use crate::support::{cross_encoder, gradus, model};
use gradus_index::store::Index;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

#[test]
fn the_nearest_are_those_of_all_cosines() {
    let place = Place::new();
    place.build("a.index", 300, &[]);
    let search = [
        "search",
        "a.index",
        "two birds in the park",
        "--format",
        "json",
        "--top",
        "300",
    ];
    let all = found(&place.run(&search));
    assert_eq!(all.len(), 300);
    // As `gradus rerank` has it, which compares one by one in f64.
    let small = model("bert-small");
    let ranked = place.run(&[
        "rerank",
        &small,
        "--query",
        "two birds in the park",
        "--documents",
        "corpus.jsonl",
        "--top",
        "300",
        "--format",
        "json",
    ]);
    let ranked: Vec<Value> = ranked
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    for (ours, theirs) in all.iter().zip(&ranked) {
        let (a, b) = (
            ours["cosine"].as_f64().unwrap(),
            theirs["score"].as_f64().unwrap(),
        );
        assert!((a - b).abs() < 1e-6, "{ours} and {theirs}");
    }
    // Equal texts have equal cosines, and come in the order of their rows.
    for pair in all.windows(2) {
        let number = |f: &Value| f["id"].as_str().unwrap()[1..].parse::<usize>().unwrap();
        let (a, b) = (pair[0]["cosine"].as_f64(), pair[1]["cosine"].as_f64());
        assert!(a > b || (a == b && number(&pair[0]) < number(&pair[1])));
    }
    let one = place.run(&[&search[..], &["--threads", "1"]].concat());
    assert_eq!(found(&one), all);
    let three = place.run(&[
        "search",
        "a.index",
        "two birds in the park",
        "a dog",
        "--top",
        "3",
    ]);
    let rows: Vec<&str> = three.lines().collect();
    assert_eq!(rows.len(), 6);
    assert!(
        rows[0].starts_with("1\t1\t") && rows[3].starts_with("2\t1\t"),
        "{three}"
    );
}

#[test]
fn filters_leave_out_what_they_do_not_hold_for() {
    let place = Place::new();
    place.build("a.index", 120, &[]);
    let search = |filter: &str| {
        let search = [
            "search", "a.index", "a dog", "--format", "json", "--top", "120",
        ];
        found(&place.run(&[&search[..], &["--filter", filter]].concat()))
    };
    let some = search("lang = \"de\" and year > 2019");
    let holds =
        |f: &Value| f["columns"]["lang"] == "de" && f["columns"]["year"].as_i64() > Some(2019);
    assert_eq!(some.len(), 20);
    assert!(some.iter().all(holds));
    assert!(search("nothing = 1").is_empty());
    let mut wrong = gradus();
    wrong.current_dir(place.folder.path());
    wrong.args(["search", "a.index", "a", "--filter", "lang = de"]);
    wrong
        .assert()
        .code(2)
        .stderr(contains("at character 8").and(contains("\"de\"")));
}

#[test]
fn another_model_is_refused() {
    let place = Place::new();
    place.build("a.index", 10, &[]);
    let mut other = gradus();
    other.current_dir(place.folder.path());
    other.args([
        "search",
        "a.index",
        "a dog",
        "--model",
        &model("mpnet-small"),
    ]);
    other
        .assert()
        .code(4)
        .stderr(contains("is another model").and(contains("bert-small")));
    // The same model elsewhere is the same.
    let copy = place.path("copy");
    let mut command = Command::new("cp");
    command.arg("-r").arg(model("bert-small")).arg(&copy);
    assert!(command.status().unwrap().success());
    let search = ["search", "a.index", "a dog", "--format", "json"];
    let first = place.run(&search);
    assert_eq!(
        place.run(&[&search[..], &["--model", copy.to_str().unwrap()]].concat()),
        first
    );
    let reranked = [
        "search",
        "a.index",
        "a dog",
        "--format",
        "json",
        "--rerank",
        &cross_encoder("bert"),
    ];
    let reranked = found(&place.run(&reranked));
    let scores: Vec<f64> = reranked
        .iter()
        .map(|f| f["score"].as_f64().unwrap())
        .collect();
    assert!(
        scores.len() == 10 && scores.is_sorted_by(|a, b| a >= b),
        "{scores:?}"
    );
}

#[test]
fn an_index_of_this_version_is_read_by_later_ones() {
    let stored = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/index-1");
    assert_eq!(all_ids(Path::new(stored)), ["a", "c", "d"]);
    let index = Index::open(stored).unwrap();
    assert_eq!(index.record(3).unwrap().columns["lang"], json!("en"));
    let vector = index.vector(3).unwrap();
    let length: f32 = vector.iter().map(|x| x * x).sum();
    assert!(vector.len() == 32 && (length - 1.0).abs() < 1e-5);
    let place = Place::new();
    let search = [
        "search",
        stored,
        "two birds",
        "--format",
        "json",
        "--top",
        "1",
    ];
    let found = found(&place.run(&[&search[..], &["--model", &model("bert-small")]].concat()));
    assert_eq!(ids(&found), ["d"]);
}

#[test]
fn bytes_words_and_graphs_of_this_version_are_read_by_later_ones() {
    let stored = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/index-2");
    let ids = all_ids(Path::new(stored));
    assert!(ids.len() == 79 && !ids.contains(&"t7".to_owned()));
    let place = Place::new();
    let small = model("bert-small");
    let run = |more: &[&str]| {
        let search = [
            "search",
            stored,
            "two birds",
            "--format",
            "json",
            "--top",
            "5",
            "--model",
            &small,
        ];
        found(&place.run(&[&search[..], more].concat()))
    };
    assert_eq!(run(&["--approximate", "--width", "80"]), run(&[]));
    let hybrid = run(&["--hybrid"]);
    assert_eq!(hybrid, run(&["--hybrid", "--approximate", "--width", "80"]));
    // Both words in a text of three, which vectors alone put elsewhere.
    let both = hybrid.iter().any(|hit| hit["text"] == "dog two birds");
    assert!(both && hybrid != run(&[]), "{hybrid:?}");
}
