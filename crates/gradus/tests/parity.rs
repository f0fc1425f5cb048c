//! Stored vectors and gradients of PyTorch, reproduced.

mod common;

use common::{bf16, copy_of, distance, fixture, json, load, model_folder, numbers, strings};
use gradus::Embeddings;
use gradus::losses::{
    CosineForm, CrossEntropy, HeadForm, Input, L1, MeanSquaredError, Objective, ObjectiveConfig,
    OutOfRange, PointLoss, Projected, Projection, SmoothK2, TrainingSet, TranslatedRelu,
};
use gradus::models::{EncodeOptions, SentenceEncoder};
use gradus::nn::Features;
use gradus_kernels::Backend;
use serde_json::{Value, json};

const MODELS: &[&str] = &[
    "bert-odd",
    "bert-small",
    "bert-relu-prefixed",
    "bert-gelu-new",
    "roberta-small",
    "xlmr-small",
    "electra-small",
    "distilbert-small",
    "nomic-small",
    "jina-small",
    "jina-qk-norm",
    "mpnet-small",
];

const GRADIENTS: &[&str] = &[
    "bert-small",
    "roberta-small",
    "electra-small",
    "distilbert-small",
    "nomic-small",
    "jina-small",
    "jina-qk-norm",
    "mpnet-small",
];

#[test]
fn tokens_and_vectors() {
    for name in MODELS {
        let model = load(&model_folder(name));
        let expected = json(model_folder(name).join("expected.json"));
        assert_eq!(
            model.folder().max_tokens as u64,
            expected["max_tokens"].as_u64().unwrap(),
            "{name}"
        );
        let texts = strings(&expected["texts"]);
        for (text, (tokens, ids)) in texts.iter().zip(
            model
                .tokenizer()
                .encode(&texts)
                .unwrap()
                .iter()
                .zip(expected["token_ids"].as_array().unwrap()),
        ) {
            let ids: Vec<u32> = numbers(ids).iter().map(|&i| i as u32).collect();
            assert_eq!(tokens.ids, ids, "{name}: {text:?}");
        }
        let vectors = model.encode(&texts).unwrap();
        let off = distance(vectors.as_slice(), &numbers(&expected["embeddings"]));
        assert!(off <= 1e-5, "{name}: off by {off:e}");
    }
}

/// In the default precision, where the processor has it.
#[test]
fn vectors_in_bf16_are_near_pytorch() {
    for name in MODELS {
        let Some(backend) = bf16() else { return };
        let model = SentenceEncoder::load(model_folder(name), backend).unwrap();
        let expected = json(model_folder(name).join("expected.json"));
        let texts = strings(&expected["texts"]);
        let vectors = model.encode(&texts).unwrap();
        let want = numbers(&expected["embeddings"]);
        let size = want.iter().fold(0f64, |a, b| a.max(b.abs()));
        let off = distance(vectors.as_slice(), &want) / size;
        println!("{name}: {off:e}");
        assert!(off <= 0.04, "{name}: off by {off:e} of the largest value");
        // And it is bf16 that computed them.
        assert!(off > 1e-5, "{name}: off by {off:e} only");
    }
}

#[test]
fn every_pooling() {
    let expected = json(model_folder("bert-small").join("expected.json"));
    let texts = strings(&expected["texts"]);
    for (mode, vectors) in expected["pooled"].as_object().unwrap() {
        let folder = copy_of("bert-small");
        let write = |file: &str, value: Value| {
            std::fs::write(folder.path().join(file), value.to_string()).unwrap();
        };
        write(
            "1_Pooling/config.json",
            json!({"word_embedding_dimension": 32, "pooling_mode": mode}),
        );
        let mut modules = json(folder.path().join("modules.json"));
        modules.as_array_mut().unwrap().truncate(2);
        write("modules.json", modules);
        let model = load(folder.path());
        let got = model
            .encode_with(
                &texts,
                EncodeOptions {
                    batch_tokens: Some(30),
                },
            )
            .unwrap();
        let off = distance(got.as_slice(), &numbers(vectors));
        assert!(off <= 1e-5, "{mode}: off by {off:e}");
    }
}

