//! Reading recipes, with `--set key=value` on top.

use super::exclusive::{exclude_each_other, take_out_replaced};
use super::{Recipe, foreign};
use crate::training::TrainError;
use serde::de::DeserializeOwned;
use std::path::Path;
use toml::{Table, Value};

/// Parses a recipe and applies overrides of the form `key=value`. A key is a
/// path with dots; list entries are counted from 0: `stage.0.learning_rate`.
///
/// # Errors
/// [`TrainError::Recipe`] with the line, and a suggestion for an unknown key;
/// [`TrainError::Override`].
pub fn parse_recipe(path: &Path, text: &str, overrides: &[String]) -> Result<Recipe, TrainError> {
    let recipe: Recipe = parse(path, text, overrides)?;
    recipe.validate_at(path)?;
    Ok(recipe)
}

/// A recipe of some kind, not validated yet.
pub(super) fn parse<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    overrides: &[String],
) -> Result<T, TrainError> {
    let with = |message: String, recipe: Option<&Table>| TrainError::Recipe {
        path: path.to_path_buf(),
        message: with_suggestion(message.trim_end().to_owned(), recipe),
    };
    let fail = |message: String| with(message, None);
    if overrides.is_empty() {
        // Straight from the text, so that errors show the line.
        return toml::from_str(text)
            .map_err(|e| with(e.to_string(), toml::from_str(text).ok().as_ref()));
    }
    let mut table: Table = toml::from_str(text).map_err(|e| fail(e.to_string()))?;
    apply_overrides(&mut table, overrides)?;
    Value::Table(table.clone())
        .try_into()
        .map_err(|e: toml::de::Error| with(e.to_string(), Some(&table)))
}

/// Sets values in a table. What a value replaces, as `steps` replaces `epochs`,
/// is taken out.
///
/// # Errors
/// [`TrainError::Override`] where an assignment has no `=`, its path leads
/// through something that is no table or list, or two of them exclude each other.
pub fn apply_overrides(table: &mut Table, overrides: &[String]) -> Result<(), TrainError> {
    set_all(table, overrides)?;
    let key = |assignment: &'_ String| -> String {
        let key = assignment.split('=').next().unwrap_or_default();
        key.trim().to_owned()
    };
    let keys: Vec<String> = overrides.iter().map(key).collect();
    for (i, a) in keys.iter().enumerate() {
        if let Some(j) = keys[..i].iter().position(|b| exclude_each_other(a, b)) {
            return Err(TrainError::Override {
                assignment: overrides[i].clone(),
                message: format!(
                    "it and {} exclude each other; set one of them",
                    overrides[j]
                ),
            });
        }
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    take_out_replaced(table, &keys);
    Ok(())
}

fn set_all(table: &mut Table, overrides: &[String]) -> Result<(), TrainError> {
    for assignment in overrides {
        let fail = |message: &str| TrainError::Override {
            assignment: assignment.clone(),
            message: message.to_owned(),
        };
        let (key, value) = assignment
            .split_once('=')
            .ok_or_else(|| fail("expected key=value, as in stage.0.learning_rate=2e-5"))?;
        let value = parse_value(value.trim());
        let mut parts = key.trim().split('.').peekable();
        let first = parts
            .next()
            .filter(|k| !k.is_empty())
            .ok_or_else(|| fail("the key is empty"))?;
        let Some(mut next) = parts.next() else {
            table.insert(first.to_owned(), value);
            continue;
        };
        let mut at = table
            .entry(first)
            .or_insert_with(|| Value::Table(Table::new()));
        loop {
            let last = parts.peek().is_none();
            at = match at {
                Value::Table(table) if last => {
                    table.insert(next.to_owned(), value);
                    break;
                }
                Value::Table(table) => table
                    .entry(next)
                    .or_insert_with(|| Value::Table(Table::new())),
                Value::Array(list) => {
                    let len = list.len();
                    let entry = next.parse::<usize>().ok().and_then(|i| list.get_mut(i));
                    let entry = entry.ok_or_else(|| {
                        fail(&format!(
                            "`{next}` is no entry of a list of {len} (they count from 0)"
                        ))
                    })?;
                    if last {
                        *entry = value;
                        break;
                    }
                    entry
                }
                _ => return Err(fail(&format!("`{next}` lies below a plain value"))),
            };
            let Some(following) = parts.next() else { break };
            next = following;
        }
    }
    Ok(())
}

