//! Builds that are killed.
#![cfg(target_os = "linux")]

use super::{Place, all_ids, corpus};
use crate::kills::{command, kill_at};
use crate::support::model;
use gradus_index::store::Manifest;
use std::fs;

/// Kills of a build, at another moment each time.
const KILLS: u64 = 200;

#[test]
fn a_killed_build_leaves_its_last_commit_and_goes_on() {
    let place = Place::new();
    place.file("corpus.jsonl", &corpus(4000));
    let small = model("bert-small");
    let index = place.path("a.index");
    let (mut kills, mut last, mut ends, mut lives) = (0, 0, 0, 0u64);
    loop {
        let arguments = ["index", "build", "corpus.jsonl", "--model", &small];
        let mut build = command(place.folder.path(), &arguments);
        build.args(["--output", "a.index", "--commit", "17"]);
        lives += 1;
        // It is let live to its end once all kills are done.
        let ended = match kills < KILLS {
            true => kill_at(1 + (37 * lives) % 211, &mut build),
            false => Some(build.status().unwrap()),
        };
        let Some(status) = ended else {
            kills += 1;
            if Manifest::read(&index).is_ok() {
                let ids = all_ids(&index);
                let whole = ids.len().is_multiple_of(17) || ids.len() == 4000;
                assert!(whole && ids.len() >= last, "{} after {last}", ids.len());
                assert!(ids.iter().enumerate().all(|(i, id)| *id == format!("t{i}")));
                last = ids.len();
            }
            continue;
        };
        assert!(status.success(), "after {kills} kills");
        assert_eq!(all_ids(&index).len(), 4000);
        // Nothing is left of what was cut off.
        let names = fs::read_dir(&index)
            .unwrap()
            .map(|e| e.unwrap().file_name());
        let segments = names
            .filter(|n| n.to_string_lossy().starts_with('s'))
            .count();
        assert_eq!(segments, Manifest::read(&index).unwrap().segments.len());
        ends += 1;
        if kills >= KILLS {
            break;
        }
        fs::remove_dir_all(&index).unwrap();
        last = 0;
    }
    println!("{kills} kills, {ends} builds came to their end");
}
