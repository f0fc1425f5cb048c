//! `gradus score`: how similar pairs of texts are.

mod answer;

use crate::args::one_of;
use crate::chunks::Chunks;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::PairOptions;
use crate::progress::Counter;
use crate::prompt_options::PromptOptions;
use answer::Answer;
use clap::ArgAction;
use gradus::calibration::{Calibration, RawScore};
use gradus::data::{
    DataError, Format as DataFormat, LabelMap, Lines, PairFile, PairRows, Remedy, Step,
};
use gradus::format::ModelError;
use gradus::models::{EncodeOptions, SentenceEncoder};
use gradus::nn::RegressionHead;
use gradus_kernels::cpu::Cpu;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Without texts or --pairs, pairs are read from standard input: text1<TAB>text2 \
a line, or JSON objects with --jsonl. Answers come in the order of the pairs, a \
line each. A blank line is answered by a blank line, so that answers stay in \
step with lines. A first row of usual names (sentence1, sentence2; premise, \
hypothesis; query, document; ...) is no pair: it has no answer unless \
--output-header answers it with names. A row with more or fewer columns than the \
first is an error. Bad input stops the command, after the answers to what came \
before it.

The first number is the one to use: the calibrated grade where the model has a \
calibration (see `gradus calibrate`), else the grade of its regression head, \
else the cosine. The columns of tsv are the same for every model, empty where \
it has no such number:
  recommended  low  high  cosine  grade
low and high bound the calibrated grade; grade is the head's, not calibrated. \
In JSON `recommended_is` names the first number (calibrated, grade or cosine), \
`truncated` says that a text was cut to the model's limit, `unknown` that a text \
is empty or mostly unknown to its vocabulary, so that the score means little.

Examples:
  gradus score all-MiniLM-L6-v2 \"A plane is taking off.\" \"An air plane takes off.\"
  gradus score ./model --pairs reviews.csv --columns review,product --format json
  gradus score all-MiniLM-L6-v2 < pairs.tsv | cut -f 4 > cosines.txt
  gradus score all-MiniLM-L6-v2 < pairs.tsv | paste - pairs.tsv | sort -rg | head
  gradus score all-MiniLM-L6-v2 --output-header < named.tsv | paste - named.tsv";

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
    /// Read pairs from FILE (tsv, csv, jsonl, json, parquet); labels in it are
    /// ignored
    #[arg(long, value_name = "FILE", conflicts_with = "texts")]
    pub pairs: Option<PathBuf>,
    /// Read JSON objects, one a line: short for --pairs-format jsonl
    #[arg(long, conflicts_with_all = ["texts", "pairs_format"])]
    pub jsonl: bool,
    /// How to read pairs.
    #[command(flatten)]
    pub reading: PairOptions,
    /// Which prompt.
    #[command(flatten)]
    pub prompt: PromptOptions,
    /// The form of the answers (json: an object a line); by default text on a
    /// terminal, else tsv
    #[arg(long, value_parser = one_of(FORMATS))]
    pub format: Option<Format>,
    /// Begin tsv with a row of the columns' names
    #[arg(long)]
    pub output_header: bool,
}

/// Runs the command.
pub fn run(mut args: Args, context: &Context) -> Result<(), Failure> {
    let format = args.format.unwrap_or(match io::stdout().is_terminal() {
        true => Format::Text,
        false => Format::Tsv,
    });
    if args.jsonl {
        args.reading.form.pairs_format = Some(DataFormat::Jsonl);
    }
    let header = args.output_header && matches!(format, Format::Tsv);
    let folder = context.find(&args.model)?;
    if let Ok([first, second]) = <[String; 2]>::try_from(std::mem::take(&mut args.texts)) {
        let scorer = Scorer::new(args.model, &folder, &args.prompt, context)?;
        scorer.single((first, second), format, header)?;
        context.note_texts(&scorer.encoder);
        return Ok(());
    }
    let stdin = args.pairs.is_none().then_some(DataFormat::Tsv);
    let path = args.pairs.as_deref().unwrap_or(Path::new("standard input"));
    let file = args.reading.file(path, stdin)?;
    // A header that was not announced.
    let note_header = file.header.is_none() && file.format == DataFormat::Tsv && !header;
    let mut pairs = open(file, stdin.is_some(), context)?;
    let scorer = Scorer::new(args.model, &folder, &args.prompt, context)?;
    let mut output = open_output(header)?;
    let counter = Counter::new(context.manner.beside_results(), "scoring pairs", None);
    while let Some(chunk) = pairs.next_chunk()? {
        // Where answers stand among blank lines.
        let mut blank = Vec::with_capacity(chunk.len());
        let mut pairs = Vec::with_capacity(chunk.len());
        for step in chunk {
            match step {
                Step::Header if note_header => context.manner.note(HEADER),
                Step::Header => {}
                Step::Blank => blank.push(true),
                Step::Pair(pair) => {
                    blank.push(false);
                    pairs.push((pair.first, pair.second));
                }
            }
        }
        let mut answers = scorer.score(&pairs)?.into_iter();
        for blank in blank {
            match if blank { None } else { answers.next() } {
                Some(answer) => answer.write(&mut output, format)?,
                None => output.line("")?,
            }
        }
        output.flush()?;
        counter.add(pairs.len() as u64);
    }
    output.finish()?;
    context.note_texts(&scorer.encoder);
    Ok(())
}

