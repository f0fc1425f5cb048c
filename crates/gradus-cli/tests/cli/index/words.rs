//! Search by words beside search by vectors.

use super::{Place, found, ids};
use crate::support::{cross_encoder, gradus, model};
use predicates::str::contains;
use serde_json::{Value, json};

fn line(id: usize, text: &str) -> String {
    json!({"id": format!("t{id}"), "text": text, "even": id.is_multiple_of(2)}).to_string() + "\n"
}

fn place() -> Place {
    let place = Place::new();
    let words = ["dog", "park", "cat", "man", "book", "birds", "two", "the"];
    let text = |i: usize| format!("{} {} {}", words[i % 8], words[i / 8 % 8], words[i / 3 % 8]);
    let texts: String = (0..60).map(|i| line(i, &text(i))).collect();
    place.file("texts.jsonl", &texts);
    let small = model("bert-small");
    place.run(&[
        "index",
        "build",
        "texts.jsonl",
        "--model",
        &small,
        "--id",
        "id",
        "--output",
        "a.index",
    ]);
    place
}

#[test]
fn words_are_found_that_vectors_do_not_tell() {
    let place = place();
    let search = [
        "search", "a.index", "zyx 9001", "--hybrid", "--format", "json", "--top", "5",
    ];
    let mut command = gradus();
    command.current_dir(place.folder.path()).args(search);
    command
        .assert()
        .code(2)
        .stderr(contains("`gradus index words a.index` makes it do so"));
    let report = place.run(&["index", "words", "a.index", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["texts"], 60);
    assert!(
        place
            .run(&["index", "words", "a.index"])
            .contains("were there")
    );
    assert!(
        place
            .run(&["index", "info", "a.index"])
            .contains("words      kept")
    );
    // No text has these words: the nearest, in their order.
    let with = |more: &[&str]| found(&place.run(&[&search[..], more].concat()));
    let plain = found(&place.run(&[
        "search", "a.index", "zyx 9001", "--format", "json", "--top", "5",
    ]));
    let hybrid = with(&[]);
    assert_eq!(ids(&hybrid), ids(&plain));
    // What is added later has its words kept too.
    place.file(
        "more.jsonl",
        &(line(60, "a b c d e f ZYX-9001 g h") + &line(61, "x y z zyx")),
    );
    place.run(&["index", "add", "a.index", "more.jsonl"]);
    place.run(&["index", "verify", "a.index"]);
    let hybrid = with(&[]);
    assert_eq!(ids(&hybrid)[..1], ["t60"]);
    assert_eq!(with(&["--threads", "3"]), hybrid);
    // Its cosine is that of search by vectors.
    let all = found(&place.run(&[
        "search", "a.index", "zyx 9001", "--format", "json", "--top", "99",
    ]));
    for hit in &hybrid {
        let same = all.iter().find(|other| other["id"] == hit["id"]).unwrap();
        assert_eq!(
            (&same["cosine"], &same["text"]),
            (&hit["cosine"], &hit["text"])
        );
        assert!(hit["fused"].as_f64().unwrap() < 2.0 / 61.0 + 1e-9);
    }
    // A filter and removals count for words.
    assert!(!ids(&with(&["--filter", "even = false"])).contains(&"t60"));
    place.run(&["index", "remove", "a.index", "t60"]);
    assert!(!ids(&with(&[])).contains(&"t60"));
    // Through the graph, and ranked again.
    place.run(&["index", "graph", "a.index"]);
    assert_eq!(with(&["--approximate", "--width", "60"]), with(&[]));
    let cross = cross_encoder("bert");
    assert!(with(&["--rerank", &cross, "--candidates", "3"])[0]["score"].is_number());
}

#[test]
fn damaged_words_are_found() {
    let place = place();
    place.run(&["index", "words", "a.index"]);
    let folder = place.path("a.index");
    let mut names = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let words = names
        .find(|path| path.to_string_lossy().contains("words-"))
        .unwrap();
    let mut bytes = std::fs::read(&words).unwrap();
    bytes[3] ^= 0xff;
    std::fs::write(&words, bytes).unwrap();
    for arguments in [
        &["index", "verify", "a.index"][..],
        &["search", "a.index", "a", "--hybrid"],
    ] {
        let mut command = gradus();
        command.current_dir(place.folder.path()).args(arguments);
        command.assert().failure().stderr(contains("words-"));
    }
    // Search by vectors does not need them.
    place.run(&["search", "a.index", "a"]);
}

#[test]
fn candidates_without_use_are_refused() {
    let mut command = gradus();
    command.args(["search", "a.index", "a", "--candidates", "3"]);
    command
        .assert()
        .code(2)
        .stderr(contains("--rerank or --hybrid"));
}
