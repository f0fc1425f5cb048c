//! Commands on a card whose kernels run by emulation: what they give is what the processor gives.

use crate::support::{gradus, stdout};
use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;

mod answers;
mod limits;
mod training;

/// The folder with the library that stands in for the driver; none where there is no compiler.
fn emulator() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = FOLDER.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("emulated-card");
        fs::create_dir_all(&folder).ok()?;
        let source = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../gradus-cuda/emulator/driver.cpp"
        );
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
        let made = process::Command::new(compiler)
            .args([
                "-O2",
                "-march=native",
                "-w",
                "-std=c++17",
                "-shared",
                "-fPIC",
            ])
            .args(["-ffp-contract=off", "-o"])
            .arg(folder.join("libcuda.so.1"))
            .arg(source)
            .status();
        made.is_ok_and(|status| status.success()).then_some(folder)
    });
    made.as_deref()
}

/// The command in `place`, where there is such a card.
fn at(place: &Path) -> Command {
    let mut command = gradus();
    command
        .current_dir(place)
        .env("GRADUS_CUDA_LIBS", emulator().unwrap());
    command
}

const TEXTS: [&str; 4] = [
    "a cat",
    "",
    "two dogs in the garden of a house",
    "the man is playing a guitar",
];

/// Vectors of the texts, one after the other.
fn vectors(command: &mut Command) -> Vec<f64> {
    let printed = stdout(command);
    let of = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap();
        let values = object["embedding"].as_array().unwrap().clone();
        values.into_iter().map(|v| v.as_f64().unwrap())
    };
    printed.lines().flat_map(of).collect()
}

/// The largest difference, of the largest value.
fn off(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let size = want.iter().fold(1e-6f64, |a, b| a.max(b.abs()));
    got.iter()
        .zip(want)
        .fold(0f64, |a, (g, w)| a.max((g - w).abs()))
        / size
}

/// The length of the difference, of the length.
fn relative(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    length(&mut got.iter().zip(want).map(|(g, w)| g - w)) / length(&mut want.iter().copied())
}

/// Pairs, texts and labels from the stored pairs.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../gradus/tests/fixtures");
    let pairs = fs::read_to_string(format!("{fixtures}/training/pairs.tsv")).unwrap();
    let texts: Vec<&str> = pairs
        .lines()
        .map(|l| l.split('\t').nth(1).unwrap())
        .take(80)
        .collect();
    fs::write(place.path().join("texts.txt"), texts.join("\n")).unwrap();
    fs::write(place.path().join("pairs.tsv"), &pairs).unwrap();
    place
}
