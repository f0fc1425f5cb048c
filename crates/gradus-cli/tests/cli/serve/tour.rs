//! The tour of docs/serve.md, line by line.

use super::server::Server;
use crate::index::Place;
use crate::support::model;
use serde_json::Value;
use std::process::Command;

#[test]
fn every_request_of_the_tour_is_answered() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: there is no curl");
        return;
    }
    let words = format!("all-MiniLM-L6-v2={}", model("bert-small"));
    let place = Place::new();
    let index = place.build("hotels.index", 50, &[]).display().to_string();
    let server = Server::start(&["--model", &words, "--index", &index]);
    let page = include_str!("../../../../../docs/serve.md");
    let requests = page.lines().filter(|line| line.starts_with("curl "));
    let mut count = 0;
    for request in requests {
        let here = request.replace("http://127.0.0.1:3000", &server.at);
        assert_ne!(here, request);
        let said = Command::new("sh")
            .args(["-c", &format!("{here} --fail-with-body")])
            .output();
        let said = said.unwrap();
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success(), "{request}: {text}");
        if !request.contains("/metrics") {
            let body: Value = serde_json::from_str(&text).unwrap();
            assert!(body.is_object() || body.is_array(), "{request}: {text}");
        }
        count += 1;
    }
    assert_eq!(count, 11);
}
