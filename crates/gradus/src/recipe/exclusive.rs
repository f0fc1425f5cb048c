//! Keys of a recipe that exclude each other: `--set` of one replaces the others.

use toml::{Table, Value};

/// What setting a key means for the keys beside it.
struct Rule {
    /// Tables that have it; `*` is any entry of a list.
    tables: &'static [&'static str],
    key: &'static str,
    /// Keys that say the same in another way.
    replaces: &'static [&'static str],
    /// Keys that belong to one of those.
    with: &'static [&'static str],
}

const SOURCES: &[&str] = &["stage.*.train.*", "evaluation.dev"];

const RULES: &[Rule] = &[
    Rule {
        tables: &["stage.*"],
        key: "steps",
        replaces: &["epochs"],
        with: &[],
    },
    Rule {
        tables: &["stage.*"],
        key: "epochs",
        replaces: &["steps"],
        with: &[],
    },
    Rule {
        tables: &[""],
        key: "template",
        replaces: &["pooling"],
        with: &[],
    },
    Rule {
        tables: &[""],
        key: "pooling",
        replaces: &["template"],
        with: &["denoise"],
    },
    Rule {
        tables: SOURCES,
        key: "path",
        replaces: &["dataset"],
        with: &["split"],
    },
    Rule {
        tables: SOURCES,
        key: "dataset",
        replaces: &["path"],
        with: &[
            "format",
            "header",
            "quoting",
            "delimiter",
            "first",
            "second",
            "label",
            "negative",
            "weight",
            "tolerance",
        ],
    },
    Rule {
        tables: SOURCES,
        key: "label",
        replaces: &["negative"],
        with: &[],
    },
    Rule {
        tables: SOURCES,
        key: "negative",
        replaces: &["label"],
        with: &[],
    },
];

/// The table and the key in it that a path with dots names.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

fn rule(path: &str) -> Option<&'static Rule> {
    let (table, key) = split(path);
    let fits = |pattern: &str| {
        let (mut pattern, mut parts) = (pattern.split('.'), table.split('.'));
        loop {
            match (pattern.next(), parts.next()) {
                (None, None) => return true,
                (Some("*"), Some(part)) if part.parse::<usize>().is_ok() => {}
                (Some(wanted), Some(part)) if wanted == part => {}
                _ => return false,
            }
        }
    };
    RULES
        .iter()
        .find(|r| r.key == key && r.tables.iter().any(|pattern| fits(pattern)))
}

/// Whether two paths to keys of a recipe, such as `stage.0.steps` and
/// `stage.0.epochs`, say the same in two ways, so that only one can be obeyed.
pub fn exclude_each_other(a: &str, b: &str) -> bool {
    let ((table_a, _), (table_b, key_b)) = (split(a), split(b));
    table_a == table_b && rule(a).is_some_and(|rule| rule.replaces.contains(&key_b))
}

/// Takes out of a recipe what the keys at `set` replace.
pub(crate) fn take_out_replaced(recipe: &mut Table, set: &[&str]) {
    for path in set {
        let (Some(rule), (table, _)) = (rule(path), split(path)) else {
            continue;
        };
        let Some(table_there) = table_at(recipe, table) else {
            continue;
        };
        let is_set = |key: &str| set.iter().any(|other| split(other) == (table, key));
        let replaced = rule.replaces.iter();
        let had: Vec<_> = replaced
            .filter_map(|key| table_there.remove(*key))
            .collect();
        // What belonged to the other stays where there was no other.
        if !had.is_empty() {
            for key in rule.with.iter().filter(|key| !is_set(key)) {
                table_there.remove(*key);
            }
        }
    }
}

fn table_at<'a>(root: &'a mut Table, path: &str) -> Option<&'a mut Table> {
    if path.is_empty() {
        return Some(root);
    }
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(f, r)| (f, Some(r)));
    let mut at = root.get_mut(first)?;
    for part in rest.into_iter().flat_map(|rest| rest.split('.')) {
        at = match at {
            Value::Table(table) => table.get_mut(part)?,
            Value::Array(list) => list.get_mut(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    at.as_table_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_within_their_table() {
        for (a, b, exclude) in [
            ("stage.0.steps", "stage.0.epochs", true),
            ("stage.0.epochs", "stage.0.steps", true),
            ("stage.0.steps", "stage.1.epochs", false),
            ("stage.0.steps", "stage.0.steps", false),
            ("template", "pooling", true),
            ("evaluation.dev.path", "evaluation.dev.dataset", true),
            ("stage.1.train.2.dataset", "stage.1.train.2.path", true),
            ("stage.1.train.2.path", "stage.1.train.2.split", false),
            ("steps", "epochs", false),
        ] {
            assert_eq!(exclude_each_other(a, b), exclude, "{a} {b}");
            assert_eq!(exclude_each_other(b, a), exclude, "{b} {a}");
        }
    }
}
