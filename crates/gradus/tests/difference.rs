//! Difference prediction: PyTorch's stored loss and gradients, slopes, what the
//! generator fills, and runs with it.

mod common;

use common::{copy_of, distance, fixture, json, load, model_folder, numbers};
use gradus::Embeddings;
use gradus::data::DataRoot;
use gradus::difference::{
    Average, Difference, DifferenceSettings, Fill, Filled, Generator, Rebuilt, Term,
};
use gradus::model::{FreshModel, SentenceEncoder, TokenClassifier, TokenizerFiles, write_fresh};
use gradus::pretrain::{LanguageModel, Masking};
use gradus::text::Tokens;
use gradus::train::{Run, RunFolder, RunOptions, Silent, Summary, parse_recipe};
use gradus_kernels::Backend;
use gradus_kernels::cpu::{Arena, Cpu};
use gradus_kernels::dropout::mix64;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const SEED: u64 = 5;

/// What a recipe has without further keys, with a weight of 1.
fn settings() -> DifferenceSettings {
    DifferenceSettings {
        generator: "generator".into(),
        mask_rate: 0.3,
        weight: 1.0,
        fill: Fill::Argmax,
        positions: Filled::All,
        average: Average::Real,
    }
}

/// A discriminator from the stored model `name`, without dropout.
fn difference(name: &str, settings: DifferenceSettings, threads: usize) -> Difference<Cpu> {
    let backend = Arc::new(Cpu::new(threads));
    let folder = fixture("pretraining/bert");
    let generator = Generator::load(&folder, Arc::clone(&backend)).unwrap();
    let mut discriminator = TokenClassifier::load(&model_folder(name), backend, 2, 7).unwrap();
    discriminator.set_dropout(0.0, 0.0);
    let pieces = load(&folder).tokenizer().pieces();
    let mask = pieces.mask().unwrap();
    Difference::new(settings, generator, discriminator, (pieces, mask), SEED)
}

fn tokens(ids: &[u32]) -> Tokens {
    let mut tokens = Tokens::default();
    tokens.ids.extend_from_slice(ids);
    tokens
}

/// Texts of the model's own vocabulary.
fn corpus(count: usize) -> Vec<Tokens> {
    let text = std::fs::read_to_string(fixture("training/pairs.tsv")).unwrap();
    let texts: Vec<&str> = text
        .lines()
        .filter_map(|l| l.split('\t').nth(1))
        .take(count)
        .collect();
    let model = load(&fixture("pretraining/bert"));
    model.tokenizer().encode(&texts).unwrap()
}

fn streams(texts: &[Tokens]) -> Vec<(&Tokens, u64)> {
    texts.iter().zip(0..).collect()
}

/// Texts with the tokens that the reference calls replaced.
fn stored(expected: &Value) -> (Vec<Tokens>, Vec<Rebuilt>) {
    let ids = expected["texts"].as_array().unwrap().iter();
    let replaced = expected["replaced"].as_array().unwrap();
    let narrow = |v: &Value| numbers(v).iter().map(|&x| x as u32).collect::<Vec<u32>>();
    ids.zip(replaced)
        .map(|(ids, replaced)| {
            let rebuilt = Rebuilt {
                ids: narrow(ids),
                replaced: narrow(replaced),
                masked: 0,
                restored: 0,
            };
            (tokens(&rebuilt.ids), rebuilt)
        })
        .unzip()
}

fn narrow(values: &Value) -> Vec<f32> {
    numbers(values).iter().map(|&x| x as f32).collect()
}

