//! `gradus score`: how alike pairs of texts are.

use crate::args::one_of;
use crate::chunks::Chunks;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::PairOptions;
use crate::progress::Counter;
use clap::ArgAction;
use gradus::calibration::{Calibrated, Calibration, RawScore};
use gradus::data::{DataError, Format as DataFormat, LabelMap, Lines, RawPair};
use gradus::model::{EncodeOptions, ModelError, RegressionHead, SentenceEncoder};
use gradus_kernels::cpu::Cpu;
use serde::Serialize;
use std::io::{self, BufReader, IsTerminal};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Without texts or --pairs, pairs are read from standard input: text1<TAB>text2 \
a line, or JSON objects with --jsonl. Answers come in the order of the pairs. \
As tsv a line is the cosine, then the grade where the model has a regression \
head, then the grade on people's scale and the two ends of its interval where \
it has a calibration (see `gradus calibrate`). Bad input stops the command, after the answers to what came before it.

Examples:
  gradus score all-MiniLM-L6-v2 \"A plane is taking off.\" \"An air plane takes off.\"
  gradus score ./model --pairs reviews.csv --columns review,product --format json
  gradus score all-MiniLM-L6-v2 < pairs.tsv > cosines.tsv
  gradus score all-MiniLM-L6-v2 < pairs.tsv | paste - pairs.tsv | sort -rg | head";

const FORMATS: &[(&str, Format)] = &[
    ("text", Format::Text),
    ("tsv", Format::Tsv),
    ("json", Format::Json),
];

/// The form of the answers.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// Rounded, with the texts, for people.
    Text,
    /// The numbers, unrounded.
    Tsv,
    /// An object a line, with the texts.
    Json,
}

/// What is to be scored.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model
    pub model: String,
    /// The two texts
    #[arg(num_args = 2, action = ArgAction::Set, value_names = ["TEXT1", "TEXT2"])]
    pub texts: Vec<String>,
    /// Read pairs from FILE (tsv, csv, jsonl); labels in it are passed over
    #[arg(long, value_name = "FILE", conflicts_with = "texts")]
    pub pairs: Option<PathBuf>,
    /// Read JSON objects, one a line: short for --pairs-format jsonl
    #[arg(long, conflicts_with_all = ["texts", "pairs_format"])]
    pub jsonl: bool,
    /// How to read pairs.
    #[command(flatten)]
    pub reading: PairOptions,
    /// The form of the answers (json: an object a line); by default text on a
    /// terminal, else tsv
    #[arg(long, value_parser = one_of(FORMATS))]
    pub format: Option<Format>,
}

/// Runs the command.
pub fn run(mut args: Args, context: &Context) -> Result<(), Failure> {
    let format = args.format.unwrap_or(match io::stdout().is_terminal() {
        true => Format::Text,
        false => Format::Tsv,
    });
    if args.jsonl {
        args.reading.pairs_format = Some(DataFormat::Jsonl);
    }
    let folder = context.find(&args.model)?;
    if let Ok([first, second]) = <[String; 2]>::try_from(std::mem::take(&mut args.texts)) {
        let scorer = Scorer::new(args.model, &folder, context)?;
        scorer.single(first, second, format)?;
        context.tell_of_cuts(&scorer.encoder);
        return Ok(());
    }
    let mut pairs = open(&args, context)?;
    let scorer = Scorer::new(args.model, &folder, context)?;
    let mut output = Output::open(None)?;
    let counter = Counter::new(context.manner.beside_results(), "scoring pairs", None);
    while let Some(chunk) = pairs.next_chunk()? {
        let chunk: Vec<_> = chunk.into_iter().map(|p| (p.first, p.second)).collect();
        for scored in scorer.score(&chunk)? {
            scored.write(&mut output, format)?;
        }
        output.flush()?;
        counter.add(chunk.len() as u64);
    }
    output.finish()?;
    context.tell_of_cuts(&scorer.encoder);
    Ok(())
}

fn open(args: &Args, context: &Context) -> Result<Chunks<RawPair>, Failure> {
    if let Some(path) = &args.pairs {
        let file = args.reading.file(path, None)?;
        // Opened here, so that a wrong path shows before the model is loaded.
        let rows = match file.rows(&LabelMap::default()) {
            Err(gradus::Error::Data(DataError::Empty { .. })) => None,
            rows => Some(rows.map_err(Failure::Input)?),
        };
        return Chunks::read(move || Ok(rows.into_iter().flatten()));
    }
    if io::stdin().is_terminal() {
        context
            .manner
            .note("reading pairs from standard input, text1<TAB>text2 a line; Ctrl-D ends");
    }
    let file = args
        .reading
        .file(Path::new("standard input"), Some(DataFormat::Tsv))?;
    Chunks::read(move || {
        let lines = Lines::new(BufReader::new(io::stdin()), &file.path);
        file.rows_from(lines, &LabelMap::default())
    })
}

