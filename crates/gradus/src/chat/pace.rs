//! One pace for all threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a wait looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// When the next request may be sent.
pub(super) struct Pace {
    /// Between two requests.
    interval: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(requests_per_minute: Option<f64>) -> Self {
        let interval = requests_per_minute.map_or(0.0, |rate| 60.0 / rate.max(1e-3));
        Self {
            interval: Duration::from_secs_f64(interval),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits for this request's turn. `false` where `stop` came first.
    pub(super) fn wait(&self, stop: &AtomicBool) -> bool {
        loop {
            let wait = {
                let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                if *next <= now {
                    *next = now + self.interval;
                    return !stop.load(Ordering::Relaxed);
                }
                *next - now
            };
            if !sleep(wait, stop) {
                return false;
            }
        }
    }

    /// No request is sent for so long, as the server wishes.
    pub(super) fn hold(&self, wish: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next).max(Instant::now() + wish);
    }
}

/// Sleeps. `false` where `stop` came first.
pub(super) fn sleep(time: Duration, stop: &AtomicBool) -> bool {
    let end = Instant::now() + time;
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(LOOK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_keep_their_distance() {
        let pace = Pace::new(Some(1200.0));
        let stop = AtomicBool::new(false);
        let begun = Instant::now();
        assert!((0..4).all(|_| pace.wait(&stop)));
        assert!(begun.elapsed() >= Duration::from_millis(150));
        pace.hold(Duration::from_secs(60));
        stop.store(true, Ordering::Relaxed);
        assert!(!pace.wait(&stop));
    }
}
