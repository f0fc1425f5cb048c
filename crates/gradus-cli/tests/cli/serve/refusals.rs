//! What cannot be answered is refused in the protocol's words, and harms nobody else.

use super::server::{Server, command};
use crate::support::{cross_encoder, gradus, model};
use serde_json::json;
use std::fs;

#[test]
fn keys_open_what_is_locked() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("keys");
    fs::write(&file, "first\n\nsecond\n").unwrap();
    let server = Server::start(&[&model("bert-small"), "--api-keys", file.to_str().unwrap()]);
    let body = json!({"inputs": "a", "input": "a"}).to_string();
    for key in ["first", "second"] {
        let open = server.post_bytes("/embed", body.as_bytes(), Some(key));
        assert_eq!(open.status, 200, "{}", open.text);
    }
    for key in [None, Some("third"), Some("firs")] {
        let closed = server.post_bytes("/embed", body.as_bytes(), key);
        assert_eq!(closed.refusal(401)["error_type"], json!("unauthorized"));
        assert_eq!(closed.header("www-authenticate"), Some("Bearer"));
        let closed = server.post_bytes("/v1/embeddings", body.as_bytes(), key);
        assert_eq!(
            closed.refusal(401)["error"]["code"],
            json!("invalid_api_key")
        );
        let closed = server.post_bytes("/v2/rerank", body.as_bytes(), key);
        assert!(closed.refusal(401)["message"].is_string());
    }
    for open in ["/health", "/metrics", "/info", "/", "/api-doc/openapi.json"] {
        assert_eq!(server.get(open).status, 200, "{open}");
    }
    fs::write(&file, "\n").unwrap();
    let mut none = gradus();
    none.args(["serve", &model("bert-small"), "--api-keys"])
        .arg(&file);
    none.assert().code(2);
}

#[test]
fn bodies_are_bounded_and_understood() {
    let server = Server::start(&[
        &model("bert-small"),
        "--body-limit",
        "1",
        "--text-limit",
        "100",
        "--item-limit",
        "3",
    ]);
    let large = "x".repeat(1_100_000);
    for (path, body, status) in [
        ("/embed", json!({ "inputs": large }).to_string(), 413),
        (
            "/embed",
            json!({"inputs": "x".repeat(101)}).to_string(),
            413,
        ),
        ("/embed", json!({"inputs": vec!["a"; 4]}).to_string(), 413),
        ("/embed", "{\"inputs\": ".to_owned(), 400),
        ("/embed", String::new(), 400),
        ("/embed", "{\"inputs\": []}".to_owned(), 400),
        ("/embed", "{\"inputs\": 1}".to_owned(), 422),
        ("/embed", "{}".to_owned(), 422),
        ("/embed", "[]".to_owned(), 422),
        (
            "/embed",
            json!({"inputs": "a", "dimensions": 0}).to_string(),
            422,
        ),
        ("/predict", json!({"inputs": "a"}).to_string(), 422),
        (
            "/v1/rerank",
            json!({"query": "a", "documents": []}).to_string(),
            400,
        ),
        (
            "/v1/rerank",
            json!({"query": "a", "documents": ["b"], "top_n": -1}).to_string(),
            422,
        ),
        ("/rerank", json!({"query": "a"}).to_string(), 422),
        ("/decode", json!({"ids": [9_999_999]}).to_string(), 422),
        ("/nothing", String::new(), 404),
    ] {
        let answer = server.post_bytes(path, body.as_bytes(), None);
        let shown = &body[..body.len().min(60)];
        assert_eq!(answer.status, status, "{path} {shown}: {}", answer.text);
        let body: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        assert!(body.is_object(), "{path} {shown}");
    }
    assert_eq!(server.get("/embed").status, 405);
    assert_eq!(server.post("/embed", &json!({"inputs": "a"})).status, 200);
}

/// Bodies that are nearly right, or nonsense.
fn bodies() -> Vec<Vec<u8>> {
    let good = [
        json!({"inputs": ["a dog", [1, 2]], "truncate": true, "dimensions": 3}).to_string(),
        json!({"input": "a dog", "encoding_format": "base64", "dimensions": 3}).to_string(),
        json!({"query": "a", "documents": ["b", {"text": "c"}], "top_n": 1}).to_string(),
        json!({"pairs": [["a", "b"]]}).to_string(),
        json!({"ids": [[1, 2], [3]]}).to_string(),
        json!({"inputs": {"source_sentence": "a", "sentences": ["b"]}}).to_string(),
    ];
    // A generator that needs nothing else: the same bodies in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |most: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % most.max(1)
    };
    let mut all = vec![];
    for _ in 0..60 {
        for body in &good {
            let mut bytes = body.clone().into_bytes();
            for _ in 0..=next(3) {
                let at = next(bytes.len());
                match next(4) {
                    0 => bytes[at] = next(256) as u8,
                    1 => bytes.truncate(at),
                    2 => drop(bytes.splice(at..at, *b"[[1e999,-1,\"\\ud800\"]")),
                    _ => drop(bytes.remove(at)),
                }
                if bytes.is_empty() {
                    break;
                }
            }
            all.push(bytes);
        }
    }
    all
}

#[test]
fn nonsense_is_refused_and_nothing_breaks() {
    let cross = format!("ranks={}", cross_encoder("bert"));
    let server = Server::start(&[&model("bert-small"), "--model", &cross]);
    let paths = [
        "/embed",
        "/embed_all",
        "/v1/embeddings",
        "/rerank",
        "/v1/rerank",
        "/grade",
        "/predict",
        "/similarity",
        "/tokenize",
        "/decode",
    ];
    for (place, body) in bodies().iter().enumerate() {
        for path in [
            paths[place % paths.len()],
            paths[(place * 7 + 3) % paths.len()],
        ] {
            let answer = server.post_bytes(path, body, None);
            let shown = String::from_utf8_lossy(body);
            assert!(answer.status < 500, "{path} {shown}: {}", answer.text);
        }
    }
    assert_eq!(server.post("/embed", &json!({"inputs": "a"})).status, 200);
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn what_cannot_be_served_is_said_at_once() {
    let small = model("bert-small");
    for (arguments, part) in [
        (vec!["serve", &small, &small], "give one another name"),
        (vec!["serve", "--model", "nameless"], "NAME=MODEL"),
        (vec!["serve", "./nowhere"], "nowhere"),
        (vec!["serve", &small, "--api-keys", "nokeys"], "nokeys"),
        (
            vec![
                "serve",
                &small,
                "--tls-cert",
                "nocert",
                "--tls-key",
                "nokey",
            ],
            "nocert",
        ),
        (vec!["serve", &small, "--prompt", "none"], "none"),
    ] {
        let mut command = gradus();
        let output = command.args(&arguments).args(["--port", "0"]);
        let output = output
            .timeout(std::time::Duration::from_secs(60))
            .assert()
            .failure();
        let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    let server = Server::start(&[&small]);
    let port = server.at.rsplit(':').next().unwrap();
    let mut taken = command(&[&small, "--port", port]);
    let said = taken.output().unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&said.stderr).contains("--port"));
}
