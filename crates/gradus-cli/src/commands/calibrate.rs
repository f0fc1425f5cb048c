//! `gradus calibrate`: teach a model the scale of one's own grades.

use crate::args::one_of;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{LabelOptions, PairOptions};
use gradus::Error;
use gradus::calibration::{COVERAGE, RawScore};
use gradus::jobs::calibrate::{CalibrateSettings, calibrate};
use gradus::util::Observer;
use std::path::PathBuf;

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

const SCORES: &[(&str, Option<RawScore>)] = &[
    ("auto", None),
    ("cosine", Some(RawScore::Cosine)),
    ("grade", Some(RawScore::Grade)),
    ("score", Some(RawScore::Score)),
];

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
    /// predicts better; of a cross-encoder its score
    #[arg(long, default_value = "auto", value_parser = one_of(SCORES))]
    // By its path, so that the option is not one that may be left out.
    pub score: std::option::Option<RawScore>,
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
    let mut console = context.console();
    let settings = CalibrateSettings {
        scale: args.scale,
        score: args.score,
        coverage: args.coverage,
        output: args.output,
        overwrite: args.overwrite,
        ..CalibrateSettings::new(args.model, args.reading.graded(&args.pairs, &args.labels)?)
    };
    let fitted = calibrate(&settings, &context.environment, &mut console)?;
    fitted.notes.iter().for_each(|note| console.note(note));
    let mut output = Output::open(None)?;
    if args.json {
        let json = serde_json::to_string_pretty(&fitted.calibration);
        output.line(&json.map_err(|e| Error::Internal(e.to_string()))?)?;
    } else {
        output.line(&fitted.calibration.describe())?;
    }
    output.finish()?;
    console.note(&format!("wrote {}", fitted.path.display()));
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
