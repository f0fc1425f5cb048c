//! How fast a model encodes on this machine, or scores pairs.

use super::JobError;
use super::chunks::CHUNK;
use super::observed::{check_finite, finite_scores};
use super::quickstart;
use crate::Result;
use crate::data::TextFile;
use crate::models::{CrossEncoder, EncodeOptions, SentenceEncoder, inputs_at_a_time};
use crate::text::Tokens;
use crate::util::machine::peak_memory;
use crate::util::{Observer, check_cancelled};
use gradus_kernels::Backend;
use serde::Serialize;
use std::collections::HashSet;
use std::time::Instant;

/// The most texts that are encoded one at a time, so that a long text does not
/// take long twice.
const QUERIES: usize = 200;

/// Queries before the measured ones; the first few find caches cold.
const WARM_UP: usize = 8;

/// Sentences of a paragraph in the built-in text.
const PARAGRAPH: usize = 8;

/// How it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BenchSettings {
    /// How many passes over the inputs.
    pub repeat: u32,
    /// Inputs are tokenised before their time is taken.
    pub tokenised: bool,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The model's name.
    pub model: String,
    /// What it ran on.
    pub backend: String,
    /// What was encoded or scored, and how fast.
    #[serde(flatten)]
    pub rate: Rate,
    /// Its tokens, with the special ones.
    pub tokens: usize,
    /// Whether texts were tokenised before the time of a pass was taken.
    pub tokenised: bool,
    /// Seconds of each pass over the texts.
    pub seconds: Vec<f64>,
    /// By the median of the passes.
    pub tokens_per_second: f64,
    /// The median seconds of a pass's tokenising.
    pub tokenising_seconds: f64,
    /// Its share of a pass, or what it would add to one; beside a device that works apart, much
    /// of it takes no time of its own.
    pub tokenising_share: f64,
    /// How long one text takes that comes alone.
    pub latency: Latency,
    /// Of the whole process; where the system does not say, nothing.
    pub peak_memory_bytes: Option<u64>,
}

/// How much was encoded or scored, and how fast by the median of the passes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Rate {
    /// Of a model that makes vectors of texts.
    Sentences {
        /// The texts encoded.
        sentences: usize,
        /// So many a second.
        sentences_per_second: f64,
    },
    /// Of a cross-encoder.
    Pairs {
        /// The pairs scored.
        pairs: usize,
        /// So many a second.
        pairs_per_second: f64,
    },
}

impl Rate {
    /// How many inputs there were.
    pub fn inputs(&self) -> usize {
        match *self {
            Self::Sentences { sentences, .. } => sentences,
            Self::Pairs { pairs, .. } => pairs,
        }
    }

    /// How many of them a second.
    pub fn per_second(&self) -> f64 {
        match *self {
            Self::Sentences {
                sentences_per_second: rate,
                ..
            }
            | Self::Pairs {
                pairs_per_second: rate,
                ..
            } => rate,
        }
    }
}

/// How long one text takes that comes alone, or one pair.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// The texts encoded one by one, or the pairs scored so.
    pub queries: usize,
    /// The median, in milliseconds.
    pub median_ms: f64,
    /// What 95 % do not exceed, in milliseconds.
    pub p95_ms: f64,
}

/// The first sentences of a file, at most `most`; empty ones are left out.
///
/// # Errors
/// Those of [`TextFile::rows`]; [`JobError::NoSentences`].
pub fn sentences(file: &TextFile, most: usize) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for row in file.rows().map_err(JobError::input)? {
        let text = row.map_err(JobError::input)?.text;
        if !text.trim().is_empty() {
            texts.push(text);
        }
        if texts.len() == most {
            break;
        }
    }
    match texts.is_empty() {
        true => Err(JobError::NoSentences(file.path.clone()).into()),
        false => Ok(texts),
    }
}

/// The different sentences of the demonstration pairs, and after every eight a
/// paragraph of them: texts of one length would flatter whoever pads.
pub fn built_in(most: usize) -> Vec<String> {
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

/// Pairs of texts for a cross-encoder: each text and the one behind it, the last one
/// and the first.
pub fn pairs<'a>(texts: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let next = texts.iter().cycle().skip(1);
    texts.iter().zip(next).map(|(&a, &b)| (a, b)).collect()
}