#[test]
fn pairs_carry_segments() {
    let folder = copy_of("bert-small");
    let mut modules = json(folder.path().join("modules.json"));
    modules.as_array_mut().unwrap().truncate(2);
    std::fs::write(folder.path().join("modules.json"), modules.to_string()).unwrap();
    let model = load(folder.path());
    let pair = &json(model_folder("bert-small").join("expected.json"))["pair"];
    let texts = (
        pair["first"].as_str().unwrap(),
        pair["second"].as_str().unwrap(),
    );
    let tokens = model.tokenizer().encode_pairs(&[texts]).unwrap();
    let wide = |x: &[u32]| x.iter().map(|&i| f64::from(i)).collect::<Vec<_>>();
    assert_eq!(wide(&tokens[0].ids), numbers(&pair["token_ids"]));
    assert_eq!(wide(&tokens[0].segments), numbers(&pair["segments"]));
    let vector = model.encode_tokens(&tokens, EncodeOptions::default());
    let off = distance(vector.as_slice(), &numbers(&pair["last_hidden_mean"]));
    assert!(off <= 1e-5, "off by {off:e}");
}

#[test]
fn gradients_of_every_parameter() {
    for name in GRADIENTS {
        let model = load(&model_folder(name));
        let described = json(fixture("gradients").join(format!("{name}.json")));
        let bytes =
            std::fs::read(fixture("gradients").join(format!("{name}.safetensors"))).unwrap();
        let stored = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let values = |tensor: &str| -> Vec<f32> {
            let data = stored.tensor(tensor).unwrap();
            data.data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                .collect()
        };
        let tokens = model
            .tokenizer()
            .encode(&strings(&described["texts"]))
            .unwrap();
        let passed = model.forward(model.pack(tokens.iter().map(|t| (t, 0))), None);
        let wide = |x: Vec<f32>| x.into_iter().map(f64::from).collect::<Vec<_>>();
        assert!(distance(passed.embeddings().as_slice(), &wide(values("embeddings"))) <= 1e-5);
        let backend = model.backend();
        let mut grads = backend.arena(vec![0.0; model.layout().len()]);
        model.backward(passed, &values("cotangent"), &mut grads);
        let mut largest = 0f64;
        for named in model.layout().named() {
            let want = wide(values(&named.name));
            let got = backend.read_arena(&grads, named.view.range());
            let scale = want.iter().fold(0f64, |a, b| a.max(b.abs()));
            assert!(
                got.iter().any(|&g| g != 0.0),
                "{name}: {} gets no gradient",
                named.name
            );
            // The softmax ignores a shift of all scores: key biases have
            // gradient zero but for rounding.
            let key_bias = ["key.bias", "k_lin.bias", "attn.k.bias", "layer_norm_k.bias"];
            let scale = if key_bias.iter().any(|k| named.name.ends_with(k)) {
                1.0
            } else {
                scale
            };
            let off = distance(&got, &want) / scale;
            assert!(
                off <= 1e-4,
                "{name}: {} off by {off:e} relative",
                named.name
            );
            largest = largest.max(off);
        }
        println!("{name}: largest relative difference {largest:e}");
    }
}

struct Loss(Box<dyn PointLoss>);

impl PointLoss for Loss {
    fn at(&self, error: f64, tolerance: Option<f64>) -> (f64, f64) {
        self.0.at(error, tolerance)
    }
    fn describe(&self) -> String {
        self.0.describe()
    }
}

fn objective(case: &Value) -> Box<dyn Objective> {
    let number = |key: &str| case[key].as_f64().unwrap();
    let rule = match case["rule"].as_str().unwrap() {
        "none" => OutOfRange::None,
        "both" => OutOfRange::Both,
        "lower" => OutOfRange::Lower,
        _ => OutOfRange::LabelAware,
    };
    let features = match case["features"].as_str().unwrap() {
        "uv" => Features::Concat,
        "diff" => Features::Difference,
        _ => Features::ConcatDifference,
    };
    let loss: Box<dyn PointLoss> = match case["loss"].as_str().unwrap() {
        "l1" => Box::new(L1),
        "mse" => Box::new(MeanSquaredError),
        "translated_relu" => Box::new(TranslatedRelu::new(number("k"), number("x0"), 1.0).unwrap()),
        "smooth_k2" => Box::new(SmoothK2::new(number("k"), number("x0"), 1.0).unwrap()),
        _ => return Box::new(CrossEntropy::new(features, (0..6).map(f64::from)).unwrap()),
    };
    if case["features"] == "cosine" {
        let map = (numbers(&case["weight"])[0], numbers(&case["bias"])[0]);
        Box::new(CosineForm::new(Loss(loss), map, true, rule, (0.0, 5.0)).unwrap())
    } else {
        Box::new(HeadForm::new(Loss(loss), features, rule, (0.0, 5.0)))
    }
}

