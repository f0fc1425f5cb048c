//! Duplicates by words: runs of letters that texts share, found by MinHash (Broder, 1997)
//! in bands of a hash table each, and then counted exactly.

use super::Duplicate;
use crate::Result;
use gradus::util::{Observer, check_cancelled};
use std::collections::HashSet;

const WHAT: &str = "comparing words";

/// Values of a signature: with bands of three, two texts that overlap by 0.7 meet with a
/// chance of 0.9998, by 0.5 of 0.94.
const BANDS: usize = 21;
const BAND: usize = 3;
const VALUES: usize = BANDS * BAND;

/// What makes a duplicate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ByWords {
    /// The least overlap with a row that is kept: of the runs that either text has, the
    /// share that both have (Jaccard's index).
    pub threshold: f32,
    /// Letters of a run.
    pub letters: usize,
}

impl Default for ByWords {
    fn default() -> Self {
        Self {
            threshold: 0.8,
            letters: 5,
        }
    }
}

/// A text's runs of letters, as hashes; in small letters, with single spaces. A text
/// that is shorter is one run.
fn runs(text: &str, letters: usize) -> HashSet<u32> {
    let mut plain: Vec<char> = vec![];
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.extend(word.chars().flat_map(char::to_lowercase));
    }
    let letters = letters.clamp(1, plain.len().max(1));
    let hash = |run: &[char]| {
        // FNV-1a, and its bits mixed.
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for letter in run {
            hash = (hash ^ u64::from(*letter as u32)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (hash ^ (hash >> 32)) as u32
    };
    match plain.is_empty() {
        true => HashSet::from([0]),
        false => plain.windows(letters).map(hash).collect(),
    }
}

/// The share of all runs that both have.
fn overlap(a: &HashSet<u32>, b: &HashSet<u32>) -> f32 {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let both = few.iter().filter(|run| many.contains(run)).count();
    both as f32 / (a.len() + b.len() - both).max(1) as f32
}

type Signature = [u32; VALUES];

/// The least of each of many hashes of the runs.
fn signature(runs: &HashSet<u32>, factors: &[[u32; VALUES]; 2]) -> Signature {
    let mut least = [u32::MAX; VALUES];
    for run in runs {
        for i in 0..VALUES {
            let hash = (run ^ factors[0][i]).wrapping_mul(factors[1][i]);
            least[i] = least[i].min(hash ^ (hash >> 15));
        }
    }
    least
}

/// Values that two signatures share.
fn agreeing(a: &Signature, b: &Signature) -> usize {
    a.iter().zip(b).filter(|(a, b)| a == b).count()
}

/// Fewer values than two texts share that overlap by a threshold, but for one time in a
/// million: five standard deviations below the mean.
fn least_agreeing(threshold: f32) -> usize {
    let (share, values) = (f64::from(threshold), VALUES as f64);
    let deviation = (values * share * (1.0 - share)).sqrt();
    (values * share - 5.0 * deviation).max(0.0) as usize
}

fn factors() -> [[u32; VALUES]; 2] {
    let mut random = crate::groups::Random::new(0x006d_696e_6861_7368);
    let mut all = [[0; VALUES]; 2];
    let [flips, odd] = &mut all;
    for (flip, odd) in flips.iter_mut().zip(odd) {
        *flip = random.next() as u32;
        *odd = random.next() as u32 | 1;
    }
    all
}

/// Kept rows by a band of their signatures.
struct Table {
    band: usize,
    /// The place of the last row in each slot, plus one.
    slots: Vec<u32>,
    /// Of each place the one before it in its slot, plus one.
    before: Vec<u32>,
}

impl Table {
    fn new(band: usize, rows: usize) -> Self {
        Self {
            band,
            slots: vec![0; (rows + rows / 2).next_power_of_two().max(2)],
            before: vec![0; rows],
        }
    }

    fn slot(&self, signature: &Signature) -> usize {
        let values = &signature[self.band * BAND..][..BAND];
        let mixed = values.iter().fold(0u64, |hash, value| {
            (hash ^ u64::from(*value))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29)
        });
        (mixed >> 17) as usize & (self.slots.len() - 1)
    }

    fn insert(&mut self, place: usize, signature: &Signature) {
        let slot = self.slot(signature);
        self.before[place] = self.slots[slot];
        self.slots[slot] = place as u32 + 1;
    }

    /// The places of kept rows that have this band in common.
    fn alike(&self, signature: &Signature, all: &[Signature], mut each: impl FnMut(usize)) {
        let mut at = self.slots[self.slot(signature)];
        let own = self.band * BAND..(self.band + 1) * BAND;
        while at > 0 {
            let place = at as usize - 1;
            if all[place][own.clone()] == signature[own.clone()] {
                each(place);
            }
            at = self.before[place];
        }
    }
}