#[test]
fn loss_and_gradients_are_those_of_pytorch() {
    let expected = json(fixture("difference.json"));
    let (texts, rebuilt) = stored(&expected);
    let vectors = Embeddings::new(32, narrow(&expected["vectors"]));
    for (average, rows) in [(Average::Real, 20.0), (Average::All, 30.0)] {
        let settings = DifferenceSettings {
            average,
            ..settings()
        };
        let mut difference = difference("bert-small", settings, 2);
        let (backend, params) = difference.discriminator_mut().params_mut();
        let len = params.values().len();
        let head = [&expected["weight"], &expected["bias"]]
            .map(narrow)
            .concat();
        backend.write_arena(params, len - head.len(), &head);
        let discriminator = difference.discriminator();
        // The sum is the same whatever it is divided by.
        let part = 20.0 / rows;
        for (limit, share) in [(None, 1.0), (Some(9), 0.25)] {
            let mut grads = discriminator.gradient_arena();
            let texts = (3, &streams(&texts)[..]);
            let term = difference.discriminate(texts, &rebuilt, &vectors, limit, share, &mut grads);
            let loss = part * expected["loss"].as_f64().unwrap();
            assert!((term.score.loss / loss - 1.0).abs() < 1e-5, "{term:?}");
            let told = |name: &str| expected[name].as_u64().unwrap() as usize;
            assert_eq!(term.score.told_replaced, told("told_replaced"));
            assert_eq!(term.score.told_kept, told("told_kept"));
            assert_eq!((term.score.tokens, term.score.replaced), (20, 6));
            let scaled = |values: &Value, by: f64| -> Vec<f64> {
                numbers(values).iter().map(|x| by * x).collect()
            };
            let near = |got: &[f32], want: &[f64], name: &str| {
                let largest = want.iter().fold(0f64, |a, b| a.max(b.abs()));
                let off = distance(got, want) / largest;
                assert!(largest > 0.0 && off < 1e-4, "{name}: off by {off:e}");
            };
            let want = scaled(&expected["vector_gradients"], part);
            near(&term.vectors, &want, "vectors");
            for (name, want) in expected["gradients"].as_object().unwrap() {
                let layout = discriminator.layout().named();
                let named = layout.iter().find(|n| n.name == *name).unwrap();
                let got = discriminator
                    .backend()
                    .read_arena(&grads, named.view.range());
                near(&got, &scaled(want, share * part), name);
            }
        }
    }
}

