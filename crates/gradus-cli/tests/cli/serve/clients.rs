//! Clients that people use, where a Python that has them is named.

use super::server::{Server, command};
use crate::support::{cross_encoder, model};
use std::process::Command;

#[test]
fn clients_of_other_people_understand_the_answers() {
    let Ok(python) = std::env::var("GRADUS_CLIENTS") else {
        let folder = "crates/gradus-cli/tests/clients";
        println!(
            "skipped: GRADUS_CLIENTS names no Python with {folder}/requirements.txt installed"
        );
        return;
    };
    let (words, ranks) = (model("bert-small"), cross_encoder("bert"));
    let server = Server::run(
        command(&["--model", &format!("words={words}"), "--port", "0"])
            .args(["--model", &format!("ranks={ranks}")])
            .env("GRADUS_API_KEYS", "one,two"),
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/clients.py");
    let said = Command::new(python)
        .args([script, &server.at, "two"])
        .env("DO_NOT_TRACK", "1")
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr),
    );
    assert!(said.status.success(), "{out}{err}");
    assert_eq!(out.lines().count(), 4, "{out}");
}
