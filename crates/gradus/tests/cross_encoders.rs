//! Cross-encoders of every family: scores and gradients of PyTorch, gradients by
//! finite differences, what is saved and loaded again.

mod common;

use common::slope::{every_parameter_follows_the_slope, unit};
use common::{bf16, distance, fixture, json, model_folder, numbers};
use gradus::models::{CrossEncoder, ModelFolder, ScoreActivation, SentenceEncoder};
use gradus::nn::{Block, PassContext};
use gradus_kernels::cpu::{Arena, Cpu};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{Backend, NormKind, NormSpec, View};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MODELS: &[&str] = &[
    "bert",
    "bert-three-labels",
    "bert-library-6",
    "roberta",
    "xlmr",
    "camembert",
    "distilbert",
    "electra",
    "mpnet",
];

fn folder(name: &str) -> PathBuf {
    fixture("cross_encoders").join(name)
}

fn load(root: &Path) -> CrossEncoder<Cpu> {
    CrossEncoder::load(root, Cpu::new(2)).unwrap_or_else(|e| panic!("{e}"))
}

fn expected(name: &str) -> Value {
    json(folder(name).join("expected.json"))
}

fn pairs(expected: &Value) -> Vec<(&str, &str)> {
    let pairs = expected["pairs"].as_array().unwrap().iter();
    pairs
        .map(|p| (p[0].as_str().unwrap(), p[1].as_str().unwrap()))
        .collect()
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

#[test]
fn tokens_logits_and_scores() {
    for name in MODELS {
        let (model, expected) = (load(&folder(name)), expected(name));
        assert!(ModelFolder::is_cross_encoder(&folder(name)).unwrap());
        let pairs = pairs(&expected);
        let tokens = model.tokenizer().encode_pairs(&pairs).unwrap();
        for (tokens, ids) in tokens.iter().zip(expected["token_ids"].as_array().unwrap()) {
            let ids: Vec<u32> = numbers(ids).iter().map(|&i| i as u32).collect();
            assert_eq!(tokens.ids, ids, "{name}");
        }
        assert_eq!(model.labels() as u64, expected["labels"].as_u64().unwrap());
        let activation = serde_json::to_value(model.activation()).unwrap();
        assert_eq!(activation, expected["activation"], "{name}");
        let off = distance(&model.logits(&tokens), &numbers(&expected["logits"]));
        assert!(off <= 1e-5, "{name}: logits off by {off:e}");
        let scores = model.predict(&pairs).unwrap();
        let off = distance(&narrow(scores.as_slice()), &numbers(&expected["scores"]));
        assert!(off <= 1e-5, "{name}: scores off by {off:e}");
    }
}

#[test]
fn pairs_put_together_of_texts_by_themselves_have_the_tokens_of_pairs() {
    let long = "A cat  sat in the park, and two dogs (one of them small) slept. ".repeat(9);
    let mut texts = vec![
        "",
        " ",
        "a",
        "Zwei Hunde\u{301} \u{1f355}!",
        "[SEP] a </s> <s>",
    ];
    // Lengths one after another, odd and even, on both sides of every limit below.
    texts.extend((1..24).map(|letters| &long[..3 * letters]));
    texts.extend([&long[..200], &long]);
    let pairs: Vec<(usize, usize)> = (0..texts.len())
        .flat_map(|a| (0..texts.len()).map(move |b| (a, b)))
        .collect();
    let cut_at_the_beginning = |name: &str| {
        let target = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(folder(name)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), target.path().join(file.file_name())).unwrap();
        }
        let path = target.path().join("tokenizer_config.json");
        let mut config = json(path.clone());
        config["truncation_side"] = "left".into();
        std::fs::write(path, config.to_string()).unwrap();
        target
    };
    let left = ["bert", "roberta", "xlmr"].map(cut_at_the_beginning);
    let left = left.iter().map(|folder| folder.path().to_owned());
    for folder in MODELS.iter().map(|name| folder(name)).chain(left) {
        let mut model = load(&folder);
        for most in [model.tokenizer().max_tokens(), 24, 17, 10, 9] {
            model.tokenizer_mut().set_max_tokens(most).unwrap();
            let tokenizer = model.tokenizer();
            let before = tokenizer.counts();
            let of = |&(a, b): &(usize, usize)| (texts[a], texts[b]);
            let direct: Vec<(&str, &str)> = pairs.iter().map(of).collect();
            let direct = tokenizer.encode_pairs(&direct).unwrap();
            let between = tokenizer.counts();
            let bare = tokenizer.bare_texts(&texts).unwrap();
            assert_eq!(tokenizer.bare_text(texts[3]).unwrap(), bare[3]);
            assert_eq!(tokenizer.counts(), between, "a text by itself is no input");
            let joined: Vec<_> = pairs.iter().map(|&(a, b)| (&bare[a], &bare[b])).collect();
            let joined = tokenizer.join_pairs(&joined).unwrap();
            assert!(direct.iter().any(|tokens| tokens.coverage.truncated));
            for (&(a, b), (direct, joined)) in pairs.iter().zip(direct.iter().zip(&joined)) {
                let what = format!(
                    "{}, {most}: {:?} {:?}",
                    folder.display(),
                    texts[a],
                    texts[b]
                );
                assert_eq!(joined, direct, "{what}");
            }
            let added = tokenizer.counts().truncated - between.truncated;
            assert_eq!(added, between.truncated - before.truncated);
        }
    }
}

