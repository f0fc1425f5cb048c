//! Tests that hold the pages of the repository against the program: commands,
//! options, files, links, recipes, losses, families, variables, exit codes.

mod commands;
mod links;
mod lists;
mod names;
mod page;
mod recipes;

use page::Page;
use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The files below a folder, without what is built or hidden.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') || ["target", "runs"].contains(&&*name) {
            continue;
        }
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// All files of the repository, as paths from its root.
fn all_files() -> Vec<String> {
    let mut found = Vec::new();
    files(&root(), &mut found);
    let base = root();
    let relative = |path: &PathBuf| path.strip_prefix(&base).unwrap().display().to_string();
    let mut found: Vec<String> = found.iter().map(relative).collect();
    found.sort();
    found
}

/// Every page but the history, which speaks of what was.
fn pages() -> Vec<Page> {
    let names = all_files().into_iter();
    let is_page = |name: &String| name.ends_with(".md") && name != "CHANGELOG.md";
    let pages: Vec<Page> = names
        .filter(is_page)
        .map(|name| Page::read(&name))
        .collect();
    assert!(pages.len() > 10, "pages are missing");
    pages
}

/// The text of every source file.
fn sources() -> String {
    let names = all_files().into_iter().filter(|n| n.ends_with(".rs"));
    let texts = names.map(|name| fs::read_to_string(root().join(name)).unwrap());
    texts.collect::<Vec<_>>().join("\n")
}

/// Fails with everything that is wrong, not only the first.
fn all_right(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
