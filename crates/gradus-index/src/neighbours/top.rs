//! The best rows of each query.

use super::Rows;
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::{ScoreSink, Stretch};
use std::cmp::Ordering;

/// A row and its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The row, counted from 0.
    pub row: usize,
    /// The product of its vector and the query's.
    pub score: f32,
}

impl Hit {
    /// Better ones first: of higher score, of equal scores the lower row.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let scores = other.score.partial_cmp(&self.score);
        scores
            .unwrap_or(Ordering::Equal)
            .then(self.row.cmp(&other.row))
    }
}

/// A row and its score as one number, which is the lower the better: numbers are put in
/// order several times faster than hits are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

impl Key {
    #[inline(always)]
    fn new(row: usize, score: f32) -> Self {
        // Zeros are equal whatever their sign.
        let bits = (score + 0.0).to_bits();
        let rising = match bits >> 31 {
            0 => bits | 1 << 31,
            _ => !bits,
        };
        Self(u64::from(!rising) << 32 | row as u64)
    }

    fn score(self) -> f32 {
        let rising = !((self.0 >> 32) as u32);
        f32::from_bits(match rising >> 31 {
            0 => !rising,
            _ => rising & !(1 << 31),
        })
    }

    fn hit(self) -> Hit {
        Hit {
            row: self.0 as u32 as usize,
            score: self.score(),
        }
    }
}

/// The best rows that some queries have seen, each query's unsorted until there are
/// twice as many as are wanted.
struct Best<'a> {
    most: usize,
    allowed: Option<&'a Rows>,
    /// The row with the first of the panels.
    from: usize,
    hits: Vec<Vec<Key>>,
    /// What a score must be above to count still: rows come in order, so that of equal
    /// scores the first stays.
    floors: Vec<f32>,
}

/// Whether a score is above a floor; without a branch, so that it takes few instructions.
#[inline(always)]
pub(crate) fn any_above(scores: &[f32], floor: f32) -> bool {
    let mut any = false;
    for &score in scores {
        any |= score > floor;
    }
    any
}

impl ScoreSink for Best<'_> {
    #[inline(always)]
    fn take(&mut self, query: usize, first: usize, scores: &[f32]) {
        if any_above(scores, self.floors[query]) {
            self.keep(query, first, scores);
        }
    }

    #[inline(always)]
    fn floor(&self, query: usize) -> f32 {
        self.floors[query]
    }

    fn most(&self) -> Option<usize> {
        Some(self.most)
    }

    fn counts(&self, _: usize, row: usize) -> bool {
        self.allowed.is_none_or(|rows| rows.has(self.from + row))
    }
}

impl Best<'_> {
    #[inline(never)]
    fn keep(&mut self, query: usize, first: usize, scores: &[f32]) {
        let hits = &mut self.hits[query];
        for (row, &score) in (self.from + first..).zip(scores) {
            let counts = score > self.floors[query] && self.allowed.is_none_or(|a| a.has(row));
            if !counts {
                continue;
            }
            hits.push(Key::new(row, score));
            if hits.len() >= 2 * self.most {
                hits.select_nth_unstable(self.most - 1);
                hits.truncate(self.most);
                self.floors[query] = hits[self.most - 1].score();
            }
        }
    }
}

