//! Inputs that wait, bounded by their tokens.

use super::worker::{Answer, ItemError};
use crate::measures;
use crate::model::Ask;
use gradus::text::Tokens;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// An input of a request.
pub(crate) struct Job {
    /// Its place in the request.
    pub place: usize,
    pub tokens: Tokens,
    pub ask: Ask,
}

impl Job {
    pub fn size(&self) -> usize {
        self.tokens.ids.len()
    }
}

/// A request's inputs that wait.
struct Request {
    jobs: VecDeque<Job>,
    entered: Instant,
    until: Instant,
    reply: UnboundedSender<(usize, Result<Answer, ItemError>)>,
}

/// Some inputs of a request that are to be computed together.
pub(super) struct Share {
    pub jobs: Vec<Job>,
    pub entered: Instant,
    pub reply: UnboundedSender<(usize, Result<Answer, ItemError>)>,
}

#[derive(Default)]
struct Queues {
    /// Of each model.
    models: Vec<VecDeque<Request>>,
    /// All that wait.
    tokens: usize,
    /// The model whose turn it is.
    next: usize,
    /// Whether no more come.
    closed: bool,
}

/// The queue of all models.
pub(crate) struct Engine {
    queues: Mutex<Queues>,
    filled: Condvar,
    most_tokens: usize,
}

/// The queue holds as much as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// What comes back of a request; where it is dropped, inputs that wait are not computed.
pub(crate) struct Ticket {
    receiver: UnboundedReceiver<(usize, Result<Answer, ItemError>)>,
    count: usize,
}

