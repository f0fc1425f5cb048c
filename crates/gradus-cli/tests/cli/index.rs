//! `gradus index` and `gradus search`.

use crate::support::{cross_encoder, environment, gradus, model, stdout};
use gradus_index::store::{Index, Manifest};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Texts with an id, a language and a year each.
fn corpus(count: usize) -> String {
    let words = [
        "dog", "park", "cat", "is", "in", "two", "birds", "man", "book", "the",
    ];
    let line = |i: usize| {
        let word = |j: usize| words[(i * 7 + j * j * 3 + i / 10) % words.len()];
        let text: Vec<&str> = (0..2 + i % 5).map(word).collect();
        let lang = ["de", "en"][i % 2];
        json!({"id": format!("t{i}"), "text": text.join(" "), "lang": lang, "year": 2000 + i % 30})
            .to_string()
            + "\n"
    };
    (0..count).map(line).collect()
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, arguments: &[&str]) -> String {
        stdout(gradus().current_dir(self.folder.path()).args(arguments))
    }

    /// An index of so many texts.
    fn build(&self, name: &str, count: usize, more: &[&str]) -> PathBuf {
        self.file("corpus.jsonl", &corpus(count));
        let small = model("bert-small");
        let all = [
            "index",
            "build",
            "corpus.jsonl",
            "--model",
            &small,
            "--output",
            name,
        ];
        self.run(&[&all[..], more].concat());
        self.path(name)
    }
}

fn found(text: &str) -> Vec<Value> {
    let lines = text
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap());
    lines
        .flat_map(|l| l["results"].as_array().unwrap().clone())
        .collect()
}

fn ids(found: &[Value]) -> Vec<&str> {
    found.iter().map(|f| f["id"].as_str().unwrap()).collect()
}

#[test]
fn the_nearest_are_those_of_all_cosines() {
    let place = Place::new();
    place.build("a.index", 300, &[]);
    let search = [
        "search",
        "a.index",
        "two birds in the park",
        "--format",
        "json",
        "--top",
        "300",
    ];
    let all = found(&place.run(&search));
    assert_eq!(all.len(), 300);
    // As `gradus rerank` has it, which compares one by one in f64.
    let small = model("bert-small");
    let ranked = place.run(&[
        "rerank",
        &small,
        "--query",
        "two birds in the park",
        "--documents",
        "corpus.jsonl",
        "--top",
        "300",
        "--format",
        "json",
    ]);
    let ranked: Vec<Value> = ranked
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    for (ours, theirs) in all.iter().zip(&ranked) {
        let (a, b) = (
            ours["cosine"].as_f64().unwrap(),
            theirs["score"].as_f64().unwrap(),
        );
        assert!((a - b).abs() < 1e-6, "{ours} and {theirs}");
    }
    // Equal texts have equal cosines, and come in the order of their rows.
    for pair in all.windows(2) {
        let number = |f: &Value| f["id"].as_str().unwrap()[1..].parse::<usize>().unwrap();
        let (a, b) = (pair[0]["cosine"].as_f64(), pair[1]["cosine"].as_f64());
        assert!(a > b || (a == b && number(&pair[0]) < number(&pair[1])));
    }
    let one = place.run(&[&search[..], &["--threads", "1"]].concat());
    assert_eq!(found(&one), all);
    let three = place.run(&[
        "search",
        "a.index",
        "two birds in the park",
        "a dog",
        "--top",
        "3",
    ]);
    let rows: Vec<&str> = three.lines().collect();
    assert_eq!(rows.len(), 6);
    assert!(
        rows[0].starts_with("1\t1\t") && rows[3].starts_with("2\t1\t"),
        "{three}"
    );
}

