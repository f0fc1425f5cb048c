//! `gradus encode`: texts to vectors.

use crate::args::one_of;
use crate::console::Console;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{FormOptions, TextOptions};
use crate::prompt_options::PromptOptions;
use crate::stop;
use gradus::data::Format as DataFormat;
use gradus::format::PromptChoice;
use gradus::jobs::encode::{
    COMMIT, EncodeSettings, Encoded, PartSettings, Shard, TextReader, Vectors, encode_part, merge,
};
use gradus::output::{Inputs, npy};
use gradus::util::Observer;
use gradus::util::words::thousands;
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

With --shard a part of the rows goes to a folder that several machines share: \
part-I-of-N.npy, and beside it a manifest with its checksum. A part that was \
killed goes on behind its last commit when its command is given again. --merge \
checks the parts and puts them together in the order of the rows, to the same \
bytes as of one machine.

Examples:
  gradus encode all-MiniLM-L6-v2 \"A plane is taking off.\"
  gradus encode all-MiniLM-L6-v2 --input texts.txt --format npy --output texts.npy
  gradus encode ./matryoshka --input texts.txt --dim 64 --normalize > vectors.jsonl
  gradus encode ./model --input posts.jsonl --column body > vectors.jsonl
  gradus encode ./model --input reviews.csv --column review --format npy --output reviews.npy
  zcat texts.gz | gradus encode all-MiniLM-L6-v2 | head -n 3
  gradus encode ./model --input texts.jsonl --column text --shard 3/8 --output parts
  gradus encode --merge parts --output texts.npy";

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
    #[arg(required_unless_present = "merge")]
    pub model: Option<String>,
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
    /// [default: jsonl, and npy with --shard and --merge]
    #[arg(long, value_parser = one_of(FORMATS))]
    pub format: Option<Format>,
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
    /// Encode the I-th of N parts of the rows of --input into the folder --output
    #[arg(long, value_name = "I/N", requires = "input", requires = "output")]
    pub shard: Option<Shard>,
    /// With --shard: rows between commits, behind which a killed part goes on
    #[arg(long, value_name = "N", default_value_t = COMMIT, requires = "shard")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub commit: u64,
    /// Put the parts in DIR together in the file --output
    #[arg(long, value_name = "DIR", requires = "output")]
    #[arg(conflicts_with_all = ["model", "texts", "input", "jsonl", "dim", "normalize", "shard", "role"])]
    pub merge: Option<PathBuf>,
    /// Write to FILE, which appears when all is done; with --shard a folder
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long, requires = "output")]
    pub overwrite: bool,
}

impl Args {
    /// The model; without one there is --merge.
    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    fn settings(&self) -> EncodeSettings {
        let prompt = self.role.map(|role| match role {
            Role::Query => PromptChoice::Query,
            Role::Document => PromptChoice::Document,
        });
        EncodeSettings {
            prompt: prompt.or_else(|| self.prompt.choice()),
            width: self.dim.map(|dim| dim as usize),
            normalize: self.normalize,
        }
    }
}

/// A text with its vector.
#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    embedding: &'a [f32],
    /// Whether it was cut.
    truncated: bool,
    /// Whether the vocabulary hardly knows it.
    unknown: bool,
}

/// Runs the command.
pub fn run(mut args: Args, context: &Context) -> Result<(), Failure> {
    if args.format == Some(Format::Jsonl) && (args.shard.is_some() || args.merge.is_some()) {
        let message = "--shard and --merge write arrays of NumPy; leave --format out";
        return Err(Failure::Usage(message.into()));
    }
    if let (Some(parts), Some(output)) = (&args.merge, &args.output) {
        return merge_parts(parts, output, args.overwrite, context);
    }
    if let (Some(shard), Some(folder)) = (args.shard, args.output.clone()) {
        return run_part(&args, shard, &folder, context);
    }
    let format = args.format.unwrap_or(Format::Jsonl);
    if format == Format::Npy && args.output.is_none() {
        let message = "--format npy needs --output FILE: its header holds the number of rows, which is known last";
        return Err(Failure::Usage(message.into()));
    }
    // A column alone, of standard input, is a key.
    if args.jsonl || (args.input.is_none() && args.column.column.is_some()) {
        let format = &mut args.form.pairs_format;
        *format = format.or(Some(DataFormat::Jsonl));
    }
    let mut console = match args.output {
        Some(_) => context.console(),
        None => Console::beside_results(context.mode),
    };
    let model = context.environment.find(args.model(), &mut console)?;
    let mut inputs = Inputs::new().with("the model", &model.folder);
    if let Some(input) = &args.input {
        inputs.add("the input", input);
    }
    // What cannot be written shows before the long work.
    let output = Output::create(args.output.as_deref(), "--output", &inputs, args.overwrite)?;
    let texts = std::mem::take(&mut args.texts);
    let texts = match texts.is_empty() {
        true => open(&args, &mut console)?,
        false => TextReader::of(texts),
    };
    let settings = args.settings();
    let environment = &context.environment;
    let mut vectors = Vectors::begin(&model, texts, &settings, environment, &mut console)?;
    let mut writer = Writer::new(format, output, vectors.width())?;
    while let Some(chunk) = vectors.next_chunk(&mut console)? {
        writer.write(&chunk)?;
    }
    writer.finish()?;
    vectors.notes().iter().for_each(|note| console.note(note));
    Ok(())
}

