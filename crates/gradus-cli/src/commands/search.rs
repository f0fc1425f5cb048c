//! `gradus search`: the texts of an index that are nearest to queries.

use crate::answer_format::{AnswerFormat, FORMATS, on_one_line};
use crate::args::one_of;
use crate::console::Console;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{FormOptions, TextOptions};
use crate::prompt_options::PromptOptions;
use gradus_index::filter::Filter;
use gradus_index::jobs::{Approximate, Found, Rerank, SearchSettings, Searcher};
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::PathBuf;

const EXAMPLES: &str = "\
The search is exact, unless --approximate: every text is compared. Queries come from the model that made \
the index, behind its prompt for queries where it has one; another model is \
refused. Equal cosines leave texts in the order in which they were added.

A filter holds for a text by its other columns: =, !=, <, <=, >, >=, in (...), \
and, or, not. Texts stand in quotes, a column with other signs than letters, \
digits, _, - and . in backquotes.

With --hybrid the query's words are looked for too (BM25), and a text's ranks in both \
lists are put together (reciprocal rank fusion); the score is then the sum of 1 / (60 + \
rank). `gradus index words` prepares an index.

tsv has the columns
  query  rank  score  id  text
json is an object a query, with the columns of each text.

Examples:
  gradus search texts.index \"a quiet hotel\"
  gradus search corpus.index --input queries.txt --top 100 --format json > found.jsonl
  gradus search corpus.index \"heat pumps\" --filter 'lang = \"de\" and year > 2019'
  gradus search corpus.index \"ISO 9001\" --hybrid
  gradus search corpus.index --input queries.txt --approximate --recall 0.99
  gradus search corpus.index \"heat pumps\" --rerank cross-encoder/ms-marco-MiniLM-L6-v2";

/// What is searched.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index
    pub index: PathBuf,
    /// The queries
    #[arg(value_name = "QUERY", required_unless_present = "input")]
    pub queries: Vec<String>,
    /// Read queries from FILE: its lines, or a column of a .csv, .tsv, .jsonl, .json
    /// or .parquet file
    #[arg(long, short, value_name = "FILE", conflicts_with = "queries")]
    pub input: Option<PathBuf>,
    /// At most N texts a query
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub top: u32,
    /// Only texts for whose columns this holds
    #[arg(long, value_name = "CONDITION")]
    pub filter: Option<String>,
    /// A cross-encoder that ranks the nearest texts again
    #[arg(long, value_name = "MODEL")]
    pub rerank: Option<String>,
    /// Look for the query's words too (`gradus index words`)
    #[arg(long)]
    pub hybrid: bool,
    /// So many of the nearest texts --rerank reads, and --hybrid puts together with as many
    /// of the best by words; by default 100
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub candidates: Option<u32>,
    /// Walk through the index's graph (`gradus index graph`) in place of comparing all
    /// texts: faster, and now and then a near text is overlooked
    #[arg(long)]
    pub approximate: bool,
    /// Search as widely as found this share of the ten nearest when the graph was made
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    #[arg(requires = "approximate", value_parser = crate::corpus_options::share)]
    pub recall: f32,
    /// Keep so many candidates while walking
    #[arg(
        long,
        value_name = "N",
        requires = "approximate",
        conflicts_with = "recall"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub width: Option<u32>,
    /// The model, where it is no longer where it was; it must be the same
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// The form of the answers; by default text on a terminal, else tsv
    #[arg(long, value_parser = one_of(FORMATS))]
    pub format: Option<AnswerFormat>,
    /// Which prompt.
    #[command(flatten)]
    pub prompt: PromptOptions,
    /// Where the queries are.
    #[command(flatten)]
    pub column: TextOptions,
    /// What the rows look like.
    #[command(flatten)]
    pub form: FormOptions,
}

