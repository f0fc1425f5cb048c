//! `gradus index` and `gradus search`.

mod changes;
mod graph;
mod kills;
mod refusals;
mod searches;
pub mod tour;
mod words;

use crate::support::{gradus, model, stdout};
use gradus_index::store::Index;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Texts with an id, a language and a year each.
pub fn corpus(count: usize) -> String {
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

pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub fn run(&self, arguments: &[&str]) -> String {
        stdout(gradus().current_dir(self.folder.path()).args(arguments))
    }

    /// An index of so many texts.
    pub fn build(&self, name: &str, count: usize, more: &[&str]) -> PathBuf {
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

pub fn found(text: &str) -> Vec<Value> {
    let lines = text
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap());
    lines
        .flat_map(|l| l["results"].as_array().unwrap().clone())
        .collect()
}

pub fn ids(found: &[Value]) -> Vec<&str> {
    found.iter().map(|f| f["id"].as_str().unwrap()).collect()
}

/// All ids of an index, which must be whole.
pub fn all_ids(index: &Path) -> Vec<String> {
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
