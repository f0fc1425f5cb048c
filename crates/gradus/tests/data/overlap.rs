//! What the real training sets share with the real test sets.

use std::path::Path;

use gradus::data::overlap::{
    Finding, HeldOut, Hits, RowWatch, Tally, TestSet, parse_test, parse_train,
};
use gradus::data::{DataRoot, Source};

use crate::support::real_data;

/// The lines of rows that hold a test pair.
#[derive(Default)]
struct Lines(Vec<u64>);

impl RowWatch for Lines {
    fn row(&mut self, _file: usize, line: u64, hits: &Hits) {
        if !hits.pairs.is_empty() {
            self.0.push(line);
        }
    }
}

fn overlap(train: &str, tests: &[&str], near: Option<f64>, root: &DataRoot) -> (Finding, Vec<u64>) {
    let here = (Path::new(""), root);
    let sources = tests
        .iter()
        .flat_map(|test| parse_test(test, &Source::default()).unwrap());
    let sets: Vec<TestSet> = sources
        .map(|source| TestSet::read(&source, here.0, here.1).unwrap())
        .collect();
    let mut held = HeldOut::new(&sets, near);
    let mut tally = Tally::new(&held, 2);
    let mut lines = Lines::default();
    parse_train(train, &Source::default())
        .unwrap()
        .look_up(here, &mut held, &mut tally, &mut lines)
        .unwrap();
    (tally.finding(&held, train), lines.0)
}

const OLDER: [&str; 5] = ["sts12", "sts13", "sts14", "sts15", "sts16"];

#[test]
fn stsb_holds_a_third_of_the_older_test_pairs() {
    let Some(root) = real_data() else { return };
    for (split, rows, exact, words) in [
        ("train", 5749, 4757, 4759),
        ("dev", 1500, 1131, 1131),
        ("test", 1379, 1007, 1007),
    ] {
        let (found, lines) = overlap(&format!("stsb:{split}"), &OLDER, None, &root);
        assert_eq!(found.rows, rows);
        let pairs = found.all.shared_pairs;
        assert_eq!((pairs.exact.train, pairs.normalised.train), (exact, words));
        assert_eq!(lines.len(), words);
        assert_eq!(pairs.near, None);
        let share = words as f64 / rows as f64;
        assert!((pairs.normalised.train_share - share).abs() < 1e-12);
        assert_eq!(found.all.pairs, 12_544);
        assert!(
            found
                .tests
                .iter()
                .all(|set| !found.examples.is_empty() && set.pairs > 0)
        );
    }
}

#[test]
fn near_pairs_come_on_top_and_a_set_holds_all_of_itself() {
    let Some(root) = real_data() else { return };
    let (found, lines) = overlap("stsb:train", &OLDER, Some(0.8), &root);
    let pairs = found.all.shared_pairs;
    let near = pairs.near.unwrap();
    assert_eq!(pairs.normalised.train, 4759);
    assert!(
        near.train > 4759 && near.test > pairs.normalised.test,
        "{near:?}"
    );
    assert_eq!(lines.len(), near.train);
    let (again, _) = overlap("stsb:train", &OLDER, Some(0.8), &root);
    assert_eq!(again, found);

    let (own, _) = overlap("sickr:test", &["sickr"], Some(0.9), &root);
    let (pairs, sentences) = (own.all.shared_pairs, own.all.shared_sentences);
    assert_eq!((pairs.exact.test, pairs.exact.train), (4927, 4927));
    assert_eq!(sentences.exact.test, own.all.sentences);
    assert_eq!(sentences.exact.test_share, 1.0);

    // Rows that share a sentence with a test set were removed from these.
    let (nli, _) = overlap("nli", &["sts"], None, &root);
    assert_eq!(nli.rows, 83_225);
    assert_eq!(nli.all.shared_sentences.normalised.test, 0);
}
