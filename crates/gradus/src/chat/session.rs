use super::client::{Answer, Client};
use super::error::remedy;
use super::pace::{Pace, sleep};
use super::reply::{is_out_of_credit, words_of};
use super::retry::{is_passing, pause, wish};
use super::{ChatConfig, ChatError, ChatReply};
use crate::Result;
use gradus_kernels::dropout::mix64;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// A chat endpoint, which threads may ask side by side.
pub struct Chat {
    config: ChatConfig,
    client: Client,
    pace: Pace,
    sent: AtomicU64,
    again: AtomicU64,
}

/// What became of a request.
#[derive(Debug)]
pub enum Asked {
    /// It was answered.
    Answered(ChatReply),
    /// It was not, because an end was wished for.
    Stopped,
    /// It was not, and will not be.
    Failed(ChatError),
}

impl Chat {
    /// Makes the client ready; nothing is sent.
    ///
    /// # Errors
    /// [`ChatError::BadCertificates`], [`ChatError::Disabled`].
    pub fn new(config: ChatConfig) -> Result<Self> {
        Ok(Self {
            client: Client::new(&config)?,
            pace: Pace::new(config.requests_per_minute),
            config,
            sent: AtomicU64::new(0),
            again: AtomicU64::new(0),
        })
    }

    /// How many requests were sent, those sent again included.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many were sent again.
    pub fn sent_again(&self) -> u64 {
        self.again.load(Ordering::Relaxed)
    }

    /// Sends a request until it is answered, refused, or was sent often enough; ends
    /// early when `stop` is set, but for an answer under way. `number` says which
    /// request it is: pauses depend on it.
    pub fn ask(&self, request: &Value, number: u64, stop: &AtomicBool) -> Asked {
        let body = request.to_string();
        let mut attempts = 0;
        loop {
            if !self.pace.wait(stop) {
                return Asked::Stopped;
            }
            attempts += 1;
            self.sent.fetch_add(1, Ordering::Relaxed);
            let (reason, wished) = match self.client.post(&body) {
                Err(reason) => (reason, None),
                Ok(answer) => match self.understood(&answer) {
                    Ok(reply) => return Asked::Answered(reply),
                    Err(Understood::Final(error)) => return Asked::Failed(error),
                    Err(Understood::Passing(reason, wished)) => (reason, wished),
                },
            };
            if let Some(wished) = wished {
                self.pace.hold(wished);
            }
            if attempts > self.config.retries {
                return Asked::Failed(ChatError::NoAnswer {
                    url: self.url(),
                    attempts,
                    reason: self.hidden(&reason),
                });
            }
            let key = mix64(self.config.seed ^ mix64(number));
            // Where the server names a time, jitter comes on top.
            let pause = pause(self.config.pause, attempts, key);
            let pause = match wished {
                Some(_) => pause.min(Duration::from_secs(1)),
                None => pause,
            };
            if !sleep(wished.unwrap_or_default() + pause, stop) {
                return Asked::Stopped;
            }
            self.again.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn url(&self) -> String {
        self.config.address.shown().to_owned()
    }

    /// The server's words without the key, should it repeat it.
    fn hidden(&self, words: &str) -> String {
        match &self.config.key {
            Some(key) => key.hide_in(words),
            None => words.to_owned(),
        }
    }

    fn understood(&self, answer: &Answer) -> Result<ChatReply, Understood> {
        let status = answer.status;
        if (200..300).contains(&status) {
            return ChatReply::parse(&answer.body).map_err(|why| Understood::Passing(why, None));
        }
        let words = words_of(&answer.body);
        if is_passing(status) && !is_out_of_credit(&answer.body) {
            let now = SystemTime::now();
            let wished = answer.retry_after.as_deref().and_then(|h| wish(h, now));
            return Err(Understood::Passing(format!("{status}: {words}"), wished));
        }
        let error = match &answer.location {
            Some(location) if (300..400).contains(&status) => ChatError::Moved {
                url: self.url(),
                location: self.hidden(location),
            },
            _ => ChatError::Refused {
                url: self.url(),
                status,
                message: self.hidden(&words),
                remedy: remedy(status, &self.config.key_variable, self.config.key.is_some()),
            },
        };
        Err(Understood::Final(error))
    }
}

/// An answer that is none.
enum Understood {
    /// Another try may help, after a time that the server may have named.
    Passing(String, Option<Duration>),
    /// It will not.
    Final(ChatError),
}