/// The `most` rows of highest score with each of `queries`, `[queries, dim]`, best first,
/// of those that are allowed. Several stretches of rows, one behind the other, are one
/// matrix.
///
/// # Panics
/// Where a stretch has fewer panels than its rows need, or all have more than 4 billion
/// rows.
pub fn nearest(
    cpu: &Cpu,
    (queries, dim): (&[f32], usize),
    stretches: &[Stretch<'_>],
    most: usize,
    allowed: Option<&Rows>,
) -> Vec<Vec<Hit>> {
    let count = queries.len().checked_div(dim).unwrap_or(0);
    let mut best: Vec<Vec<Key>> = vec![vec![]; count];
    if most == 0 {
        return vec![vec![]; count];
    }
    let rows: usize = stretches.iter().map(|stretch| stretch.rows).sum();
    assert!(u32::try_from(rows).is_ok(), "rows that can be numbered");
    let mut from = 0;
    for &stretch in stretches {
        let floors: Vec<f32> = best.iter().map(|hits| floor_of(hits, most)).collect();
        let sink = || Best {
            most,
            allowed,
            from,
            hits: vec![vec![]; count],
            floors: floors.clone(),
        };
        let found = cpu.score_panels((queries, dim), stretch, sink);
        for (query, best) in best.iter_mut().enumerate() {
            best.extend(found.iter().flat_map(|part| &part.hits[query]));
            if best.len() > most {
                best.select_nth_unstable(most - 1);
                best.truncate(most);
            }
            best.sort_unstable();
        }
        from += stretch.rows;
    }
    let hits = |keys: Vec<Key>| keys.into_iter().map(Key::hit).collect();
    best.into_iter().map(hits).collect()
}

fn floor_of(hits: &[Key], most: usize) -> f32 {
    match hits.len() < most {
        true => f32::NEG_INFINITY,
        false => hits[most - 1].score(),
    }
}

/// All rows whose score with a query is at least a threshold.
struct Above<'a> {
    threshold: f32,
    allowed: Option<&'a Rows>,
    from: usize,
    found: Vec<(usize, Hit)>,
}

impl ScoreSink for Above<'_> {
    #[inline(always)]
    fn take(&mut self, query: usize, first: usize, scores: &[f32]) {
        if any_above(scores, self.floor(query)) {
            self.keep(query, first, scores);
        }
    }

    #[inline(always)]
    fn floor(&self, _: usize) -> f32 {
        self.threshold.next_down()
    }
}

impl Above<'_> {
    #[inline(never)]
    fn keep(&mut self, query: usize, first: usize, scores: &[f32]) {
        for (row, &score) in (self.from + first..).zip(scores) {
            if score >= self.threshold && self.allowed.is_none_or(|a| a.has(row)) {
                self.found.push((query, Hit { row, score }));
            }
        }
    }
}

