//! `gradus bench`: how fast a model encodes here.

use crate::args::one_of;
use crate::chunks::CHUNK;
use crate::commands::quickstart;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{FormOptions, TextOptions};
use crate::progress::{Counter, Manner};
use gradus::Error;
use gradus::data::TextFile;
use gradus::models::{EncodeOptions, SentenceEncoder};
use gradus::output::Inputs;
use gradus_kernels::Backend;
use gradus_kernels::cpu::Cpu;
use indicatif::{DecimalBytes, HumanCount};
use serde::Serialize;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Encodes a text several times and prints the median: sentences and tokens a \
second, how long a single query takes, the share of tokenising, and the peak \
memory. Loading the model is not counted, and \
what other programs do at the same time is not subtracted. Without --text it \
encodes the demonstration pairs that come with Gradus, sentences and short \
paragraphs.

Examples:
  gradus bench all-MiniLM-L6-v2
  gradus bench ./model --text texts.txt --sentences 10000
  gradus bench all-MiniLM-L6-v2 --threads 1 --format json | jq .tokens_per_second";

const FORMATS: &[(&str, Format)] = &[("table", Format::Table), ("json", Format::Json)];

/// The most texts that are encoded one at a time, so that a long text does not
/// take long twice.
const QUERIES: usize = 200;

/// Queries before the measured ones; the first few find caches cold.
const WARM_UP: usize = 8;

/// Sentences of a paragraph in the built-in text.
const PARAGRAPH: usize = 8;

/// The form of the report.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// Rounded, for people.
    Table,
    /// Everything, unrounded.
    Json,
}

/// What is to be encoded, and how often.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model
    pub model: String,
    /// Encode the sentences in FILE: its lines, or a column of a .csv, .tsv,
    /// .jsonl, .json or .parquet file; empty ones are skipped
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Where the texts are.
    #[command(flatten)]
    pub column: TextOptions,
    /// What the rows look like.
    #[command(flatten)]
    pub form: FormOptions,
    /// At most N sentences: the first ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub sentences: Option<u64>,
    /// Encode everything N times
    #[arg(long, value_name = "N", default_value = "3")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// The form of the report; json holds everything, unrounded
    #[arg(long, default_value = "table", value_parser = one_of(FORMATS))]
    pub format: Format,
    /// Write the report to FILE
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long, requires = "output")]
    pub overwrite: bool,
}

/// What was measured.
#[derive(Serialize)]
struct Measured {
    model: String,
    backend: String,
    sentences: usize,
    /// With the special ones.
    tokens: usize,
    /// Of each pass over the text, tokenising included.
    seconds: Vec<f64>,
    sentences_per_second: f64,
    tokens_per_second: f64,
    tokenising_seconds: f64,
    /// Of the time that encoding takes.
    tokenising_share: f64,
    latency: Latency,
    /// Of the whole process; where the system does not tell, nothing.
    peak_memory_bytes: Option<u64>,
}

/// How long one text takes when it comes alone.
#[derive(Serialize)]
struct Latency {
    queries: usize,
    median_ms: f64,
    p95_ms: f64,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    // What can be wrong shows before the model is loaded.
    let most = args.sentences.map_or(usize::MAX, |n| n as usize);
    let texts = match &args.text {
        Some(path) => read(&args.column.file(path, &args.form)?, most)?,
        None => built_in(most),
    };
    let folder = context.find(&args.model)?;
    let mut inputs = Inputs::new().with("the model", &folder);
    if let Some(text) = &args.text {
        inputs.add("the text", text);
    }
    let mut output = Output::create(args.output.as_deref(), "--output", &inputs, args.overwrite)?;
    let encoder = context.load(&folder)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let measured = measure(args.model, &encoder, &texts, args.repeat, context.manner)?;
    match args.format {
        Format::Table => {
            for (key, value) in measured.lines() {
                output.line(&format!("{key:10}  {value}"))?;
            }
        }
        Format::Json => {
            let json = serde_json::to_string_pretty(&measured);
            output.line(&json.map_err(|e| Error::Internal(e.to_string()))?)?;
        }
    }
    output.finish()
}

