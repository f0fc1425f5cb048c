//! Telling people how a training run gets on.

use crate::progress::{Counter, Manner};
use crate::steps_shown::StepsShown;
use crate::stop;
use gradus::training::{Evaluation, StageStart, Standing, StepReport, TrainingObserver};
use gradus::util::Observer;
use gradus::util::words::{duration, thousands};

/// An observer that shows a bar on a terminal and lines elsewhere.
pub struct ProgressReporter {
    shown: StepsShown,
    /// Something that is under way beside the steps, such as encoding.
    counted: Option<Counter>,
}

impl ProgressReporter {
    /// Reports in this manner.
    pub fn new(manner: Manner) -> Self {
        Self {
            shown: StepsShown::new(manner),
            counted: None,
        }
    }

    /// Writes a line.
    pub fn say(&self, message: &str) {
        match &self.counted {
            Some(counter) => counter.aside(message),
            None => self.shown.say(message),
        }
    }
}

impl Observer for ProgressReporter {
    fn note(&mut self, message: &str) {
        self.say(message);
    }

    fn warn(&mut self, message: &str) {
        self.say(&format!("warning: {message}"));
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        if done == 0 {
            self.shown.pause();
            let texts = thousands(total as usize);
            self.shown.lines(&format!("{what} {texts} texts once"));
            self.counted = Some(self.shown.counter(what, total));
        } else if let Some(counter) = &self.counted {
            counter.reach(done);
        }
        if done == total {
            self.counted = None;
            self.shown.resume();
        }
    }

    fn cancelled(&self) -> bool {
        stop::is_wanted()
    }
}

impl TrainingObserver for ProgressReporter {
    fn stage(&mut self, stage: StageStart<'_>) {
        stop::takes_no_steps();
        self.shown.end();
        let what = format!("stage `{}`", stage.name);
        self.shown.begin(&what, stage.step, stage.steps);
    }

    fn step(&mut self, report: &StepReport) {
        stop::takes_steps();
        let words = match report.details.words.as_str() {
            "" => String::new(),
            words => format!(" ({words})"),
        };
        let told = format!(
            "loss {:.4}{words}, {:.0} {}/s",
            report.loss, report.per_second, report.unit
        );
        let more = || {
            let left = duration(report.seconds_left);
            format!("rate {:.2e}, {left} left", report.learning_rate)
        };
        let steps = (report.step, report.steps);
        self.shown
            .step(steps, told, more, report.step == report.steps);
    }

    fn evaluated(&mut self, evaluation: &Evaluation, standing: Standing) {
        self.say(&format!(
            "stage `{}`, step {}: {}{}",
            evaluation.stage,
            evaluation.step,
            evaluation.details.words,
            match standing {
                Standing::Best => " (best)",
                Standing::BelowStart => " (below step 0)",
                Standing::Other => "",
            }
        ));
    }

    fn end(&mut self) {
        self.shown.end();
        stop::takes_no_steps();
    }
}
