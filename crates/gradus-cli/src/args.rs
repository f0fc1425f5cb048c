//! The command line as typed.

use crate::commands::{
    bench, calibrate, cluster, data, dedupe, distill, encode, eval, index, info, label, mine,
    mine_negatives, negatives, pretrain, pull, quantize, quickstart, report, rerank, score, search,
    self_distill, serve, sweep, train,
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use gradus::{Device, Precision};
use std::path::PathBuf;

const PRECISIONS: &[(&str, Precision)] = &[
    ("auto", Precision::Auto),
    ("f32", Precision::F32),
    ("bf16", Precision::Bf16),
    ("int8", Precision::Int8),
];

const EXAMPLES: &str = "\
A MODEL is a folder in the layout of Hugging Face or sentence-transformers, or \
a model's name on the hub, fetched when first used.

Examples:
  gradus quickstart
  gradus train recipes/sts/cosine-filtered.toml
  gradus pull all-MiniLM-L6-v2
  gradus score all-MiniLM-L6-v2 \"A plane is taking off.\" \"An air plane takes off.\"
  gradus pull sts && gradus eval all-MiniLM-L6-v2

Exit codes:
  0  done
  1  anything not below, such as a full disk
  2  wrong usage
  3  input data that cannot be used
  4  a model that cannot be used
  5  fetching failed
  129, 130, 143  stopped by SIGHUP, Ctrl-C or SIGTERM";

/// Train, measure and use models of graded textual similarity.
#[derive(Debug, Parser)]
#[command(name = "gradus", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Work on N threads; by default one per core. Results do not depend on it
    #[arg(long, global = true, value_name = "N", help_heading = "Global options")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Multiply in this precision: auto takes bf16 where the processor has
    /// instructions for it (GRADUS_ISA=avx512, say, rules out better ones); int8
    /// is for inference alone
    #[arg(
        long,
        global = true,
        value_name = "KIND",
        help_heading = "Global options"
    )]
    #[arg(value_parser = one_of(PRECISIONS))]
    pub precision: Option<Precision>,
    /// Run models on this device: auto, cpu, cuda or cuda:N; by default
    /// $GRADUS_DEVICE, else auto, the first card if there is one that can be used; see
    /// `gradus info --devices`
    #[arg(
        long,
        global = true,
        env = "GRADUS_DEVICE",
        hide_env = true,
        value_name = "DEVICE",
        default_value = "auto",
        hide_default_value = true,
        help_heading = "Global options"
    )]
    pub device: Device,
    /// The folder of the public data sets; by default $GRADUS_DATA, else
    /// gradus/data in the user's cache folder
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub data: Option<PathBuf>,
    /// Nothing on standard error but errors
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
}

/// The subcommands; each has its arguments and its work in a file of its name
/// in `commands/`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// See it all at work: fetch, train, score, compare
    Quickstart(quickstart::Args),
    /// Make a small BERT from plain text, or adapt a model to texts
    Pretrain(Box<pretrain::Args>),
    /// Make small, fast students of a model, from texts without labels
    Distill(Box<distill::Args>),
    /// Have a bi-encoder and a cross-encoder teach each other, without labels
    SelfDistill(self_distill::Args),
    /// Have a model grade pairs that a recipe's stage learns from
    Label(label::Args),
    /// Train a model by a recipe
    Train(train::Args),
    /// Train a recipe under several settings and seeds, and compare them
    Sweep(sweep::Args),
    /// Make a page that shows what training runs did
    Report(report::Args),
    /// Score models on the seven STS tasks, on pairs of your own, or on retrieval
    Eval(eval::Args),
    /// Score how similar pairs of texts are: first the number to use
    Score(score::Args),
    /// Rank documents by how well they fit queries
    Rerank(rerank::Args),
    /// Make an index of texts, to be searched, and see to it
    Index(index::Args),
    /// Search an index: the texts nearest to queries
    Search(Box<search::Args>),
    /// Find clusters of texts, name them by their words, draw a map
    Cluster(Box<cluster::Args>),
    /// Remove what a corpus says twice, in words or in meaning
    Dedupe(Box<dedupe::Args>),
    /// Find the pairs of texts that mean about the same
    Mine(Box<mine::Args>),
    /// Answer requests over HTTP: vectors, scores, grades, rankings
    Serve(Box<serve::Args>),
    /// Map a model's scores to the scale of your own grades
    Calibrate(calibrate::Args),
    /// Make a copy of a model at a quarter of its size, in int8
    Quantize(quantize::Args),
    /// Turn texts into vectors
    Encode(encode::Args),
    /// Mine hard negatives: texts near a query that are not its positives
    MineNegatives(Box<mine_negatives::Args>),
    /// Measure how fast a model encodes on this machine
    Bench(bench::Args),
    /// Describe a model
    Info(info::Args),
    /// Fetch models, or the data of the seven STS tasks
    Pull(pull::Args),
    /// Make hard negatives of sentences, by a language model or by rules
    Negatives(Box<negatives::Args>),
    /// Look into data sets: what training data shares with test sets
    Data(data::Args),
}

