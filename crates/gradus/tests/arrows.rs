//! Which rooms of the library know which: arrows point downwards only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the bottom up: each may use those before it.
const ROOMS: [&str; 23] = [
    "embeddings",
    "precision",
    "device",
    "util",
    "format",
    "text",
    "families",
    "data",
    "hub",
    "chat",
    "nn",
    "losses",
    "eval",
    "calibration",
    "output",
    "models",
    "teacher",
    "training",
    "recipe",
    "tasks",
    "jobs",
    "error",
    "lib",
];

/// What stands at the top of the crate and every room may use: `error` gathers the
/// errors of all rooms.
const ROOT: [&str; 9] = [
    "Error",
    "Result",
    "Embeddings",
    "Precision",
    "Compute",
    "Device",
    "DeviceError",
    "SentenceEncoder",
    "Internal",
];

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// Code without comments and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first names behind `crate::` in some code: in paths, and in lists of them.
fn used(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let name = |text: &str| -> String {
        let name = text.trim_start().chars();
        name.take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => drop(found.insert(name(rest))),
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (at, c) in list.char_indices() {
                    match c {
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        '{' => depth += 1,
                        ',' if depth == 0 => start = true,
                        c if start && c.is_alphanumeric() => {
                            found.insert(name(&list[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

/// The rooms that each room uses, with a file that does.
fn arrows() -> BTreeMap<(String, String), PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![];
    sources(&root, &mut files);
    let mut arrows = BTreeMap::new();
    for path in files {
        let below = path.strip_prefix(&root).unwrap();
        let first = below.components().next().unwrap().as_os_str();
        let room = first.to_str().unwrap().trim_end_matches(".rs").to_owned();
        assert!(
            ROOMS.contains(&room.as_str()),
            "a room without place: {room}"
        );
        let stem = path.file_stem().unwrap();
        if stem == "tests" || stem == "gradient_check" || stem == "batch_gradients" {
            continue;
        }
        for other in used(&code(&fs::read_to_string(&path).unwrap())) {
            if other != room && !ROOT.contains(&other.as_str()) {
                arrows.insert((room.clone(), other), below.to_path_buf());
            }
        }
    }
    arrows
}

#[test]
fn arrows_point_downwards() {
    let place = |room: &str| ROOMS.iter().position(|r| *r == room);
    let arrows = arrows();
    assert!(arrows.len() > 60, "only {} arrows found", arrows.len());
    let mut wrong = vec![];
    for ((from, to), file) in &arrows {
        match place(to) {
            None => wrong.push(format!("{}: `crate::{to}` is no room", file.display())),
            Some(below) if Some(below) > place(from) => {
                wrong.push(format!(
                    "{}: {from} uses {to}, which is above it",
                    file.display()
                ));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The picture in ARCHITECTURE.md names the rooms in their order.
#[test]
fn the_picture_shows_the_rooms() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    let picture = page.split("```text\n").nth(1).unwrap();
    let picture = picture.split("```").next().unwrap();
    let mut shown = picture
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    for room in ROOMS
        .iter()
        .rev()
        .filter(|r| !["error", "lib", "embeddings", "precision", "device"].contains(r))
    {
        assert!(
            shown.any(|word| word == *room),
            "`{room}` is missing or out of order"
        );
    }
}

#[test]
fn paths_are_found() {
    let found = used("use crate::{Error, nn::{a, b}, text};\ncrate::util::x()");
    let expected = ["Error", "nn", "text", "util"];
    assert_eq!(
        found.iter().collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    assert_eq!(
        code("a // crate::jobs\n#[cfg(test)]\nmod tests {\ncrate::jobs"),
        "a "
    );
}
