//! `gradus encode`: texts to vectors.

use crate::args::one_of;
use crate::chunks::Chunks;
use crate::context::Context;
use crate::exit::Failure;
use crate::npy;
use crate::output::Output;
use crate::pair_options::{FormOptions, TextOptions};
use crate::progress::Counter;
use crate::prompt_options::PromptOptions;
use gradus::Embeddings;
use gradus::data::{Format as DataFormat, Lines};
use gradus::format::PromptChoice;
use gradus::models::EncodeOptions;
use gradus::output::Inputs;
use gradus::text::Tokens;
use serde::Serialize;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Texts are read one a line, from standard input unless there are TEXTs or \
--input; an empty line is an empty text, so that vectors and lines stay in \
step. Of .csv, .tsv, .jsonl, .json and .parquet a column is read, and each row \
gives a vector, but for a first row of names; a blank line between the rows of a \
.csv or .tsv is an error. What bad input interrupts leaves no --output file.

In JSON lines `truncated` says that the text was cut to the model's limit, \
`unknown` that it is empty or mostly unknown to the model's vocabulary, so that \
its vector means little.

Examples:
  gradus encode all-MiniLM-L6-v2 \"A plane is taking off.\"
  gradus encode all-MiniLM-L6-v2 --input texts.txt --format npy --output texts.npy
  gradus encode ./matryoshka --input texts.txt --dim 64 --normalize > vectors.jsonl
  gradus encode ./model --input posts.jsonl --column body > vectors.jsonl
  gradus encode ./model --input reviews.csv --column review --format npy --output reviews.npy
  zcat texts.gz | gradus encode all-MiniLM-L6-v2 | head -n 3";

const ROLES: &[(&str, Role)] = &[("query", Role::Query), ("document", Role::Document)];

/// What texts are, as in sentence-transformers' `encode_query` and
/// `encode_document`.
#[derive(Debug, Clone, Copy)]
pub enum Role {
    /// What is searched with.
    Query,
    /// What is searched.
    Document,
}

const FORMATS: &[(&str, Format)] = &[("jsonl", Format::Jsonl), ("npy", Format::Npy)];

/// The form of the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An object with text and embedding a line.
    Jsonl,
    /// NumPy's array file.
    Npy,
}

/// What is to be encoded.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model
    pub model: String,
    /// The texts
    #[arg(value_name = "TEXT")]
    pub texts: Vec<String>,
    /// Read texts from FILE: its lines, or a column of a .csv, .tsv, .jsonl,
    /// .json or .parquet file
    #[arg(long, short, value_name = "FILE", conflicts_with = "texts")]
    pub input: Option<PathBuf>,
    /// Lines are JSON objects: short for --pairs-format jsonl
    #[arg(long, conflicts_with_all = ["texts", "pairs_format"])]
    pub jsonl: bool,
    /// Where the texts are.
    #[command(flatten)]
    pub column: TextOptions,
    /// What the rows look like.
    #[command(flatten)]
    pub form: FormOptions,
    /// jsonl: {"text": ..., "embedding": [...], "truncated": false, "unknown":
    /// false} a line; npy: a float32 array of
    /// shape (texts, width), which needs --output
    #[arg(long, default_value = "jsonl", value_parser = one_of(FORMATS))]
    pub format: Format,
    /// Keep the first N values of each vector, as `truncate_dim` of
    /// sentence-transformers does; their length is then no longer 1 unless you
    /// add --normalize
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub dim: Option<u32>,
    /// Divide each vector by its length
    #[arg(long)]
    pub normalize: bool,
    /// Which prompt.
    #[command(flatten)]
    pub prompt: PromptOptions,
    /// Put the model's prompt for queries or for documents before every text, as
    /// encode_query and encode_document of sentence-transformers do
    #[arg(long = "as", value_name = "ROLE", value_parser = one_of(ROLES))]
    #[arg(conflicts_with_all = ["prompt", "prompt_text"])]
    pub role: Option<Role>,
    /// Write to FILE, which appears when all is done
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long, requires = "output")]
    pub overwrite: bool,
}

/// A text with its vector.
#[derive(Serialize)]
struct Encoded<'a> {
    text: &'a str,
    embedding: &'a [f32],
    /// Whether it was cut.
    truncated: bool,
    /// Whether the vocabulary hardly knows it.
    unknown: bool,
}

