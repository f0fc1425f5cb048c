//! `gradus report`: a page that shows what training runs did.

use super::eval::{TEXTS, parse_task};
use crate::args::one_of;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use gradus::Precision;
use gradus::data::{Known, Split, TextVariant};
use gradus::eval::{EvalTask, Suite};
use gradus::jobs::{ObservedPairs, PairModel};
use gradus::output::Inputs;
use gradus::recipe::AnyRecipe;
use gradus::util::tensorboard::write_events;
use gradus_kernels::Backend;
use gradus_report::{
    GENERATOR, Run, StoredScores, key, page, read_scores, score_pairs, write_scores,
};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
One HTML file without scripts that needs no network: loss and dev scores, the \
test tasks before and after training, predicted grades beside people's with the \
worst errors, the recipe and the machine. Several runs are also compared, with \
intervals of their differences and, for models of that size, published rows. A \
model's scores of the pairs are stored in RUN/report, so that the next page is \
quick.

Examples:
  gradus report runs/quickstart
  gradus report runs/reviews --tasks none
  gradus report runs/old --tensorboard && tensorboard --logdir runs/old
  gradus report runs/seed1 runs/seed2 --tasks stsb,sickr --output seeds.html";

/// What is to be shown.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The runs' folders
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// The page; by default RUN/report.html, with several runs report.html here
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that exists and is no page of this command
    #[arg(long)]
    pub overwrite: bool,
    /// The test tasks: names with commas between, all or none
    #[arg(long, default_value = "all", value_name = "LIST")]
    pub tasks: String,
    /// The text of STS12-16: as released, or as the SentEval toolkit tokenised
    /// it
    #[arg(long, default_value = "original", value_parser = one_of(TEXTS))]
    pub text: TextVariant,
    /// Make no page, but RUN/tensorboard anew from metrics.jsonl; runs under way
    /// write there themselves
    #[arg(long, conflicts_with_all = ["output", "tasks", "text"])]
    pub tensorboard: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    if args.tensorboard {
        return events(&args.runs);
    }
    let known = tasks(&args.tasks)?;
    refuse_twice(&args.runs)?;
    let mut runs = Run::open_all(&args.runs, &context.environment.data)?;
    let path = args.output.unwrap_or_else(|| match &args.runs[..] {
        [one] => one.join("report.html"),
        _ => PathBuf::from("report.html"),
    });
    let mut inputs = Inputs::new();
    if args.runs.iter().any(|run| is_part_of(&path, run)) {
        inputs.add("a file of the run", &path);
    }
    let overwrite = args.overwrite || is_page(&path);
    let mut file = Output::create(Some(&path), "--output", &inputs, overwrite)?;
    let suite = match suite(&known, args.text, context) {
        Ok(suite) => suite,
        Err(why) => {
            context.mode.note(&format!("without test tasks: {why}"));
            runs[0]
                .notes
                .push(format!("The test tasks are not shown: {why}."));
            let (text, tasks) = (args.text, Vec::new());
            Suite { text, tasks }
        }
    };
    // Runs often begin with one model.
    let mut seen = HashMap::new();
    for run in &mut runs {
        score_both(run, &suite, &mut seen, context)?;
    }
    let page = page(&runs, Some(&suite));
    file.bytes(page.as_bytes())?;
    file.finish()?;
    let mut output = Output::open(None)?;
    output.line(&path.display().to_string())?;
    output.finish()
}

/// A run beside itself would show differences of nothing.
fn refuse_twice(runs: &[PathBuf]) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    for root in runs {
        if !seen.insert(root.canonicalize().unwrap_or_else(|_| root.clone())) {
            let message = format!("{}: the run is named twice; name it once", root.display());
            return Err(Failure::Usage(message));
        }
    }
    Ok(())
}

/// Whether the file at `path` is a page that this command made.
fn is_page(path: &Path) -> bool {
    let mut begin = Vec::new();
    let read = File::open(path).and_then(|file| file.take(1024).read_to_end(&mut begin));
    read.is_ok() && String::from_utf8_lossy(&begin).contains(GENERATOR)
}

/// Whether the file at `path` is one of a run's, which no page is.
fn is_part_of(path: &Path, run: &Path) -> bool {
    let (Ok(path), Ok(run)) = (path.canonicalize(), run.canonicalize()) else {
        return false;
    };
    path.starts_with(run) && path.extension().is_none_or(|e| e != "html")
}