/// Encodes texts `repeat` times, and some of them one at a time.
///
/// # Errors
/// Where the tokenizer or the device fails; [`JobError::NotFinite`];
/// [`Error::Stopped`](crate::Error::Stopped).
pub fn measure<B: Backend>(
    model: &str,
    encoder: &SentenceEncoder<B>,
    texts: &[&str],
    settings: BenchSettings,
    observer: &mut dyn Observer,
) -> Result<Measured> {
    let work = Encoding { model, encoder };
    let rate = |sentences, sentences_per_second| Rate::Sentences {
        sentences,
        sentences_per_second,
    };
    let backend = encoder.backend().describe();
    Bench::of(&work, texts, encoder.backend()).measured(model, backend, rate, settings, observer)
}

/// The same of a cross-encoder and pairs.
///
/// # Errors
/// As [`measure`]; [`JobError::NotFiniteScore`].
pub fn measure_pairs<B: Backend>(
    model: &str,
    cross: &CrossEncoder<B>,
    pairs: &[(&str, &str)],
    settings: BenchSettings,
    observer: &mut dyn Observer,
) -> Result<Measured> {
    let work = Scoring { model, cross };
    let rate = |pairs, pairs_per_second| Rate::Pairs {
        pairs,
        pairs_per_second,
    };
    let backend = cross.backend().describe();
    Bench::of(&work, pairs, cross.backend()).measured(model, backend, rate, settings, observer)
}

/// Sentences a second, by the median of a few passes over the texts.
///
/// # Errors
/// As [`measure`].
pub fn speed<B: Backend>(
    model: &str,
    encoder: &SentenceEncoder<B>,
    texts: &[&str],
    observer: &mut dyn Observer,
) -> Result<f64> {
    let settings = BenchSettings {
        repeat: 3,
        tokenised: false,
    };
    let work = Encoding { model, encoder };
    let passes = Bench::of(&work, texts, encoder.backend()).passes(settings, observer)?;
    Ok(texts.len() as f64 / median(&passes.seconds))
}

/// Work on inputs, whose time is taken.
trait Work {
    /// What is worked on.
    type Input: Copy;
    /// What is done, in words.
    const WHAT: &'static str;

    /// The tokens of inputs.
    fn tokenise(&self, inputs: &[Self::Input]) -> Result<Vec<Tokens>>;
    /// All of it.
    fn run(&self, inputs: &[Self::Input]) -> Result<()>;
    /// What follows tokenising.
    fn run_tokens(&self, tokens: &[Tokens]) -> Result<()>;
}

/// Texts to vectors.
struct Encoding<'a, B: Backend> {
    model: &'a str,
    encoder: &'a SentenceEncoder<B>,
}

impl<'a, B: Backend> Work for Encoding<'a, B> {
    type Input = &'a str;
    const WHAT: &'static str = "encoding texts";

    fn tokenise(&self, texts: &[&'a str]) -> Result<Vec<Tokens>> {
        let tokens = self.encoder.tokenizer().encode(texts);
        tokens.map_err(JobError::model)
    }

    fn run_tokens(&self, tokens: &[Tokens]) -> Result<()> {
        self.encoder.encode_tokens(tokens, EncodeOptions::default());
        Ok(self.encoder.backend().check()?)
    }

    fn run(&self, texts: &[&'a str]) -> Result<()> {
        let vectors = self.encoder.encode(texts).map_err(JobError::model)?;
        check_finite(self.model, texts, &vectors)
    }
}

/// Pairs to scores.
struct Scoring<'a, B: Backend> {
    model: &'a str,
    cross: &'a CrossEncoder<B>,
}

impl<'a, B: Backend> Work for Scoring<'a, B> {
    type Input = (&'a str, &'a str);
    const WHAT: &'static str = "scoring pairs";

    fn tokenise(&self, pairs: &[Self::Input]) -> Result<Vec<Tokens>> {
        let tokens = self.cross.tokenizer().encode_pairs(pairs);
        tokens.map_err(JobError::model)
    }

    fn run_tokens(&self, tokens: &[Tokens]) -> Result<()> {
        self.cross.logits(tokens);
        Ok(self.cross.backend().check()?)
    }

    fn run(&self, pairs: &[Self::Input]) -> Result<()> {
        finite_scores(self.model, self.cross, pairs).map(|_| ())
    }
}

fn count(tokens: &[Tokens]) -> usize {
    tokens.iter().map(|t| t.ids.len()).sum()
}

/// How long it takes.
fn seconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    work()?;
    // No time at all would make rates infinite, which JSON cannot hold.
    Ok(begun.elapsed().as_secs_f64().max(1e-9))
}

