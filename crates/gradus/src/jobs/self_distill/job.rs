//! A self distillation from its settings to its table.

use super::{FormRow, SelfDistillSettings, SelfDistillTable};
use crate::eval::Embedder;
use crate::jobs::pairing::{PairMaker, Unlabelled, files};
use crate::jobs::recipes::{base_of, check_precision, prepare_any, read};
use crate::jobs::run_folders::{add_model, existing_or_go_on, take};
use crate::jobs::tables::publish;
use crate::jobs::{Environment, JobError, Observed, TestSets};
use crate::models::{CrossEncoder, SentenceEncoder};
use crate::output::{Claim, Held, Inputs, RunKind, replace_folder};
use crate::recipe::AnyRecipe;
use crate::tasks::similarity::RunOverlap;
use crate::training::{RunFolder, RunRecord, TrainingObserver};
use crate::util::interned::Interned;
use crate::util::{Observer, check_cancelled};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Pairs that a cross-encoder scores before the observer is asked again.
const CHUNK: usize = 512;

/// The two forms of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One vector a text.
    BiEncoder,
    /// One score a pair.
    CrossEncoder,
}

impl Form {
    /// Its name in folders and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::BiEncoder => "bi-encoder",
            Self::CrossEncoder => "cross-encoder",
        }
    }
}

/// A self distillation, made ready.
pub struct SelfDistillation {
    pub(super) settings: SelfDistillSettings,
    pub(super) environment: Environment,
    /// Where relative paths of the settings start.
    base: PathBuf,
    root: PathBuf,
    /// The folders of each model: bi-encoder, and what the cross-encoder is made of.
    given: Vec<(PathBuf, PathBuf)>,
    tests: TestSets,
    recipe: Option<PathBuf>,
    held: Option<Held>,
}

const BASE: &str = ".base_dir";

impl SelfDistillation {
    /// Makes one ready by the file `recipe`, with changes `key=value`, in the folder
    /// `root`, by default what the file says, else `runs/` and its name. Nothing is
    /// written.
    ///
    /// # Errors
    /// What is wrong with the file, or with its models.
    pub fn prepare(
        recipe: &Path,
        set: &[String],
        root: Option<PathBuf>,
        tests: TestSets,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let mut settings = SelfDistillSettings::parse(recipe, &read(recipe)?, set)?;
        let stem = || recipe.file_stem().unwrap_or_default();
        let own = root.or_else(|| settings.output.as_ref().map(PathBuf::from));
        let root = own.unwrap_or_else(|| Path::new("runs").join(stem()));
        let base = std::path::absolute(base_of(recipe)).map_err(Error::io(recipe))?;
        let backend = environment.backend(settings.precision, observer)?;
        settings.precision = backend.precision().into();
        Self {
            recipe: Some(recipe.to_path_buf()),
            ..Self::ready(settings, base, root, tests, environment.clone(), observer)?
        }
        .checked()
    }

    /// Makes the one in the folder `root` ready to go on.
    ///
    /// # Errors
    /// Where there is none, or another process has it.
    pub fn resume(
        root: &Path,
        tests: TestSets,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let held = Held::open(root, &[RunKind::SelfDistill])?;
        observer.resumable(root);
        let settings = SelfDistillSettings::read(root)?;
        let environment = environment.continuing(held.marker());
        check_precision("a self distillation", settings.precision, &environment)?;
        let path = root.join(BASE);
        let base = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let root = root.to_path_buf();
        Ok(Self {
            held: Some(held),
            ..Self::ready(settings, base.into(), root, tests, environment, observer)?
        })
    }