/// Queries that are searched together.
const BLOCK: usize = 256;

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let format = args.format.unwrap_or_else(AnswerFormat::usual);
    let mut console = Console::beside_results(context.mode);
    // What can be wrong with what was typed shows before the model is loaded.
    let filter = args.filter.as_deref().map(Filter::parse).transpose();
    let filter = filter.map_err(|e| Failure::Usage(e.to_string()))?;
    let queries = queries(&args)?;
    if args.candidates.is_some() && !args.hybrid && args.rerank.is_none() {
        let why = "--candidates is of use with --rerank or --hybrid";
        return Err(Failure::Usage(why.into()));
    }
    let candidates = args.candidates.unwrap_or(100) as usize;
    let environment = &context.environment;
    let mut find = |name: &String| environment.find(name, &mut console);
    let rerank = match &args.rerank {
        None => None,
        Some(name) => Some(Rerank {
            model: find(name)?,
            candidates,
        }),
    };
    let settings = SearchSettings {
        model: args.model.as_ref().map(&mut find).transpose()?,
        prompt: args.prompt.choice(),
        hybrid: args.hybrid.then_some(candidates),
        rerank,
        approximate: args.approximate.then_some(match args.width {
            Some(width) => Approximate::Width(width as usize),
            None => Approximate::Recall(f64::from(args.recall)),
        }),
    };
    let searcher = Searcher::begin(&args.index, &settings, environment, &mut console)?;
    let mut output = Output::open(None)?;
    let several = queries.len() > 1;
    for (block, some) in queries.chunks(BLOCK).enumerate() {
        let texts: Vec<&str> = some.iter().map(String::as_str).collect();
        let found = searcher.search(&texts, args.top as usize, filter.as_ref())?;
        for (place, (query, found)) in some.iter().zip(&found).enumerate() {
            let number = block * BLOCK + place + 1;
            match format {
                AnswerFormat::Json => output.json_line(&Answer::new(query, found))?,
                AnswerFormat::Tsv => tsv(&mut output, number, found)?,
                AnswerFormat::Text => {
                    if several {
                        output.line(&format!("{number}. {query}"))?;
                    }
                    text(&mut output, found)?;
                }
            }
        }
        output.flush()?;
    }
    output.finish()
}

fn queries(args: &Args) -> Result<Vec<String>, Failure> {
    let Some(path) = &args.input else {
        return Ok(args.queries.clone());
    };
    let rows = args.column.file(path, &args.form)?.rows()?;
    let texts = rows.map(|row| row.map(|row| row.text));
    Ok(texts.collect::<Result<_, _>>()?)
}

/// The number that ranks.
fn score(found: &Found) -> f64 {
    let best = found.score.or(found.fused);
    best.unwrap_or(f64::from(found.cosine))
}

fn tsv(output: &mut Output, number: usize, found: &[Found]) -> Result<(), Failure> {
    for (rank, found) in (1..).zip(found) {
        let (id, text) = (&found.record.id, on_one_line(&found.record.text));
        output.line(&format!(
            "{number}\t{rank}\t{}\t{}\t{text}",
            score(found),
            on_one_line(id)
        ))?;
    }
    Ok(())
}

fn text(output: &mut Output, found: &[Found]) -> Result<(), Failure> {
    if found.is_empty() {
        output.line("nothing was found")?;
    }
    for found in found {
        let text = on_one_line(&found.record.text);
        output.line(&format!(
            "{:7.4}  {}  {text}",
            score(found),
            on_one_line(&found.record.id)
        ))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Answer<'a> {
    query: &'a str,
    results: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    cosine: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    fused: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    text: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    columns: &'a Map<String, Value>,
}

impl<'a> Answer<'a> {
    fn new(query: &'a str, found: &'a [Found]) -> Self {
        let row = |found: &'a Found| Row {
            id: &found.record.id,
            cosine: found.cosine,
            fused: found.fused,
            score: found.score,
            text: &found.record.text,
            columns: &found.record.columns,
        };
        Self {
            query,
            results: found.iter().map(row).collect(),
        }
    }
}
