//! `gradus data overlap`: what a training set shares with test sets.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{PairOptions, TextOptions};
use crate::progress::Counter;
use crate::remedies::FrontEnd;
use gradus::data::PairFile;
use gradus::data::overlap::{
    HeldOut, Hits, RowWatch, Tally, TestSet, TrainSet, clean, parse_test, parse_train,
};
use gradus::output::Inputs;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
TRAIN and TEST are known data sets with a split (stsb:train, sickr:test, nli; \
sts stands for the seven test sets), files in any form that recipes read \
(AllNLI.tsv.gz:train where rows name their split), or sources as recipes write \
them, in braces.

Two texts are the same exactly, by their words (lower-cased runs of letters and \
digits), or nearly, by the share of their letter trigrams. Each kind holds those \
before it. A pair is the same in both orders.

Examples:
  gradus data overlap stsb:train sts
  gradus data overlap snli_1.0_train.jsonl multinli_1.0_train.jsonl --with sts
  gradus data overlap mine.csv test.csv --examples 3 --write-clean clean.csv
  gradus data overlap '{ path = \"a.dat\", format = \"tsv\", first = 0, second = 1 }' --json
  gradus data overlap --sentences wiki.txt sts --near 0.9";

/// What is to be compared.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The training set, and the test sets to hold it beside; by default sts.
    /// With --with all of these are training sets
    #[arg(required = true, value_name = "TRAIN [TEST...]")]
    pub sets: Vec<String>,
    /// Test sets
    #[arg(long, value_name = "TEST", num_args = 1..)]
    pub with: Vec<String>,
    /// The training sets are files of texts: a sentence a line, or a column
    #[arg(long)]
    pub sentences: bool,
    /// How files that are named without braces are read
    #[command(flatten)]
    pub reading: PairOptions,
    /// Where the texts are, with --sentences
    #[command(flatten)]
    pub column: TextOptions,
    /// Texts that share so much of their trigrams are near (Jaccard, 0 to 1)
    #[arg(long, value_name = "SHARE", default_value = "0.8", value_parser = parse_near)]
    pub near: f64,
    /// Do not look for near texts
    #[arg(long, conflicts_with = "near")]
    pub no_near: bool,
    /// Show so many examples of each kind in each test set
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub examples: usize,
    /// Everything as JSON
    #[arg(long)]
    pub json: bool,
    /// Write the training file without the rows that hold test pairs to FILE
    #[arg(long, value_name = "FILE")]
    pub write_clean: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long, requires = "write_clean")]
    pub overwrite: bool,
    /// What --write-clean drops: rows that hold a test pair, or rows that hold
    /// any test sentence (always so with --sentences)
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "pairs",
        requires = "write_clean"
    )]
    #[arg(value_parser = crate::args::one_of(DROPS))]
    pub drop: Drop,
}

/// Which rows are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drop {
    /// Those that hold a test pair.
    Pairs,
    /// Those that hold a test sentence.
    Sentences,
}

const DROPS: &[(&str, Drop)] = &[("pairs", Drop::Pairs), ("sentences", Drop::Sentences)];

