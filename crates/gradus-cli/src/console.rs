//! The observer of jobs: their notes and progress on standard error.

use crate::progress::{Counter, Fetching, ProgressMode};
use crate::stop;
use gradus::hub::Progress;
use gradus::util::{Observer, Transfer};

/// Shows how a job gets on.
pub struct Console {
    /// How work is counted, which results on standard output may rule out.
    counting: ProgressMode,
    counter: Option<(String, Counter)>,
    fetching: Fetching,
}

impl Console {
    /// Shows in this mode.
    pub fn new(mode: ProgressMode) -> Self {
        Self {
            counting: mode,
            counter: None,
            fetching: Fetching::new(mode),
        }
    }

    /// The same for a command whose results run over standard output while it
    /// works.
    pub fn beside_results(mode: ProgressMode) -> Self {
        Self {
            counting: mode.beside_results(),
            ..Self::new(mode)
        }
    }
}

impl Console {
    /// Whether something is being counted.
    pub fn is_counting(&self) -> bool {
        self.counter.is_some()
    }

    /// Takes the count away.
    pub fn end_counting(&mut self) {
        self.counter = None;
    }
}

impl Observer for Console {
    fn note(&mut self, message: &str) {
        match &self.counter {
            Some((_, counter)) => counter.aside(message),
            None => self.fetching.note(message),
        }
    }

    fn warn(&mut self, message: &str) {
        self.note(&format!("warning: {message}"));
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        if self.counter.as_ref().is_none_or(|(now, _)| now != what) {
            let known = (total > 0).then_some(total);
            let counter = Counter::new(self.counting, what, known);
            self.counter = Some((what.to_owned(), counter));
        }
        if let Some((_, counter)) = &self.counter {
            counter.reach(done);
        }
        if total > 0 && done >= total {
            self.counter = None;
        }
    }

    fn transfer(&mut self, transfer: Transfer<'_>) {
        match transfer {
            Transfer::Begin {
                name,
                total,
                already,
            } => self.fetching.start(name, total, already),
            Transfer::Bytes(bytes) => self.fetching.advance(bytes),
            Transfer::End => self.fetching.finish(),
        }
    }

    fn cancelled(&self) -> bool {
        stop::is_wanted()
    }
}
