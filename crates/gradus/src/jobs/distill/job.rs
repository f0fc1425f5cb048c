//! A distillation from its settings to its table.

use super::{Agreement, DistillSettings, HELD_OUT, StudentTable, Students, Texts};
use crate::data::Source;
use crate::eval::Suite;
use crate::jobs::run_folders::{existing_or_go_on, take};
use crate::jobs::tables::publish;
use crate::jobs::{Environment, JobError, TestSets};
use crate::models::{ModelFolder, SentenceEncoder, StudentShape, check_student};
use crate::output::{Claim, Held, Inputs, RunKind};
use crate::training::{RunRecord, TrainingObserver};
use crate::util::Observer;
use crate::{Embeddings, Error, Result};
use std::path::{Path, PathBuf};

/// A distillation, made ready.
pub struct Distillation {
    pub(super) settings: DistillSettings,
    pub(super) environment: Environment,
    pub(super) root: PathBuf,
    /// The teacher's folder.
    pub(super) teacher: PathBuf,
    pub(super) described: ModelFolder,
    no_tests: bool,
    /// The distillation's folder, where it is taken.
    held: Option<Held>,
}

/// What models are measured on.
pub(super) struct Measures {
    pub held_out: Vec<String>,
    pub agreement: Agreement,
    pub suite: Option<Suite>,
    pub dev: Option<Source>,
}

impl Distillation {
    /// Makes a distillation ready in the folder `root`, of which `students` are
    /// wanted. Nothing is written.
    ///
    /// # Errors
    /// Where there is no such teacher, it cannot have such students, or a setting is
    /// out of its bounds.
    pub fn prepare(
        mut settings: DistillSettings,
        students: &Students,
        root: &Path,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let teacher = environment.find(&settings.teacher, observer)?;
        let folder = ModelFolder::open(teacher.folder).map_err(JobError::model)?;
        if settings.minutes.is_some_and(|m| !(m > 0.0 && m <= 1e6)) {
            let message = "--minutes must lie above 0 and not above a million";
            return Err(JobError::Settings(message.into()).into());
        }
        let base = settings.base_dir;
        settings.base_dir = std::path::absolute(&base).map_err(Error::io(&base))?;
        if (settings.epochs, settings.steps, settings.minutes) == (None, None, None) {
            settings.epochs = Some(3.0);
        }
        settings.students = students.shapes(&folder)?;
        let no_tests = settings.no_tests;
        Self::ready(
            settings,
            root,
            no_tests,
            None,
            environment.clone(),
            observer,
        )
    }

    /// Makes the distillation in the folder `root` ready to go on, also without its
    /// test sets.
    ///
    /// # Errors
    /// Where there is none, or another process has it.
    pub fn resume(
        root: &Path,
        no_tests: bool,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let held = Held::open(root, &[RunKind::Distill])?;
        observer.resumable(root);
        let environment = environment.continuing(held.marker());
        let gone = || Error::Internal("a distillation without settings".into());
        let settings = DistillSettings::read(root)?.ok_or_else(gone)?;
        let no_tests = no_tests || settings.no_tests;
        Self::ready(settings, root, no_tests, Some(held), environment, observer)
    }

    fn ready(
        settings: DistillSettings,
        root: &Path,
        no_tests: bool,
        held: Option<Held>,
        environment: Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let found = environment.find_from(&settings.base_dir, &settings.teacher, observer)?;
        let teacher = std::path::absolute(&found).map_err(Error::io(&found))?;
        let described = ModelFolder::open(&teacher).map_err(JobError::model)?;
        for student in &settings.students {
            let fits = check_student(&described, student);
            fits.map_err(|e| JobError::Settings(e.to_string()))?;
            // DistillSettings out of their bounds show before anything is written.
            settings.recipe(student, &teacher)?;
        }
        Ok(Self {
            settings,
            environment,
            root: root.to_path_buf(),
            teacher,
            described,
            no_tests,
            held,
        })
    }

    /// What is distilled, how.
    pub fn settings(&self) -> &DistillSettings {
        &self.settings
    }

    /// Trains what is not finished, measures teacher and students, and writes the
    /// table. What is in the folder goes on, or is begun anew with `overwrite`.
    ///
    /// # Errors
    /// Where something else is in the folder, or texts or teacher cannot be used;
    /// those of training.
    pub fn run(
        mut self,
        overwrite: bool,
        observer: &mut dyn TrainingObserver,
    ) -> Result<StudentTable> {
        let claim = match self.held {
            Some(_) => None,
            None => Some(self.claim(overwrite)?),
        };
        let anew = claim.as_ref().is_some_and(|claim| !claim.has_begun());
        if !anew {
            self.add_earlier_students(claim.as_ref())?;
        }
        let held = self.held.take();
        let (held, measures) = self.measures(held, claim, anew, observer)?;
        for student in &self.settings.students {
            let folder = self.root.join(student.label());
            match is_finished(&folder) {
                true => observer.note(&format!("{}: finished before", student.label())),
                false => self.train(student, &folder, &held, observer)?,
            }
        }
        let table = self.table(&measures, observer)?;
        publish(&self.root, &table, &table.markdown())?;
        Ok(table)
    }