    fn ready(
        settings: SelfDistillSettings,
        base: PathBuf,
        root: PathBuf,
        tests: TestSets,
        environment: Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let mut find = |name: &str| -> Result<PathBuf> {
            let found = environment.find_from(&base, name, observer)?;
            std::path::absolute(&found).map_err(Error::io(&found))
        };
        let given = settings
            .models
            .iter()
            .map(|pair| Ok((find(&pair.bi_encoder)?, find(pair.plain())?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            settings,
            environment,
            base,
            root,
            given,
            tests,
            recipe: None,
            held: None,
        })
    }

    /// What can be wrong with a model shows before any work.
    fn checked(self) -> Result<Self> {
        for (bi_encoder, _) in &self.given {
            crate::models::ModelFolder::open(bi_encoder).map_err(JobError::model)?;
        }
        Ok(self)
    }

    /// What is done, how.
    pub fn settings(&self) -> &SelfDistillSettings {
        &self.settings
    }

    /// The run's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The pairs and their overlap with evaluation sets, in words; nothing is written.
    ///
    /// # Errors
    /// Where pairs or texts cannot be used.
    pub fn plan(&self, observer: &mut dyn Observer) -> Result<Vec<String>> {
        let found = self.make_pairs(observer)?;
        let settings = &self.settings;
        let mut lines = vec![
            format!("pairs          {}", found.pairs.len()),
            format!("overlap        {}", found.overlap.describe()),
        ];
        if let Some(line) = transductive(&found.overlap) {
            lines.push(format!("setting        {line}"));
        }
        for (name, form, sides) in [
            ("cross-encoder", &settings.cross_encoder, 2),
            ("bi-encoder", &settings.bi_encoder, 1),
        ] {
            let per_epoch = (sides * found.pairs.len()).div_ceil(form.batch);
            let length = match (form.steps, form.epochs) {
                (Some(steps), _) => format!("{steps} steps"),
                (None, epochs) => format!("{} epochs", epochs.unwrap_or(1.0)),
            };
            lines.push(format!(
                "{name:<14} {length} of {} pairs a step, {per_epoch} steps an epoch, rate {:e}, in each of {} cycles",
                form.batch, form.learning_rate, settings.cycles
            ));
        }
        Ok(lines)
    }

    /// Goes through the cycles, from where they are, and writes the table. What is in
    /// the folder goes on, or is begun anew with `overwrite`.
    ///
    /// # Errors
    /// Where something else is in the folder, or pairs or models cannot be used; those
    /// of training.
    pub fn run(
        mut self,
        overwrite: bool,
        observer: &mut dyn TrainingObserver,
    ) -> Result<SelfDistillTable> {
        let mut held = match self.held.take() {
            Some(held) => held,
            None => self.begin(overwrite, observer)?,
        };
        held.check_inputs(&self.inputs())?;
        observer.resumable(&self.root);
        let pairs = self.pairs(observer)?;
        let overlap = RunOverlap::read(&self.root);
        let setting = overlap.as_ref().and_then(transductive);
        if let Some(line) = &setting {
            observer.warn(line);
            self.settings.description = match self.settings.description.as_str() {
                "" => format!("Self distillation, {line}."),
                own => format!("{own} ({line})."),
            };
        }
        for cycle in 1..=self.settings.cycles {
            for form in [Form::CrossEncoder, Form::BiEncoder] {
                let labels = self.label(cycle, form, &pairs, observer)?;
                for model in 0..self.given.len() {
                    self.train(cycle, form, model, &labels, &held, observer)?;
                }
            }
        }
        let table = self.table(overlap.as_ref(), setting, &held, observer)?;
        publish(&self.root, &table, &table.markdown())?;
        Ok(table)
    }

    /// Takes the folder for a new run, or for one that goes on by the same file.
    fn begin(&self, overwrite: bool, observer: &mut dyn Observer) -> Result<Held> {
        let mut inputs = self.inputs();
        if let Some(recipe) = &self.recipe {
            inputs.add("the recipe", recipe);
        }
        let data = &self.environment.data;
        let pairs = &self.settings.pairs;
        for source in pairs.sources.iter().chain(&pairs.corpus) {
            inputs.add_source("a file of pairs or texts", source, &self.base, data);
        }
        let existing = existing_or_go_on(overwrite);
        let claim = Claim::check(&self.root, RunKind::SelfDistill, existing, &inputs)?;
        if claim.has_begun() && SelfDistillSettings::read(&self.root)? != self.settings {
            return Err(claim.occupied("a run of other settings"));
        }
        let held = take(claim, &self.environment, observer)?;
        let path = self.root.join(BASE);
        let base = self.base.to_string_lossy();
        crate::util::atomic::write_bytes(&path, base.as_bytes())?;
        self.settings.write(&self.root)?;
        Ok(held)
    }

    /// What the numbers depend on besides the pairs, of which there is a copy.
    fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::new();
        for (bi_encoder, plain) in &self.given {
            for model in [bi_encoder, plain] {
                add_model(
                    &mut inputs,
                    "the model",
                    &self.base,
                    &model.to_string_lossy(),
                );
            }
        }
        if let Some(dev) = &self.settings.evaluation.dev {
            inputs.add_source("the dev set", dev, &self.base, &self.environment.data);
        }
        inputs
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.join("pairs").join(format!("{name}.jsonl"))
    }

