//! Vectors at the mask of a template, against PyTorch; what templates do to any
//! text; folders that hold one.

mod common;

use common::slope::{every_parameter_follows_the_slope, unit};
use common::{copy_of, distance, fixture, json, load, model_folder, numbers, strings};
use gradus::models::{EncodeOptions, SentenceEncoder, TemplateSettings};
use gradus::nn::PoolingMode;
use gradus_kernels::cpu::{Arena, Cpu};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{Backend, Pooling};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

const MODELS: [&str; 2] = ["bert-small", "roberta-small"];

fn templated(name: &str, text: &str, denoise: bool) -> SentenceEncoder<Cpu> {
    let mut model = load(&model_folder(name));
    model.set_normalize(false);
    let text = text.to_owned();
    model
        .set_template(TemplateSettings { text, denoise })
        .unwrap();
    model
}

#[test]
fn tokens_vectors_and_gradients_are_those_of_transformers() {
    for name in MODELS {
        let expected = json(fixture("templates").join(format!("{name}.json")));
        let template = expected["template"].as_str().unwrap();
        let texts = strings(&expected["texts"]);
        let most = expected["max_tokens"].as_u64().unwrap() as usize;
        for (denoise, vectors) in [(false, "plain"), (true, "denoised")] {
            let mut model = templated(name, template, denoise);
            model.tokenizer_mut().set_max_tokens(most).unwrap();
            let tokens = model.tokenizer().encode(&texts).unwrap();
            for (tokens, want) in tokens.iter().zip(expected["tokens"].as_array().unwrap()) {
                let want: Vec<u32> = numbers(want).iter().map(|&i| i as u32).collect();
                assert_eq!(tokens.ids, want, "{name}");
            }
            assert!(model.tokenizer().counts().truncated > 0, "{name}");
            for batch_tokens in [Some(512), Some(1)] {
                let found = model.encode_with(&texts, EncodeOptions { batch_tokens });
                let found = found.unwrap();
                let off = distance(found.as_slice(), &numbers(&expected[vectors]));
                assert!(off <= 1e-5, "{name} {vectors}: off by {off:e}");
            }
        }
    }
}

#[test]
fn gradients_go_through_the_bias() {
    for name in MODELS {
        let expected = json(fixture("templates").join(format!("{name}.json")));
        let bytes = std::fs::read(fixture("templates").join(format!("{name}.safetensors")));
        let bytes = bytes.unwrap();
        let stored = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let values = |tensor: &str| -> Vec<f32> {
            let data = stored.tensor(tensor).unwrap().data();
            let four = data.chunks_exact(4);
            four.map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                .collect()
        };
        let mut model = templated(name, expected["template"].as_str().unwrap(), false);
        model.tokenizer_mut().set_max_tokens(22).unwrap();
        let tokens = model.tokenizer().encode(&strings(&expected["texts"]));
        let batch = model.pack_denoised(tokens.unwrap().iter().zip(0..));
        let passed = model.forward(batch, None);
        let backend = model.backend();
        let mut grads = backend.arena(vec![0.0; model.layout().len()]);
        model.backward(passed, &values("cotangent"), &mut grads);
        for named in model.layout().named() {
            let want: Vec<f64> = values(&named.name).into_iter().map(f64::from).collect();
            let got = backend.read_arena(&grads, named.view.range());
            let scale = want.iter().fold(0f64, |a, b| a.max(b.abs()));
            // The softmax ignores a shift of all scores.
            let scale = if named.name.ends_with("key.bias") {
                1.0
            } else {
                scale
            };
            // The last bias is in text and template alike: nothing but rounding.
            let off = distance(&got, &want) / scale.max(0.1);
            assert!(off <= 2e-4, "{name}: {} off by {off:e}", named.name);
        }
    }
}

/// A fixed scalar of denoised vectors under dropout, and its gradient.
fn scalar(model: &SentenceEncoder<Cpu>, grads: Option<&mut Arena>) -> f64 {
    let texts = ["a dog", "the cat sat", "a man", ""];
    let tokens = model.tokenizer().encode(&texts).unwrap();
    let dropout = Dropout::for_step(0.1, 3, 7);
    let passed = model.forward(model.pack_denoised(tokens.iter().zip(0..)), Some(dropout));
    let values = passed.embeddings().as_slice();
    let cotangent: Vec<f32> = (0..values.len() as u64).map(unit).collect();
    let products = values.iter().zip(&cotangent);
    let sum = products.map(|(v, c)| f64::from(*v) * f64::from(*c)).sum();
    if let Some(grads) = grads {
        model.backward(passed, &cotangent, grads);
    }
    sum
}