#[test]
fn losses_and_their_gradients() {
    let cases = json(fixture("objectives.json"));
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() > 50);
    for case in cases {
        let narrow = |key: &str| {
            numbers(&case[key])
                .iter()
                .map(|&x| x as f32)
                .collect::<Vec<f32>>()
        };
        let labels = numbers(&case["labels"]);
        let n = labels.len();
        let mut values = narrow("u");
        let dim = values.len() / n;
        values.extend(narrow("v"));
        let weights = if case["weights"].is_array() {
            narrow("weights")
        } else {
            vec![1.0; n]
        };
        let tolerances: Vec<Option<f32>> = if case["tolerances"].is_array() {
            narrow("tolerances").into_iter().map(Some).collect()
        } else {
            vec![None; n]
        };
        let mut parameters = narrow("weight");
        parameters.extend(narrow("bias"));
        let got = objective(case).evaluate(
            &parameters,
            &Input {
                embeddings: &Embeddings::new(dim, values),
                labels: &labels,
                weights: &weights,
                tolerances: &tolerances,
                texts: &(0..2 * n as u32).collect::<Vec<_>>(),
                teachers: &[],
                memory: None,
                comparer: None,
            },
        );
        let name = &case["name"];
        let want = case["expected_loss"].as_f64().unwrap();
        assert!(
            (got.loss - want).abs() < 2e-6 * (1.0 + want),
            "{name}: {} {want}",
            got.loss
        );
        let mut gradient = numbers(&case["grad_u"]);
        gradient.extend(numbers(&case["grad_v"]));
        assert!(distance(&got.embeddings, &gradient) < 5e-6, "{name}");
        let mut gradient = numbers(&case["grad_weight"]);
        gradient.extend(numbers(&case["grad_bias"]));
        assert!(distance(&got.parameters, &gradient) < 2e-5, "{name}");
    }
}

#[test]
fn batch_losses_and_their_gradients() {
    let cases = json(fixture("batch_objectives.json"));
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let narrow =
            |values: &Value| -> Vec<f32> { numbers(values).iter().map(|&x| x as f32).collect() };
        let name = format!("{} {}", case["loss"], case["toml"]);
        let text = format!(
            "loss = {}\n{}",
            case["loss"],
            case["toml"].as_str().unwrap()
        );
        let config: ObjectiveConfig = toml::from_str(&text).unwrap();
        let labels = numbers(&case["labels"]);
        let columns = case["columns"].as_u64().unwrap() as usize;
        let weights = case["teacher_weights"]
            .as_array()
            .map_or(vec![], |_| numbers(&case["teacher_weights"]));
        let data = TrainingSet {
            labels: &labels,
            weights: &vec![1.0; labels.len()],
            columns,
            teachers: &weights,
        };
        let objective = config.build(data).unwrap();
        let (objective, parameters): (Box<dyn Objective>, _) = match case["projection"].as_str() {
            None => (objective, vec![]),
            Some(name) => {
                let projection = match name {
                    "mlp" => Projection::Mlp,
                    _ => Projection::BatchNorm,
                };
                let projected = Projected::new(projection, objective);
                (Box::new(projected), narrow(&case["parameters"]))
            }
        };
        let values = narrow(&case["embeddings"]);
        let dim = values.len() / (columns * labels.len());
        let teachers = case["teachers"].as_array().map_or(&[][..], |t| t);
        let teacher = |t: &Value| {
            let values = narrow(t);
            Embeddings::new(values.len() / labels.len(), values)
        };
        let got = objective.evaluate(
            &parameters,
            &Input {
                embeddings: &Embeddings::new(dim, values),
                labels: &labels,
                weights: &narrow(&case["weights"]),
                tolerances: &vec![None; labels.len()],
                texts: &narrow(&case["texts"])
                    .iter()
                    .map(|t| *t as u32)
                    .collect::<Vec<_>>(),
                teachers: &teachers.iter().map(teacher).collect::<Vec<_>>(),
                memory: None,
                comparer: None,
            },
        );
        let want = case["expected_loss"].as_f64().unwrap();
        assert!(
            (got.loss - want).abs() < 4e-6 * (1.0 + want),
            "{name}: {} {want}",
            got.loss
        );
        let off = distance(&got.embeddings, &numbers(&case["gradient"]));
        assert!(off < 1e-5, "{name}: {off}");
        if !parameters.is_empty() {
            let off = distance(&got.parameters, &numbers(&case["parameter_gradient"]));
            assert!(off < 1e-5, "{name}: {off}");
        }
    }
}