/// Standard output, begun with a row of names where that is wanted.
fn open_output(header: bool) -> Result<Output, Failure> {
    let mut output = Output::open(None)?;
    if header {
        output.line(&answer::COLUMNS.join("\t"))?;
    }
    Ok(output)
}

/// What is said of a row that gets no answer.
const HEADER: &str = "the first row holds the columns' names and is not answered (--output-header \
                      answers it with names, --no-header reads it as a pair)";

fn open(file: PairFile, stdin: bool, context: &Context) -> Result<Chunks<Step>, Failure> {
    if !stdin {
        // Opened here, so that a wrong path shows before the model is loaded.
        let rows = match file.rows(&LabelMap::default()) {
            Err(gradus::Error::Data(DataError::Empty { .. })) => None,
            rows => Some(rows.and_then(pairs_alone).map_err(Failure::Input)?),
        };
        return Chunks::read(move || Ok(rows.into_iter().flat_map(steps)));
    }
    if io::stdin().is_terminal() {
        context
            .manner
            .note("reading pairs from standard input, text1<TAB>text2 a line; Ctrl-D ends");
    }
    Chunks::read(move || {
        let lines = Lines::new(io::stdin(), &file.path)?;
        let rows = file.rows_from(lines, &LabelMap::default())?;
        Ok(steps(pairs_alone(rows)?))
    })
}

fn steps(mut rows: PairRows) -> impl Iterator<Item = gradus::Result<Step>> {
    std::iter::from_fn(move || rows.next_step())
}

/// Refuses triplets, of which a row would get two answers.
fn pairs_alone(rows: PairRows) -> gradus::Result<PairRows> {
    if !rows.has_triplets() {
        return Ok(rows);
    }
    let unclear = DataError::UnclearColumns {
        path: rows.place(0).path,
        role: "sentence pair",
        reason: "each row holds three texts".into(),
        remedies: vec![Remedy::Columns],
    };
    Err(unclear.into())
}

/// A model that scores pairs.
struct Scorer {
    model: String,
    encoder: SentenceEncoder<Cpu>,
    calibration: Option<Calibration>,
}

impl Scorer {
    fn new(
        model: String,
        folder: &Path,
        prompt: &PromptOptions,
        context: &Context,
    ) -> Result<Self, Failure> {
        let encoder = context.load_silently(folder, prompt.choice())?;
        let calibration = Calibration::load(folder).map_err(Failure::Model)?;
        let by_head = |c: &Calibration| c.score == RawScore::Grade;
        if calibration.as_ref().is_some_and(by_head) && encoder.head().is_none() {
            let path = Calibration::path(folder);
            let message = "maps the grades of a regression head, which the model does not have; \
                           fit it again with `gradus calibrate --overwrite`, or remove the file";
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

    fn score<'a>(&self, pairs: &'a [(String, String)]) -> Result<Vec<Answer<'a>>, Failure> {
        let texts: Vec<&str> = pairs
            .iter()
            .flat_map(|(a, b)| [a.as_str(), b.as_str()])
            .collect();
        let tokens = self.encoder.tokenizer().encode(&texts);
        let tokens = tokens.map_err(Failure::Model)?;
        let vectors = self
            .encoder
            .encode_tokens(&tokens, EncodeOptions::default());
        super::check_finite(&self.model, &texts, &vectors)?;
        let answers = pairs.iter().enumerate().map(|(i, (first, second))| {
            let (a, b) = (2 * i, 2 * i + 1);
            let cosine = vectors.cosine(a, b);
            let grade = self.head().map(|h| h.grade(vectors.row(a), vectors.row(b)));
            let calibrated = self.calibration.as_ref().map(|c| match (c.score, grade) {
                (RawScore::Grade, Some(grade)) => c.apply(grade),
                _ => c.apply(cosine),
            });
            let coverage = [tokens[a].coverage, tokens[b].coverage];
            Answer::new((first, second), cosine, grade, calibrated, coverage)
        });
        Ok(answers.collect())
    }

    fn single(&self, pair: (String, String), format: Format, header: bool) -> Result<(), Failure> {
        let mut output = open_output(header)?;
        for answer in self.score(&[pair])? {
            match format {
                Format::Text => {
                    answer.write_single(&mut output, self.head(), self.calibration.as_ref())?;
                }
                _ => answer.write(&mut output, format)?,
            }
        }
        output.finish()
    }
}
