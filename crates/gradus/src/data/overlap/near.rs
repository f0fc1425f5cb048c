//! Texts that share most of their letter trigrams.
//!
//! The likeness of two texts is the Jaccard index of their sets of trigrams,
//! taken over the lower-cased words with a blank at both ends. It is exact:
//! trigrams are compared themselves, not hashes of them.
//!
//! Comparing every text with every other is avoided by prefix filtering
//! (Chaudhuri et al. 2006; Bayardo et al. 2007; Xiao et al. 2008): with all
//! trigrams put in one order, rare ones first, two sets that reach the
//! threshold share one among the first few of each. Only those few are indexed
//! and looked up, and only sets of fitting size are compared.

use std::collections::HashMap;

/// A trigram: three characters of 21 bits.
type Gram = u64;

/// Texts to look up near ones among.
#[derive(Debug, Clone)]
pub struct NearIndex {
    threshold: f64,
    /// Each trigram's place in the order, rare ones first.
    ranks: HashMap<Gram, u32>,
    /// The texts' trigrams as ranks, each text's ascending, one after another.
    sets: Vec<u32>,
    /// Where each text's begin; one more than there are texts.
    starts: Vec<usize>,
    /// For each rank the texts that have it in their prefix, smallest set first.
    postings: Vec<Posting>,
    /// Where each rank's begin; one more than there are ranks.
    lists: Vec<usize>,
    /// The look-up in which a text was last met.
    met: Vec<u64>,
    look_ups: u64,
}

/// A text with a trigram in its prefix.
#[derive(Debug, Clone, Copy)]
struct Posting {
    size: u32,
    text: u32,
    /// The trigram's place in the text's set.
    at: u32,
}

/// Against errors of rounding in products with the threshold.
const EPSILON: f64 = 1e-9;

/// The trigrams of a text, each once.
fn grams(text: &str) -> Vec<Gram> {
    let mut grams = Vec::with_capacity(text.len() + 2);
    let mut window = u64::from(u32::from(' '));
    let mut seen = 1;
    for c in text.chars().chain([' ']) {
        window = ((window << 21) | u64::from(u32::from(c))) & ((1 << 63) - 1);
        seen += 1;
        if seen >= 3 {
            grams.push(window);
        }
    }
    grams.sort_unstable();
    grams.dedup();
    grams
}

/// How many of the first trigrams of a set of `size` must be looked at.
fn prefix(size: usize, threshold: f64) -> usize {
    let least = (threshold * size as f64 - EPSILON).ceil() as usize;
    (size + 1).saturating_sub(least.max(1)).min(size)
}

impl NearIndex {
    /// Indexes texts, which are known by their place from here on.
    /// `threshold` is above 0 and at most 1.
    pub fn new<'a>(threshold: f64, texts: impl Iterator<Item = &'a str>) -> Self {
        let grams: Vec<Vec<Gram>> = texts.map(grams).collect();
        let mut frequency: HashMap<Gram, u32> = HashMap::new();
        for gram in grams.iter().flatten() {
            *frequency.entry(*gram).or_default() += 1;
        }
        let mut order: Vec<(u32, Gram)> = frequency.into_iter().map(|(g, f)| (f, g)).collect();
        order.sort_unstable();
        let ranks: HashMap<Gram, u32> = (0..).zip(&order).map(|(r, (_, g))| (*g, r)).collect();

        let (mut sets, mut starts) = (Vec::new(), vec![0]);
        let mut entries: Vec<(u32, Posting)> = Vec::new();
        for (text, grams) in grams.iter().enumerate() {
            let mut set: Vec<u32> = grams.iter().map(|gram| ranks[gram]).collect();
            set.sort_unstable();
            let firsts = set.iter().take(prefix(set.len(), threshold));
            for (at, &rank) in firsts.enumerate() {
                let (size, text, at) = (set.len() as u32, text as u32, at as u32);
                entries.push((rank, Posting { size, text, at }));
            }
            sets.extend(set);
            starts.push(sets.len());
        }
        entries.sort_unstable_by_key(|(rank, p)| (*rank, p.size, p.text));
        let lists = (0..=ranks.len() as u32)
            .map(|rank| entries.partition_point(|e| e.0 < rank))
            .collect();
        Self {
            threshold,
            ranks,
            met: vec![0; grams.len()],
            sets,
            starts,
            postings: entries.into_iter().map(|(_, posting)| posting).collect(),
            lists,
            look_ups: 0,
        }
    }

    /// The least likeness that counts as near.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The texts that reach the threshold with `text`, by their place, with
    /// their Jaccard index.
    pub fn near(&mut self, text: &str) -> Vec<(u32, f64)> {
        let grams = grams(text);
        let size = grams.len();
        let known = grams
            .iter()
            .filter_map(|gram| self.ranks.get(gram).copied());
        let mut set: Vec<u32> = known.collect();
        set.sort_unstable();
        // Trigrams that no indexed text has are the rarest of all.
        let unknown = size - set.len();
        let looked_at = prefix(size, self.threshold).saturating_sub(unknown);
        let least = (self.threshold * size as f64 - EPSILON).ceil() as u32;
        let most = (size as f64 / self.threshold + EPSILON).floor() as u32;
        self.look_ups += 1;
        let mut found = Vec::new();
        for (place, &rank) in set.iter().enumerate().take(looked_at) {
            let list = &self.postings[self.lists[rank as usize]..self.lists[rank as usize + 1]];
            let fitting = list.partition_point(|posting| posting.size < least);
            for posting in list[fitting..].iter().take_while(|p| p.size <= most) {
                let text = posting.text as usize;
                if std::mem::replace(&mut self.met[text], self.look_ups) == self.look_ups {
                    continue;
                }
                // Nothing before this trigram is shared, or the text would have
                // been met before.
                let needed = self.needed(size, posting.size as usize);
                let left = (set.len() - place).min((posting.size - posting.at) as usize);
                if left < needed {
                    continue;
                }
                let other = &self.sets[self.starts[text]..self.starts[text + 1]];
                let (a, b) = (&set[place..], &other[posting.at as usize..]);
                if let Some(shared) = shared(a, b, needed) {
                    let union = size + other.len() - shared;
                    found.push((posting.text, shared as f64 / union as f64));
                }
            }
        }
        found.sort_unstable_by_key(|(text, _)| *text);
        found
    }

    /// How many trigrams two sets of these sizes share at least where they
    /// reach the threshold.
    fn needed(&self, a: usize, b: usize) -> usize {
        let both = (a + b) as f64;
        (self.threshold / (1.0 + self.threshold) * both - EPSILON).ceil() as usize
    }
}

