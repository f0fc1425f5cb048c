//! `gradus distill`: small, fast students of a model, from texts alone.

use super::bench;
use super::eval::Watched;
use super::pretrain::source;
use super::train::prepare;
use crate::args::one_of;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::PairOptions;
use crate::training::Narrator;
use gradus::Error;
use gradus::calibration::Calibration;
use gradus::data::{Known, Source, Split, TextVariant};
use gradus::distill::{Agreement, HELD_OUT, Imitation, Row, Settings, Sizes, Table, Texts};
use gradus::eval::{Correlation, Suite};
use gradus::model::{
    EncodeOptions, ModelFolder, SentenceEncoder, StudentShape, check_student, evenly_spaced,
    write_student,
};
use gradus::train::{DevSet, Observer, RunFolder, RunRecord};
use gradus_kernels::cpu::Cpu;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
No labels are needed: a student learns to give the teacher's vectors. It is made \
of some of the teacher's layers (--layers), or has few narrow layers of its own \
over the teacher's vocabulary (--fresh). Some texts are held out; how well a \
student ranks pairs of them as the teacher does is its agreement. DIR gets the \
texts, a folder for each student with its recipe and model/, and the table of \
score against speed and size.

TEXT is a file with a text a line, a file of pairs (.tsv, .csv, .jsonl), of which \
both texts are taken, or a known data set such as nli or stsb/train. --layers N \
takes N layers, evenly spaced, --layers 0,3 those two, --layers 3, that one. What \
was stopped or killed goes on when the same command is given again; one with other \
--layers adds students.

Examples:
  gradus distill all-MiniLM-L6-v2 sentences.txt
  gradus distill all-MiniLM-L6-v2 sentences.txt nli --layers 1 --layers 2 --layers 3 --output runs/small
  gradus distill ./model reviews.csv --columns review,reply --layers 0,5 --intermediate 512 --minutes 20
  gradus distill ./model sentences.txt --fresh --layers 2 --hidden 192 --epochs 4
  gradus distill --resume runs/small";

const IMITATIONS: &[(&str, Imitation)] = &[
    ("mse", Imitation::Mse),
    ("rank", Imitation::Rank),
    ("both", Imitation::Both),
];

/// What is to be made, from what.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The teacher
    #[arg(value_name = "TEACHER", required_unless_present = "resume")]
    pub teacher: Option<String>,
    /// The texts
    #[arg(value_name = "TEXT", required_unless_present = "resume")]
    pub texts: Vec<String>,
    /// The folder for all that is made
    #[arg(long, short, value_name = "DIR", default_value = "runs/distill")]
    pub output: PathBuf,
    /// Go on with what was begun in DIR
    #[arg(long, value_name = "DIR", conflicts_with_all = ["teacher", "texts", "output", "layers", "fresh", "dev", "length", "dry_run"])]
    pub resume: Option<PathBuf>,
    /// Graded pairs to choose each model by: a file, or a known data set's split
    /// such as stsb/dev. By default the agreement with the teacher chooses
    #[arg(long, value_name = "PAIRS")]
    pub dev: Option<String>,
    /// Leave out the seven STS tasks, also where they are at hand
    #[arg(long)]
    pub no_tests: bool,
    /// Only say what would be made
    #[arg(long)]
    pub dry_run: bool,
    /// The table as JSON, unrounded
    #[arg(long)]
    pub json: bool,
    /// What the students are like
    #[command(flatten)]
    pub shape: Shape,
    /// How they are trained
    #[command(flatten)]
    pub training: Training,
    /// How files of pairs are read
    #[command(flatten)]
    pub pairs: PairOptions,
}

/// What students are like.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The student")]
pub struct Shape {
    /// How many of the teacher's layers, or which, counted from 0; by default a
    /// third of them. Can be repeated, for several students
    #[arg(long, value_name = "N|A,B,...")]
    pub layers: Vec<String>,
    /// Make layers of its own instead
    #[arg(long)]
    pub fresh: bool,
    /// Width of a fresh student's token vectors; by default half the teacher's
    #[arg(long, value_name = "N", requires = "fresh")]
    pub hidden: Option<usize>,
    /// A fresh student's attention heads per layer; by default one for 32 values
    #[arg(long, value_name = "N", requires = "fresh")]
    pub heads: Option<usize>,
    /// Width within the feed-forward parts; by default the teacher's, and four
    /// times the width of a fresh student
    #[arg(long, value_name = "N")]
    pub intermediate: Option<usize>,
}

