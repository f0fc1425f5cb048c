//! `gradus cluster`: texts in groups, with words and a map.

use crate::args::one_of;
use crate::context::Context;
use crate::corpus_options::{CorpusOptions, ReportOptions, texts};
use crate::exit::Failure;
use crate::stop;
use gradus_index::groups::{Communities, Density, KMeans, Select};
use gradus_index::jobs::cluster::{
    Cluster, ClusterSettings, Clustered, Method, RowsFormat, cluster,
};
use serde::Serialize;
use std::path::PathBuf;

const EXAMPLES: &str = "\
density (HDBSCAN) finds dense regions and how many there are; texts in none stay \
alone. k-means puts every text into one of --clusters. communities are groups \
around a text, all of at least --threshold with it, as sentence-transformers \
defines them. All compare exactly, and give the same on any number of threads.

The folder gets texts.jsonl (each text with its cluster), clusters.jsonl (each \
cluster with its telling words and most central texts) and map.html, to be \
opened in a browser. The vectors of a file's texts stay in texts.index there: \
with other settings the same command does not encode again.

Examples:
  gradus cluster texts.txt --model all-MiniLM-L6-v2 --output clusters
  gradus cluster corpus.index --method k-means --clusters 50 --output clusters
  gradus cluster reviews.csv --column review --model ./model --method communities --threshold 0.7 --output clusters
  gradus cluster corpus.index --min-size 30 --rows parquet --output clusters";

const METHODS: &[(&str, Way)] = &[
    ("density", Way::Density),
    ("k-means", Way::KMeans),
    ("communities", Way::Communities),
];

/// How clusters are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Dense regions.
    Density,
    /// Around means.
    KMeans,
    /// Neighbourhoods.
    Communities,
}

const SELECTS: &[(&str, Select)] = &[("stable", Select::Stable), ("finest", Select::Finest)];

const ROWS: &[(&str, RowsFormat)] = &[
    ("jsonl", RowsFormat::Jsonl),
    ("parquet", RowsFormat::Parquet),
];

/// What is clustered, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The texts.
    #[command(flatten)]
    pub corpus: CorpusOptions,
    /// The folder of the results, new or of an earlier `gradus cluster`
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// How clusters are found
    #[arg(long, default_value = "k-means", value_parser = one_of(METHODS))]
    pub method: Way,
    /// k-means: so many clusters; by default the root of half the number of texts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub clusters: Option<u32>,
    /// k-means: the seed of its first means
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// density, communities: the least size of a cluster
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(2..))]
    pub min_size: u32,
    /// density: a text is as dense as the distance of its N-th nearest says, itself
    /// counted; by default as --min-size
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub neighbours: Option<u32>,
    /// density: take the clusters that last longest, or the finest
    #[arg(long, default_value = "stable", value_parser = one_of(SELECTS))]
    pub select: Select,
    /// communities: the least cosine with the text in the middle
    #[arg(long, value_name = "COSINE", default_value_t = 0.75, allow_hyphen_values = true, value_parser = crate::corpus_options::cosine)]
    pub threshold: f32,
    /// Telling words of each cluster
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub keywords: u32,
    /// Most central texts of each cluster
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub examples: u32,
    /// At most N texts on the map, evenly taken
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub drawn: u32,
    /// The form of the list of texts
    #[arg(long, default_value = "jsonl", value_parser = one_of(ROWS))]
    pub rows: RowsFormat,
    /// The report.
    #[command(flatten)]
    report: ReportOptions,
}

impl Args {
    fn method(&self) -> Method {
        let smallest = self.min_size as usize;
        match self.method {
            Way::KMeans => Method::KMeans(KMeans {
                seed: self.seed,
                ..KMeans::new(self.clusters.unwrap_or(0) as usize)
            }),
            Way::Communities => Method::Communities(Communities {
                threshold: self.threshold,
                smallest,
            }),
            Way::Density => Method::Density(Density {
                smallest,
                neighbours: self.neighbours.unwrap_or(self.min_size) as usize,
                select: self.select,
            }),
        }
    }
}

/// Clusters that are listed.
const LISTED: usize = 20;

/// The report as JSON.
#[derive(Serialize)]
struct Report<'a> {
    method: &'a str,
    texts: usize,
    alone: usize,
    clusters: &'a [Cluster],
    files: &'a [String],
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut console = context.console();
    let kept = args.output.join("texts.index");
    let input = args.corpus.input(&kept, context, &mut console)?;
    let settings = ClusterSettings {
        method: args.method(),
        keywords: args.keywords as usize,
        examples: args.examples as usize,
        drawn: args.drawn as usize,
        rows: args.rows,
    };
    stop::goes_on_as_typed();
    let environment = &context.environment;
    let found = cluster(&input, &settings, &args.output, environment, &mut console)?;
    let Clustered { clustering, files } = &found;
    let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    let in_clusters: usize = clustering.clusters.iter().map(|c| c.size).sum();
    let mut lines = vec![format!(
        "{} of {}, {} in none",
        match clustering.clusters.len() {
            1 => "1 cluster".into(),
            count => format!("{count} clusters"),
        },
        texts(in_clusters),
        texts(clustering.alone)
    )];
    for cluster in clustering.clusters.iter().take(LISTED) {
        let words = cluster.keywords.iter().take(6).map(String::as_str);
        let words: Vec<&str> = words.collect();
        let words = match words.is_empty() {
            true => "(no words)".into(),
            false => words.join(", "),
        };
        lines.push(format!("{:>7}  {words}", cluster.size));
    }
    if clustering.clusters.len() > LISTED {
        let more = clustering.clusters.len() - LISTED;
        lines.push(format!("         and {more} more"));
    }
    lines.extend(files.iter().cloned());
    let report = Report {
        method: clustering.method,
        texts: in_clusters + clustering.alone,
        alone: clustering.alone,
        clusters: &clustering.clusters,
        files: &files,
    };
    args.report.print(&lines.join("\n"), &report)
}
