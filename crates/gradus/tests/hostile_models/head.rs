//! The regression head's two files.

use crate::folder::Folder;
use crate::tensors::{Change, Tensors};
use gradus::nn::{Features, RegressionHead};
use serde_json::json;

const DESCRIPTION: &str = "gradus_head.json";
const WEIGHTS: &str = "regression_head.safetensors";

fn folder(outputs: usize) -> Folder {
    let folder = Folder::of("bert-small");
    let head = RegressionHead {
        features: Features::ConcatDifference,
        scale: if outputs == 1 {
            vec![0.0, 5.0]
        } else {
            (0..outputs).map(|i| i as f64).collect()
        },
        outputs,
        values: vec![0.25; outputs * (3 * 32 + 1)],
    };
    head.save(&folder.path("."), 32).unwrap();
    assert_eq!(folder.load().unwrap().head(), Some(&head));
    folder
}

#[test]
fn descriptions() {
    let huge = 1u64 << 40;
    let cases = [
        (1, "dim", json!(31), "Config", "`dim` is 31"),
        (1, "dim", json!(huge), "Config", "`dim` is 1099511627776"),
        (1, "dim", json!(-1), "Config", "invalid value"),
        (1, "outputs", json!(0), "Config", "`outputs` is 0"),
        (
            1,
            "outputs",
            json!(huge),
            "Config",
            "`outputs` is 1099511627776",
        ),
        (1, "outputs", json!(1e300), "Config", "invalid type"),
        (1, "features", json!("product"), "Config", "unknown variant"),
        (1, "features", json!(null), "Config", "invalid type"),
        (1, "format", json!(2), "Unsupported", "2; supported: 1"),
        (
            1,
            "scale",
            json!([5, 0]),
            "Config",
            "`scale` needs the lowest",
        ),
        (1, "scale", json!([0]), "Config", "`scale` needs the lowest"),
        (1, "scale", json!([null, 5]), "Config", "invalid type"),
        (3, "scale", json!([0, 1]), "Config", "one number per output"),
        (3, "scale", json!([]), "Config", "one number per output"),
    ];
    for (outputs, field, value, kind, part) in cases {
        let folder = folder(outputs);
        folder.set(DESCRIPTION, field, value);
        folder.refuses(kind, DESCRIPTION, &[part]);
    }
}

#[test]
fn weights() {
    let many = folder(1);
    many.set(DESCRIPTION, "outputs", json!(1 << 16));
    many.set(DESCRIPTION, "scale", json!(vec![0; 1 << 16]));
    let part = "`weight` has shape [1, 96], the configuration says [65536, 96]";
    many.refuses("Shape", WEIGHTS, &[part]);

    let cases: [(Change<'_>, &str, &str); 4] = [
        (
            &|t| t.rename("bias", "b"),
            "MissingTensor",
            "`bias` is missing",
        ),
        (
            &|t| t.push("extra", "F32", &[1], 4),
            "UnknownTensor",
            "`extra` does not belong to a regression head",
        ),
        (&|t| t.poke("bias", 0, f32::NAN), "NotFinite", "`bias`"),
        (
            &|t| {
                t.rename("bias", "b");
                t.push("bias", "U8", &[1], 1);
            },
            "TensorType",
            "`bias` has type U8",
        ),
    ];
    for (change, kind, part) in cases {
        let folder = folder(1);
        let mut tensors = Tensors::of(&folder, WEIGHTS);
        change(&mut tensors);
        folder.write(WEIGHTS, tensors.bytes());
        folder.refuses(kind, WEIGHTS, &[part]);
    }
    let folder = folder(1);
    let sound = folder.read(WEIGHTS);
    for length in (0..sound.len()).step_by(29) {
        folder.write(WEIGHTS, &sound[..length]);
        folder.refuses("Weights", WEIGHTS, &[]);
    }
}