impl Ticket {
    /// All answers, in the order of the inputs.
    ///
    /// # Errors
    /// The first error and the place of its input.
    pub async fn answers(mut self) -> Result<Vec<Answer>, (usize, ItemError)> {
        let mut answers: Vec<Option<Answer>> = vec![];
        answers.resize_with(self.count, || None);
        for _ in 0..self.count {
            match self.receiver.recv().await {
                Some((place, Ok(answer))) => answers[place] = Some(answer),
                Some((place, Err(error))) => return Err((place, error)),
                None => return Err((0, ItemError::Late)),
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

/// The least tokens that a request has in a batch while it waits.
const LEAST_SHARE: usize = 64;

impl Engine {
    /// For so many models, with at most so many tokens waiting.
    pub fn new(models: usize, most_tokens: usize) -> Arc<Self> {
        let mut queues = Queues::default();
        queues.models.resize_with(models, VecDeque::new);
        Arc::new(Self {
            queues: Mutex::new(queues),
            filled: Condvar::new(),
            most_tokens,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request would be turned away now: asked before it is tokenised.
    pub fn is_full(&self) -> bool {
        self.lock().tokens >= self.most_tokens
    }

    /// The tokens that wait.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.lock().tokens
    }

    /// Takes a request, whole: the queue may hold more than its bound by one request.
    ///
    /// # Errors
    /// [`Full`] where the bound was reached before it.
    pub fn submit(&self, model: usize, jobs: Vec<Job>, until: Instant) -> Result<Ticket, Full> {
        let (reply, receiver) = unbounded_channel();
        let count = jobs.len();
        let mut queues = self.lock();
        if queues.tokens >= self.most_tokens || queues.closed {
            return Err(Full);
        }
        queues.tokens += jobs.iter().map(Job::size).sum::<usize>();
        measures::queue(queues.tokens);
        queues.models[model].push_back(Request {
            jobs: jobs.into(),
            entered: Instant::now(),
            until,
            reply,
        });
        drop(queues);
        self.filled.notify_one();
        Ok(Ticket { receiver, count })
    }

    /// No more is taken; what waits is computed.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// The model whose turn it is, and inputs of its requests of at most so many tokens as
    /// `most` says, or a single one; waits for some. `None` when there will be none.
    pub(super) fn take(&self, most: impl Fn(usize) -> usize) -> Option<(usize, Vec<Share>)> {
        let mut queues = self.lock();
        loop {
            let shares = queues.take(&most);
            measures::queue(queues.tokens);
            match shares {
                Some(found) => return Some(found),
                None if queues.closed => return None,
                None => {
                    let waited = self.filled.wait_timeout(queues, Duration::from_secs(60));
                    queues = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }
}

impl Queues {
    fn take(&mut self, most: &impl Fn(usize) -> usize) -> Option<(usize, Vec<Share>)> {
        for turn in 0..self.models.len() {
            let model = (self.next + turn) % self.models.len();
            let shares = self.take_of(model, most(model));
            if !shares.is_empty() {
                self.next = (model + 1) % self.models.len();
                return Some((model, shares));
            }
        }
        None
    }

    fn take_of(&mut self, model: usize, most: usize) -> Vec<Share> {
        let mut shares: Vec<Share> = vec![];
        let mut room = most;
        let mut full = false;
        while !full {
            let Some(mut request) = self.models[model].pop_front() else {
                break;
            };
            if !request.is_wanted() {
                self.tokens -= request.jobs.iter().map(Job::size).sum::<usize>();
                continue;
            }
            // An equal part of what is left for each that waits.
            let part = (room / (self.models[model].len() + 1)).max(LEAST_SHARE);
            let (mut jobs, mut taken) = (vec![], 0);
            while let Some(job) = request.jobs.front() {
                let alone = shares.is_empty() && jobs.is_empty();
                if !alone && job.size() > room {
                    full = true;
                    break;
                }
                if !jobs.is_empty() && taken + job.size() > part {
                    break;
                }
                taken += job.size();
                room = room.saturating_sub(job.size());
                jobs.extend(request.jobs.pop_front());
            }
            self.tokens -= taken;
            if !jobs.is_empty() {
                shares.push(Share {
                    jobs,
                    entered: request.entered,
                    reply: request.reply.clone(),
                });
            }
            match (request.jobs.is_empty(), full) {
                (true, _) => {}
                // It was not its turn yet.
                (false, true) => self.models[model].push_front(request),
                (false, false) => self.models[model].push_back(request),
            }
        }
        shares
    }
}

impl Request {
    /// Whether somebody waits for it still, and it is not too late; says so if not.
    fn is_wanted(&self) -> bool {
        if self.reply.is_closed() {
            measures::failure("dropped");
            return false;
        }
        if Instant::now() > self.until {
            if let Some(job) = self.jobs.front() {
                let _ = self.reply.send((job.place, Err(ItemError::Late)));
            }
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(sizes: &[usize]) -> Vec<Job> {
        let job = |(place, &size): (usize, &usize)| Job {
            place,
            tokens: Tokens {
                ids: vec![1; size],
                ..Tokens::default()
            },
            ask: Ask::Logits,
        };
        sizes.iter().enumerate().map(job).collect()
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn sizes(taken: Option<(usize, Vec<Share>)>) -> Vec<Vec<usize>> {
        let (_, shares) = taken.unwrap();
        let of = |share: &Share| share.jobs.iter().map(Job::size).collect();
        shares.iter().map(of).collect()
    }

    #[test]
    fn requests_have_equal_parts_and_none_is_lost() {
        let engine = Engine::new(1, 10_000);
        let _long = engine.submit(0, jobs(&[100; 9]), later()).ok().unwrap();
        let _short = engine.submit(0, jobs(&[10]), later()).ok().unwrap();
        assert_eq!(engine.waiting(), 910);
        // The short request does not wait for all of the long one.
        let first = sizes(engine.take(|_| 400));
        assert_eq!(first, [vec![100, 100], vec![10], vec![100]]);
        let second = sizes(engine.take(|_| 400));
        assert_eq!(second.concat(), [100; 4]);
        let third = sizes(engine.take(|_| 400));
        assert_eq!(third.concat(), [100; 2]);
        assert_eq!(engine.waiting(), 0);
        engine.close();
        assert!(engine.take(|_| 400).is_none());
    }

    #[test]
    fn an_input_beyond_the_bound_goes_alone() {
        let engine = Engine::new(1, 10_000);
        let _a = engine.submit(0, jobs(&[900, 5]), later()).ok().unwrap();
        assert_eq!(sizes(engine.take(|_| 400)), [[900]]);
        assert_eq!(sizes(engine.take(|_| 400)), [[5]]);
    }

    #[test]
    fn models_take_turns() {
        let engine = Engine::new(2, 10_000);
        let _a = engine.submit(0, jobs(&[9; 4]), later()).ok().unwrap();
        let _b = engine.submit(1, jobs(&[9; 4]), later()).ok().unwrap();
        let turns: Vec<usize> = (0..4).map(|_| engine.take(|_| 18).unwrap().0).collect();
        assert_eq!(turns, [0, 1, 0, 1]);
    }

    #[test]
    fn a_full_queue_turns_requests_away_and_takes_them_whole() {
        let engine = Engine::new(1, 100);
        let _a = engine.submit(0, jobs(&[90; 3]), later()).ok().unwrap();
        assert!(engine.is_full());
        assert!(engine.submit(0, jobs(&[1]), later()).is_err());
        while engine.waiting() > 0 {
            engine.take(|_| 90);
        }
        assert!(engine.submit(0, jobs(&[1]), later()).is_ok());
    }

    #[test]
    fn who_has_gone_or_is_late_is_not_computed() {
        let engine = Engine::new(1, 100);
        drop(engine.submit(0, jobs(&[9; 3]), later()));
        let late = engine.submit(0, jobs(&[9; 3]), Instant::now() - Duration::from_secs(1));
        let _kept = engine.submit(0, jobs(&[7]), later()).ok().unwrap();
        assert_eq!(sizes(engine.take(|_| 90)), [[7]]);
        assert_eq!(engine.waiting(), 0);
        let mut late = late.ok().unwrap();
        let told = late.receiver.try_recv().unwrap();
        assert!(matches!(told, (0, Err(ItemError::Late))));
    }
}