/// Makes the runs' event files anew.
fn events(runs: &[PathBuf]) -> Result<(), Failure> {
    let mut output = Output::open(None)?;
    for root in runs {
        // Nobody else writes meanwhile.
        let (folder, _) = AnyRecipe::open_run(root)?;
        let written = write_events(&folder.metrics(), &folder.tensorboard())?;
        output.line(&written.display().to_string())?;
    }
    output.finish()
}

fn tasks(list: &str) -> Result<Vec<Known>, Failure> {
    match list {
        "all" => Ok(Known::SUITE.to_vec()),
        "none" => Ok(vec![]),
        names => {
            let mut chosen = Vec::new();
            for name in names.split(',') {
                let known = parse_task(name)
                    .map_err(|why| Failure::Usage(format!("--tasks {name}: {why}, all, none")))?;
                if !chosen.contains(&known) {
                    chosen.push(known);
                }
            }
            Ok(chosen)
        }
    }
}

fn suite(known: &[Known], text: TextVariant, context: &Context) -> gradus::Result<Suite> {
    let mut tasks = Vec::with_capacity(known.len());
    for &known in known {
        let mut task = EvalTask::known(&context.environment.data, known, Split::Test, text)?;
        task.in_average = true;
        tasks.push(task);
    }
    Ok(Suite { text, tasks })
}

/// Has the model that a run began with and its own score all pairs.
fn score_both(
    run: &mut Run,
    suite: &Suite,
    seen: &mut HashMap<String, StoredScores>,
    context: &Context,
) -> Result<(), Failure> {
    let own = run.root.join("model");
    if own.is_dir() {
        run.after = Some(pair_scores(run, &own, Side::After, suite, seen, context)?);
    } else {
        run.notes.push("There is no model yet.".into());
    }
    if suite.tasks.is_empty() {
        return Ok(());
    }
    let beside = run.base_dir.join(run.recipe.model());
    let found = match beside.is_dir() {
        true => Ok(beside),
        false => context.find(run.recipe.model()),
    };
    match found {
        Ok(folder) => {
            run.before = Some(pair_scores(
                run,
                &folder,
                Side::Before,
                suite,
                seen,
                context,
            )?)
        }
        Err(why) => {
            let note = format!("The model before training is not shown: {why}.");
            context.mode.note(&note);
            run.notes.push(note);
        }
    }
    Ok(())
}

/// Which of a run's two models.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Before,
    After,
}

/// What the model in `folder` says, from the run's folder if it was asked
/// before.
fn pair_scores(
    run: &Run,
    folder: &Path,
    side: Side,
    suite: &Suite,
    seen: &mut HashMap<String, StoredScores>,
    context: &Context,
) -> Result<StoredScores, Failure> {
    // Only a run's own model is shown on its dev set.
    let (name, dev) = match side {
        Side::Before => ("before", None),
        Side::After => ("after", run.dev.as_ref()),
    };
    let environment = &context.environment;
    let backend = environment.backend(Precision::Auto, &mut context.console())?;
    // Nothing depends on the number of threads.
    let mut numbers = format!(
        "{:?} {}",
        backend.precision(),
        backend.as_cpu().unwrap().isa()
    );
    // One folder may be scored by its vectors and by its head.
    if let AnyRecipe::CrossEncoder(_) = &run.recipe {
        numbers += " pairs";
    }
    let backend = backend.describe();
    let key = key(folder, &numbers, suite, dev).map_err(Failure::Model)?;
    if let Some(scores) = seen.get(&key) {
        return Ok(scores.clone());
    }
    let path = run.root.join("report").join(format!("{name}.json"));
    let scores = match read_scores(&path, &key) {
        Some(scores) => scores,
        None => {
            let what = format!("{}: scoring pairs, {name} training", run.name);
            let mut console = context.console();
            // What vectors were trained from is shown by its vectors, whatever head it
            // has.
            let model = match &run.recipe {
                AnyRecipe::Similarity(_) => PairModel::Sentence(Box::new(context.load(folder)?)),
                AnyRecipe::CrossEncoder(_) => {
                    environment.load_pair_model(folder, None, &mut console)?
                }
            };
            let observed = ObservedPairs::new(&model, what, &mut console);
            let head = model.head().map(|head| head.features);
            let scores = score_pairs(&observed, head, backend, suite, dev);
            let scores = scores.map_err(Failure::Model)?;
            if let Err(why) = write_scores(&path, &key, &scores) {
                context
                    .mode
                    .note(&format!("not saved for the next report: {why}"));
            }
            scores
        }
    };
    seen.insert(key, scores.clone());
    Ok(scores)
}
