//! Which columns hold the pair, its label, weight and tolerance.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Deserialize as DeriveDeserialize, Serialize};

/// A column, as a recipe names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Column {
    /// By place, counted from 0.
    Index(usize),
    /// By the header's name, or the key of a JSON object. Exact.
    Name(String),
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Column::Index(index) => write!(f, "column {index}"),
            Column::Name(name) => write!(f, "{name:?}"),
        }
    }
}

// By hand, because serde's own message for an untagged enum names neither form.
impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ColumnVisitor;
        impl Visitor<'_> for ColumnVisitor {
            type Value = Column;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column's name or its index counted from 0")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Column, E> {
                Ok(Column::Name(name.to_string()))
            }

            fn visit_u64<E: de::Error>(self, index: u64) -> Result<Column, E> {
                usize::try_from(index)
                    .map(Column::Index)
                    .map_err(|_| de::Error::invalid_value(de::Unexpected::Unsigned(index), &self))
            }

            fn visit_i64<E: de::Error>(self, index: i64) -> Result<Column, E> {
                u64::try_from(index)
                    .map_err(|_| de::Error::invalid_value(de::Unexpected::Signed(index), &self))
                    .and_then(|index| self.visit_u64(index))
            }
        }
        deserializer.deserialize_any(ColumnVisitor)
    }
}

/// The columns of a file. What is `None` is found by its usual names (see
/// [`PairFile`](super::PairFile)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, DeriveDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// The first text.
    pub first: Option<Column>,
    /// The second text.
    pub second: Option<Column>,
    /// The label: a number, or a class.
    pub label: Option<Column>,
    /// The weight. An empty cell counts 1.
    pub weight: Option<Column>,
    /// The tolerance. An empty cell leaves it to the objective.
    pub tolerance: Option<Column>,
    /// A text that contradicts the first, where each row is a
    /// [`Triplet`](super::Triplet) and gives two pairs.
    pub negative: Option<Column>,
}

impl Columns {
    /// Texts and label at these indices.
    pub const fn at(first: usize, second: usize, label: usize) -> Self {
        Self {
            first: Some(Column::Index(first)),
            second: Some(Column::Index(second)),
            label: Some(Column::Index(label)),
            weight: None,
            tolerance: None,
            negative: None,
        }
    }

    /// Whether no column is named, so that two of one name do no harm.
    pub(super) fn are_places(&self) -> bool {
        let all = [&self.first, &self.second, &self.label, &self.negative];
        let rest = [&self.weight, &self.tolerance];
        let named = |c: &&Option<Column>| matches!(c, Some(Column::Name(_)));
        self.first.is_some() && !all.iter().chain(&rest).any(named)
    }

    /// Whether the texts are named, which only a header can do.
    pub(super) fn are_names(&self) -> bool {
        matches!(self.first, Some(Column::Name(_)))
    }

    /// Whether neither texts nor label are given, so that they are to be found.
    pub(super) fn are_usual(&self) -> bool {
        [&self.first, &self.second, &self.label, &self.negative]
            .iter()
            .all(|column| column.is_none())
    }
}

