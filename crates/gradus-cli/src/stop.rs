//! What happens when somebody wants the program to stop: Ctrl-C, SIGTERM, and
//! SIGHUP where the terminal goes away.
//!
//! Between the steps of a training the first signal is a wish: the step under
//! way is ended and a checkpoint written; so it is where answers are awaited that
//! were paid for. At any other time, and at the second signal, the program ends at
//! once. Nothing unfinished is left behind, and the
//! last line says how to go on.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

/// The first signal that came; 0 for none.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// What is said of the end at the first signal, where it waits for something.
static WAITS: Mutex<Option<&str>> = Mutex::new(None);

/// While steps are taken the end waits for a checkpoint.
const STEPS: &str = "stopping after this step, with a checkpoint; once more stops at once";

/// While an endpoint is asked it waits for what was asked for.
const ANSWERS: &str = "stopping when the answers under way are here; once more stops at once";

/// A server answers what it has begun to.
const DRAINS: &str = "stopping when requests under way are answered; once more stops at once";

/// The line that goes on with the work, once there is something to go on with.
static GOES_ON: Mutex<Option<String>> = Mutex::new(None);

/// Listens from now on.
pub fn listen() {
    let wanted = [SIGINT, SIGTERM, SIGHUP];
    // Whoever started the program so that it does not hear of one (`nohup`) meant it.
    let heard = wanted.into_iter().filter(|signal| !is_ignored(*signal));
    let Ok(mut signals) = Signals::new(heard.collect::<Vec<_>>()) else {
        return;
    };
    let listen = move || {
        for signal in signals.forever() {
            let first = SIGNAL
                .compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok();
            let waits = *WAITS.lock().unwrap_or_else(|e| e.into_inner());
            if let Some(note) = waits.filter(|_| first) {
                let _ = writeln!(io::stderr(), "\n{note}");
                continue;
            }
            end();
        }
    };
    let thread = std::thread::Builder::new().name("gradus-signals".into());
    // Without it signals do what they always do.
    let _ = thread.spawn(listen);
}

/// Whether a signal was ignored when the program began.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0) >> (signal - 1) & 1 == 1
}

/// Whether somebody wants the program to stop.
pub fn is_wanted() -> bool {
    SIGNAL.load(Ordering::SeqCst) != 0
}

/// From now on steps are taken, each of which may be the last.
pub fn takes_steps() {
    waits(Some(STEPS));
}

/// From now on an endpoint is asked.
pub fn awaits_answers() {
    waits(Some(ANSWERS));
}

/// From now on requests are answered.
pub fn drains() {
    waits(Some(DRAINS));
}

fn waits(note: Option<&'static str>) {
    *WAITS.lock().unwrap_or_else(|e| e.into_inner()) = note;
}

/// From now on there is nothing to wait for. Ends the program if that was wanted
/// meanwhile.
pub fn takes_no_steps() {
    waits(None);
    if is_wanted() {
        end();
    }
}

/// Work has begun in `folder` with which a command can go on.
pub fn goes_on_with(command: &str, folder: &Path) {
    let folder = gradus::output::quoted(folder);
    goes_on_by(format!("gradus {command} --resume {folder}"));
}

/// The command as it was typed goes on with what it has begun.
pub fn goes_on_as_typed() {
    let typed = std::env::args_os().skip(1);
    let word = |word: std::ffi::OsString| gradus::output::quoted_word(&word.to_string_lossy());
    let typed: Vec<String> = typed.map(word).collect();
    goes_on_by(format!("gradus {}", typed.join(" ")));
}

fn goes_on_by(line: String) {
    *GOES_ON.lock().unwrap_or_else(|e| e.into_inner()) = Some(line);
}

/// Ends the program without waiting for anything.
fn end() -> ! {
    let message = farewell("");
    let _ = writeln!(io::stderr(), "\n{message}");
    // Last, as another thread may be about to create what it said it would.
    gradus::output::remove_unfinished();
    std::process::exit(code().into());
}

/// 128 and the signal's number, as shells have it.
pub fn code() -> u8 {
    let signal = SIGNAL.load(Ordering::SeqCst);
    u8::try_from(128 + signal).unwrap_or(1)
}

/// What to say at the end; `when` follows the word "stopped".
pub fn farewell(when: &str) -> String {
    let name = match SIGNAL.load(Ordering::SeqCst) {
        SIGINT => " by Ctrl-C",
        SIGTERM => " by SIGTERM",
        SIGHUP => " by SIGHUP",
        _ => "",
    };
    let when = match when {
        "" => String::new(),
        when => format!(" {when}"),
    };
    let goes_on = GOES_ON.lock().unwrap_or_else(|e| e.into_inner());
    match &*goes_on {
        Some(line) => format!("stopped{name}{when}; this goes on:\n  {line}"),
        None => format!("stopped{name}{when}"),
    }
}
