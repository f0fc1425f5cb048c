//! A chat endpoint that answers as a test wishes, and misbehaves so too.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How a request is answered.
pub enum Reply {
    /// As asked for, with this content.
    Says(String),
    /// As a stream of events.
    Streams(String),
    /// With this status, further header lines, and body.
    Status(&'static str, String, String),
    /// As [`Reply::Says`], but the connection is closed in the middle of the body.
    Half(String),
    /// Not at all for so long.
    Silent(Duration),
}

/// A request that came.
#[derive(Clone)]
pub struct Seen {
    /// The number in the sentence, as in "Sentence number 12".
    pub number: u64,
    /// The whole body.
    pub body: Value,
    /// The path asked.
    pub path: String,
    /// What stood behind `Authorization`.
    pub authorization: Option<String>,
    /// When.
    pub at: Instant,
}

type Behaviour = dyn Fn(u64, usize) -> Reply + Send + Sync;

pub struct ChatServer {
    pub address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A sentence that the server knows by its number.
pub fn sentence(number: u64) -> String {
    format!("Sentence number {number} says that a man is walking with his dog.")
}

/// A good answer for a sentence, with so many negatives.
pub fn good(number: u64, negatives: usize) -> String {
    let negative = |i| {
        format!(
            "Sentence number {number} denies that {} men are walking with a dog.",
            i + 2
        )
    };
    let negatives: Vec<String> = (0..negatives).map(negative).collect();
    let positive = format!("In sentence number {number} somebody walks the dog that he owns.");
    json!({"positive": positive, "negatives": negatives}).to_string()
}

impl ChatServer {
    /// Answers the request that comes for a sentence's number for the n-th time, from
    /// 0, as `behaviour` says.
    pub fn start(behaviour: impl Fn(u64, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let behaviour: Arc<Behaviour> = Arc::new(behaviour);
        let all = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, behaviour) = (Arc::clone(&all), Arc::clone(&behaviour));
                std::thread::spawn(move || serve(stream, &seen, &*behaviour));
            }
        });
        let address = format!("http://127.0.0.1:{port}");
        Self { address, seen }
    }

    /// Always gives good answers.
    pub fn good() -> Self {
        Self::start(|number, _| Reply::Says(good(number, 2)))
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How often each sentence was asked for.
    pub fn counts(&self) -> HashMap<u64, usize> {
        let mut counts = HashMap::new();
        for seen in self.seen() {
            *counts.entry(seen.number).or_default() += 1;
        }
        counts
    }
}

/// A server that gives so many answers as it is opened for; requests beyond wait.
#[derive(Default)]
pub struct Gate(Arc<(Mutex<[usize; 2]>, Condvar)>);

impl Gate {
    /// For so many in all.
    pub fn open_for(&self, answers: usize) {
        self.0.0.lock().unwrap()[1] = answers;
        self.0.1.notify_all();
    }

    pub fn server(&self) -> ChatServer {
        let gate = Arc::clone(&self.0);
        ChatServer::start(move |number, _| {
            let (state, opened) = &*gate;
            let closed = |[given, most]: &mut [usize; 2]| given >= most;
            let mut open = opened.wait_while(state.lock().unwrap(), closed).unwrap();
            open[0] += 1;
            Reply::Says(good(number, 1))
        })
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Seen>>, behaviour: &Behaviour) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut authorization) = (0, None);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    let asked = body["messages"].as_array()?.last()?["content"]
        .as_str()?
        .to_owned();
    let digits = asked.split("Sentence number ").nth(1)?;
    let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
    let number = digits.parse().ok()?;
    let before = {
        let mut seen = seen.lock().unwrap();
        let before = seen.iter().filter(|s| s.number == number).count();
        seen.push(Seen {
            number,
            body,
            path,
            authorization,
            at: Instant::now(),
        });
        before
    };
    let whole = |content: &str| {
        json!({
            "id": "1", "object": "chat.completion",
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": content}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140}
        })
        .to_string()
    };
    let head = |status: &str, length: usize, more: &str| {
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n")
    };
    let bytes = match behaviour(number, before) {
        Reply::Says(content) => {
            let body = whole(&content);
            head("200 OK", body.len(), "Content-Type: application/json\r\n") + &body
        }
        Reply::Half(content) => {
            let body = whole(&content);
            let half = (0..=body.len() / 2)
                .rev()
                .find(|at| body.is_char_boundary(*at))?;
            head("200 OK", body.len(), "") + &body[..half]
        }
        Reply::Streams(content) => {
            let mut body = String::new();
            for part in content.split_inclusive(' ') {
                let event = json!({"choices": [{"index": 0, "delta": {"content": part}}]});
                body += &format!("data: {event}\n\n");
            }
            let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
            body += &format!("data: {end}\n\ndata: [DONE]\n\n");
            head("200 OK", body.len(), "Content-Type: text/event-stream\r\n") + &body
        }
        Reply::Status(status, more, body) => head(status, body.len(), &more) + &body,
        Reply::Silent(time) => {
            std::thread::sleep(time);
            return None;
        }
    };
    stream.write_all(bytes.as_bytes()).ok()
}
