//! `gradus mine-negatives`: texts near a query that are not its positives.

use crate::args::one_of;
use crate::console::Console;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{FormOptions, PairOptions, TextOptions};
use gradus::format::PromptChoice;
use gradus::jobs::Environment;
use gradus::jobs::mine_negatives::{
    MinedForm, MinedFormat, Mining, MiningReport, MiningRules, MiningSettings, Rescore, Sampling,
    Written,
};
use gradus::models::CrossEncoder;
use gradus::util::Observer;
use gradus::{Error, Result as LibraryResult};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Every query is compared with every text by cosine. Of the nearest, its own \
positives go first, then what margins and bounds refuse; the negatives are the best \
of what is left, or a random sample. Options, defaults and results are those of \
sentence-transformers' mine_hard_negatives.

The columns: triplet anchor, positive, negative; n-tuple anchor, positive, \
negative_1, ...; labeled-pair query, document, label; labeled-list query, docs, \
labels. With --output-scores there is a column scores, in labeled-pair score, in \
place of labels. `gradus train` reads them all.

Examples:
  gradus mine-negatives all-MiniLM-L6-v2 --pairs questions.tsv --output triplets.tsv
  gradus mine-negatives ./model --pairs pairs.jsonl --corpus texts.txt --output negatives.csv
  gradus mine-negatives ./model --pairs pairs.jsonl --relative-margin 0.05 --output hard.tsv
  gradus mine-negatives ./model --pairs pairs.jsonl --output-format labeled-list --output lists.jsonl";

const FORMATS: &[(&str, MinedFormat)] = &[
    ("triplet", MinedFormat::Triplet),
    ("n-tuple", MinedFormat::Tuple),
    ("labeled-pair", MinedFormat::LabeledPair),
    ("labeled-list", MinedFormat::LabeledList),
];
const SAMPLINGS: &[(&str, Sampling)] = &[("top", Sampling::Top), ("random", Sampling::Random)];

/// What is mined, and what is written.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model whose vectors are compared
    pub model: String,
    /// The pairs of a query and a positive
    #[arg(long, value_name = "FILE")]
    pub pairs: PathBuf,
    /// Further texts that may be negatives: the lines of FILE, or its column of a
    /// usual name; without it the positives alone are
    #[arg(long, value_name = "FILE")]
    pub corpus: Option<PathBuf>,
    /// Pass over the N nearest that are left
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub range_min: u32,
    /// Candidates beyond rank N do not count; by default as many as are needed, ten
    /// times that where a margin or --max-score may refuse some
    #[arg(long, value_name = "N")]
    pub range_max: Option<u32>,
    /// Refuse candidates of a higher score
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    pub max_score: Option<f64>,
    /// Refuse candidates of a lower score
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    pub min_score: Option<f64>,
    /// A candidate must lie at least so much below the query's hardest positive
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub absolute_margin: Option<f64>,
    /// A candidate must lie below the query's hardest positive by this share of that
    /// score
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub relative_margin: Option<f64>,
    /// How many negatives a query gets at most
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub num_negatives: u32,
    /// Which of those that are left are taken
    #[arg(long, value_name = "KIND", default_value = "top", value_parser = one_of(SAMPLINGS))]
    pub sampling: Sampling,
    /// What --sampling random is drawn from
    #[arg(long, value_name = "N", default_value_t = 777)]
    pub seed: u64,
    /// Let positives be among the negatives, for a whole ranking: n-tuple alone
    #[arg(long)]
    pub include_positives: bool,
    /// What a row holds; by default triplet, n-tuple with --include-positives
    #[arg(long, value_name = "FORMAT", value_parser = one_of(FORMATS))]
    pub output_format: Option<MinedFormat>,
    /// Write the scores too
    #[arg(long)]
    pub output_scores: bool,
    /// Put the model's prompt NAME before queries; by default its prompt `query`,
    /// where it has one
    #[arg(long, value_name = "NAME")]
    pub query_prompt: Option<String>,
    /// Put the model's prompt NAME before positives and corpus; by default its prompt
    /// `document`, where it has one
    #[arg(long, value_name = "NAME")]
    pub corpus_prompt: Option<String>,
    /// Score candidates and positives by the cross-encoder MODEL in place of cosines
    /// where a margin or bound looks at scores
    #[arg(long, value_name = "MODEL")]
    pub cross_encoder: Option<String>,
    /// How to read the pairs.
    #[command(flatten)]
    pub reading: PairOptions,
    /// Write to FILE, which appears when all is done: .tsv, .csv or .jsonl
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace a file that exists
    #[arg(long)]
    pub overwrite: bool,
}

