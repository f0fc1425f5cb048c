//! Sockets of other kinds, and the end of a server.
#![cfg(unix)]

use super::server::{Server, command, signal};
use crate::support::model;
use serde_json::json;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

#[test]
fn requests_under_way_are_answered_before_the_end() {
    let server = Server::start(&[&model("bert-small")]);
    let texts = vec!["dog park cat ".repeat(100); 1500];
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| server.post("/embed", &json!({ "inputs": texts })));
        let began = Instant::now();
        while server.metric("te_queue_size") == 0.0 {
            assert!(began.elapsed() < Duration::from_secs(30), "it never came");
        }
        signal(server.id());
        let given = asked.join().unwrap().json();
        assert_eq!(given.as_array().unwrap().len(), texts.len());
    });
    let address = server.at.clone();
    assert_eq!(server.ended(), 0);
    assert!(std::net::TcpStream::connect(&address["http://".len()..]).is_err());
}

#[test]
fn a_unix_socket_is_made_and_removed() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("gradus.sock");
    // What a server that was killed left.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let socket = path.to_str().unwrap();
    let server = Server::run(&mut command(&[&model("bert-small"), "--socket", socket]));
    let mut stream = UnixStream::connect(&path).unwrap();
    let asked = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(asked).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let second = command(&[&model("bert-small"), "--socket", socket]).output();
    assert_eq!(second.unwrap().status.code(), Some(2), "one is alive");
    assert_eq!(server.stop(), 0);
    assert!(!path.exists());
}

#[test]
fn https_is_spoken_with_a_certificate() {
    let file = |name: &str| format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let server = Server::start(&[
        &model("bert-small"),
        "--tls-cert",
        &file("tls-cert.pem"),
        "--tls-key",
        &file("tls-key.pem"),
    ]);
    assert!(server.at.starts_with("https://"), "{}", server.at);
    let given = server.post("/embed", &json!({"inputs": "a dog"}));
    assert_eq!(given.json().as_array().unwrap().len(), 1);
}