/// Names under which published files keep the two texts, without regard to
/// case: STS and NLI sets, SICK, SimCSE, GLUE, Quora.
const PAIR_NAMES: [(&str, &str); 9] = [
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("sent0", "sent1"),
    ("text1", "text2"),
    ("text_a", "text_b"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("first", "second"),
];

/// Names that stand for a pair where there is none of the above.
const MORE_PAIR_NAMES: [(&str, &str); 16] = [
    ("anchor", "positive"),
    ("query", "document"),
    ("query", "passage"),
    ("query", "positive"),
    ("question", "answer"),
    ("source", "target"),
    ("sentence", "paraphrase"),
    ("sent1", "sent2"),
    ("sent_1", "sent_2"),
    ("sent_a", "sent_b"),
    ("text_1", "text_2"),
    ("texta", "textb"),
    ("sentencea", "sentenceb"),
    ("question_1", "question_2"),
    ("string1", "string2"),
    ("s1", "s2"),
];

/// Names under which published files keep the label.
pub(super) const LABEL_NAMES: [&str; 9] = [
    "score",
    "label",
    "similarity",
    "similarity_score",
    "relatedness_score",
    "gold_label",
    "rating",
    "grade",
    "is_duplicate",
];

/// Why columns could not be found by name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unclear {
    /// This name is not there.
    Unknown(String),
    /// This name is there more than once, or with another case.
    Twice(String),
    /// No usual pair of names, or several.
    Pair(String),
    /// Several usual names of a label.
    Label(String),
    /// Only one of `first` and `second` is given.
    Half,
    /// Lists without one of their columns, or with several.
    List(String),
}

/// Indices of the columns found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots {
    pub first: usize,
    pub second: usize,
    pub label: Option<usize>,
    pub weight: Option<usize>,
    pub tolerance: Option<usize>,
    pub negative: Option<usize>,
    /// The name of the split that the row belongs to.
    pub split: Option<usize>,
}

impl Slots {
    /// Every column that is read.
    pub(super) fn all(&self) -> impl Iterator<Item = usize> {
        let texts = [Some(self.first), Some(self.second), self.negative];
        let rest = [self.label, self.weight, self.tolerance, self.split];
        texts.into_iter().chain(rest).flatten()
    }
}

impl Columns {
    /// Finds the columns among `names`: a header, or an object's keys.
    pub(super) fn find(&self, names: &[&str]) -> Result<Slots, Unclear> {
        let given = |column: &Column| match column {
            Column::Index(index) => Ok(*index),
            Column::Name(name) => {
                let mut places = names.iter().enumerate().filter(|(_, n)| *n == name);
                match (places.next(), places.next()) {
                    (Some((index, _)), None) => Ok(index),
                    (Some(_), Some(_)) => Err(Unclear::Twice(name.clone())),
                    (None, _) => Err(Unclear::Unknown(name.clone())),
                }
            }
        };
        let usual = |usual: &str| match *places(names, usual) {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            [first, ..] => Err(Unclear::Twice(names[first].to_string())),
        };
        let optional = |column: &Option<Column>, name: &str| match column {
            Some(column) => given(column).map(Some),
            None => usual(name),
        };

        let (first, second) = match (&self.first, &self.second) {
            (Some(first), Some(second)) => (given(first)?, given(second)?),
            (None, None) => {
                let found = usual_pairs(names);
                match found[..] {
                    [(first, second)] => {
                        for place in [first, second] {
                            usual(names[place].trim())?;
                        }
                        (first, second)
                    }
                    [] => return Err(Unclear::Pair("no usual names".into())),
                    _ => {
                        let list: Vec<_> = found
                            .iter()
                            .map(|&(a, b)| format!("{:?} and {:?}", names[a], names[b]))
                            .collect();
                        return Err(Unclear::Pair(format!("it has {}", list.join(", also "))));
                    }
                }
            }
            _ => return Err(Unclear::Half),
        };
        let negative = self.negative.as_ref().map(given).transpose()?;
        let label = match &self.label {
            Some(column) => Some(given(column)?),
            // A row of three texts has no label.
            None if negative.is_some() => None,
            None => {
                let found: Result<Vec<_>, _> = LABEL_NAMES.iter().map(|n| usual(n)).collect();
                let found: Vec<usize> = found?.into_iter().flatten().collect();
                if found.len() > 1 {
                    let list: Vec<_> = found.iter().map(|&i| names[i]).collect();
                    return Err(Unclear::Label(format!("it has {}", list.join(", "))));
                }
                found.first().copied()
            }
        };
        Ok(Slots {
            first,
            second,
            label,
            weight: optional(&self.weight, "weight")?,
            tolerance: optional(&self.tolerance, "tolerance")?,
            negative,
            split: None,
        })
    }

