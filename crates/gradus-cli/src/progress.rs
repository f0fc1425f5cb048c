//! Telling people on standard error how work gets on: bars on a terminal, now
//! and then a line elsewhere, nothing under `--quiet`.

use gradus::hub::Progress;
use gradus::util::words::duration;
use indicatif::{
    DecimalBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use std::cell::Cell;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a line is written where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressMode {
    /// Not at all.
    Silent,
    /// By bars.
    Bars,
    /// By lines, rarely.
    Lines,
}

impl ProgressMode {
    /// What suits standard error.
    pub fn choose(quiet: bool) -> Self {
        if quiet {
            Self::Silent
        } else if io::stderr().is_terminal() {
            Self::Bars
        } else {
            Self::Lines
        }
    }

    /// The mode of a command whose results run over standard output while it
    /// works: on a terminal they would tear a bar apart.
    pub fn beside_results(self) -> Self {
        match self {
            Self::Bars if io::stdout().is_terminal() => Self::Silent,
            other => other,
        }
    }

    /// Writes a line for people, unless silent.
    pub fn note(self, message: &str) {
        if self != Self::Silent {
            // Without a reader there is nobody to miss it.
            let _ = writeln!(io::stderr(), "{message}");
        }
    }
}

/// Lets something be done at most every 30 seconds.
struct Throttle(Cell<Instant>);

impl Throttle {
    fn new() -> Self {
        Self(Cell::new(Instant::now()))
    }

    fn is_due(&self) -> bool {
        let due = self.0.get().elapsed() >= BETWEEN_LINES;
        if due {
            self.0.set(Instant::now());
        }
        due
    }
}

fn bar(total: Option<u64>, template: &str) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let style = match total {
        Some(_) => ProgressStyle::default_bar(),
        None => ProgressStyle::default_spinner(),
    };
    let style = style.clone().template(template).unwrap_or(style);
    bar.set_style(
        style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = out.write_str(&rate(state.per_sec()));
        }),
    );
    bar
}

/// So many a second, with as many digits as are of interest.
fn rate(per_second: f64) -> String {
    let digits = if per_second < 10.0 { 1 } else { 0 };
    format!("{per_second:.digits$}/s")
}

/// The progress of work that can be counted: texts, pairs, steps.
pub struct Counter {
    mode: ProgressMode,
    what: String,
    total: Option<u64>,
    done: Cell<u64>,
    begun: Instant,
    throttle: Throttle,
    bar: Option<ProgressBar>,
}

impl Counter {
    /// Begins work described by `what`, such as "encoding texts", with a total
    /// where it is known.
    pub fn new(mode: ProgressMode, what: impl Into<String>, total: Option<u64>) -> Self {
        let what = what.into();
        let bar = (mode == ProgressMode::Bars).then(|| {
            let template = match total {
                Some(_) => "{msg} {wide_bar} {human_pos}/{human_len}, {rate}, {eta} left",
                None => "{spinner} {msg}: {human_pos}, {rate}",
            };
            bar(total, template).with_message(what.clone())
        });
        Self {
            mode,
            what,
            total,
            done: Cell::new(0),
            begun: Instant::now(),
            throttle: Throttle::new(),
            bar,
        }
    }

    /// So many more are done.
    pub fn add(&self, count: u64) {
        self.done.set(self.done.get() + count);
        if let Some(bar) = &self.bar {
            bar.inc(count);
        }
        if self.mode == ProgressMode::Lines && self.throttle.is_due() {
            self.line();
        }
    }

    /// So many are done in all.
    pub fn reach(&self, done: u64) {
        self.add(done.saturating_sub(self.done.get()));
    }

    /// Takes the bar off the terminal for a while.
    pub fn hide(&self) {
        if let Some(bar) = &self.bar {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Puts it back.
    pub fn show(&self) {
        if let Some(bar) = &self.bar {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.reset_eta();
        }
    }

    /// So many were done before this process began.
    pub fn skip(&self, count: u64) {
        self.done.set(self.done.get() + count);
        if let Some(bar) = &self.bar {
            bar.set_position(self.done.get());
            bar.reset_eta();
        }
    }

    /// Changes the description on a bar.
    pub fn relabel(&self, what: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(what);
        }
    }

    /// Writes a line above the bar.
    pub fn aside(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.mode.note(message)),
            None => self.mode.note(message),
        }
    }

    fn line(&self) {
        let done = HumanCount(self.done.get());
        let rate = rate(self.done.get() as f64 / self.begun.elapsed().as_secs_f64());
        let of = self
            .total
            .map_or(String::new(), |total| format!(" of {}", HumanCount(total)));
        let left = self.total.map_or(String::new(), |total| {
            let left = total.saturating_sub(self.done.get()) as f64;
            let seconds = left * self.begun.elapsed().as_secs_f64() / self.done.get() as f64;
            format!(", about {} left", duration(seconds))
        });
        self.mode
            .note(&format!("{}: {done}{of}, {rate}{left}", self.what));
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The progress of fetching.
pub struct Fetching {
    mode: ProgressMode,
    bar: Option<ProgressBar>,
    name: String,
    have: u64,
    total: Option<u64>,
    throttle: Throttle,
}

impl Fetching {
    /// Nothing is fetched yet.
    pub fn new(mode: ProgressMode) -> Self {
        Self {
            mode,
            bar: None,
            name: String::new(),
            have: 0,
            total: None,
            throttle: Throttle::new(),
        }
    }
}

impl Progress for Fetching {
    fn start(&mut self, name: &str, total: Option<u64>, already: u64) {
        let anew = self.name == name;
        (self.name, self.have, self.total) = (name.to_owned(), already, total);
        self.throttle = Throttle::new();
        match self.mode {
            ProgressMode::Bars => {
                let template = match total {
                    Some(_) => "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes}, {eta} left",
                    None => "{spinner} {msg}: {decimal_bytes}",
                };
                let bar = bar(total, template).with_message(name.to_owned());
                bar.set_position(already);
                bar.reset_eta();
                self.bar = Some(bar);
            }
            // A transfer taken up anew is no news.
            ProgressMode::Lines if !anew => {
                let size = total.map_or(String::new(), |n| format!(" ({})", DecimalBytes(n)));
                self.mode.note(&format!("fetching {name}{size}"));
            }
            _ => {}
        }
    }

    fn advance(&mut self, bytes: u64) {
        self.have += bytes;
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
        if self.mode == ProgressMode::Lines && self.throttle.is_due() {
            let of = self
                .total
                .map_or(String::new(), |n| format!(" of {}", DecimalBytes(n)));
            let have = DecimalBytes(self.have);
            self.mode.note(&format!("{}: {have}{of}", self.name));
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn note(&mut self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.mode.note(message)),
            None => self.mode.note(message),
        }
    }
}
