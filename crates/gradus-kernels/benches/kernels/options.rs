//! What was asked for.

use std::time::Duration;

pub const HELP: &str = "\
cargo bench -p gradus-kernels -- [WORD]... [--quick] [--json]

WORD     only what has all these words in kernel, shape, precision and
         threads: linear bf16 threads=1
--quick  fewer and shorter rounds
--json   one JSON document in place of the table";

/// How long to measure.
pub struct Effort {
    /// Rounds in which everything that is compared has a turn.
    pub rounds: usize,
    /// What a turn should last at least.
    pub turn: Duration,
    /// Once a case took this long, three rounds are enough.
    pub patience: Duration,
    /// The machine's peak: time for each rate.
    pub peak_time: Duration,
    /// The machine's peak: memory to pass over.
    pub peak_bytes: usize,
    /// Only the smallest of the shapes.
    pub smallest_only: bool,
}

pub struct Options {
    words: Vec<String>,
    pub json: bool,
    pub effort: Effort,
}

impl Options {
    /// `None` where help was asked for.
    pub fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let arguments: Vec<_> = arguments.collect();
        // Cargo gives `--bench` to what it measures and not to what it tests.
        let bench = arguments.iter().any(|a| a == "--bench");
        let (mut words, mut json, mut quick) = (vec![], false, false);
        for argument in arguments {
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--json" => json = true,
                "--quick" => quick = true,
                "--bench" => {}
                // In a test run these are for the test harness of others.
                option if option.starts_with('-') && bench => {
                    return Err(format!("{option}: no such option\n\n{HELP}"));
                }
                option if option.starts_with('-') => {}
                word => words.push(word.to_lowercase()),
            }
        }
        let millis = Duration::from_millis;
        let effort = match (bench, quick) {
            (true, false) => Effort {
                rounds: 7,
                turn: millis(4),
                patience: millis(1000),
                peak_time: millis(200),
                peak_bytes: 1 << 30,
                smallest_only: false,
            },
            (true, true) => Effort {
                rounds: 5,
                turn: millis(1),
                patience: millis(200),
                peak_time: millis(100),
                peak_bytes: 1 << 29,
                smallest_only: false,
            },
            (false, _) => Effort {
                rounds: 1,
                turn: Duration::ZERO,
                patience: Duration::ZERO,
                peak_time: millis(2),
                peak_bytes: 1 << 20,
                smallest_only: true,
            },
        };
        Ok(Some(Self {
            words,
            json,
            effort,
        }))
    }

    pub fn wants(&self, label: &str) -> bool {
        let label = label.to_lowercase();
        self.words.iter().all(|w| label.contains(w))
    }
}