    fn claim(&self, overwrite: bool) -> Result<Claim> {
        let settings = &self.settings;
        let mut inputs = self.inputs();
        for source in &settings.texts {
            let data = &self.environment.data;
            inputs.add_source("a text file", source, &settings.base_dir, data);
        }
        let existing = existing_or_go_on(overwrite);
        Claim::check(&self.root, RunKind::Distill, existing, &inputs)
    }

    /// What the numbers depend on besides the texts, of which there is a copy.
    fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::new().with("the teacher", &self.teacher);
        if let Some(dev) = &self.settings.dev {
            let (base, data) = (&self.settings.base_dir, &self.environment.data);
            inputs.add_source("the dev set", dev, base, data);
        }
        inputs
    }

    /// Adds the students that are in the folder already.
    fn add_earlier_students(&mut self, claim: Option<&Claim>) -> Result<()> {
        let Some(there) = DistillSettings::read(&self.root)? else {
            return Ok(());
        };
        match claim {
            Some(claim) if !there.is_like(&self.settings) => {
                return Err(claim.occupied("a run of other settings"));
            }
            _ => {}
        }
        let own = std::mem::replace(&mut self.settings.students, there.students);
        let each: &mut Vec<StudentShape> = &mut self.settings.students;
        for student in own {
            if !each.contains(&student) {
                each.push(student);
            }
        }
        Ok(())
    }

    pub(super) fn read_texts(&self) -> Result<Texts> {
        let (sources, base) = (&self.settings.texts, &self.settings.base_dir);
        Texts::read(sources, base, &self.environment.data).map_err(JobError::input)
    }

    /// Takes the folder, with the texts held out and what the teacher says of them,
    /// which are written once.
    fn measures(
        &self,
        held: Option<Held>,
        claim: Option<Claim>,
        anew: bool,
        observer: &mut dyn Observer,
    ) -> Result<(Held, Measures)> {
        let folder = self.root.join(DistillSettings::TEXTS);
        let found = match anew {
            true => None,
            false => Texts::held_out_of(&folder)?,
        };
        let (held_out, fresh) = match found {
            Some(held_out) => (held_out, None),
            None => {
                observer.note("reading the texts");
                let texts = self.read_texts()?;
                (texts.held_out.clone(), Some(texts))
            }
        };
        let teacher = self.environment.load(&self.teacher, None, observer)?;
        let agreement = Agreement::new(&vectors(&teacher, &held_out)?, self.settings.seed);
        // Texts that cannot be read leave no settings behind.
        let mut held = match (held, claim) {
            (Some(held), _) => held,
            (None, Some(claim)) => take(claim, &self.environment, observer)?,
            (None, None) => return Err(Error::Internal("a distillation without folder".into())),
        };
        held.check_inputs(&self.inputs())?;
        self.settings.write(&self.root)?;
        observer.resumable(&self.root);
        if let Some(texts) = fresh {
            std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
            agreement.write(&folder.join(DistillSettings::GRADED), &held_out)?;
            texts.write(&folder)?;
            observer.note(&format!(
                "texts      {} to learn from, {} held out ({HELD_OUT})",
                texts.train.len(),
                held_out.len()
            ));
        }
        let tests = match self.no_tests {
            true => TestSets::None,
            false => TestSets::All,
        };
        let measures = Measures {
            held_out,
            agreement,
            suite: tests.at_hand(&self.environment, observer),
            dev: self.settings.dev.clone(),
        };
        Ok((held, measures))
    }
}

/// The vectors of texts.
pub(super) fn vectors(encoder: &SentenceEncoder, texts: &[String]) -> Result<Embeddings> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = encoder.encode(&texts);
    vectors.map_err(JobError::model)
}

/// What is known of the run in `folder`.
pub(super) fn record(folder: &Path) -> Option<RunRecord> {
    RunRecord::read(folder).ok().flatten()
}

/// Whether the run in `folder` came to its end.
pub(super) fn is_finished(folder: &Path) -> bool {
    record(folder).is_some_and(|record| record.finished) && folder.join("model").is_dir()
}
