//! `gradus quickstart`: everything once, on real input.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::reporter::ProgressReporter;
use gradus::eval::View;
use gradus::jobs::quickstart::{self, QuickstartSettings};
use gradus::util::Observer;
use gradus::util::words::duration;
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Fetches all-MiniLM-L6-v2, trains it on graded pairs, scores it before and \
after, and leaves a model that `gradus score` uses. With STS data at hand \
(`gradus pull sts`, or GRADUS_DATA) it trains on STS-B and SICK-R without the \
pairs of the test sets; otherwise on pairs that come with Gradus.

Examples:
  gradus quickstart
  gradus quickstart --output runs/first --embedded";

/// Where it goes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The run's folder
    #[arg(long, short, value_name = "DIR", default_value = "runs/quickstart")]
    pub output: PathBuf,
    /// Go on with the run in DIR
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "embedded", "model"])]
    pub resume: Option<PathBuf>,
    /// Begin a run that is in its folder anew: what it wrote is removed
    #[arg(long, conflicts_with = "resume")]
    pub overwrite: bool,
    /// Use the pairs that come with Gradus even where STS data is at hand
    #[arg(long)]
    pub embedded: bool,
    /// Another model to start from
    #[arg(long, value_name = "MODEL", default_value = "all-MiniLM-L6-v2")]
    pub model: String,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut reporter = ProgressReporter::new(context.mode, "quickstart");
    let environment = &context.environment;
    let outcome = match &args.resume {
        Some(root) => quickstart::resume(root, environment, &mut reporter)?,
        None => {
            let settings = QuickstartSettings {
                root: args.output,
                model: args.model,
                embedded: args.embedded,
                overwrite: args.overwrite,
            };
            quickstart::quickstart(&settings, environment, &mut reporter)?
        }
    };
    let mut out = outcome.report.text(View::default());
    out += "\ncosine before, cosine after, predicted grade (0 to 5):\n";
    for pair in &outcome.pairs {
        let grade = pair.grade.map_or("   -".into(), |g| format!("{g:4.1}"));
        out += &format!(
            "  {:5.2}  {:5.2}  {grade}  {} / {}\n",
            pair.before, pair.after, pair.first, pair.second
        );
    }
    let model = outcome.model.display();
    out += &format!(
        "\nThe model is in {model}. Try it:\n  gradus score {model} \"A plane is taking off.\" \"An air plane takes off.\"\n"
    );
    let mut output = Output::open(None)?;
    output.bytes(out.as_bytes())?;
    output.finish()?;
    let seconds = begun.elapsed().as_secs_f64();
    reporter.note(&format!("done in {}", duration(seconds)));
    Ok(())
}
