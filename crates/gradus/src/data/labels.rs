//! From what stands in the label column to a number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::decimal::is_number;
use super::error::nearest;
use super::{DataError, Place, Remedy};
use crate::Result;

/// How a mapped label is rounded.
///
/// The released code of the regression framework (Zhang & Li, EMNLP 2024)
/// applies Python's `int` to the label, which truncates: 4.75 becomes 4. On
/// labels that are not negative that is `Floor`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rounding {
    /// Not at all.
    #[default]
    None,
    /// To the nearest integer, halves away from zero: 2.5 becomes 3.
    Nearest,
    /// To the integer below.
    Floor,
}

/// Maps labels to numbers: skip, then class or number, then the scale, then
/// rounding.
///
/// ```toml
/// [labels]
/// classes = { contradiction = 0, neutral = 1, entailment = 2 }
/// skip = ["-"]            # SNLI's "no gold label"
/// ```
/// ```toml
/// [labels]
/// from = [1, 5]           # SICK's scale
/// to = [0, 5]
/// rounding = "nearest"
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabelMap {
    /// Classes and their numbers. Without it labels are read as numbers.
    /// Case counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<BTreeMap<String, f64>>,
    /// Labels whose pairs are left out, as they stand in the file; `""` for
    /// pairs without a label.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// The scale before: lowest and highest label. A label outside is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<[f64; 2]>,
    /// The scale after: `from` is mapped to it, straight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<[f64; 2]>,
    /// The last step.
    pub rounding: Rounding,
}

impl LabelMap {
    /// The order that the regression framework gives to inference classes:
    /// contradiction 0, neutral 1, entailment 2.
    pub fn nli() -> Self {
        let classes = [
            ("contradiction", 0.0),
            ("neutral", 1.0),
            ("entailment", 2.0),
        ];
        Self {
            classes: Some(classes.map(|(n, v)| (n.to_string(), v)).into()),
            ..Self::default()
        }
    }

    /// Numbers on the scale `low..high`, as they are.
    pub fn scale(low: f64, high: f64) -> Self {
        Self {
            from: Some([low, high]),
            ..Self::default()
        }
    }

    /// What is wrong with the map itself, and what to do: `None` if nothing.
    pub fn problem(&self) -> Option<(String, &'static str)> {
        let bad = |scale: &[f64; 2]| scale.iter().any(|v| !v.is_finite()) || scale[0] >= scale[1];
        if self.to.is_some() && self.from.is_none() {
            return Some(("`labels.to` without `labels.from`".into(), "set both"));
        }
        for (name, scale) in [("from", &self.from), ("to", &self.to)] {
            if let Some(scale) = scale.as_ref().filter(|s| bad(s)) {
                let problem = format!("`labels.{name}` is {scale:?}");
                return Some((problem, "give the lowest and the highest label"));
            }
        }
        let classes = self.classes.as_ref()?;
        if classes.is_empty() {
            let remedy = "name the classes with their numbers";
            return Some(("`labels.classes` is empty".into(), remedy));
        }
        let (name, value) = classes.iter().find(|(_, value)| !value.is_finite())?;
        let problem = format!("the class {name:?} is {value}");
        Some((problem, "give it a finite number"))
    }

    /// The map for a file whose first label is `text`: where there are no
    /// classes and it is one of inference, those of [`LabelMap::nli`].
    pub(super) fn settled_by(&self, text: &str) -> Option<Self> {
        let usual = Self::nli().classes;
        let is_class = |classes: &BTreeMap<_, _>| classes.contains_key(text.trim());
        if self.classes.is_some() || !usual.as_ref().is_some_and(is_class) {
            return None;
        }
        Some(Self {
            classes: usual,
            ..self.clone()
        })
    }

    /// Whether a column whose numbers stand for classes of these names is read
    /// by the names: classes of inference, or those that the map knows.
    pub(super) fn prefers_names(&self, names: &[String]) -> bool {
        let usual = Self::nli().classes.unwrap_or_default();
        let classes = self.classes.as_ref().unwrap_or(&usual);
        !names.is_empty() && names.iter().all(|name| classes.contains_key(name))
    }

    /// Whether `text` is a number, a known class or a skipped label.
    pub(super) fn knows(&self, text: &str) -> bool {
        let text = text.trim();
        match &self.classes {
            _ if self.skip.iter().any(|s| s == text) => !text.is_empty(),
            Some(classes) => classes.contains_key(text),
            None => text.parse::<f64>().is_ok() || self.settled_by(text).is_some(),
        }
    }

    /// The number of a label; `None` if it is to be skipped. `at` and `column`
    /// are for errors.
    ///
    /// # Errors
    /// [`DataError::UnknownClass`], [`DataError::BadNumber`],
    /// [`DataError::LabelOutOfRange`].
    pub fn apply(&self, text: &str, at: &Place, column: &str) -> Result<Option<f64>> {
        let text = text.trim();
        if self.skip.iter().any(|s| s == text) {
            return Ok(None);
        }
        let number = match &self.classes {
            Some(classes) => *classes.get(text).ok_or_else(|| DataError::UnknownClass {
                at: at.clone(),
                class: text.to_string(),
                suggestion: nearest(text, classes.keys().map(String::as_str)),
                known: classes.keys().cloned().collect(),
            })?,
            None => finite(text).ok_or_else(|| {
                let remedies = [Remedy::Classes, Remedy::Skip(text.to_string())];
                not_a_number(at, column, text, "a finite number", &remedies)
            })?,
        };
        let number = match (self.from, self.to) {
            (None, _) => number,
            (Some([low, high]), to) => {
                if !(low..=high).contains(&number) {
                    return Err(DataError::LabelOutOfRange {
                        at: at.clone(),
                        label: number,
                        low,
                        high,
                    }
                    .into());
                }
                match to {
                    Some([a, b]) => {
                        // In this form both ends are met exactly.
                        let part = (number - low) / (high - low);
                        a * (1.0 - part) + b * part
                    }
                    None => number,
                }
            }
        };
        Ok(Some(match self.rounding {
            Rounding::None => number,
            Rounding::Nearest => number.round(),
            Rounding::Floor => number.floor(),
        }))
    }

