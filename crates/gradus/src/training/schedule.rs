use serde::{Deserialize, Serialize};

/// How the learning rate moves after warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Down to zero in a straight line.
    #[default]
    Linear,
    /// Down to zero along half a cosine.
    Cosine,
    /// Stays at the peak.
    Constant,
}

/// The factor on every learning rate, step by step.
///
/// As transformers' `get_*_schedule_with_warmup`: the factor rises from 0 in a
/// straight line, so the first step of a run with warm-up has rate 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    kind: ScheduleKind,
    warmup: u64,
    total: u64,
}

impl Schedule {
    /// A schedule over `total` optimizer steps, of which `warmup` warm up.
    pub fn new(kind: ScheduleKind, warmup: u64, total: u64) -> Self {
        Self {
            kind,
            warmup,
            total,
        }
    }

    /// The factor for step `step`, counted from 0.
    pub fn factor(&self, step: u64) -> f64 {
        if step < self.warmup {
            return step as f64 / self.warmup as f64;
        }
        let rest = (self.total - self.warmup.min(self.total)).max(1);
        let done = ((step - self.warmup) as f64 / rest as f64).min(1.0);
        match self.kind {
            ScheduleKind::Linear => 1.0 - done,
            ScheduleKind::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
            ScheduleKind::Constant => 1.0,
        }
    }

    /// Whether a rate, times its factor, is above 0 in f32 at some step.
    pub fn moves(&self, rate: f64, steps: u64) -> bool {
        // Rates rise and then fall: the highest is at the end of the warm-up, or
        // at the last step of one that fills the run.
        let highest = self.warmup.min(steps.saturating_sub(1));
        (rate * self.factor(highest)) as f32 > 0.0
    }

    /// Steps that warm up.
    pub fn warmup(&self) -> u64 {
        self.warmup
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_rises_and_falls() {
        let schedule = Schedule::new(ScheduleKind::Linear, 2, 6);
        let factors: Vec<f64> = (0..8).map(|s| schedule.factor(s)).collect();
        assert_eq!(factors, [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]);
    }

    #[test]
    fn cosine_and_constant() {
        let cosine = Schedule::new(ScheduleKind::Cosine, 0, 4);
        assert!((cosine.factor(0) - 1.0).abs() < 1e-12 && (cosine.factor(2) - 0.5).abs() < 1e-12);
        assert!(cosine.factor(4).abs() < 1e-12);
        assert_eq!(Schedule::new(ScheduleKind::Constant, 1, 3).factor(2), 1.0);
    }

    #[test]
    fn a_rate_that_is_never_above_zero_is_seen() {
        for kind in [
            ScheduleKind::Linear,
            ScheduleKind::Cosine,
            ScheduleKind::Constant,
        ] {
            for total in 1..6 {
                for warmup in 0..=total {
                    let schedule = Schedule::new(kind, warmup, total);
                    let some = (0..total).any(|step| schedule.factor(step) > 0.0);
                    assert_eq!(
                        schedule.moves(1e-5, total),
                        some,
                        "{kind:?} {warmup} {total}"
                    );
                }
            }
        }
        let plain = Schedule::new(ScheduleKind::Constant, 0, 3);
        assert!(!plain.moves(1e-50, 3) && plain.moves(1e-40, 3));
    }

    #[test]
    fn warmup_may_fill_the_run() {
        let schedule = Schedule::new(ScheduleKind::Linear, 4, 4);
        assert_eq!(schedule.factor(3), 0.75);
        assert!(schedule.factor(4).is_finite());
    }
}