/// How students are trained.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Training")]
pub struct Training {
    /// What is learned: the teacher's vectors, its rankings, or both
    #[arg(long, value_name = "KIND", default_value = "mse", value_parser = one_of(IMITATIONS))]
    pub objective: Imitation,
    /// Passes over the texts; 3 if neither steps nor minutes are given
    #[arg(long, value_name = "N", group = "length")]
    pub epochs: Option<f64>,
    /// Optimizer steps
    #[arg(long, value_name = "N", group = "length")]
    pub steps: Option<u64>,
    /// Minutes for each student, about: the speed is measured once, and as many
    /// steps are taken as fit
    #[arg(long, value_name = "N", group = "length")]
    pub minutes: Option<f64>,
    /// Texts of a step
    #[arg(long, value_name = "N", default_value = "128")]
    pub batch: usize,
    /// The peak rate
    #[arg(long, value_name = "RATE", default_value = "2e-3")]
    pub learning_rate: f64,
    /// The share of the steps in which the rate rises
    #[arg(long, value_name = "SHARE", default_value = "0.1")]
    pub warmup: f64,
    /// Cut texts to so many tokens in training
    #[arg(long, value_name = "N", default_value = "128")]
    pub max_tokens: usize,
    /// Everything random is drawn from it
    #[arg(long, value_name = "N", default_value = "777")]
    pub seed: u64,
    /// Steps between evaluations; by default once an epoch
    #[arg(long, value_name = "N")]
    pub evaluate_every: Option<u64>,
    /// Seconds between checkpoints
    #[arg(long, value_name = "N", default_value = "120")]
    pub checkpoint_seconds: u64,
    /// Steps between checkpoints, in addition
    #[arg(long, value_name = "N")]
    pub checkpoint_steps: Option<u64>,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let (root, settings) = match &args.resume {
        Some(root) => match Settings::read(root)? {
            Some(settings) => (root.clone(), settings),
            None => {
                let root = root.clone();
                let file = gradus::distill::SETTINGS;
                return Err(Error::from(gradus::train::TrainError::NoRun { root, file }).into());
            }
        },
        None => (args.output.clone(), settings(&args, context)?),
    };
    let teacher = find(&settings, context)?;
    let described = ModelFolder::open(&teacher).map_err(Failure::Model)?;
    for student in &settings.students {
        check_student(&described, student).map_err(|e| Failure::Usage(e.to_string()))?;
        // Settings out of their bounds show before anything is written.
        settings.recipe(student, &teacher)?;
    }
    let distillation = Distillation {
        args: &args,
        context,
        root,
        teacher,
        settings,
    };
    match args.dry_run {
        true => distillation.tell(&described),
        false => distillation.carry_out(),
    }
}

/// What was typed.
fn settings(args: &Args, context: &Context) -> Result<Settings, Failure> {
    let teacher = args.teacher.clone().unwrap_or_default();
    let folder = ModelFolder::open(context.find(&teacher)?).map_err(Failure::Model)?;
    let training = &args.training;
    let texts = args.texts.iter().map(|text| named(text, &args.pairs));
    let length = (training.steps, training.minutes);
    if training.minutes.is_some_and(|m| !(m > 0.0 && m <= 1e6)) {
        return Err(Failure::Usage(
            "--minutes must lie above 0 and not above a million".into(),
        ));
    }
    Ok(Settings {
        teacher,
        base_dir: std::path::absolute(".").map_err(Error::io(Path::new(".")))?,
        objective: training.objective,
        epochs: training.epochs.or((length == (None, None)).then_some(3.0)),
        steps: training.steps,
        minutes: training.minutes,
        batch: training.batch,
        learning_rate: training.learning_rate,
        warmup: training.warmup,
        max_tokens: training.max_tokens,
        seed: training.seed,
        evaluate_every: training.evaluate_every,
        checkpoint_seconds: training.checkpoint_seconds,
        checkpoint_steps: training.checkpoint_steps,
        dev: args
            .dev
            .as_ref()
            .map(|dev| named(dev, &args.pairs))
            .transpose()?,
        texts: texts.collect::<Result<_, _>>()?,
        students: students(&args.shape, &folder)?,
    })
}

