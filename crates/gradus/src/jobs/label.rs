//! Graded pairs by a model: silver data, which a stage learns before gold (Augmented
//! SBERT; Thakur et al. 2021).

use super::pairing::{PairMaker, PairSettings};
use super::score::Scorer;
use super::{Environment, JobError};
use crate::Error;
use crate::Result;
use crate::calibration::RawScore;
use crate::data::Format;
use crate::models::{ModelFolder, SentenceEncoder};
use crate::output::Inputs;
use crate::util::atomic::write_file;
use crate::util::content_hash::hex;
use crate::util::{Observer, check_cancelled};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What is labelled, by what.
#[derive(Debug, Clone)]
pub struct LabelSettings {
    /// The pairs: read, or made from texts.
    pub pairs: PairSettings,
    /// The model that grades them: one that makes vectors, or a cross-encoder.
    pub teacher: String,
    /// The model by whose vectors texts have neighbours; by default the teacher,
    /// where it makes vectors.
    pub neighbours_by: Option<String>,
    /// Whether grades are on the teacher's scale of grades, where it is calibrated or
    /// has a head; else they are its bare cosines or scores, which have no plateaus.
    pub graded: bool,
    /// Grades below and above these are drawn to them.
    pub clip: Option<(f64, f64)>,
    /// The file written: `.tsv` or `.jsonl`.
    pub output: PathBuf,
    /// Whether a file that is there is replaced.
    pub overwrite: bool,
    /// Random pairs are drawn from it.
    pub seed: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// How many pairs.
    pub pairs: usize,
    /// What their grades are: calibrated grades, a head's, cosines or scores.
    pub grades_are: &'static str,
    /// The lowest and the highest grade.
    pub range: (f64, f64),
    /// What the pairs share with test sets, in words.
    pub overlap: String,
    /// What to say of texts that were cut or hardly known.
    pub notes: Vec<String>,
}

/// Pairs that are graded before they are put by.
const CHUNK: usize = 1024;

/// Grades pairs and writes them. What was graded before the work was stopped lies
/// beside the output, and is not graded again.
///
/// # Errors
/// Where pairs or models cannot be used, or something is in the way of the output.
pub fn label(
    settings: &LabelSettings,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<Labelled> {
    const WHAT: &str = "grading pairs";
    let format = form_of(&settings.output)?;
    settings.pairs.check().map_err(JobError::Settings)?;
    check(settings, environment)?;
    let teacher = environment.find(&settings.teacher, observer)?;
    let scorer = Scorer::load(&teacher, None, environment, observer)?;
    let maker = PairMaker {
        settings: &settings.pairs,
        dev: None,
        base: Path::new(""),
        data: &environment.data,
        seed: settings.seed,
    };
    let found = maker.make(
        |observer| neighbours_by(settings, &teacher.folder, environment, observer),
        observer,
    )?;
    observer.note(&format!("pairs      {}", found.pairs.len()));
    observer.note(&format!("overlap    {}", found.overlap.describe()));
    let pairs = &found.pairs;
    if format == Format::Tsv
        && let Some((a, b)) = pairs.iter().find(|(a, b)| !is_cell(a) || !is_cell(b))
    {
        let bad = if is_cell(a) { b } else { a };
        return Err(JobError::Settings(format!(
            "the text {:?} has a tab or a line end in it, which .tsv cannot hold: write .jsonl",
            bad.chars().take(60).collect::<String>()
        ))
        .into());
    }
    let mut journal = Journal::open(settings, &teacher.folder, pairs)?;
    if journal.done() > 0 {
        observer.note(&format!(
            "{} of {} pairs were graded before",
            journal.done(),
            pairs.len()
        ));
    }
    while journal.done() < pairs.len() {
        let done = journal.done();
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, done as u64, pairs.len() as u64);
        let chunk = &pairs[done..(done + CHUNK).min(pairs.len())];
        let chunk: Vec<(&str, &str)> = chunk.iter().map(|(a, b)| (&**a, &**b)).collect();
        let scores = scorer.score(&chunk)?;
        let grade = |score: &super::score::PairScore| match settings.graded {
            true => score.recommended,
            false => score.cosine.or(score.score).unwrap_or(score.recommended),
        };
        journal.add(&scores.iter().map(grade).collect::<Vec<f64>>())?;
    }
    observer.progress(WHAT, pairs.len() as u64, pairs.len() as u64);
    let clip = |grade: &f64| match settings.clip {
        Some((low, high)) => grade.clamp(low, high),
        None => *grade,
    };
    let grades: Vec<f64> = journal.grades.iter().map(clip).collect();
    write(&settings.output, format, pairs, &grades)?;
    journal.remove()?;
    let ends = (f64::INFINITY, f64::NEG_INFINITY);
    Ok(Labelled {
        pairs: pairs.len(),
        grades_are: grades_are(&scorer, settings.graded),
        range: grades
            .iter()
            .fold(ends, |(low, high), &g| (low.min(g), high.max(g))),
        overlap: found.overlap.describe(),
        notes: scorer.notes(),
    })
}

