//! What is done with each key of a model folder's descriptions: one list per
//! file. A key that no list has is refused by name, so that nothing in a folder
//! is passed over by accident.

mod config;
mod modules;
mod tokenizer;

pub(crate) use config::{ROPE, config_of};
pub(crate) use modules::{DENSE, MODULE, NORMALIZE, POOLING, PROMPTS, TEMPLATE, TRANSFORMER};
pub(crate) use tokenizer::{SPECIAL_TOKENS, TOKENIZER};

use serde_json::Value;

/// What is done with a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Treatment {
    /// It is read, and does what its library says.
    Obeyed,
    /// It changes no vector, for this reason.
    NoEffect(&'static str),
    /// These values, as JSON, change nothing; others are refused, for what they
    /// would do.
    Only(&'static [&'static str], &'static str),
}

/// Keys that are treated alike.
pub(crate) type Group = (Treatment, &'static [&'static str]);

/// The keys of one file, or of one kind of object in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Keys {
    /// The file, for the documentation.
    pub title: &'static str,
    /// Later groups add to earlier ones.
    pub groups: &'static [&'static [Group]],
}

/// What is wrong with a key.
pub(crate) enum Problem {
    /// No list has it.
    Unknown,
    /// Its value is not one of these, which matter for this reason.
    Value(&'static [&'static str], &'static str),
}

impl Keys {
    /// How `key` is treated, if it is known.
    pub fn treatment(&self, key: &str) -> Option<Treatment> {
        let groups = self.groups.iter().flat_map(|list| list.iter());
        let found = groups.filter(|(_, keys)| keys.contains(&key));
        found.map(|(treatment, _)| *treatment).next()
    }

    /// What is wrong with a key and its value. Null counts as absent, as in the
    /// libraries that write these files.
    pub fn problem(&self, key: &str, value: &Value) -> Option<Problem> {
        if value.is_null() {
            return None;
        }
        match self.treatment(key) {
            None => Some(Problem::Unknown),
            Some(Treatment::Only(values, why)) => {
                let is =
                    |text: &&str| serde_json::from_str::<Value>(text).is_ok_and(|v| v == *value);
                (!values.iter().any(is)).then_some(Problem::Value(values, why))
            }
            Some(Treatment::Obeyed | Treatment::NoEffect(_)) => None,
        }
    }

    /// Whether a reader may look at `key`.
    pub fn is_read(&self, key: &str) -> bool {
        !matches!(self.treatment(key), None | Some(Treatment::NoEffect(_)))
    }
}

/// Every list, in the order of the documentation.
#[cfg(test)]
fn all() -> Vec<Keys> {
    let mut all = vec![
        MODULE,
        TRANSFORMER,
        crate::model::transformer::MODEL_KWARGS,
        crate::model::transformer::CONFIG_KWARGS,
        crate::model::transformer::PROCESSING,
        crate::model::transformer::PROCESSING_TEXT,
        POOLING,
        DENSE,
        NORMALIZE,
        TEMPLATE,
        PROMPTS,
        TOKENIZER,
        SPECIAL_TOKENS,
    ];
    all.extend(config::ALL);
    all
}

/// The lists as a page shows them.
#[cfg(test)]
fn page() -> String {
    let mut page = String::new();
    let names = |keys: &[&str]| {
        let quoted: Vec<String> = keys.iter().map(|k| format!("`{k}`")).collect();
        quoted.join(", ")
    };
    for list in all() {
        page += &format!("\n### {}\n\n", list.title);
        for (treatment, keys) in list.groups.iter().flat_map(|g| g.iter()) {
            let treatment = match treatment {
                Treatment::Obeyed => "obeyed".to_owned(),
                Treatment::NoEffect(why) => format!("without effect ({why})"),
                Treatment::Only([], why) => format!("refused ({why})"),
                Treatment::Only(values, why) => {
                    format!("refused unless {} ({why})", values.join(" or "))
                }
            };
            page += &format!("- **{treatment}**: {}\n", names(keys));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_list_has_a_key_twice() {
        for list in all() {
            let keys = list.groups.iter().flat_map(|g| g.iter());
            let mut keys: Vec<&str> = keys.flat_map(|(_, keys)| keys.iter().copied()).collect();
            keys.sort_unstable();
            let twice = keys.windows(2).find(|pair| pair[0] == pair[1]);
            assert_eq!(twice, None, "{}", list.title);
        }
    }

    /// The page of the documentation holds these lists. `GRADUS_WRITE_DOCS=1`
    /// writes them into it.
    #[test]
    fn the_documentation_lists_every_key() {
        const BEGIN: &str = "<!-- keys: written by a test, see model/keys -->\n";
        const END: &str = "<!-- end of keys -->\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/models.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (before, rest) = text.split_once(BEGIN).expect("the page's begin mark");
        let (found, after) = rest.split_once(END).expect("the page's end mark");
        if std::env::var_os("GRADUS_WRITE_DOCS").is_some() {
            let text = format!("{before}{BEGIN}{}\n{END}{after}", page());
            std::fs::write(path, text).unwrap();
            return;
        }
        assert!(
            found.trim() == page().trim(),
            "docs/models.md lags; run this test with GRADUS_WRITE_DOCS=1"
        );
    }
}
