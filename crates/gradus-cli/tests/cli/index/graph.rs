//! Approximate search.

use super::{Place, found, ids};
use crate::support::{gradus, model};
use gradus_index::store::Index;
use predicates::str::contains;
use serde_json::{Value, json};

/// Texts, none of which equals another.
fn different(numbers: std::ops::Range<usize>) -> String {
    let words = [
        "dog", "park", "cat", "is", "in", "two", "birds", "man", "book", "the",
    ];
    let line = |i: usize| {
        let digits = [i / 100, i / 10 % 10, i % 10];
        let text = digits.map(|digit| words[digit]).join(" ");
        json!({"id": format!("t{i}"), "text": text, "year": 2000 + i % 30}).to_string() + "\n"
    };
    numbers.map(line).collect()
}

#[test]
fn a_graph_is_measured_and_searched_with_what_came_later() {
    let place = Place::new();
    place.file("texts.jsonl", &different(0..400));
    place.run(&[
        "index",
        "build",
        "texts.jsonl",
        "--model",
        &model("bert-small"),
        "--id",
        "id",
        "--output",
        "a.index",
    ]);
    let search = [
        "search",
        "a.index",
        "two birds in the park",
        "--format",
        "json",
        "--top",
        "9",
    ];
    let with = |more: &[&str]| found(&place.run(&[&search[..], more].concat()));
    let mut command = gradus();
    command
        .current_dir(place.folder.path())
        .args(search)
        .arg("--approximate");
    command
        .assert()
        .code(2)
        .stderr(contains("`gradus index graph a.index` makes it"));
    let said = place.run(&["index", "graph", "a.index", "--format", "json"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["texts"], 400);
    let recall = report["recall"].as_array().unwrap();
    let shares: Vec<f64> = recall
        .iter()
        .map(|at| at["recall"].as_f64().unwrap())
        .collect();
    assert!(*shares.last().unwrap() > 0.99, "{shares:?}");
    let exact = with(&[]);
    assert_eq!(with(&["--approximate", "--width", "400"]), exact);
    assert_eq!(with(&["--approximate", "--width", "2"]).len(), 9);
    assert_eq!(
        with(&["--approximate", "--recall", "1", "--threads", "3"]),
        exact
    );
    // Few are left by a filter: all of those are looked at.
    let few = ["--filter", "year = 2003"];
    assert_eq!(
        with(&[&few[..], &["--approximate", "--width", "1"]].concat()),
        with(&few)
    );
    // What is added or removed later counts at once.
    place.file("more.jsonl", &different(400..420));
    place.run(&["index", "add", "a.index", "more.jsonl"]);
    let best = ids(&exact)[0].to_owned();
    place.run(&["index", "remove", "a.index", &best]);
    let now = with(&[]);
    assert_ne!(now, exact);
    assert_eq!(with(&["--approximate", "--width", "400"]), now);
    place.run(&["index", "verify", "a.index"]);
    assert!(
        place
            .run(&["index", "info", "a.index"])
            .contains("of all but 20 texts")
    );
    // Made again, the earlier graph is gone with the next writer.
    place.run(&["index", "graph", "a.index"]);
    place.run(&["index", "remove", "a.index", "t3"]);
    let folders = std::fs::read_dir(place.path("a.index")).unwrap();
    let graphs = folders.filter(|e| {
        e.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("graph-")
    });
    assert_eq!(graphs.count(), 1);
    let open = Index::open(place.path("a.index")).unwrap();
    assert_eq!(open.manifest().graph.as_ref().unwrap().rows, 420);
}

#[test]
fn a_damaged_graph_is_found_and_ends_no_search() {
    let place = Place::new();
    place.build("a.index", 200, &[]);
    place.run(&["index", "graph", "a.index"]);
    let open = Index::open(place.path("a.index")).unwrap();
    let name = &open.manifest().graph.as_ref().unwrap().name;
    let edges = place.path("a.index").join(name).join("edges.u32");
    let whole = std::fs::read(&edges).unwrap();
    let mut bytes = whole.clone();
    bytes.iter_mut().step_by(7).for_each(|byte| *byte ^= 0xff);
    std::fs::write(&edges, bytes).unwrap();
    place.run(&["search", "a.index", "a", "--approximate"]);
    std::fs::write(&edges, &whole[4..]).unwrap();
    for arguments in [
        &["index", "verify", "a.index"][..],
        &["search", "a.index", "a"],
    ] {
        let mut command = gradus();
        command.current_dir(place.folder.path()).args(arguments);
        command.assert().failure().stderr(contains("edges.u32"));
    }
}
