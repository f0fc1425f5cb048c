//! Everything once, on real input: a model is fetched, scored, trained and scored
//! again.

use super::recipes::prepare_on;
use super::run_folders::{existing, take};
use super::{Environment, JobError, Observed};
use crate::data::{DataError, Known, Source, Split, TextVariant};
use crate::eval::{EvalTask, Report, Suite};
use crate::nn::RegressionHead;
use crate::output::{Claim, Inputs, RunKind};
use crate::recipe::{Recipe, parse_recipe};
use crate::training::{RunFolder, TrainingObserver};
use crate::util::Observer;
use crate::{Embeddings, Error, Result};
use std::path::{Path, PathBuf};

/// The recipe where STS data is at hand.
const STS: &str = include_str!("../../quickstart/sts.toml");

/// The recipe on the pairs that come with Gradus.
const EMBEDDED: &str = include_str!("../../quickstart/embedded.toml");

/// The pairs that come with Gradus: files of grade, first text and second text.
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

/// What is trained, where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickstartSettings {
    /// The run's folder.
    pub root: PathBuf,
    /// The model to start from.
    pub model: String,
    /// Whether the pairs that come with Gradus are used even where STS data is at
    /// hand.
    pub embedded: bool,
    /// Whether a run that is in the folder is begun anew: what it wrote is removed.
    pub overwrite: bool,
}

/// A model before and after training.
#[derive(Debug, Clone)]
pub struct QuickstartResult {
    /// Its scores: the row `before` and the row `after`.
    pub report: Report,
    /// Some pairs, from alike to unlike.
    pub pairs: Vec<ShownPair>,
    /// The trained model's folder.
    pub model: PathBuf,
}

/// A pair and how alike it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownPair {
    /// The first text.
    pub first: &'static str,
    /// The second text.
    pub second: &'static str,
    /// The cosine before training.
    pub before: f64,
    /// The cosine after training.
    pub after: f64,
    /// The grade that the trained regression head predicts, where there is one.
    pub grade: Option<f64>,
}

impl Default for QuickstartSettings {
    fn default() -> Self {
        Self {
            root: "runs/quickstart".into(),
            model: "all-MiniLM-L6-v2".into(),
            embedded: false,
            overwrite: false,
        }
    }
}

/// Does everything once.
///
/// # Errors
/// Where the model cannot be had, something else is in the folder, or STS data that
/// is at hand cannot be read; those of training.
pub fn quickstart(
    settings: &QuickstartSettings,
    environment: &Environment,
    observer: &mut dyn TrainingObserver,
) -> Result<QuickstartResult> {
    let inputs = Inputs::new().with("the model", &settings.model);
    let existing = existing(settings.overwrite);
    let claim = Claim::check(&settings.root, RunKind::Quickstart, existing, &inputs)?;
    let job = Quickstart {
        root: &settings.root,
        model: settings.model.clone(),
        embedded: settings.embedded,
        place: Place::Claimed(claim),
        environment,
    };
    job.run(observer)
}

/// Goes on with what was begun in `root`.
///
/// # Errors
/// Where there is nothing of the kind; as [`quickstart`].
pub fn resume(
    root: &Path,
    environment: &Environment,
    observer: &mut dyn TrainingObserver,
) -> Result<QuickstartResult> {
    let (folder, recipe) = Recipe::open_run_of(root, &[RunKind::Quickstart])?;
    observer.resumable(root);
    let job = Quickstart {
        root,
        model: recipe.model.clone(),
        embedded: pairs_of(root).join("train.tsv").is_file(),
        environment: &environment.continuing(folder.marker()),
        place: Place::Begun(folder, Box::new(recipe)),
    };
    job.run(observer)
}

struct Quickstart<'a> {
    root: &'a Path,
    model: String,
    embedded: bool,
    place: Place,
    environment: &'a Environment,
}

enum Place {
    /// The folder may be taken.
    Claimed(Claim),
    /// The run was begun there.
    Begun(RunFolder, Box<Recipe>),
}

