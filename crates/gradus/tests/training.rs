//! Training against PyTorch's stored losses, and what a run must survive.

mod common;

use common::{bf16, copy_of, distance, fixture, json, numbers, strings};
use gradus::data::DataRoot;
use gradus::models::SentenceEncoder;
use gradus::nn::{Features, RegressionHead};
use gradus::recipe::parse_recipe;
use gradus::tasks::similarity::{RunOptions, Similarity};
use gradus::training::{
    AdamW, Network, Networks, ParamSet, ParamSets, ParameterGroups, Schedule, ScheduleKind, Silent,
    Summary,
};
use gradus_kernels::Backend;
use gradus_kernels::cpu::Cpu;
use serde_json::Value;
use std::path::Path;

#[test]
fn adamw_clipping_and_schedule_follow_pytorch() {
    let stored = json(fixture("adamw.json"));
    let narrow = |v: &Value| numbers(v).iter().map(|&x| x as f32).collect::<Vec<f32>>();
    let backend = Cpu::new(1);
    let mut only = Only(backend.arena(narrow(&stored["initial"])));
    let len = only.0.values().len();
    let mut from = 0;
    let groups = stored["groups"].as_array().unwrap().iter().map(|group| {
        let size = group["size"].as_u64().unwrap() as usize;
        from += size;
        let number = |key: &str| group[key].as_f64().unwrap();
        (from - size..from, number("lr"), number("weight_decay"))
    });
    let groups = ParameterGroups::of_ranges(groups);
    let gradients = backend.arena(vec![0.0; len]);
    let set = ParamSet::of_network("only", &backend, (gradients, len), groups.clone(), 1.0);
    let mut sets = ParamSets::new(AdamW::default(), Some(1.0), vec![set]);
    let schedule = Schedule::new(ScheduleKind::Linear, 4, 20);
    for step in 0..20usize {
        let factor = schedule.factor(step as u64);
        let expected = numbers(&stored["learning_rates"][step]);
        for (group, expected) in stored["groups"].as_array().unwrap().iter().zip(expected) {
            let rate = group["lr"].as_f64().unwrap() * factor;
            assert!((rate - expected).abs() <= 1e-12, "{rate} {expected}");
        }
        let [set] = sets.each_mut(["only"]);
        let gradients = set.unwrap().gradients_mut().unwrap();
        backend.write_arena(gradients, 0, &narrow(&stored["grads"][step]));
        let on_device = sets.gradient_norm(&backend);
        let norm = backend.norm(&on_device);
        let expected = numbers(&stored["grad_norms"])[step];
        assert!((norm / expected - 1.0).abs() < 1e-5, "{norm} {expected}");
        sets.update(&backend, &mut only, factor, &on_device);
        let off = distance(&only.0.values(), &numbers(&stored["values"][step]));
        assert!(off < 1e-6, "step {step}: off by {off:e}");
    }
}

/// A network that is nothing but its parameters.
struct Only(<Cpu as Backend>::Arena);

impl Network<Cpu> for Only {
    fn len(&self) -> usize {
        self.0.values().len()
    }
    fn params(&self) -> &<Cpu as Backend>::Arena {
        &self.0
    }
    fn params_mut(&mut self) -> &mut <Cpu as Backend>::Arena {
        &mut self.0
    }
    fn name_at(&self, _: usize) -> &str {
        "only"
    }
}

impl Networks<Cpu> for Only {
    fn network(&self, _: &str) -> Option<&dyn Network<Cpu>> {
        Some(self)
    }
    fn network_mut(&mut self, _: &str) -> Option<&mut dyn Network<Cpu>> {
        Some(self)
    }
}

/// Runs a recipe in `folder` from the start.
fn run(recipe: &str, base: &Path, folder: &Path, threads: usize) -> gradus::Result<Summary> {
    run_on(Cpu::new(threads), recipe, base, folder)
}

fn run_on(backend: Cpu, recipe: &str, base: &Path, folder: &Path) -> gradus::Result<Summary> {
    let recipe = parse_recipe(Path::new("recipe.toml"), recipe, &[])?;
    let options = RunOptions {
        base_dir: base.to_path_buf(),
        data_root: DataRoot::resolve(Some(base)),
        teachers: Default::default(),
    };
    let model = base.join(&recipe.model);
    let mut run = Similarity::prepare(recipe.clone(), &model, backend, &options, &mut Silent)?;
    let folder = recipe.begin(folder, base)?;
    run.execute(&folder, &mut Silent)
}