#[test]
fn denoised_vectors_follow_the_slope() {
    for name in MODELS {
        let mut model = templated(name, "the book : '{}' is [MASK].", true);
        model.set_dropout(0.1, 0.1);
        every_parameter_follows_the_slope(model, name, scalar);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_template_is_whole_around_any_text(text in "\\PC{0,60}", most in 16usize..38) {
        for (name, template) in [
            ("bert-small", "the book \"{}\" is [MASK]."),
            ("roberta-small", "is <mask> : {} ."),
        ] {
            let mut model = templated(name, template, false);
            model.tokenizer_mut().set_max_tokens(most).unwrap();
            let empty = &model.tokenizer().encode(&[""]).unwrap()[0];
            let tokens = &model.tokenizer().encode(&[&text]).unwrap()[0];
            prop_assert!(tokens.ids.len() <= most);
            let frame = tokens.frame.clone().unwrap();
            let mask = model.tokenizer().vocabulary().mask().unwrap();
            prop_assert_eq!(tokens.ids[frame.mask], mask);
            prop_assert!(!frame.text.contains(&frame.mask));
            let bare = tokens.without_text().unwrap();
            if name == "bert-small" {
                // RoBERTa's empty text still has the blank before it.
                prop_assert_eq!(&bare.ids, &empty.ids);
            }
            let inner = bare.frame.clone().unwrap();
            prop_assert_eq!(bare.ids[inner.mask], mask);
            prop_assert_eq!(inner.gap, frame.text.len());
            // What stands behind the text keeps its positions.
            let whole = model.pack([(tokens, 0)]);
            let alone = model.pack([(&bare, 0)]);
            let positions = whole.positions();
            let kept = [&positions[..frame.text.start], &positions[frame.text.end..]].concat();
            prop_assert_eq!(alone.positions(), kept);
            prop_assert_eq!(alone.marks(), &[inner.mask]);
        }
    }
}

#[test]
fn a_text_alone_is_the_text_in_company() {
    let model = templated("bert-small", "the book : '{}' is [MASK].", true);
    let texts = ["a dog", "[MASK]", "a cat", "", "the cat sat on the mat"];
    let together = model.encode(&texts).unwrap();
    for (i, text) in texts.iter().enumerate() {
        let alone = model.encode(&[*text]).unwrap();
        assert_eq!(alone.as_slice(), together.row(i), "{text}");
    }
    // Without a text nothing but the template is left, and that is subtracted.
    assert!(together.row(3).iter().all(|&x| x == 0.0));
    assert!(together.row(1).iter().any(|&x| x != 0.0));
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap());
    let files = entries.filter(|e| e.path().is_file());
    files
        .map(|e| {
            let name = e.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(e.path()).unwrap())
        })
        .collect()
}

#[test]
fn a_saved_model_keeps_its_template() {
    let place = tempfile::tempdir().unwrap();
    let (once, twice) = (place.path().join("once"), place.path().join("twice"));
    for (name, denoise) in [
        ("bert-small", true),
        ("roberta-small", false),
        ("bert-gelu-new", false),
    ] {
        let template = "the book : '{}' is [MASK].";
        let model = templated(name, template, denoise);
        model.save(&once, "card").unwrap();
        assert!(!once.join("1_Pooling").exists());
        let modules = json(once.join("modules.json"));
        assert_eq!(modules[1]["type"], "gradus.Template");
        let mut again = load(&once);
        let settings = again.template().unwrap();
        assert_eq!((&*settings.text, settings.denoise), (template, denoise));
        let vectors = |m: &SentenceEncoder<Cpu>| {
            let found = m.encode(&["a dog", "a very old cat"]);
            found.unwrap().into_vec()
        };
        assert_eq!(vectors(&model), vectors(&again));
        again.save(&twice, "card").unwrap();
        assert_eq!(files(&once), files(&twice));
        // Another pooling leaves the template behind.
        again.set_pooling(PoolingMode(Pooling::Mean)).unwrap();
        assert!(again.template().is_none());
        let plain = again.tokenizer().encode(&["a dog"]).unwrap();
        assert!(plain[0].frame.is_none());
    }
}

#[test]
fn what_is_no_template_is_refused() {
    let mut model = load(&model_folder("bert-small"));
    let mut error = |text: &str, denoise| {
        let text = text.to_owned();
        let settings = TemplateSettings { text, denoise };
        model.set_template(settings).unwrap_err().to_string()
    };
    for (template, part) in [
        ("the book is [MASK].", "`{}` must stand in it once"),
        ("{} and {} is [MASK].", "`{}` must stand in it once"),
        ("the book {} is red.", "the mask, `[MASK]`, must stand"),
        ("{} [MASK] [MASK]", "the mask, `[MASK]`, must stand"),
        (
            &format!("{} [MASK] {{}}", "the old man ".repeat(50)),
            "no room for text",
        ),
    ] {
        let error = error(template, false);
        assert!(error.contains(part), "{template}: {error}");
    }
    // Attention of these counts the tokens between two others.
    for name in ["jina-small", "mpnet-small"] {
        let mut model = load(&model_folder(name));
        let text = "the book {} is [MASK].".to_owned();
        let denoise = true;
        let error = model.set_template(TemplateSettings { text, denoise });
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("leave `denoise` out")
        );
    }
    let mut model = templated("bert-small", "the book {} is [MASK].", false);
    assert!(model.tokenizer_mut().set_max_tokens(7).is_err());

    // Its class has a mask in any case, as in transformers: one without a vector.
    let folder = copy_of("bert-small");
    let path = folder.path().join("tokenizer.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[MASK]", "[MUSK]")).unwrap();
    let maskless = load(folder.path());
    let notes: Vec<&str> = maskless.notes().collect();
    let notes = notes.join("\n");
    assert!(
        notes.contains("`[MASK]` is not in the vocabulary"),
        "{notes}"
    );
}

#[test]
fn a_damaged_description_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("model");
    let model = templated("bert-small", "the book : '{}' is [MASK].", true);
    model.save(&folder, "card").unwrap();
    let config = folder.join("1_Template/config.json");
    for text in ["", "{}", "{\"template\": 3}", "{\"template\": \"x\"}"] {
        std::fs::write(&config, text).unwrap();
        assert!(
            SentenceEncoder::load(&folder, Cpu::new(1)).is_err(),
            "{text}"
        );
    }
    std::fs::remove_file(&config).unwrap();
    let error = SentenceEncoder::load(&folder, Cpu::new(1)).err().unwrap();
    assert!(error.to_string().contains("1_Template"), "{error}");
}