/// A pair and how alike it is.
#[derive(Serialize)]
struct Scored<'a> {
    // These keys are among those that pairs are found by, so that the output
    // can be input again.
    sentence1: &'a str,
    sentence2: &'a str,
    cosine: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    grade: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calibrated: Option<Calibrated>,
}

impl Scored<'_> {
    fn write(&self, output: &mut Output, format: Format) -> Result<(), Failure> {
        let (cosine, first, second) = (self.cosine, self.sentence1, self.sentence2);
        match format {
            Format::Json => output.json_line(self),
            Format::Tsv => {
                let told = self.calibrated.map(|c| [c.grade, c.low, c.high]);
                let more = self.grade.into_iter().chain(told.into_iter().flatten());
                let cells: Vec<String> = std::iter::once(cosine)
                    .chain(more)
                    .map(|number| number.to_string())
                    .collect();
                output.line(&cells.join("\t"))
            }
            Format::Text => {
                let grade = self.grade.map(|grade| format!("grade {grade:6.3}  "));
                let told = self.calibrated.map(|c| {
                    format!(
                        "calibrated {:5.2} [{:5.2}, {:5.2}]  ",
                        c.grade, c.low, c.high
                    )
                });
                let (grade, told) = (grade.unwrap_or_default(), told.unwrap_or_default());
                output.line(&format!("{cosine:7.4}  {grade}{told}{first} | {second}"))
            }
        }
    }
}

/// A model that scores pairs.
struct Scorer {
    model: String,
    encoder: SentenceEncoder<Cpu>,
    calibration: Option<Calibration>,
}

impl Scorer {
    fn new(model: String, folder: &Path, context: &Context) -> Result<Self, Failure> {
        let encoder = context.load(folder)?;
        let calibration = Calibration::load(folder).map_err(Failure::Model)?;
        let by_head = |c: &Calibration| c.score == RawScore::Grade;
        if calibration.as_ref().is_some_and(by_head) && encoder.head().is_none() {
            let path = Calibration::path(folder);
            let message = "maps the grades of a regression head, which the model does not have; \
                           fit it again with `gradus calibrate`, or remove the file";
            let message = message.to_owned();
            return Err(Failure::Model(ModelError::Config { path, message }.into()));
        }
        Ok(Self {
            model,
            encoder,
            calibration,
        })
    }

    fn head(&self) -> Option<&RegressionHead> {
        self.encoder.head()
    }

    fn score<'a>(&self, pairs: &'a [(String, String)]) -> Result<Vec<Scored<'a>>, Failure> {
        let texts: Vec<&str> = pairs
            .iter()
            .flat_map(|(a, b)| [a.as_str(), b.as_str()])
            .collect();
        let vectors = self
            .encoder
            .encode(&texts, EncodeOptions::default())
            .map_err(Failure::Model)?;
        super::check_finite(&self.model, &texts, &vectors)?;
        let scored = pairs.iter().enumerate().map(|(i, (first, second))| {
            let (a, b) = (2 * i, 2 * i + 1);
            let cosine = vectors.cosine(a, b);
            let grade = self.head().map(|h| h.grade(vectors.row(a), vectors.row(b)));
            let calibrated = self.calibration.as_ref().map(|c| match (c.score, grade) {
                (RawScore::Grade, Some(grade)) => c.apply(grade),
                _ => c.apply(cosine),
            });
            Scored {
                sentence1: first,
                sentence2: second,
                cosine,
                grade,
                calibrated,
            }
        });
        Ok(scored.collect())
    }

    /// The two texts of the command line, which a person need not see again.
    fn single(&self, first: String, second: String, format: Format) -> Result<(), Failure> {
        let mut output = Output::open(None)?;
        let pair = [(first, second)];
        for scored in self.score(&pair)? {
            match format {
                Format::Text => {
                    output.line(&format!("cosine {:7.4}", scored.cosine))?;
                    if let (Some(grade), Some(head)) = (scored.grade, self.head()) {
                        let scale = super::scale(head);
                        output.line(&format!("grade  {grade:6.3}{scale}"))?;
                    }
                    if let (Some(told), Some(by)) = (scored.calibrated, &self.calibration) {
                        output.line(&format!(
                            "calibrated {:.2}, {:.0} % within {:.2} to {:.2} (on {} to {}, by {} pairs of {})",
                            told.grade,
                            100.0 * by.coverage,
                            told.low,
                            told.high,
                            by.scale.0,
                            by.scale.1,
                            by.pairs,
                            by.fitted_on
                        ))?;
                    }
                }
                _ => scored.write(&mut output, format)?,
            }
        }
        output.finish()
    }
}
