//! Texts that come and go, and indexes put together.

use super::{Place, found, ids};
use crate::support::gradus;
use gradus_index::store::{Index, Manifest};
use predicates::str::contains;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn texts_are_added_and_removed() {
    let place = Place::new();
    let index = place.build("a.index", 40, &[]);
    place.file(
        "more.csv",
        "key,body,lang\nx1,two birds in the park,fr\nx2,the man,fr\n",
    );
    let open = Index::open(&index).unwrap();
    let said = place.run(&[
        "index", "add", "a.index", "more.csv", "--column", "body", "--id", "key",
    ]);
    assert_eq!(said, "2 texts added to a.index\n");
    // Who opened it before keeps what was there.
    assert_eq!(open.rows().count(), 40);
    let best = [
        "search",
        "a.index",
        "two birds in the park",
        "--top",
        "1",
        "--format",
        "json",
    ];
    assert_eq!(ids(&found(&place.run(&best))), ["x1"]);
    let fr = place.run(&[
        "search",
        "a.index",
        "a",
        "--filter",
        "lang = 'fr'",
        "--format",
        "json",
    ]);
    assert_eq!(found(&fr).len(), 2);
    let mut twice = gradus();
    twice.current_dir(place.folder.path());
    twice.args([
        "index", "add", "a.index", "more.csv", "--column", "body", "--id", "key",
    ]);
    twice
        .assert()
        .code(3)
        .stderr(contains("\"x1\" is there twice"));
    let said = place.run(&["index", "remove", "a.index", "x1", "t3"]);
    assert_eq!(said, "2 texts removed from a.index\n");
    assert_ne!(ids(&found(&place.run(&best))), ["x1"]);
    let mut gone = gradus();
    gone.current_dir(place.folder.path());
    gone.args(["index", "remove", "a.index", "t4", "t3"])
        .assert()
        .code(2);
    let info: Value =
        serde_json::from_str(&place.run(&["index", "info", "a.index", "--format", "json"]))
            .unwrap();
    assert_eq!((&info["texts"], &info["removed"]), (&json!(40), &json!(2)));
    // What was removed may come again; merging leaves out what is not there.
    place.file("again.csv", "key,body\nx1,two birds in the park\n");
    place.run(&[
        "index",
        "add",
        "a.index",
        "again.csv",
        "--column",
        "body",
        "--id",
        "key",
    ]);
    assert_eq!(ids(&found(&place.run(&best))), ["x1"]);
    place.run(&["index", "merge", "a.index", "--output", "small.index"]);
    assert_eq!(
        Manifest::read(&place.path("small.index")).unwrap().rows(),
        41
    );
}

/// Parts are written while the next ones are encoded; what is wrong with one is said all the same.
#[test]
fn an_id_that_comes_again_in_a_later_part_is_refused() {
    let place = Place::new();
    for again in [21, 29, 35] {
        let row = |i: usize| format!("k{},a cat number {i}\n", if i == again { 3 } else { i });
        let rows: String = (0..40).map(row).collect();
        place.file("rows.csv", &format!("key,body\n{rows}"));
        let output = format!("{again}.index");
        let mut build = gradus();
        build.current_dir(place.folder.path());
        build.args([
            "index", "build", "rows.csv", "--column", "body", "--id", "key",
        ]);
        build.args(["--model", &crate::support::model("bert-small")]);
        build.args(["--output", &output, "--commit", "7"]);
        let said = contains("\"k3\" is there twice");
        build.assert().code(3).stderr(said);
        // The parts before it stay.
        let kept = Manifest::read(&place.path(&output)).unwrap().rows();
        assert_eq!(kept, again / 7 * 7);
    }
}

#[test]
fn parts_are_put_together() {
    let place = Place::new();
    let whole = place.build("whole.index", 90, &[]);
    for part in ["1/3", "2/3", "3/3"] {
        let name = format!("part-{}.index", &part[..1]);
        place.build(&name, 90, &["--shard", part, "--commit", "7"]);
    }
    let parts = ["part-1.index", "part-2.index", "part-3.index"];
    let merge = [&["index", "merge"][..], &parts, &["--output", "all.index"]].concat();
    assert_eq!(place.run(&merge), "90 texts of 3 indexes in all.index\n");
    place.run(&["index", "verify", "all.index"]);
    let best = |index: &str| {
        let search = [
            "search",
            index,
            "a cat in a book",
            "--top",
            "90",
            "--format",
            "json",
        ];
        let found = found(&place.run(&search));
        let one = |f: &Value| (f["id"].to_string(), f["cosine"].to_string());
        found.iter().map(one).collect::<BTreeSet<_>>()
    };
    assert_eq!(best("all.index"), best("whole.index"));
    let mut again = gradus();
    again
        .current_dir(place.folder.path())
        .args(&merge)
        .assert()
        .code(2);
    let twice = [
        "index",
        "merge",
        "part-1.index",
        "part-1.index",
        "--output",
        "twice.index",
    ];
    let mut twice_over = gradus();
    twice_over
        .current_dir(place.folder.path())
        .args(twice)
        .assert()
        .code(3);
    assert_eq!(Index::open(whole).unwrap().rows().count(), 90);
}