    /// The pairs, which are made once.
    fn pairs(&self, observer: &mut dyn Observer) -> Result<Vec<(String, String)>> {
        let path = self.file("pairs");
        if path.is_file() {
            return files::read(&path);
        }
        let found = self.make_pairs(observer)?;
        observer.note(&format!("pairs      {}", found.pairs.len()));
        observer.note(&format!("overlap    {}", found.overlap.describe()));
        found.overlap.write(&self.root)?;
        let folder = self.root.join("pairs");
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        files::write(&path, &found.pairs, None)?;
        Ok(found.pairs)
    }

    /// The folder of a model's form as a cycle trains it.
    fn folder(&self, cycle: usize, form: Form, model: usize) -> PathBuf {
        let name = format!("cycle-{cycle}-{}", self.numbered(form, model));
        self.root.join("runs").join(name)
    }

    /// The form's name, with the model's number where there are two.
    fn numbered(&self, form: Form, model: usize) -> String {
        match self.given.len() {
            1 => form.name().to_owned(),
            _ => format!("{}-{}", form.name(), model + 1),
        }
    }

    /// The labels that `form` learns in a cycle, by the other form of all models;
    /// written once.
    fn label(
        &self,
        cycle: usize,
        form: Form,
        pairs: &[(String, String)],
        observer: &mut dyn Observer,
    ) -> Result<PathBuf> {
        let path = self.file(&format!("cycle-{cycle}-for-{}s", form.name()));
        if path.is_file() {
            return Ok(path);
        }
        let mut sums = vec![0.0; pairs.len()];
        for model in 0..self.given.len() {
            let scores = match form {
                Form::CrossEncoder if cycle == 1 => {
                    self.cosines(&self.given[model].0, pairs, observer)?
                }
                Form::CrossEncoder => {
                    let folder = self.folder(cycle - 1, Form::BiEncoder, model);
                    self.cosines(&folder.join("model"), pairs, observer)?
                }
                Form::BiEncoder => {
                    let folder = self.folder(cycle, Form::CrossEncoder, model);
                    self.scores(&folder.join("model"), pairs, observer)?
                }
            };
            for (sum, score) in sums.iter_mut().zip(scores) {
                *sum += score;
            }
        }
        for sum in &mut sums {
            *sum /= self.given.len() as f64;
        }
        files::write(&path, pairs, Some(&sums))?;
        Ok(path)
    }

