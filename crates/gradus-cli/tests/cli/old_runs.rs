//! Runs that an earlier Gradus began go on.

use crate::support::{gradus, model};
use std::fs;
use std::path::Path;

/// A copy of the stored runs, as if they had begun in it.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    copy(Path::new(&model("../old_runs")), place.path());
    for run in ["train", "pretrain"] {
        let base = place.path().display().to_string();
        fs::write(place.path().join(run).join(".base_dir"), base).unwrap();
    }
    place
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The largest distance of two files' values, by tensor.
fn distance(a: &Path, b: &Path) -> f32 {
    let (a, b) = (fs::read(a).unwrap(), fs::read(b).unwrap());
    let read = |bytes: &[u8]| {
        let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
        let mut tensors: Vec<(String, Vec<f32>)> = file
            .tensors()
            .into_iter()
            .map(|(name, tensor)| {
                let values = tensor.data().chunks_exact(4);
                let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                (name, values.collect())
            })
            .collect();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        tensors
    };
    let (a, b) = (read(&a), read(&b));
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(&b).flat_map(|((name, a), (other, b))| {
        assert_eq!((name, a.len()), (other, b.len()));
        a.iter().zip(b)
    });
    pairs.fold(0.0, |most, (x, y)| most.max((x - y).abs()))
}

#[test]
fn runs_of_an_earlier_version_go_on_to_its_weights() {
    for run in ["train", "pretrain"] {
        let place = workplace();
        let root = place.path().join(run);
        let before = fs::read_to_string(root.join("metrics.jsonl")).unwrap();
        gradus()
            .current_dir(place.path())
            .args([run, "--resume", run, "--threads", "1"])
            .assert()
            .success();
        let weights = root.join("model/model.safetensors");
        let expected = place.path().join(format!("expected/{run}.safetensors"));
        let off = distance(&weights, &expected);
        // Another processor may round differently.
        assert!(off < 1e-3, "{run}: off by {off:e}");
        let after = fs::read_to_string(root.join("metrics.jsonl")).unwrap();
        let kept = after.lines().zip(before.lines());
        let kept = kept.take_while(|(new, old)| new == old).count();
        assert!(kept > 1, "{run}: the metrics before the checkpoint stay");
        assert!(
            fs::read_to_string(root.join("run.json"))
                .unwrap()
                .contains("\"finished\": true")
        );
    }
}