#[test]
fn a_ranking_has_the_scores_of_its_pairs() {
    for name in ["bert", "roberta"] {
        let model = load(&folder(name));
        let long = "a dog in the park ".repeat(60);
        let documents = ["a cat", &long, "", "two birds sleep", "a cat"];
        let query = "the dog and the cat";
        let pairs = documents.map(|document| (query, document));
        let scores = model.predict(&pairs).unwrap();
        let ranked = model.rank(query, &documents, None).unwrap();
        assert_eq!(ranked.len(), documents.len());
        for place in ranked {
            assert_eq!(place.score, scores.as_slice()[place.index], "{name}");
        }
    }
}

#[test]
fn a_score_has_the_same_bits_in_any_company_and_on_any_number_of_threads() {
    for name in ["bert", "roberta", "mpnet"] {
        let expected = expected(name);
        let pairs = pairs(&expected);
        let together = load(&folder(name)).predict(&pairs).unwrap();
        for threads in [1, 3] {
            let model = CrossEncoder::load(folder(name), Cpu::new(threads)).unwrap();
            let alone: Vec<f64> = pairs
                .iter()
                .flat_map(|&pair| model.predict(&[pair]).unwrap().as_slice().to_vec())
                .collect();
            assert_eq!(alone, together.as_slice(), "{name}, {threads} threads");
        }
    }
}

#[test]
fn scores_in_bf16_are_near_pytorch() {
    for name in MODELS {
        let Some(backend) = bf16() else { return };
        let model = CrossEncoder::load(folder(name), backend).unwrap();
        let expected = expected(name);
        let tokens = model.tokenizer().encode_pairs(&pairs(&expected)).unwrap();
        let off = distance(&model.logits(&tokens), &numbers(&expected["logits"]));
        // Random weights are wide: logits reach 3.
        assert!(off <= 0.1, "{name}: off by {off:e}");
        assert!(off > 1e-5, "{name}: off by {off:e} only");
    }
}

