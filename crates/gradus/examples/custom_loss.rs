//! A loss of one's own in a recipe made in code. All else is that of any training: the
//! loop, the plan, checkpoints, the model card.
//!
//!     cargo run --release -p gradus --example custom_loss -- MODEL PAIRS.tsv runs/margin

use gradus::data::{DataRoot, Source};
use gradus::jobs::Environment;
use gradus::losses::{Input, MseSettings, Objective, Output, RegressionSettings};
use gradus::recipe::{Recipe, Stage};
use gradus::tasks::similarity::{RunOptions, Similarity};
use gradus::training::{RunFolder, Summary, TrainingObserver};
use gradus::util::Silent;
use gradus::{Device, Precision, Result};
use gradus_kernels::Backend;
use std::path::Path;

/// The contrastive loss of Hadsell, Chopra & LeCun (2006): pairs of a high grade come
/// together, others move apart up to a margin. With `d = |u - v|`,
///
/// `l = d^2` where `grade >= high`, else `max(0, margin - d)^2`
///
/// whose derivatives by `u` are `2 (u - v)` and `-2 (margin - d) (u - v) / d`; those by
/// `v` are their opposites.
pub struct MarginLoss {
    /// The lowest grade of a pair that belongs together.
    pub high: f64,
    /// The distance from which other pairs are left alone.
    pub margin: f32,
}

impl Objective for MarginLoss {
    fn columns(&self) -> usize {
        2
    }

    fn evaluate(&self, parameters: &[f32], input: &Input<'_>) -> Output {
        let mut output = Output::zero(input, parameters.len());
        let (n, dim) = (input.examples(), input.embeddings.dim());
        // The gradients lie as the embeddings do: all first texts, then all second.
        let (by_first, by_second) = output.embeddings.split_at_mut(n * dim);
        for i in 0..n {
            let (u, v) = (input.embedding(0, i), input.embedding(1, i));
            let difference: Vec<f32> = u.iter().zip(v).map(|(u, v)| u - v).collect();
            let distance = difference.iter().map(|d| d * d).sum::<f32>().sqrt();
            let weight = input.weights[i] / n as f32;
            let missing = (self.margin - distance).max(0.0);
            let (loss, factor) = if input.labels[i] >= self.high {
                (distance * distance, 2.0)
            } else if distance > 0.0 {
                (missing * missing, -2.0 * missing / distance)
            } else {
                (missing * missing, 0.0)
            };
            output.loss += f64::from(weight * loss);
            for (c, d) in difference.iter().enumerate() {
                by_first[i * dim + c] = weight * factor * d;
                by_second[i * dim + c] = -weight * factor * d;
            }
        }
        output
    }

    fn describe(&self) -> String {
        format!("margin loss (margin {}, high {})", self.margin, self.high)
    }
}

/// The name of the stage that has it.
pub const STAGE: &str = "margin";

/// A training on graded pairs, of which a file has one a line.
pub fn recipe(model: &Path, pairs: &Path, steps: u64) -> Recipe {
    // What a recipe can name: it says that the pairs have grades. The loss takes its
    // place below.
    let on_grades = RegressionSettings::cosine(MseSettings {});
    let stage = Stage::new(STAGE, on_grades, [Source::file(pairs)]).steps(steps);
    Recipe::new(model.to_string_lossy()).stage(stage.learning_rate(1e-4))
}

/// Trains by a recipe, or goes on, in the folder `root`.
pub fn train(
    recipe: &Recipe,
    root: &Path,
    backend: impl Backend,
    observer: &mut dyn TrainingObserver,
) -> Result<Summary> {
    let here = Path::new(".");
    let options = RunOptions {
        base_dir: here.to_path_buf(),
        data_root: DataRoot::resolve(None),
        teachers: Default::default(),
    };
    let model = Path::new(&recipe.model);
    let mut task = Similarity::prepare(recipe.clone(), model, backend, &options, observer)?;
    let loss = MarginLoss {
        high: 3.0,
        margin: 0.5,
    };
    task.replace_objective(STAGE, Box::new(loss))?;
    let folder = match RunFolder::is_taken(root) {
        true => Recipe::open_run(root)?.0,
        false => recipe.begin(root, here)?,
    };
    task.execute(&folder, observer)
}

#[allow(dead_code, reason = "a test uses the rest")]
fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, pairs, root] = &arguments[..] else {
        eprintln!("usage: custom_loss MODEL PAIRS DIR");
        std::process::exit(2);
    };
    let (backend, _) = Device::default().backend(Precision::Auto, 0)?;
    let model = Environment::default().find(model, &mut Silent)?;
    let recipe = recipe(&model.folder, Path::new(pairs), 100);
    let summary = train(&recipe, Path::new(root), backend, &mut Silent)?;
    println!("{}", summary.model.display());
    Ok(())
}