/// The students asked for, each once.
fn students(shape: &Shape, teacher: &ModelFolder) -> Result<Vec<StudentShape>, Failure> {
    let config = &teacher.config;
    let usual = [config.layers.div_ceil(3).to_string()];
    let layers: &[String] = match shape.layers.is_empty() {
        true => &usual,
        false => &shape.layers,
    };
    let mut students: Vec<StudentShape> = vec![];
    for text in layers {
        let bad = |why: String| Failure::Usage(format!("--layers {text}: {why}"));
        let numbers = text.split(',').filter(|word| !word.is_empty());
        let numbers = numbers.map(|word| word.trim().parse::<usize>());
        let numbers: Vec<usize> = numbers
            .collect::<Result<_, _>>()
            .map_err(|_| bad("give a number of layers, or their numbers, as in 0,3".into()))?;
        let student = match (shape.fresh, &numbers[..]) {
            (true, &[layers]) => {
                let hidden = shape.hidden.unwrap_or((config.hidden_size / 2).max(1));
                StudentShape::Fresh {
                    layers,
                    hidden,
                    heads: shape.heads.unwrap_or_else(|| usual_heads(hidden)),
                    intermediate: shape.intermediate.unwrap_or(hidden.saturating_mul(4)),
                }
            }
            (true, _) => return Err(bad("a fresh student needs a number of layers".into())),
            (false, &[count]) if !text.contains(',') => {
                let layers = evenly_spaced(config.layers, count).ok_or_else(|| {
                    bad(format!("give 1 to {}, the teacher's layers", config.layers))
                })?;
                picked(layers, shape)
            }
            (false, list) => picked(list.to_vec(), shape),
        };
        if !students.contains(&student) {
            students.push(student);
        }
    }
    Ok(students)
}

fn picked(layers: Vec<usize>, shape: &Shape) -> StudentShape {
    StudentShape::Picked {
        layers,
        intermediate: shape.intermediate,
    }
}

/// One for 32 values or more, as many as divide the width.
fn usual_heads(hidden: usize) -> usize {
    let most = (hidden / 32).max(1);
    (1..=most)
        .rev()
        .find(|heads| hidden.is_multiple_of(*heads))
        .unwrap_or(1)
}

/// A file, or a known data set where there is no such file.
fn named(name: &str, pairs: &PairOptions) -> Result<Source, Failure> {
    let path = Path::new(name);
    let (set, split) = match name.split_once('/') {
        Some((set, split)) => (set, Split::parse(split)),
        None => (name, None),
    };
    let known = Known::parse(set).is_ok() && (split.is_some() || !name.contains('/'));
    if path.is_file() || !known {
        return source(path, pairs);
    }
    Ok(Source {
        dataset: Some(set.to_owned()),
        split,
        ..Source::default()
    })
}

fn find(settings: &Settings, context: &Context) -> Result<PathBuf, Failure> {
    let found = match settings.base_dir.join(&settings.teacher) {
        folder if folder.is_dir() => folder,
        _ => context.find(&settings.teacher)?,
    };
    Ok(std::path::absolute(&found).map_err(Error::io(&found))?)
}

