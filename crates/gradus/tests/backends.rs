//! Models on a backend that is not the processor's: the same results, one upload
//! for each pass, nothing read before all of the work is under way; and blocks
//! that no family has yet.

mod common;

use common::slope::unit;
use common::{fixture, json, load, model_folder, strings};
use gradus::models::MaskedLm;
use gradus::models::{EncodeOptions, SentenceEncoder};
use gradus::nn::{Block, Encoder, PassContext};
use gradus::text::Masked;
use gradus_conformance::Plain;
use gradus_kernels::cpu::Cpu;
use gradus_kernels::dropout::{Dropout, mix64};
use gradus_kernels::{AttentionMask, AttentionSpec, Backend, NormKind, NormSpec, Packed, View};

const FAMILIES: [&str; 8] = [
    "bert-small",
    "bert-gelu-new",
    "roberta-small",
    "distilbert-small",
    "nomic-small",
    "jina-small",
    "jina-qk-norm",
    "mpnet-small",
];

fn plain(name: &str) -> SentenceEncoder<Plain> {
    SentenceEncoder::load(model_folder(name), Plain::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// The largest difference, relative to the larger of `least` and the largest
/// value.
fn off(got: &[f32], want: &[f32], least: f32) -> f32 {
    assert_eq!(got.len(), want.len());
    let size = want.iter().fold(least, |a, b| a.max(b.abs()));
    let largest = got
        .iter()
        .zip(want)
        .fold(0f32, |a, (g, w)| a.max((g - w).abs()));
    largest / size
}

/// The vectors of a training pass, and every parameter's gradient.
fn trained<B: Backend>(model: &SentenceEncoder<B>, texts: &[&str]) -> (Vec<f32>, Vec<f32>) {
    let tokens = model.tokenizer().encode(texts).unwrap();
    let dropout = Dropout::for_step(0.1, 3, 7);
    let state = model.forward(model.pack(tokens.iter().zip(0..)), Some(dropout));
    let vectors = state.embeddings().as_slice().to_vec();
    let cotangent: Vec<f32> = (0..vectors.len() as u64).map(unit).collect();
    let mut grads = model.gradient_arena();
    model.backward(state, &cotangent, &mut grads);
    let grads = model.backend().read_arena(&grads, 0..model.layout().len());
    (vectors, grads)
}

#[test]
fn every_family_gives_the_same_on_plain_loops() {
    for name in FAMILIES {
        let (mut ours, mut plain) = (load(&model_folder(name)), plain(name));
        ours.set_dropout(0.1, 0.1);
        plain.set_dropout(0.1, 0.1);
        let expected = json(model_folder(name).join("expected.json"));
        let texts = strings(&expected["texts"]);
        let options = EncodeOptions::default();
        let (a, b) = (
            ours.encode_with(&texts, options),
            plain.encode_with(&texts, options),
        );
        let (a, b) = (a.unwrap(), b.unwrap());
        let far = off(a.as_slice(), b.as_slice(), 1.0);
        assert!(far < 1e-5, "{name}: {far:e}");
        let (ours_out, ours_grads) = trained(&ours, &texts);
        let (plain_out, plain_grads) = trained(&plain, &texts);
        assert!(off(&ours_out, &plain_out, 1.0) < 1e-5, "{name}");
        for named in ours.layout().named() {
            let range = named.view.range();
            let far = off(&ours_grads[range.clone()], &plain_grads[range], 1e-2);
            assert!(far < 1e-3, "{name}, {}: {far:e}", named.name);
        }
    }
}

/// How often an operation ran.
fn count(log: &[&str], operation: &str) -> usize {
    log.iter().filter(|o| **o == operation).count()
}

#[test]
fn a_pass_uploads_its_batch_once_and_reads_vectors_alone() {
    let model = plain("mpnet-small");
    let tokens = model.tokenizer().encode(&["a cat", "a dog barks"]).unwrap();
    let mut grads = model.gradient_arena();
    model.backend().take_log();
    model.encode_tokens(&tokens, EncodeOptions::default());
    let log = model.backend().take_log();
    assert_eq!((count(&log, "batch"), count(&log, "read")), (1, 1));
    assert_eq!(log.last(), Some(&"read"));

    let dropout = Some(Dropout::for_step(0.1, 1, 1));
    let state = model.forward(model.pack(tokens.iter().zip(0..)), dropout);
    let log = model.backend().take_log();
    assert_eq!((count(&log, "batch"), count(&log, "read")), (1, 1));
    assert_eq!(count(&log, "tensor"), 0);
    let gradient = vec![1.0; state.embeddings().as_slice().len()];
    model.backward(state, &gradient, &mut grads);
    let log = model.backend().take_log();
    assert_eq!((count(&log, "batch"), count(&log, "read")), (0, 0));
    // The vectors' gradient and nothing else goes to the device.
    assert_eq!(count(&log, "tensor"), 1);
    // Residuals get their gradients from the products; without dropout one
    // operation would have to read and overwrite the same.
    assert_eq!(count(&log, "add"), 0);
}

#[test]
fn scores_of_masked_tokens_are_read_behind_backward() {
    let folder = fixture("pretraining/bert");
    let model = MaskedLm::load(&folder, Plain::default(), 1).unwrap();
    let masked = Masked {
        ids: vec![2, 7, 9, 4, 3],
        targets: vec![(1, 8), (3, 5)],
    };
    let batch = model.pack([(&masked, 0)]);
    let mut grads = model.encoder().gradient_arena();
    let backend = model.encoder().backend();
    backend.take_log();
    let score = model.gradients(&batch, 0.5, None, &mut grads);
    assert!(score.masked == 2 && score.loss > 0.0);
    let log = backend.take_log();
    assert_eq!((count(&log, "batch"), count(&log, "read")), (1, 0));
    assert_eq!(count(&log, "embed_backward"), 1);
    assert_eq!(log.last(), Some(&"scored"));
}

#[test]
fn a_failed_device_is_an_error_where_vectors_are_read() {
    let model = plain("bert-small");
    let options = EncodeOptions::default();
    assert!(model.encode_with(&["a cat"], options).is_ok());
    model.backend().fail("attention", "out of memory");
    let error = model
        .encode_with(&["a cat"], options)
        .unwrap_err()
        .to_string();
    assert!(error.contains("attention: out of memory"), "{error}");
}

/// What an encoder makes of a batch, and the gradients of its parameters.
fn pass<B: Backend>(
    backend: &B,
    encoder: &Encoder,
    values: &[f32],
    packed: &Packed,
    dropout: Option<Dropout>,
) -> (Vec<f32>, Vec<f32>) {
    let params = backend.arena(values.to_vec());
    let batch = backend.batch(packed.clone());
    let context = PassContext::inference(backend, &params, &batch).with_dropout(dropout);
    let activations = encoder.forward(context);
    let out = backend.read(activations.output());
    if dropout.is_none() {
        assert!(backend.read(&encoder.infer(context)) == out);
    }
    let (rows, cols) = backend.shape(activations.output());
    let dy = backend.tensor(rows, cols, &cotangent(rows * cols));
    let mut grads = backend.arena(vec![0.0; values.len()]);
    encoder.backward(context, activations, dy, &mut grads);
    (out, backend.read_arena(&grads, 0..values.len()))
}

fn cotangent(n: usize) -> Vec<f32> {
    (0..n as u64).map(|i| unit(i ^ 0x77)).collect()
}

/// The central difference along a direction within `view`, and the gradient along
/// it.
fn slopes(
    encoder: &Encoder,
    values: &[f32],
    packed: &Packed,
    (view, gradient): (View, &[f32]),
) -> (f64, f64) {
    let direction: Vec<f32> = (0..view.len() as u64).map(|i| unit(mix64(i))).collect();
    let moved = |step: f32| {
        let mut values = values.to_vec();
        for (value, d) in view.of_mut(&mut values).iter_mut().zip(&direction) {
            *value += step * d;
        }
        let (out, _) = pass(&Plain::default(), encoder, &values, packed, None);
        let pairs = out.iter().zip(cotangent(out.len()));
        pairs
            .map(|(a, b)| f64::from(*a) * f64::from(b))
            .sum::<f64>()
    };
    let step = 2e-3;
    let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
    let along = view.of(gradient).iter().zip(&direction);
    (
        slope,
        along.map(|(g, d)| f64::from(*g) * f64::from(*d)).sum(),
    )
}

/// Blocks, norms, masks and groups that families to come have, on random weights.
#[test]
fn blocks_with_norms_in_front_follow_the_slope_on_every_backend() {
    let window = AttentionMask::Window {
        before: 2,
        after: 0,
    };
    for (name, kind, mask) in [
        ("bert-small", NormKind::LayerNorm, AttentionMask::Full),
        ("nomic-small", NormKind::Rms, window),
        ("mpnet-small", NormKind::RmsOnePlus, AttentionMask::Causal),
    ] {
        let mut model = load(&model_folder(name));
        model.set_dropout(0.1, 0.1);
        let (layout, config) = (model.layout(), model.config());
        let (len, width) = (layout.len(), config.hidden_size);
        let final_norm = NormSpec {
            kind,
            gamma: View::new(len, 1, width),
            beta: None,
            eps: 1e-6,
        };
        let spec = AttentionSpec {
            mask,
            ..AttentionSpec::full(config.heads, width / config.heads)
        };
        let encoder = model.encoder().clone();
        let encoder = encoder
            .with_block(Block::PreNorm { final_norm })
            .with_attention(spec);
        let mut values = model.params().values().to_vec();
        values.extend((0..width as u64).map(|i| 1.0 + 0.3 * unit(i)));
        let texts = [
            "a cat sat on the mat",
            "two dogs",
            "a man is playing a guitar",
        ];
        let tokens = model.tokenizer().encode(&texts).unwrap();
        let packed = model.pack(tokens.iter().zip(0..));

        let (post, _) = pass(&Cpu::new(2), model.encoder(), &values, &packed, None);
        for dropout in [None, Some(Dropout::for_step(0.1, 5, 6))] {
            let (ours, ours_grads) = pass(&Cpu::new(2), &encoder, &values, &packed, dropout);
            let (plain, grads) = pass(&Plain::default(), &encoder, &values, &packed, dropout);
            assert!(off(&ours, &plain, 1.0) < 1e-5, "{name}");
            assert!(off(&ours_grads, &grads, 1.0) < 1e-4, "{name}");
            assert!(off(&ours, &post, 1.0) > 0.1, "{name}: another block");
            let views = model
                .layout()
                .named()
                .iter()
                .map(|n| (n.name.as_str(), n.view));
            for (tensor, view) in views.chain([("final norm", final_norm.gamma)]) {
                if dropout.is_some() || tensor.contains("Dense") {
                    continue;
                }
                let norm: f32 = view.of(&grads).iter().map(|g| g * g).sum();
                // The softmax ignores a shift of all scores.
                let shift = tensor.ends_with("key.bias") || tensor.ends_with("attn.k.bias");
                assert!(norm > 0.0 || shift, "{name}: {tensor} has no gradient");
                let (slope, along) = slopes(&encoder, &values, &packed, (view, &grads));
                let far = (slope - along).abs();
                let allowed = 0.02 * f64::from(norm.sqrt()) + 2e-3;
                assert!(far < allowed, "{name}, {tensor}: {slope} {along}");
            }
        }
    }
}
