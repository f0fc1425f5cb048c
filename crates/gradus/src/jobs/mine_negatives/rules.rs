use crate::Result;
use crate::jobs::JobError;
use gradus_kernels::dropout::mix64;
use serde::Serialize;

/// Which of a query's candidates become negatives.
///
/// Candidates are the nearest texts by score. Positives go first, then what the
/// margins and bounds refuse; of what is left, ranks `range_min..range_max` count, and
/// of these `num_negatives` are taken.
#[derive(Debug, Clone, PartialEq)]
pub struct MiningRules {
    /// So many of the nearest that are left are passed over.
    pub range_min: usize,
    /// Candidates beyond this rank do not count; by default as many as are needed, or
    /// ten times that where margins or `max_score` may refuse some.
    pub range_max: Option<usize>,
    /// Candidates of a higher score are refused.
    pub max_score: Option<f64>,
    /// Candidates of a lower score are refused.
    pub min_score: Option<f64>,
    /// A candidate must lie at least so much below the hardest positive.
    pub absolute_margin: Option<f64>,
    /// A candidate must lie below the hardest positive by this share of that's size.
    pub relative_margin: Option<f64>,
    /// How many negatives a query gets at most.
    pub num_negatives: usize,
    /// Which of those that are left are taken.
    pub sampling: Sampling,
    /// What random samples are drawn from.
    pub seed: u64,
    /// Whether positives may be among the negatives, for a whole ranking.
    pub include_positives: bool,
}

/// Which candidates are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sampling {
    /// Those of the highest score.
    #[default]
    Top,
    /// A random sample.
    Random,
}

impl Default for MiningRules {
    fn default() -> Self {
        Self {
            range_min: 0,
            range_max: None,
            max_score: None,
            min_score: None,
            absolute_margin: None,
            relative_margin: None,
            num_negatives: 3,
            sampling: Sampling::Top,
            seed: 777,
            include_positives: false,
        }
    }
}

/// How many candidates each rule refused, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Dropped {
    /// Positives of the query.
    pub positives: usize,
    /// By `absolute_margin`.
    pub absolute_margin: usize,
    /// By `relative_margin`.
    pub relative_margin: usize,
    /// By `max_score`.
    pub max_score: usize,
    /// By `min_score`.
    pub min_score: usize,
}

impl MiningRules {
    /// Whether a rule looks at scores, so that another model's would change it.
    pub fn look_at_scores(&self) -> bool {
        self.min_score.is_some() || self.may_refuse_the_nearest()
    }

    fn may_refuse_the_nearest(&self) -> bool {
        let margin = self.absolute_margin.is_some() || self.relative_margin.is_some();
        margin || self.max_score.is_some()
    }

    /// Checks the rules alone.
    ///
    /// # Errors
    /// [`JobError::Settings`].
    pub fn validate(&self) -> Result<()> {
        let bad = |message: String| Err(JobError::Settings(message).into());
        if self.num_negatives == 0 {
            return bad("the number of negatives is 0; take at least 1".into());
        }
        for (name, value) in [
            ("max_score", self.max_score),
            ("min_score", self.min_score),
            ("absolute_margin", self.absolute_margin),
            ("relative_margin", self.relative_margin),
        ] {
            if let Some(value) = value.filter(|value| !value.is_finite()) {
                return bad(format!("{name} is {value}; it must be a finite number"));
            }
        }
        if let Some(range_max) = self.range_max {
            let left = range_max.saturating_sub(self.range_min);
            if left < self.num_negatives {
                let (min, wanted) = (self.range_min, self.num_negatives);
                return bad(format!(
                    "ranks from {min} to {range_max} leave {left} candidates for {wanted} negatives; raise range_max, or lower range_min or the number of negatives"
                ));
            }
        }
        Ok(())
    }

    /// The rank at which candidates end, where a query has at most so many positives
    /// and another model scores again or not.
    pub fn last_rank(&self, most_positives: usize, rescored: bool) -> usize {
        let refused = self.may_refuse_the_nearest() || rescored && self.min_score.is_some();
        let wanted = self
            .num_negatives
            .saturating_mul(if refused { 10 } else { 1 });
        let usual = self.range_min.saturating_add(wanted);
        self.range_max
            .unwrap_or_else(|| usual.saturating_add(most_positives))
    }

