use super::{all_files, all_right, pages, root, sources};
use std::collections::HashSet;
use std::fs;

/// Folders of the repository that pages name paths from.
const TOPS: [&str; 8] = [
    "crates/",
    "docs/",
    "recipes/",
    "bench/",
    "fuzz/",
    "gradus-cli/",
    "gradus-kernels/",
    "gradus-report/",
];

/// Whether a span names a file or folder of the repository, not one of a user.
fn is_path(span: &str, of_architecture: bool) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let ours = TOPS.iter().any(|top| span.starts_with(top))
        || of_architecture && (span.starts_with("gradus/") || span.ends_with('/'));
    span.chars().all(plain) && (ours || span.ends_with(".rs") || span.ends_with(".py"))
}

/// Whether a path lies in what a line of `.gitignore` leaves out of the
/// repository, so that it may be missing.
fn is_below(path: &str, pattern: &str) -> bool {
    let Some(pattern) = pattern.strip_prefix('/') else {
        return false;
    };
    let (mut parts, mut wanted) = (path.split('/'), pattern.split('/'));
    wanted.all(|w| parts.next().is_some_and(|part| w == "*" || w == part))
}

/// Every file and folder that is named is there, the path from the root or the
/// end of one.
#[test]
fn every_file_that_a_page_names_is_there() {
    let mut there: HashSet<String> = HashSet::new();
    for file in all_files() {
        // Every end of the path of a file, and of the folders above it.
        let parts: Vec<&str> = file.split('/').collect();
        for from in 0..parts.len() {
            for to in from..parts.len() {
                there.insert(parts[from..=to].join("/"));
            }
        }
    }
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for page in pages() {
        let of_architecture = page.name == "ARCHITECTURE.md";
        for span in page.spans() {
            if !is_path(&span, of_architecture) {
                continue;
            }
            checked += 1;
            let beside = root().join(&page.name).with_file_name(&span);
            let made = ignored.lines().any(|pattern| is_below(&span, pattern));
            if !there.contains(span.trim_end_matches('/')) && !beside.exists() && !made {
                wrong.push(format!("{}: `{span}`: no such file", page.name));
            }
        }
    }
    assert!(checked > 60, "only {checked} names");
    all_right(&wrong);
}

fn words(text: &str) -> HashSet<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .collect()
}

/// Types and functions that the page on the architecture names are in the
/// sources.
#[test]
fn every_name_of_the_architecture_is_in_the_sources() {
    let sources = sources();
    let there = words(&sources);
    let page = super::Page::read("ARCHITECTURE.md");
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for span in page.spans() {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let named =
            span.contains("::") || span.contains('_') || span.starts_with(char::is_uppercase);
        if !named || !span.chars().all(plain) {
            continue;
        }
        checked += 1;
        let last = span.rsplit("::").next().unwrap();
        if !there.contains(last) {
            wrong.push(format!("`{span}` is nowhere in the sources"));
        }
    }
    assert!(checked > 40, "only {checked} names");
    all_right(&wrong);
}

/// Environment variables that pages name are read somewhere.
#[test]
fn every_environment_variable_is_in_the_sources() {
    let sources = sources();
    let there = words(&sources);
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for page in pages() {
        for span in page.spans() {
            let name = span.split('=').next().unwrap().trim_start_matches('$');
            let of_variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            // The names of build tools are theirs.
            let theirs = name.starts_with("CARGO_") || name.starts_with("RUST");
            let begins = name.starts_with(|c: char| c.is_ascii_uppercase());
            if !begins || !name.contains('_') || !name.chars().all(of_variable) || theirs {
                continue;
            }
            checked += 1;
            if !there.contains(name) {
                wrong.push(format!("{}: `{span}` is read nowhere", page.name));
            }
        }
    }
    assert!(checked > 10, "only {checked} variables");
    all_right(&wrong);
}
