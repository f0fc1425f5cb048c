//! The observer of trainings: steps, scores and notes on standard error.

use crate::console::Console;
use crate::progress::ProgressMode;
use crate::step_display::StepDisplay;
use crate::stop;
use gradus::training::{Evaluation, StageStart, Standing, StepReport, TrainingObserver};
use gradus::util::words::{duration, thousands};
use gradus::util::{Observer, Transfer};
use std::path::Path;

/// An observer that shows a bar on a terminal and lines elsewhere.
pub struct ProgressReporter {
    /// The command that goes on with what was stopped.
    command: &'static str,
    shown: StepDisplay,
    in_stage: bool,
    /// What is not steps: notes, and other work that is counted.
    console: Console,
}

impl ProgressReporter {
    /// Reports in this mode, for a command.
    pub fn new(mode: ProgressMode, command: &'static str) -> Self {
        Self {
            command,
            shown: StepDisplay::new(mode),
            in_stage: false,
            console: Console::new(mode),
        }
    }
}

impl Observer for ProgressReporter {
    fn note(&mut self, message: &str) {
        match self.console.is_counting() {
            true => self.console.note(message),
            false => self.shown.say(message),
        }
    }

    fn warn(&mut self, message: &str) {
        self.note(&format!("warning: {message}"));
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        // Within a stage texts are encoded before the steps.
        if self.in_stage && done == 0 {
            self.shown.pause();
            let texts = thousands(total as usize);
            self.shown.lines(&format!("{what} {texts} texts once"));
        }
        self.console.progress(what, done, total);
        if self.in_stage && done == total {
            self.console.end_counting();
            self.shown.resume();
        }
    }

    fn transfer(&mut self, transfer: Transfer<'_>) {
        self.console.transfer(transfer);
    }

    fn resumable(&mut self, folder: &Path) {
        stop::goes_on_with(self.command, folder);
    }

    fn cancelled(&self) -> bool {
        stop::is_wanted()
    }
}

impl TrainingObserver for ProgressReporter {
    fn stage(&mut self, stage: StageStart<'_>) {
        stop::takes_no_steps();
        self.shown.end();
        self.in_stage = true;
        let what = format!("stage `{}`", stage.name);
        self.shown.begin(&what, stage.step, stage.steps);
    }

    fn step(&mut self, report: &StepReport) {
        stop::takes_steps();
        let words = match report.details.words.as_str() {
            "" => String::new(),
            words => format!(" ({words})"),
        };
        let speed = format!("{:.0} {}/s", report.per_second, report.unit);
        let numbers = format!("loss {:.4}{words}, {speed}", report.loss);
        let more = || {
            let left = duration(report.seconds_left);
            format!("rate {:.2e}, {left} left", report.learning_rate)
        };
        let (step, steps) = (report.step, report.steps);
        self.shown.step((step, steps), numbers, more, step == steps);
    }

    fn evaluated(&mut self, evaluation: &Evaluation, standing: Standing) {
        let standing = match standing {
            Standing::Best => " (best)",
            Standing::BelowStart => " (below step 0)",
            Standing::Other => "",
        };
        let (stage, step) = (&evaluation.stage, evaluation.step);
        let words = &evaluation.details.words;
        self.note(&format!("stage `{stage}`, step {step}: {words}{standing}"));
    }

    fn end(&mut self) {
        self.shown.end();
        self.in_stage = false;
        stop::takes_no_steps();
    }
}