#[test]
fn gradients_of_every_parameter() {
    for name in MODELS {
        let (model, expected) = (load(&folder(name)), expected(name));
        let bytes = std::fs::read(folder(name).join("gradients.safetensors")).unwrap();
        let stored = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tokens = model.tokenizer().encode_pairs(&pairs(&expected)).unwrap();
        let passed = model.forward(model.pack(tokens.iter().map(|t| (t, 0))), None);
        let off = distance(passed.logits(), &numbers(&expected["logits"]));
        assert!(off <= 1e-5, "{name}: logits off by {off:e}");
        let mut grads = model.gradient_arena();
        let cotangent = narrow(&numbers(&expected["cotangent"]));
        model.backward(passed, &cotangent, &mut grads);
        let mut compared = 0;
        for named in model.layout().named() {
            // The encoder's tensors have a prefix there.
            let suffix = format!(".{}", named.name);
            let found = stored
                .names()
                .into_iter()
                .find(|n| **n == named.name || n.ends_with(&suffix));
            let found = found.unwrap_or_else(|| panic!("{name}: nothing of {}", named.name));
            let data = stored.tensor(found).unwrap();
            let want: Vec<f64> = data
                .data()
                .chunks_exact(4)
                .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
                .collect();
            let got = model.backend().read_arena(&grads, named.view.range());
            let scale = want.iter().fold(0f64, |a, b| a.max(b.abs()));
            // The softmax ignores a shift of all scores.
            let key_bias = ["key.bias", "k_lin.bias", "attn.k.bias"];
            let scale = match key_bias.iter().any(|k| named.name.ends_with(k)) {
                true => 1.0,
                false => scale,
            };
            let off = distance(&got, &want) / scale;
            assert!(off <= 1e-4, "{name}: {} off by {off:e}", named.name);
            compared += 1;
        }
        assert_eq!(compared, stored.names().len(), "{name}");
    }
}

/// A fixed scalar of a model's logits, with dropout, and its gradient.
fn scalar(model: &CrossEncoder<Cpu>, pairs: &[(&str, &str)], grads: Option<&mut Arena>) -> f64 {
    let tokens = model.tokenizer().encode_pairs(pairs).unwrap();
    let dropout = Dropout::for_step(0.1, 3, 7);
    let passed = model.forward(model.pack(tokens.iter().zip(0..)), Some(dropout));
    let cotangent: Vec<f32> = (0..passed.logits().len() as u64).map(unit).collect();
    let terms = passed.logits().iter().zip(&cotangent);
    let sum = terms.map(|(v, c)| f64::from(*v) * f64::from(*c)).sum();
    if let Some(grads) = grads {
        model.backward(passed, &cotangent, grads);
    }
    sum
}

#[test]
fn gradients_follow_the_slope_with_dropout() {
    for name in MODELS {
        let mut model = load(&folder(name));
        model.set_dropout(0.1, 0.1);
        let expected = expected(name);
        let pairs = pairs(&expected);
        let scalar =
            |model: &CrossEncoder<Cpu>, grads: Option<&mut Arena>| scalar(model, &pairs, grads);
        let without = every_parameter_follows_the_slope(model, name, scalar);
        assert!(without.is_empty(), "{name}: no gradient for {without:?}");
    }
}

#[test]
fn what_is_saved_scores_the_same() {
    for name in MODELS {
        let target = tempfile::tempdir().unwrap();
        let target = target.path().join("model");
        let mut model = load(&folder(name));
        model.save(&target, "# A model\n").unwrap();
        let expected = expected(name);
        let pairs = pairs(&expected);
        let before = model.predict(&pairs).unwrap();
        let again = load(&target);
        assert_eq!(again.activation(), model.activation(), "{name}");
        assert_eq!(again.predict(&pairs).unwrap(), before, "{name}");
        model.reload(&target).unwrap();
        assert_eq!(model.predict(&pairs).unwrap(), before, "{name}");
    }
}

