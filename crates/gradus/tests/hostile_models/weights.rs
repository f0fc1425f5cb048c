//! `model.safetensors`: headers that lie, tensors that do not belong.

use crate::folder::Folder;
use crate::tensors::{Change, Tensors};
use serde_json::{Value, json};

const FILE: &str = "model.safetensors";
const NORM: &str = "embeddings.LayerNorm.weight";

fn changed(change: impl FnOnce(&mut Tensors)) -> Folder {
    let folder = Folder::of("bert-small");
    let mut tensors = Tensors::of(&folder, FILE);
    change(&mut tensors);
    folder.write(FILE, tensors.bytes());
    folder
}

#[test]
fn files_cut_short_or_drawn_out() {
    let folder = Folder::of("bert-small");
    let sound = folder.read(FILE);
    let lengths = (0..20)
        .chain((20..sound.len()).step_by(977))
        .chain([sound.len() - 1]);
    for length in lengths {
        folder.write(FILE, &sound[..length]);
        folder.refuses("Weights", FILE, &["not a sound safetensors file"]);
    }
    folder.write(FILE, [&sound[..], &[0]].concat());
    folder.refuses("Weights", FILE, &["its values take"]);
    folder.inflate(FILE);
    folder.refuses("Weights", FILE, &["its values take 687194"]);
}

#[test]
fn headers_of_a_wrong_length() {
    let folder = Folder::of("bert-small");
    let mut bytes = folder.read(FILE);
    let length = bytes.len() as u64;
    for claimed in [
        length - 7,
        length,
        1 << 31,
        1 << 32,
        1 << 40,
        i64::MAX as u64,
        i64::MIN as u64,
        -1i64 as u64,
        u64::MAX - 7,
    ] {
        bytes[..8].copy_from_slice(&claimed.to_le_bytes());
        folder.write(FILE, &bytes);
        let part = format!("its header claims {claimed} bytes");
        folder.refuses("Weights", FILE, &[&part]);
    }
    for claimed in [0u64, 1, 100] {
        bytes[..8].copy_from_slice(&claimed.to_le_bytes());
        folder.write(FILE, &bytes);
        folder.refuses("Weights", FILE, &["its header: "]);
    }
    // As long as it says, but longer than any header is.
    bytes[..8].copy_from_slice(&(1u64 << 35).to_le_bytes());
    folder.write(FILE, &bytes).inflate(FILE);
    folder.refuses("Weights", FILE, &["its header claims 34359738368 bytes"]);
}

#[test]
fn headers_of_garbage() {
    let folder = Folder::of("bert-small");
    let tensors = Tensors::of(&folder, FILE);
    for header in [
        String::new(),
        "null".into(),
        "[]".into(),
        "{\"a\": 5}".into(),
        "{\"a\": {}}".into(),
        "{\"a\": {\"dtype\": \"F31\", \"shape\": [1], \"data_offsets\": [0, 4]}}".into(),
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [-1], \"data_offsets\": [0, 4]}}".into(),
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [1e300], \"data_offsets\": [0, 4]}}".into(),
        "{\"__metadata__\": {\"a\": 5}}".into(),
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        "\0".repeat(100),
    ] {
        folder.write(FILE, tensors.under(header.as_bytes()));
        folder.refuses("Weights", FILE, &["its header: "]);
    }
    folder.write(FILE, tensors.under(b"{\"a\xff\": 1}"));
    folder.refuses("Weights", FILE, &["its header: "]);
}

#[test]
fn offsets_that_lie() {
    let end = Tensors::of(&Folder::of("bert-small"), FILE).data.len();
    let norm = |offsets: Value| move |t: &mut Tensors| t.header[NORM]["data_offsets"] = offsets;
    for offsets in [
        json!([0, 128]),
        json!([128, 0]),
        json!([end, end + 128]),
        json!([1u64 << 40, (1u64 << 40) + 128]),
        json!([0, u64::MAX]),
        json!([u64::MAX - 127, u64::MAX]),
        json!([-128, 0]),
        json!([0]),
        json!([0, 1, 2]),
        json!("0-128"),
    ] {
        changed(norm(offsets)).refuses("Weights", FILE, &["its header: "]);
    }
    // More values than there are numbers for.
    let folder = changed(|t| t.header[NORM]["shape"] = json!([1u64 << 63, 2, 2]));
    folder.refuses("Weights", FILE, &["its header: overflow"]);
    let folder = changed(|t| t.header[NORM]["shape"] = json!([0, u64::MAX, u64::MAX]));
    folder.refuses("Weights", FILE, &["its header: "]);
    // Sound by itself, and not covered by the file.
    let folder = changed(|t| {
        t.push("pooler.x", "F32", &[8], 32);
        t.data.truncate(end);
    });
    folder.refuses("Weights", FILE, &["its values take"]);
}