    /// The cosines of pairs by the bi-encoder in `folder`.
    fn cosines(
        &self,
        folder: &Path,
        pairs: &[(String, String)],
        observer: &mut dyn Observer,
    ) -> Result<Vec<f64>> {
        let encoder = self.bi_encoder(folder, observer)?;
        let mut unique = Interned::default();
        let places: Vec<(usize, usize)> = pairs
            .iter()
            .map(|(a, b)| (unique.place(a), unique.place(b)))
            .collect();
        let observed = Observed::new(&encoder, "labelling pairs by cosines", observer);
        let vectors = observed.embed(&unique.texts).map_err(JobError::model)?;
        Ok(places.iter().map(|&(a, b)| vectors.cosine(a, b)).collect())
    }

    fn make_pairs(&self, observer: &mut dyn Observer) -> Result<Unlabelled> {
        let maker = PairMaker {
            settings: &self.settings.pairs,
            dev: self.settings.evaluation.dev.as_ref(),
            base: &self.base,
            data: &self.environment.data,
            seed: self.settings.seed,
        };
        maker.make(
            |observer| self.bi_encoder(&self.given[0].0, observer),
            observer,
        )
    }

    /// A bi-encoder that reads as many tokens as it does in training.
    fn bi_encoder(&self, folder: &Path, observer: &mut dyn Observer) -> Result<SentenceEncoder> {
        let backend = self
            .environment
            .backend(self.settings.precision, observer)?;
        let mut encoder = SentenceEncoder::load(folder, backend).map_err(JobError::model)?;
        let most = self.settings.bi_encoder.max_tokens;
        encoder.tokenizer_mut().set_max_tokens(most)?;
        Ok(encoder)
    }

    /// The scores of pairs, in their own order, by the cross-encoder in `folder`.
    fn scores(
        &self,
        folder: &Path,
        pairs: &[(String, String)],
        observer: &mut dyn Observer,
    ) -> Result<Vec<f64>> {
        const WHAT: &str = "labelling pairs by scores";
        let backend = self
            .environment
            .backend(self.settings.precision, observer)?;
        let mut model = CrossEncoder::load(folder, backend).map_err(JobError::model)?;
        let most = self.settings.cross_encoder.max_tokens;
        model.tokenizer_mut().set_max_tokens(most)?;
        let mut scores = Vec::with_capacity(pairs.len());
        for chunk in pairs.chunks(CHUNK) {
            check_cancelled(observer, WHAT)?;
            observer.progress(WHAT, scores.len() as u64, pairs.len() as u64);
            let chunk: Vec<(&str, &str)> = chunk.iter().map(|(a, b)| (&**a, &**b)).collect();
            scores.extend_from_slice(model.predict(&chunk)?.as_slice());
        }
        observer.progress(WHAT, pairs.len() as u64, pairs.len() as u64);
        Ok(scores)
    }

    /// Trains a model's form, or goes on where that stopped.
    fn train(
        &self,
        cycle: usize,
        form: Form,
        model: usize,
        labels: &Path,
        held: &Held,
        observer: &mut dyn TrainingObserver,
    ) -> Result<()> {
        let root = self.folder(cycle, form, model);
        if is_finished(&root) {
            return Ok(());
        }
        observer.note(&format!("cycle {cycle}: {}", self.numbered(form, model)));
        let (folder, recipe) = match RunFolder::is_taken(&root) {
            true => AnyRecipe::open_run(&root)?,
            false => {
                let claim = Claim::check_within(held, &root, RunKind::Train)?;
                let folder = RunFolder::new(take(claim, &self.environment, observer)?);
                let labels = std::path::absolute(labels).map_err(Error::io(labels))?;
                let labels = files::source(&labels);
                let recipe: AnyRecipe = match form {
                    Form::CrossEncoder => self.settings.cross_recipe(model, labels).into(),
                    Form::BiEncoder => self.settings.bi_recipe(model, labels).into(),
                };
                (recipe.begin_in(folder, &self.base)?, recipe)
            }
        };
        let (mut task, _) = prepare_any(recipe, &self.base, &self.environment, observer)?;
        task.execute(&folder, observer)?;
        folder.remove_checkpoints()
    }

