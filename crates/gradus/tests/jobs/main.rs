//! Jobs as a program that uses the library calls them.

#[path = "../common/mod.rs"]
mod common;
mod cross_encoder;
mod cross_encoders;
mod labelling;
mod mining;
mod scoring;
mod self_distill;
mod training;

use common::fixture;
use gradus::Precision;
use gradus::data::{Column, Source};
use gradus::jobs::Environment;
use gradus::training::{StepReport, TrainingObserver};
use gradus::util::Observer;

/// Keeps what it hears; stops work once so much of it is done.
#[derive(Default)]
struct Heard {
    notes: Vec<String>,
    progress: Vec<(String, u64, u64)>,
    steps: u64,
    resumable: bool,
    /// Wishes for an end once something counted is so far.
    stop_at: Option<u64>,
    /// Wishes for an end once so many steps were taken.
    stop_at_step: Option<u64>,
}

impl Observer for Heard {
    fn note(&mut self, message: &str) {
        self.notes.push(message.to_owned());
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        self.progress.push((what.to_owned(), done, total));
    }

    fn resumable(&mut self, _folder: &std::path::Path) {
        self.resumable = true;
    }

    fn cancelled(&self) -> bool {
        let done = self.progress.last().map_or(0, |(_, done, _)| *done);
        self.stop_at.is_some_and(|stop| done >= stop)
            || self.stop_at_step.is_some_and(|stop| self.steps >= stop)
    }
}

impl TrainingObserver for Heard {
    fn step(&mut self, _report: &StepReport) {
        self.steps += 1;
    }
}

fn environment() -> Environment {
    let mut environment = Environment::default();
    environment.precision = Some(Precision::F32);
    environment.threads = 2;
    environment
}

/// The stored graded pairs: label, first, second.
fn graded() -> Source {
    Source {
        label: Some(Column::Index(0)),
        first: Some(Column::Index(1)),
        second: Some(Column::Index(2)),
        header: Some(false),
        ..Source::file(fixture("training/pairs.tsv"))
    }
}