struct Bench<'a, W: Work> {
    work: &'a W,
    inputs: &'a [W::Input],
    /// Inputs at a time, as the other jobs work.
    at_a_time: usize,
}

struct Passes {
    /// Of each pass.
    seconds: Vec<f64>,
    /// Those of its tokenising.
    tokenising: Vec<f64>,
    /// The tokens of one.
    tokens: usize,
}

impl<'a, W: Work> Bench<'a, W> {
    fn of(work: &'a W, inputs: &'a [W::Input], backend: &impl Backend) -> Self {
        Self {
            work,
            inputs,
            at_a_time: inputs_at_a_time(backend, CHUNK),
        }
    }

    fn measured(
        &self,
        model: &str,
        backend: String,
        rate: impl Fn(usize, f64) -> Rate,
        settings: BenchSettings,
        observer: &mut dyn Observer,
    ) -> Result<Measured> {
        let passes = self.passes(settings, observer)?;
        let latency = self.latency(settings.repeat)?;
        let (time, part) = (median(&passes.seconds), median(&passes.tokenising));
        let inputs = self.inputs.len();
        Ok(Measured {
            model: model.to_owned(),
            backend,
            rate: rate(inputs, inputs as f64 / time),
            tokens: passes.tokens,
            tokens_per_second: passes.tokens as f64 / time,
            tokenised: settings.tokenised,
            tokenising_seconds: part,
            tokenising_share: part / time,
            seconds: passes.seconds,
            latency,
            peak_memory_bytes: peak_memory(),
        })
    }

    /// Works on all inputs `repeat` times, behind a pass over some that counts for
    /// nothing.
    fn passes(&self, settings: BenchSettings, observer: &mut dyn Observer) -> Result<Passes> {
        let BenchSettings { repeat, tokenised } = settings;
        let warm = &self.inputs[..self.inputs.len().min(self.at_a_time)];
        self.timed(warm)?;
        let total = self.inputs.len() as u64 * u64::from(repeat);
        let mut done = 0;
        observer.progress(W::WHAT, done, total);
        let mut passes = Passes {
            seconds: vec![],
            tokenising: vec![],
            tokens: 0,
        };
        for _ in 0..repeat {
            let (mut whole, mut part) = (0.0, 0.0);
            passes.tokens = 0;
            for chunk in self.inputs.chunks(self.at_a_time) {
                check_cancelled(observer, W::WHAT)?;
                let begun = Instant::now();
                let tokens = self.work.tokenise(chunk)?;
                part += begun.elapsed().as_secs_f64();
                passes.tokens += count(&tokens);
                whole += match tokenised {
                    true => seconds(|| self.work.run_tokens(&tokens))?,
                    false => self.timed(chunk)?,
                };
                done += chunk.len() as u64;
                observer.progress(W::WHAT, done, total);
            }
            passes.seconds.push(whole);
            passes.tokenising.push(part);
        }
        Ok(passes)
    }

    /// How many seconds inputs take together.
    fn timed(&self, inputs: &[W::Input]) -> Result<f64> {
        seconds(|| self.work.run(inputs))
    }

    /// Works on some inputs, from all over, one at a time.
    fn latency(&self, repeat: u32) -> Result<Latency> {
        let queries = self.inputs.len().min(QUERIES);
        let query = |i: usize| self.timed(&[self.inputs[i * self.inputs.len() / queries]]);
        for i in 0..queries.min(WARM_UP) {
            query(i)?;
        }
        let (mut medians, mut p95s) = (vec![], vec![]);
        for _ in 0..repeat {
            let seconds = (0..queries).map(query).collect::<Result<Vec<_>>>()?;
            medians.push(median(&seconds));
            p95s.push(percentile(&seconds, 0.95));
        }
        Ok(Latency {
            queries,
            median_ms: 1e3 * median(&medians),
            p95_ms: 1e3 * median(&p95s),
        })
    }
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
    fn every_text_is_once_the_first_and_once_the_second_of_a_pair() {
        assert_eq!(
            pairs(&["a", "b", "c"]),
            [("a", "b"), ("b", "c"), ("c", "a")]
        );
        assert_eq!(pairs(&["a"]), [("a", "a")]);
        assert!(pairs(&[]).is_empty());
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
