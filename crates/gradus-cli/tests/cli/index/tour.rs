//! The tour of docs/search.md, line by line.

use super::Place;
use crate::support::{gradus, model};
use serde_json::json;

#[test]
fn every_command_of_the_tour_does_what_it_says() {
    let place = Place::new();
    let hotel = |key: &str, review: &str, city: &str, year: u32| {
        json!({"key": key, "review": review, "city": city, "year": year}).to_string() + "\n"
    };
    let hotels = [
        hotel("4711", "a dog in the park", "Oslo", 2021),
        hotel("4712", "the man in the house", "Oslo", 2018),
        hotel("4713", "two birds and a book", "Bergen", 2022),
    ];
    place.file("hotels.jsonl", &hotels.concat());
    place.file("more.jsonl", &hotel("4714", "a cat", "Oslo", 2023));
    let all = tour(&place, include_str!("../../../../../docs/search.md"));
    for (line, said) in &all {
        if line.contains("--filter") {
            assert!(said.contains("4711") && !said.contains("4712"), "{said}");
        }
    }
    assert_eq!(all.len(), 7);
}

/// Runs the commands of a page's tour with a small model; each, and what it said.
pub fn tour(place: &Place, page: &str) -> Vec<(String, String)> {
    let (_, tour) = page.split_once("## A tour").unwrap();
    let (tour, _) = tour.split_once("\n## ").unwrap();
    let small = model("bert-small");
    let mut all = vec![];
    for line in tour.lines().filter(|line| line.starts_with("gradus ")) {
        if line.starts_with("gradus pull") {
            continue;
        }
        let here = line.replace("all-MiniLM-L6-v2", &small);
        let words = words(&here);
        let mut command = gradus();
        command.current_dir(place.folder.path()).args(&words[1..]);
        let said = command.assert().success().get_output().stdout.clone();
        let said = String::from_utf8(said).unwrap();
        // What goes to a file is not said.
        assert_eq!(said.is_empty(), line.starts_with("gradus mine"), "{line}");
        all.push((line.to_owned(), said));
    }
    all
}

/// Words as a shell parts them, of a line with quotes of both kinds.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec![], String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (_, c) => word.push(c),
        }
    }
    words.push(word);
    words
}
