use super::*;
use crate::models::SentenceEncoder;
use crate::nn::Layout;
use gradus_kernels::cpu::Cpu;
use proptest::prelude::*;
use std::path::PathBuf;

const FAMILIES: &[&str] = &[
    "bert-small",
    "roberta-small",
    "distilbert-small",
    "mpnet-small",
    "nomic-small",
    "jina-small",
    "jina-qk-norm",
];

fn model(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("tests/fixtures/models").join(name)
}

fn picked(layers: &[usize], intermediate: Option<usize>) -> StudentShape {
    StudentShape::Picked {
        layers: layers.to_vec(),
        intermediate,
    }
}

fn fresh(hidden: usize, heads: usize) -> StudentShape {
    StudentShape::Fresh {
        layers: 2,
        hidden,
        heads,
        intermediate: 20,
    }
}

fn write(teacher: &str, shape: &StudentShape) -> (tempfile::TempDir, SentenceEncoder<Cpu>) {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("student");
    write_student(&target, &model(teacher), shape, true, 1).unwrap();
    let student = SentenceEncoder::load(&target, Cpu::new(1)).unwrap();
    (place, student)
}

/// A parameter's values by its name.
fn values(encoder: &SentenceEncoder<Cpu>, name: &str) -> Vec<f32> {
    use gradus_kernels::Backend;
    let named = encoder.layout().named().iter().find(|n| n.name == name);
    let range = named.unwrap_or_else(|| panic!("no {name}")).view.range();
    encoder.backend().read_arena(encoder.params(), range)
}

proptest! {
    #[test]
    fn layers_are_spread_evenly(of in 1usize..64, count in 1usize..64) {
        match evenly_spaced(of, count) {
            None => prop_assert!(count > of),
            Some(layers) => {
                prop_assert_eq!(layers.len(), count);
                prop_assert_eq!(layers[0], 0);
                prop_assert!(count == 1 || layers[count - 1] == of - 1);
                let gaps: Vec<usize> = layers.windows(2).map(|w| w[1] - w[0]).collect();
                let (least, most) = (gaps.iter().min(), gaps.iter().max());
                prop_assert!(gaps.iter().all(|g| *g > 0));
                prop_assert!(count == 1 || most.unwrap() - least.unwrap() <= 1);
            }
        }
    }
}

#[test]
fn usual_picks() {
    assert_eq!(evenly_spaced(6, 2), Some(vec![0, 5]));
    assert_eq!(evenly_spaced(6, 3), Some(vec![0, 3, 5]));
    assert_eq!(evenly_spaced(12, 4), Some(vec![0, 4, 7, 11]));
    assert_eq!(evenly_spaced(6, 6), Some((0..6).collect()));
    assert_eq!(evenly_spaced(6, 0), None);
}

#[test]
fn all_layers_are_the_teacher() {
    for &name in FAMILIES {
        let teacher = SentenceEncoder::load(model(name), Cpu::new(1)).unwrap();
        let (_place, student) = write(name, &picked(&[0, 1], None));
        let texts = ["a dog is in the park", "the old man"];
        let of = |e: &SentenceEncoder<Cpu>| e.encode(&texts).unwrap();
        assert_eq!(of(&teacher).as_slice(), of(&student).as_slice(), "{name}");
        assert_eq!(teacher.folder().max_tokens, student.folder().max_tokens);
    }
}

#[test]
fn a_picked_layer_has_the_teachers_values() {
    for &name in FAMILIES {
        let teacher = SentenceEncoder::load(model(name), Cpu::new(1)).unwrap();
        let (_place, student) = write(name, &picked(&[1], None));
        assert_eq!(student.config().layers, 1);
        for named in student.layout().named() {
            let source = match named.layer {
                None => named.name.clone(),
                Some(_) => named.name.replacen(".0.", ".1.", 1),
            };
            assert_eq!(
                values(&student, &named.name),
                values(&teacher, &source),
                "{name}: {source}"
            );
        }
    }
}

#[test]
fn narrower_feed_forward_parts_keep_whole_neurons() {
    for &name in FAMILIES {
        let teacher = SentenceEncoder::load(model(name), Cpu::new(1)).unwrap();
        let (_place, student) = write(name, &picked(&[0, 1], Some(7)));
        assert_eq!(student.config().intermediate_size, 7);
        let (small, large) = (&student.layout().layers, &teacher.layout().layers);
        use gradus_kernels::Backend;
        let all = |e: &SentenceEncoder<Cpu>| {
            let len = e.layout().len();
            e.backend().read_arena(e.params(), 0..len)
        };
        let (small_values, large_values) = (all(&student), all(&teacher));
        let inner = teacher.config().intermediate_size;
        for (small, large) in small.iter().zip(large) {
            let cols = large.up.weight.cols;
            let rows = |values: &[f32], layer: &crate::nn::layout::LayerViews| {
                let of = layer.up.weight.of(values);
                of.chunks_exact(cols)
                    .map(<[f32]>::to_vec)
                    .collect::<Vec<_>>()
            };
            let (kept, there) = (rows(&small_values, small), rows(&large_values, large));
            // Where each kept neuron was, on every side of a gated part.
            let mut last = None;
            for n in 0..7 {
                let was = there[..inner].iter().position(|row| *row == kept[n]);
                let was = was.unwrap_or_else(|| panic!("{name}: neuron {n}"));
                assert!(last.is_none_or(|l| l < was));
                last = Some(was);
                for side in 0..large.up.weight.rows / inner {
                    assert_eq!(kept[side * 7 + n], there[side * inner + was], "{name}");
                }
                let down = |values: &[f32], layer: &crate::nn::layout::LayerViews, n: usize| {
                    let view = layer.down.weight;
                    let rows = view.of(values).chunks_exact(view.cols);
                    rows.map(|row| row[n]).collect::<Vec<_>>()
                };
                assert_eq!(
                    down(&small_values, small, n),
                    down(&large_values, large, was)
                );
            }
        }
    }
}

