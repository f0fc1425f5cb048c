//! What keys recipes have, for front ends that make them.

use super::{CrossEncoderRecipe, CrossEncoderStage, EvaluationSettings, Recipe, Stage};
use crate::data::Source;
use crate::losses::{LossName, ScoreLossName, fields};
use std::collections::BTreeMap;

/// The keys of each table of a recipe, in the order of their declaration: `recipe`,
/// `stage`, `evaluation` and `source`; `cross-encoder` and `cross-encoder stage` of a
/// recipe with `task = "cross-encoder"`; of an objective those of its loss, as
/// `objective smooth_k2` and `cross-encoder objective bce`.
///
/// ```
/// let keys = gradus::recipe::keys();
/// assert!(keys["stage"].contains(&"learning_rate"));
/// assert!(keys["objective info_nce"].contains(&"symmetric"));
/// ```
pub fn keys() -> BTreeMap<String, Vec<&'static str>> {
    let mut all = BTreeMap::new();
    for (name, keys) in [
        ("recipe", fields::<Recipe>()),
        ("stage", fields::<Stage>()),
        ("evaluation", fields::<EvaluationSettings>()),
        ("source", fields::<Source>()),
        ("cross-encoder", fields::<CrossEncoderRecipe>()),
        ("cross-encoder stage", fields::<CrossEncoderStage>()),
    ] {
        all.insert(name.to_owned(), keys.to_vec());
    }
    for loss in LossName::ALL {
        all.insert(format!("objective {}", loss.name_in_recipes()), loss.keys());
    }
    for loss in ScoreLossName::ALL {
        let name = format!("cross-encoder objective {}", loss.name_in_recipes());
        all.insert(name, loss.keys());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_has_the_keys_that_are_read() {
        let keys = keys();
        assert_eq!(keys["recipe"].first(), Some(&"model"));
        assert!(
            keys["source"].contains(&"path") && keys["evaluation"] == ["dev", "every", "patience"]
        );
        // Those of both forms, and what all objectives have.
        let own = &keys["objective smooth_k2"];
        for key in [
            "loss", "weight", "widths", "k", "x0", "form", "features", "learned", "range",
        ] {
            assert!(own.contains(&key), "{key}");
        }
        assert_eq!(keys["cross-encoder objective bce"][0], "loss");
        assert!(keys.values().all(|own| !own.is_empty()));
        for own in keys.values() {
            let mut once = own.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), own.len(), "{own:?}");
        }
    }
}
