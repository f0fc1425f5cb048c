//! The runs of a sweep: every combination of some values, in every recipe.

use crate::training::TrainError;
use crate::util::content_hash::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::Value;

/// One key of a recipe, and the values that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// A path with dots, as `gradus train --set` takes it.
    pub key: String,
    /// Values in TOML, or plain text.
    pub values: Vec<String>,
}

impl Axis {
    /// Parses `key=a,b,c`. Commas inside lists, tables and quotes do not
    /// separate values.
    ///
    /// # Errors
    /// [`TrainError::Grid`] where there is no key, no value, or a value
    /// twice.
    pub fn parse(text: &str) -> Result<Self, TrainError> {
        let fail = |message: &str| TrainError::Grid {
            option: format!("--grid {text}"),
            message: message.to_owned(),
        };
        let (key, values) = text
            .split_once('=')
            .ok_or_else(|| fail("expected key=value,value, as in stage.0.objective.k=2,3,4"))?;
        let key = key.trim();
        if key.is_empty() {
            return Err(fail("the key is empty"));
        }
        if key == "seed" {
            return Err(fail("seeds are given by --seeds"));
        }
        let values = split(values);
        if values.iter().any(String::is_empty) {
            return Err(fail("a value is empty"));
        }
        for (i, value) in values.iter().enumerate() {
            if values[..i].contains(value) {
                return Err(fail(&format!("the value {value} is given twice")));
            }
        }
        Ok(Self {
            key: key.to_owned(),
            values,
        })
    }
}

/// The values between commas: by TOML's rules where they are TOML.
fn split(values: &str) -> Vec<String> {
    let list = format!("x = [{values}]").parse::<toml::Table>().ok();
    match list.as_ref().and_then(|table| table.get("x")) {
        Some(Value::Array(list)) if !list.is_empty() => list.iter().map(Value::to_string).collect(),
        _ => values.split(',').map(|v| v.trim().to_owned()).collect(),
    }
}

/// One combination of values in one recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GridRow {
    /// What tables call the recipe; empty where there is but one.
    pub recipe: String,
    /// `key=value`, as `gradus train --set` takes it, axis after axis.
    pub settings: Vec<String>,
}

impl GridRow {
    /// What tables call it: the recipe, and the last part of each key with its
    /// value.
    pub fn label(&self) -> String {
        if self.settings.is_empty() && self.recipe.is_empty() {
            return "as given".into();
        }
        let short = |setting: &String| match setting.split_once('=') {
            Some((key, value)) => {
                let last = key.rsplit('.').next().unwrap_or(key);
                format!("{last}={}", value.replace('"', ""))
            }
            None => setting.clone(),
        };
        let recipe = Some(self.recipe.clone()).filter(|name| !name.is_empty());
        let parts = recipe.into_iter().chain(self.settings.iter().map(short));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// A folder's name for this row with a seed: readable, and another one for
    /// every other row.
    pub fn folder(&self, seed: u64) -> String {
        const LONGEST: usize = 60;
        let hash = Sha256::digest(format!("{}{}", self.recipe, self.settings.join("\n")));
        let hash = hex(&hash[..4]);
        let mut name = String::new();
        for c in self.label().chars() {
            match c {
                c if c.is_ascii_alphanumeric() || ".=_".contains(c) => name.push(c),
                _ if name.ends_with('-') => {}
                _ => name.push('-'),
            }
        }
        name.truncate(LONGEST);
        format!("{}-{hash}-seed{seed}", name.trim_matches(['-', '.']))
    }
}

/// All runs of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Every combination, the last axis moving fastest.
    pub rows: Vec<GridRow>,
    /// Each row is run with each.
    pub seeds: Vec<u64>,
}

