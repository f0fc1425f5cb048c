//! `gradus sweep`: recipes under several settings and seeds.

mod header;
mod saved;
mod source;

use super::eval::{Watched, parse_task, tests_at_hand};
use super::train::{base_of, find_model, prepare, read_recipe};
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{Output, publish_table};
use crate::reporter::ProgressReporter;
use crate::runs::{self, take};
use crate::stop;
use gradus::Error;
use gradus::data::Known;
use gradus::eval::Suite;
use gradus::jobs::sweep::{Axis, Grid, Outcome, Row, Table, TestScores};
use gradus::output::{Claim, Existing, Held, Inputs, OutputError, RunKind, remove_owned};
use gradus::recipe::{Recipe, exclude_each_other, parse_recipe};
use gradus::training::{RunFolder, TrainError};
use saved::Saved;
use source::Source;
use std::path::{Path, PathBuf};
use std::time::Instant;

const EXAMPLES: &str = "\
Every combination of the --grid values is trained with every seed, each in a \
folder of its own below the sweep's. Settings are compared on the dev set, and \
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
pub fn run(mut args: Args, context: &Context) -> Result<(), Failure> {
    let reporter = ProgressReporter::new(context.manner);
    let resumed = match args.resume.clone() {
        Some(root) => {
            let held = Held::open(&root, &[RunKind::Sweep])?;
            stop::goes_on_with("sweep", &root);
            Some((Saved::read(&root)?, held))
        }
        None => None,
    };
    let context = &resumed.as_ref().map_or_else(
        || context.clone(),
        |(_, held)| context.resuming(held.marker()),
    );
    let saved = match &resumed {
        Some((saved, _)) => saved.clone(),
        None => Saved::of(&args)?,
    };
    saved.put_into(&mut args);
    let sources = Source::all(&args, &saved)?;
    let axes = args.grid.iter().map(|axis| Axis::parse(axis));
    let axes = axes.collect::<Result<Vec<_>, _>>().map_err(Error::from)?;
    for (i, axis) in axes.iter().enumerate() {
        let set = args.set.iter().map(|set| ("--set", set.as_str()));
        let grids = axes[..i].iter().map(|axis| ("--grid", axis.key.as_str()));
        for (option, other) in set.chain(grids) {
            let key = other.split('=').next().unwrap_or_default().trim();
            if exclude_each_other(&axis.key, key) {
                return Err(Failure::Usage(format!(
                    "--grid {} and {option} {other} exclude each other; give one of them",
                    axis.key
                )));
            }
        }
    }
    let seeds = match args.seeds.is_empty() {
        true => vec![sources[0].recipe.seed],
        false => args.seeds.clone(),
    };
    let names: Vec<String> = sources.iter().map(|s| s.name.clone()).collect();
    let grid = Grid::new(&names, &axes, seeds).map_err(Error::from)?;
    let root = args
        .output
        .clone()
        .or(args.resume.clone())
        .unwrap_or_else(|| {
            let name = |s: &Source| s.path.file_stem().unwrap_or_default().to_owned();
            let name = match &sources[..] {
                [only] => name(only),
                several => several[0].name.replace('/', "-").into(),
            };
            Path::new("sweeps").join(name)
        });
    let mut sweep = Sweep {
        args: &args,
        context,
        sources,
        root,
        held: None,
    };
    // A setting out of its bounds shows before the first is trained.
    for row in &grid.rows {
        sweep.recipe(row, 0)?;
    }
    let mut labels: Vec<String> = grid.rows.iter().map(Row::label).collect();
    if args.before {
        labels.extend(sweep.models().into_iter().map(|m| before(m).label()));
    }
    let against = sweep.against(&labels)?;
    if args.dry_run {
        return sweep.list(&grid);
    }
    let held = match resumed {
        Some((_, held)) => held,
        None => {
            let existing = match args.overwrite {
                true => Existing::Overwrite,
                false => Existing::GoOn,
            };
            let inputs = sweep.inputs(&grid)?;
            let claim = Claim::check(&sweep.root, RunKind::Sweep, existing, &inputs)?;
            take(claim, context)?
        }
    };
    sweep.hold(held, &saved, &grid)?;
    let suite = tests_at_hand(context, args.no_tests, &args.tasks, &reporter);
    let mut rows = Vec::with_capacity(grid.rows.len());
    let mut best = None;
    let mut number = 0;
    for row in &grid.rows {
        let mut outcomes = Vec::with_capacity(grid.seeds.len());
        for &seed in &grid.seeds {
            number += 1;
            let title = format!(
                "run {number} of {}: {}, seed {seed}",
                grid.cells(),
                row.label()
            );
            let outcome = sweep.cell(row, seed, &title, suite.as_ref())?;
            sweep.keep_best(&mut best, row, seed, &outcome)?;
            outcomes.push(outcome);
        }
        rows.push((row.clone(), outcomes));
    }
    if args.before {
        let trained = rows.clone();
        for model in sweep.models() {
            let outcome = sweep.untrained(model, &trained, suite.as_ref())?;
            rows.push((before(model), vec![outcome]));
        }
    }
    let table = Table::new(&rows, suite.as_ref(), against, sweep.header(&grid));
    publish_table(
        &sweep.root,
        &table,
        (&table.text(), &table.markdown()),
        args.json,
    )
}

