//! Real weights on real data, where both are at hand.

mod common;

use gradus::data::{DataRoot, TextVariant};
use gradus::eval::{Aggregation, Metric, Suite};
use gradus::hub::{HubConfig, NoProgress, resolve_model};
use gradus::models::{EncodeOptions, SentenceEncoder};
use gradus::text::Tokenizer;
use gradus_kernels::cpu::Cpu;
use std::path::{Path, PathBuf};

/// all-MiniLM-L6-v2 from a cache, without any network.
fn minilm() -> Option<PathBuf> {
    let mut config = HubConfig::from_env().ok()?;
    config.offline = true;
    let found = resolve_model("all-MiniLM-L6-v2", &config, &mut NoProgress);
    if let Err(error) = &found {
        println!(
            "skipped, all-MiniLM-L6-v2 is not in a cache (`gradus pull all-MiniLM-L6-v2`): {error}"
        );
    }
    found.ok()
}

fn data() -> Option<DataRoot> {
    let root = std::env::var_os("GRADUS_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    if !root.join("sts").is_dir() {
        println!(
            "skipped, no STS data at {} (set GRADUS_DATA)",
            root.display()
        );
        return None;
    }
    Some(DataRoot::resolve(Some(&root)))
}

#[test]
fn the_seven_scores_of_minilm() {
    let (Some(folder), Some(root)) = (minilm(), data()) else {
        return;
    };
    seven_scores(&folder, &root, Cpu::new(0), 0.01);
}

/// The default, where the processor has it.
#[test]
fn the_seven_scores_of_minilm_in_bf16() {
    let (Some(folder), Some(root), Some(backend)) = (minilm(), data(), common::bf16()) else {
        return;
    };
    seven_scores(&folder, &root, backend, 0.03);
}

/// The scores are within `near` points of what sentence-transformers gives.
fn seven_scores(folder: &Path, root: &DataRoot, backend: Cpu, near: f64) {
    let model = SentenceEncoder::load(folder, backend).unwrap();
    let suite = Suite::load(root, TextVariant::Original).unwrap();
    let started = std::time::Instant::now();
    let scores = suite.evaluate(&model).unwrap();
    println!("evaluated in {:.1} s", started.elapsed().as_secs_f64());
    // sentence-transformers 6.2.0 in float32.
    let expected = [
        72.3666, 80.6002, 75.5997, 85.3896, 78.9859, 82.0325, 77.1469,
    ];
    let spearman = |scores: &gradus::eval::Aggregated| {
        100.0
            * scores
                .get(Aggregation::All)
                .get(Metric::Spearman)
                .value()
                .unwrap()
    };
    for (task, expected) in scores.tasks.iter().zip(expected) {
        let got = spearman(&task.scores);
        println!("{}: {got:.4} ({expected})", task.name);
        assert!((got - expected).abs() < near, "{}", task.name);
    }
    assert_eq!(scores.tasks.len(), 7);
    assert!((spearman(&scores.average) - 78.8745).abs() < near);
}

#[test]
fn real_vectors_do_not_depend_on_the_batch() {
    let Some(folder) = minilm() else { return };
    let texts: Vec<String> = (0..40)
        .map(|i| "a word and another one ".repeat(1 + i % 7) + &i.to_string())
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let one = SentenceEncoder::load(&folder, Cpu::new(1)).unwrap();
    let two = SentenceEncoder::load(&folder, Cpu::new(2)).unwrap();
    let together = two
        .encode_with(
            &texts,
            EncodeOptions {
                batch_tokens: Some(4096),
            },
        )
        .unwrap();
    for (i, text) in texts.iter().enumerate() {
        let alone = one.encode(&[text]).unwrap();
        assert!(alone.row(0) == together.row(i), "{text}");
    }
}

/// Plain texts go a shorter way to their tokens than the library's, to the same tokens: all lines
/// of the data sets, as they are and in pieces.
#[test]
fn texts_have_the_tokens_that_the_library_gives() {
    let (Some(folder), Some(root)) = (minilm(), data()) else {
        return;
    };
    let tokenizer = Tokenizer::load(&folder, 128, 30_522, 2).unwrap();
    let apart = tokenizer.without_short_way();
    assert!(tokenizer.has_short_way());
    let mut lines = 0;
    for file in [
        "wiki/sentences.txt",
        "nli/nli_all.tsv",
        "nli/nli_triplets.tsv",
    ] {
        let Ok(text) = std::fs::read_to_string(root.path().join(file)) else {
            continue;
        };
        let upper = text.to_uppercase();
        let texts: Vec<&str> = text
            .lines()
            .flat_map(|line| line.split('\t').chain([line]))
            .chain(upper.lines())
            .chain(text.lines().filter_map(|line| line.get(line.len() / 2..)))
            .collect();
        for texts in texts.chunks(10_000) {
            let (short, long) = (
                tokenizer.encode(texts).unwrap(),
                apart.encode(texts).unwrap(),
            );
            for ((short, long), text) in short.iter().zip(&long).zip(texts) {
                assert_eq!(short, long, "{text:?}");
            }
            lines += texts.len();
        }
    }
    println!("{lines} texts");
}
