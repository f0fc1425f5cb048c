//! Published forms that are known by their columns' names.

use super::columns::{LABEL_NAMES, Slots, Unclear};
use super::{Column, Columns};

/// The column of SNLI and MultiNLI that holds the class most annotators chose.
pub(super) const GOLD_LABEL: &str = "gold_label";

/// The class of SNLI and MultiNLI for pairs on which no majority agreed.
pub(super) const NO_GOLD_LABEL: &str = "-";

/// The names of a triplet's columns: SimCSE's, sentence-transformers', and those of
/// [`NegativeRow`](super::negatives::NegativeRow).
const TRIPLETS: [[&str; 3]; 5] = [
    ["sent0", "sent1", "hard_neg"],
    ["anchor", "positive", "negative"],
    ["anchor", "positive", "negative_1"],
    ["sentence", "positive", "negative"],
    ["sentence", "positive", "negative_1"],
];

/// A published form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    /// SNLI and MultiNLI, as JSON Lines or as text with a header.
    Nli,
    /// SNLI and MultiNLI in one file, with a column of splits
    /// (sentence-transformers' AllNLI).
    AllNli,
    /// Anchor, positive and negative under these names.
    Triplets([&'static str; 3]),
}

impl Published {
    /// By the names of all columns. A file of triplets that has a label too is
    /// none: it is not plain what the label is of.
    pub(super) fn recognise(names: &[&str]) -> Option<Self> {
        let has = |wanted: &[&str]| wanted.iter().all(|name| names.contains(name));
        if has(&[
            "split",
            "dataset",
            "filename",
            "sentence1",
            "sentence2",
            "label",
        ]) {
            return Some(Self::AllNli);
        }
        if has(&[GOLD_LABEL, "sentence1", "sentence2"]) {
            return Some(Self::Nli);
        }
        if LABEL_NAMES.iter().any(|label| names.contains(label)) {
            return None;
        }
        let found = TRIPLETS.into_iter().find(|triplet| has(triplet));
        found.map(Self::Triplets)
    }

    /// The least and the most columns of a row: the last columns of SNLI and
    /// MultiNLI hold what single annotators said, as far as there were any.
    pub(super) fn width(self, names: &[&str]) -> (usize, usize) {
        let all = names.len();
        let annotator = |name: &&&str| {
            let number = name.strip_prefix("label");
            number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        };
        match self {
            Self::Nli => (all - names.iter().rev().take_while(annotator).count(), all),
            _ => (all, all),
        }
    }

    /// Where its columns are. `given` adds weight and tolerance.
    pub(super) fn slots(self, given: &Columns, names: &[&str]) -> Result<Slots, Unclear> {
        let (first, second, label, negative) = match self {
            Self::Nli => ("sentence1", "sentence2", Some(GOLD_LABEL), None),
            Self::AllNli => ("sentence1", "sentence2", Some("label"), None),
            Self::Triplets([anchor, positive, negative]) => {
                (anchor, positive, None, Some(negative))
            }
        };
        let column = |name: &str| Some(Column::Name(name.to_string()));
        let columns = Columns {
            first: column(first),
            second: column(second),
            label: label.and_then(column),
            negative: negative.and_then(column),
            ..given.clone()
        };
        let mut slots = columns.find(names)?;
        if self == Self::AllNli {
            slots.split = names.iter().position(|name| *name == "split");
        }
        Ok(slots)
    }
}

/// The least and the most columns of the STS Benchmark as released: some rows
/// end with two columns about licences.
pub(super) const STSB_WIDTH: (usize, usize) = (7, 9);

/// Whether a first row is one of the STS Benchmark as released: genre, file,
/// year, id, score, the two sentences.
pub(super) fn is_stsb(cells: &[&str]) -> bool {
    let (least, most) = STSB_WIDTH;
    (least..=most).contains(&cells.len())
        && cells[0].starts_with("main-")
        && cells[4].parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_may_lack_what_single_annotators_said() {
        let names = ["gold_label", "sentence1", "sentence2", "label1", "label2"];
        assert_eq!(Published::Nli.width(&names), (3, 5));
        let names = ["label1", "gold_label", "sentence1", "sentence2", "labels"];
        assert_eq!(Published::Nli.width(&names), (5, 5));
    }

    #[test]
    fn forms_are_known_by_all_their_names() {
        let snli = [
            "gold_label",
            "sentence1_parse",
            "sentence2_parse",
            "sentence1",
            "sentence2",
            "captionID",
            "pairID",
            "label1",
        ];
        assert_eq!(Published::recognise(&snli), Some(Published::Nli));
        let slots = Published::Nli.slots(&Columns::default(), &snli).unwrap();
        assert_eq!((slots.first, slots.second, slots.label), (3, 4, Some(0)));
        let all = [
            "split",
            "dataset",
            "filename",
            "sentence1",
            "sentence2",
            "label",
        ];
        assert_eq!(Published::recognise(&all), Some(Published::AllNli));
        let slots = Published::AllNli.slots(&Columns::default(), &all).unwrap();
        assert_eq!((slots.split, slots.label), (Some(0), Some(5)));
        for (names, known) in [
            (&["sent0", "sent1", "hard_neg"][..], true),
            (&["anchor", "positive", "negative"], true),
            (&["sentence", "positive", "negative_1", "negative_2"], true),
            (&["sent0", "sent1"], false),
            (&["sent0", "sent1", "hard_neg", "score"], false),
            (&["anchor", "positive", "negative", "label"], false),
            (&["sentence1", "sentence2", "label"], false),
            (&["Sent0", "Sent1", "Hard_neg"], false),
        ] {
            assert_eq!(Published::recognise(names).is_some(), known, "{names:?}");
        }
    }

    #[test]
    fn a_column_that_is_there_twice_is_an_error() {
        let names = ["gold_label", "sentence1", "sentence2", "sentence1"];
        let slots = Published::Nli.slots(&Columns::default(), &names);
        assert_eq!(slots, Err(Unclear::Twice("sentence1".into())));
    }
}
