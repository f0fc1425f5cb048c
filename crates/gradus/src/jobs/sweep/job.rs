//! A sweep from its settings to its table.

use super::recipes::SweptRecipe;
use super::{Axis, Grid, GridRow, Outcome, SweepSettings, SweepTable};
use crate::Result;
use crate::jobs::recipes::base_of;
use crate::jobs::run_folders::{add_models_and_dev, existing_or_go_on, inputs_of, take};
use crate::jobs::tables::publish;
use crate::jobs::{Environment, JobError, TestSets};
use crate::output::{Claim, Held, Inputs, RunKind, remove_owned};
use crate::recipe::{AnyRecipe, exclude_each_other};
use crate::training::TrainingObserver;
use crate::util::Observer;
use std::path::{Path, PathBuf};

/// A sweep, made ready.
pub struct Sweep {
    pub(super) settings: SweepSettings,
    pub(super) tests: TestSets,
    pub(super) environment: Environment,
    pub(super) recipes: Vec<SweptRecipe>,
    pub(super) grid: Grid,
    pub(super) root: PathBuf,
    /// The row that the others are compared with.
    against: Option<usize>,
    /// The folder, once it is taken.
    pub(super) held: Option<Held>,
}

/// One recipe with one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What the table calls its row.
    pub label: String,
    /// The seed.
    pub seed: u64,
    /// How far it is.
    pub state: CellState,
}

/// How far a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellState {
    /// It has an outcome.
    Finished,
    /// It was begun.
    Begun,
    /// Nothing of it is there.
    ToDo,
}

impl Sweep {
    /// Makes a sweep ready in the folder `root`, by default `sweeps/` and the
    /// recipe's name. Nothing is written.
    ///
    /// # Errors
    /// What is wrong with a recipe or setting.
    pub fn prepare(
        settings: SweepSettings,
        root: Option<PathBuf>,
        environment: &Environment,
    ) -> Result<Self> {
        let tests = settings.tests();
        Self::ready(settings, tests, root, None, environment.clone())
    }

    /// Makes the sweep in the folder `root` ready to go on, with `tests` in place of
    /// those that it was begun with.
    ///
    /// # Errors
    /// Where there is no sweep, or another process has it.
    pub fn resume(
        root: &Path,
        tests: Option<TestSets>,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let held = Held::open(root, &[RunKind::Sweep])?;
        observer.resumable(root);
        let settings = SweepSettings::read(root)?;
        let environment = environment.continuing(held.marker());
        let tests = tests.unwrap_or_else(|| settings.tests());
        Self::ready(settings, tests, Some(root.into()), Some(held), environment)
    }

    fn ready(
        settings: SweepSettings,
        tests: TestSets,
        root: Option<PathBuf>,
        held: Option<Held>,
        environment: Environment,
    ) -> Result<Self> {
        let recipes = SweptRecipe::all(&settings)?;
        let Some(first) = recipes.first() else {
            return Err(JobError::Settings("a sweep needs a recipe; name one".into()).into());
        };
        let axes = settings.grid.iter().map(|axis| Axis::parse(axis));
        let axes = axes.collect::<Result<Vec<_>, _>>()?;
        check_apart(&axes, &settings.set)?;
        let seeds = match settings.seeds.is_empty() {
            true => vec![first.recipe.seed()],
            false => settings.seeds.clone(),
        };
        let names: Vec<String> = recipes.iter().map(|r| r.name.clone()).collect();
        let grid = Grid::new(&names, &axes, seeds)?;
        let name = match recipes.len() {
            1 => first.path.file_stem().unwrap_or_default().to_owned(),
            _ => first.name.replace('/', "-").into(),
        };
        let mut sweep = Self {
            settings,
            tests,
            environment,
            recipes,
            grid,
            root: root.unwrap_or_else(|| Path::new("sweeps").join(name)),
            against: None,
            held,
        };
        // A setting out of its bounds shows before the first is trained.
        for row in &sweep.grid.rows {
            sweep.recipe(row, 0)?;
        }
        sweep.against = sweep.find_against()?;
        Ok(sweep)
    }