/// A TOML value, or else a string.
fn parse_value(text: &str) -> Value {
    toml::from_str::<Table>(&format!("x = {text}"))
        .ok()
        .and_then(|mut t| t.remove("x"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Adds to serde's message about an unknown name what it is called here, or the
/// nearest known name.
fn with_suggestion(message: String, recipe: Option<&Table>) -> String {
    let quoted = |text: &str| -> Vec<String> {
        text.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    for kind in ["unknown field `", "unknown variant `"] {
        let Some(at) = message.find(kind) else {
            continue;
        };
        let names = quoted(&message[at..]);
        let Some((unknown, known)) = names.split_first() else {
            continue;
        };
        let elsewhere = match kind {
            "unknown field `" => foreign::key(unknown, recipe),
            _ => foreign::loss(unknown),
        };
        if let Some(elsewhere) = elsewhere {
            return format!("{message}\n{elsewhere}");
        }
        let nearest = known
            .iter()
            .map(|k| (strsim::damerau_levenshtein(k, unknown), k))
            .min()
            .filter(|(d, k)| *d <= 1 + k.len() / 3);
        if let Some((_, nearest)) = nearest {
            return format!("{message}\nDid you mean `{nearest}`?");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::{RegressionSettings, SmoothK2Settings};

    const RECIPE: &str = r#"
        model = "m"
        [[stage]]
        name = "one"
        learning_rate = 1e-4
        epochs = 2
        objective = { loss = "mse" }
        train = [{ path = "a.tsv" }]
    "#;

    fn parse(overrides: &[&str]) -> Result<Recipe, String> {
        let overrides: Vec<String> = overrides.iter().map(|s| (*s).to_owned()).collect();
        parse_recipe(Path::new("r.toml"), RECIPE, &overrides).map_err(|e| e.to_string())
    }

    #[test]
    fn overrides_reach_every_depth() {
        let recipe = parse(&[
            "seed=3",
            "model=some/folder",
            "stage.0.learning_rate=2e-5",
            "stage.0.objective.loss = smooth_k2",
            "stage.0.objective.k=3.5",
            "stage.0.train.0.path=b.tsv",
            "evaluation.every=7",
        ])
        .unwrap();
        assert_eq!((recipe.seed, recipe.model.as_str()), (3, "some/folder"));
        assert_eq!(recipe.stages[0].learning_rate, 2e-5);
        let k = SmoothK2Settings {
            k: 3.5,
            ..SmoothK2Settings::default()
        };
        assert_eq!(
            recipe.stages[0].objective,
            RegressionSettings::head(k).into()
        );
        assert_eq!(
            recipe.stages[0].train[0].path.as_deref(),
            Some(Path::new("b.tsv"))
        );
        assert_eq!(recipe.evaluation.every, Some(7));
    }

    #[test]
    fn mistakes_are_named() {
        for (overrides, part) in [
            (
                &["stage.0.learning_rte=1"][..],
                "Did you mean `learning_rate`?",
            ),
            (
                &["stage.0.objective.loss=smoth_k2"],
                "Did you mean `smooth_k2`?",
            ),
            (&["stage.1.batch=1"], "no entry of a list of 1"),
            (&["model.x=1"], "below a plain value"),
            (&["seed"], "expected key=value"),
            (&["stage.0.warmup=1.5"], "`warmup` is 1.5"),
            (
                &["stage.0.steps=5", "stage.0.epochs=1"],
                "it and stage.0.steps=5 exclude each other",
            ),
            (&["stage.0.batch_size=8"], "Did you mean `batch = 8`"),
            (
                &["stage.0.objective.loss=MultipleNegativesRankingLoss"],
                "Did you mean `loss = \"info_nce\"`",
            ),
            (&["stage.0.objective=cosent"], "objective = { loss = "),
            (
                &["stage.0.objective={loss=\"cosent\",scale=20}"],
                "`temperature = 0.05`",
            ),
            (&["stage.0.batch=0"], "`batch` is 0"),
            (&["stage.0.learning_rate=nan"], "`learning_rate` is NaN"),
        ] {
            let error = parse(overrides).unwrap_err();
            assert!(error.contains(part), "{overrides:?}: {error}");
        }
        let error = parse_recipe(Path::new("r.toml"), "modle = 'm'\n", &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("Did you mean `model`?") && error.contains("line 1"),
            "{error}"
        );
    }

    #[test]
    fn a_key_replaces_what_it_excludes() {
        let recipe = parse(&["stage.0.steps=100"]).unwrap();
        assert_eq!(
            (recipe.stages[0].steps, recipe.stages[0].epochs),
            (Some(100), None)
        );
        let with_steps = RECIPE.replace("epochs = 2", "steps = 7");
        let set = ["stage.0.epochs=0.5".to_owned()];
        let recipe = parse_recipe(Path::new("r.toml"), &with_steps, &set).unwrap();
        assert_eq!(
            (recipe.stages[0].steps, recipe.stages[0].epochs),
            (None, Some(0.5))
        );
        // A file in place of a data set, and what belonged to that goes with it.
        let known = RECIPE.replace("path = \"a.tsv\"", "dataset = \"stsb\", split = \"train\"");
        let set = ["stage.0.train.0.path=b.tsv".to_owned()];
        let recipe = parse_recipe(Path::new("r.toml"), &known, &set).unwrap();
        let source = &recipe.stages[0].train[0];
        assert_eq!((&source.dataset, source.split), (&None, None));
        source.validate().unwrap();
        // The split of a file that names each row's stays.
        let split = RECIPE.replace("path = \"a.tsv\"", "path = \"a.tsv\", split = \"train\"");
        let recipe = parse_recipe(Path::new("r.toml"), &split, &set).unwrap();
        assert!(recipe.stages[0].train[0].split.is_some());
        let pooled = format!("pooling = \"cls\"\n{RECIPE}");
        let set = ["template=This: {} means [MASK].".to_owned()];
        let recipe = parse_recipe(Path::new("r.toml"), &pooled, &set).unwrap();
        assert!(recipe.pooling.is_none() && recipe.template.is_some());
    }

    #[test]
    fn a_resolved_recipe_reads_back() {
        let recipe = parse(&[]).unwrap();
        let text = toml::to_string(&recipe).unwrap();
        assert_eq!(
            parse_recipe(Path::new("r.toml"), &text, &[]).unwrap(),
            recipe
        );
    }
}
