//! Runs suites with the options and the output of the usual test harness.

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A test of a backend; it panics where the backend is wrong.
pub struct Check {
    name: String,
    run: Box<dyn FnOnce() + Send>,
}

impl Check {
    /// A test of this name.
    pub fn new(name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Self {
        let (name, run) = (name.into(), Box::new(run));
        Self { name, run }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs it.
    ///
    /// # Panics
    /// Where the backend is wrong.
    pub fn run(self) {
        (self.run)();
    }
}

/// The tests of one backend.
pub struct Suite {
    name: String,
    available: bool,
    checks: Vec<Check>,
}

impl Suite {
    /// The tests of the backend of this name, which are ignored where this
    /// machine does not have it.
    pub fn new(name: impl Into<String>, available: bool, checks: Vec<Check>) -> Self {
        Self {
            name: name.into(),
            available,
            checks,
        }
    }
}

/// Runs suites by the arguments of the command line. The last line says which of
/// the suites, `what` all of them are, ran, and which could not on this machine.
pub fn run(what: &str, suites: Vec<Suite>) -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = vec![];
    let mut counts = vec![];
    for suite in suites {
        let passed = Arc::new(AtomicUsize::new(0));
        for check in suite.checks {
            let passed = Arc::clone(&passed);
            let name = format!("{}::{}", suite.name, check.name);
            let trial = Trial::test(name, move || {
                check.run();
                passed.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            trials.push(trial.with_ignored_flag(!suite.available));
        }
        counts.push((suite.name, suite.available, passed));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        let names = |wanted: &dyn Fn(bool, usize) -> bool| {
            let counts = counts.iter();
            let chosen = counts.filter(|(_, there, n)| wanted(*there, n.load(Ordering::Relaxed)));
            let names: Vec<_> = chosen.map(|(name, ..)| name.as_str()).collect();
            match names.is_empty() {
                true => "none".to_owned(),
                false => names.join(", "),
            }
        };
        println!(
            "{what}: ran {}; not on this machine: {}",
            names(&|_, passed| passed > 0),
            names(&|available, _| !available)
        );
    }
    conclusion.exit_code()
}
