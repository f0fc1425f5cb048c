//! One run of a sweep, and what it is worth on the test sets.

use super::{GridRow, Outcome, Sweep, TestScores};
use crate::eval::Suite;
use crate::jobs::recipes::prepare_any;
use crate::jobs::run_folders::take;
use crate::jobs::{JobError, ObservedPairs};
use crate::output::{Claim, OutputError, RunKind};
use crate::recipe::AnyRecipe;
use crate::training::{RunFolder, TrainError, TrainingObserver};
use crate::util::Observer;
use crate::{Error, Result};
use std::path::Path;
use std::time::Instant;

impl Sweep {
    /// The outcome of one run: read where it is finished, else trained for.
    pub(super) fn outcome(
        &self,
        row: &GridRow,
        seed: u64,
        title: &str,
        suite: Option<&Suite>,
        observer: &mut dyn TrainingObserver,
    ) -> Result<Outcome> {
        let root = self.folder(row, seed);
        let recipe = self.recipe(row, seed)?;
        if let Some(outcome) = Outcome::read(&root)? {
            self.check_recipe(&root, &recipe)?;
            if let Some(outcome) = self.scored(outcome, &root, suite, observer)? {
                observer.note(&format!("{title}: finished before"));
                return Ok(outcome);
            }
        }
        observer.note(title);
        let base = self.swept(row).base();
        let (mut task, recipe) = prepare_any(recipe, base, &self.environment, observer)?;
        let folder = match root.join("recipe.toml").exists() {
            false => recipe.begin_in(self.take_cell(&root, observer)?, base)?,
            true => {
                self.check_recipe(&root, &recipe)?;
                AnyRecipe::open_run(&root)?.0
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
        match task.execute(&folder, observer) {
            Ok(summary) => {
                (outcome.dev, outcome.dev_before) = (summary.best, summary.initial);
                outcome.seconds = begun.elapsed().as_secs_f64();
                if let Some(suite) = suite {
                    outcome.test = Some(self.score(suite, &summary.model, observer)?);
                }
            }
            // A setting that diverges is a finding; the others go on.
            Err(Error::Train(e @ TrainError::NotFinite { .. })) => {
                observer.end();
                observer.warn(&e.to_string());
                outcome.failure = Some(e.to_string());
            }
            Err(e) => return Err(e),
        }
        outcome.write(&root)?;
        // Moments and values of every parameter, for going on: no more needed.
        folder.remove_checkpoints()?;
        Ok(outcome)
    }

    /// Takes the folder of one of its runs.
    fn take_cell(&self, root: &Path, observer: &mut dyn Observer) -> Result<RunFolder> {
        let Some(held) = &self.held else {
            return Err(Error::Internal("a sweep without folder".into()));
        };
        let claim = Claim::check_within(held, root, RunKind::Train)?;
        let held = take(claim, &self.environment, observer)?;
        Ok(RunFolder::new(held))
    }

    /// Makes sure that the run in `root` has this recipe, but for the precision that
    /// `auto` chose.
    pub(super) fn check_recipe(&self, root: &Path, recipe: &AnyRecipe) -> Result<()> {
        let path = root.join("recipe.toml");
        let text = crate::jobs::recipes::read(&path)?;
        let there = AnyRecipe::parse(&path, &text, &[])?;
        if there.computed_as(recipe) == *recipe {
            return Ok(());
        }
        Err(OutputError::Occupied {
            path: self.root.clone(),
            what: "a run of another recipe",
            command: RunKind::Sweep.command(),
        }
        .into())
    }

    /// A finished run's outcome with the scores of the suite's tasks: those it
    /// has, or those of its model; `None` where there are neither.
    fn scored(
        &self,
        mut outcome: Outcome,
        root: &Path,
        suite: Option<&Suite>,
        observer: &mut dyn Observer,
    ) -> Result<Option<Outcome>> {
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
            outcome.test = Some(self.score(suite, &model, observer)?);
            outcome.write(root)?;
            return Ok(Some(outcome));
        }
        let Some(test) = &outcome.test else {
            return Ok(None);
        };
        let scored: Vec<&str> = test.scores.tasks.iter().map(|t| t.name.as_str()).collect();
        Err(JobError::Settings(format!(
            "{} was scored on {}, and its model is no more there: give --tasks {}, or another --output",
            root.display(),
            scored.join(", "),
            scored.join(",")
        ))
        .into())
    }

    /// Scores a model on the test sets.
    fn score(
        &self,
        suite: &Suite,
        model: &Path,
        observer: &mut dyn Observer,
    ) -> Result<TestScores> {
        let model = self.environment.load_pair_model(model, None, observer)?;
        let observed = ObservedPairs::new(&model, "scoring the test sets", observer);
        let (scores, similarities) = suite.evaluate_pairs(&observed).map_err(JobError::model)?;
        Ok(TestScores {
            scores,
            similarities,
        })
    }

    /// The outcome of a model that was not trained; its dev score is what the
    /// runs that begin with it found.
    pub(super) fn untrained(
        &self,
        model: &str,
        trained: &[(GridRow, Vec<Outcome>)],
        suite: Option<&Suite>,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let of_model =
            |(row, _): &&(GridRow, Vec<Outcome>)| self.swept(row).recipe.model() == model;
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
            let (recipe, base) = (self.recipe(row, 0)?, self.swept(row).base());
            let found = self.environment.find_from(base, recipe.model(), observer)?;
            outcome.test = Some(self.score(suite, &found, observer)?);
        }
        Ok(outcome)
    }
}
