//! Masked language models: stored losses and gradients of PyTorch, what is
//! saved, fresh models.

mod common;

use common::{bf16, copy_of, distance, fixture, json, model_folder, numbers};
use gradus::models::MaskedLm;
use gradus::models::{FreshModel, SentenceEncoder, TokenizerFiles, write_fresh};
use gradus::text::Masked;
use gradus::text::{Tokenizer, train_word_pieces};
use gradus_kernels::Backend;
use gradus_kernels::cpu::Cpu;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

fn load(folder: &Path) -> MaskedLm<Cpu> {
    MaskedLm::load(folder, Cpu::new(2), 1).unwrap_or_else(|e| panic!("{e}"))
}

type Stored = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn tensors(path: &Path) -> Stored {
    let bytes = std::fs::read(path).unwrap();
    let stored = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensors = stored.tensors().into_iter().map(|(name, tensor)| {
        let values = tensor.data().chunks_exact(4);
        let values = values.map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        (name, (tensor.shape().to_vec(), values.collect()))
    });
    tensors.collect()
}

/// The masked texts that the reference was computed on.
fn texts(described: &Value) -> Vec<Masked> {
    let ids = described["token_ids"].as_array().unwrap();
    let targets = described["targets"].as_array().unwrap();
    ids.iter()
        .zip(targets)
        .map(|(ids, targets)| {
            let targets = targets.as_object().unwrap().iter();
            let mut targets: Vec<(u32, u32)> = targets
                .map(|(place, id)| (place.parse().unwrap(), id.as_u64().unwrap() as u32))
                .collect();
            targets.sort_unstable();
            Masked {
                ids: numbers(ids).iter().map(|&id| id as u32).collect(),
                targets,
            }
        })
        .collect()
}

fn prefix(name: &str, tensor: &str) -> String {
    let parts = ["cls.", "lm_head.", "vocab_"];
    match parts.iter().any(|part| tensor.starts_with(part)) {
        true => tensor.to_owned(),
        false => format!("{name}.{tensor}"),
    }
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    for name in ["bert", "roberta", "distilbert", "mpnet"] {
        let model = load(&fixture("pretraining").join(name));
        assert!(!model.has_fresh_head());
        let described = json(fixture("pretraining").join(format!("{name}.json")));
        let want = tensors(&fixture("pretraining").join(format!("{name}-gradients.safetensors")));
        let texts = texts(&described);
        let batch = model.pack(texts.iter().zip(0..));
        let encoder = model.encoder();
        let mut grads = encoder.gradient_arena();
        let scale = 1.0 / batch.masked() as f32;
        let loss = described["loss"].as_f64().unwrap();
        // The second time in a gradient arena that was used and cleared.
        for _ in 0..2 {
            encoder.backend().zero(&mut grads);
            let score = model.gradients(&batch, scale, None, &mut grads);
            assert!(
                (score.mean_loss() - loss).abs() < 2e-6 * loss,
                "{name}: {score:?}"
            );
            assert_eq!(score.correct as u64, described["correct"].as_u64().unwrap());
            let alone = model.score(&batch);
            assert!((alone.loss - score.loss).abs() < 1e-5 && alone.correct == score.correct);
        }
        let mut largest = 0f64;
        for named in encoder.layout().named() {
            let got = encoder.backend().read_arena(&grads, named.view.range());
            let want: Vec<f64> = want[&prefix(name, &named.name)]
                .1
                .iter()
                .map(|&g| f64::from(g))
                .collect();
            let scale = want.iter().fold(0f64, |a, b| a.max(b.abs()));
            // A shift of all scores of a softmax changes nothing.
            let zero = ["key.bias", "k_lin.bias", "attn.k.bias"];
            let zero = zero.iter().any(|end| named.name.ends_with(end));
            let off = distance(&got, &want) / if zero { 1.0 } else { scale };
            assert!(off <= 1e-4, "{name}: {} off by {off:e}", named.name);
            largest = largest.max(off);
        }
        println!("{name}: largest relative difference {largest:e}");
    }
}

