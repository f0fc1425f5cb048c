//! What is not touched, and what is damaged.

use super::{Place, corpus};
use crate::support::{gradus, model};
use predicates::str::contains;
use std::fs;

#[test]
fn what_is_no_index_is_not_touched() {
    let place = Place::new();
    place.file("corpus.jsonl", &corpus(5));
    let foreign = place.path("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.txt"), "years of work").unwrap();
    let small = model("bert-small");
    let cases: [(&[&str], i32, &str); 7] = [
        (
            &[
                "index",
                "build",
                "corpus.jsonl",
                "--model",
                &small,
                "--output",
                "foreign",
            ],
            2,
            "holds other things",
        ),
        (
            &[
                "index",
                "build",
                "nothing.jsonl",
                "--model",
                &small,
                "--output",
                "new",
            ],
            1,
            "nothing.jsonl",
        ),
        (&["index", "info", "foreign"], 2, "index build"),
        (&["search", "foreign", "a"], 2, "index build"),
        (
            &["index", "add", "foreign", "corpus.jsonl"],
            2,
            "index build",
        ),
        (&["index", "remove", "foreign", "a"], 2, "index build"),
        (
            &[
                "index",
                "build",
                "corpus.jsonl",
                "--model",
                &small,
                "--output",
                "x",
                "--shard",
                "3/2",
            ],
            2,
            "1/4",
        ),
    ];
    for (arguments, code, part) in cases {
        let mut command = gradus();
        let said = command
            .current_dir(place.folder.path())
            .args(arguments)
            .assert();
        let output = said.get_output();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(part), "{arguments:?}: {error}");
        if code != 1 {
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        }
    }
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1);
    let index = place.build("a.index", 5, &[]);
    // The same again has nothing left to do; something else is refused.
    place.build("a.index", 5, &[]);
    place.file("other.jsonl", &corpus(2));
    let mut again = gradus();
    again.current_dir(place.folder.path());
    again.args([
        "index",
        "build",
        "other.jsonl",
        "--model",
        &small,
        "--output",
        "a.index",
    ]);
    again.assert().code(2).stderr(contains("gradus index add"));
    // A changed byte is found, and a file that was cut is refused at once.
    let records = index.join("s000001/records.jsonl");
    let text = fs::read_to_string(&records).unwrap();
    fs::write(
        &records,
        text.replacen("dog", "cow", 1).replacen("park", "pork", 1),
    )
    .unwrap();
    let mut verify = gradus();
    verify
        .current_dir(place.folder.path())
        .args(["index", "verify", "a.index"]);
    verify.assert().code(3).stderr(contains("checksum"));
    fs::write(&records, &text[..20]).unwrap();
    let mut search = gradus();
    search
        .current_dir(place.folder.path())
        .args(["search", "a.index", "a"]);
    search.assert().code(3).stderr(contains("were written"));
    for manifest in ["", "{}", "{\"format\": 9}", "{\"format\": 1}", "[1]"] {
        fs::write(index.join("index.json"), manifest).unwrap();
        let mut search = gradus();
        let said = search
            .current_dir(place.folder.path())
            .args(["search", "a.index", "a"]);
        let code = said.assert().failure().get_output().status.code();
        assert!(matches!(code, Some(2 | 3)), "{manifest}: {code:?}");
    }
}
