//! Threads that ask, and what they bring.

use super::budget::{Budget, Spent};
use super::journal::{Journal, is_settled};
use super::{Answer, ModelSettings, Request};
use crate::chat::{Asked, Chat, ChatError, Usage};
use crate::util::Observer;
use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

const WHAT: &str = "asking for negatives";

/// After so many sentences in a row without an answer the endpoint is taken to be down.
const MOST_UNANSWERED: u32 = 3;

/// How often the observer is asked whether to go on.
const LOOK: Duration = Duration::from_millis(100);

/// Why asking ended before all was answered.
#[derive(Debug)]
pub(super) enum Early {
    /// The observer wished so.
    Cancelled,
    /// A limit was reached.
    Limit,
    /// Something is wrong.
    Error(Error),
}

/// What a thread tells.
enum News {
    Answered {
        key: String,
        text: String,
        cut: bool,
        spent: Spent,
    },
    /// A sentence is done with.
    Done,
    /// Asking is to end.
    Ended(Early),
}

struct Asking<'a> {
    pending: Vec<(u64, &'a Request<'a>)>,
    settings: &'a ModelSettings,
    negatives: usize,
    chat: &'a Chat,
    journal: &'a Journal,
    budget: Budget,
    next: AtomicUsize,
    stop: AtomicBool,
    unanswered: AtomicU32,
}

/// Asks for all that the journal does not know, and takes the answers into it.
///
/// # Errors
/// Where the system gives no threads; all else is in the result.
pub(super) fn ask(
    requests: &[Request],
    (settings, negatives): (&ModelSettings, usize),
    chat: &Chat,
    journal: &mut Journal,
    observer: &mut dyn Observer,
) -> Result<Option<Early>> {
    let settled = |request: &Request| journal.get(&request.key).is_some_and(|k| k.is_settled());
    let pending = (0..).zip(requests).filter(|(_, request)| !settled(request));
    let asking = Asking {
        pending: pending.collect(),
        settings,
        negatives,
        chat,
        journal,
        budget: Budget::new(settings.limits, journal.spent()),
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        unanswered: AtomicU32::new(0),
    };
    if asking.pending.is_empty() {
        return Ok(None);
    }
    let total = requests.len() as u64;
    let mut done = total - asking.pending.len() as u64;
    let (mut answers, mut early) = (Vec::new(), None);
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..settings.concurrency.min(asking.pending.len()) {
            let (asking, sender) = (&asking, sender.clone());
            let thread = std::thread::Builder::new().name("gradus-asking".into());
            let begun = thread.spawn_scoped(scope, move || asking.work(&sender));
            if let Err(e) = begun {
                asking.stop.store(true, Ordering::Relaxed);
                return Err(Error::Internal(format!("no thread: {e}")));
            }
        }
        drop(sender);
        observer.progress(WHAT, done, total);
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(News::Answered {
                    key,
                    text,
                    cut,
                    spent,
                }) => answers.push((key, text, cut, spent)),
                Ok(News::Done) => {
                    done += 1;
                    observer.progress(WHAT, done, total);
                }
                Ok(News::Ended(why)) => {
                    early.get_or_insert(why);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if observer.cancelled() && !asking.stop.swap(true, Ordering::Relaxed) {
                early.get_or_insert(Early::Cancelled);
            }
        }
    })?;
    drop(asking);
    for (key, text, cut, spent) in answers {
        journal.learn(key, text, cut, spent);
    }
    Ok(early)
}

impl Asking<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Takes one sentence after another until there are no more.
    fn work(&self, tell: &Sender<News>) {
        while !self.is_stopped() {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((number, request)) = self.pending.get(at) else {
                return;
            };
            match self.sentence(*number, request, tell) {
                // Nobody listens any more where the receiver is gone.
                Ok(()) => drop(tell.send(News::Done)),
                Err(None) => return,
                Err(Some(why)) => {
                    self.stop.store(true, Ordering::Relaxed);
                    let _ = tell.send(News::Ended(why));
                    return;
                }
            }
        }
    }

    /// Asks for a sentence until the answer can be read. The error is why all is to
    /// end; `None` where that is known.
    fn sentence(
        &self,
        number: u64,
        request: &Request,
        tell: &Sender<News>,
    ) -> Result<(), Option<Early>> {
        let mut tries = self.journal.tries(&request.key);
        let body = request.body(self.settings, self.negatives);
        loop {
            let (input, output) = request.tokens(self.settings, self.negatives);
            let expected = Usage {
                input,
                output: self.settings.max_tokens.unwrap_or(output),
            };
            let reserved = self.budget.reserve(expected).ok_or(Some(Early::Limit))?;
            let reply = match self.chat.ask(&body, number, &self.stop) {
                Asked::Answered(reply) => reply,
                Asked::Stopped => {
                    self.budget.settle(reserved, None);
                    return Err(None);
                }
                Asked::Failed(error) => {
                    self.budget.settle(reserved, None);
                    let passing = matches!(error, ChatError::NoAnswer { .. });
                    let before = self.unanswered.fetch_add(1, Ordering::Relaxed);
                    return match passing && before + 1 < MOST_UNANSWERED {
                        true => Ok(()),
                        false => Err(Some(Early::Error(error.into()))),
                    };
                }
            };
            self.unanswered.store(0, Ordering::Relaxed);
            // Where the endpoint does not count, about four characters are a token.
            let counted = reply.usage.unwrap_or(Usage {
                input,
                output: (reply.text.chars().count() as u64).div_ceil(4),
            });
            let spent = self.budget.settle(reserved, Some(counted));
            let added = self
                .journal
                .add(&request.key, &reply.text, reply.cut, spent);
            added.map_err(|e| Some(Early::Error(e)))?;
            tries += 1;
            let settled = is_settled(&Answer::parse(&reply.text), tries);
            let _ = tell.send(News::Answered {
                key: request.key.clone(),
                text: reply.text,
                cut: reply.cut,
                spent,
            });
            if settled {
                return Ok(());
            }
            if self.is_stopped() {
                return Err(None);
            }
        }
    }
}
