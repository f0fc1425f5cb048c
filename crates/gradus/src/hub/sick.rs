//! SICK's released splits, put back by content.
//!
//! The hub has all of SICK as one test set, without the pairs' numbers. The
//! list beside this file, made by `tests/reference/sick_splits.py`, says by
//! hashes which pairs the released files hold, in their order. Some pairs are
//! in several splits, most of them with another grade in each; so the grade is
//! looked at first.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Eight bytes a pair: five of the pair's hash, three of that with the grade.
const LIST: &[u8] = include_bytes!("sick_splits.bin");
const ENTRY: usize = 8;
const PAIR: usize = 5;

/// Train, trial and test, as released.
pub(super) const SIZES: [usize; 3] = [4500, 500, 4927];

/// A graded pair.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scored {
    pub(super) first: String,
    pub(super) second: String,
    pub(super) score: f64,
}

/// The released splits, as far as the pairs found make them up.
#[derive(Debug, Default)]
pub(super) struct Splits {
    /// Train, trial and test, each in its released order.
    pub(super) splits: [Vec<Scored>; 3],
    /// Pairs that SICK does not have, or not as often.
    pub(super) unknown: usize,
    /// Pairs whose grade is another than the released one.
    pub(super) regraded: usize,
}

/// Sorts `rows` into the released splits. A pair may stand in the other order,
/// differ in case, blanks and punctuation, and have its grade rounded.
pub(super) fn split(rows: Vec<Scored>) -> Splits {
    let mut places = Places::new();
    let mut found: Vec<Option<Scored>> = vec![None; LIST.len() / ENTRY];
    let mut rest = rows;
    let mut regraded = 0;
    // The strictest first, so that none takes the place of a better one.
    for (swapped, graded) in [(false, true), (true, true), (false, false), (true, false)] {
        let mut left = Vec::new();
        for mut row in rest {
            let (first, second) = match swapped {
                true => (&row.second, &row.first),
                false => (&row.first, &row.second),
            };
            let entry = entry(first, second, row.score);
            let Some(place) = places.take(&entry, graded, &found) else {
                left.push(row);
                continue;
            };
            if swapped {
                std::mem::swap(&mut row.first, &mut row.second);
            }
            regraded += usize::from(!graded);
            found[place] = Some(row);
        }
        rest = left;
    }
    let mut splits = Splits {
        unknown: rest.len(),
        regraded,
        ..Splits::default()
    };
    let mut found = found.into_iter();
    for (split, size) in splits.splits.iter_mut().zip(SIZES) {
        split.extend(found.by_ref().take(size).flatten());
    }
    splits
}

/// Where in the list a pair stands; several places where it does so often.
struct Places {
    graded: HashMap<&'static [u8], Vec<usize>>,
    pairs: HashMap<&'static [u8], Vec<usize>>,
}

impl Places {
    fn new() -> Self {
        let mut places = Places {
            graded: HashMap::new(),
            pairs: HashMap::new(),
        };
        // Backwards, as places are taken from the end.
        for (i, entry) in LIST.chunks_exact(ENTRY).enumerate().rev() {
            places.graded.entry(entry).or_default().push(i);
            places.pairs.entry(&entry[..PAIR]).or_default().push(i);
        }
        places
    }

    /// The next place of `entry` that is not taken.
    fn take(&mut self, entry: &[u8], graded: bool, taken: &[Option<Scored>]) -> Option<usize> {
        let places = match graded {
            true => self.graded.get_mut(entry)?,
            false => self.pairs.get_mut(&entry[..PAIR])?,
        };
        std::iter::from_fn(|| places.pop()).find(|place| taken[*place].is_none())
    }
}

fn entry(first: &str, second: &str, score: f64) -> [u8; ENTRY] {
    let key = format!("{}\t{}", letters(first), letters(second));
    let graded = format!("{key}\t{}", (score * 1000.0).round() as i64);
    let (pair, graded) = (Sha256::digest(key), Sha256::digest(graded));
    let mut entry = [0; ENTRY];
    entry[..PAIR].copy_from_slice(&pair[..PAIR]);
    entry[PAIR..].copy_from_slice(&graded[..ENTRY - PAIR]);
    entry
}

/// What is left of a sentence in every edition.
fn letters(text: &str) -> String {
    let text = text.to_lowercase();
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_an_entry_for_every_pair() {
        assert_eq!(LIST.len(), SIZES.iter().sum::<usize>() * ENTRY);
    }

    #[test]
    fn a_pair_of_each_kind() {
        let scored = |first: &str, second: &str, score| Scored {
            first: first.into(),
            second: second.into(),
            score,
        };
        // The first pair of the training set, in the other order and otherwise
        // written; one whose two grades are in two splits; one of neither.
        let rows = vec![
            scored(
                "a group of boys in a yard is playing, and a man is standing in the background.",
                "A group of kids is playing in a yard and an old man is  standing in the background",
                4.5,
            ),
            scored(
                "A dog is riding a skateboard in a park",
                "A dog is riding a skateboard",
                4.0,
            ),
            scored(
                "A dog is riding a skateboard in a park",
                "A dog is riding a skateboard",
                4.3,
            ),
            scored(
                "Two dogs are fighting",
                "Two dogs are wrestling and hugging",
                1.0,
            ),
            scored(
                "Two dogs are fighting",
                "Two dogs are wrestling and hugging",
                1.0,
            ),
            scored("Nothing of SICK", "Nor this", 3.0),
        ];
        let found = split(rows.clone());
        let [train, trial, test] = &found.splits;
        assert_eq!((train.len(), trial.len(), test.len()), (3, 0, 1));
        assert_eq!(train[0].first, rows[0].second);
        assert_eq!((train[2].score, test[0].score), (4.3, 4.0));
        assert_eq!((found.unknown, found.regraded), (2, 1));
    }
}