#[test]
fn a_model_without_a_head_gets_one_by_its_seed() {
    let root = model_folder("bert-small");
    assert!(!ModelFolder::is_cross_encoder(&root).unwrap());
    let error = CrossEncoder::load(&root, Cpu::new(1)).err().unwrap();
    assert!(error.to_string().contains("without a head"), "{error}");
    let make = |seed| {
        let backend = Arc::new(Cpu::new(1));
        CrossEncoder::load_to_train(&root, backend, 1, seed).unwrap()
    };
    let model = make(1);
    assert!(model.has_fresh_head());
    assert_eq!(model.activation(), ScoreActivation::Sigmoid);
    let score = |model: &CrossEncoder<Cpu>| model.predict(&[("a dog", "a cat")]).unwrap();
    assert_eq!(score(&model), score(&make(1)));
    assert_ne!(score(&model), score(&make(2)));
    // A head of another shape is not thrown away in silence.
    let three = folder("bert-three-labels");
    let error = CrossEncoder::load_to_train(&three, Arc::new(Cpu::new(1)), 1, 1)
        .err()
        .unwrap();
    assert!(error.to_string().contains("3 labels"), "{error}");
}

/// A model's vectors of first tokens, from all tokens' and alone.
fn first_tokens(backend: Cpu, root: &Path, block: Block) -> [Vec<f32>; 2] {
    let model = SentenceEncoder::load(root, backend).unwrap_or_else(|e| panic!("{e}"));
    let texts = [
        "a dog in the park",
        "",
        "the cat sat on the mat and sat",
        "two",
    ];
    let tokens = model.tokenizer().encode(&texts).unwrap();
    let encoder = model.encoder().clone().with_block(block);
    let backend = model.backend();
    backend.enter(|| {
        let batch = backend.batch(model.pack(tokens.iter().map(|t| (t, 0))));
        let pass = PassContext::inference(backend, model.params(), &batch);
        let offsets = backend.packed(&batch).offsets();
        let rows: Vec<u32> = offsets.windows(2).map(|w| w[0] as u32).collect();
        let all = encoder.infer(pass);
        [backend.gather(&all, &rows), encoder.infer_first(pass)].map(|x| backend.read(&x))
    })
}

#[test]
fn first_tokens_alone_have_the_bits_of_the_whole_pass() {
    let names = std::fs::read_dir(fixture("models")).unwrap();
    let mut folders: Vec<PathBuf> = names.map(|entry| entry.unwrap().path()).collect();
    folders.extend(MODELS.iter().map(|name| folder(name)));
    let folders = folders.iter().filter(|f| f.join("config.json").is_file());
    let mut compared = 0;
    for root in folders.filter(|f| !f.ends_with("bert-library-6")) {
        let width = ModelFolder::open(root).unwrap().config.hidden_size;
        let final_norm = NormSpec {
            kind: NormKind::LayerNorm,
            gamma: View::new(0, 1, width),
            beta: None,
            eps: 1e-6,
        };
        for block in [Block::PostNorm, Block::PreNorm { final_norm }] {
            for backend in [Some(Cpu::new(2)), bf16()].into_iter().flatten() {
                let [all, alone] = first_tokens(backend, root, block);
                assert_eq!(all, alone, "{}, {block:?}", root.display());
                compared += 1;
            }
        }
    }
    assert!(compared >= 2 * 18, "{compared}");
}

#[test]
fn documents_are_ranked() {
    let model = load(&folder("bert"));
    let documents = ["a cat sat", "two birds", "a dog in the park", "two birds"];
    let ranked = model.rank("the dog", &documents, None).unwrap();
    let scores: Vec<f64> = ranked.iter().map(|d| d.score).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b));
    let places: Vec<usize> = ranked.iter().map(|d| d.index).collect();
    let first = places.iter().position(|&i| i == 1).unwrap();
    assert_eq!(places[first + 1], 3, "equal ones stay in order");
    assert_eq!(
        model.rank("the dog", &documents, Some(2)).unwrap(),
        ranked[..2]
    );
    let three = load(&folder("bert-three-labels"));
    let error = three.rank("q", &documents, None).unwrap_err();
    assert!(error.to_string().contains("3 scores"), "{error}");
}