/// A value in `[-1, 1)`, the same for the same number.
fn unit(i: u64) -> f32 {
    (mix64(i) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

#[test]
fn the_whole_term_follows_the_slope() {
    let expected = json(fixture("difference.json"));
    let (texts, rebuilt) = stored(&expected);
    let texts = streams(&texts);
    for (name, width) in [("bert-small", 32), ("mpnet-small", 24), ("nomic-small", 24)] {
        let mut difference = difference(name, settings(), 2);
        difference.discriminator_mut().set_dropout(0.1, 0.1);
        let given: Vec<f32> = (0..3 * width as u64).map(unit).collect();
        let term = |difference: &Difference<Cpu>, given: &[f32], grads: &mut Arena| -> Term {
            let vectors = Embeddings::new(width, given.to_vec());
            difference.discriminate((2, &texts), &rebuilt, &vectors, None, 1.0, grads)
        };
        let mut grads = difference.discriminator().gradient_arena();
        let vectors = term(&difference, &given, &mut grads).vectors;
        let grads = grads.values().to_vec();
        let mut spare = difference.discriminator().gradient_arena();
        let check = |slope: f64, gradient: &[f32], direction: &[f32], name: &str| {
            let along = gradient.iter().zip(direction);
            let exact: f64 = along.map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
            let square = |g: &f32| f64::from(*g).powi(2);
            let norm = gradient.iter().map(square).sum::<f64>().sqrt();
            assert!(norm > 0.0, "{name} gets no gradient");
            assert!(
                (slope - exact).abs() <= 0.03 * norm + 1e-3,
                "{name}: slope {slope}, gradient {exact}, norm {norm}"
            );
        };
        let step = |direction: &[f32]| {
            let length = direction
                .iter()
                .map(|d| f64::from(*d).powi(2))
                .sum::<f64>()
                .sqrt();
            (4e-3 / length.max(1.0)) as f32 * (1.0 + length as f32).sqrt()
        };
        for text in 0..3 {
            let own = text * width..(text + 1) * width;
            let direction: Vec<f32> = (0..width as u64).map(|i| unit(900 + i)).collect();
            let step = step(&direction);
            let mut along = |sign: f32| {
                let mut moved = given.clone();
                for (x, d) in moved[own.clone()].iter_mut().zip(&direction) {
                    *x += sign * step * d;
                }
                term(&difference, &moved, &mut spare).score.loss
            };
            let slope = (along(1.0) - along(-1.0)) / f64::from(2.0 * step);
            check(slope, &vectors[own], &direction, "a vector");
        }
        let layout = difference.discriminator().layout().named().to_vec();
        for (number, named) in layout.iter().enumerate() {
            let range = named.view.range();
            let values = difference.discriminator().params().values()[range.clone()].to_vec();
            let direction: Vec<f32> = (0..values.len())
                .map(|i| unit(mix64(number as u64) ^ i as u64))
                .collect();
            let step = step(&direction);
            let mut along = |sign: f32| {
                let moved: Vec<f32> = values
                    .iter()
                    .zip(&direction)
                    .map(|(v, d)| v + sign * step * d)
                    .collect();
                let (backend, params) = difference.discriminator_mut().params_mut();
                backend.write_arena(params, range.start, &moved);
                term(&difference, &given, &mut spare).score.loss
            };
            let slope = (along(1.0) - along(-1.0)) / f64::from(2.0 * step);
            let (backend, params) = difference.discriminator_mut().params_mut();
            backend.write_arena(params, range.start, &values);
            check(
                slope,
                &grads[range],
                &direction,
                &format!("{name}: {}", named.name),
            );
        }
    }
}

#[test]
fn texts_keep_their_length_and_special_tokens() {
    let texts = corpus(150);
    let pieces = load(&fixture("pretraining/bert")).tokenizer().pieces();
    for (fill, positions) in [
        (Fill::Argmax, Filled::All),
        (Fill::Argmax, Filled::Masked),
        (Fill::Sample, Filled::Masked),
        (Fill::Sample, Filled::All),
    ] {
        let settings = DifferenceSettings {
            fill,
            positions,
            ..settings()
        };
        let difference = difference("bert-small", settings, 2);
        let rebuilt = difference.rebuild(4, &streams(&texts));
        let masking = Masking::new(&pieces, pieces.mask().unwrap(), 0.3, false, SEED);
        let (mut masked, mut ordinary, mut changed) = (0, 0, 0);
        for ((text, rebuilt), stream) in texts.iter().zip(&rebuilt).zip(0..) {
            assert_eq!(rebuilt.ids.len(), text.ids.len());
            let chosen = masking.apply(4, stream, &text.ids).targets;
            assert_eq!(rebuilt.masked, chosen.len());
            for (place, (new, old)) in rebuilt.ids.iter().zip(&text.ids).enumerate() {
                assert_eq!(rebuilt.replaced[place] == 1, new != old);
                let was_chosen = chosen.iter().any(|t| t.0 as usize == place);
                if pieces.is_special(*old) || (positions == Filled::Masked && !was_chosen) {
                    assert_eq!(new, old);
                }
                changed += usize::from(new != old);
                ordinary += usize::from(!pieces.is_special(*old));
            }
            masked += rebuilt.masked;
        }
        let share = masked as f64 / ordinary as f64;
        let deviation = (0.3 * 0.7 / ordinary as f64).sqrt();
        assert!((share - 0.3).abs() < 5.0 * deviation, "{share}");
        assert!(changed > masked / 4);
        // Each text alone, on another number of threads, is filled alike; every
        // step and stream has masks of its own.
        let alone = self::difference("bert-small", settings_of(fill, positions), 3);
        let one = alone.rebuild(4, &streams(&texts)[7..8]);
        assert_eq!(one[0], rebuilt[7]);
        assert_ne!(difference.rebuild(5, &streams(&texts)), rebuilt);
        assert_ne!(difference.rebuild(4, &[(&texts[7], 8)])[0], rebuilt[7]);
    }
}

fn settings_of(fill: Fill, positions: Filled) -> DifferenceSettings {
    DifferenceSettings {
        fill,
        positions,
        ..settings()
    }
}

#[test]
fn the_generator_tells_what_the_language_model_tells() {
    let texts = corpus(60);
    let folder = fixture("pretraining/bert");
    let model = LanguageModel::load(&folder, Cpu::new(1), 1).unwrap();
    let pieces = model.encoder().tokenizer().pieces();
    let masking = Masking::new(&pieces, pieces.mask().unwrap(), 0.3, false, SEED);
    let masked: Vec<_> = texts
        .iter()
        .zip(0..)
        .map(|(text, stream)| masking.apply(9, stream, &text.ids))
        .collect();
    let score = model.score(&model.pack(masked.iter().zip(0..)));
    for positions in [Filled::All, Filled::Masked] {
        let difference = difference("bert-small", settings_of(Fill::Argmax, positions), 2);
        let rebuilt = difference.rebuild(9, &streams(&texts));
        let restored: usize = rebuilt.iter().map(|r| r.restored).sum();
        assert_eq!(restored, score.correct);
        assert_eq!(
            rebuilt.iter().map(|r| r.masked).sum::<usize>(),
            score.masked
        );
    }
}

#[test]
fn odd_texts_are_no_trouble() {
    let difference = difference("bert-small", settings(), 2);
    // Special tokens alone; nothing at all; one word.
    let texts = [tokens(&[2, 3]), tokens(&[]), tokens(&[2, 40, 3])];
    let vectors = Embeddings::new(32, (0..96).map(unit).collect());
    let mut grads = difference.discriminator().gradient_arena();
    let batch = (1, &streams(&texts)[..]);
    let term = difference.evaluate(batch, &vectors, None, 1.0, &mut grads);
    assert!(term.score.loss.is_finite() && term.score.tokens == 5);
    assert!(term.vectors[..32].iter().any(|g| *g != 0.0));
    assert!(term.vectors[32..64].iter().all(|g| *g == 0.0));
    // The text of special tokens is as it was.
    let rebuilt = difference.rebuild(1, &streams(&texts));
    assert_eq!((&rebuilt[0].ids[..], rebuilt[0].masked), (&[2, 3][..], 0));
    assert!(rebuilt[1].ids.is_empty());
    // Nothing was replaced, and there is one text only.
    let same = Rebuilt {
        replaced: vec![0; 3],
        ..rebuilt[2].clone()
    };
    let one = Embeddings::new(32, vec![0.5; 32]);
    let batch = (1, &streams(&texts)[2..]);
    let term = difference.discriminate(batch, &[same], &one, None, 1.0, &mut grads);
    assert!(term.score.loss.is_finite() && term.score.replaced == 0);
    assert_eq!(term.score.report().accuracy_on_replaced, None);
    // No texts.
    let none = Embeddings::new(32, vec![]);
    let term = difference.evaluate((1, &[]), &none, None, 1.0, &mut grads);
    assert_eq!((term.score.loss, term.vectors.len()), (0.0, 0));
    // A vector that is no number is not hidden.
    let bad = Embeddings::new(32, vec![f32::NAN; 32]);
    let batch = (1, &streams(&texts)[2..]);
    let term = difference.evaluate(batch, &bad, None, 1.0, &mut grads);
    assert!(!term.score.loss.is_finite());
}

/// A folder with texts, `model/` and `generator/`.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("bert-small", "model"),
        ("../pretraining/bert", "generator"),
    ] {
        let copy = copy_of(from);
        std::fs::rename(copy.path(), place.path().join(to)).unwrap();
    }
    let pairs = std::fs::read_to_string(fixture("training/pairs.tsv")).unwrap();
    let texts: Vec<&str> = pairs
        .lines()
        .filter_map(|l| l.split('\t').nth(1))
        .take(64)
        .collect();
    std::fs::write(place.path().join("texts.txt"), texts.join("\n")).unwrap();
    place
}