/// The first sentences of a file.
fn read(file: &TextFile, most: usize) -> Result<Vec<String>, Failure> {
    let mut texts = Vec::new();
    for row in file.rows().map_err(Failure::Input)? {
        let text = row.map_err(Failure::Input)?.text;
        if !text.trim().is_empty() {
            texts.push(text);
        }
        if texts.len() == most {
            break;
        }
    }
    match texts.is_empty() {
        true => Err(Failure::NoSentences(file.path.clone())),
        false => Ok(texts),
    }
}

/// The different sentences of the demonstration pairs, and after every eight a
/// paragraph of them: texts of one length would flatter whoever pads.
fn built_in(most: usize) -> Vec<String> {
    let mut seen = HashSet::new();
    let sentences: Vec<&str> = quickstart::PAIRS
        .iter()
        .flat_map(|(_, pairs)| pairs.lines())
        .flat_map(|pair| pair.split('\t').skip(1))
        .filter(|sentence| seen.insert(*sentence))
        .collect();
    let with_paragraph = sentences.chunks(PARAGRAPH).flat_map(|some| {
        let alone = some.iter().map(|&sentence| sentence.to_owned());
        alone.chain([some.join(" ")])
    });
    with_paragraph.take(most).collect()
}

fn measure(
    model: String,
    encoder: &SentenceEncoder<Cpu>,
    texts: &[&str],
    repeat: u32,
    manner: Manner,
) -> Result<Measured, Failure> {
    let (seconds, tokenising, tokens) = passes(&model, encoder, texts, repeat, manner)?;
    let latency = latency(&model, encoder, texts, repeat)?;
    let (time, part) = (median(&seconds), median(&tokenising));
    Ok(Measured {
        backend: encoder.backend().describe(),
        sentences: texts.len(),
        tokens,
        sentences_per_second: texts.len() as f64 / time,
        tokens_per_second: tokens as f64 / time,
        tokenising_seconds: part,
        tokenising_share: part / time,
        seconds,
        latency,
        peak_memory_bytes: gradus::util::machine::peak_memory(),
        model,
    })
}

/// Encodes texts `repeat` times, behind a pass that counts for nothing: the
/// seconds of each pass, those of its tokenising, and the tokens of one.
fn passes(
    model: &str,
    encoder: &SentenceEncoder<Cpu>,
    texts: &[&str],
    repeat: u32,
    manner: Manner,
) -> Result<(Vec<f64>, Vec<f64>, usize), Failure> {
    let warm = &texts[..texts.len().min(CHUNK)];
    encode(model, encoder, warm)?;
    let counter = {
        let total = texts.len() as u64 * u64::from(repeat);
        Counter::new(manner, "encoding texts", Some(total))
    };
    let (mut seconds, mut tokenising, mut tokens) = (vec![], vec![], 0);
    for _ in 0..repeat {
        let (mut whole, mut part) = (0.0, 0.0);
        tokens = 0;
        // In chunks, as the other commands encode.
        for chunk in texts.chunks(CHUNK) {
            let begun = Instant::now();
            let tokenised = encoder.tokenizer().encode(chunk).map_err(Failure::Model)?;
            part += begun.elapsed().as_secs_f64();
            tokens += tokenised.iter().map(|t| t.ids.len()).sum::<usize>();
            drop(tokenised);
            whole += encode(model, encoder, chunk)?;
            counter.add(chunk.len() as u64);
        }
        seconds.push(whole);
        tokenising.push(part);
    }
    drop(counter);
    Ok((seconds, tokenising, tokens))
}

/// Sentences a second, the median of a few passes over the texts.
pub(super) fn speed(
    model: &str,
    encoder: &SentenceEncoder<Cpu>,
    texts: &[&str],
    manner: Manner,
) -> Result<f64, Failure> {
    const PASSES: u32 = 3;
    let (seconds, ..) = passes(model, encoder, texts, PASSES, manner)?;
    Ok(texts.len() as f64 / median(&seconds))
}