/// In the default precision, where the processor has it.
#[test]
fn losses_and_gradients_in_bf16_are_near_pytorch() {
    for name in ["bert", "roberta", "distilbert", "mpnet"] {
        let Some(backend) = bf16() else { return };
        let folder = fixture("pretraining").join(name);
        let model = MaskedLm::load(&folder, backend, 1).unwrap();
        let described = json(fixture("pretraining").join(format!("{name}.json")));
        let want = tensors(&fixture("pretraining").join(format!("{name}-gradients.safetensors")));
        let texts = texts(&described);
        let batch = model.pack(texts.iter().zip(0..));
        let encoder = model.encoder();
        let mut grads = encoder.gradient_arena();
        let score = model.gradients(&batch, 1.0 / batch.masked() as f32, None, &mut grads);
        let loss = described["loss"].as_f64().unwrap();
        let off = (score.mean_loss() / loss - 1.0).abs();
        assert!(off < 5e-3, "{name}: {score:?}, {loss}");
        // All gradients together: how far they point elsewhere.
        let (mut apart, mut all) = (0f64, 0f64);
        for named in encoder.layout().named() {
            let got = encoder.backend().read_arena(&grads, named.view.range());
            for (g, w) in got.iter().zip(&want[&prefix(name, &named.name)].1) {
                apart += f64::from(g - w).powi(2);
                all += f64::from(*w).powi(2);
            }
        }
        let apart = (apart / all).sqrt();
        println!("{name}: loss {off:e}, gradients {apart:e}");
        assert!(apart < 0.1 && apart > 1e-5, "{name}: {apart}");
    }
}

#[test]
fn batches_may_be_cut() {
    let model = load(&fixture("pretraining/bert"));
    let texts = texts(&json(fixture("pretraining/bert.json")));
    let (backend, len) = (model.encoder().backend(), model.encoder().layout().len());
    let mut whole = model.encoder().gradient_arena();
    let batch = model.pack(texts.iter().zip(0..));
    let expected = model.gradients(&batch, 0.25, None, &mut whole);
    let mut parts = model.encoder().gradient_arena();
    let mut loss = 0.0;
    for (text, stream) in texts.iter().zip(0..) {
        loss += model
            .gradients(&model.pack([(text, stream)]), 0.25, None, &mut parts)
            .loss;
    }
    assert!((loss - expected.loss).abs() < 1e-5);
    let whole = backend.read_arena(&whole, 0..len);
    let wide: Vec<f64> = whole.iter().map(|&g| f64::from(g)).collect();
    assert!(distance(&backend.read_arena(&parts, 0..len), &wide) < 1e-5);
    // Nothing to tell is no error.
    let nothing = Masked {
        ids: texts[0].ids.clone(),
        targets: vec![],
    };
    let batch = model.pack([(&nothing, 0)]);
    assert_eq!(model.score(&batch).masked, 0);
    assert_eq!(model.gradients(&batch, 1.0, None, &mut parts).masked, 0);
}

/// What transformers wrote is what is written: so it reads it, too.
#[test]
fn saved_weights_are_named_as_transformers_names_them() {
    for name in ["bert", "roberta", "distilbert", "mpnet"] {
        let folder = fixture("pretraining").join(name);
        let place = tempfile::tempdir().unwrap();
        let saved = place.path().join("saved");
        load(&folder).encoder().save(&saved, "").unwrap();
        let want = tensors(&folder.join("model.safetensors"));
        assert!(tensors(&saved.join("model.safetensors")) == want, "{name}");
        // As an encoder it has the same vectors.
        let vector = |folder: &Path| {
            let model = SentenceEncoder::load(folder, Cpu::new(1)).unwrap();
            model.encode(&["the cat"]).unwrap()
        };
        assert!(vector(&saved).as_slice() == vector(&folder).as_slice());
    }
}

#[test]
fn a_model_without_a_head_gets_one() {
    for name in [
        "bert-small",
        "roberta-small",
        "bert-gelu-new",
        "mpnet-small",
    ] {
        let folder = model_folder(name);
        let model = load(&folder);
        assert!(model.has_fresh_head());
        let place = tempfile::tempdir().unwrap();
        let saved = place.path().join("saved");
        model.encoder().save(&saved, "").unwrap();
        let again = load(&saved);
        assert!(!again.has_fresh_head());
        let values = |model: &MaskedLm<Cpu>| {
            let encoder = model.encoder();
            encoder
                .backend()
                .read_arena(encoder.params(), 0..encoder.layout().len())
        };
        assert!(values(&model) == values(&again), "{name}");
        let other = MaskedLm::load(&folder, Cpu::new(1), 2).unwrap();
        assert!(values(&model) != values(&other));
    }
}