    /// The lowest and the highest label that the map can give, where it says.
    pub fn range(&self) -> Option<(f64, f64)> {
        if let Some([low, high]) = self.to.or(self.from) {
            return Some((low, high));
        }
        let values = self.classes.as_ref()?.values();
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| {
            (low.min(v), high.max(v))
        });
        Some((low, high))
    }
}

/// The error of a text that is no number, with what it might be.
pub(super) fn not_a_number(
    at: &Place,
    column: &str,
    text: &str,
    expected: &'static str,
    others: &[Remedy],
) -> DataError {
    let comma = text
        .trim()
        .split_once(',')
        .is_some_and(|(a, b)| is_number(a, b));
    let thousands = text.contains(',') && text.replace(',', "").parse::<f64>().is_ok();
    let mut remedies = Vec::new();
    if comma {
        remedies.push(Remedy::DecimalComma);
    }
    if thousands {
        remedies.push("write it without a separator of thousands".into());
    }
    if remedies.is_empty() {
        remedies.push("correct it".into());
        remedies.extend_from_slice(others);
    }
    DataError::BadNumber {
        at: at.clone(),
        column: column.into(),
        text: text.to_string(),
        expected,
        remedies: remedies.into(),
    }
}

/// `text` as a finite number.
pub(super) fn finite(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|v| v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(map: &LabelMap, text: &str) -> Result<Option<f64>> {
        map.apply(text, &Place::new("f.tsv", 7), "\"score\"")
    }

    fn message(map: &LabelMap, text: &str) -> String {
        apply(map, text).unwrap_err().to_string()
    }

    #[test]
    fn classes_become_their_numbers() {
        let mut map = LabelMap::nli();
        assert_eq!(apply(&map, "entailment").unwrap(), Some(2.0));
        assert_eq!(map.range(), Some((0.0, 2.0)));
        let error = message(&map, "entailement");
        assert!(error.starts_with("f.tsv:7: unknown class"), "{error}");
        assert!(error.contains("did you mean \"entailment\"?"), "{error}");
        assert!(apply(&map, "-").is_err());
        map.skip.push("-".into());
        assert_eq!(apply(&map, "-").unwrap(), None);
        assert!(apply(&map, "1").is_err());
    }

    #[test]
    fn a_scale_is_mapped_straight_and_its_ends_exactly() {
        let map = LabelMap {
            to: Some([0.0, 5.0]),
            ..LabelMap::scale(1.0, 5.0)
        };
        for (raw, mapped) in [("1", 0.0), ("3", 2.5), ("5", 5.0), ("4.2", 4.0)] {
            let got = apply(&map, raw).unwrap().unwrap();
            assert!((got - mapped).abs() < 1e-12, "{raw}: {got}");
        }
        let error = message(&map, "5.5");
        assert!(
            error.starts_with("f.tsv:7: the label 5.5 is outside 1..5"),
            "{error}"
        );
        let awkward = LabelMap {
            to: Some([0.1, 0.7]),
            ..LabelMap::scale(0.0, 3.0)
        };
        assert_eq!(apply(&awkward, "3").unwrap(), Some(0.7));
    }

    #[test]
    fn rounding_is_named_by_what_it_does() {
        let map = |rounding| LabelMap {
            rounding,
            ..LabelMap::default()
        };
        for (raw, nearest, floor) in [("2.5", 3.0, 2.0), ("4.75", 5.0, 4.0), ("-2.5", -3.0, -3.0)] {
            assert_eq!(apply(&map(Rounding::Nearest), raw).unwrap(), Some(nearest));
            assert_eq!(apply(&map(Rounding::Floor), raw).unwrap(), Some(floor));
        }
        assert_eq!(apply(&map(Rounding::None), "4.75").unwrap(), Some(4.75));
    }

    #[test]
    fn what_is_not_a_finite_number_is_refused() {
        let map = LabelMap::default();
        for text in ["NaN", "inf", "-inf", "1e999", "", "four"] {
            let error = message(&map, text);
            assert!(error.starts_with("f.tsv:7: \"score\" is"), "{error}");
        }
        assert_eq!(apply(&map, " 4.5 ").unwrap(), Some(4.5));
    }

    #[test]
    fn maps_that_contradict_themselves_are_found() {
        let good: LabelMap = toml::from_str("from = [1, 5]\nto = [0, 5]").unwrap();
        assert_eq!(good.problem(), None);
        for bad in [
            "to = [0, 5]",
            "from = [5, 1]",
            "from = [nan, 1]",
            "from = [0, 1]\nto = [0, inf]",
            "classes = {}",
            "classes = { a = nan }",
        ] {
            let map: LabelMap = toml::from_str(bad).unwrap();
            assert!(map.problem().is_some(), "{bad}");
        }
        assert!(toml::from_str::<LabelMap>("form = [1, 5]").is_err());
    }
}