/// How many seconds it takes to encode texts together.
fn encode(model: &str, encoder: &SentenceEncoder<Cpu>, texts: &[&str]) -> Result<f64, Failure> {
    let begun = Instant::now();
    let vectors = encoder.encode(texts, EncodeOptions::default());
    // No time at all would make rates infinite, which JSON cannot hold.
    let seconds = begun.elapsed().as_secs_f64().max(1e-9);
    super::check_finite(model, texts, &vectors.map_err(Failure::Model)?)?;
    Ok(seconds)
}

/// Encodes some texts, from all over the text, one at a time.
fn latency(
    model: &str,
    encoder: &SentenceEncoder<Cpu>,
    texts: &[&str],
    repeat: u32,
) -> Result<Latency, Failure> {
    let queries = texts.len().min(QUERIES);
    let query = |i: usize| {
        let text = texts[i * texts.len() / queries];
        encode(model, encoder, &[text])
    };
    for i in 0..queries.min(WARM_UP) {
        query(i)?;
    }
    let (mut medians, mut p95s) = (vec![], vec![]);
    for _ in 0..repeat {
        let seconds = (0..queries).map(query).collect::<Result<Vec<_>, _>>()?;
        medians.push(median(&seconds));
        p95s.push(percentile(&seconds, 0.95));
    }
    Ok(Latency {
        queries,
        median_ms: 1e3 * median(&medians),
        p95_ms: 1e3 * median(&p95s),
    })
}

/// The middle value, or the mean of the middle two; 0 of none.
fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(low), Some(high)) if sorted.len().is_multiple_of(2) => (low + high) / 2.0,
        (_, Some(value)) => *value,
        _ => 0.0,
    }
}

/// The least value that this share of the values does not exceed; 0 of none.
fn percentile(values: &[f64], share: f64) -> f64 {
    let rank = (share * values.len() as f64).ceil() as usize;
    let sorted = sorted(values);
    sorted.get(rank.max(1) - 1).copied().unwrap_or(0.0)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

impl Measured {
    /// Keys and values for people.
    fn lines(&self) -> [(&'static str, String); 7] {
        let count = |n: f64| HumanCount(n.round() as u64);
        let passes = match self.seconds.len() {
            1 => "one pass".to_owned(),
            n => format!("median of {n} passes"),
        };
        [
            ("model", self.model.clone()),
            ("runs on", self.backend.clone()),
            (
                "text",
                format!(
                    "{} sentences, {} tokens, {:.1} a sentence",
                    HumanCount(self.sentences as u64),
                    HumanCount(self.tokens as u64),
                    self.tokens as f64 / self.sentences as f64
                ),
            ),
            (
                "encoding",
                format!(
                    "{} sentences/s, {} tokens/s ({passes})",
                    count(self.sentences_per_second),
                    count(self.tokens_per_second)
                ),
            ),
            (
                "tokenising",
                format!("{:.1} % of that time", 100.0 * self.tokenising_share),
            ),
            (
                "one query",
                format!(
                    "{:.2} ms, 95 % within {:.2} ms ({} queries)",
                    self.latency.median_ms, self.latency.p95_ms, self.latency.queries
                ),
            ),
            (
                "memory",
                self.peak_memory_bytes.map_or_else(
                    || "not known on this system".to_owned(),
                    |bytes| format!("{} at most", DecimalBytes(bytes)),
                ),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middle_and_percentile() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0]), 2.5);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 0.95), 190.0);
        assert_eq!(percentile(&[1.0, 2.0], 0.95), 2.0);
        assert_eq!(percentile(&[], 0.95), 0.0);
    }

    #[test]
    fn the_built_in_text_is_a_mix_of_different_texts() {
        let texts = built_in(usize::MAX);
        let different: HashSet<&String> = texts.iter().collect();
        assert_eq!(different.len(), texts.len());
        assert!(texts.len() > 1000, "{}", texts.len());
        assert!(texts.iter().all(|text| !text.trim().is_empty()));
        let longest = texts.iter().map(String::len).max().unwrap();
        let shortest = texts.iter().map(String::len).min().unwrap();
        assert!(longest > 10 * shortest, "{shortest} to {longest}");
        assert_eq!(built_in(9).len(), 9);
        assert_eq!(built_in(9)[8], built_in(8).join(" "));
    }
}
