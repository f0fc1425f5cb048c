//! Training with the term: the same bits on any machine's threads, in chunks,
//! beside other terms; and that it learns.

use crate::common::copy_of;
use crate::runs::{STAGE, prepare, recipe, run, steps, workplace};
use gradus::models::SentenceEncoder;
use gradus::recipe::Recipe;
use gradus::training::Silent;
use gradus_kernels::cpu::Cpu;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

fn parameters(run: &Path) -> Vec<f32> {
    let model = SentenceEncoder::load(run.join("model"), Cpu::new(1)).unwrap();
    model.params().values().to_vec()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn a_run_has_the_same_bits_on_any_threads_and_after_a_stop() {
    let place = workplace();
    let base = place.path();
    let recipe = recipe("weight = 0.5", "");
    run(&recipe, base, "one", 1).unwrap();
    run(&recipe, base, "three", 3).unwrap();
    let whole = parameters(&base.join("one"));
    assert!(bits(&whole) == bits(&parameters(&base.join("three"))));

    // Back to the checkpoint of step 3.
    let (folder, parsed) = Recipe::open_run(&base.join("one")).unwrap();
    let last = base.join("one/checkpoints/stage-001-step-000000006.safetensors");
    std::fs::remove_file(&last).unwrap();
    let left = base.join("one/checkpoints/stage-000-step-000000003.safetensors");
    let bytes = std::fs::read(&left).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.len(), 9);
    let before = steps(&base.join("one"));
    std::fs::remove_dir_all(base.join("one/model")).unwrap();
    assert_eq!(parsed.stages[0].difference.as_ref().unwrap().weight, 0.5);
    let mut again = prepare(&recipe, base, 2).unwrap();
    again.execute(&folder, &mut Silent).unwrap();
    assert!(bits(&whole) == bits(&parameters(&base.join("one"))));
    let after = steps(&base.join("one"));
    assert_eq!(after.len(), 6);
    for (a, b) in before.iter().zip(&after) {
        assert_eq!(
            (&a["loss"], &a["difference"]),
            (&b["loss"], &b["difference"])
        );
    }

    // The model has nothing of the discriminator, and learned from it.
    let saved = std::fs::read(base.join("one/model/model.safetensors")).unwrap();
    let saved = safetensors::SafeTensors::deserialize(&saved).unwrap();
    assert!(
        saved
            .names()
            .iter()
            .all(|name| !name.contains("classifier"))
    );
    let without = recipe.replace("difference = ", "# difference = ");
    run(&without, base, "without", 2).unwrap();
    assert!(bits(&whole) != bits(&parameters(&base.join("without"))));
    assert!(steps(&base.join("without"))[0]["difference"].is_null());

    // A checkpoint without the discriminator is refused.
    std::fs::remove_file(&last).unwrap();
    let other = base.join("without/checkpoints/stage-000-step-000000003.safetensors");
    std::fs::copy(other, left).unwrap();
    let mut again = prepare(&recipe, base, 2).unwrap();
    let error = again.execute(&folder, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("does not fit"), "{error}");
}

#[test]
fn chunks_and_accumulation_change_rounding_alone() {
    let place = workplace();
    let base = place.path();
    let of = |name: &str, difference: &str, more: &str| {
        run(&recipe(difference, more), base, name, 2).unwrap();
        steps(&base.join(name))
    };
    let value = |line: &Value, keys: [&str; 2]| {
        let line = if keys[0].is_empty() {
            line
        } else {
            &line[keys[0]]
        };
        line[keys[1]].as_f64().unwrap()
    };
    let keys = [
        ["", "loss"],
        ["", "gradient_norm"],
        ["difference", "loss"],
        ["difference", "replaced"],
        ["difference", "generator_accuracy"],
        ["difference", "accuracy_on_kept"],
    ];
    let near = |a: &Value, b: &Value, bound: f64| {
        for key in keys {
            let (a, b) = (value(a, key), value(b, key));
            assert!((a - b).abs() <= bound * a.abs(), "{key:?}: {a} {b}");
        }
    };
    let whole = of("whole", "weight = 1.0", "");
    let chunked = of("chunked", "weight = 1.0", "chunk_tokens = 40\n");
    near(&whole[0], &chunked[0], 1e-5);
    near(&whole[5], &chunked[5], 2e-2);
    // The mean of two batches' terms; what is random is the same in both.
    let halves = of("halves", "weight = 1.0", "accumulate = 2\n");
    let chunks = of(
        "halves-chunked",
        "weight = 1.0",
        "accumulate = 2\nchunk_tokens = 40\n",
    );
    near(&halves[0], &chunks[0], 1e-5);
    // What is asked for makes a difference.
    for (name, settings) in [
        ("sample", "weight = 1.0, fill = 'sample'"),
        ("masked", "weight = 1.0, positions = 'masked'"),
        ("padded", "weight = 1.0, average = 'all'"),
        ("rate", "weight = 1.0, mask_rate = 0.6"),
    ] {
        let other = of(name, settings, "");
        let key = ["difference", "loss"];
        assert_ne!(value(&other[0], key), value(&whole[0], key), "{name}");
    }
}

#[test]
fn the_term_trains_beside_other_terms_and_in_later_stages() {
    let place = workplace();
    let base = place.path();
    let also = "also = [{ loss = 'consistency', weight = 0.5 }]\n";
    let second = format!(
        "{}difference = {{ generator = 'model-2', weight = 0.1 }}\n",
        STAGE.replace("'s'", "'t'").replace("'batch_norm'", "'mlp'")
    );
    let generator = copy_of("../pretraining/bert");
    std::fs::rename(generator.path(), base.join("model-2")).unwrap();
    let recipe = recipe("weight = 0.5", &format!("{also}{second}"));
    run(&recipe, base, "run", 2).unwrap();
    let steps = steps(&base.join("run"));
    assert_eq!(steps.len(), 12);
    for line in &steps {
        let losses: BTreeMap<String, Value> =
            serde_json::from_value(line["difference"].clone()).unwrap();
        for key in ["loss", "replaced", "generator_accuracy", "accuracy_on_kept"] {
            let value = losses[key].as_f64().unwrap();
            assert!(value.is_finite() && value >= 0.0, "{key}: {value}");
        }
    }
}

#[test]
fn a_discriminator_learns() {
    let place = workplace();
    let base = place.path();
    let recipe = recipe("weight = 1.0", "").replace("steps = 6", "steps = 60");
    let recipe = recipe.replace("1e-3", "3e-3");
    run(&recipe, base, "run", 2).unwrap();
    let lines = steps(&base.join("run"));
    let mean = |lines: &[Value]| {
        let losses = lines
            .iter()
            .map(|l| l["difference"]["loss"].as_f64().unwrap());
        losses.sum::<f64>() / lines.len() as f64
    };
    let (before, after) = (mean(&lines[..10]), mean(&lines[50..]));
    assert!(after < 0.9 * before, "{before} {after}");
}
