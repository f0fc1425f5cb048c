//! A loss of one's own: the squared error of the cosine, but no error where the model
//! says less than the grade does. It takes the place of the loss that the recipe
//! names; the engine does the rest.
//!
//!     cargo run --release -p gradus --example custom_loss -- MODEL PAIRS.tsv runs/one-sided

use gradus::data::{DataRoot, Source};
use gradus::losses::{Input, MseSettings, Objective, Output, RegressionSettings};
use gradus::recipe::{Recipe, Stage};
use gradus::tasks::similarity::{RunOptions, Similarity};
use gradus::training::{Silent, Summary};
use gradus::{Device, Precision, Result};
use gradus_kernels::Backend;
use std::path::Path;

/// `mean max(0, cos(u, v) - y)^2` over pairs with grades from 0 to 1.
pub struct OneSided;

impl Objective for OneSided {
    fn columns(&self) -> usize {
        2
    }

    fn evaluate(&self, _parameters: &[f32], input: &Input<'_>) -> Output {
        let (n, dim) = (input.examples(), input.embeddings.dim());
        let mut gradients = vec![0.0; input.embeddings.as_slice().len()];
        let mut loss = 0.0;
        for i in 0..n {
            let (u, v) = (input.embedding(0, i), input.embedding(1, i));
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
                products.sum()
            };
            let (uu, vv) = (dot(u, u), dot(v, v));
            let length = (uu * vv).sqrt().max(1e-12);
            let cosine = dot(u, v) / length;
            let error = (cosine - input.labels[i]).max(0.0);
            loss += error * error / n as f64;
            // d cos / d u = v / (|u| |v|) - cos u / |u|^2, and the same for v.
            let slope = 2.0 * error / n as f64;
            let mut add = |row: usize, own: &[f32], other: &[f32], square: f64| {
                let place = &mut gradients[row * dim..(row + 1) * dim];
                for ((g, own), other) in place.iter_mut().zip(own).zip(other) {
                    let along = f64::from(*other) / length;
                    let back = cosine * f64::from(*own) / square.max(1e-12);
                    *g = (slope * (along - back)) as f32;
                }
            };
            add(i, u, v, uu);
            add(n + i, v, u, vv);
        }
        Output {
            loss,
            embeddings: gradients,
            parameters: vec![],
        }
    }

    fn describe(&self) -> String {
        "one-sided squared error of the cosine".into()
    }
}

/// Trains `model` on graded pairs in the folder `run`, for some steps.
pub fn train<B: Backend>(
    model: &Path,
    pairs: &Path,
    steps: u64,
    run: &Path,
    backend: B,
) -> Result<Summary> {
    // The loss that is named says that the sources have grades.
    let stage = Stage::new(
        "tune",
        RegressionSettings::cosine(MseSettings {}),
        [Source::file(pairs)],
    )
    .steps(steps);
    let recipe = Recipe::new(model.display().to_string()).stage(stage);
    let here = Path::new(".");
    let options = RunOptions {
        base_dir: here.to_path_buf(),
        data_root: DataRoot::resolve(None),
        teachers: Default::default(),
    };
    let mut task = Similarity::prepare(recipe.clone(), model, backend, &options, &mut Silent)?;
    task.replace_objective("tune", Box::new(OneSided))?;
    task.execute(&recipe.begin(run, here)?, &mut Silent)
}

#[allow(dead_code, reason = "a test uses the rest")]
fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, pairs, run] = &arguments[..] else {
        eprintln!("usage: custom_loss MODEL PAIRS DIR");
        return Ok(());
    };
    let (backend, _) = Device::default().backend(Precision::Auto, 0)?;
    let paths = [model, pairs, run].map(Path::new);
    let summary = train(paths[0], paths[1], 100, paths[2], backend)?;
    println!("{}", summary.model.display());
    Ok(())
}
