//! `gradus cluster`, `gradus dedupe` and `gradus mine`.

mod clusters;
mod duplicates;
mod pairs;
mod tour;

use serde_json::Value;
use std::path::Path;

/// Texts about three things, some twice.
pub fn texts() -> String {
    let groups = [
        (
            "the dog is in the park",
            "two dogs in the park",
            "a dog in the park",
        ),
        (
            "the man has a book",
            "a man and a book",
            "the man is reading a book",
        ),
        (
            "two birds in the house",
            "the birds in a house",
            "a bird is in the house",
        ),
    ];
    let mut lines = String::new();
    for round in 0..6 {
        for (one, two, three) in groups {
            let text = [one, two, three][round % 3];
            lines += text;
            lines += ["", " .", " !"][round / 2];
            lines.push('\n');
        }
    }
    lines
}

pub fn rows(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}
