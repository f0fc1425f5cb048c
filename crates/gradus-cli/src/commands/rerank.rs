//! `gradus rerank`: documents by how well they fit queries.

mod shown;

use crate::args::one_of;
use crate::console::Console;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{FormOptions, TextOptions, column};
use gradus::Error;
use gradus::data::Format as DataFormat;
use gradus::data::{Column, DataError, IdColumn, Lines, TextFile};
use gradus::jobs::rerank::{Item, Reranker, texts};
use gradus::util::Observer;
use shown::Shown;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
A cross-encoder reads each document with the query: best for the few hundred that \
a search found. Any other model ranks by the cosine of vectors, with its prompts \
for queries and documents where it has such. Equal scores leave documents in \
their order. The answers to a query are written when it is ranked.

Documents are read one a line, from standard input unless there is --documents; \
of .csv, .tsv, .jsonl, .json and .parquet a column is read, and ids from a column \
of a usual name (id, _id, doc_id, docid, qid, ...) or the one given. Without ids \
documents and queries are called by their number, counted from 1.

tsv has the columns
  query  rank  score  document  text
with the query's and the document's id; tabs and line ends in texts become \
spaces. json is an object a line, with the texts as they are, `index` being the \
document's place counted from 0. trec is a run as trec_eval reads it.

Examples:
  gradus rerank cross-encoder/ms-marco-MiniLM-L6-v2 --query \"how tall is K2\" --documents found.txt
  gradus rerank ./model --queries queries.tsv --documents corpus.jsonl --top 1000 --format trec > run.trec
  gradus rerank ./model --query \"a quiet hotel\" --documents hotels.csv --column review --id-column hotel
  grep -i hotel notes.txt | gradus rerank all-MiniLM-L6-v2 --query \"a quiet hotel\" --top 3";

const FORMATS: &[(&str, Format)] = &[
    ("text", Format::Text),
    ("tsv", Format::Tsv),
    ("json", Format::Json),
    ("trec", Format::Trec),
];

/// The form of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Rounded, for people.
    Text,
    /// Unrounded.
    Tsv,
    /// An object a line.
    Json,
    /// A run for trec_eval.
    Trec,
}

/// What is to be ranked.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model: a cross-encoder, or one that makes vectors
    pub model: String,
    /// The query
    #[arg(long, value_name = "TEXT", required_unless_present = "queries", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub query: Option<String>,
    /// Read queries from FILE, as documents are read
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    pub queries: Option<PathBuf>,
    /// Read documents from FILE: its lines, or a column of a .csv, .tsv, .jsonl,
    /// .json or .parquet file
    #[arg(long, short, value_name = "FILE")]
    pub documents: Option<PathBuf>,
    /// At most N documents a query, the best ones
    #[arg(long, value_name = "N", default_value = "10")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub top: u32,
    /// The form of the answers; by default text on a terminal, else tsv
    #[arg(long, value_parser = one_of(FORMATS))]
    pub format: Option<Format>,
    /// Begin tsv with a row of the columns' names
    #[arg(long)]
    pub output_header: bool,
    /// Where the documents' texts are.
    #[command(flatten)]
    pub column: TextOptions,
    /// The column of the documents' ids: a name, or a place counted from 0
    #[arg(long, value_name = "NAME|INDEX", value_parser = column)]
    #[arg(help_heading = "How to read files")]
    pub id_column: Option<Column>,
    /// The column of the queries' texts
    #[arg(long, value_name = "NAME|INDEX", value_parser = column, requires = "queries")]
    #[arg(help_heading = "How to read files")]
    pub query_column: Option<Column>,
    /// The column of the queries' ids
    #[arg(long, value_name = "NAME|INDEX", value_parser = column, requires = "queries")]
    #[arg(help_heading = "How to read files")]
    pub query_id_column: Option<Column>,
    /// What the rows of files with columns look like.
    #[command(flatten)]
    pub form: FormOptions,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let format = args.format.unwrap_or(match io::stdout().is_terminal() {
        true => Format::Text,
        false => Format::Tsv,
    });
    let mut console = Console::beside_results(context.mode);
    // What can be wrong with files shows before the model is loaded.
    let queries = queries(&args)?;
    let documents = documents(&args, &mut console)?;
    if format == Format::Trec {
        shown::check_ids(&queries, "query")?;
        shown::check_ids(&documents, "document")?;
    }
    let environment = &context.environment;
    let model = environment.find(&args.model, &mut console)?;
    let ranker = Reranker::begin(&model, documents, environment, &mut console)?;
    let mut output = Output::open(None)?;
    if args.output_header && format == Format::Tsv {
        output.line(&shown::COLUMNS.join("\t"))?;
    }
    let mut shown = Shown::new(format, &ranker, queries.len(), output);
    for query in &queries {
        let ranked = ranker.rank(&query.text, args.top as usize, &mut console)?;
        shown.write(query, &ranked)?;
    }
    shown.finish()?;
    ranker.notes().iter().for_each(|note| console.note(note));
    Ok(())
}