    /// The columns of a file without a header, by its first row: those given,
    /// or for three cells of which the first or the last `is_label` that one
    /// and the other two; for two cells, these.
    pub(super) fn guess(
        &self,
        cells: &[String],
        is_label: impl Fn(&str) -> bool,
    ) -> Result<Slots, Unclear> {
        if !self.are_usual() {
            return self.find(&[]);
        }
        let (first, second, label) = match cells {
            [_, _] => (0, 1, None),
            [a, _, c] => match (is_label(a), is_label(c)) {
                (true, false) => (1, 2, Some(0)),
                (false, true) => (0, 1, Some(2)),
                (true, true) => {
                    let why = "both the first and the last column could be the label";
                    return Err(Unclear::Label(why.into()));
                }
                (false, false) => {
                    let why = "neither the first nor the last of three columns is a number or a known class";
                    return Err(Unclear::Label(why.into()));
                }
            },
            _ => {
                let count = match cells.len() {
                    1 => "one column".to_string(),
                    n => format!("{n} columns"),
                };
                let why = format!("{count} and no header");
                return Err(Unclear::Pair(why));
            }
        };
        let index = |column: &Option<Column>| match column {
            None => Ok(None),
            Some(Column::Index(index)) => Ok(Some(*index)),
            Some(Column::Name(name)) => Err(Unclear::Unknown(name.clone())),
        };
        Ok(Slots {
            first,
            second,
            label,
            weight: index(&self.weight)?,
            tolerance: index(&self.tolerance)?,
            negative: None,
            split: None,
        })
    }
}

/// Where a usual name stands, whatever its case and the blanks around it.
pub(super) fn places(names: &[&str], usual: &str) -> Vec<usize> {
    let is = |name: &&str| name.trim().eq_ignore_ascii_case(usual);
    let found = names.iter().enumerate().filter(|(_, name)| is(name));
    found.map(|(place, _)| place).collect()
}

/// Where usual names of pairs stand.
fn usual_pairs(names: &[&str]) -> Vec<(usize, usize)> {
    let pairs = |of: &[(&str, &str)]| -> Vec<(usize, usize)> {
        let pair = |(a, b): &(&str, &str)| {
            let first = |name| places(names, name).first().copied();
            Some((first(a)?, first(b)?))
        };
        of.iter().filter_map(pair).collect()
    };
    let found = pairs(&PAIR_NAMES);
    if found.is_empty() {
        return pairs(&MORE_PAIR_NAMES);
    }
    found
}

/// Whether `cells` read like a header: they hold a usual pair of names.
pub(super) fn looks_like_header(cells: &[&str]) -> bool {
    !usual_pairs(cells).is_empty()
}

