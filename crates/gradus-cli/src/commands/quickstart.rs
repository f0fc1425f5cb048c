//! `gradus quickstart`: everything once, on real input.

use crate::commands::eval::Watched;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::reporter::ProgressReporter;
use crate::runs::{existing, take};
use crate::stop;
use gradus::Error;
use gradus::data::{DataError, Known, Source, Split, TextVariant};
use gradus::eval::{Report, Suite, Task, View};
use gradus::models::EncodeOptions;
use gradus::output::{Claim, Inputs, RunKind};
use gradus::recipe::{Recipe, parse_recipe};
use gradus::tasks::similarity::{RunOptions, Similarity};
use gradus::training::RunFolder;
use gradus::util::words::duration;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

const EXAMPLES: &str = "\
Fetches all-MiniLM-L6-v2, trains it on graded pairs, scores it before and \
after, and leaves a model that `gradus score` uses. With STS data at hand \
(`gradus pull sts`, or GRADUS_DATA) it trains on STS-B and SICK-R without the \
pairs of the test sets; otherwise on pairs that come with Gradus.

Examples:
  gradus quickstart
  gradus quickstart --output runs/first --embedded";

const STS: &str = include_str!("../../quickstart/sts.toml");
const EMBEDDED: &str = include_str!("../../quickstart/embedded.toml");
pub(super) const PAIRS: [(&str, &str); 3] = [
    ("train.tsv", include_str!("../../quickstart/train.tsv")),
    ("dev.tsv", include_str!("../../quickstart/dev.tsv")),
    ("test.tsv", include_str!("../../quickstart/test.tsv")),
];