impl Grid {
    /// The combinations of some axes, in each of the recipes of these names; a
    /// single row a recipe where there are no axes.
    ///
    /// # Errors
    /// [`TrainError::Grid`] where two axes have one key, or a seed or a recipe
    /// is given twice.
    pub fn new(recipes: &[String], axes: &[Axis], seeds: Vec<u64>) -> Result<Self, TrainError> {
        for (i, recipe) in recipes.iter().enumerate() {
            if recipes[..i].contains(recipe) {
                return Err(TrainError::Grid {
                    option: "RECIPE".into(),
                    message: format!("{recipe} is given twice"),
                });
            }
        }
        for (i, axis) in axes.iter().enumerate() {
            if axes[..i].iter().any(|other| other.key == axis.key) {
                return Err(TrainError::Grid {
                    option: format!("--grid {}", axis.key),
                    message: "the key is given twice; list all its values at once".into(),
                });
            }
        }
        for (i, seed) in seeds.iter().enumerate() {
            if seeds[..i].contains(seed) {
                return Err(TrainError::Grid {
                    option: "--seeds".into(),
                    message: format!("{seed} is given twice"),
                });
            }
        }
        let row = |recipe: &String| GridRow {
            recipe: recipe.clone(),
            settings: vec![],
        };
        let mut rows: Vec<GridRow> = recipes.iter().map(row).collect();
        for axis in axes {
            let extended = rows.iter().flat_map(|row| {
                axis.values.iter().map(|value| {
                    let mut row = row.clone();
                    row.settings.push(format!("{}={value}", axis.key));
                    row
                })
            });
            rows = extended.collect();
        }
        Ok(Self { rows, seeds })
    }

    /// How many runs it takes.
    pub fn cells(&self) -> usize {
        self.rows.len() * self.seeds.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn one() -> [String; 1] {
        [String::new()]
    }

    fn values(text: &str) -> Vec<String> {
        Axis::parse(text).unwrap().values
    }

    #[test]
    fn commas_separate_values_and_nothing_inside_them() {
        assert_eq!(values("a.k=2, 2.5,3"), ["2", "2.5", "3"]);
        assert_eq!(values("loss=mse,smooth_k2"), ["mse", "smooth_k2"]);
        assert_eq!(
            values(r#"o={ loss = "mse" },{ a = [1, 2], loss = "l1" }"#),
            [r#"{ loss = "mse" }"#, r#"{ a = [1, 2], loss = "l1" }"#]
        );
        assert_eq!(values("x=[1, 2],[3]"), ["[1, 2]", "[3]"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("k", "expected key=value"),
            ("=1", "the key is empty"),
            ("k=", "a value is empty"),
            ("k=a,,b", "a value is empty"),
            ("k=1,1", "given twice"),
            ("seed=1,2", "--seeds"),
        ] {
            let error = Axis::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let axis = Axis::parse("k=1").unwrap();
        assert!(Grid::new(&one(), &[axis.clone(), axis], vec![1]).is_err());
        assert!(Grid::new(&one(), &[], vec![1, 1]).is_err());
    }

    #[test]
    fn every_combination_has_a_row_and_a_folder() {
        let axes = [
            Axis::parse("stage.0.objective.k=2,3").unwrap(),
            Axis::parse("stage.0.objective.x0=0.2,0.25,0.3").unwrap(),
        ];
        let grid = Grid::new(&one(), &axes, vec![1, 2]).unwrap();
        assert_eq!((grid.rows.len(), grid.cells()), (6, 12));
        assert_eq!(grid.rows[1].label(), "k=2, x0=0.25");
        let folders = grid
            .rows
            .iter()
            .flat_map(|row| grid.seeds.iter().map(|&seed| row.folder(seed)));
        let folders: HashSet<String> = folders.collect();
        assert_eq!(folders.len(), 12);
        assert!(folders.iter().all(|f| !f.contains(['/', ' ', '\\'])));
    }

    #[test]
    fn rows_that_look_alike_have_different_folders() {
        let row = |setting: &str| GridRow {
            recipe: String::new(),
            settings: vec![setting.to_owned()],
        };
        assert_ne!(row("a.k=1").folder(1), row("b.k=1").folder(1));
        let alone = Grid::new(&one(), &[], vec![7]).unwrap();
        assert_eq!(alone.rows[0].label(), "as given");
    }

    #[test]
    fn several_recipes_are_told_apart() {
        let names = ["a/small".to_owned(), "b/small".to_owned()];
        let axes = [Axis::parse("seedling=1,2").unwrap()];
        let grid = Grid::new(&names, &axes, vec![1]).unwrap();
        let labels: Vec<String> = grid.rows.iter().map(GridRow::label).collect();
        assert_eq!(labels[0], "a/small, seedling=1");
        assert_eq!(labels[3], "b/small, seedling=2");
        let folders: HashSet<String> = grid.rows.iter().map(|row| row.folder(1)).collect();
        assert_eq!(folders.len(), 4);
        let twice = [names[0].clone(), names[0].clone()];
        assert!(Grid::new(&twice, &[], vec![1]).is_err());
    }
}
