//! Many clients at a time: the same bits, bounded queues, clients that leave.

use super::server::Server;
use crate::support::{gradus, model, stdout};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Texts of many lengths.
fn texts() -> Vec<String> {
    let words = [
        "dog", "park", "the", "a", "cat", "is", "in", "two", "birds", "man",
    ];
    let text = |i: usize| {
        let count = 1 + (i * i * 7) % 60;
        let word = |j: usize| words[(i * 31 + j * 17 + j * j) % words.len()];
        (0..count).map(word).collect::<Vec<_>>().join(" ")
    };
    (0..120).map(text).collect()
}

/// The text of each vector as `gradus encode` prints it.
fn encoded(texts: &[String]) -> HashMap<String, Value> {
    let mut command = gradus();
    command.args(["encode", &model("bert-small")]);
    let lines = stdout(command.write_stdin(texts.join("\n") + "\n"));
    let values = lines
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap());
    let entry = |v: Value| {
        (
            v["text"].as_str().unwrap().to_owned(),
            v["embedding"].clone(),
        )
    };
    values.map(entry).collect()
}

fn check_mixed_load(arguments: &[&str]) -> Server {
    let small = model("bert-small");
    let mut all = vec![small.as_str()];
    all.extend(arguments);
    let server = Arc::new(Server::start(&all));
    let texts = texts();
    let expected = encoded(&texts);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (server, texts, expected) = (&server, &texts, &expected);
            scope.spawn(move || {
                for round in 0..25 {
                    let at = (client * 37 + round * 11) % texts.len();
                    let count = [1, 1, 2, 40][(client + round) % 4];
                    let some: Vec<&String> = texts.iter().cycle().skip(at).take(count).collect();
                    let given = server.post("/embed", &json!({ "inputs": some })).json();
                    for (text, vector) in some.iter().zip(given.as_array().unwrap()) {
                        assert_eq!(vector, &expected[*text], "{text}");
                    }
                }
            });
        }
    });
    Arc::into_inner(server).unwrap()
}

#[test]
fn answers_do_not_depend_on_what_else_is_under_way() {
    let server = check_mixed_load(&[]);
    assert_eq!(server.metric("te_request_failure"), 0.0);
    assert_eq!(server.metric("te_queue_size"), 0.0);
    assert_eq!(server.stop(), 0);
}

#[test]
fn nor_on_small_batches_or_a_cache() {
    check_mixed_load(&["--batch-tokens", "20"]);
    let server = check_mixed_load(&["--cache", "1"]);
    assert!(server.metric("gradus_cache_hits") > 500.0);
}

#[test]
fn a_full_queue_turns_requests_away_and_loses_none_that_it_took() {
    let server = Server::start(&[&model("bert-small"), "--queue-tokens", "3000"]);
    let texts = texts();
    let expected = encoded(&texts);
    let (answered, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                for _ in 0..12 {
                    let body = json!({"inputs": texts});
                    let answer = server.post("/embed", &body);
                    if answer.status == 429 {
                        assert_eq!(answer.header("retry-after"), Some("1"));
                        assert_eq!(answer.refusal(429)["error_type"], json!("overloaded"));
                        refused.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let given = answer.json();
                    for (text, vector) in texts.iter().zip(given.as_array().unwrap()) {
                        assert_eq!(vector, &expected[text]);
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let (answered, refused) = (answered.into_inner(), refused.into_inner());
    assert_eq!(answered + refused, 24 * 12);
    assert!(answered > 0 && refused > 0, "{answered} and {refused}");
    assert_eq!(server.metric("te_queue_size"), 0.0);
}

/// A connection that sends some bytes.
fn connect(server: &Server, bytes: &[u8]) -> TcpStream {
    let address = server.at.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

#[test]
fn clients_that_leave_hang_or_dawdle_hold_up_nobody() {
    let server = Server::start(&[&model("bert-small"), "--receive-timeout", "1"]);
    let body = json!({"inputs": vec!["dog park cat ".repeat(60); 400]}).to_string();
    let head = format!(
        "POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // One that leaves once it has asked, ones that stop in the middle.
    for _ in 0..3 {
        drop(connect(&server, format!("{head}{body}").as_bytes()));
    }
    let mut slow = [
        connect(&server, b"POST /embed HTT"),
        connect(&server, head.as_bytes()),
        connect(&server, format!("{head}{{\"inputs\"").as_bytes()),
        connect(&server, b"\x16\x03\x01\x00\x05nonsense"),
    ];
    for _ in 0..5 {
        assert_eq!(server.post("/embed", &json!({"inputs": "a"})).status, 200);
    }
    // They are told, or hear nothing more, in time.
    for stream in &mut slow {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut said = vec![];
        let _ = stream.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(!said.contains("200 OK"), "{said}");
    }
    assert_eq!(server.metric("te_queue_size"), 0.0);
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn a_request_has_its_time() {
    // Shorter than any machine takes for so many.
    let server = Server::start(&[&model("bert-small"), "--timeout", "0.001"]);
    let long = vec!["dog park cat ".repeat(300); 8_000];
    let late = server.post("/embed", &json!({ "inputs": long }));
    let said = late.refusal(504);
    assert!(said["error"].is_string());
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.stop(), 0);
}
