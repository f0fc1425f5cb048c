//! Rounds in which all that is compared has its turn, so that a slow moment of
//! the machine meets all alike.

use crate::options::Effort;
use std::time::{Duration, Instant};

/// More calls than this are not made in a turn.
const MOST: f64 = 10_000.0;

/// The median of the seconds that a call of each takes.
pub fn medians(effort: &Effort, mut runs: Vec<Box<dyn FnMut() + '_>>) -> Vec<f64> {
    let began = Instant::now();
    // The first call touches fresh memory and lays out weights.
    let calls: Vec<_> = runs
        .iter_mut()
        .map(|run| {
            if effort.rounds > 1 {
                run();
            }
            let once = time(run, 1).max(1e-9);
            (effort.turn.as_secs_f64() / once).ceil().clamp(1.0, MOST) as usize
        })
        .collect();
    let mut rounds: Vec<Vec<f64>> = vec![vec![]; runs.len()];
    for round in 0..effort.rounds {
        if round >= 3 && began.elapsed() > effort.patience {
            break;
        }
        for ((run, &calls), times) in runs.iter_mut().zip(&calls).zip(&mut rounds) {
            times.push(time(run, calls) / calls as f64);
        }
    }
    rounds.into_iter().map(median).collect()
}

fn time(run: &mut dyn FnMut(), calls: usize) -> f64 {
    let began = Instant::now();
    (0..calls).for_each(|_| run());
    began.elapsed().max(Duration::from_nanos(1)).as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let n = times.len();
    (times[(n - 1) / 2] + times[n / 2]) / 2.0
}