impl Command {
    /// The words that call it.
    pub fn path(&self) -> &'static [&'static str] {
        match self {
            Self::Quickstart(_) => &["quickstart"],
            Self::Pretrain(_) => &["pretrain"],
            Self::Distill(_) => &["distill"],
            Self::SelfDistill(_) => &["self-distill"],
            Self::Label(_) => &["label"],
            Self::Train(_) => &["train"],
            Self::Sweep(_) => &["sweep"],
            Self::Report(_) => &["report"],
            Self::Eval(_) => &["eval"],
            Self::Score(_) => &["score"],
            Self::Rerank(_) => &["rerank"],
            Self::Index(args) => args.command.path(),
            Self::Search(_) => &["search"],
            Self::Cluster(_) => &["cluster"],
            Self::Dedupe(_) => &["dedupe"],
            Self::Mine(_) => &["mine"],
            Self::Serve(_) => &["serve"],
            Self::Calibrate(_) => &["calibrate"],
            Self::Quantize(_) => &["quantize"],
            Self::Encode(_) => &["encode"],
            Self::MineNegatives(_) => &["mine-negatives"],
            Self::Bench(_) => &["bench"],
            Self::Info(_) => &["info"],
            Self::Pull(_) => &["pull"],
            Self::Negatives(_) => &["negatives"],
            Self::Data(_) => &["data", "overlap"],
        }
    }
}

/// A parser for one of some words, each with its value.
pub fn one_of<T: Copy + Send + Sync + 'static>(
    choices: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(choices.iter().map(|(word, _)| *word)).try_map(|word| {
        let found = choices.iter().find(|(choice, _)| *choice == word);
        found.map(|(_, value)| *value).ok_or("not one of the words")
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        super::Cli::command().debug_assert();
    }

    /// A run that goes on follows its own settings: every option that it would
    /// not follow is refused. (A group whose options are flattened further is
    /// empty, so that naming it would refuse nothing.)
    #[test]
    fn resuming_takes_no_option_that_it_would_ignore() {
        let mut root = super::Cli::command();
        root.build();
        for (name, followed) in [
            // These two go with --dry-run, which is refused.
            ("train", &["resume", "json", "untimed"][..]),
            ("sweep", &["resume", "json", "no_tests", "tasks"]),
            ("distill", &["resume", "json", "no_tests"]),
            ("self-distill", &["resume", "json", "no_tests"]),
            ("pretrain", &["resume", "json"]),
        ] {
            let command = root.find_subcommand(name).unwrap();
            let find = |id: &str| command.get_arguments().find(|a| a.get_id() == id).unwrap();
            let refused = command.get_arg_conflicts_with(find("resume"));
            for arg in command.get_arguments() {
                let id = arg.get_id().as_str();
                if arg.is_global_set() || ["help", "version"].contains(&id) {
                    continue;
                }
                let mutual = command.get_arg_conflicts_with(arg);
                let conflicts = refused.iter().any(|a| a.get_id() == id)
                    || mutual.iter().any(|a| a.get_id() == "resume");
                assert_ne!(conflicts, followed.contains(&id), "{name}: {id}");
            }
        }
    }
}
