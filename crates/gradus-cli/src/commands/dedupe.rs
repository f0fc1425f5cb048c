//! `gradus dedupe`: a corpus without what it says twice.

use crate::answer_format::on_one_line;
use crate::args::one_of;
use crate::context::Context;
use crate::corpus_options::{CorpusOptions, ReportOptions, texts};
use crate::exit::Failure;
use crate::stop;
use gradus_index::duplicates::{ByMeaning, ByWords};
use gradus_index::jobs::dedupe::{DedupeReport, DedupeSettings, Gone, Keep, dedupe};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Texts are compared by words first: those that share at least --word-threshold of \
their runs of five letters. What is left is compared by meaning: exactly, all \
texts with all, or within --clusters, as SemDeDup does. A text goes where one \
that is kept is alike enough, so that for each that goes one stays.

--keep says which stays: first, last, longest, shortest, central or outlying (by \
the distance from the mean), highest:COLUMN or lowest:COLUMN.

The folder gets kept.jsonl, removed.jsonl (each with the text that is kept in its \
place) and report.json. The vectors of a file's texts stay in texts.index there: \
with another threshold the same command does not encode again. The report shows \
pairs of each stretch of cosines, to choose a threshold by.

Examples:
  gradus dedupe texts.txt --model all-MiniLM-L6-v2 --output unique
  gradus dedupe texts.txt --model all-MiniLM-L6-v2 --output unique --threshold 0.95
  gradus dedupe corpus.index --by words --output unique
  gradus dedupe posts.jsonl --column body --model ./model --keep highest:votes --output unique
  gradus dedupe corpus.index --clusters 1000 --keep outlying --output unique";

const WAYS: &[(&str, Way)] = &[
    ("both", Way::Both),
    ("words", Way::Words),
    ("meaning", Way::Meaning),
];

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Words, then meaning.
    Both,
    /// Words alone.
    Words,
    /// Meaning alone.
    Meaning,
}

/// What is compared, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The texts.
    #[command(flatten)]
    pub corpus: CorpusOptions,
    /// The folder of the results, new or of an earlier `gradus dedupe`
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// What is compared
    #[arg(long, default_value = "both", value_parser = one_of(WAYS))]
    pub by: Way,
    /// The least cosine of texts that mean the same
    #[arg(long, value_name = "COSINE", default_value_t = 0.9, allow_hyphen_values = true, value_parser = crate::corpus_options::cosine)]
    pub threshold: f32,
    /// The least share of their runs of letters that texts of the same words have in
    /// common
    #[arg(long, value_name = "SHARE", default_value_t = 0.8, value_parser = crate::corpus_options::share)]
    pub word_threshold: f32,
    /// Letters of a run
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64))]
    pub letters: u16,
    /// Which of alike texts stays
    #[arg(long, value_name = "RULE", default_value = "first", value_parser = keep)]
    pub keep: Keep,
    /// Compare meaning within so many clusters alone, which is faster for very large
    /// corpora and overlooks some
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub clusters: Option<u32>,
    /// Pairs that the report shows of each stretch of cosines
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub examples: u32,
    /// The report.
    #[command(flatten)]
    report: ReportOptions,
}

fn keep(text: &str) -> Result<Keep, String> {
    let of = |prefix: &str| {
        text.strip_prefix(prefix)
            .filter(|column| !column.is_empty())
    };
    Ok(match text {
        "first" => Keep::First,
        "last" => Keep::Last,
        "longest" => Keep::Longest,
        "shortest" => Keep::Shortest,
        "central" => Keep::Central,
        "outlying" => Keep::Outlying,
        _ => match (of("highest:"), of("lowest:")) {
            (Some(column), _) => Keep::Highest(column.into()),
            (_, Some(column)) => Keep::Lowest(column.into()),
            _ => {
                return Err("expected first, last, longest, shortest, central, outlying, highest:COLUMN or lowest:COLUMN".into());
            }
        },
    })
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut console = context.console();
    let kept = args.output.join("texts.index");
    let input = args.corpus.input(&kept, context, &mut console)?;
    let settings = DedupeSettings {
        words: (args.by != Way::Meaning).then_some(ByWords {
            threshold: args.word_threshold,
            letters: args.letters.into(),
        }),
        meaning: (args.by != Way::Words).then_some(ByMeaning {
            threshold: args.threshold,
        }),
        keep: args.keep.clone(),
        clusters: args.clusters.map(|n| n as usize),
        examples: args.examples as usize,
    };
    stop::goes_on_as_typed();
    let environment = &context.environment;
    let report = dedupe(&input, &settings, &args.output, environment, &mut console)?;
    let text = shown(&report, &args.output.display().to_string());
    args.report.print(&text, &report)
}

/// Letters of a text that are shown.
const SHOWN: usize = 70;

fn shown(report: &DedupeReport, folder: &str) -> String {
    let mut lines = vec![format!(
        "{} of {} stay; {} went by words, {} by meaning",
        texts(report.kept),
        texts(report.texts),
        report.by_words,
        report.by_meaning
    )];
    let pair = |gone: &Gone| {
        let short = |text: &str| -> String {
            let text = on_one_line(text);
            match text.char_indices().nth(SHOWN) {
                None => text,
                Some((end, _)) => format!("{}…", &text[..end]),
            }
        };
        let indent = " ".repeat(10);
        format!(
            "{indent}{:.3}  {}\n{indent}       {}",
            gone.score,
            short(&gone.kept),
            short(&gone.text)
        )
    };
    if !report.words_examples.is_empty() {
        lines.push("by words".into());
        lines.extend(report.words_examples.iter().map(pair));
    }
    if !report.cosines.is_empty() {
        lines.push("cosine with the nearest text kept before; texts; that many and above".into());
        let most = report
            .cosines
            .iter()
            .map(|bin| bin.texts)
            .max()
            .unwrap_or(0);
        for bin in &report.cosines {
            let bar = "#".repeat((30 * bin.texts).div_ceil(most.max(1)));
            let mark = match report.threshold {
                Some(threshold) if bin.from <= threshold && threshold < bin.below => {
                    "  <- threshold"
                }
                _ => "",
            };
            lines.push(format!(
                "  {:<5} {:>9} {:>9}  {bar}{mark}",
                bin.from, bin.texts, bin.from_here_up
            ));
            lines.extend(bin.examples.iter().map(pair));
        }
    }
    lines.push(format!(
        "kept.jsonl, removed.jsonl and report.json are in {folder}"
    ));
    lines.join("\n")
}
