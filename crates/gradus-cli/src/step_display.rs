//! The steps of a training as a bar on a terminal, and as lines elsewhere.

use crate::progress::{Counter, ProgressMode};
use std::time::{Duration, Instant};

/// How often a line shows the loss where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(15);

/// Shows how steps go by, and whatever else there is to say.
pub struct StepDisplay {
    mode: ProgressMode,
    bar: Option<Counter>,
    last_line: Instant,
}

impl StepDisplay {
    /// Nothing is under way yet.
    pub fn new(mode: ProgressMode) -> Self {
        Self {
            mode,
            bar: None,
            last_line: Instant::now(),
        }
    }

    /// Writes a line.
    pub fn say(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.aside(message),
            None => self.mode.note(message),
        }
    }

    /// Writes a line where there are no bars.
    pub fn lines(&self, message: &str) {
        if self.mode == ProgressMode::Lines {
            self.mode.note(message);
        }
    }

    /// Hides the bar while another is shown.
    pub fn pause(&self) {
        if let Some(bar) = &self.bar {
            bar.hide();
        }
    }

    /// Shows the bar again.
    pub fn resume(&self) {
        if let Some(bar) = &self.bar {
            bar.show();
        }
    }

    /// Begins `what` at step `done` of `total`.
    pub fn begin(&mut self, what: &str, done: u64, total: u64) {
        if done > 0 {
            self.say(&format!("{what} goes on at step {done}"));
        }
        // Lines are written here, with the loss.
        if self.mode == ProgressMode::Bars {
            let bar = Counter::new(self.mode, what, Some(total));
            bar.skip(done);
            self.bar = Some(bar);
        }
    }

    /// A step and its numbers; a line has `more` besides, and is written now and
    /// then, and where `anyway` says so.
    pub fn step(
        &mut self,
        (step, total): (u64, u64),
        numbers: String,
        more: impl FnOnce() -> String,
        anyway: bool,
    ) {
        if let Some(bar) = &self.bar {
            bar.relabel(numbers);
            bar.add(1);
        } else if anyway || self.last_line.elapsed() >= BETWEEN_LINES {
            self.last_line = Instant::now();
            self.say(&format!("step {step} of {total}: {numbers}, {}", more()));
        }
    }

    /// Takes the bar away.
    pub fn end(&mut self) {
        self.bar = None;
    }
}