    /// The row that the settings name.
    fn find_against(&self) -> Result<Option<usize>> {
        let Some(wanted) = &self.settings.against else {
            return Ok(None);
        };
        let mut labels: Vec<String> = self.grid.rows.iter().map(GridRow::label).collect();
        if self.settings.before {
            labels.extend(self.models().into_iter().map(|m| before(m).label()));
        }
        // Typed as a grid is, a name has no blanks behind its commas.
        let bare = |name: &str| name.replace(' ', "");
        match labels.iter().position(|label| bare(label) == bare(wanted)) {
            Some(row) => Ok(Some(row)),
            None => Err(JobError::Settings(format!(
                "--against {wanted}: no such row; there are {}",
                labels.join("; ")
            ))
            .into()),
        }
    }

    /// Every cell and how far it is, in the order in which they are run.
    ///
    /// # Errors
    /// Where an outcome cannot be read.
    pub fn cells(&self) -> Result<Vec<Cell>> {
        let cell = |(row, seed): (&GridRow, u64)| {
            let folder = self.folder(row, seed);
            let state = match Outcome::read(&folder)? {
                Some(_) => CellState::Finished,
                None if folder.join("recipe.toml").exists() => CellState::Begun,
                None => CellState::ToDo,
            };
            Ok(Cell {
                label: row.label(),
                seed,
                state,
            })
        };
        self.all_cells().map(cell).collect()
    }

    fn all_cells(&self) -> impl Iterator<Item = (&GridRow, u64)> {
        let seeds = &self.grid.seeds;
        let of_row = move |row| seeds.iter().map(move |&seed| (row, seed));
        self.grid.rows.iter().flat_map(of_row)
    }

    /// Runs what is not finished and writes the table. A sweep that is in its folder
    /// goes on, or is begun anew with `overwrite`.
    ///
    /// # Errors
    /// Where something else is in the folder or what the runs read has changed;
    /// those of a run, but for one that diverged: that is an outcome.
    pub fn run(
        mut self,
        overwrite: bool,
        observer: &mut dyn TrainingObserver,
    ) -> Result<SweepTable> {
        self.hold(overwrite, observer)?;
        let suite = self.tests.at_hand(&self.environment, observer);
        let suite = suite.as_ref();
        let mut rows = Vec::with_capacity(self.grid.rows.len());
        let mut best = None;
        let mut number = 0;
        for row in &self.grid.rows {
            let mut outcomes = Vec::with_capacity(self.grid.seeds.len());
            for &seed in &self.grid.seeds {
                number += 1;
                let title = format!(
                    "run {number} of {}: {}, seed {seed}",
                    self.grid.cells(),
                    row.label()
                );
                let outcome = self.outcome(row, seed, &title, suite, observer)?;
                self.keep_best(&mut best, row, seed, &outcome)?;
                outcomes.push(outcome);
            }
            rows.push((row.clone(), outcomes));
        }
        if self.settings.before {
            let trained = rows.clone();
            for model in self.models() {
                let outcome = self.untrained(model, &trained, suite, observer)?;
                rows.push((before(model), vec![outcome]));
            }
        }
        let table = SweepTable::new(
            &rows,
            suite,
            self.against,
            (self.header(), self.correlated()),
        );
        publish(&self.root, &table, &table.markdown())?;
        Ok(table)
    }