fn parse_near(text: &str) -> Result<f64, String> {
    let near = text.parse().ok().filter(|near| *near > 0.0 && *near <= 1.0);
    near.ok_or_else(|| "give a number above 0 and at most 1".into())
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let here = (Path::new(""), &context.environment.data);
    let (train, test) = sets(&args)?;
    let file = cleanable(&args, &train, here)?;
    let mut inputs = Inputs::new();
    for set in &train {
        for file in set.files(here.0, here.1).map_err(Failure::Input)? {
            inputs.add("the training set", &file.path);
        }
    }
    for source in &test {
        inputs.add_source("a test set", source, here.0, here.1);
    }
    let test = test
        .iter()
        .map(|source| TestSet::read(source, here.0, here.1))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Failure::Input)?;
    // A file that cannot be written shows before the long work.
    let mut cleaned = match &args.write_clean {
        Some(path) => {
            let option = "--write-clean";
            let output = Output::create(Some(path), option, &inputs, args.overwrite)?;
            Some(output)
        }
        None => None,
    };
    let mut held = HeldOut::new(&test, (!args.no_near).then_some(args.near));
    let mut tally = Tally::new(&held, args.examples);
    let mut watch = Watch {
        counter: Counter::new(context.mode, "looking rows up", None),
        drop: if args.sentences {
            Drop::Sentences
        } else {
            args.drop
        },
        dropped: HashSet::new(),
    };
    for set in &train {
        set.look_up(here, &mut held, &mut tally, &mut watch)
            .map_err(Failure::Input)?;
    }
    let Watch {
        counter, dropped, ..
    } = watch;
    drop(counter);
    if let (Some(mut out), Some(file)) = (cleaned.take(), file) {
        clean(&file, &dropped, |line| out.line(line))?;
        out.finish()?;
        let note = format!("{} rows dropped", dropped.len());
        context.mode.note(&note);
    }
    let names: Vec<String> = train.iter().map(TrainSet::name).collect();
    let finding = tally.finding(&held, names.join(" + "));
    let mut output = Output::open(None)?;
    match args.json {
        true => output.json_line(&finding)?,
        false => output.bytes(finding.text().as_bytes())?,
    }
    output.finish()
}

/// The training sets, and the sources of the test sets.
fn sets(args: &Args) -> Result<(Vec<TrainSet>, Vec<gradus::data::Source>), Failure> {
    let suite = ["sts".to_string()];
    let reading = args.reading.template();
    let (train, test) = match (&args.sets[..], &args.with[..]) {
        (all, [_, ..]) => (all, &args.with[..]),
        ([train], []) => (std::slice::from_ref(train), &suite[..]),
        (all, []) => all.split_at(1),
    };
    let train = train.iter().map(|text| match args.sentences {
        true => {
            let file = args.column.file(Path::new(text), &args.reading.form)?;
            Ok(TrainSet::Sentences(Box::new(file)))
        }
        false => parse_train(text, &reading).map_err(|e| usage(text, e)),
    });
    let train = train.collect::<Result<_, Failure>>()?;
    let test = test
        .iter()
        .map(|text| parse_test(text, &reading).map_err(|e| usage(text, e)));
    let test = test.collect::<Result<Vec<_>, _>>()?;
    Ok((train, test.concat()))
}

/// What was typed cannot be understood: remedies are keys within braces, and
/// options outside.
fn usage(text: &str, error: gradus::Error) -> Failure {
    let message = error.to_string();
    Failure::Usage(match error {
        gradus::Error::Data(data) if !text.trim_start().starts_with('{') => {
            let front = FrontEnd::of(&["data", "overlap"]);
            data.reworded(&message, &|remedy| front.say(remedy))
        }
        _ => message,
    })
}

/// The one file that --write-clean copies.
fn cleanable(
    args: &Args,
    train: &[TrainSet],
    (base, root): (&Path, &gradus::data::DataRoot),
) -> Result<Option<PairFile>, Failure> {
    let Some(target) = &args.write_clean else {
        return Ok(None);
    };
    if target
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("gz"))
    {
        let message = "--write-clean writes plain text: give a name without .gz";
        return Err(Failure::Usage(message.into()));
    }
    let mut files = Vec::new();
    for set in train {
        files.extend(set.files(base, root).map_err(Failure::Input)?);
    }
    if let [file] = &files[..]
        && !file.has_lines().map_err(Failure::Input)?
    {
        let message = "--write-clean copies lines, and in Parquet and JSON arrays rows have none \
                       of their own";
        return Err(Failure::Usage(message.into()));
    }
    match files.len() {
        1 => Ok(files.pop()),
        n => Err(Failure::Usage(format!(
            "--write-clean copies one file, and the training set has {n}; clean them one by one"
        ))),
    }
}

/// Counts rows and notes those to be dropped.
struct Watch {
    counter: Counter,
    drop: Drop,
    dropped: HashSet<u64>,
}

impl RowWatch for Watch {
    fn row(&mut self, _file: usize, line: u64, hits: &Hits) {
        self.counter.add(1);
        let hit = match self.drop {
            Drop::Pairs => !hits.pairs.is_empty(),
            Drop::Sentences => !hits.sentences.is_empty(),
        };
        if hit {
            self.dropped.insert(line);
        }
    }
}