/// A folder with the stored pairs and `model/`, bert-small without Normalize.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let model = copy_of("bert-small");
    std::fs::rename(model.path(), place.path().join("model")).unwrap();
    let modules = place.path().join("model/modules.json");
    let mut list = json(&modules);
    list.as_array_mut().unwrap().truncate(2);
    std::fs::write(modules, list.to_string()).unwrap();
    std::fs::copy(
        fixture("training/pairs.tsv"),
        place.path().join("pairs.tsv"),
    )
    .unwrap();
    place
}

#[test]
fn fifty_steps_follow_pytorch() {
    fifty_steps(|| Cpu::new(2), [1e-3, 1e-2, 1e-4]);
}

/// The default, where the processor has it, is near PyTorch's single precision
/// all the way.
#[test]
fn fifty_steps_in_bf16_stay_near_pytorch() {
    if bf16().is_some() {
        fifty_steps(|| bf16().unwrap(), [0.05, 0.15, 0.1]);
    }
}

/// Every stored run on a backend. How far off losses and norms of gradients may
/// be, relative to PyTorch's, and the vectors of the trained model.
fn fifty_steps(backend: impl Fn() -> Cpu, [of_losses, of_norms, of_vectors]: [f64; 3]) {
    let stored = json(fixture("training/expected.json"));
    for expected in stored["runs"].as_array().unwrap() {
        let name = expected["name"].as_str().unwrap();
        let place = workplace();
        let objective = match name {
            "head-k2" => "loss = 'smooth_k2', k = 3.0, x0 = 0.25",
            "head-mse" => "loss = 'mse'",
            "head-l1" => "loss = 'l1'",
            "head-relu" => "loss = 'translated_relu', k = 2.5, x0 = 0.25",
            "cross-entropy" => "loss = 'cross_entropy'",
            _ => "loss = 'mse', form = 'cosine', scale = 5.0, offset = 0.0",
        };
        let rounding = if name == "cross-entropy" {
            "nearest"
        } else {
            "none"
        };
        if let Some(head) = expected["head"].as_str() {
            let head = &stored["heads"][head];
            let mut values: Vec<f32> = numbers(&head["weight"]).iter().map(|&x| x as f32).collect();
            let bias = numbers(&head["bias"]);
            values.extend(bias.iter().map(|&x| x as f32));
            let head = RegressionHead {
                features: Features::ConcatDifference,
                scale: match bias.len() {
                    1 => vec![0.0, 5.0],
                    classes => (0..classes).map(|i| i as f64).collect(),
                },
                outputs: bias.len(),
                values,
            };
            head.save(&place.path().join("model"), 32).unwrap();
        }
        let recipe = format!(
            "model = 'model'\nlog_every = 1\n[[stage]]\nname = 's'\n\
             train = [{{ path = 'pairs.tsv', labels = {{ rounding = '{rounding}' }} }}]\n\
             objective = {{ {objective}, out_of_range = 'none' }}\nepochs = 2\nbatch = 8\n\
             learning_rate = {}\nwarmup = 0.2\nlayer_decay = 0.95\nclip = 10.0\ndropout = 0.0\nshuffle = false\n",
            expected["learning_rate"]
        );
        let out = place.path().join("run");
        run_on(backend(), &recipe, place.path(), &out).unwrap();

        let lines = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let lines: Vec<Value> = lines
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let (losses, norms) = (
            numbers(&expected["losses"]),
            numbers(&expected["grad_norms"]),
        );
        assert_eq!(lines.len(), 50);
        let [mut largest, mut of_norm] = [0f64; 2];
        for (step, line) in lines.iter().enumerate() {
            let (loss, norm) = (
                line["loss"].as_f64().unwrap(),
                line["gradient_norm"].as_f64().unwrap(),
            );
            let off = (loss / losses[step] - 1.0).abs();
            assert!(
                off < of_losses,
                "{name}, step {step}: {loss} {}",
                losses[step]
            );
            largest = largest.max(off);
            let off = (norm / norms[step] - 1.0).abs();
            assert!(
                off < of_norms,
                "{name}, step {step}: {norm} {}",
                norms[step]
            );
            of_norm = of_norm.max(off);
        }
        let model = SentenceEncoder::load(out.join("model"), backend()).unwrap();
        let vectors = model.encode(&strings(&stored["texts"])).unwrap();
        let off = distance(vectors.as_slice(), &numbers(&expected["embeddings"]));
        assert!(off < of_vectors, "{name}: vectors off by {off:e}");
        println!(
            "{name}: losses within {largest:e} relative, norms {of_norm:e}, vectors within {off:e}"
        );
    }
}

