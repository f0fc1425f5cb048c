//! A distillation carried out: students trained, measured and compared.

use super::{Args, deciding};
use crate::commands::eval::{Watched, tests_at_hand};
use crate::commands::train::prepare;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{Output, publish_table};
use crate::reporter::ProgressReporter;
use crate::runs::take;
use crate::stop;
use gradus::Error;
use gradus::data::Source;
use gradus::eval::{Correlation, Suite};
use gradus::jobs::bench;
use gradus::jobs::distill::{Agreement, HELD_OUT, Row, Settings, Sizes, Table, Texts};
use gradus::models::{EncodeOptions, ModelFolder, SentenceEncoder, StudentShape, write_student};
use gradus::output::{Claim, Held, RunKind};
use gradus::recipe::Recipe;
use gradus::tasks::similarity::{DevSet, RunOverlap, seconds_per_text};
use gradus::text::Tokenizer;
use gradus::training::{Observer, RunFolder, RunRecord};
use gradus::util::words::duration;
use gradus_kernels::cpu::Cpu;
use indicatif::HumanCount;
use std::path::{Path, PathBuf};

/// A distillation under way.
pub(super) struct Distillation<'a> {
    pub args: &'a Args,
    pub context: &'a Context,
    pub root: PathBuf,
    pub teacher: PathBuf,
    pub settings: Settings,
    pub place: Place,
}

/// The distillation's folder.
pub(super) enum Place {
    /// Nothing is to be made.
    Nowhere,
    /// It may be taken.
    Claimed(Claim),
    /// It is taken.
    Held(Held),
}

/// What models are measured on.
struct Measures {
    held_out: Vec<String>,
    agreement: Agreement,
    suite: Option<Suite>,
    dev: Option<Source>,
}