#[test]
fn filters_leave_out_what_they_do_not_hold_for() {
    let place = Place::new();
    place.build("a.index", 120, &[]);
    let search = |filter: &str| {
        let search = [
            "search", "a.index", "a dog", "--format", "json", "--top", "120",
        ];
        found(&place.run(&[&search[..], &["--filter", filter]].concat()))
    };
    let some = search("lang = \"de\" and year > 2019");
    let holds =
        |f: &Value| f["columns"]["lang"] == "de" && f["columns"]["year"].as_i64() > Some(2019);
    assert_eq!(some.len(), 20);
    assert!(some.iter().all(holds));
    assert!(search("nothing = 1").is_empty());
    let mut wrong = gradus();
    wrong.current_dir(place.folder.path());
    wrong.args(["search", "a.index", "a", "--filter", "lang = de"]);
    wrong
        .assert()
        .code(2)
        .stderr(contains("at character 8").and(contains("\"de\"")));
}

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

#[test]
fn another_model_is_refused() {
    let place = Place::new();
    place.build("a.index", 10, &[]);
    let mut other = gradus();
    other.current_dir(place.folder.path());
    other.args([
        "search",
        "a.index",
        "a dog",
        "--model",
        &model("mpnet-small"),
    ]);
    other
        .assert()
        .code(4)
        .stderr(contains("is another model").and(contains("bert-small")));
    // The same model elsewhere is the same.
    let copy = place.path("copy");
    let mut command = Command::new("cp");
    command.arg("-r").arg(model("bert-small")).arg(&copy);
    assert!(command.status().unwrap().success());
    let search = ["search", "a.index", "a dog", "--format", "json"];
    let first = place.run(&search);
    assert_eq!(
        place.run(&[&search[..], &["--model", copy.to_str().unwrap()]].concat()),
        first
    );
    let reranked = [
        "search",
        "a.index",
        "a dog",
        "--format",
        "json",
        "--rerank",
        &cross_encoder("bert"),
    ];
    let reranked = found(&place.run(&reranked));
    let scores: Vec<f64> = reranked
        .iter()
        .map(|f| f["score"].as_f64().unwrap())
        .collect();
    assert!(
        scores.len() == 10 && scores.is_sorted_by(|a, b| a >= b),
        "{scores:?}"
    );
}

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
            "not empty",
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
    let mut again = gradus();
    again.current_dir(place.folder.path());
    again.args([
        "index",
        "build",
        "corpus.jsonl",
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

/// All ids of an index, which must be whole.
fn all_ids(index: &Path) -> Vec<String> {
    let open = Index::open(index).unwrap();
    for (path, written) in open.manifest().files(index) {
        written.check(&path).unwrap();
    }
    let records = open.records().map(|r| r.unwrap());
    records
        .filter(|(row, _)| open.rows().has(*row))
        .map(|(_, r)| r.id)
        .collect()
}

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
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("gradus"))
            .envs(environment())
            .env_remove("GRADUS_DATA")
            .current_dir(place.folder.path())
            .args(["index", "build", "corpus.jsonl", "--model", &small])
            .args(["--output", "a.index", "--commit", "17", "--quiet"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        lives += 1;
        // It is let live to its end once all kills are done.
        let patience = Duration::from_micros(20_000 + 7_919 * (lives % 13) + 331 * (lives % 7));
        let ended = match kills < KILLS {
            true => {
                std::thread::sleep(patience);
                child.try_wait().unwrap()
            }
            false => Some(child.wait().unwrap()),
        };
        let Some(status) = ended else {
            child.kill().unwrap();
            child.wait().unwrap();
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

#[test]
fn an_index_of_this_version_is_read_by_later_ones() {
    let stored = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/index-1");
    assert_eq!(all_ids(Path::new(stored)), ["a", "c", "d"]);
    let index = Index::open(stored).unwrap();
    assert_eq!(index.record(3).unwrap().columns["lang"], json!("en"));
    let vector = index.vector(3).unwrap();
    let length: f32 = vector.iter().map(|x| x * x).sum();
    assert!(vector.len() == 32 && (length - 1.0).abs() < 1e-5);
    let place = Place::new();
    let search = [
        "search",
        stored,
        "two birds",
        "--format",
        "json",
        "--top",
        "1",
    ];
    let found = found(&place.run(&[&search[..], &["--model", &model("bert-small")]].concat()));
    assert_eq!(ids(&found), ["d"]);
}
