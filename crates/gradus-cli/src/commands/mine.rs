//! `gradus mine`: pairs of texts that mean about the same.

use crate::answer_format::{AnswerFormat, FORMATS, on_one_line};
use crate::args::one_of;
use crate::console::Console;
use crate::context::Context;
use crate::corpus_options::CorpusOptions;
use crate::exit::Failure;
use crate::output::Output;
use crate::stop;
use gradus::output::Inputs;
use gradus::util::Observer;
use gradus_index::jobs::mine::{MineSettings, Mined, Paraphrase};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Every text is compared with every other, exactly; the best pairs come first, those \
of equal cosine in the order of their texts. Pairs have grades where the model has \
a calibration (`gradus calibrate`) or a regression head.

tsv has the columns
  recommended  low  high  cosine  grade  id1  id2  sentence1  sentence2
where recommended is the number to use; tabs and line ends in texts become spaces. \
json is an object a line, which `gradus score` and recipes read as pairs.

Examples:
  gradus mine texts.txt --model all-MiniLM-L6-v2
  gradus mine corpus.index --threshold 0.9 --top 1000 --format json --output pairs.jsonl
  gradus mine questions.tsv --column question --model ./model --neighbours 3 --vectors questions.index";

/// Which pairs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The texts.
    #[command(flatten)]
    pub corpus: CorpusOptions,
    /// The least cosine of a pair
    #[arg(long, value_name = "COSINE", default_value_t = 0.8, allow_hyphen_values = true, value_parser = crate::corpus_options::cosine)]
    pub threshold: f32,
    /// At most N pairs, the best ones
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub top: u32,
    /// Only pairs of a text with one of its N nearest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub neighbours: Option<u32>,
    /// The form of the pairs; by default text on a terminal, else tsv
    #[arg(long, value_parser = one_of(FORMATS))]
    pub format: Option<AnswerFormat>,
    /// Write to FILE, which appears when all is written
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace FILE where there is one
    #[arg(long, requires = "output")]
    pub overwrite: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let usual = || match args.output {
        None => AnswerFormat::usual(),
        Some(_) => AnswerFormat::Tsv,
    };
    let format = args.format.unwrap_or_else(usual);
    let mut console = Console::beside_results(context.mode);
    let inputs = Inputs::new().with("the texts", &args.corpus.input);
    let mut output = Output::create(args.output.as_deref(), "--output", &inputs, args.overwrite)?;
    // Where nobody wants to keep vectors they are gone in the end.
    let passing = tempfile::TempDir::with_prefix("gradus-mine-");
    let passing = passing.map_err(|source| Failure::Output {
        to: std::env::temp_dir().display().to_string(),
        source,
    })?;
    let kept = passing.path().join("texts.index");
    let input = args.corpus.input(&kept, context, &mut console)?;
    let environment = &context.environment;
    let model = args.corpus.model.as_ref();
    let model = model
        .map(|name| environment.find(name, &mut console))
        .transpose()?;
    let settings = MineSettings {
        threshold: args.threshold,
        most: args.top as usize,
        neighbours: args.neighbours.map(|n| n as usize),
    };
    if args.corpus.vectors.is_some() {
        stop::goes_on_as_typed();
    }
    let mined = Mined::find(&input, model.as_ref(), &settings, environment, &mut console)?;
    for pairs in mined.chunks() {
        for pair in pairs? {
            write(&mut output, &pair, format)?;
        }
    }
    if mined.count() == 0 {
        let none = format!("no pair has a cosine of {} or more", args.threshold);
        console.note(&none);
    }
    output.finish()
}

fn write(output: &mut Output, pair: &Paraphrase, format: AnswerFormat) -> Result<(), Failure> {
    let score = &pair.score;
    match format {
        AnswerFormat::Json => output.json_line(&pair.line()),
        AnswerFormat::Tsv => {
            let cell = |number: Option<f64>| number.map_or(String::new(), |n| n.to_string());
            let cells = [
                score.recommended.to_string(),
                cell(score.calibrated.map(|c| c.low)),
                cell(score.calibrated.map(|c| c.high)),
                cell(score.cosine),
                cell(score.grade),
                on_one_line(&pair.first.id),
                on_one_line(&pair.second.id),
                on_one_line(&pair.first.text),
                on_one_line(&pair.second.text),
            ];
            output.line(&cells.join("\t"))
        }
        AnswerFormat::Text => output.line(&format!(
            "{:7.4}  {} | {}",
            score.recommended,
            on_one_line(&pair.first.text),
            on_one_line(&pair.second.text)
        )),
    }
}
