//! A server of the binary, and requests to it.

use crate::support::environment;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use ureq::Agent;
use ureq::tls::TlsConfig;

/// A server; killed where a test ends without stopping it.
pub struct Server {
    child: Child,
    /// Such as `http://127.0.0.1:40123`.
    pub at: String,
    agent: Agent,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body, of an answer with status 200.
    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// The body of a refusal.
    pub fn refusal(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The command `gradus serve` on a free port.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gradus"));
    command
        .envs(environment())
        .env_remove("GRADUS_DATA")
        .env_remove("GRADUS_API_KEYS")
        .arg("serve")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

impl Server {
    /// Starts one on a free port and waits until its models are loaded.
    pub fn start(arguments: &[&str]) -> Self {
        Self::run(command(arguments).args(["--port", "0", "--threads", "2"]))
    }

    /// Runs a command that serves, and waits likewise.
    pub fn run(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut at = None;
        for line in &mut lines {
            let line = line.unwrap();
            if let Some((_, address)) = line.split_once(" at ").filter(|_| line.contains("serving"))
            {
                at = Some(address.trim().to_owned());
            }
            if line.trim_end() == "ready" {
                break;
            }
        }
        // Later lines are read, so that the server can write them.
        std::thread::spawn(move || lines.for_each(drop));
        let tls = TlsConfig::builder().disable_verification(true).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(tls)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self {
            child,
            at: at.expect("no address was said"),
            agent: Agent::new_with_config(config),
        }
    }

    /// Sends a body by POST.
    pub fn post_bytes(&self, path: &str, body: &[u8], key: Option<&str>) -> Answer {
        let mut request = self.agent.post(format!("{}{path}", self.at));
        if let Some(key) = key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        read(request.send(body).unwrap())
    }

    /// Sends JSON by POST.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_bytes(path, body.to_string().as_bytes(), None)
    }

    pub fn get(&self, path: &str) -> Answer {
        read(self.agent.get(format!("{}{path}", self.at)).call().unwrap())
    }

    /// A number of `/metrics`: the sum of all lines that begin so.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text;
        let lines = text.lines().filter(|line| line.starts_with(name));
        let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
        lines.filter_map(value).sum()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop, and returns its exit code.
    pub fn stop(self) -> i32 {
        signal(self.child.id());
        self.ended()
    }

    /// The exit code of one that was told to.
    pub fn ended(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

/// Sends SIGTERM.
pub fn signal(id: u32) {
    let kill = Command::new("kill").arg(id.to_string()).status();
    assert!(kill.unwrap().success());
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_string()
            .unwrap(),
    }
}
