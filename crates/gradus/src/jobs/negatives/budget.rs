//! What may be spent.

use crate::Result;
use crate::chat::Usage;
use crate::jobs::JobError;
use serde::Serialize;
use std::sync::{Mutex, PoisonError};

/// Prices, and when to stop. Limits count all answers of the journal, also those of
/// earlier runs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// The price of a million tokens of requests.
    pub price_in: Option<f64>,
    /// The price of a million tokens of answers.
    pub price_out: Option<f64>,
    /// The most that all answers may cost.
    pub max_cost: Option<f64>,
    /// The most tokens that all requests and answers may take.
    pub max_tokens_total: Option<u64>,
}

/// Tokens, and what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spent {
    /// Tokens of requests.
    pub tokens_in: u64,
    /// Tokens of answers.
    pub tokens_out: u64,
    /// What they cost, as far as prices were known.
    pub cost: f64,
}

impl Spent {
    pub(super) fn add(&mut self, other: &Self) {
        self.tokens_in += other.tokens_in;
        self.tokens_out += other.tokens_out;
        self.cost += other.cost;
    }

    fn tokens(&self) -> u64 {
        self.tokens_in + self.tokens_out
    }
}

impl Limits {
    /// # Errors
    /// [`JobError::Settings`].
    pub(super) fn validate(&self) -> Result<()> {
        for (name, value) in [
            ("--price-in", self.price_in),
            ("--price-out", self.price_out),
            ("--max-cost", self.max_cost),
        ] {
            if value.is_some_and(|value| !(value >= 0.0 && value.is_finite())) {
                return Err(JobError::Settings(format!("{name} must be 0 or more")).into());
            }
        }
        match self.max_cost.is_some() && (self.price_in.is_none() || self.price_out.is_none()) {
            true => {
                let message = "--max-cost needs --price-in and --price-out, per million tokens";
                Err(JobError::Settings(message.into()).into())
            }
            false => Ok(()),
        }
    }

    /// What so many tokens cost.
    pub fn spent(&self, usage: Usage) -> Spent {
        let (tokens_in, tokens_out) = (usage.input, usage.output);
        let of = |tokens: u64, price: Option<f64>| tokens as f64 * price.unwrap_or(0.0) / 1e6;
        Spent {
            tokens_in,
            tokens_out,
            cost: of(tokens_in, self.price_in) + of(tokens_out, self.price_out),
        }
    }

    /// Whether so much is within the limits.
    fn allows(&self, spent: &Spent) -> bool {
        // Sums of rounded numbers.
        let cost = self
            .max_cost
            .is_none_or(|most| spent.cost <= most * (1.0 + 1e-9));
        cost && self
            .max_tokens_total
            .is_none_or(|most| spent.tokens() <= most)
    }
}

/// What is spent, and what requests under way may still take.
pub(super) struct Budget {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
struct State {
    spent: Spent,
    reserved: Spent,
}

impl Budget {
    /// With what was spent before.
    pub(super) fn new(limits: Limits, spent: Spent) -> Self {
        let reserved = Spent::default();
        Self {
            limits,
            state: Mutex::new(State { spent, reserved }),
        }
    }

    /// Sets aside what a request is expected to take; `None` if that is above a limit.
    pub(super) fn reserve(&self, expected: Usage) -> Option<Spent> {
        let expected = self.limits.spent(expected);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = state.spent;
        all.add(&state.reserved);
        all.add(&expected);
        if !self.limits.allows(&all) {
            return None;
        }
        state.reserved.add(&expected);
        Some(expected)
    }

    /// Puts what a request took in the place of what was set aside for it; returns what
    /// it took.
    pub(super) fn settle(&self, reserved: Spent, usage: Option<Usage>) -> Spent {
        let took = usage
            .map(|usage| self.limits.spent(usage))
            .unwrap_or_default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.reserved.tokens_in -= reserved.tokens_in;
        state.reserved.tokens_out -= reserved.tokens_out;
        state.reserved.cost = (state.reserved.cost - reserved.cost).max(0.0);
        state.spent.add(&took);
        took
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: Usage = Usage {
        input: 100,
        output: 50,
    };

    #[test]
    fn what_is_under_way_counts() {
        let limits = Limits {
            max_tokens_total: Some(450),
            ..Limits::default()
        };
        let budget = Budget::new(limits, limits.spent(USAGE));
        let first = budget.reserve(USAGE).unwrap();
        let second = budget.reserve(USAGE).unwrap();
        assert!(budget.reserve(USAGE).is_none());
        // A request without an answer took nothing that is known.
        budget.settle(first, None);
        budget.settle(second, Some(USAGE));
        assert!(budget.reserve(USAGE).is_some());
        assert!(budget.reserve(USAGE).is_none());
        assert_eq!(budget.state.lock().unwrap().spent.tokens_in, 200);
    }

    #[test]
    fn costs_follow_prices() {
        let limits = Limits {
            price_in: Some(2.0),
            price_out: Some(10.0),
            max_cost: Some(0.0014),
            ..Limits::default()
        };
        limits.validate().unwrap();
        assert!((limits.spent(USAGE).cost - 0.0007).abs() < 1e-12);
        let budget = Budget::new(limits, Spent::default());
        let all: Vec<_> = (0..3).map(|_| budget.reserve(USAGE).is_some()).collect();
        assert_eq!(all, [true, true, false]);
        let half = Limits {
            price_out: None,
            ..limits
        };
        assert!(half.validate().is_err());
    }
}