/// All rows whose score with each of `queries` is at least `threshold`, best first; else
/// as [`nearest`].
///
/// # Panics
/// As [`nearest`].
pub fn above(
    cpu: &Cpu,
    (queries, dim): (&[f32], usize),
    stretches: &[Stretch<'_>],
    threshold: f32,
    allowed: Option<&Rows>,
) -> Vec<Vec<Hit>> {
    let count = queries.len().checked_div(dim).unwrap_or(0);
    let mut all: Vec<Vec<Hit>> = vec![vec![]; count];
    let mut from = 0;
    for &stretch in stretches {
        let sink = || Above {
            threshold,
            allowed,
            from,
            found: vec![],
        };
        for part in cpu.score_panels((queries, dim), stretch, sink) {
            for (query, hit) in part.found {
                all[query].push(hit);
            }
        }
        from += stretch.rows;
    }
    for hits in &mut all {
        hits.sort_by(Hit::order);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_kernels::cpu::search::{CoarseRows, pack_rows};
    use proptest::prelude::*;

    /// By the definition.
    fn plain(queries: &[f32], rows: &[f32], dim: usize, allowed: &Rows) -> Vec<Vec<Hit>> {
        let of = |query: &[f32]| {
            let hit = |(row, values): (usize, &[f32])| {
                let pairs = query.iter().zip(values);
                let score = pairs.fold(0f32, |sum, (x, y)| x.mul_add(*y, sum));
                Hit { row, score }
            };
            let hits = rows.chunks_exact(dim).enumerate().map(hit);
            let mut hits: Vec<Hit> = hits.filter(|hit| allowed.has(hit.row)).collect();
            hits.sort_by(Hit::order);
            hits
        };
        queries.chunks_exact(dim).map(of).collect()
    }

    /// Small whole numbers: many equal scores, and every sum exact.
    fn small(len: usize) -> impl Strategy<Value = Vec<f32>> {
        proptest::collection::vec((-2i8..3).prop_map(f32::from), len)
    }

    fn case() -> impl Strategy<Value = (usize, Vec<f32>, Vec<f32>, Vec<usize>, usize)> {
        (1usize..6, 1usize..30, 0usize..300).prop_flat_map(|(dim, queries, rows)| {
            let removed = proptest::collection::vec(0..rows.max(1), 0..20);
            let k = 1usize..12;
            (
                Just(dim),
                small(dim * queries),
                small(dim * rows),
                removed,
                k,
            )
        })
    }

    proptest! {
        #[test]
        fn the_nearest_are_those_of_the_definition((dim, queries, rows, removed, most) in case()) {
            let count = rows.len() / dim;
            let mut allowed = Rows::all(count);
            removed.into_iter().filter(|r| *r < count).for_each(|row| allowed.remove(row));
            let expected = plain(&queries, &rows, dim, &allowed);
            let cut = count / 2;
            let (low, high) = rows.split_at(cut * dim);
            let pack = |rows: &[f32]| (pack_rows(rows, dim), CoarseRows::pack(rows, dim).unwrap());
            let (whole, low, high) = (pack(&rows), pack(low), pack(high));
            fn of(rows: &(Vec<f32>, CoarseRows), dim: usize, count: usize, coarse: bool) -> Stretch<'_> {
                assert!(rows.0.len() >= count * dim);
                Stretch { panels: &rows.0, rows: count, coarse: coarse.then(|| rows.1.view()) }
            }
            for threads in [1, 3] {
                let cpu = Cpu::new(threads);
                for (coarse, parts) in [(false, 1), (true, 1), (false, 2), (true, 2)] {
                    let of = |rows, count| of(rows, dim, count, coarse);
                    let stretches = match parts {
                        1 => vec![of(&whole, count)],
                        _ => vec![of(&low, cut), of(&high, count - cut)],
                    };
                    let found = nearest(&cpu, (&queries, dim), &stretches, most, Some(&allowed));
                    for (found, expected) in found.iter().zip(&expected) {
                        prop_assert_eq!(&found[..], &expected[..most.min(expected.len())]);
                    }
                    let found = above(&cpu, (&queries, dim), &stretches, 2.0, Some(&allowed));
                    for (found, expected) in found.iter().zip(&expected) {
                        let good: Vec<Hit> = expected.iter().copied().filter(|h| h.score >= 2.0).collect();
                        prop_assert_eq!(found, &good);
                    }
                }
            }
        }
    }

    #[test]
    fn keys_are_in_the_order_of_hits() {
        let scores = [
            -2.0,
            -1.0,
            -1e-30,
            -0.0,
            0.0,
            1e-30,
            0.5,
            1.0,
            f32::INFINITY,
        ];
        let mut hits: Vec<Hit> = vec![];
        for (i, score) in scores.into_iter().cycle().take(40).enumerate() {
            hits.push(Hit {
                row: i * 7919 % 40,
                score,
            });
        }
        let mut keys: Vec<Key> = hits
            .iter()
            .map(|hit| Key::new(hit.row, hit.score))
            .collect();
        hits.sort_by(Hit::order);
        keys.sort_unstable();
        let back: Vec<Hit> = keys.into_iter().map(Key::hit).collect();
        assert_eq!(back, hits);
    }

    #[test]
    fn nothing_is_found_where_nothing_is_wanted_or_there() {
        let cpu = Cpu::new(1);
        assert_eq!(nearest(&cpu, (&[1.0], 1), &[], 3, None), [vec![]]);
        let panels = pack_rows(&[1.0], 1);
        let one = Stretch {
            panels: &panels,
            rows: 1,
            coarse: None,
        };
        assert_eq!(nearest(&cpu, (&[1.0], 1), &[one], 0, None), [vec![]]);
        assert!(nearest(&cpu, (&[], 1), &[one], 1, None).is_empty());
    }
}
