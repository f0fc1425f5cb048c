use super::{Page, all_files, all_right, pages, root};
use crate::args::Cli;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use std::collections::HashSet;
use std::fs;

/// Stands before a quoted character that would part commands.
const QUOTED: char = '\u{fdd0}';

/// The words of a command line as a shell makes them; `None` where a quote is
/// not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            // No separator of commands where it is quoted.
            (Some(_), ';' | '|' | '&') => word.get_or_insert_default().extend([QUOTED, c]),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// The arguments of each `gradus` in a line of a shell: its parts between `&&`,
/// `|` and `;`, without redirections.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line
        .trim()
        .trim_start_matches("$ ")
        .replace("cargo run --release --", "gradus");
    let Some(words) = words(&line) else {
        return vec![];
    };
    let mut found = Vec::new();
    for part in words.split(|w| ["&&", "|", ";", "&"].contains(&w.as_str())) {
        let set = |w: &&String| {
            w.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
            })
        };
        let mut rest = part.iter().skip_while(set);
        if rest.next().is_none_or(|w| w != "gradus") {
            continue;
        }
        let mut command = vec!["gradus".to_owned()];
        while let Some(word) = rest.next() {
            match word.as_str() {
                "<" | ">" | "2>" => drop(rest.next()),
                "#" => break,
                _ => command.push(word.replace(QUOTED, "")),
            }
        }
        found.push(command);
    }
    found
}

/// What is wrong with a command; with `part`, one that only names what it is
/// about may lack arguments.
fn wrong(command: &[String], part: bool) -> Option<String> {
    // `FILE...` and `[FILE]` stand for a file.
    let bare = command.iter().map(|w| {
        let w = w.trim_start_matches('[').trim_end_matches(']');
        w.strip_suffix("...").unwrap_or(w).to_owned()
    });
    let mut bare: Vec<String> = bare.collect();
    if part && bare.last().is_some_and(|last| last.starts_with("--")) {
        let flag = Cli::try_parse_from(&bare);
        if flag
            .as_ref()
            .is_err_and(|e| e.kind() == ErrorKind::InvalidValue)
        {
            bare.push("KEY=1".into());
        }
    }
    match Cli::try_parse_from(&bare) {
        Ok(_) => None,
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => None,
        Err(e) if part && lacks(e.kind()) => None,
        Err(e) => Some(format!("`{}`: {e}", command.join(" "))),
    }
}

fn lacks(kind: ErrorKind) -> bool {
    use ErrorKind::*;
    matches!(
        kind,
        MissingRequiredArgument | MissingSubcommand | DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// The lines of a block, those that end in a backslash joined with the next.
fn joined(lines: &[String]) -> Vec<String> {
    let text = lines.join("\n").replace("\\\n", " ");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_pages_is_understood() {
    let (mut found, mut checked) = (Vec::new(), 0);
    for page in pages() {
        let shells = ["sh", "console", "bash", ""];
        let blocks = page.blocks.iter();
        for block in blocks.filter(|b| shells.contains(&b.language.as_str())) {
            for command in joined(&block.lines).iter().flat_map(|line| commands(line)) {
                checked += 1;
                // A page shows this mistake with the answer to it.
                if command.iter().any(|w| w.contains("learning_rte")) {
                    continue;
                }
                found.extend(wrong(&command, false).map(|w| format!("{}: {w}", page.name)));
            }
        }
        let spans = page.spans();
        for span in spans.iter().filter(|s| s.starts_with("gradus ")) {
            for command in commands(span) {
                checked += 1;
                found.extend(wrong(&command, true).map(|w| format!("{}: {w}", page.name)));
            }
        }
    }
    assert!(checked > 100, "only {checked} commands");
    all_right(&found);
}

/// Each command with those below it.
fn all(command: &clap::Command, found: &mut Vec<clap::Command>) {
    found.push(command.clone());
    for sub in command.get_subcommands() {
        all(sub, found);
    }
}

fn every_command() -> Vec<clap::Command> {
    let mut found = Vec::new();
    all(&Cli::command(), &mut found);
    found
}

#[test]
fn every_example_of_the_help_is_understood() {
    let (mut found, mut checked) = (Vec::new(), 0);
    for command in every_command() {
        let help = command.get_after_help().map(ToString::to_string);
        for line in help.unwrap_or_default().lines() {
            for example in commands(line) {
                checked += 1;
                found.extend(wrong(&example, false));
            }
        }
        // What stands between back quotes is named in passing.
        let about = command.get_arguments().filter_map(|a| a.get_help());
        let about: Vec<String> = about.map(ToString::to_string).collect();
        let texts = about.iter().map(String::as_str);
        let after = command.get_after_help().map(ToString::to_string);
        for text in texts.chain(after.as_deref()) {
            for span in text.split('`').skip(1).step_by(2) {
                for example in commands(span) {
                    checked += 1;
                    found.extend(wrong(&example, true));
                }
            }
        }
    }
    assert!(checked > 40, "only {checked} examples");
    all_right(&found);
}

#[test]
fn every_option_that_a_page_names_is_there() {
    let commands = every_command();
    let options = commands.iter().flat_map(|c| c.get_arguments());
    let names = options
        .filter_map(|a| a.get_long())
        .map(|n| format!("--{n}"));
    let mut there: HashSet<String> = names.collect();
    there.extend(["--help".to_owned(), "--version".to_owned()]);
    // Scripts beside the program have options of their own.
    let scripts = all_files().into_iter().filter(|name| name.ends_with(".py"));
    let scripts = scripts.map(|name| fs::read_to_string(root().join(name)).unwrap());
    let scripts: Vec<String> = scripts.collect();
    let of_script = |option: &str| {
        let quoted = format!("\"{option}\"");
        scripts.iter().any(|script| script.contains(&quoted))
    };
    let mut wrong = Vec::new();
    let of_scripts = |page: &&Page| !["bench/", "fuzz/"].iter().any(|f| page.name.starts_with(f));
    for page in pages().iter().filter(of_scripts) {
        for span in page.spans().iter().filter(|s| s.starts_with("--")) {
            let option = span.split([' ', '=']).next().unwrap_or_default();
            if !there.contains(option) && !of_script(option) {
                wrong.push(format!("{}: `{span}`: no such option", page.name));
            }
        }
    }
    all_right(&wrong);
}

#[test]
fn commands_are_cut_from_lines() {
    let cut = commands("$ A=1 gradus score m < 'x y' | paste - z && gradus pull \"a b\"  # two");
    assert_eq!(
        cut,
        [vec!["gradus", "score", "m"], vec!["gradus", "pull", "a b"]]
    );
    let words = |line: &str| commands(line).remove(0);
    assert_eq!(words("gradus eval m --delimiter ';'")[4], ";");
    assert!(wrong(&words("gradus eval m --taskz STS12"), false).is_some());
    assert!(wrong(&words("gradus eval"), false).is_some());
    assert!(wrong(&words("gradus eval"), true).is_none());
    assert!(wrong(&words("gradus train --set"), true).is_none());
    assert!(wrong(&words("gradus nothing"), true).is_some());
    assert!(wrong(&words("gradus data overlap TRAIN [TEST...]"), true).is_none());
}