    /// The dev scores of all forms, the best models copied, and their test scores.
    fn table(
        &self,
        overlap: Option<&RunOverlap>,
        setting: Option<String>,
        held: &Held,
        observer: &mut dyn Observer,
    ) -> Result<SelfDistillTable> {
        let mut rows = vec![];
        for model in 0..self.given.len() {
            let first = RunRecord::read(&self.folder(1, Form::BiEncoder, model))?;
            rows.push(FormRow {
                name: format!("{} before training", self.settings.models[model].bi_encoder),
                form: Form::BiEncoder.name(),
                cycle: 0,
                model: self.given[model].0.display().to_string(),
                dev: first.and_then(|record| record.initial),
                best: false,
                average: None,
            });
        }
        for form in [Form::CrossEncoder, Form::BiEncoder] {
            for model in 0..self.given.len() {
                let mut own = vec![];
                for cycle in 1..=self.settings.cycles {
                    let folder = self.folder(cycle, form, model);
                    own.push(FormRow {
                        name: format!("cycle {cycle}, {}", self.numbered(form, model)),
                        form: form.name(),
                        cycle,
                        model: folder.join("model").display().to_string(),
                        dev: RunRecord::read(&folder)?.and_then(|record| record.best),
                        best: false,
                        average: None,
                    });
                }
                // The first of equal ones.
                let better = |best: Option<usize>, i: usize| match best {
                    Some(b) if own[b].dev >= own[i].dev => Some(b),
                    _ => Some(i),
                };
                if let Some(best) = (0..own.len()).fold(None, better) {
                    own[best].best = true;
                    let target = self.root.join(self.numbered(form, model));
                    copy_model(Path::new(&own[best].model), &target, &held.marker().id)?;
                }
                rows.append(&mut own);
            }
        }
        if let Some(suite) = self.tests.at_hand(&self.environment, observer) {
            for row in rows.iter_mut().filter(|row| row.best || row.cycle == 0) {
                let folder = PathBuf::from(&row.model);
                row.average = Some(self.test(&suite, row, &folder, observer)?);
            }
        }
        let settings = &self.settings;
        let dev = settings.evaluation.dev.as_ref();
        let mut header = vec![
            format!(
                "{} cycles, seed {}{}",
                settings.cycles,
                settings.seed,
                match self.given.len() {
                    1 => "",
                    _ => ", mutual: labels are the means of both models' scores",
                }
            ),
            format!(
                "dev: Spearman x 100 on {}, by which the best cycle of each form is chosen",
                dev.map_or_else(String::new, |source| source.describe())
            ),
        ];
        header.extend(overlap.map(|found| format!("overlap of the pairs: {}", found.describe())));
        header.extend(setting);
        Ok(SelfDistillTable { header, rows })
    }
}

/// What is to be said of a run whose pairs are those of test sets: their texts were
/// seen, though not their grades.
fn transductive(overlap: &RunOverlap) -> Option<String> {
    let shared = overlap.run.shared_sets();
    (!shared.is_empty()).then(|| {
        format!(
            "transductive: the pairs hold test pairs of {}, without their grades, so that scores on these sets cannot be compared with those of models that never saw them",
            shared.join(", ")
        )
    })
}

/// Whether the run in `folder` came to its end.
fn is_finished(folder: &Path) -> bool {
    let record = RunRecord::read(folder).ok().flatten();
    record.is_some_and(|record| record.finished) && folder.join("model").is_dir()
}

/// Copies a model's folder.
fn copy_model(from: &Path, to: &Path, owner: &str) -> Result<()> {
    replace_folder(to, Some(owner), |fresh| copy_all(from, fresh))?;
    Ok(())
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from).map_err(Error::io(from))? {
        let entry = entry.map_err(Error::io(from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            std::fs::create_dir_all(&target).map_err(Error::io(&target))?;
            copy_all(&path, &target)?;
        } else if entry.file_name() != ".gradus-files" {
            std::fs::copy(&path, &target).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}