/// Runs the command.
pub fn run(mut args: Args, context: &Context) -> Result<(), Failure> {
    if args.format == Format::Npy && args.output.is_none() {
        let message = "--format npy needs --output FILE: its header holds the number of rows, which is known last";
        return Err(Failure::Usage(message.into()));
    }
    // A column alone, of standard input, is a key.
    if args.jsonl || (args.input.is_none() && args.column.column.is_some()) {
        let format = &mut args.form.pairs_format;
        *format = format.or(Some(DataFormat::Jsonl));
    }
    let folder = context.find(&args.model)?;
    let mut inputs = Inputs::new().with("the model", &folder);
    if let Some(input) = &args.input {
        inputs.add("the input", input);
    }
    // What cannot be written shows before the long work.
    let output = Output::create(args.output.as_deref(), "--output", &inputs, args.overwrite)?;
    let texts = std::mem::take(&mut args.texts);
    let total = (!texts.is_empty()).then_some(texts.len() as u64);
    let mut texts = match texts.is_empty() {
        true => open(&args, context)?,
        false => Chunks::read(move || Ok(texts.into_iter().map(Ok)))?,
    };
    let prompt = args.role.map(|role| match role {
        Role::Query => PromptChoice::Query,
        Role::Document => PromptChoice::Document,
    });
    let prompt = prompt.or_else(|| args.prompt.choice());
    let as_document = matches!(prompt, Some(PromptChoice::Document));
    let encoder = context.load_with_prompt(&folder, prompt)?;
    if as_document {
        let prompts = &encoder.folder().modules.prompts.named;
        let has = |name: &str| prompts.iter().any(|(known, _)| known == name);
        let other = ["passage", "corpus"].into_iter().find(|name| has(name));
        if let Some(other) = other.filter(|_| !has("document")) {
            context.note_once(&format!(
                "the model has no prompt `document`, so documents go without one, as in sentence-transformers; --prompt {other} takes its prompt `{other}`"
            ));
        }
    }
    let width = match args.dim.map(|dim| dim as usize) {
        Some(dim) if dim > encoder.dim() => {
            return Err(Failure::Usage(format!(
                "--dim {dim} is more than the {} values of the model's vectors; give that or less",
                encoder.dim()
            )));
        }
        dim => dim.unwrap_or(encoder.dim()),
    };
    let mut writer = Writer::new(&args, output, width)?;
    let manner = match args.output {
        Some(_) => context.manner,
        None => context.manner.beside_results(),
    };
    let counter = Counter::new(manner, "encoding texts", total);
    while let Some(chunk) = texts.next_chunk()? {
        let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
        let tokens = encoder.tokenizer().encode(&chunk).map_err(Failure::Model)?;
        let vectors = encoder.encode_tokens(&tokens, EncodeOptions::default());
        super::check_finite(&args.model, &chunk, &vectors)?;
        let vectors = match args.normalize {
            false => vectors.truncated(width),
            true => vectors.truncated(width).normalized(),
        };
        writer.write(&chunk, &tokens, &vectors)?;
        counter.add(chunk.len() as u64);
    }
    writer.finish()?;
    context.note_texts(&encoder);
    Ok(())
}

fn open(args: &Args, context: &Context) -> Result<Chunks<String>, Failure> {
    if let Some(path) = &args.input {
        let file = args.column.file(path, &args.form)?;
        // Opened here, so that what is wrong shows before the model is loaded.
        let rows = file.rows().map_err(Failure::Input)?;
        if rows.has_header() && args.column.column.is_none() && !args.form.header {
            context.manner.note(HEADER);
        }
        return Chunks::read(move || Ok(rows.map(|row| row.map(|row| row.text))));
    }
    if io::stdin().is_terminal() {
        context
            .manner
            .note("reading texts from standard input, one a line; Ctrl-D ends");
    }
    let file = args.column.file(Path::new("standard input"), &args.form)?;
    Chunks::read(move || {
        let lines = Lines::new(io::stdin(), &file.path)?;
        let rows = file.rows_from(lines)?;
        Ok(rows.map(|row| row.map(|row| row.text)))
    })
}

/// What is said of a row that gets no vector.
const HEADER: &str = "the first row holds the columns' names and gets no vector; --no-header \
                      reads it as data";

/// Writes vectors in one of the forms.
struct Writer {
    format: Format,
    output: Output,
    width: usize,
    rows: u64,
}

impl Writer {
    fn new(args: &Args, output: Output, width: usize) -> Result<Self, Failure> {
        let mut writer = Self {
            format: args.format,
            output,
            width,
            rows: 0,
        };
        if writer.format == Format::Npy {
            writer.output.bytes(&npy::header(0, width))?;
            writer.write_row_count()?;
        }
        Ok(writer)
    }

    fn write(
        &mut self,
        texts: &[&str],
        tokens: &[Tokens],
        vectors: &Embeddings,
    ) -> Result<(), Failure> {
        self.rows += texts.len() as u64;
        if self.format == Format::Npy {
            return self.output.bytes(&npy::values(vectors.as_slice()));
        }
        for (i, (text, tokens)) in texts.iter().zip(tokens).enumerate() {
            self.output.json_line(&Encoded {
                text,
                embedding: vectors.row(i),
                truncated: tokens.coverage.truncated,
                unknown: tokens.coverage.is_unknown(),
            })?;
        }
        self.output.flush()
    }

    fn write_row_count(&mut self) -> Result<(), Failure> {
        let header = npy::header(self.rows, self.width);
        match self.output.overwrite_start(&header)? {
            true => Ok(()),
            false => Err(Failure::Usage(
                "--format npy needs --output to be a file, not a pipe or device".into(),
            )),
        }
    }

    fn finish(mut self) -> Result<(), Failure> {
        if self.format == Format::Npy {
            self.write_row_count()?;
        }
        self.output.finish()
    }
}
