//! Commands that are killed: at a given call that changes the disk, so that every speed of
//! machine sees the same moments, the middle of a write among them. Elsewhere than on Linux they
//! come to their end.

use crate::support::environment;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;

/// Whether a library can be slipped into a command by a variable that all of Linux knows.
const KILLABLE: bool = cfg!(target_os = "linux");

/// The library that ends a process; its source says how.
fn killer() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("killer.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/killer.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        let made = Command::new(compiler)
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .args([source, "-ldl"])
            .status();
        assert!(made.unwrap().success());
        library
    })
}

/// Runs the command and kills it at its `call`-th change of the disk; its end where
/// it came to one before.
pub fn kill_at(call: u64, command: &mut Command) -> Option<ExitStatus> {
    if KILLABLE {
        command.env("LD_PRELOAD", killer());
        command.env("GRADUS_KILL_AT", call.to_string());
    }
    let ended = command.status().unwrap();
    (!KILLABLE || ended.code().is_some()).then_some(ended)
}

/// The command with these arguments in `place`.
pub fn command(place: &Path, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gradus"));
    command
        .envs(environment())
        .env_remove("GRADUS_DATA")
        .current_dir(place)
        .args(arguments)
        .arg("--quiet")
        .stdout(Stdio::null());
    command
}

/// Runs the command in `place` and kills it, each time after more changes of the disk than the
/// last, and goes on with the arguments `resume` (once the file `begun` is there) until it ends
/// by itself. `attempt` varies the moments; `set` sets what a command needs.
///
/// # Panics
///
/// If it ends with an error, or was not killed more than once.
pub fn kill_until_done(
    place: &Path,
    arguments: &[String],
    resume: &[String],
    begun: &Path,
    attempt: u64,
    set: impl Fn(&mut Command),
) {
    for kill in 0.. {
        let arguments = if begun.exists() { resume } else { arguments };
        let mut command = command(place, arguments);
        set(&mut command);
        let call = 1 + 2 * attempt + (7 + attempt) * kill;
        if let Some(status) = kill_at(call, &mut command) {
            assert!(
                status.success(),
                "{arguments:?} after {kill} kills: {status}"
            );
            assert!(
                kill > 1 || !KILLABLE,
                "{arguments:?}: it ended after {kill} kills"
            );
            return;
        }
    }
}

/// For a command that works in threads.
pub fn two_threads(command: &mut Command) {
    command.args(["--threads", "2"]);
}
