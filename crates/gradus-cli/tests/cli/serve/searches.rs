//! Indexes behind HTTP.

use super::server::{Server, command};
use crate::index::{Place, corpus, found, ids};
use crate::support::{cross_encoder, model};
use serde_json::{Value, json};
use std::process::Stdio;

#[test]
fn what_is_found_is_what_the_command_finds() {
    let place = Place::new();
    let index = place.build("texts.index", 300, &[]).display().to_string();
    let (words, ranks) = (
        format!("words={}", model("bert-small")),
        format!("ranks={}", cross_encoder("bert")),
    );
    let server = Server::start(&["--model", &words, "--model", &ranks, "--index", &index]);
    let query = "two birds in the park";
    let ours = |more: &[&str]| {
        let all = [
            "search",
            "texts.index",
            query,
            "--format",
            "json",
            "--top",
            "7",
        ];
        found(&place.run(&[&all[..], more].concat()))
    };
    let search = |body: Value| server.post("/search", &body).json()["results"].clone();
    let filter = "lang = \"de\" and year > 2010";
    assert_eq!(
        search(json!({"query": query, "top": 7})),
        json!([ours(&[])])
    );
    let several = search(json!({"query": [query, "a cat", query], "index": "texts", "top": 7}));
    assert_eq!(
        (&several[0], &several[2]),
        (&json!(ours(&[])), &json!(ours(&[])))
    );
    let filtered = search(json!({"query": query, "top": 7, "filter": filter}));
    assert_eq!(filtered, json!([ours(&["--filter", filter])]));
    let again = search(json!({"query": query, "top": 7, "rerank": "ranks", "candidates": 30}));
    let cross = cross_encoder("bert");
    let expected = ours(&["--rerank", &cross, "--candidates", "30"]);
    assert_eq!(again, json!([expected]));

    // By words too, and through the graph, once the index has them.
    let body = json!({"query": query, "top": 7, "hybrid": true, "candidates": 30});
    server.post("/search", &body).refusal(422);
    server
        .post("/search", &json!({"query": query, "recall": 0.9}))
        .refusal(422);
    place.run(&["index", "words", "texts.index"]);
    place.run(&["index", "graph", "texts.index"]);
    let described = server.get("/indexes").json();
    assert_eq!(
        (&described[0]["words"], &described[0]["graph"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        search(body),
        json!([ours(&["--hybrid", "--candidates", "30"])])
    );
    assert_eq!(
        search(json!({"query": query, "top": 7, "recall": 0.9})),
        json!([ours(&["--approximate", "--recall", "0.9"])])
    );
    server
        .post("/search", &json!({"query": query, "recall": 1.5}))
        .refusal(422);

    // What is added and removed shows at the next request.
    let count = || server.get("/indexes").json()[0]["texts"].as_u64().unwrap();
    assert_eq!(count(), 300);
    let new = json!({"id": "new", "text": query, "lang": "de", "year": 2030}).to_string();
    place.file("more.jsonl", &new);
    place.run(&["index", "add", "texts.index", "more.jsonl"]);
    assert_eq!(count(), 301);
    let best = search(json!({"query": query, "top": 300}));
    assert!(ids(best[0].as_array().unwrap()).contains(&"new"));
    place.run(&["index", "remove", "texts.index", "new"]);
    assert_eq!(
        search(json!({"query": query, "top": 7})),
        json!([ours(&[])])
    );
    assert_eq!(server.stop(), 0);
}

#[test]
fn what_cannot_be_searched_is_said() {
    let place = Place::new();
    let index = place.build("texts.index", 20, &[]).display().to_string();
    let words = model("bert-small");
    let server = Server::start(&[&words, "--index", &index]);
    for (body, status, says) in [
        (
            json!({"query": "a", "index": "none"}),
            404,
            "this server has texts",
        ),
        (json!({"query": "a", "filter": "lang ="}), 422, "filter"),
        (json!({"query": "a", "top": 0}), 422, "at least 1"),
        (
            json!({"query": "a", "rerank": "bert-small"}),
            422,
            "does not rank texts",
        ),
        (json!({"query": []}), 400, "no inputs"),
        (
            json!({"query": vec!["a"; 200], "top": 9000}),
            413,
            "several requests",
        ),
        (json!({"query": "a", "tip": 3}), 422, "tip"),
    ] {
        let refusal = server.post("/search", &body).refusal(status);
        let message = refusal["error"].as_str().unwrap();
        assert!(message.contains(says), "{body}: {message}");
    }
    drop(server);
    let none = Server::start(&[&words]);
    let refusal = none.post("/search", &json!({"query": "a"})).refusal(404);
    assert!(refusal["error"].as_str().unwrap().contains("no index"));
    drop(none);

    // An index of another model, and one that is none.
    place.file("corpus.jsonl", &corpus(5));
    let other = model("distilbert-small");
    place.run(&[
        "index",
        "build",
        "corpus.jsonl",
        "--model",
        &other,
        "--output",
        "o.index",
    ]);
    let path = |name: &str| place.path(name).display().to_string();
    for (index, says) in [
        (path("o.index"), "is not served"),
        (path("none"), "no index.json"),
    ] {
        let arguments = [&words, "--index", &index, "--port", "0"];
        let ended = command(&arguments).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success() && said.contains(says), "{said}");
    }
}