const STAGE: &str = "[[stage]]\nname = 's'\ntrain = [{ path = 'texts.txt' }]\n\
    objective = { loss = 'info_nce' }\nprojection = 'batch_norm'\nsteps = 6\nbatch = 8\n\
    dropout = 0.1\nlearning_rate = 1e-3\nclip = 1.0\n";

fn recipe(difference: &str, more: &str) -> String {
    let difference = format!("difference = {{ generator = 'generator', {difference} }}\n");
    format!(
        "model = 'model'\npooling = 'cls'\nnormalize = false\nlog_every = 1\ncheckpoint_steps = 3\n{STAGE}{difference}{more}"
    )
}

fn prepare(recipe: &str, base: &Path, threads: usize) -> gradus::Result<Run<Cpu>> {
    let recipe = parse_recipe(Path::new("recipe.toml"), recipe, &[])?;
    let beside = recipe.stages.iter().flat_map(|s| s.models_beside());
    let options = RunOptions {
        base_dir: base.to_path_buf(),
        data_root: DataRoot::resolve(Some(base)),
        teachers: beside
            .map(|name| (name.to_owned(), base.join(name)))
            .collect(),
    };
    let model = base.join(&recipe.model);
    Run::prepare(recipe, &model, Cpu::new(threads), &options, &mut Silent)
}