fn queries(args: &Args) -> Result<Vec<Item>, Failure> {
    let Some(path) = &args.queries else {
        return Ok(vec![Item {
            id: "1".into(),
            text: args.query.clone().unwrap_or_default(),
        }]);
    };
    let column = TextOptions {
        column: args.query_column.clone(),
    };
    let form = form_of(path, args.documents.as_deref(), &args.form);
    let file = file(path, &column, &form, &args.query_id_column)?;
    texts(file.rows().map_err(for_queries), path, "queries").map_err(Failure::from)
}

fn documents(args: &Args, console: &mut Console) -> Result<Vec<Item>, Failure> {
    if let Some(path) = &args.documents {
        let form = form_of(path, args.queries.as_deref(), &args.form);
        let file = file(path, &args.column, &form, &args.id_column)?;
        return texts(file.rows(), path, "documents").map_err(Failure::from);
    }
    if io::stdin().is_terminal() {
        console.note("reading documents from standard input, one a line; Ctrl-D ends");
    }
    let path = Path::new("standard input");
    let form = form_of(path, args.queries.as_deref(), &args.form);
    let file = file(path, &args.column, &form, &args.id_column)?;
    let rows = Lines::new(io::stdin(), path).and_then(|lines| file.rows_from(lines));
    texts(rows, path, "documents").map_err(Failure::from)
}

/// What is said of rows, as far as it is meant for the file at `path`: what only
/// cells have goes to the other file where that alone has cells.
fn form_of(path: &Path, other: Option<&Path>, form: &FormOptions) -> FormOptions {
    let cells = |path: &Path| {
        let format = form.pairs_format.or_else(|| TextFile::format_of(path));
        format.is_some_and(DataFormat::has_cells)
    };
    match !cells(path) && other.is_some_and(cells) {
        false => form.clone(),
        true => FormOptions {
            pairs_format: form.pairs_format,
            ..FormOptions::default()
        },
    }
}

/// A file of texts, with their ids where it has such.
fn file(
    path: &Path,
    column: &TextOptions,
    form: &FormOptions,
    id: &Option<Column>,
) -> Result<TextFile, Failure> {
    let mut file = column.file(path, form)?;
    file.id = match (file.format, id) {
        (_, None) => IdColumn::Usual,
        (Some(_), Some(id)) => IdColumn::Given(id.clone()),
        (None, Some(id)) => {
            return Err(Failure::Usage(format!(
                "ids in {id} are for files with columns, and {} is read as lines; leave the \
                 option out, or add --pairs-format tsv, csv, jsonl or parquet",
                path.display()
            )));
        }
    };
    Ok(file)
}

/// The column of the queries' texts has an option of its own.
fn for_queries(error: Error) -> Error {
    match error {
        Error::Data(DataError::UnclearColumns {
            path,
            role: "text",
            reason,
            ..
        }) => Error::Data(DataError::UnclearColumns {
            path,
            role: "text",
            reason,
            remedies: vec!["add --query-column NAME".into()],
        }),
        error => error,
    }
}