#[test]
fn tensors_that_do_not_belong() {
    let cases: [(Change<'_>, &str, &[&str]); 13] = [
        (
            &|t| t.push("adapter.weight", "F32", &[2], 8),
            "UnknownTensor",
            &["`adapter.weight` does not belong to a BERT with 2 layers"],
        ),
        (
            &|t| t.push(&"x".repeat(100_000), "F32", &[2], 8),
            "UnknownTensor",
            &["`xxx", "..."],
        ),
        (
            &|t| t.push("encoder.layer.2.output.dense.bias", "F32", &[32], 128),
            "UnknownTensor",
            &["`encoder.layer.2.output.dense.bias`"],
        ),
        (
            &|t| t.rename(NORM, "pooler.weight"),
            "MissingTensor",
            &["tensor `embeddings.LayerNorm.weight` is missing"],
        ),
        (
            &|t| t.rename("embeddings.word_embeddings.weight", "pooler.words"),
            "MissingTensor",
            &["tensor `embeddings.word_embeddings.weight` is missing"],
        ),
        // The same parameter by its old name.
        (
            &|t| t.push("embeddings.LayerNorm.gamma", "F32", &[32], 128),
            "RepeatedTensor",
            &["tensor `embeddings.LayerNorm.", "already give"],
        ),
        (
            &|t| t.header[NORM]["shape"] = json!([1, 32]),
            "Shape",
            &[NORM, "has shape [1, 32], the configuration says [32]"],
        ),
        (
            &|t| t.header[NORM]["shape"] = json!([2, 2, 2, 2, 2]),
            "Shape",
            &[NORM, "has shape [2, 2, 2, 2, 2]"],
        ),
        (
            &|t| t.header["embeddings.position_embeddings.weight"]["shape"] = json!([32, 64]),
            "Shape",
            &["`embeddings.position_embeddings.weight` has shape [32, 64]"],
        ),
        (
            &|t| {
                t.rename(NORM, "pooler.x");
                t.push(NORM, "I64", &[32], 256);
            },
            "TensorType",
            &[NORM, "has type I64"],
        ),
        (
            &|t| {
                t.rename(NORM, "pooler.x");
                t.push(NORM, "F64", &[32], 256);
            },
            "TensorType",
            &[NORM, "has type F64; supported are"],
        ),
        (
            &|t| {
                t.rename("pooler.dense.bias", "pooler.x");
                t.push("pooler.dense.bias", "I32", &[32], 128);
            },
            "TensorType",
            &["`pooler.dense.bias` has type I32"],
        ),
        // Not used, but carried along.
        (
            &|t| t.header["pooler.dense.bias"]["shape"] = json!([4, 8]),
            "Shape",
            &["`pooler.dense.bias` has shape [4, 8]"],
        ),
    ];
    for (change, kind, parts) in cases {
        changed(change).refuses(kind, FILE, parts);
    }
}

#[test]
fn values_that_are_not_finite() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let folder = changed(|t| t.poke(NORM, 17, value));
        folder.refuses("NotFinite", FILE, &[NORM, "at index 17"]);
    }
    for (dtype, infinity) in [("F16", 0x7C00u16), ("BF16", 0x7F80)] {
        let folder = changed(|t| {
            t.rename(NORM, "pooler.x");
            t.push(NORM, dtype, &[32], 64);
            let at = t.data.len() - 2;
            t.data[at..].copy_from_slice(&infinity.to_le_bytes());
        });
        folder.refuses("NotFinite", FILE, &[NORM, "at index 31"]);
    }
}

#[test]
fn dense_weights() {
    const DENSE: &str = "2_Dense/model.safetensors";
    let cases: [(Change<'_>, &str, &str); 4] = [
        (
            &|t| t.rename("linear.bias", "bias"),
            "MissingTensor",
            "`linear.bias` is missing",
        ),
        (
            &|t| t.push("linear.extra", "F32", &[1], 4),
            "UnknownTensor",
            "`linear.extra` does not belong to the Dense module 2_Dense",
        ),
        (
            &|t| t.header["linear.weight"]["shape"] = json!([24, 16]),
            "Shape",
            "`linear.weight` has shape [24, 16]",
        ),
        (
            &|t| t.poke("linear.weight", 3, f32::NAN),
            "NotFinite",
            "`linear.weight`",
        ),
    ];
    for (change, kind, part) in cases {
        let folder = Folder::of("bert-gelu-new");
        let mut tensors = Tensors::of(&folder, DENSE);
        change(&mut tensors);
        folder.write(DENSE, tensors.bytes());
        folder.refuses(kind, DENSE, &[part]);
    }
}
