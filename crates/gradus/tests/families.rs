//! What every family must do beside computing the right values: go back to disk
//! under its own names, and fall into the optimizer's groups.

mod common;

use common::{load, model_folder};
use gradus::models::SentenceEncoder;
use gradus::training::ParameterGroups;
use gradus_kernels::cpu::Cpu;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;

/// Each stored model, the prefix of its tensors, and those that do not come
/// along: heads of the pre-training.
const MODELS: [(&str, &str, &[&str]); 7] = [
    ("roberta-small", "", &[]),
    ("distilbert-small", "distilbert.", &["vocab_"]),
    ("electra-small", "electra.", &["discriminator_"]),
    ("nomic-small", "", &[]),
    ("jina-small", "", &[]),
    ("jina-qk-norm", "", &[]),
    ("mpnet-small", "", &[]),
];

fn tensors(folder: &Path) -> BTreeMap<String, Vec<usize>> {
    let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let shapes = tensors
        .iter()
        .map(|(name, t)| (name.to_owned(), t.shape().to_vec()));
    shapes.collect()
}

#[test]
fn saved_models_keep_the_names_of_their_family() {
    for (name, prefix, heads) in MODELS {
        let model = load(&model_folder(name));
        let target = tempfile::tempdir().unwrap();
        let saved = model.save(&target.path().join("saved"), "").unwrap();
        let original = tensors(&model_folder(name));
        let expected: BTreeMap<String, Vec<usize>> = original
            .into_iter()
            .filter(|(tensor, _)| !heads.iter().any(|h| tensor.starts_with(h)))
            .map(|(tensor, shape)| (tensor.strip_prefix(prefix).unwrap().to_owned(), shape))
            .collect();
        assert_eq!(tensors(&saved), expected, "{name}");
        let again = SentenceEncoder::load(&saved, Cpu::new(1)).unwrap();
        assert_eq!(again.folder().max_tokens, model.folder().max_tokens);
        let texts = ["a dog in the park", "x", ""];
        let vectors = |m: &SentenceEncoder<Cpu>| {
            let vectors = m.encode(&texts).unwrap();
            vectors.as_slice().to_vec()
        };
        assert_eq!(vectors(&again), vectors(&model), "{name}");
    }
}

#[test]
fn weights_decay_and_biases_and_norms_do_not() {
    for (name, ..) in MODELS {
        let model = load(&model_folder(name));
        let groups = ParameterGroups::new(model.layout(), 0.1, 0.5).segments(1.0);
        let layers = model.layout().layer_count();
        for named in model.layout().named() {
            let range = named.view.range();
            let inside = groups
                .iter()
                .find(|g| g.range.contains(&range.start))
                .unwrap();
            assert!(inside.range.end >= range.end);
            let spared = ["bias", "norm", "emb_ln"];
            let spared = spared.iter().any(|s| named.name.to_lowercase().contains(s));
            let decay = if spared { 0.0 } else { 0.1 };
            assert_eq!(inside.weight_decay, decay, "{name}: {}", named.name);
            let number = named
                .name
                .split('.')
                .find_map(|part| part.parse::<usize>().ok());
            assert_eq!(named.layer, number, "{name}: {}", named.name);
            let depth = number.map_or(0, |l| layers - 1 - l);
            assert_eq!(inside.learning_rate, 0.5f32.powi(depth as i32));
        }
    }
}