/// Decides on rows in an order of preference: for each of `order` the kept row that it is
/// a duplicate of, if any; the one of most overlap, of equal ones the first in order. Some
/// 500 bytes a row are held, whatever the texts' lengths; `text` is asked for each text
/// once, and for those that may be alike again.
///
/// # Errors
/// Those of `text`; where the observer ends it.
pub fn by_words(
    order: &[usize],
    text: impl Fn(usize) -> Result<String> + Sync,
    settings: ByWords,
    threads: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<Option<Duplicate>>> {
    let signatures = signatures(order, &text, settings.letters, threads, observer)?;
    let mut tables: Vec<Table> = (0..BANDS).map(|b| Table::new(b, order.len())).collect();
    let mut all = Vec::with_capacity(order.len());
    let least = least_agreeing(settings.threshold);
    let mut alike: Vec<usize> = vec![];
    for (place, row) in order.iter().enumerate() {
        if place % 4096 == 0 {
            check_cancelled(observer, WHAT)?;
            observer.progress(WHAT, place as u64, order.len() as u64);
        }
        let own = &signatures[place];
        alike.clear();
        for table in &tables {
            table.alike(own, &signatures, |other| alike.push(other));
        }
        alike.sort_unstable();
        alike.dedup();
        // Of many rows some share a band by chance; their other values tell.
        alike.retain(|other| agreeing(own, &signatures[*other]) >= least);
        let mut best: Option<Duplicate> = None;
        if !alike.is_empty() {
            let runs_here = runs(&text(*row)?, settings.letters);
            for other in &alike {
                let there = runs(&text(order[*other])?, settings.letters);
                let score = overlap(&runs_here, &there);
                let better = best.is_none_or(|best| score > best.score);
                if score >= settings.threshold && better {
                    best = Some(Duplicate {
                        of: order[*other],
                        score,
                    });
                }
            }
        }
        if best.is_none() {
            tables.iter_mut().for_each(|table| table.insert(place, own));
        }
        all.push(best);
    }
    observer.progress(WHAT, order.len() as u64, order.len() as u64);
    Ok(all)
}

/// Texts whose signatures are made between two looks at the observer.
const CHUNK: usize = 1 << 16;

fn signatures(
    order: &[usize],
    text: &(impl Fn(usize) -> Result<String> + Sync),
    letters: usize,
    threads: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<Signature>> {
    const WHAT: &str = "reading words";
    let factors = factors();
    let mut all = Vec::with_capacity(order.len());
    for chunk in order.chunks(CHUNK) {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, all.len() as u64, order.len() as u64);
        let share = chunk.len().div_ceil(threads.max(1)).max(1);
        let of = |rows: &[usize]| -> Result<Vec<Signature>> {
            let of = |row: &usize| Ok(signature(&runs(&text(*row)?, letters), &factors));
            rows.iter().map(of).collect()
        };
        let parts: Vec<Result<Vec<Signature>>> = std::thread::scope(|scope| {
            let threads = chunk
                .chunks(share)
                .map(|rows| scope.spawn(move || of(rows)));
            let threads: Vec<_> = threads.collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(part) => part,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).collect()
        });
        for part in parts {
            all.extend(part?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus::util::Silent;

    fn find(texts: &[String], settings: ByWords, threads: usize) -> Vec<Option<Duplicate>> {
        let order: Vec<usize> = (0..texts.len()).collect();
        let text = |row: usize| Ok(texts[row].clone());
        by_words(&order, text, settings, threads, &mut Silent).unwrap()
    }

    #[test]
    fn overlap_is_of_runs_of_letters() {
        let of = |a: &str, b: &str| overlap(&runs(a, 3), &runs(b, 3));
        assert_eq!(of("abcd", "ABCD"), 1.0);
        assert_eq!(of(" a  b\tcd\n", "a b cd"), 1.0);
        // abc bcd and abc bce.
        assert_eq!(of("abcd", "abce"), 1.0 / 3.0);
        assert_eq!(
            (of("", " "), of("", "abc"), of("ab", "ab")),
            (1.0, 0.0, 1.0)
        );
    }

    #[test]
    fn rows_are_decided_as_by_comparing_all() {
        let words = [
            "red", "house", "stands", "near", "river", "old", "tree", "with", "birds", "two",
        ];
        let mut random = crate::groups::Random::new(3);
        let mut texts: Vec<String> = vec![];
        for i in 0..700usize {
            let text = match i % 4 {
                // A change of one word in an earlier one.
                1 if i > 8 => {
                    let from = &texts[i - 5];
                    let at = random.next() as usize % 9;
                    let changed = from.split(' ').enumerate();
                    let changed = changed.map(|(n, word)| if n == at { "changed" } else { word });
                    changed.collect::<Vec<_>>().join(" ")
                }
                2 if i > 8 => texts[i - 7].to_uppercase(),
                _ => {
                    let word = |_| {
                        format!(
                            "{}{}",
                            words[random.next() as usize % 10],
                            random.next() % 40
                        )
                    };
                    (0..9).map(word).collect::<Vec<_>>().join(" ")
                }
            };
            texts.push(text);
        }
        let settings = ByWords {
            threshold: 0.7,
            letters: 5,
        };
        let found = find(&texts, settings, 1);
        assert_eq!(found, find(&texts, settings, 3));
        let sets: Vec<HashSet<u32>> = texts.iter().map(|text| runs(text, 5)).collect();
        let mut kept: Vec<usize> = vec![];
        for (row, found) in found.iter().enumerate() {
            let mut best: Option<Duplicate> = None;
            for &other in &kept {
                let score = overlap(&sets[row], &sets[other]);
                if score >= 0.7 && best.is_none_or(|best| score > best.score) {
                    best = Some(Duplicate { of: other, score });
                }
            }
            assert_eq!(*found, best, "{row}: {}", texts[row]);
            if best.is_none() {
                kept.push(row);
            }
        }
        let gone = found.iter().flatten().count();
        assert!((200..500).contains(&gone), "{gone}");
    }
}
