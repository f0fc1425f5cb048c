//! `gradus label`: graded pairs by a model.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{PairOptions, TextOptions};
use crate::reporter::ProgressReporter;
use gradus::data::{RowKind, Source};
use gradus::jobs::label::{LabelSettings, label};
use gradus::jobs::pairing::PairSettings;
use gradus::util::Observer;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
A strong model grades pairs that nobody has graded; a recipe's first stage learns \
these silver pairs, its second one the gold ones (Augmented SBERT; Thakur et al. \
2021). The teacher is a cross-encoder, or a model that makes vectors. Grades are its \
bare scores or cosines; with --graded they are on its scale of grades.

The pairs are read from files, whose own grades are not looked at, or made from texts \
with --corpus: each text with its neighbours of the ranks given, by vectors, and with \
others at random. Work that was stopped goes on when the same command is given again.

FILE ends in .tsv or .jsonl and has the columns sentence1, sentence2, score.

Examples:
  gradus label pairs.tsv --teacher ./cross-encoder --output silver.tsv
  gradus label --corpus sentences.txt --teacher ./cross-encoder --by all-MiniLM-L6-v2 --output silver.jsonl
  gradus label --corpus nli --ranks 1,5,25 --random 1 --most 50000 --teacher all-mpnet-base-v2 --output silver.tsv
  gradus label nli --teacher ./cross-encoder --exclude-overlap --output silver.tsv";

/// What is to be graded.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Files of pairs, or known data sets such as nli
    #[arg(value_name = "PAIRS", required_unless_present = "corpus")]
    pub pairs: Vec<String>,
    /// The model that grades
    #[arg(long, value_name = "MODEL")]
    pub teacher: String,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace FILE
    #[arg(long)]
    pub overwrite: bool,
    /// Grade on the teacher's scale of grades, where it is calibrated or has a head
    #[arg(long)]
    pub graded: bool,
    /// Draw grades beyond LOW and HIGH to them
    #[arg(long, value_name = "LOW,HIGH", value_parser = ends, allow_hyphen_values = true)]
    pub clip: Option<(f64, f64)>,
    /// Leave out the pairs of the seven STS tasks
    #[arg(long)]
    pub exclude_overlap: bool,
    /// At most N pairs, spread over all
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub most: Option<usize>,
    /// Make pairs from the texts of FILE, or of a known data set. Can be repeated
    #[arg(long, value_name = "FILE", conflicts_with = "pairs")]
    #[arg(help_heading = "Pairs made from texts")]
    pub corpus: Vec<String>,
    /// The ranks of a text's neighbours that it is paired with, 1 being the nearest
    #[arg(
        long,
        value_name = "A,B,...",
        value_delimiter = ',',
        default_value = "1,4,16,64"
    )]
    #[arg(help_heading = "Pairs made from texts")]
    #[arg(value_parser = rank)]
    pub ranks: Vec<usize>,
    /// How many texts at random each is paired with
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(help_heading = "Pairs made from texts")]
    pub random: usize,
    /// The model by whose vectors texts are neighbours; by default the teacher, where
    /// it makes vectors
    #[arg(long, value_name = "MODEL", requires = "corpus")]
    #[arg(help_heading = "Pairs made from texts")]
    pub by: Option<String>,
    /// What is drawn at random is a function of this
    #[arg(long, value_name = "N", default_value = "777")]
    #[arg(help_heading = "Pairs made from texts")]
    pub seed: u64,
    /// What was made, as JSON
    #[arg(long)]
    pub json: bool,
    /// How files of pairs are read
    #[command(flatten)]
    pub form: PairOptions,
    /// Where texts are that come alone
    #[command(flatten)]
    pub column: TextOptions,
}

fn rank(text: &str) -> Result<usize, String> {
    let rank = text.trim().parse().ok();
    let rank = rank.filter(|n| (1..=10_000).contains(n));
    rank.ok_or_else(|| "ranks count from 1, the nearest, to 10000".into())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| *n > 0);
    number.ok_or_else(|| "give a number of 1 or more".into())
}

fn ends(text: &str) -> Result<(f64, f64), String> {
    let number = |part: &str| part.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    let (low, high) = text.split_once(',').ok_or("give two numbers, as in 0,1")?;
    match (number(low), number(high)) {
        (Some(low), Some(high)) if low < high => Ok((low, high)),
        _ => Err("give two numbers, the lower first, as in 0,1".into()),
    }
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut reporter = ProgressReporter::new(context.mode, "label");
    let read = |names: &[String], rows: RowKind| -> Result<Vec<Source>, Failure> {
        let each = names.iter().map(|name| {
            let source = match Source::known(name) {
                Some(known) => known,
                None if rows == RowKind::Texts => {
                    super::pretrain::source(Path::new(name), &args.form, &args.column)?
                }
                None => args.form.source(Path::new(name))?,
            };
            Ok(Source {
                rows: Some(rows),
                ..source
            })
        });
        each.collect()
    };
    let settings = LabelSettings {
        pairs: PairSettings {
            sources: read(&args.pairs, RowKind::Pairs)?,
            corpus: read(&args.corpus, RowKind::Texts)?,
            ranks: args.ranks.clone(),
            random: args.random,
            most: args.most,
            exclude_overlap: args.exclude_overlap,
        },
        teacher: args.teacher.clone(),
        neighbours_by: args.by.clone(),
        graded: args.graded,
        clip: args.clip,
        output: args.output.clone(),
        overwrite: args.overwrite,
        seed: args.seed,
    };
    let made = label(&settings, &context.environment, &mut reporter)?;
    for note in &made.notes {
        reporter.note(note);
    }
    let mut output = Output::open(None)?;
    match args.json {
        true => {
            let json = serde_json::json!({
                "output": args.output.display().to_string(),
                "pairs": made.pairs,
                "grades_are": made.grades_are,
                "lowest": made.range.0,
                "highest": made.range.1,
                "overlap": made.overlap,
            });
            output.line(&json.to_string())?;
        }
        false => {
            let (low, high) = made.range;
            output.line(&format!(
                "{}: {} pairs, {} from {low:.4} to {high:.4}",
                args.output.display(),
                made.pairs,
                made.grades_are
            ))?;
        }
    }
    output.finish()
}