/// A distillation under way.
struct Distillation<'a> {
    args: &'a Args,
    context: &'a Context,
    root: PathBuf,
    teacher: PathBuf,
    settings: Settings,
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
    fn tell(&self, teacher: &ModelFolder) -> Result<(), Failure> {
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

    fn carry_out(mut self) -> Result<(), Failure> {
        let mut narrator = Narrator::new(self.context.manner);
        self.take_folder()?;
        let measures = self.measures(&narrator)?;
        for student in &self.settings.students {
            let folder = self.root.join(student.label());
            match finished(&folder) {
                true => narrator.say(&format!("{}: finished before", student.label())),
                false => self.train(student, &folder, &mut narrator)?,
            }
            self.drop_calibration(&folder)?;
        }
        let table = self.table(&measures, &narrator)?;
        self.publish(&table)
    }

    /// Writes the settings, with the students of an earlier command.
    fn take_folder(&mut self) -> Result<(), Failure> {
        if let Some(there) = Settings::read(&self.root)? {
            if !there.is_like(&self.settings) {
                return Err(Failure::Usage(format!(
                    "{} holds a distillation of other settings: give another --output, or go on with it by --resume",
                    self.root.display()
                )));
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
        std::fs::create_dir_all(&self.root).map_err(Error::io(&self.root))?;
        Ok(self.settings.write(&self.root)?)
    }

    fn read_texts(&self) -> Result<Texts, Failure> {
        let (sources, base) = (&self.settings.texts, &self.settings.base_dir);
        Texts::read(sources, base, &self.context.data).map_err(Failure::Input)
    }

    /// Texts held out and what the teacher says of them; written once.
    fn measures(&self, narrator: &Narrator) -> Result<Measures, Failure> {
        let folder = self.root.join(Settings::TEXTS);
        let found = Texts::held_out_of(&folder)?;
        let (held_out, fresh) = match found {
            Some(held_out) => (held_out, None),
            None => {
                narrator.say("reading the texts");
                let texts = self.read_texts()?;
                (texts.held_out.clone(), Some(texts))
            }
        };
        let teacher = self.context.load(&self.teacher)?;
        let agreement = Agreement::new(&vectors(&teacher, &held_out)?, self.settings.seed);
        if let Some(texts) = fresh {
            std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
            agreement.write(&folder.join(Settings::GRADED), &held_out)?;
            texts.write(&folder)?;
            narrator.say(&format!(
                "texts      {} to learn from, {} held out ({HELD_OUT})",
                texts.train.len(),
                held_out.len()
            ));
        }
        let suite = match self.args.no_tests {
            true => None,
            false => match Suite::load(&self.context.data, TextVariant::Original) {
                Ok(suite) => Some(suite),
                Err(error) => {
                    narrator.say(&format!("no test scores ({error}); `gradus pull sts` fetches the test sets, --no-tests does without"));
                    None
                }
            },
        };
        Ok(Measures {
            held_out,
            agreement,
            suite,
            dev: self.settings.dev.clone(),
        })
    }

    /// Trains a student, or goes on where that stopped.
    fn train(
        &self,
        student: &StudentShape,
        root: &Path,
        narrator: &mut Narrator,
    ) -> Result<(), Failure> {
        narrator.say(&format!("student {}", student.label()));
        let (mut run, folder) = match RunFolder::is_taken(root) {
            true => {
                let (folder, recipe) = RunFolder::open(root)?;
                let other = |p| p != recipe.precision;
                if self.context.precision.is_some_and(other) {
                    return Err(Failure::Usage(
                        "a student goes on in the precision it began in; leave --precision out"
                            .into(),
                    ));
                }
                (prepare(recipe, root, self.context, narrator)?.0, folder)
            }
            false => {
                std::fs::create_dir_all(root).map_err(Error::io(root))?;
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
                let mut recipe = self.settings.recipe(student, &self.teacher)?;
                let (mut run, mut resolved) =
                    prepare(recipe.clone(), root, self.context, narrator)?;
                if let (None, Some(minutes)) = (self.settings.steps, self.settings.minutes) {
                    narrator.note("measuring the speed");
                    run.estimate()?;
                    let stage = &run.plan().stages[0];
                    let a_step = stage.seconds.unwrap_or(1.0) / stage.steps as f64;
                    let steps = (60.0 * minutes / a_step.max(1e-6)) as u64;
                    recipe.stages[0].steps = Some(steps.max(1));
                    recipe.stages[0].epochs = None;
                    (run, resolved) = prepare(recipe, root, self.context, narrator)?;
                }
                (run, RunFolder::create(root, &resolved, root)?)
            }
        };
        run.execute(&folder, narrator)?;
        Ok(())
    }

    /// Without graded pairs a calibration's scale would be the teacher's cosine,
    /// which is no grade.
    fn drop_calibration(&self, root: &Path) -> Result<(), Failure> {
        let path = Calibration::path(&root.join("model"));
        if self.settings.dev.is_none() && path.exists() {
            std::fs::remove_file(&path).map_err(Error::io(&path))?;
        }
        Ok(())
    }

    fn table(&self, measures: &Measures, narrator: &Narrator) -> Result<Table, Failure> {
        narrator.say("measuring the teacher and its students");
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
        let header = vec![
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
        Ok(Table { header, rows })
    }

    fn row(&self, name: &str, folder: &Path, measures: &Measures) -> Result<Row, Failure> {
        let encoder = self.context.load(folder)?;
        let texts: Vec<&str> = measures.held_out.iter().map(String::as_str).collect();
        let speed = bench::speed(name, &encoder, &texts, self.context.manner)?;
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

    /// Writes the table to the folder and to standard output.
    fn publish(&self, table: &Table) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(table);
        let json = json.map_err(|e| Failure::Usage(e.to_string()))? + "\n";
        for (name, text) in [("table.json", &json), ("table.md", &table.markdown())] {
            let mut file = Output::open(Some(&self.root.join(name)))?;
            file.bytes(text.as_bytes())?;
            file.finish()?;
        }
        let mut output = Output::open(None)?;
        match self.args.json {
            true => output.bytes(json.as_bytes())?,
            false => output.bytes(table.text().as_bytes())?,
        }
        output.finish()
    }
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
