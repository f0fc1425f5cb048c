//! The page at `/`, in a browser without a window.

use super::server::Server;
use crate::support::{cross_encoder, model};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use ureq::Agent;

/// A browser that is driven.
struct Browser {
    driver: Child,
    session: String,
    agent: Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// One of so many pixels; none where no driver is installed.
    fn start(width: u32, height: u32) -> Option<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}"),
            agent: Agent::new_with_config(config),
            _profile: profile,
        };
        let folder = browser._profile.path().display();
        let wanted = json!({"capabilities": {"alwaysMatch": {
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {"args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync",
            format!("--user-data-dir={folder}"),
            format!("--window-size={width},{height}"),
        ]}}}});
        let began = Instant::now();
        let session = loop {
            // The driver needs a moment.
            match browser.send("/session", &wanted) {
                Some(session) => break session,
                None => assert!(began.elapsed() < Duration::from_secs(30), "no browser"),
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let id = session["sessionId"].as_str().unwrap();
        browser.session += &format!("/session/{id}");
        Some(browser)
    }

    fn send(&self, path: &str, body: &Value) -> Option<Value> {
        let url = format!("{}{path}", self.session);
        let mut sent = self.agent.post(&url).send(body.to_string()).ok()?;
        let text = sent.body_mut().read_to_string().ok()?;
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        assert!(sent.status().is_success(), "{path}: {answer}");
        Some(answer["value"].take())
    }

    fn run(&self, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.send("/execute/sync", &body).unwrap()
    }

    /// Presses keys where the focus is.
    fn press(&self, keys: &[&str]) {
        let down = keys
            .iter()
            .map(|key| json!({"type": "keyDown", "value": key}));
        let up = keys
            .iter()
            .rev()
            .map(|key| json!({"type": "keyUp", "value": key}));
        let actions: Vec<Value> = down.chain(up).collect();
        let body = json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]});
        self.send("/actions", &body).unwrap();
    }

    /// Waits for text in an element.
    fn wait_for(&self, id: &str, part: &str) -> String {
        let began = Instant::now();
        loop {
            let script = format!("return document.getElementById('{id}').innerText");
            let text = self.run(&script).as_str().unwrap_or_default().to_owned();
            if text.contains(part) {
                return text;
            }
            let waited = began.elapsed() < Duration::from_secs(20);
            assert!(waited, "{id} has no {part:?}: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

const CONTROL: &str = "\u{e009}";
const ENTER: &str = "\u{e007}";
const TAB: &str = "\u{e004}";
const DOWN: &str = "\u{e015}";
const RIGHT: &str = "\u{e014}";

#[test]
fn the_page_works_by_keyboard_and_sends_nothing_elsewhere() {
    let Some(browser) = Browser::start(360, 740) else {
        println!("skipped: chromedriver and chromium are not installed");
        return;
    };
    let (_place, calibrated, pairs) = crate::calibrate::workplace();
    let mut command = crate::support::gradus();
    command.arg("calibrate").arg(&calibrated).arg(&pairs);
    command
        .args(["--score", "cosine", "--scale", "0,6"])
        .assert()
        .success();
    let words = format!("words={}", calibrated.display());
    let ranks = format!("ranks={}", cross_encoder("bert"));
    let server = Server::start(&["--model", &words, "--model", &ranks]);
    browser.send("/url", &json!({ "url": server.at })).unwrap();
    browser.wait_for("about", "embedding, 32 values");
    browser.run("document.getElementById('second').focus()");
    browser.press(&[CONTROL, ENTER]);
    let pair = browser.wait_for("pair-result", "holds the grade of");
    assert!(pair.contains("cosine"), "{pair}");
    browser.run("document.getElementById('documents').focus()");
    browser.press(&[TAB]);
    browser.press(&[ENTER]);
    browser.wait_for("rank-result", "A plane is taking off.");
    let bars = browser.run("return document.querySelectorAll('#rank-result progress').length");
    assert_eq!(bars, json!(4));
    browser.run("document.getElementById('lines').focus()");
    browser.press(&[CONTROL, ENTER]);
    browser.wait_for("list-result", "Someone plays music.");
    browser.run("document.querySelector('canvas').focus()");
    browser.press(&[DOWN]);
    browser.press(&[RIGHT]);
    browser.wait_for("list-result", "1.000: “An air plane takes off.”");
    // A cross-encoder makes no vectors: the page says so.
    browser.run(
        "const m = document.getElementById('model'); m.value = 'ranks'; m.dispatchEvent(new Event('change'))",
    );
    browser.wait_for("about", "reranker");
    browser.run("document.getElementById('lines').focus()");
    browser.press(&[CONTROL, ENTER]);
    browser.wait_for("list-result", "does not make vectors");
    // Nothing sticks out on a narrow screen.
    let wide = browser.run("return document.documentElement.scrollWidth <= innerWidth");
    assert_eq!(wide, json!(true));
    let requests = browser.run("return performance.getEntriesByType('resource').map(e => e.name)");
    let requests = requests.as_array().unwrap();
    assert!(requests.len() > 5);
    for request in requests {
        assert!(
            request.as_str().unwrap().starts_with(&server.at),
            "{request}"
        );
    }
    let log = browser
        .send("/se/log", &json!({"type": "browser"}))
        .unwrap();
    let wrong = log.as_array().unwrap().iter();
    // The refusal above is one, and the icon that a browser asks for of itself.
    let bad = |e: &&Value| {
        let text = e["message"].as_str().unwrap_or_default();
        let hint = e["level"] == json!("DEBUG");
        !(hint || text.contains("v1/embeddings") || text.contains("favicon"))
    };
    let wrong: Vec<&Value> = wrong.filter(bad).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_locked_server_asks_for_its_key() {
    let Some(browser) = Browser::start(1280, 900) else {
        println!("skipped: chromedriver and chromium are not installed");
        return;
    };
    let mut command = super::server::command(&[&model("bert-small"), "--port", "0"]);
    let server = Server::run(command.env("GRADUS_API_KEYS", "secret"));
    browser.send("/url", &json!({ "url": server.at })).unwrap();
    browser.wait_for("about", "wants a key");
    for key in ["s", "e", "c", "r", "e", "t", ENTER, TAB] {
        browser.press(&[key]);
    }
    browser.wait_for("about", "embedding");
}
