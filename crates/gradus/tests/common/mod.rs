//! What the integration tests share: stored models and references.
#![allow(dead_code)] // each test file uses its own part

pub mod slope;

use gradus::models::SentenceEncoder;
use gradus_kernels::cpu::{Cpu, Isa, Precision};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub fn model_folder(name: &str) -> PathBuf {
    fixture("models").join(name)
}

pub fn load(folder: &Path) -> SentenceEncoder<Cpu> {
    SentenceEncoder::load(folder, Cpu::new(2)).unwrap_or_else(|e| panic!("{e}"))
}

/// The processor in bf16, where it has the instructions.
pub fn bf16() -> Option<Cpu> {
    let backend = Cpu::with(2, Precision::Bf16, Isa::best());
    if let Err(error) = &backend {
        println!("skipped: {error}");
    }
    backend.ok()
}

pub fn json(path: impl AsRef<Path>) -> Value {
    let text = std::fs::read_to_string(path.as_ref()).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect()
}

/// Any nesting of arrays of numbers, flattened.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

/// The largest absolute difference.
#[track_caller]
pub fn distance(got: &[f32], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    got.iter()
        .zip(want)
        .map(|(g, w)| (f64::from(*g) - w).abs())
        .fold(0.0, f64::max)
}

/// A copy of a stored model that a test may change.
pub fn copy_of(name: &str) -> tempfile::TempDir {
    let target = tempfile::tempdir().unwrap();
    copy(&model_folder(name), target.path());
    target
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
