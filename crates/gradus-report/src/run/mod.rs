//! What a run's folder holds, read for a report.

mod metrics;
mod names;
mod stored_scores;

pub use metrics::{Evaluation, Metrics, Step};
pub use stored_scores::{DevPairs, StoredScores, key, read_scores, score_pairs, write_scores};

use gradus::calibration::Calibration;
use gradus::data::DataRoot;
use gradus::eval::Similarity;
use gradus::nn::Features;
use gradus::output::OutputError;
use gradus::recipe::{AnyRecipe, SelectionMetric};
use gradus::tasks::similarity::RunOverlap;
use gradus::training::RunRecord;
use gradus::{Error, Result};
use names::distinct_names;
use std::path::{Path, PathBuf};

/// One run.
pub struct Run {
    /// What the page calls it.
    pub name: String,
    /// Its folder.
    pub root: PathBuf,
    /// Where the recipe's relative paths start.
    pub base_dir: PathBuf,
    /// Its recipe, defaults filled in.
    pub recipe: AnyRecipe,
    /// The same as it stands in the folder.
    pub recipe_text: String,
    /// Machine, time and memory, where they were recorded.
    pub record: Option<RunRecord>,
    /// Losses and dev scores.
    pub metrics: Metrics,
    /// What was found of pairs that training and test sets share.
    pub overlap: Option<RunOverlap>,
    /// The calibration that lies with its model.
    pub calibration: Option<Calibration>,
    /// The pairs that its model was selected by.
    pub dev: Option<DevPairs>,
    /// What the model that it began with says.
    pub before: Option<StoredScores>,
    /// What its own model says.
    pub after: Option<StoredScores>,
    /// What is missing, and why.
    pub notes: Vec<String>,
}

impl Run {
    /// Reads the folders of runs, whose names then differ: where two folders are
    /// called the same, as many of the folders above are named, too.
    ///
    /// # Errors
    /// Those of [`Run::open`].
    pub fn open_all(roots: &[PathBuf], data: &DataRoot) -> Result<Vec<Self>> {
        let runs = roots.iter().map(|root| Self::open(root, data));
        let mut runs = runs.collect::<Result<Vec<_>>>()?;
        for (run, name) in runs.iter_mut().zip(distinct_names(roots)) {
            run.name = name;
        }
        Ok(runs)
    }

    /// Reads a run's folder, and its dev set where that can be found. The run
    /// may still be under way.
    ///
    /// # Errors
    /// [`OutputError::NoRun`]; a recipe, record or metrics that cannot be read.
    pub fn open(root: &Path, data: &DataRoot) -> Result<Self> {
        let path = root.join("recipe.toml");
        if !path.is_file() {
            let (root, file) = (root.to_path_buf(), "recipe.toml");
            return Err(OutputError::NoRun { root, file }.into());
        }
        let recipe_text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let recipe = AnyRecipe::parse(&path, &recipe_text, &[])?;
        let base = std::fs::read_to_string(root.join(".base_dir"));
        let base_dir = base.map_or_else(|_| PathBuf::from("."), PathBuf::from);
        let mut notes = Vec::new();
        let dev = match recipe.dev() {
            None => {
                notes.push("The recipe names no dev set: nothing was selected, and there are no grades to show predictions against.".into());
                None
            }
            Some(source) if SelectionMetric::of(source) == SelectionMetric::Ndcg => {
                notes.push(
                    "The dev set holds lists: there are no grades to show predictions against."
                        .into(),
                );
                None
            }
            Some(source) => match source.load(&base_dir, data) {
                Ok(loaded) => Some(DevPairs::new(source.describe(), loaded)),
                Err(e) => {
                    notes.push(format!("The dev set is not shown: {e}."));
                    None
                }
            },
        };
        let overlap_path = root.join("overlap.json");
        let overlap = match std::fs::read_to_string(&overlap_path) {
            Err(_) => None,
            Ok(text) => match serde_json::from_str(&text) {
                Ok(value) => Some(value),
                Err(e) => {
                    notes.push(format!("{} is ignored: {e}.", overlap_path.display()));
                    None
                }
            },
        };
        let [name] = &distinct_names(&[root.to_path_buf()])[..] else {
            return Err(Error::Internal("a run without a name".into()));
        };
        Ok(Self {
            name: name.clone(),
            root: root.to_path_buf(),
            base_dir,
            recipe,
            recipe_text,
            record: RunRecord::read(root)?,
            metrics: Metrics::read(&root.join("metrics.jsonl"))?,
            overlap,
            calibration: Calibration::load(&root.join("model"))?,
            dev,
            before: None,
            after: None,
            notes,
        })
    }

    /// What the head of its model sees, where that is more than the cosine; only
    /// then are the head's grades worth a look of their own.
    pub fn own_head(&self) -> Option<Features> {
        let head = self.after.as_ref()?.head?;
        (head != Features::Cosine).then_some(head)
    }

    /// What its recipe says that the run is.
    pub(crate) fn description(&self) -> &str {
        match &self.recipe {
            AnyRecipe::Similarity(recipe) => &recipe.description,
            AnyRecipe::CrossEncoder(recipe) => &recipe.description,
        }
    }

    /// What the raw numbers of the run's model are called: cosine or score.
    pub fn number(&self) -> &'static str {
        let similarity = match &self.after {
            Some(scores) => scores.similarity(),
            None => match &self.recipe {
                AnyRecipe::CrossEncoder(_) => Similarity::Score,
                AnyRecipe::Similarity(_) => Similarity::Cosine,
            },
        };
        similarity.name()
    }

    /// The same where the model before training is shown, too.
    pub(crate) fn numbers(&self) -> String {
        let after = self.number();
        match &self.before {
            Some(before) if before.similarity().name() != after => {
                let before = before.similarity().name();
                format!("{before} before training and of the {after} after it")
            }
            _ => after.to_owned(),
        }
    }

    /// By what models were chosen.
    pub fn metric(&self) -> SelectionMetric {
        self.recipe
            .dev()
            .map_or_else(Default::default, SelectionMetric::of)
    }

    /// How the model was chosen, for captions.
    pub fn selection(&self) -> String {
        match self.recipe.dev() {
            Some(dev) => format!(
                "{} of the {} on {}",
                self.metric(),
                self.number(),
                dev.describe()
            ),
            None => "none, the last model".into(),
        }
    }
}