    /// The negatives among a query's candidates, which are text and score: at most
    /// those of rank `last`, by falling score. `hardest` is the lowest score of its
    /// positives, `query` its number, which random samples depend on.
    pub fn choose(
        &self,
        mut candidates: Vec<(u32, f64)>,
        positives: &[u32],
        hardest: f64,
        (query, last): (usize, usize),
        dropped: &mut Dropped,
    ) -> Vec<(u32, f64)> {
        let mut refuse = |count: &mut usize, refused: &dyn Fn(u32, f64) -> bool| {
            let before = candidates.len();
            candidates.retain(|&(text, score)| !refused(text, score));
            *count += before - candidates.len();
        };
        if !self.include_positives {
            refuse(&mut dropped.positives, &|text, _| positives.contains(&text));
        }
        if let Some(margin) = self.absolute_margin {
            let count = &mut dropped.absolute_margin;
            refuse(count, &|_, score| score + margin > hardest);
        }
        if let Some(margin) = self.relative_margin {
            let highest = hardest - hardest.abs() * margin;
            refuse(&mut dropped.relative_margin, &|_, score| score > highest);
        }
        if let Some(most) = self.max_score {
            refuse(&mut dropped.max_score, &|_, score| score > most);
        }
        if let Some(least) = self.min_score {
            refuse(&mut dropped.min_score, &|_, score| score < least);
        }
        candidates.sort_by(|a, b| b.1.total_cmp(&a.1));
        candidates.truncate(last);
        candidates.drain(..self.range_min.min(candidates.len()));
        if self.sampling == Sampling::Random {
            self.sample(&mut candidates, query);
        }
        candidates.truncate(self.num_negatives);
        candidates
    }

    /// Keeps a random sample in its order: those of the lowest of numbers drawn for
    /// each place.
    fn sample(&self, candidates: &mut Vec<(u32, f64)>, query: usize) {
        let key = mix64(self.seed ^ mix64(query as u64));
        let chance = |place: usize| mix64(key ^ mix64(place as u64 ^ 0x6e65_6761));
        let mut places: Vec<usize> = (0..candidates.len()).collect();
        places.sort_by_key(|&place| chance(place));
        places.truncate(self.num_negatives);
        places.sort_unstable();
        *candidates = places.into_iter().map(|place| candidates[place]).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<(u32, f64)> {
        (0..10).map(|i| (i, 0.9 - 0.1 * f64::from(i))).collect()
    }

    fn chosen(rules: &MiningRules) -> (Vec<u32>, Dropped) {
        let mut dropped = Dropped::default();
        let last = rules.last_rank(2, false);
        let found = rules.choose(candidates(), &[1, 3], 0.6, (0, last), &mut dropped);
        (found.into_iter().map(|(text, _)| text).collect(), dropped)
    }

    #[test]
    fn each_rule_refuses_what_it_says() {
        let rules = MiningRules::default();
        assert_eq!(chosen(&rules).0, [0, 2, 4]);
        assert_eq!(chosen(&rules).1.positives, 2);
        let with = |change: &dyn Fn(&mut MiningRules)| {
            let mut rules = MiningRules::default();
            change(&mut rules);
            rules.validate().unwrap();
            chosen(&rules)
        };
        assert_eq!(with(&|r| r.range_min = 2).0, [4, 5, 6]);
        let (found, dropped) = with(&|r| r.absolute_margin = Some(0.15));
        assert_eq!((found, dropped.absolute_margin), (vec![5, 6, 7], 3));
        let (found, dropped) = with(&|r| r.relative_margin = Some(0.1));
        assert_eq!((found, dropped.relative_margin), (vec![4, 5, 6], 2));
        let (found, dropped) = with(&|r| r.max_score = Some(0.45));
        assert_eq!((found, dropped.max_score), (vec![5, 6, 7], 3));
        let (found, dropped) = with(&|r| r.min_score = Some(0.65));
        assert_eq!((found, dropped.min_score), (vec![0, 2], 6));
        assert_eq!(with(&|r| r.range_max = Some(3)).0, [0, 2, 4]);
        assert_eq!(with(&|r| r.include_positives = true).0, [0, 1, 2]);
    }

    /// The threshold lies below a positive of a negative score, too.
    #[test]
    fn relative_margins_hold_below_zero() {
        let rules = MiningRules {
            relative_margin: Some(0.5),
            ..MiningRules::default()
        };
        let low: Vec<(u32, f64)> = vec![(0, -0.1), (1, -0.25), (2, -0.31), (3, -0.5)];
        let found = rules.choose(low, &[], -0.2, (0, 30), &mut Dropped::default());
        assert_eq!(found, [(2, -0.31), (3, -0.5)]);
    }

    #[test]
    fn samples_are_random_and_the_same_again() {
        let mut rules = MiningRules {
            sampling: Sampling::Random,
            range_max: Some(8),
            ..MiningRules::default()
        };
        let first = chosen(&rules).0;
        assert_eq!(first, chosen(&rules).0);
        assert!(first.is_sorted() && first.len() == 3);
        assert!(first.iter().all(|text| *text != 1 && *text != 3));
        let mut seen = std::collections::HashSet::new();
        for seed in 0..50 {
            rules.seed = seed;
            seen.extend(chosen(&rules).0);
        }
        assert_eq!(seen.len(), 8);
    }

    #[test]
    fn rules_that_leave_nothing_are_refused() {
        for rules in [
            MiningRules {
                num_negatives: 0,
                ..MiningRules::default()
            },
            MiningRules {
                range_min: 5,
                range_max: Some(7),
                ..MiningRules::default()
            },
            MiningRules {
                max_score: Some(f64::NAN),
                ..MiningRules::default()
            },
        ] {
            assert!(rules.validate().is_err(), "{rules:?}");
        }
    }
}
