//! The tour of docs/cluster.md, line by line.

use crate::index::Place;
use crate::index::tour::tour;
use serde_json::json;

#[test]
fn every_command_of_the_tour_does_what_it_says() {
    let place = Place::new();
    let mut reviews = String::new();
    for (number, text) in super::texts().lines().enumerate() {
        let row = json!({"key": number.to_string(), "review": text, "stars": number % 5});
        reviews += &(row.to_string() + "\n");
    }
    place.file("reviews.jsonl", &reviews);
    let all = tour(&place, include_str!("../../../../../docs/cluster.md"));
    for name in [
        "topics/map.html",
        "unique/kept.jsonl",
        "unique/removed.jsonl",
        "pairs.tsv",
    ] {
        assert!(place.path(name).is_file(), "{name}");
    }
    assert_eq!(all.len(), 6);
}
