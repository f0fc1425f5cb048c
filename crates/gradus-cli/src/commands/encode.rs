//! `gradus encode`: texts to vectors.

use crate::args::one_of;
use crate::chunks::Chunks;
use crate::context::Context;
use crate::exit::Failure;
use crate::npy;
use crate::output::Output;
use crate::progress::Counter;
use gradus::Embeddings;
use gradus::data::{DataError, Format as DataFormat, JsonReader, JsonRow, Lines};
use gradus::model::EncodeOptions;
use serde::Serialize;
use serde_json::Value;
use std::io::{self, BufReader, IsTerminal};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Texts are read one a line, from standard input unless there are TEXTs or \
--input; an empty line is an empty text, so that vectors and lines stay in \
step. What bad input interrupts leaves no --output file.

Examples:
  gradus encode all-MiniLM-L6-v2 \"A plane is taking off.\"
  gradus encode all-MiniLM-L6-v2 --input texts.txt --format npy --output texts.npy
  gradus encode ./model --input posts.jsonl --field body > vectors.jsonl
  zcat texts.gz | gradus encode all-MiniLM-L6-v2 | head -n 3";

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
    /// Read texts from FILE, one a line; .gz is unpacked
    #[arg(long, short, value_name = "FILE", conflicts_with = "texts")]
    pub input: Option<PathBuf>,
    /// Lines are JSON objects; so by default for a .jsonl file
    #[arg(long, conflicts_with = "texts")]
    pub jsonl: bool,
    /// The key of the text in JSON objects; by default `text`
    #[arg(long, value_name = "KEY", conflicts_with = "texts")]
    pub field: Option<String>,
    /// jsonl: {"text": ..., "embedding": [...]} a line; npy: a float32 array of
    /// shape (texts, width), which needs --output
    #[arg(long, default_value = "jsonl", value_parser = one_of(FORMATS))]
    pub format: Format,
    /// Write to FILE, which appears when all is done
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A text with its vector.
#[derive(Serialize)]
struct Encoded<'a> {
    text: &'a str,
    embedding: &'a [f32],
}

/// Runs the command.
pub fn run(mut args: Args, context: &Context) -> Result<(), Failure> {
    if args.format == Format::Npy && args.output.is_none() {
        let message = "--format npy needs --output FILE: its header tells the number of rows, which is known last";
        return Err(Failure::Usage(message.into()));
    }
    let folder = context.find(&args.model)?;
    let texts = std::mem::take(&mut args.texts);
    let total = (!texts.is_empty()).then_some(texts.len() as u64);
    let mut texts = match texts.is_empty() {
        true => open(&args, context)?,
        false => Chunks::read(move || Ok(texts.into_iter().map(Ok)))?,
    };
    let encoder = context.load(&folder)?;
    let mut writer = Writer::new(&args, encoder.dim())?;
    let manner = match args.output {
        Some(_) => context.manner,
        None => context.manner.beside_results(),
    };
    let counter = Counter::new(manner, "encoding texts", total);
    while let Some(chunk) = texts.next_chunk()? {
        let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
        let vectors = encoder
            .encode(&chunk, EncodeOptions::default())
            .map_err(Failure::Model)?;
        super::check_finite(&args.model, &chunk, &vectors)?;
        writer.write(&chunk, &vectors)?;
        counter.add(chunk.len() as u64);
    }
    writer.finish()?;
    context.tell_of_cuts(&encoder);
    Ok(())
}

fn open(args: &Args, context: &Context) -> Result<Chunks<String>, Failure> {
    let named = |path: &PathBuf| DataFormat::of(path) == Some(DataFormat::Jsonl);
    let jsonl = args.jsonl || args.field.is_some() || args.input.as_ref().is_some_and(named);
    let lines = match &args.input {
        Some(path) => Lines::open(path).map_err(Failure::Input)?,
        None => {
            if io::stdin().is_terminal() {
                context
                    .manner
                    .note("reading texts from standard input, one a line; Ctrl-D ends");
            }
            Lines::new(BufReader::new(io::stdin()), Path::new("standard input"))
        }
    };
    if jsonl {
        let field = args.field.clone().unwrap_or_else(|| "text".into());
        return Chunks::read(move || {
            let reader = JsonReader::new(lines);
            let path = reader.path().to_path_buf();
            Ok(reader.map(move |row| row.and_then(|row| text_of(row, &field, &path))))
        });
    }
    let mut lines = lines;
    let next = move || match lines.next_line() {
        Ok(line) => line.map(|line| Ok(line.to_owned())),
        Err(e) => Some(Err(e)),
    };
    Chunks::read(move || Ok(std::iter::from_fn(next)))
}

fn text_of(mut row: JsonRow, field: &str, path: &Path) -> gradus::Result<String> {
    let problem = match row.object.get_mut(field) {
        Some(Value::String(text)) => return Ok(std::mem::take(text)),
        Some(_) => "not a string",
        None => "missing",
    };
    Err(DataError::BadKey {
        at: gradus::data::Place::new(path, row.line),
        key: field.to_owned(),
        problem,
        expected: "a string (--field names another key)",
    }
    .into())
}

/// Writes vectors in one of the forms.
struct Writer {
    format: Format,
    output: Output,
    width: usize,
    rows: u64,
}

impl Writer {
    fn new(args: &Args, width: usize) -> Result<Self, Failure> {
        let mut writer = Self {
            format: args.format,
            output: Output::open(args.output.as_deref())?,
            width,
            rows: 0,
        };
        if writer.format == Format::Npy {
            writer.output.bytes(&npy::header(0, width))?;
            writer.write_row_count()?;
        }
        Ok(writer)
    }

    fn write(&mut self, texts: &[&str], vectors: &Embeddings) -> Result<(), Failure> {
        self.rows += texts.len() as u64;
        if self.format == Format::Npy {
            return self.output.bytes(&npy::values(vectors.as_slice()));
        }
        for (i, text) in texts.iter().enumerate() {
            let embedding = vectors.row(i);
            self.output.json_line(&Encoded { text, embedding })?;
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