/// How many values two ascending lists share, if at least `needed`.
fn shared(mut a: &[u32], mut b: &[u32], needed: usize) -> Option<usize> {
    let mut count = 0;
    while let ([x, rest_a @ ..], [y, rest_b @ ..]) = (a, b) {
        if count + a.len().min(b.len()) < needed {
            return None;
        }
        match x.cmp(y) {
            std::cmp::Ordering::Less => a = rest_a,
            std::cmp::Ordering::Greater => b = rest_b,
            std::cmp::Ordering::Equal => {
                count += 1;
                (a, b) = (rest_a, rest_b);
            }
        }
    }
    (count >= needed).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn jaccard(a: &str, b: &str) -> f64 {
        let set = |text: &str| -> HashSet<String> {
            let padded: Vec<char> = format!(" {text} ").chars().collect();
            padded.windows(3).map(|w| w.iter().collect()).collect()
        };
        let (a, b) = (set(a), set(b));
        a.intersection(&b).count() as f64 / a.union(&b).count() as f64
    }

    fn by_hand(texts: &[String], text: &str, threshold: f64) -> Vec<(u32, f64)> {
        let all = (0..).zip(texts).map(|(i, other)| (i, jaccard(text, other)));
        all.filter(|(_, likeness)| *likeness >= threshold - 1e-9)
            .collect()
    }

    #[test]
    fn texts_are_found_by_what_they_share() {
        let texts = [
            "a man is playing a guitar",
            "a man is playing the guitar",
            "a man is playing a flute",
            "a",
            "",
        ];
        let mut index = NearIndex::new(0.7, texts.into_iter());
        let found = index.near("a man is playing a guitar");
        assert_eq!(found[0], (0, 1.0));
        let expected = jaccard(texts[0], texts[1]);
        assert_eq!(found[1], (1, expected));
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(index.near("a"), [(3, 1.0)]);
        assert_eq!(index.near(""), []);
        assert_eq!(index.near("\u{10ffff}\u{10ffff}"), []);
    }

    proptest! {
        #[test]
        fn the_index_finds_what_comparing_everything_finds(
            texts in proptest::collection::vec("[ab ]{1,12}|[a-d]{2} (x|yy|z ){1,5}", 1..40),
            text in "[ab ]{1,12}|[a-d]{2} (x|yy|z ){1,5}",
            threshold in prop_oneof![Just(0.5), Just(0.8), Just(1.0), 0.05f64..1.0],
        ) {
            let mut index = NearIndex::new(threshold, texts.iter().map(String::as_str));
            prop_assert_eq!(index.near(&text), by_hand(&texts, &text, threshold));
            // What was met in one look-up is met again in the next.
            prop_assert_eq!(index.near(&text), by_hand(&texts, &text, threshold));
        }
    }
}