#[test]
fn half_a_head_and_a_decoder_of_its_own_are_refused() {
    let refused = |change: &dyn Fn(&Path)| {
        let place = copy_of("../pretraining/bert");
        change(place.path());
        match MaskedLm::load(place.path(), Cpu::new(1), 1) {
            Ok(_) => panic!("it was taken"),
            Err(e) => e.to_string(),
        }
    };
    let error = refused(&|folder| {
        let path = folder.join("model.safetensors");
        let stored = tensors(&path);
        let bytes: BTreeMap<String, (Vec<usize>, Vec<u8>)> = stored
            .into_iter()
            .filter(|(name, _)| name != "cls.predictions.bias")
            .map(|(name, (shape, values))| {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (name, (shape, bytes))
            })
            .collect();
        let views = bytes.iter().map(|(name, (shape, bytes))| {
            let view =
                safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
            (name.as_str(), view.unwrap())
        });
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    });
    assert!(
        error.contains("`cls.predictions.bias` is missing"),
        "{error}"
    );
    let error = refused(&|folder| {
        let path = folder.join("config.json");
        let mut config = json(&path);
        config["tie_word_embeddings"] = false.into();
        std::fs::write(&path, config.to_string()).unwrap();
    });
    assert!(error.contains("tie_word_embeddings"), "{error}");
}

const SIZES: FreshModel = FreshModel {
    layers: 2,
    hidden: 24,
    heads: 3,
    intermediate: 40,
    max_tokens: 16,
    dropout: 0.1,
};

#[test]
fn fresh_models_are_whole_folders() {
    let place = tempfile::tempdir().unwrap();
    let texts = ["the cat sat on the mat", "a dog, two dogs; three dogs"];
    let trained = TokenizerFiles::Json(train_word_pieces(&texts, 60).unwrap());
    let of_bert = TokenizerFiles::Of(model_folder("bert-small"));
    let of_roberta = TokenizerFiles::Of(model_folder("roberta-small"));
    for (name, files) in [("a", trained), ("b", of_bert), ("c", of_roberta)] {
        let folder = place.path().join(name);
        write_fresh(&folder, &SIZES, &files, 7).unwrap();
        let model = load(&folder);
        assert!(!model.has_fresh_head());
        let encoder = model.encoder();
        assert_eq!((encoder.dim(), encoder.tokenizer().max_tokens()), (24, 16));
        assert_eq!(
            encoder.tokenizer().vocabulary().len(),
            encoder.config().vocab_size
        );
        assert!(encoder.tokenizer().vocabulary().mask().is_some());
        let vectors = SentenceEncoder::load(&folder, Cpu::new(1)).unwrap();
        let vectors = vectors.encode(&texts).unwrap();
        assert!(vectors.as_slice().iter().all(|x| x.is_finite()));
        // Written anew it is the same; with another seed it is not.
        let first = std::fs::read(folder.join("model.safetensors")).unwrap();
        write_fresh(&folder, &SIZES, &files, 7).unwrap();
        assert!(std::fs::read(folder.join("model.safetensors")).unwrap() == first);
        write_fresh(&folder, &SIZES, &files, 8).unwrap();
        assert!(std::fs::read(folder.join("model.safetensors")).unwrap() != first);
    }
    let folder = place.path().join("a");
    let tokenizer = Tokenizer::load(&folder, 16, 60, 2).unwrap();
    let tokens = tokenizer.encode(&["the the"]).unwrap();
    assert!(tokens[0].ids.len() == 4 && tokens[0].ids[1] == tokens[0].ids[2]);
}

#[test]
fn impossible_sizes_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let files = TokenizerFiles::Of(model_folder("bert-small"));
    for (sizes, part) in [
        (FreshModel { heads: 5, ..SIZES }, "not a multiple"),
        (FreshModel { layers: 0, ..SIZES }, "num_hidden_layers"),
        (FreshModel { hidden: 0, ..SIZES }, "hidden_size"),
        (
            FreshModel {
                dropout: 1.0,
                ..SIZES
            },
            "dropout",
        ),
        (
            FreshModel {
                max_tokens: 2,
                ..SIZES
            },
            "no room",
        ),
    ] {
        let target = place.path().join("model");
        let error = write_fresh(&target, &sizes, &files, 1)
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
        assert!(!target.exists());
    }
}
