use super::{Page, all_right};
use crate::args::Cli;
use clap::CommandFactory;
use gradus::families::Architecture;
use gradus::losses::{LossName, ScoreLossName};
use std::collections::BTreeSet;

/// The names of all losses, from what a recipe with another one is told.
fn losses() -> BTreeSet<String> {
    let unknown = serde_json::from_str::<LossName>("\"no loss\"").unwrap_err();
    let said = unknown.to_string();
    let names = said.split('`').skip(3).step_by(2).map(str::to_owned);
    let names: BTreeSet<String> = names.collect();
    assert!(names.contains("mse") && names.len() > 10, "{said}");
    names
}

/// The paragraph of the README that lists the losses names these and no other.
#[test]
fn pages_list_every_loss() {
    let readme = Page::read("README.md");
    let mut paragraphs = readme.prose.split("\n\n");
    let listed = paragraphs.find(|p| p.starts_with("Its losses:"));
    let listed = listed.expect("a paragraph that begins with `Its losses:`");
    let listed = listed.split('`').skip(1).step_by(2).map(str::to_owned);
    assert_eq!(listed.collect::<BTreeSet<_>>(), losses());
    let spans = Page::read("docs/recipes.md").spans().into_iter();
    let spans: BTreeSet<String> = spans.map(|s| s.trim_matches('"').to_owned()).collect();
    let missing: Vec<_> = losses().difference(&spans).cloned().collect();
    assert!(missing.is_empty(), "docs/recipes.md: {missing:?}");
}

/// The page on cross-encoders has a row for every loss of scores.
#[test]
fn the_page_on_cross_encoders_lists_every_loss() {
    let page = Page::read("docs/cross-encoders.md").prose;
    for loss in ScoreLossName::ALL {
        let name = loss.in_recipe().replace("loss = ", "");
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
}

/// All families. The match fails to compile where one is new: it belongs into
/// the list, README.md and docs/models.md.
fn families() -> Vec<Architecture> {
    use Architecture::*;
    let all = [
        Bert,
        Roberta,
        XlmRoberta,
        DistilBert,
        NomicBert,
        JinaBert,
        JinaBertQkNorm,
        Electra,
        MpNet,
    ];
    for family in all {
        match family {
            Bert | Roberta | XlmRoberta | DistilBert | NomicBert | JinaBert | JinaBertQkNorm
            | Electra | MpNet => {}
        }
    }
    all.to_vec()
}

#[test]
fn pages_list_every_family() {
    let mut wrong = Vec::new();
    for name in ["README.md", "docs/models.md"] {
        let page = Page::read(name)
            .prose
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        for family in families() {
            let family = family.name().split(" (").next().unwrap_or_default();
            if !page.contains(family) {
                wrong.push(format!("{name}: {family} is missing"));
            }
        }
    }
    all_right(&wrong);
}

fn numbers(list: &str) -> Vec<u8> {
    list.split(", ").map(|code| code.parse().unwrap()).collect()
}

/// README.md, --help and the code have the same exit codes.
#[test]
fn pages_list_every_exit_code() {
    let help = Cli::command().get_after_help().unwrap().to_string();
    let (_, help) = help.split_once("Exit codes:\n").unwrap();
    let in_help: Vec<(&str, &str)> = help
        .lines()
        .filter_map(|line| line.trim().split_once("  "))
        .collect();
    let codes: Vec<u8> = in_help
        .iter()
        .flat_map(|(codes, _)| numbers(codes))
        .collect();
    // The codes of signals lie above all others.
    let (own, signals): (Vec<u8>, Vec<u8>) = codes.iter().partition(|code| **code < 128);
    assert_eq!(own, crate::exit::CODES);
    assert!(signals.iter().all(|code| *code > 128), "{signals:?}");
    let readme = Page::read("README.md").prose;
    let (_, table) = readme.split_once("| exit code | meaning |").unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let in_readme: Vec<(&str, &str)> = rows
        .map(|row| row.trim_matches('|').split_once('|').unwrap())
        .map(|(code, meaning)| (code.trim(), meaning.trim()))
        .collect();
    assert_eq!(in_readme.len(), in_help.len());
    for ((code, meaning), (other, said)) in in_help.iter().zip(&in_readme) {
        assert_eq!(code, other);
        assert!(
            said.starts_with(meaning),
            "{code}: {said:?}, in --help {meaning:?}"
        );
    }
}

/// README.md has a row for every command.
#[test]
fn pages_list_every_command() {
    let readme = Page::read("README.md").prose;
    for command in Cli::command().get_subcommands() {
        let row = format!("| `gradus {}", command.get_name());
        assert!(readme.contains(&row), "{row}");
    }
}
