//! `gradus calibrate`: teach a model the scale of one's own grades.

use super::eval::Watched;
use crate::args::one_of;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{LabelOptions, PairOptions};
use gradus::Error;
use gradus::calibration::{COVERAGE, Calibration, RawScore};
use gradus::eval::{Judged, Task};
use gradus::output::Inputs;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Fits a map from a model's scores to the grades of some pairs, and saves it as \
calibration.json in the model's folder. `gradus score` then puts a grade on your \
scale first, with an interval that holds the grades of four in five such pairs. \
A few hundred pairs are enough; pairs that the model was trained on give \
intervals that are too narrow. `gradus train` does this with its dev set.

Examples:
  gradus calibrate runs/reviews/model dev.csv --columns review,product,stars
  gradus calibrate all-MiniLM-L6-v2 graded.tsv --output my-model
  gradus score my-model \"A plane is taking off.\" \"An air plane takes off.\"";

const SCORES: &[(&str, Choice)] = &[
    ("auto", Choice::Best),
    ("cosine", Choice::Of(RawScore::Cosine)),
    ("grade", Choice::Of(RawScore::Grade)),
];

/// What to map from.
#[derive(Debug, Clone, Copy)]
pub enum Choice {
    /// Whatever predicts better.
    Best,
    /// This one.
    Of(RawScore),
}

/// What is to be calibrated.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model: a folder that may be written into, or any model with --output
    pub model: String,
    /// Graded pairs (tsv, csv, jsonl, json, parquet)
    pub pairs: PathBuf,
    /// How to read pairs.
    #[command(flatten)]
    pub reading: PairOptions,
    /// How labels become numbers.
    #[command(flatten)]
    pub labels: LabelOptions,
    /// The lowest and the highest grade there can be; by default those found
    #[arg(long, value_name = "LOW,HIGH", value_parser = parse_scale, allow_hyphen_values = true)]
    pub scale: Option<(f64, f64)>,
    /// What to map from: the cosine, the regression head's grade, or whichever
    /// predicts better
    #[arg(long, default_value = "auto", value_parser = one_of(SCORES))]
    pub score: Choice,
    /// The share of grades that intervals should hold
    #[arg(long, default_value_t = COVERAGE, value_name = "SHARE")]
    pub coverage: f64,
    /// Leave the model as it is and write a calibrated copy to DIR
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Replace a calibration.json in the model's folder that this command did not
    /// write
    #[arg(long, conflicts_with = "output")]
    pub overwrite: bool,
    /// Print the calibration as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    // Models in the shared cache are not ours to change.
    let given = Path::new(&args.model).is_dir();
    if !given && args.output.is_none() {
        return Err(Failure::Usage(format!(
            "{} is no folder here; add --output DIR to write a calibrated copy",
            args.model
        )));
    }
    let pairs = Inputs::new().with("the pairs", &args.pairs);
    match &args.output {
        Some(output) => {
            let inputs = pairs.with("the model", &args.model);
            inputs.check_folder(output, "--output")?;
            if std::fs::symlink_metadata(output).is_ok() {
                return Err(Failure::Usage(format!(
                    "{}: exists already; choose another folder with --output",
                    output.display()
                )));
            }
        }
        None => {
            let path = Calibration::path(Path::new(&args.model));
            let overwrite = args.overwrite || Calibration::is_own(&path);
            pairs.check_file(&path, "--output", overwrite)?;
        }
    }
    let source = args.reading.graded(&args.pairs, &args.labels)?;
    let task = Task::from_source("pairs", &source, Path::new(""), &context.data);
    let task = task.map_err(Failure::Input)?;
    let folder = context.find(&args.model)?;
    let watched = Watched::new(context.load(&folder)?, "encoding pairs", context.manner);
    let head = watched.encoder().head();
    let texts = task.iter().map(|p| (p.first.as_str(), p.second.as_str()));
    let judged = Judged::of(&watched, head, texts).map_err(Failure::Model)?;
    let grades: Vec<f64> = task.iter().map(|p| p.label).collect();
    let scale = args.scale.unwrap_or(task.scale);
    let on = args.pairs.file_name().unwrap_or_default().to_string_lossy();
    let fit =
        |score, scores: &[f64]| Calibration::fit(score, scores, &grades, scale, args.coverage, &on);
    let calibration = match (args.score, &judged.grades) {
        (Choice::Best, _) => Calibration::best(&judged, head, &grades, scale, args.coverage, &on),
        (Choice::Of(RawScore::Cosine), _) => fit(RawScore::Cosine, &judged.cosines),
        (Choice::Of(RawScore::Grade), Some(predicted)) => fit(RawScore::Grade, predicted),
        (Choice::Of(RawScore::Grade), None) => {
            let message = format!("{} has no regression head; leave --score out", args.model);
            return Err(Failure::Usage(message));
        }
    };
    let calibration = calibration.map_err(|e| Failure::Input(e.into()))?;
    let target = match &args.output {
        Some(output) => {
            let card = std::fs::read_to_string(folder.join("README.md")).unwrap_or_default();
            watched.encoder().save(output, &card)?;
            output
        }
        None => &folder,
    };
    let path = Calibration::path(target);
    if path.exists() {
        let note = format!("{}: replaced, there was one", path.display());
        context.manner.note(&note);
    }
    calibration.save(target)?;
    context.note_texts(watched.encoder());
    let mut output = Output::open(None)?;
    if args.json {
        let json = serde_json::to_string_pretty(&calibration);
        output.line(&json.map_err(|e| Error::Internal(e.to_string()))?)?;
    } else {
        output.line(&calibration.describe())?;
    }
    output.finish()?;
    context.manner.note(&format!("wrote {}", path.display()));
    Ok(())
}

fn parse_scale(text: &str) -> Result<(f64, f64), String> {
    let number = |word: &str| word.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    match text
        .split_once(',')
        .map(|(low, high)| (number(low), number(high)))
    {
        Some((Some(low), Some(high))) if low < high => Ok((low, high)),
        _ => Err("give two numbers, the lower one first, such as 1,5".into()),
    }
}