impl Distillation<'_> {
    /// Says what would be made.
    pub fn tell(&self, teacher: &ModelFolder) -> Result<(), Failure> {
        let texts = self.read_texts()?;
        let mut output = Output::open(None)?;
        output.line(&format!(
            "teacher   {}, {} layers of width {}",
            self.settings.teacher, teacher.config.layers, teacher.config.hidden_size
        ))?;
        output.line(&format!(
            "texts     {} to learn from, {} held out",
            texts.train.len(),
            texts.held_out.len()
        ))?;
        for note in counts(teacher, &texts.train)? {
            output.line(&format!("note      {note}"))?;
        }
        let a_pass = texts.train.len().div_ceil(self.settings.batch.max(1));
        let length = match (self.settings.steps, self.settings.minutes) {
            (Some(steps), _) => format!("{steps} steps"),
            (None, Some(minutes)) => format!("as many steps as fit {minutes} minutes"),
            (None, None) => format!("{} epochs", self.settings.epochs.unwrap_or(1.0)),
        };
        output.line(&format!(
            "training  {length} of {} texts; {a_pass} steps are a pass",
            self.settings.batch
        ))?;
        output.line(&format!("encoding  {}", self.encoding(&texts)?))?;
        for student in &self.settings.students {
            let folder = self.root.join(student.label());
            let state = match (finished(&folder), RunFolder::is_taken(&folder)) {
                (true, _) => "finished",
                (false, true) => "begun",
                (false, false) => "to do",
            };
            output.line(&format!("student   {}: {state}", folder.display()))?;
        }
        output.finish()
    }

    /// What the teacher encodes once: the texts that the steps of a student see,
    /// and those held out.
    fn encoding(&self, texts: &Texts) -> Result<String, Failure> {
        let (all, batch) = (texts.train.len(), self.settings.batch.max(1));
        let seen = match (self.settings.steps, self.settings.minutes) {
            (Some(steps), _) => usize::try_from(steps)
                .unwrap_or(usize::MAX)
                .saturating_mul(batch),
            (None, Some(_)) => all,
            (None, None) => {
                let a_pass = all.div_ceil(batch) as f64;
                let steps = (self.settings.epochs.unwrap_or(1.0) * a_pass).ceil();
                (steps as usize).saturating_mul(batch)
            }
        };
        let most = match self.settings.steps.or(self.settings.minutes.map(|_| 0)) {
            Some(0) => "at most ",
            _ => "",
        };
        let seen = seen.min(all);
        let encoder = self.context.load(&self.teacher)?;
        let sample: Vec<&str> = texts.train.iter().map(String::as_str).collect();
        let a_text = seconds_per_text(&encoder, &sample).map_err(Failure::Model)?;
        let seconds = a_text * (seen + texts.held_out.len()) as f64;
        Ok(format!(
            "{most}{} of {} texts once by the teacher, and {} held out, about {}",
            HumanCount(seen as u64),
            HumanCount(all as u64),
            HumanCount(texts.held_out.len() as u64),
            duration(seconds)
        ))
    }

    /// Trains what is to be trained and writes the table.
    pub fn carry_out(mut self) -> Result<(), Failure> {
        let mut reporter = ProgressReporter::new(self.context.manner);
        self.take_up()?;
        let measures = self.measures(&reporter)?;
        for student in &self.settings.students {
            let folder = self.root.join(student.label());
            match finished(&folder) {
                true => reporter.say(&format!("{}: finished before", student.label())),
                false => self.train(student, &folder, &mut reporter)?,
            }
        }
        let table = self.table(&measures, &reporter)?;
        publish_table(
            &self.root,
            &table,
            (&table.text(), &table.markdown()),
            self.args.json,
        )
    }

    /// Adds the students of an earlier command in the same folder.
    fn take_up(&mut self) -> Result<(), Failure> {
        if self.begins_anew() {
            return Ok(());
        }
        if let Some(there) = Settings::read(&self.root)? {
            if let Place::Claimed(claim) = &self.place
                && !there.is_like(&self.settings)
            {
                return Err(claim.occupied("a run of other settings").into());
            }
            let mut students = there.students;
            students.append(&mut self.settings.students);
            let mut each: Vec<StudentShape> = vec![];
            for student in students {
                if !each.contains(&student) {
                    each.push(student);
                }
            }
            self.settings.students = each;
        }
        Ok(())
    }

    /// Whether nothing of what is there counts.
    fn begins_anew(&self) -> bool {
        matches!(&self.place, Place::Claimed(claim) if !claim.has_begun())
    }

    /// Takes the folder, where that was not done.
    fn hold(&mut self) -> Result<&mut Held, Failure> {
        self.place = match std::mem::replace(&mut self.place, Place::Nowhere) {
            Place::Claimed(claim) => Place::Held(take(claim, self.context)?),
            other => other,
        };
        match &mut self.place {
            Place::Held(held) => Ok(held),
            _ => Err(Error::Internal("a distillation without folder".into()).into()),
        }
    }

    fn read_texts(&self) -> Result<Texts, Failure> {
        let (sources, base) = (&self.settings.texts, &self.settings.base_dir);
        Texts::read(sources, base, &self.context.data).map_err(Failure::Input)
    }

    /// Texts held out and what the teacher says of them; written once.
    fn measures(&mut self, reporter: &ProgressReporter) -> Result<Measures, Failure> {
        let folder = self.root.join(Settings::TEXTS);
        let found = match self.begins_anew() {
            true => None,
            false => Texts::held_out_of(&folder)?,
        };
        let (held_out, fresh) = match found {
            Some(held_out) => (held_out, None),
            None => {
                reporter.say("reading the texts");
                let texts = self.read_texts()?;
                (texts.held_out.clone(), Some(texts))
            }
        };
        let teacher = self.context.load(&self.teacher)?;
        let agreement = Agreement::new(&vectors(&teacher, &held_out)?, self.settings.seed);
        // Texts that cannot be read leave no settings behind.
        let inputs = deciding(&self.settings, &self.teacher, self.context);
        self.hold()?.check_inputs(&inputs)?;
        self.settings.write(&self.root)?;
        stop::goes_on_with("distill", &self.root);
        if let Some(texts) = fresh {
            std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
            agreement.write(&folder.join(Settings::GRADED), &held_out)?;
            texts.write(&folder)?;
            reporter.say(&format!(
                "texts      {} to learn from, {} held out ({HELD_OUT})",
                texts.train.len(),
                held_out.len()
            ));
        }
        Ok(Measures {
            held_out,
            agreement,
            suite: tests_at_hand(
                self.context,
                self.args.no_tests || self.settings.no_tests,
                &[],
                reporter,
            ),
            dev: self.settings.dev.clone(),
        })
    }

    /// Trains a student, or goes on where that stopped.
    fn train(
        &self,
        student: &StudentShape,
        root: &Path,
        reporter: &mut ProgressReporter,
    ) -> Result<(), Failure> {
        reporter.say(&format!("student {}", student.label()));
        let (mut run, folder) = match RunFolder::is_taken(root) {
            true => {
                let (folder, recipe) = Recipe::open_run(root)?;
                let other = |p| p != recipe.precision;
                if self.context.precision.is_some_and(other) {
                    return Err(Failure::Usage(
                        "a student goes on in the precision it began in; leave --precision out"
                            .into(),
                    ));
                }
                (prepare(recipe, root, self.context, reporter)?.0, folder)
            }
            false => {
                let Place::Held(held) = &self.place else {
                    return Err(Error::Internal("a distillation without folder".into()).into());
                };
                let claim = Claim::check_within(held, root, RunKind::Train)?;
                let folder = RunFolder::new(take(claim, self.context)?);
                let (start, same_width) = (
                    root.join(Settings::START),
                    self.settings.objective.needs_same_width(),
                );
                write_student(
                    &start,
                    &self.teacher,
                    student,
                    same_width,
                    self.settings.seed,
                )?;
                let mut recipe = self.settings.recipe(student, &self.named_teacher())?;
                let (mut run, mut resolved) =
                    prepare(recipe.clone(), root, self.context, reporter)?;
                if let (None, Some(minutes)) = (self.settings.steps, self.settings.minutes) {
                    reporter.note("measuring the speed");
                    run.estimate_steps()?;
                    let stage = &run.plan().stages[0];
                    let a_step = stage.seconds.unwrap_or(1.0) / stage.steps as f64;
                    let steps = (60.0 * minutes / a_step.max(1e-6)) as u64;
                    recipe.stages[0].steps = Some(steps.max(1));
                    recipe.stages[0].epochs = None;
                    (run, resolved) = prepare(recipe, root, self.context, reporter)?;
                }
                (run, resolved.begin_in(folder, root)?)
            }
        };
        // Without graded pairs a calibration's scale would be the teacher's cosine.
        if self.settings.dev.is_none() {
            run.uncalibrated();
        }
        run.execute(&folder, reporter)?;
        Ok(())
    }

    /// The teacher by its name on the hub, where it has one, for the students'
    /// recipes and cards; else its folder.
    fn named_teacher(&self) -> PathBuf {
        let name = PathBuf::from(&self.settings.teacher);
        let is_folder = self.settings.base_dir.join(&name).is_dir() || name.is_dir();
        match is_folder {
            true => self.teacher.clone(),
            false => name,
        }
    }

    fn table(&self, measures: &Measures, reporter: &ProgressReporter) -> Result<Table, Failure> {
        reporter.say("measuring the teacher and its students");
        let mut rows = vec![self.row("teacher", &self.teacher, measures)?];
        for student in &self.settings.students {
            let folder = self.root.join(student.label());
            let mut row = self.row(&student.label(), &folder.join("model"), measures)?;
            row.seconds = record(&folder).map(|record| record.seconds);
            rows.push(row);
        }
        rows[0].model.clone_from(&self.settings.teacher);
        let of_teacher = rows[0].sentences_per_second;
        for row in &mut rows {
            row.speed_up = row.sentences_per_second / of_teacher;
        }
        let chosen = match &self.settings.dev {
            Some(dev) => format!(
                "dev: Spearman x 100 of cosines on {}, which chose the models",
                dev.describe()
            ),
            None => "the agreement chose the models".to_owned(),
        };
        let mut folders = self
            .settings
            .students
            .iter()
            .map(|s| self.root.join(s.label()));
        let overlap = folders.find_map(|folder| RunOverlap::read(&folder));
        let mut header = vec![
            format!(
                "teacher: {}; objective: {:?}; seed: {}",
                self.settings.teacher, self.settings.objective, self.settings.seed
            ),
            format!(
                "agreement: Spearman x 100 of a student's cosines and the teacher's, on random pairs of {} texts held out",
                measures.held_out.len()
            ),
            chosen,
        ];
        if let Some(suite) = &measures.suite {
            header.push(format!(
                "STS average: Spearman x 100 of cosines, aggregation all, {} text",
                suite.text.name()
            ));
            // All students learn from the same texts.
            let overlap = overlap.map_or("not known".to_owned(), |found| found.describe());
            header.push(format!("overlap: {overlap}"));
        }
        Ok(Table { header, rows })
    }

    fn row(&self, name: &str, folder: &Path, measures: &Measures) -> Result<Row, Failure> {
        let encoder = self.context.load(folder)?;
        let texts: Vec<&str> = measures.held_out.iter().map(String::as_str).collect();
        let speed = bench::speed(name, &encoder, &texts, &mut self.context.console())?;
        let agreement = measures
            .agreement
            .of(&vectors(&encoder, &measures.held_out)?);
        let dev = self.dev(measures, &encoder)?;
        let sizes = Sizes::of(&encoder).map_err(Failure::Model)?;
        let mut average = None;
        if let Some(suite) = &measures.suite {
            let what = format!("{name}: scoring the test sets");
            let watched = Watched::new(encoder, what, self.context.manner);
            let scores = suite.evaluate(&watched).map_err(Failure::Model)?;
            average = Some(scores.average.all.spearman);
        }
        Ok(Row {
            name: name.to_owned(),
            model: folder.display().to_string(),
            sizes,
            sentences_per_second: speed,
            speed_up: 1.0,
            agreement,
            dev,
            average,
            seconds: None,
        })
    }

    fn dev(
        &self,
        measures: &Measures,
        encoder: &SentenceEncoder<Cpu>,
    ) -> Result<Option<Correlation>, Failure> {
        let Some(source) = &measures.dev else {
            return Ok(None);
        };
        let loaded = source.load(&self.settings.base_dir, &self.context.data)?;
        let dev = DevSet::new(source.describe(), &loaded.pairs, loaded.scale, encoder)?;
        Ok(Some(dev.evaluate(encoder, None, "", 0).spearman))
    }
}

/// What is to be said of texts that the teacher cannot read as they are.
fn counts(teacher: &ModelFolder, texts: &[String]) -> Result<Vec<String>, Failure> {
    let config = &teacher.config;
    let tokenizer = Tokenizer::load(
        &teacher.encoder,
        teacher.max_tokens,
        config.vocab_size,
        config.type_vocab_size,
    );
    let tokenizer = tokenizer.map_err(Failure::Model)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    tokenizer.encode(&texts).map_err(Failure::Model)?;
    Ok(tokenizer.counts().describe(tokenizer.max_tokens()))
}

fn vectors(
    encoder: &SentenceEncoder<Cpu>,
    texts: &[String],
) -> Result<gradus::Embeddings, Failure> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = encoder.encode(&texts, EncodeOptions::default());
    vectors.map_err(Failure::Model)
}

/// What is known of the run in `folder`.
fn record(folder: &Path) -> Option<RunRecord> {
    RunRecord::read(folder).ok().flatten()
}

/// Whether the run in `folder` came to its end.
fn finished(folder: &Path) -> bool {
    record(folder).is_some_and(|record| record.finished) && folder.join("model").is_dir()
}