/// A name that two of `names` have.
pub(super) fn duplicate<'a>(names: &[&'a str]) -> Option<&'a str> {
    let mut seen = std::collections::HashSet::new();
    let mut names = names.iter().copied();
    names.find(|name| !name.is_empty() && !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(first: usize, second: usize, label: Option<usize>) -> Slots {
        Slots {
            first,
            second,
            label,
            weight: None,
            tolerance: None,
            negative: None,
            split: None,
        }
    }

    fn guess(cells: &[&str]) -> Result<Slots, Unclear> {
        let cells: Vec<_> = cells.iter().map(|c| c.to_string()).collect();
        Columns::default().guess(&cells, |c| c.parse::<f64>().is_ok())
    }

    #[test]
    fn usual_names_are_found_whatever_their_case() {
        let sick = [
            "pair_ID",
            "sentence_A",
            "sentence_B",
            "relatedness_score",
            "entailment_judgment",
        ];
        assert_eq!(Columns::default().find(&sick), Ok(slots(1, 2, Some(3))));
        let weighted = ["Score", "weight", "premise", "hypothesis", "tolerance"];
        let found = Columns::default().find(&weighted).unwrap();
        assert_eq!((found.weight, found.tolerance), (Some(1), Some(4)));
    }

    #[test]
    fn two_usual_names_are_a_question_not_a_guess() {
        let columns = Columns::default();
        let both = ["sentence1", "sentence2", "score", "label"];
        assert!(matches!(columns.find(&both), Err(Unclear::Label(_))));
        let both = ["sentence1", "sentence2", "premise", "hypothesis"];
        assert!(matches!(columns.find(&both), Err(Unclear::Pair(_))));
        let named = Columns {
            label: Some(Column::Name("label".into())),
            ..Columns::default()
        };
        let both = ["sentence1", "sentence2", "score", "label"];
        assert_eq!(named.find(&both), Ok(slots(0, 1, Some(3))));
    }

    #[test]
    fn headers_of_two_columns_are_known() {
        for names in [
            ["sentence1", "sentence2"],
            ["Premise", "Hypothesis"],
            ["text_a", " text_b"],
            ["anchor", "positive"],
            ["query", "document"],
        ] {
            assert!(looks_like_header(&names), "{names:?}");
            assert_eq!(Columns::default().find(&names), Ok(slots(0, 1, None)));
        }
        assert!(!looks_like_header(&["sentence1", "hypothesis"]));
        // The more usual names come first.
        let names = ["source", "target", "sentence1", "sentence2"];
        assert_eq!(Columns::default().find(&names), Ok(slots(2, 3, None)));
    }

    #[test]
    fn a_name_that_is_there_twice_is_found() {
        assert_eq!(duplicate(&["a", "", "b", "", "a"]), Some("a"));
        assert_eq!(duplicate(&["a", "A", ""]), None);
        let twice = |names: &[&str]| {
            let found = Columns::default().find(names);
            matches!(found, Err(Unclear::Twice(_)))
        };
        assert!(twice(&["sentence1", "Sentence1", "sentence2"]));
        assert!(twice(&["sentence1", "sentence2", "score", "SCORE"]));
        assert!(twice(&["sentence1", "sentence2", "weight", "Weight"]));
    }

    #[test]
    fn wrong_names_are_errors() {
        let columns = Columns {
            first: Some(Column::Name("a".into())),
            ..Columns::default()
        };
        assert_eq!(columns.find(&["a", "b"]), Err(Unclear::Half));
        let columns = Columns {
            second: Some(Column::Name("c".into())),
            ..columns
        };
        assert_eq!(columns.find(&["a", "b"]), Err(Unclear::Unknown("c".into())));
        assert_eq!(
            columns.find(&["a", "c", "a"]),
            Err(Unclear::Twice("a".into()))
        );
    }

    #[test]
    fn three_columns_without_a_header_are_told_apart_by_the_number() {
        assert_eq!(guess(&["4.5", "a", "b"]), Ok(slots(1, 2, Some(0))));
        assert_eq!(guess(&["a", "b", "4.5"]), Ok(slots(0, 1, Some(2))));
        assert_eq!(guess(&["a", "b"]), Ok(slots(0, 1, None)));
        assert!(matches!(guess(&["1", "b", "2"]), Err(Unclear::Label(_))));
        assert!(matches!(guess(&["a", "b", "c"]), Err(Unclear::Label(_))));
        assert!(matches!(
            guess(&["a", "b", "c", "1"]),
            Err(Unclear::Pair(_))
        ));
    }

    #[test]
    fn a_column_is_written_as_name_or_index() {
        let columns: Columns = toml::from_str("first = 5\nlabel = \"score\"").unwrap();
        assert_eq!(columns.first, Some(Column::Index(5)));
        assert_eq!(columns.label, Some(Column::Name("score".into())));
        let error = toml::from_str::<Columns>("first = -1").unwrap_err();
        assert!(
            error.to_string().contains("index counted from 0"),
            "{error}"
        );
    }
}
