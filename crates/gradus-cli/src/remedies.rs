//! What to do about bad data, in the words of the command that found it.

use crate::args::Cli;
use clap::{Command, CommandFactory};
use gradus::data::Remedy;

/// Commands whose data a recipe describes.
const OF_RECIPES: &[&str] = &["train", "sweep", "self-distill"];

/// A front end: one command of the command line.
pub struct FrontEnd {
    name: &'static str,
    command: Command,
}

impl FrontEnd {
    /// That of a command, by the words that call it.
    pub fn of(path: &[&'static str]) -> Self {
        let mut command = Cli::command();
        for name in path {
            command = match command.find_subcommand(name) {
                Some(found) => found.clone(),
                None => command,
            };
        }
        let name = path.first().copied().unwrap_or_default();
        Self { name, command }
    }

    /// A remedy as this command says it; nothing if it has no such option.
    pub fn say(&self, remedy: &Remedy) -> Option<String> {
        if OF_RECIPES.contains(&self.name) {
            return Some(remedy.as_key());
        }
        let (option, value, why) = match remedy {
            Remedy::Plain(text) => return Some(text.to_string()),
            Remedy::Delimiter('\t') => ("delimiter", "tab".into(), ""),
            Remedy::Delimiter(c) => ("delimiter", format!("'{c}'"), ""),
            Remedy::Quoting(true) => ("quoting", "on".into(), " if quotes enclose cells"),
            Remedy::Quoting(false) => ("quoting", "off".into(), " if quotes are text"),
            Remedy::Header(true) => ("header", String::new(), " if the first row holds names"),
            Remedy::Header(false) => ("no-header", String::new(), " if the first row is data"),
            Remedy::Columns => ("columns", "FIRST,SECOND".into(), ""),
            Remedy::Label => ("columns", "FIRST,SECOND,LABEL".into(), ""),
            Remedy::Text => ("column", "NAME".into(), ""),
            Remedy::Format(format) => ("pairs-format", format.name().into(), ""),
            Remedy::Split => ("split", "train".into(), " (or dev, test)"),
            Remedy::NoSplit => return self.has("split").then(|| "leave out --split".into()),
            Remedy::Skip(label) => {
                let value = format!("'{}'", label.replace('\'', r"'\''"));
                ("skip-label", value, " to leave such pairs out")
            }
            Remedy::Classes => ("classes", "NAME=NUMBER,...".into(), " for classes"),
            Remedy::DecimalComma => ("decimal", "comma".into(), " if that is a decimal comma"),
            Remedy::DecimalPoint => ("decimal", "point".into(), " if that is a decimal point"),
            _ => return None,
        };
        let value = match value.is_empty() {
            true => value,
            false => format!(" {value}"),
        };
        self.has(option)
            .then(|| format!("add --{option}{value}{why}"))
    }

    fn has(&self, option: &str) -> bool {
        let mut options = self.command.get_arguments();
        options.any(|argument| argument.get_long() == Some(option))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const COMMANDS: &[&[&str]] = &[
        &["quickstart"],
        &["pretrain"],
        &["distill"],
        &["label"],
        &["eval"],
        &["report"],
        &["score"],
        &["rerank"],
        &["index", "build"],
        &["index", "add"],
        &["search"],
        &["cluster"],
        &["dedupe"],
        &["mine"],
        &["serve"],
        &["calibrate"],
        &["quantize"],
        &["encode"],
        &["mine-negatives"],
        &["bench"],
        &["info"],
        &["pull"],
        &["negatives"],
        &["data", "overlap"],
    ];

    #[test]
    fn every_command_is_looked_at() {
        let command = Cli::command();
        let all: BTreeSet<&str> = command.get_subcommands().map(|c| c.get_name()).collect();
        let known = COMMANDS.iter().map(|path| path[0]);
        let known: BTreeSet<&str> = known.chain(OF_RECIPES.iter().copied()).collect();
        let missing: Vec<_> = all.difference(&known).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_option_that_a_remedy_names_is_taken_as_printed() {
        for path in COMMANDS {
            let front = FrontEnd::of(path);
            for remedy in Remedy::examples() {
                let Some(said) = front.say(&remedy) else {
                    continue;
                };
                assert!(!said.contains('`'), "{path:?}: a key: {said}");
                let words: Vec<&str> = said.split_whitespace().collect();
                let Some(at) = words.iter().position(|word| word.starts_with("--")) else {
                    continue;
                };
                let long = words[at].trim_start_matches('-');
                let mut options = front.command.get_arguments();
                let option = options.find(|o| o.get_long() == Some(long));
                let option = option.unwrap_or_else(|| panic!("{path:?} has no --{long}"));
                // The value is one of those that there are, where these are named.
                if let Some(value) = words.get(at + 1)
                    && option.get_action().takes_values()
                {
                    let values = option.get_possible_values();
                    let bare = value.trim_matches('\'');
                    let fits = values.is_empty() || values.iter().any(|v| v.get_name() == bare);
                    assert!(fits, "{path:?}: {said}");
                }
            }
        }
    }

    #[test]
    fn commands_that_read_pairs_have_all_that_is_about_them() {
        for path in [
            &["score"][..],
            &["eval"],
            &["calibrate"],
            &["distill"],
            &["pretrain"],
            &["negatives"],
            &["data", "overlap"],
        ] {
            let front = FrontEnd::of(path);
            for option in [
                "columns",
                "header",
                "no-header",
                "pairs-format",
                "delimiter",
            ] {
                assert!(front.has(option), "{path:?}: --{option}");
            }
            for option in ["quoting", "decimal", "split"] {
                assert!(front.has(option), "{path:?}: --{option}");
            }
        }
        for path in [
            &["encode"][..],
            &["bench"],
            &["index", "build"],
            &["index", "add"],
            &["search"],
        ] {
            let front = FrontEnd::of(path);
            for option in [
                "column",
                "header",
                "no-header",
                "pairs-format",
                "delimiter",
                "quoting",
            ] {
                assert!(front.has(option), "{path:?}: --{option}");
            }
        }
    }
}