    /// Takes the folder and notes there what the sweep is.
    fn hold(&mut self, overwrite: bool, observer: &mut dyn Observer) -> Result<()> {
        let mut held = match self.held.take() {
            Some(held) => held,
            None => {
                let existing = existing_or_go_on(overwrite);
                let inputs = self.inputs()?;
                let claim = Claim::check(&self.root, RunKind::Sweep, existing, &inputs)?;
                take(claim, &self.environment, observer)?
            }
        };
        let mut deciding = Inputs::new();
        for row in &self.grid.rows {
            let (base, recipe) = (self.swept(row).base(), self.recipe(row, 0)?);
            add_models_and_dev(&mut deciding, base, &recipe, &self.environment);
        }
        for (row, seed) in self.all_cells() {
            let root = self.folder(row, seed);
            if root.join("recipe.toml").exists() {
                self.check_recipe(&root, &self.recipe(row, seed)?)?;
            }
        }
        held.check_inputs(&deciding)?;
        self.settings.write(&self.root)?;
        observer.resumable(&self.root);
        self.held = Some(held);
        Ok(())
    }

    /// All that its runs read.
    fn inputs(&self) -> Result<Inputs> {
        let mut inputs = Inputs::new();
        for row in &self.grid.rows {
            let recipe = self.recipe(row, 0)?;
            let path = &self.swept(row).path;
            inputs.add("the recipe", path);
            inputs.extend(inputs_of(&recipe, base_of(path), &self.environment));
        }
        Ok(inputs)
    }

    /// The folder of a cell.
    pub(super) fn folder(&self, row: &GridRow, seed: u64) -> PathBuf {
        self.root.join("runs").join(row.folder(seed))
    }

    /// The recipe that a row is of.
    pub(super) fn swept(&self, row: &GridRow) -> &SweptRecipe {
        let named = self.recipes.iter().find(|r| r.name == row.recipe);
        named.unwrap_or(&self.recipes[0])
    }

    /// The recipe of a cell.
    pub(super) fn recipe(&self, row: &GridRow, seed: u64) -> Result<AnyRecipe> {
        let swept = self.swept(row);
        let mut set = self.settings.set.clone();
        set.extend(row.settings.iter().cloned());
        set.push(format!("seed={seed}"));
        Ok(AnyRecipe::parse(&swept.shown, &swept.text, &set)?)
    }

    /// The models that the recipes begin with, each once.
    pub(super) fn models(&self) -> Vec<&str> {
        let mut models: Vec<&str> = vec![];
        for swept in &self.recipes {
            if !models.contains(&swept.recipe.model()) {
                models.push(swept.recipe.model());
            }
        }
        models
    }

    /// Removes models that are not the best by the dev set.
    fn keep_best(
        &self,
        best: &mut Best,
        row: &GridRow,
        seed: u64,
        outcome: &Outcome,
    ) -> Result<()> {
        let folder = self.folder(row, seed);
        let score = outcome.dev.unwrap_or(f64::NEG_INFINITY);
        let beaten = match best {
            Some((there, _)) if *there >= score => Some(folder),
            _ => best.replace((score, folder)).map(|(_, folder)| folder),
        };
        match beaten {
            Some(folder) if !self.settings.keep_models => {
                remove_owned(&folder.join("model"))?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// The best run so far: its dev score and its folder.
type Best = Option<(f64, PathBuf)>;

/// A model's row before any training.
fn before(model: &str) -> GridRow {
    GridRow {
        recipe: format!("{model} before training"),
        settings: vec![],
    }
}

/// Refuses an axis that sets what another or a change of all recipes sets.
fn check_apart(axes: &[Axis], set: &[String]) -> Result<()> {
    for (i, axis) in axes.iter().enumerate() {
        let set = set.iter().map(|set| ("--set", set.as_str()));
        let grids = axes[..i].iter().map(|axis| ("--grid", axis.key.as_str()));
        for (option, other) in set.chain(grids) {
            let key = other.split('=').next().unwrap_or_default().trim();
            if exclude_each_other(&axis.key, key) {
                return Err(JobError::Settings(format!(
                    "--grid {} and {option} {other} exclude each other; give one of them",
                    axis.key
                ))
                .into());
            }
        }
    }
    Ok(())
}