fn grades_are(scorer: &Scorer, graded: bool) -> &'static str {
    match (graded, scorer.calibration(), scorer.head()) {
        (true, Some(_), _) => "calibrated grades",
        (true, None, Some(_)) => "grades of the regression head",
        _ if scorer.model().raw_score() == RawScore::Cosine => "cosines",
        _ => "scores",
    }
}

fn form_of(output: &Path) -> Result<Format> {
    match Format::of(output) {
        Some(format @ (Format::Tsv | Format::Jsonl)) => Ok(format),
        _ => Err(JobError::Settings(format!(
            "{}: end the output in .tsv or .jsonl",
            output.display()
        ))
        .into()),
    }
}

/// Refuses to write where something of somebody else is, or what is read.
fn check(settings: &LabelSettings, environment: &Environment) -> Result<()> {
    let mut inputs = Inputs::new().with("the teacher", &settings.teacher);
    let pairs = &settings.pairs;
    for source in pairs.sources.iter().chain(&pairs.corpus) {
        inputs.add_source("the pairs", source, Path::new(""), &environment.data);
    }
    inputs.check_file(&settings.output, "--output", settings.overwrite)
}

/// The model by whose vectors texts have neighbours.
fn neighbours_by(
    settings: &LabelSettings,
    teacher: &Path,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<SentenceEncoder> {
    let folder = match &settings.neighbours_by {
        Some(name) => environment.find(name, observer)?.folder,
        None if ModelFolder::is_cross_encoder(teacher).map_err(JobError::model)? => {
            return Err(JobError::Settings(format!(
                "{} is a cross-encoder, which gives no vectors to find neighbours by: name a model that does with --by",
                settings.teacher
            ))
            .into());
        }
        None => teacher.to_path_buf(),
    };
    let backend = environment.backend_for(&folder, observer)?;
    SentenceEncoder::load(folder, backend).map_err(JobError::model)
}

fn is_cell(text: &str) -> bool {
    !text.contains(['\t', '\n', '\r'])
}

fn write(path: &Path, format: Format, pairs: &[(String, String)], grades: &[f64]) -> Result<()> {
    if format == Format::Jsonl {
        return super::pairing::files::write(path, pairs, Some(grades));
    }
    write_file(path, |out| {
        let mut line = |text: String| out.write_all(text.as_bytes()).map_err(Error::io(path));
        line("sentence1\tsentence2\tscore\n".into())?;
        for ((first, second), grade) in pairs.iter().zip(grades) {
            line(format!("{first}\t{second}\t{grade}\n"))?;
        }
        Ok(())
    })
}

/// Grades so far, in a file beside the output: its first line says what they are of.
struct Journal {
    path: PathBuf,
    file: std::fs::File,
    grades: Vec<f64>,
}

impl Journal {
    /// Goes on with the one beside the output where it is of the same pairs, teacher
    /// and settings; else begins one.
    fn open(settings: &LabelSettings, teacher: &Path, pairs: &[(String, String)]) -> Result<Self> {
        let mut name = std::ffi::OsString::from(".");
        name.push(settings.output.file_name().unwrap_or_default());
        name.push(".part");
        let path = settings.output.with_file_name(name);
        let mut hash = Sha256::new();
        hash.update(crate::format::model_key(teacher)?);
        hash.update([u8::from(settings.graded)]);
        for text in pairs.iter().flat_map(|(a, b)| [a, b]) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        let header = format!("gradus label {}\n", hex(hash.finalize()));
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        let mut whole = header.clone();
        let mut grades = vec![];
        if let Some(rest) = there.strip_prefix(&header) {
            // A line that was not written to its end is none.
            let end = rest.rfind('\n').map_or(0, |end| end + 1);
            let numbers = rest[..end].lines().map_while(|line| line.parse().ok());
            grades = numbers.take(pairs.len()).collect();
            grades.iter().for_each(|g: &f64| whole += &format!("{g}\n"));
        }
        crate::util::atomic::write_bytes(&path, whole.as_bytes())?;
        let file = std::fs::File::options().append(true).open(&path);
        let file = file.map_err(Error::io(&path))?;
        Ok(Self { path, file, grades })
    }

    fn done(&self) -> usize {
        self.grades.len()
    }

    fn add(&mut self, grades: &[f64]) -> Result<()> {
        let lines: String = grades.iter().map(|g| format!("{g}\n")).collect();
        let written = self.file.write_all(lines.as_bytes());
        written.map_err(Error::io(&self.path))?;
        self.grades.extend(grades);
        Ok(())
    }

    fn remove(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(Error::io(&self.path))
    }
}
