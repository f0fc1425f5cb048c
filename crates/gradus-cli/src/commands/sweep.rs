//! `gradus sweep`: recipes under several settings and seeds.

use super::eval::parse_task;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{Output, print_table};
use crate::reporter::ProgressReporter;
use gradus::data::Known;
use gradus::jobs::TestSets;
use gradus::jobs::sweep::{CellState, Sweep, SweepSettings};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Every combination of the --grid values is trained with every seed, each in a \
folder of its own below the sweep's. SweepSettings are compared on the dev set, and \
only shown on the test sets. A sweep that was stopped goes on where it was when \
the same command is given again; a larger grid runs only what is new. Several \
recipes are compared with each other in one table.

Examples:
  gradus sweep recipe.toml --grid stage.0.objective.k=2,3,4 --seeds 1,2,3
  gradus sweep recipe.toml --grid stage.0.objective.k=2,3 --grid stage.0.objective.x0=0.2,0.25
  gradus sweep recipe.toml --grid 'stage.0.objective={loss=\"mse\"},{loss=\"smooth_k2\",k=2,x0=0.25}'
  gradus sweep simcse.toml rankcse.toml --seeds 1,2,3 --before --against simcse
  gradus sweep recipe.toml --seeds 1,2,3,4,5 --set stage.0.epochs=1 --json";

/// What is to be trained.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The recipe, or several that are compared
    #[arg(value_name = "RECIPE", required_unless_present = "resume")]
    pub recipes: Vec<PathBuf>,
    /// Go on with the sweep in DIR
    #[arg(long, value_name = "DIR", conflicts_with_all = ["recipes", "grid", "seeds", "set", "output", "before", "against", "keep_models", "dry_run"])]
    pub resume: Option<PathBuf>,
    /// Begin a sweep that is in its folder anew: what it wrote is removed
    #[arg(long, conflicts_with_all = ["resume", "dry_run"])]
    pub overwrite: bool,
    /// A key of the recipe and the values it takes; with several --grid, every
    /// combination is run
    #[arg(long, value_name = "KEY=A,B,...")]
    pub grid: Vec<String>,
    /// The seeds that each setting is trained with; by default the recipe's
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    pub seeds: Vec<u64>,
    /// Change a value of the recipe for all; list entries are counted from 0.
    /// Can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The sweep's folder; by default sweeps/NAME
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Also score the models that training begins with
    #[arg(long)]
    pub before: bool,
    /// The row that the others are compared with, as the table calls it; by
    /// default the best by the dev set
    #[arg(long, value_name = "ROW")]
    pub against: Option<String>,
    /// Score nothing but the dev set
    #[arg(long)]
    pub no_tests: bool,
    /// Only these of the seven test sets, such as STS12,STS-B; the average is
    /// over them
    #[arg(long, value_name = "TASK,...", value_delimiter = ',', value_parser = parse_task)]
    #[arg(conflicts_with = "no_tests")]
    pub tasks: Vec<Known>,
    /// Keep the models of all runs, not only of the best by the dev set
    #[arg(long)]
    pub keep_models: bool,
    /// Only list what would be run
    #[arg(long)]
    pub dry_run: bool,
    /// The table as JSON, unrounded
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut reporter = ProgressReporter::new(context.mode, "sweep");
    let environment = &context.environment;
    let sweep = match &args.resume {
        Some(root) => {
            let tests = match (args.no_tests, &args.tasks[..]) {
                (true, _) => Some(TestSets::None),
                (false, []) => None,
                (false, tasks) => Some(TestSets::Only(tasks.to_vec())),
            };
            Sweep::resume(root, tests, environment, &mut reporter)?
        }
        None => {
            let settings = SweepSettings {
                grid: args.grid,
                seeds: args.seeds,
                set: args.set,
                before: args.before,
                against: args.against,
                no_tests: args.no_tests,
                tasks: args.tasks,
                keep_models: args.keep_models,
                ..SweepSettings::new(&args.recipes)?
            };
            Sweep::prepare(settings, args.output, environment)?
        }
    };
    if args.dry_run {
        return list(&sweep);
    }
    let table = sweep.run(args.overwrite, &mut reporter)?;
    print_table(&table, &table.text(), args.json)
}

/// Says what would be run.
fn list(sweep: &Sweep) -> Result<(), Failure> {
    let mut output = Output::open(None)?;
    for cell in sweep.cells()? {
        let state = match cell.state {
            CellState::Finished => "finished",
            CellState::Begun => "begun",
            CellState::ToDo => "to do",
        };
        output.line(&format!("{state}\t{}\tseed {}", cell.label, cell.seed))?;
    }
    output.finish()
}