impl Quickstart<'_> {
    fn run(self, observer: &mut dyn TrainingObserver) -> Result<QuickstartResult> {
        let (root, environment) = (self.root, self.environment);
        observer.note(&format!("1. the model: {}", self.model));
        let model = environment.find(&self.model, observer)?.folder;
        let sts = match self.embedded {
            true => None,
            false => sts_suite(environment, observer)?,
        };
        let (folder, begun) = match self.place {
            Place::Claimed(claim) => {
                let held = take(claim, environment, observer)?;
                (RunFolder::new(held), None)
            }
            Place::Begun(folder, recipe) => (folder, Some(*recipe)),
        };
        let is_new = begun.is_none();
        let (suite, text, base) = match sts {
            Some(suite) => {
                let place = environment.data.path().display();
                observer.note(&format!("2. the data: STS-B and SICK-R in {place}"));
                (suite, STS, PathBuf::from("."))
            }
            None => {
                observer.note(EMBEDDED_PAIRS);
                let pairs = pairs_of(root);
                if is_new {
                    write_pairs(&pairs)?;
                }
                (embedded_suite(&pairs, environment)?, EMBEDDED, pairs)
            }
        };
        let recipe = match begun {
            Some(recipe) => recipe,
            None => {
                let set = [format!("model={}", toml::Value::from(self.model))];
                parse_recipe(Path::new("quickstart.toml"), text, &set)?
            }
        };

        observer.note("3. scores before training");
        let mut measures = Measures {
            suite,
            report: Report::default(),
            environment,
        };
        let before = measures.of("before", &model, observer)?;

        observer.note("4. training");
        let (mut task, recipe) = prepare_on(recipe, &model, &base, environment, observer)?;
        let folder = match is_new {
            true => recipe.begin_in(folder, &base)?,
            false => folder,
        };
        observer.resumable(root);
        let summary = task.execute(&folder, observer)?;

        observer.note("5. scores after training");
        let after = measures.of("after", &summary.model, observer)?;
        let pairs = SHOWN.iter().enumerate().map(|(i, &(first, second))| {
            let (a, b) = (2 * i, 2 * i + 1);
            let (old, new) = (&before.vectors, &after.vectors);
            ShownPair {
                first,
                second,
                before: old.cosine(a, b),
                after: new.cosine(a, b),
                grade: after.head.as_ref().map(|h| h.grade(new.row(a), new.row(b))),
            }
        });
        Ok(QuickstartResult {
            pairs: pairs.collect(),
            report: measures.report,
            model: summary.model,
        })
    }
}

const EMBEDDED_PAIRS: &str =
    "2. the data: graded pairs that come with Gradus (`gradus pull sts` fetches STS-B and SICK-R)";

/// What both models are measured on, and what was found.
struct Measures<'a> {
    suite: Suite,
    report: Report,
    environment: &'a Environment,
}

/// What a model makes of the pairs to show.
struct Shown {
    vectors: Embeddings,
    head: Option<RegressionHead>,
}

impl Measures<'_> {
    fn of(&mut self, name: &str, folder: &Path, observer: &mut dyn Observer) -> Result<Shown> {
        let encoder = self.environment.load(folder, None, observer)?;
        let what = format!("{name}: encoding sentences");
        let scores = self
            .suite
            .evaluate(&Observed::new(&encoder, what, observer))?;
        self.report.push(name, scores);
        let texts: Vec<&str> = SHOWN.iter().flat_map(|&(a, b)| [a, b]).collect();
        Ok(Shown {
            vectors: encoder.encode(&texts)?,
            head: encoder.head().cloned(),
        })
    }
}

/// The seven tasks, if they are at hand with what [`STS`] trains on. Sets that are
/// there in part are not passed over in silence.
fn sts_suite(environment: &Environment, observer: &mut dyn Observer) -> Result<Option<Suite>> {
    let root = &environment.data;
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
                observer.note(&format!("   not all of the STS data is here: {e}"));
            }
            Ok(None)
        }
        Err(e) => Err(JobError::input(e)),
    }
}

/// The test pairs that come with Gradus.
fn embedded_suite(pairs: &Path, environment: &Environment) -> Result<Suite> {
    let test = Source::file("test.tsv");
    let task = EvalTask::from_source("test", &test, pairs, &environment.data)?;
    Ok(Suite {
        text: TextVariant::Original,
        tasks: vec![task],
    })
}

/// The folder of the pairs, in that of the run.
fn pairs_of(root: &Path) -> PathBuf {
    root.join("data")
}

fn write_pairs(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    for (name, text) in PAIRS {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(Error::io(&path))?;
    }
    Ok(())
}