/// A model's row before any training.
fn before(model: &str) -> Row {
    Row {
        recipe: format!("{model} before training"),
        settings: vec![],
    }
}

/// The best run so far: its dev score and its folder.
type Best = Option<(f64, PathBuf)>;

/// A sweep under way.
struct Sweep<'a> {
    args: &'a Args,
    context: &'a Context,
    sources: Vec<Source>,
    root: PathBuf,
    /// The folder, once it is taken.
    held: Option<Held>,
}

impl Sweep<'_> {
    /// All that its runs read.
    fn inputs(&self, grid: &Grid) -> Result<Inputs, Failure> {
        let mut inputs = Inputs::new();
        for row in &grid.rows {
            let recipe = self.recipe(row, 0)?;
            inputs.extend(runs::inputs(&self.source(row).path, &recipe, self.context));
        }
        Ok(inputs)
    }

    /// Notes what the sweep is, in its folder.
    fn hold(&mut self, mut held: Held, saved: &Saved, grid: &Grid) -> Result<(), Failure> {
        let mut deciding = Inputs::new();
        for row in &grid.rows {
            let base = base_of(&self.source(row).path);
            runs::add_models_and_dev(&mut deciding, base, &self.recipe(row, 0)?, self.context);
        }
        for (row, seed) in grid.rows.iter().flat_map(|row| {
            let seeds = grid.seeds.iter();
            seeds.map(move |seed| (row, *seed))
        }) {
            let root = self.folder(row, seed);
            if root.join("recipe.toml").exists() {
                self.is_of(&root, &self.recipe(row, seed)?)?;
            }
        }
        held.check_inputs(&deciding)?;
        saved.write(&self.root)?;
        stop::goes_on_with("sweep", &self.root);
        self.held = Some(held);
        Ok(())
    }

    /// Takes the folder of one of its runs.
    fn take(&self, root: &Path) -> Result<RunFolder, Failure> {
        let Some(held) = &self.held else {
            return Err(Error::Internal("a sweep without folder".into()).into());
        };
        let claim = Claim::check_within(held, root, RunKind::Train)?;
        Ok(RunFolder::new(take(claim, self.context)?))
    }

    fn folder(&self, row: &Row, seed: u64) -> PathBuf {
        self.root.join("runs").join(row.folder(seed))
    }

    /// The recipe of a row.
    fn source(&self, row: &Row) -> &Source {
        let named = self.sources.iter().find(|s| s.name == row.recipe);
        named.unwrap_or(&self.sources[0])
    }

    fn recipe(&self, row: &Row, seed: u64) -> Result<Recipe, Failure> {
        let source = self.source(row);
        let mut set = self.args.set.clone();
        set.extend(row.settings.iter().cloned());
        set.push(format!("seed={seed}"));
        let recipe = parse_recipe(&source.shown, &source.text, &set).map_err(Error::from)?;
        Ok(recipe)
    }

    /// The models that the recipes begin with, each once.
    fn models(&self) -> Vec<&str> {
        let mut models: Vec<&str> = vec![];
        for source in &self.sources {
            if !models.contains(&source.recipe.model.as_str()) {
                models.push(&source.recipe.model);
            }
        }
        models
    }

    /// The row that `--against` names.
    fn against(&self, labels: &[String]) -> Result<Option<usize>, Failure> {
        let Some(wanted) = &self.args.against else {
            return Ok(None);
        };
        // Typed as `--grid` takes it, a name has no blanks behind its commas.
        let bare = |name: &str| name.replace(' ', "");
        match labels.iter().position(|label| bare(label) == bare(wanted)) {
            Some(row) => Ok(Some(row)),
            None => Err(Failure::Usage(format!(
                "--against {wanted}: no such row; there are {}",
                labels.join("; ")
            ))),
        }
    }

    /// The outcome of a model that was not trained; its dev score is what the
    /// runs that begin with it found.
    fn untrained(
        &self,
        model: &str,
        trained: &[(Row, Vec<Outcome>)],
        suite: Option<&Suite>,
    ) -> Result<Outcome, Failure> {
        let of_model = |(row, _): &&(Row, Vec<Outcome>)| self.source(row).recipe.model == model;
        let row = trained.iter().find(of_model);
        let first = row.and_then(|(row, outcomes)| Some((row, outcomes.first()?)));
        let mut outcome = Outcome {
            seed: 0,
            dev: first.and_then(|(_, outcome)| outcome.dev_before),
            dev_before: None,
            failure: None,
            seconds: 0.0,
            test: None,
        };
        if let (Some(suite), Some((row, _))) = (suite, first) {
            let recipe = self.recipe(row, 0)?;
            let base = base_of(&self.source(row).path);
            let folder = find_model(base, &recipe.model, self.context)?;
            outcome.test = Some(self.evaluate_pairs(suite, &folder)?);
        }
        Ok(outcome)
    }

    /// Scores a model on the test sets.
    fn evaluate_pairs(&self, suite: &Suite, model: &Path) -> Result<TestScores, Failure> {
        let encoder = self.context.load(model)?;
        let watched = Watched::new(encoder, "scoring the test sets", self.context.manner);
        let (scores, similarities) = suite.evaluate_pairs(&watched).map_err(Failure::Model)?;
        Ok(TestScores {
            scores,
            similarities,
        })
    }

    fn list(&self, grid: &Grid) -> Result<(), Failure> {
        let mut output = Output::open(None)?;
        for row in &grid.rows {
            for &seed in &grid.seeds {
                let folder = self.folder(row, seed);
                let state = match Outcome::read(&folder)? {
                    Some(_) => "finished",
                    None if folder.join("recipe.toml").exists() => "begun",
                    None => "to do",
                };
                output.line(&format!("{state}\t{}\tseed {seed}", row.label()))?;
            }
        }
        output.finish()
    }

    /// The outcome of one run: read where it is finished, else worked out.
    fn cell(
        &self,
        row: &Row,
        seed: u64,
        title: &str,
        suite: Option<&Suite>,
    ) -> Result<Outcome, Failure> {
        let root = self.folder(row, seed);
        let recipe = self.recipe(row, seed)?;
        let mut reporter = ProgressReporter::new(self.context.manner);
        if let Some(outcome) = Outcome::read(&root)?
            && self.is_of(&root, &recipe)?
            && let Some(outcome) = self.scored(outcome, &root, suite)?
        {
            reporter.say(&format!("{title}: finished before"));
            return Ok(outcome);
        }
        reporter.say(title);
        let base = base_of(&self.source(row).path);
        let (mut run, recipe) = prepare(recipe, base, self.context, &mut reporter)?;
        let folder = match root.join("recipe.toml").exists() {
            false => recipe.begin_in(self.take(&root)?, base)?,
            true => {
                self.is_of(&root, &recipe)?;
                Recipe::open_run(&root)?.0
            }
        };
        let begun = Instant::now();
        let mut outcome = Outcome {
            seed,
            dev: None,
            dev_before: None,
            failure: None,
            seconds: 0.0,
            test: None,
        };
        match run.execute(&folder, &mut reporter) {
            Ok(summary) => {
                (outcome.dev, outcome.dev_before) = (summary.best, summary.initial);
                outcome.seconds = begun.elapsed().as_secs_f64();
                if let Some(suite) = suite {
                    outcome.test = Some(self.evaluate_pairs(suite, &summary.model)?);
                }
            }
            // A setting that diverges is a finding; the others go on.
            Err(Error::Train(e @ TrainError::NotFinite { .. })) => {
                stop::takes_no_steps();
                reporter.say(&format!("warning: {e}"));
                outcome.failure = Some(e.to_string());
            }
            Err(e) => return Err(e.into()),
        }
        outcome.write(&root)?;
        // Moments and values of every parameter, for going on: no more needed.
        folder.remove_checkpoints()?;
        Ok(outcome)
    }

    /// A finished run's outcome with the scores of the suite's tasks: those it
    /// has, or those of its model; `None` where there are neither.
    fn scored(
        &self,
        mut outcome: Outcome,
        root: &Path,
        suite: Option<&Suite>,
    ) -> Result<Option<Outcome>, Failure> {
        let Some(suite) = suite.filter(|_| outcome.failure.is_none()) else {
            return Ok(Some(outcome));
        };
        let names: Vec<&str> = suite.tasks.iter().map(|t| t.name.as_str()).collect();
        let there = outcome.test.as_ref().and_then(|test| test.only(&names));
        if there.is_some() {
            outcome.test = there;
            return Ok(Some(outcome));
        }
        let model = root.join("model");
        if model.is_dir() {
            outcome.test = Some(self.evaluate_pairs(suite, &model)?);
            outcome.write(root)?;
            return Ok(Some(outcome));
        }
        match &outcome.test {
            None => Ok(None),
            Some(test) => {
                let scored: Vec<&str> = test.scores.tasks.iter().map(|t| t.name.as_str()).collect();
                Err(Failure::Usage(format!(
                    "{} was scored on {}, and its model is no more there: give --tasks {}, or another --output",
                    root.display(),
                    scored.join(", "),
                    scored.join(",")
                )))
            }
        }
    }

    /// Whether the run in `root` has this recipe, but for the precision that
    /// `auto` chose.
    fn is_of(&self, root: &Path, recipe: &Recipe) -> Result<bool, Failure> {
        let path = root.join("recipe.toml");
        let text = read_recipe(&path)?;
        let mut there = parse_recipe(&path, &text, &[]).map_err(Error::from)?;
        there.precision = recipe.precision;
        if there == *recipe {
            return Ok(true);
        }
        Err(Error::from(OutputError::Occupied {
            path: self.root.clone(),
            what: "a run of another recipe",
            command: RunKind::Sweep.command(),
        })
        .into())
    }

    /// Removes models that are not the best.
    fn keep_best(
        &self,
        best: &mut Best,
        row: &Row,
        seed: u64,
        outcome: &Outcome,
    ) -> Result<(), Failure> {
        let folder = self.folder(row, seed);
        let score = outcome.dev.unwrap_or(f64::NEG_INFINITY);
        let beaten = match best {
            Some((there, _)) if *there >= score => Some(folder),
            _ => best.replace((score, folder)).map(|(_, folder)| folder),
        };
        match beaten {
            Some(folder) if !self.args.keep_models => {
                remove_owned(&folder.join("model"))?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