/// Pairs to show, from alike to unlike.
const SHOWN: [(&str, &str); 4] = [
    (
        "The train to Lyon leaves at noon.",
        "At twelve o'clock the train departs for Lyon.",
    ),
    (
        "The train to Lyon leaves at noon.",
        "The train to Lyon leaves in the evening.",
    ),
    (
        "The train to Lyon leaves at noon.",
        "The bus to the airport was late.",
    ),
    (
        "The train to Lyon leaves at noon.",
        "Add the eggs one at a time.",
    ),
];

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
    let mut reporter = ProgressReporter::new(context.manner);
    let resumed = match &args.resume {
        Some(root) => {
            let resumed = Recipe::open_run_of(root, &[RunKind::Quickstart])?;
            stop::goes_on_with("quickstart", root);
            Some(resumed)
        }
        None => None,
    };
    let context = &resumed.as_ref().map_or_else(
        || context.clone(),
        |(folder, _)| context.resuming(folder.marker()),
    );
    let root = args.resume.clone().unwrap_or(args.output);
    let pairs = root.join("data");
    let name = match &resumed {
        Some((_, recipe)) => recipe.model.clone(),
        None => args.model,
    };
    let embedded = match &resumed {
        Some(_) => pairs.join("train.tsv").is_file(),
        None => args.embedded,
    };
    let inputs = Inputs::new().with("the model", &name);
    let claim = match &resumed {
        Some(_) => None,
        None => {
            let existing = existing(args.overwrite);
            let claim = Claim::check(&root, RunKind::Quickstart, existing, &inputs)?;
            Some(claim)
        }
    };
    reporter.say(&format!("1. the model: {name}"));
    let model = context.find(&name)?;

    let suite = match embedded {
        true => None,
        false => real_data(context, &mut reporter)?,
    };
    let held = claim.map(|claim| take(claim, context)).transpose()?;
    let (text, base) = match &suite {
        Some(_) => {
            reporter.say(&format!(
                "2. the data: STS-B and SICK-R in {}",
                context.data.path().display()
            ));
            (STS, PathBuf::from("."))
        }
        None => {
            reporter.say("2. the data: graded pairs that come with Gradus (`gradus pull sts` fetches STS-B and SICK-R)");
            if resumed.is_none() {
                write_pairs(&pairs)?;
            }
            (EMBEDDED, pairs.clone())
        }
    };
    let suite = match suite {
        Some(suite) => suite,
        None => Suite {
            text: TextVariant::Original,
            tasks: vec![Task::from_source(
                "test",
                &Source::file("test.tsv"),
                &pairs,
                &context.data,
            )?],
        },
    };
    let set = [format!("model={}", toml_string(&name))];
    let mut recipe = parse_recipe(Path::new("quickstart.toml"), text, &set).map_err(Error::from)?;

    reporter.say("3. scores before training");
    let before = Watched::new(
        context.load(&model)?,
        "before: encoding sentences",
        context.manner,
    );
    let mut report = Report::default();
    report.push("before", suite.evaluate(&before)?);
    let shown: Vec<&str> = SHOWN.iter().flat_map(|p| [p.0, p.1]).collect();
    let old = before.encoder().encode(&shown, EncodeOptions::default())?;

    reporter.say("4. training");
    let options = RunOptions {
        base_dir: base.clone(),
        data_root: context.data.clone(),
        teachers: Default::default(),
    };
    if let Some((_, begun)) = &resumed {
        recipe = begun.clone();
    }
    let backend = context.backend(recipe.precision)?;
    recipe.precision = backend.precision().into();
    let mut run = Similarity::prepare(recipe.clone(), &model, backend, &options, &mut reporter)?;
    let folder = match (resumed, held) {
        (Some((folder, _)), _) => folder,
        (None, Some(held)) => recipe.begin_in(RunFolder::new(held), &base)?,
        (None, None) => return Err(Error::Internal("a run without folder".into()).into()),
    };
    stop::goes_on_with("quickstart", &root);
    let summary = run.execute(&folder, &mut reporter)?;

    reporter.say("5. scores after training");
    let after = Watched::new(
        context.load(&summary.model)?,
        "after: encoding sentences",
        context.manner,
    );
    report.push("after", suite.evaluate(&after)?);
    let new = after.encoder().encode(&shown, EncodeOptions::default())?;

    let mut out = report.text(View::default());
    let _ = writeln!(
        out,
        "\ncosine before, cosine after, predicted grade (0 to 5):"
    );
    for (i, (first, second)) in SHOWN.iter().enumerate() {
        let (a, b) = (2 * i, 2 * i + 1);
        let grade = after
            .encoder()
            .head()
            .map(|h| h.grade(new.row(a), new.row(b)));
        let grade = grade.map_or("   -".into(), |g| format!("{g:4.1}"));
        let _ = writeln!(
            out,
            "  {:5.2}  {:5.2}  {grade}  {first} / {second}",
            old.cosine(a, b),
            new.cosine(a, b)
        );
    }
    let model = summary.model.display();
    let _ = writeln!(
        out,
        "\nThe model is in {model}. Try it:\n  gradus score {model} \"A plane is taking off.\" \"An air plane takes off.\""
    );
    let mut output = Output::open(None)?;
    output.bytes(out.as_bytes())?;
    output.finish()?;
    reporter.say(&format!(
        "done in {}",
        duration(begun.elapsed().as_secs_f64())
    ));
    Ok(())
}

/// The seven tasks, if they are at hand with what [`STS`] trains on. Sets that
/// are there in part are not passed over in silence.
fn real_data(context: &Context, reporter: &mut ProgressReporter) -> Result<Option<Suite>, Failure> {
    let root = &context.data;
    let training = [
        (Known::StsB, Split::Train),
        (Known::StsB, Split::Dev),
        (Known::SickR, Split::Train),
    ];
    let text = TextVariant::Original;
    let missing = training
        .into_iter()
        .find_map(|(known, split)| known.locate(root, split, text).err());
    let loaded = match missing {
        Some(missing) => Err(missing),
        None => Suite::load(root, text),
    };
    match loaded {
        Ok(suite) => Ok(Some(suite)),
        Err(e @ Error::Data(DataError::MissingDataset { .. })) => {
            let there = |known: &Known| known.locate(root, Split::Test, text).is_ok();
            if Known::SUITE.iter().any(there) {
                reporter.say(&format!("   not all of the STS data is here: {e}"));
            }
            Ok(None)
        }
        Err(e) => Err(Failure::Input(e)),
    }
}

fn write_pairs(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    for (name, text) in PAIRS {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(Error::io(&path))?;
    }
    Ok(())
}

/// A TOML string that holds `text` as it is.
fn toml_string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}