/// Runs a recipe in `base/name` from the start.
fn run(recipe: &str, base: &Path, name: &str, threads: usize) -> gradus::Result<Summary> {
    let mut run = prepare(recipe, base, threads)?;
    let parsed = parse_recipe(Path::new("recipe.toml"), recipe, &[])?;
    let folder = RunFolder::create(&base.join(name), &parsed, base)?;
    run.execute(&folder, &mut Silent)
}

/// The `step` lines of a run.
fn steps(run: &Path) -> Vec<Value> {
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = metrics.lines().map(|l| serde_json::from_str(l).unwrap());
    lines.filter(|m: &Value| m["kind"] == "step").collect()
}

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
    let (folder, parsed) = RunFolder::open(&base.join("one")).unwrap();
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

#[test]
fn what_does_not_fit_is_refused() {
    let place = workplace();
    let base = place.path();
    let refused = |recipe: &str| match prepare(recipe, base, 1) {
        Ok(_) => panic!("it was taken: {recipe}"),
        Err(e) => e.to_string(),
    };
    let good = recipe("weight = 0.5", "");
    for (from, to) in [
        ("../pretraining/roberta", "other"),
        ("bert-small", "headless"),
        ("bert-gelu-new", "dense"),
        ("nomic-small", "unknown"),
    ] {
        let copy = copy_of(from);
        std::fs::rename(copy.path(), base.join(to)).unwrap();
    }
    let with = |name: &str| good.replace("'generator'", &format!("'{name}'"));
    for (recipe, part) in [
        (with("other"), "vocabulary is another: piece"),
        (with("other"), "distilroberta-base"),
        (
            with("headless"),
            "without the head that tells masked tokens",
        ),
        (with("unknown"), "unsupported family"),
        (good.replace("'model'", "'dense'"), "without Dense module"),
        (
            recipe("mask_rate = 1.0", ""),
            "`difference.mask_rate` is 1, it must lie between 0 and 1",
        ),
        (
            good.replace("pooling = 'cls'", "template = 'so {} is [MASK]'"),
            "does not go with a template",
        ),
        (recipe("weight = 0.0", ""), "`difference.weight` is 0"),
        (recipe("fill = 'best'", ""), "argmax"),
        (recipe("rate = 0.1", ""), "rate"),
        (recipe("", "freeze = 'encoder'\n"), "freeze"),
    ] {
        let error = refused(&recipe);
        assert!(error.contains(part), "{part}: {error}");
    }
    // A generator for shorter texts.
    let sizes = FreshModel {
        layers: 1,
        hidden: 16,
        heads: 2,
        intermediate: 16,
        max_tokens: 6,
        dropout: 0.1,
    };
    let files = TokenizerFiles::Of(base.join("model"));
    write_fresh(&base.join("short"), &sizes, &files, 1).unwrap();
    let error = refused(&with("short"));
    assert!(error.contains("set `max_tokens = 6`"), "{error}");
    let shorter = with("short").replace("pooling", "max_tokens = 6\npooling");
    run(&shorter, base, "shorter", 1).unwrap();
}