impl Args {
    fn form(&self) -> Result<MinedForm, Failure> {
        let usage = |message: String| Err(Failure::Usage(message));
        let Some(written) = Written::of(&self.output) else {
            let path = self.output.display();
            return usage(format!(
                "--output {path}: give it the extension .tsv, .csv or .jsonl"
            ));
        };
        let format = match (self.output_format, self.include_positives) {
            (Some(format), true) if format != MinedFormat::Tuple => {
                return usage("--include-positives is for --output-format n-tuple, which keeps the ranking; leave one out".into());
            }
            (Some(format), _) => format,
            (None, true) => MinedFormat::Tuple,
            (None, false) => MinedFormat::Triplet,
        };
        Ok(MinedForm {
            format,
            scores: self.output_scores,
            negatives: self.num_negatives as usize,
            written,
        })
    }

    fn settings(&self) -> Result<MiningSettings, Failure> {
        let corpus = self.corpus.as_deref();
        let corpus = corpus.map(|path| TextOptions::default().file(path, &FormOptions::default()));
        let usual = MiningSettings::new(&self.model, self.reading.source(&self.pairs)?);
        let named = |name: &Option<String>, usual| match name {
            Some(name) => PromptChoice::Named(name.clone()),
            None => usual,
        };
        Ok(MiningSettings {
            corpus: corpus.transpose()?,
            rules: MiningRules {
                range_min: self.range_min as usize,
                range_max: self.range_max.map(|n| n as usize),
                max_score: self.max_score,
                min_score: self.min_score,
                absolute_margin: self.absolute_margin,
                relative_margin: self.relative_margin,
                num_negatives: self.num_negatives as usize,
                sampling: self.sampling,
                seed: self.seed,
                include_positives: self.include_positives,
            },
            query_prompt: named(&self.query_prompt, usual.query_prompt.clone()),
            corpus_prompt: named(&self.corpus_prompt, usual.corpus_prompt.clone()),
            ..usual
        })
    }
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let form = args.form()?;
    let settings = args.settings()?;
    let mut console = context.console();
    let mining = Mining::prepare(&settings, &context.environment, &mut console)?;
    let inputs = mining.inputs();
    let mut output = Output::create(Some(&args.output), "--output", &inputs, args.overwrite)?;
    if let Some(header) = form.header() {
        output.line(&header)?;
    }
    let environment = &context.environment;
    let mut rescorer = match &args.cross_encoder {
        Some(name) => Some(rescorer(name, environment, &mut console)?),
        None => None,
    };
    let rescore = rescorer.as_mut().map(|model| model as &mut dyn Rescore);
    let (mut rows, mut failed) = (0, None);
    let report = mining.run(environment, rescore, &mut console, |mined| {
        for line in form.lines(&mined)? {
            rows += 1;
            if let Err(failure) = output.line(&line) {
                failed = Some(failure);
                return stopped();
            }
        }
        Ok(())
    });
    if let Some(failure) = failed {
        return Err(failure);
    }
    let report = report?;
    output.finish()?;
    say(&report, rows, &args, &mut console);
    Ok(())
}

/// The cross-encoder of a name, which must give one score.
fn rescorer(
    name: &str,
    environment: &Environment,
    console: &mut Console,
) -> Result<CrossEncoder, Failure> {
    let found = environment.find(name, console)?;
    let backend = environment.backend_for(&found.folder, console)?;
    let model = CrossEncoder::load(&found.folder, backend)?;
    model.check_one_label("score candidates")?;
    Ok(model)
}

/// Ends the work where its result cannot be written.
fn stopped() -> LibraryResult<()> {
    Err(Error::Stopped("while writing negatives".into()))
}

/// What was mined, and what was refused.
fn say(report: &MiningReport, rows: u64, args: &Args, console: &mut Console) {
    console.note(&format!(
        "{rows} rows in {}: {} negatives of {} queries with {} positives, out of {} texts",
        args.output.display(),
        report.negatives,
        report.queries,
        report.pairs,
        report.texts
    ));
    let dropped = report.dropped;
    let refused: Vec<String> = [
        ("positives", dropped.positives),
        ("by --absolute-margin", dropped.absolute_margin),
        ("by --relative-margin", dropped.relative_margin),
        ("by --max-score", dropped.max_score),
        ("by --min-score", dropped.min_score),
    ]
    .iter()
    .filter(|(_, count)| *count > 0)
    .map(|(why, count)| format!("{count} {why}"))
    .collect();
    if !refused.is_empty() {
        console.note(&format!("candidates left out: {}", refused.join(", ")));
    }
    if report.short > 0 {
        console.note(&format!(
            "{} queries have fewer than {} negatives; a higher --range-max than {} finds more, or margins and bounds that refuse less",
            report.short, args.num_negatives, report.last_rank
        ));
    }
}
