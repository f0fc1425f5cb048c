//! `gradus score`: how similar pairs of texts are.

mod shown;

use crate::answer_format::{AnswerFormat, FORMATS};
use crate::args::one_of;
use crate::console::Console;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::PairOptions;
use crate::prompt_options::PromptOptions;
use clap::ArgAction;
use gradus::data::Format as DataFormat;
use gradus::jobs::score::{Answer, Answers, PairReader, Scorer};
use gradus::util::Observer;
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
else the cosine, or the score of a cross-encoder. The columns of tsv are the \
same for every model, empty where it has no such number:
  recommended  low  high  cosine  grade  score
low and high bound the calibrated grade; grade is the head's, score the \
cross-encoder's, neither calibrated. A cross-encoder of several labels has as \
its score the expected number of the class, counted from 0. \
In JSON `recommended_is` names the first number (calibrated, grade, cosine or score), \
`truncated` says that a text was cut to the model's limit, `unknown` that a text \
is empty or mostly unknown to its vocabulary, so that the score means little.

Examples:
  gradus score all-MiniLM-L6-v2 \"A plane is taking off.\" \"An air plane takes off.\"
  gradus score cross-encoder/stsb-roberta-base \"A plane is taking off.\" \"A bird flies.\"
  gradus score ./model --pairs reviews.csv --columns review,product --format json
  gradus score all-MiniLM-L6-v2 < pairs.tsv | cut -f 4 > cosines.txt
  gradus score all-MiniLM-L6-v2 < pairs.tsv | paste - pairs.tsv | sort -rg | head
  gradus score all-MiniLM-L6-v2 --output-header < named.tsv | paste - named.tsv";

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
    pub format: Option<AnswerFormat>,
    /// Begin tsv with a row of the columns' names
    #[arg(long)]
    pub output_header: bool,
}

/// Runs the command.
pub fn run(mut args: Args, context: &Context) -> Result<(), Failure> {
    let format = args.format.unwrap_or_else(AnswerFormat::usual);
    if args.jsonl {
        args.reading.form.pairs_format = Some(DataFormat::Jsonl);
    }
    let header = args.output_header && matches!(format, AnswerFormat::Tsv);
    let mut console = Console::beside_results(context.mode);
    let model = context.environment.find(&args.model, &mut console)?;
    let load = |console: &mut Console| {
        Scorer::load(&model, args.prompt.choice(), &context.environment, console)
    };
    if let [first, second] = &args.texts[..] {
        let scorer = load(&mut console)?;
        let mut output = open_output(header)?;
        for score in scorer.score(&[(first, second)])? {
            match format {
                AnswerFormat::Text => shown::write_single(&score, &scorer, &mut output)?,
                _ => shown::write((first, second), &score, format, &mut output)?,
            }
        }
        output.finish()?;
        scorer.notes().iter().for_each(|note| console.note(note));
        return Ok(());
    }
    let stdin = args.pairs.is_none().then_some(DataFormat::Tsv);
    let path = args.pairs.as_deref().unwrap_or(Path::new("standard input"));
    let file = args.reading.file(path, stdin)?;
    // A header that was not announced.
    let note_header = file.header.is_none() && file.format == DataFormat::Tsv && !header;
    let rows = match stdin {
        // Opened before the model is loaded, so that a wrong path shows.
        None => PairReader::open(&file)?,
        Some(_) => {
            if io::stdin().is_terminal() {
                console.note(STDIN);
            }
            PairReader::stream(file, io::stdin())
        }
    };
    let scorer = load(&mut console)?;
    let mut output = open_output(header)?;
    let mut answers = Answers::new(&scorer, rows);
    while let Some(chunk) = answers.next_chunk(&mut console)? {
        for answer in chunk {
            match answer {
                Answer::Header if note_header => console.note(HEADER),
                Answer::Header => {}
                Answer::Blank => output.line("")?,
                Answer::Pair {
                    first,
                    second,
                    score,
                } => shown::write((&first, &second), &score, format, &mut output)?,
            }
        }
        output.flush()?;
    }
    output.finish()?;
    scorer.notes().iter().for_each(|note| console.note(note));
    Ok(())
}

/// Standard output, begun with a row of names where that is wanted.
fn open_output(header: bool) -> Result<Output, Failure> {
    let mut output = Output::open(None)?;
    if header {
        output.line(&shown::COLUMNS.join("\t"))?;
    }
    Ok(output)
}

const STDIN: &str = "reading pairs from standard input, text1<TAB>text2 a line; Ctrl-D ends";

/// What is said of a row that gets no answer.
const HEADER: &str = "the first row holds the columns' names and is not answered (--output-header \
                      answers it with names, --no-header reads it as a pair)";