#[test]
fn chunks_change_a_batch_only_by_rounding() {
    let place = workplace();
    let recipe = |chunk: &str| {
        format!(
            "model = 'model'\nlog_every = 1\n[[stage]]\nname = 'tune'\n\
             objective = {{ loss = 'mse', form = 'cosine' }}\n\
             train = [{{ path = 'pairs.tsv' }}]\nsteps = 3\nbatch = 16\n\
             dropout = 0.1\nlearning_rate = 1e-3\n{chunk}\n"
        )
    };
    let train = |name: &str, chunk: &str, threads| {
        let folder = place.path().join(name);
        run(&recipe(chunk), place.path(), &folder, threads).unwrap();
        let metrics = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
        let steps: Vec<[f64; 2]> = metrics
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
            .filter(|m| m["kind"] == "step")
            .map(|m| ["loss", "gradient_norm"].map(|key| m[key].as_f64().unwrap()))
            .collect();
        let model = SentenceEncoder::load(folder.join("model"), Cpu::new(1)).unwrap();
        (steps, model.params().values().to_vec())
    };
    let whole = train("whole", "", 2);
    let chunked = train("chunked", "chunk_tokens = 40", 2);
    assert_eq!(whole.0.len(), 3);
    // The first step's gradients are of the same weights.
    for (a, b) in whole.0[0].iter().zip(chunked.0[0]) {
        assert!((a / b - 1.0).abs() < 1e-5, "{a} {b}");
    }
    for (a, b) in whole.0.iter().flatten().zip(chunked.0.iter().flatten()) {
        assert!((a / b - 1.0).abs() < 1e-3, "{a} {b}");
    }
    // A text alone exceeds this limit; threads change nothing.
    let single = train("single", "chunk_tokens = 1", 1);
    assert!(single.1 == train("again", "chunk_tokens = 1", 3).1);
    assert!(single.1 != whole.1 && chunked.1 != whole.1);
}

/// After its first step a buffer has the vectors of that step's first texts: the
/// model's own before the update, or the moving average's after it.
#[test]
fn a_buffer_holds_the_vectors_of_its_source() {
    let place = workplace();
    let pairs = std::fs::read_to_string(place.path().join("pairs.tsv")).unwrap();
    let texts = pairs.lines().map(|l| l.split('\t').nth(1).unwrap());
    let texts: Vec<&str> = texts.take(20).collect();
    std::fs::write(place.path().join("texts.txt"), texts.join("\n")).unwrap();
    let mut model = SentenceEncoder::load(place.path().join("model"), Cpu::new(1)).unwrap();
    let start = model.params().values().to_vec();
    for (source, momentum) in [("'average', momentum = 0.75", 0.75), ("'model'", 0.0)] {
        let recipe = format!(
            "model = 'model'\ncheckpoint_steps = 1\n[[stage]]\nname = 'tune'\n\
             objective = {{ loss = 'info_nce' }}\ntrain = [{{ path = 'texts.txt' }}]\n\
             steps = 2\nbatch = 7\nlearning_rate = 1e-2\nshuffle = false\ndropout = 0.0\n\
             projection = 'mlp'\nbuffer = {{ size = 5, source = {source} }}\n"
        );
        let folder = place.path().join(format!("run-{momentum}"));
        run(&recipe, place.path(), &folder, 2).unwrap();
        let path = folder.join("checkpoints/stage-000-step-000000001.safetensors");
        let bytes = std::fs::read(path).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |name: &str| -> Option<Vec<f32>> {
            let bytes = tensors.tensor(name).ok()?.data().chunks_exact(4);
            let values = bytes.map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            Some(values.collect())
        };
        let trained = tensor("parameters").unwrap();
        assert!(trained != start);
        let wanted = match tensor("average") {
            Some(average) => {
                let blended = start.iter().zip(&trained).map(|(a, p)| a + 0.25 * (p - a));
                assert!(average.iter().copied().eq(blended), "the moving average");
                average
            }
            None => {
                assert_eq!(source, "'model'");
                start.clone()
            }
        };
        let (backend, params) = model.params_mut();
        backend.write_arena(params, 0, &wanted);
        // The last five of the seven.
        let wanted = model.encode(&texts[2..7]).unwrap();
        let found: Vec<f64> = tensor("task.buffer")
            .unwrap()
            .iter()
            .map(|x| f64::from(*x))
            .collect();
        assert_eq!(found.len(), wanted.as_slice().len());
        let off = distance(wanted.as_slice(), &found);
        assert!(off < 1e-6, "{source}: off by {off:e}");
    }
}