#[test]
fn dense_modules_come_along() {
    let teacher = SentenceEncoder::load(model("bert-gelu-new"), Cpu::new(1)).unwrap();
    let (_place, student) = write("bert-gelu-new", &picked(&[0], None));
    assert_eq!(student.folder().modules, teacher.folder().modules);
    let texts = ["a dog is in the park"];
    let of = |e: &SentenceEncoder<Cpu>| e.encode(&texts).unwrap();
    assert_eq!(of(&teacher).as_slice(), of(&student).as_slice());
}

#[test]
fn fresh_students_give_vectors_of_the_teachers_width() {
    for name in FAMILIES
        .iter()
        .copied()
        .chain(["xlmr-small", "bert-gelu-new"])
    {
        let teacher = SentenceEncoder::load(model(name), Cpu::new(1)).unwrap();
        let (_place, student) = write(name, &fresh(12, 2));
        assert_eq!(student.dim(), teacher.dim(), "{name}");
        assert_eq!(student.config().hidden_size, 12);
        let texts = ["a dog is in the park", "the old man"];
        let vectors = student.encode(&texts).unwrap();
        assert!(vectors.as_slice().iter().all(|v| v.is_finite()), "{name}");
        assert_ne!(vectors.row(0), vectors.row(1), "{name}");
        let ids = |e: &SentenceEncoder<Cpu>| e.tokenizer().encode(&texts).unwrap()[0].ids.clone();
        assert_eq!(ids(&teacher), ids(&student), "{name}");
        assert_eq!(
            student.folder().modules.normalize,
            teacher.folder().modules.normalize
        );
    }
}

#[test]
fn fresh_students_of_the_teachers_width_have_its_embeddings() {
    let teacher = SentenceEncoder::load(model("bert-small"), Cpu::new(1)).unwrap();
    let (_place, student) = write("bert-small", &fresh(32, 4));
    assert!(student.folder().modules.dense.is_empty());
    let words = "embeddings.word_embeddings.weight";
    assert_eq!(values(&student, words), values(&teacher, words));
    // Narrower ones keep most of the words' likeness.
    let (place, narrow) = write("bert-small", &fresh(16, 4));
    assert_eq!(narrow.folder().modules.dense[0].out_width, 32);
    let gram = |values: &[f32], width: usize| -> Vec<f64> {
        let rows: Vec<&[f32]> = values.chunks_exact(width).take(40).collect();
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum();
        rows.iter()
            .flat_map(|a| rows.iter().map(move |b| dot(a, b)))
            .collect()
    };
    let (wide, small) = (
        gram(&values(&teacher, words), 32),
        gram(&values(&narrow, words), 16),
    );
    let agreement = crate::eval::pearson(&wide, &small).value().unwrap();
    assert!(agreement > 0.8, "{agreement}");
    // Without a need for the width there is no Dense module.
    let target = place.path().join("other");
    write_student(&target, &model("bert-small"), &fresh(16, 4), false, 1).unwrap();
    let other = SentenceEncoder::load(&target, Cpu::new(1)).unwrap();
    assert_eq!((other.dim(), other.folder().modules.dense.len()), (16, 0));
    let layout = Layout::new(other.config(), &[]);
    assert_eq!(layout.len(), other.layout().len());
}

#[test]
fn impossible_students_are_refused() {
    let teacher = ModelFolder::open(model("bert-small")).unwrap();
    for (shape, part) in [
        (picked(&[], None), "at least one layer"),
        (picked(&[0, 2], None), "layer 2: the teacher has 2 layers"),
        (picked(&[1, 0], None), "must rise"),
        (picked(&[0, 0], None), "must rise"),
        (picked(&[0], Some(0)), "1 to 64"),
        (picked(&[0], Some(65)), "1 to 64"),
        (fresh(33, 3), "1 to 32"),
        (fresh(0, 1), "1 to 32"),
        (fresh(12, 5), "divide the width 12"),
        (fresh(12, 0), "divide the width 12"),
    ] {
        let error = check_student(&teacher, &shape).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("student");
        assert!(write_student(&target, &teacher.root, &shape, true, 1).is_err());
        assert!(!target.exists());
    }
}
