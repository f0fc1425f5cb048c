//! Counting what a training set shares with test sets.

use super::{Count, Example, Finding, HeldOut, Hit, Hits, Likeness, SetFinding, Shared};

/// Counts the rows of one training set.
#[derive(Debug, Clone)]
pub struct Tally {
    rows: usize,
    /// Rows of a single sentence.
    singles: usize,
    pairs: Counter,
    sentences: Counter,
    /// How many examples of each set and likeness are kept.
    most_examples: usize,
    examples: Vec<(u32, Example)>,
}

/// Counts hits on pairs, or on sentences.
#[derive(Debug, Clone)]
struct Counter {
    /// The closest hit on each thing so far.
    closest: Vec<Option<Likeness>>,
    /// Training rows by their closest hit in each set; the last is all sets.
    rows: Vec<[usize; 3]>,
}

impl Counter {
    fn new(things: usize, sets: usize) -> Self {
        Self {
            closest: vec![None; things],
            rows: vec![[0; 3]; sets + 1],
        }
    }

    /// Counts a row's hits; `set_of` is the set of a thing.
    fn add(&mut self, hits: &[Hit], set_of: impl Fn(&Hit) -> u32) {
        let Some(best) = hits.iter().map(|hit| hit.likeness).min() else {
            return;
        };
        if let Some(all) = self.rows.last_mut() {
            all[best as usize] += 1;
        }
        for group in hits.chunk_by(|a, b| set_of(a) == set_of(b)) {
            if let Some(best) = group.iter().map(|hit| hit.likeness).min() {
                self.rows[set_of(&group[0]) as usize][best as usize] += 1;
            }
        }
        for hit in hits {
            let closest = &mut self.closest[hit.index as usize];
            *closest = Some(closest.map_or(hit.likeness, |known| known.min(hit.likeness)));
        }
    }

    /// What is shared with a set, or with all; `things` are its own.
    fn shared(
        &self,
        set: usize,
        things: impl Iterator<Item = usize> + Clone,
        rows: usize,
        near: bool,
    ) -> Shared {
        let count = |widest: Likeness| {
            let size = things.clone().count();
            let met = |i: &usize| self.closest[*i].is_some_and(|likeness| likeness <= widest);
            let test = things.clone().filter(met).count();
            let train = self.rows[set][..=widest as usize].iter().sum();
            Count {
                test,
                test_share: share(test, size),
                train,
                train_share: share(train, rows),
            }
        };
        Shared {
            exact: count(Likeness::Exact),
            normalised: count(Likeness::Normalised),
            near: near.then(|| count(Likeness::Near)),
        }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

impl Tally {
    /// Nothing counted yet. At most `most_examples` are kept for each set and
    /// likeness, the first that come.
    pub fn new(held: &HeldOut, most_examples: usize) -> Self {
        let sets = held.names.len();
        Self {
            rows: 0,
            singles: 0,
            pairs: Counter::new(held.pairs.len(), sets),
            sentences: Counter::new(held.sentences.len(), sets),
            most_examples,
            examples: Vec::new(),
        }
    }

    /// Counts a row that stands at `at`, with what `held` found in it.
    pub fn add(&mut self, held: &HeldOut, hits: &Hits, row: &[&str], at: &dyn std::fmt::Display) {
        self.rows += 1;
        self.singles += usize::from(row.len() == 1);
        let pair_set = |hit: &Hit| held.pairs[hit.index as usize].set;
        let sentence_set = |hit: &Hit| held.sentences[hit.index as usize].set;
        self.pairs.add(&hits.pairs, pair_set);
        self.sentences.add(&hits.sentences, sentence_set);
        if self.most_examples == 0 {
            return;
        }
        let text = |number: u32| held.texts[number as usize].clone();
        // A row that is a test pair is an example of that; its sentences are
        // no news then.
        for hit in &hits.pairs {
            let test = held.pairs[hit.index as usize].texts.map(text).to_vec();
            self.example(held, pair_set(hit), hit, row, test, at);
        }
        for hit in hits.sentences.iter().filter(|_| hits.pairs.is_empty()) {
            let test = vec![text(held.sentences[hit.index as usize].text)];
            self.example(held, sentence_set(hit), hit, row, test, at);
        }
    }

    fn example(
        &mut self,
        held: &HeldOut,
        set: u32,
        hit: &Hit,
        row: &[&str],
        test: Vec<String>,
        at: &dyn std::fmt::Display,
    ) {
        let alike = |(other, example): &&(u32, Example)| {
            *other == set && example.likeness == hit.likeness && example.test.len() == test.len()
        };
        if self.examples.iter().filter(alike).count() >= self.most_examples {
            return;
        }
        let example = Example {
            set: held.names[set as usize].clone(),
            likeness: hit.likeness,
            similarity: hit.similarity,
            at: at.to_string(),
            train: row.iter().map(|text| text.to_string()).collect(),
            test,
        };
        self.examples.push((set, example));
    }

    /// How many rows were counted.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What was counted, for the training set `train`.
    pub fn finding(&self, held: &HeldOut, train: impl Into<String>) -> Finding {
        let near = held.near().is_some();
        let set_finding = |name: &str, set: usize, of: &dyn Fn(u32) -> bool| {
            let pairs = numbers(held.pairs.iter().map(|p| p.set), of);
            let sentences = numbers(held.sentences.iter().map(|s| s.set), of);
            let shared = |counter: &Counter, things: &[usize]| {
                counter.shared(set, things.iter().copied(), self.rows, near)
            };
            SetFinding {
                name: name.to_string(),
                pairs: pairs.len(),
                sentences: sentences.len(),
                shared_pairs: shared(&self.pairs, &pairs),
                shared_sentences: shared(&self.sentences, &sentences),
            }
        };
        let names = held.names.iter().enumerate();
        let tests = names.map(|(set, name)| set_finding(name, set, &|own| own as usize == set));
        let mut examples = self.examples.clone();
        examples.sort_by_key(|(set, e)| (*set, std::cmp::Reverse(e.test.len()), e.likeness));
        Finding {
            train: train.into(),
            rows: self.rows,
            sentences_only: self.singles > 0 && self.singles == self.rows,
            near: held.near(),
            tests: tests.collect(),
            all: set_finding("all", held.names.len(), &|_| true),
            examples: examples.into_iter().map(|(_, example)| example).collect(),
        }
    }
}

/// The numbers of the things whose set is wanted.
fn numbers(sets: impl Iterator<Item = u32>, wanted: &dyn Fn(u32) -> bool) -> Vec<usize> {
    let all = sets.enumerate().filter(|(_, set)| wanted(*set));
    all.map(|(number, _)| number).collect()
}