/// Encodes a part of a file.
fn run_part(args: &Args, shard: Shard, folder: &Path, context: &Context) -> Result<(), Failure> {
    let mut console = context.console();
    let input = args.input.as_deref().unwrap_or(Path::new(""));
    let mut form = args.form.clone();
    if args.jsonl {
        form.pairs_format = Some(DataFormat::Jsonl);
    }
    let settings = PartSettings {
        texts: args.column.file(input, &form)?,
        shard,
        encode: args.settings(),
        commit: args.commit,
        overwrite: args.overwrite,
    };
    let environment = &context.environment;
    let model = environment.find(args.model(), &mut console)?;
    let inputs = Inputs::new().with("the model", &model.folder);
    inputs
        .with("the input", input)
        .check_folder(folder, "--output")?;
    stop::goes_on_as_typed();
    let done = encode_part(&model, &settings, folder, environment, &mut console)?;
    done.notes.iter().for_each(|note| console.note(note));
    if done.done_before > 0 {
        let rows = thousands(done.done_before as usize);
        console.note(&format!("{rows} rows were done before"));
    }
    let mut output = Output::open(None)?;
    output.line(&done.path.display().to_string())?;
    output.finish()
}

/// Puts parts together.
fn merge_parts(
    parts: &Path,
    output: &Path,
    overwrite: bool,
    context: &Context,
) -> Result<(), Failure> {
    let mut console = context.console();
    let inputs = Inputs::new().with("the parts", parts);
    inputs.check_file(output, "--output", overwrite)?;
    let merged = merge(parts, output, &mut console)?;
    console.note(&format!(
        "{} vectors of {} values from {} parts{}",
        thousands(merged.rows as usize),
        merged.width,
        merged.parts,
        match merged.truncated {
            0 => String::new(),
            cut => format!(
                "; {} texts were cut to the model's length",
                thousands(cut as usize)
            ),
        }
    ));
    Ok(())
}

/// Texts of a file or of standard input.
fn open(args: &Args, console: &mut Console) -> Result<TextReader, Failure> {
    if let Some(path) = &args.input {
        // Opened here, so that what is wrong shows before the model is loaded.
        let texts = TextReader::open(&args.column.file(path, &args.form)?)?;
        if texts.has_header() && args.column.column.is_none() && !args.form.header {
            console.note(HEADER);
        }
        return Ok(texts);
    }
    if io::stdin().is_terminal() {
        console.note("reading texts from standard input, one a line; Ctrl-D ends");
    }
    let file = args.column.file(Path::new("standard input"), &args.form)?;
    Ok(TextReader::stream(file, io::stdin()))
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
    fn new(format: Format, output: Output, width: usize) -> Result<Self, Failure> {
        let mut writer = Self {
            format,
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

    fn write(&mut self, chunk: &Encoded) -> Result<(), Failure> {
        self.rows += chunk.texts.len() as u64;
        if self.format == Format::Npy {
            return self.output.bytes(&npy::values(chunk.vectors.as_slice()));
        }
        for (i, (text, coverage)) in chunk.texts.iter().zip(&chunk.coverage).enumerate() {
            self.output.json_line(&Line {
                text,
                embedding: chunk.vectors.row(i),
                truncated: coverage.truncated,
                unknown: coverage.is_unknown(),
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
