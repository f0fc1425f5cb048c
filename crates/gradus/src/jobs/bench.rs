//! How fast a model encodes on this machine.

use super::JobError;
use super::chunks::CHUNK;
use super::observed::check_finite;
use super::quickstart;
use crate::Result;
use crate::data::TextFile;
use crate::models::SentenceEncoder;
use crate::util::machine::peak_memory;
use crate::util::{Observer, check_cancelled};
use gradus_kernels::Backend;
use serde::Serialize;
use std::collections::HashSet;
use std::time::Instant;

const WHAT: &str = "encoding texts";

/// The most texts that are encoded one at a time, so that a long text does not
/// take long twice.
const QUERIES: usize = 200;

/// Queries before the measured ones; the first few find caches cold.
const WARM_UP: usize = 8;

/// Sentences of a paragraph in the built-in text.
const PARAGRAPH: usize = 8;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The model's name.
    pub model: String,
    /// What it ran on.
    pub backend: String,
    /// The texts encoded.
    pub sentences: usize,
    /// Their tokens, with the special ones.
    pub tokens: usize,
    /// Seconds of each pass over the texts, tokenising included.
    pub seconds: Vec<f64>,
    /// By the median of the passes.
    pub sentences_per_second: f64,
    /// By the median of the passes.
    pub tokens_per_second: f64,
    /// The median seconds of a pass's tokenising.
    pub tokenising_seconds: f64,
    /// Its share of the time that encoding takes.
    pub tokenising_share: f64,
    /// How long one text takes that comes alone.
    pub latency: Latency,
    /// Of the whole process; where the system does not say, nothing.
    pub peak_memory_bytes: Option<u64>,
}

/// How long one text takes that comes alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// The texts encoded one by one.
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

/// Encodes texts `repeat` times, and some of them one at a time.
///
/// # Errors
/// Where the tokenizer or the device fails; [`JobError::NotFinite`];
/// [`Error::Stopped`](crate::Error::Stopped).
pub fn measure<B: Backend>(
    model: &str,
    encoder: &SentenceEncoder<B>,
    texts: &[&str],
    repeat: u32,
    observer: &mut dyn Observer,
) -> Result<Measured> {
    let bench = Bench {
        model,
        encoder,
        texts,
    };
    let passes = bench.passes(repeat, observer)?;
    let latency = bench.latency(repeat)?;
    let (time, part) = (median(&passes.seconds), median(&passes.tokenising));
    Ok(Measured {
        model: model.to_owned(),
        backend: encoder.backend().describe(),
        sentences: texts.len(),
        tokens: passes.tokens,
        sentences_per_second: texts.len() as f64 / time,
        tokens_per_second: passes.tokens as f64 / time,
        tokenising_seconds: part,
        tokenising_share: part / time,
        seconds: passes.seconds,
        latency,
        peak_memory_bytes: peak_memory(),
    })
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
    const PASSES: u32 = 3;
    let bench = Bench {
        model,
        encoder,
        texts,
    };
    let passes = bench.passes(PASSES, observer)?;
    Ok(texts.len() as f64 / median(&passes.seconds))
}

struct Bench<'a, B: Backend> {
    model: &'a str,
    encoder: &'a SentenceEncoder<B>,
    texts: &'a [&'a str],
}

struct Passes {
    /// Of each pass.
    seconds: Vec<f64>,
    /// Those of its tokenising.
    tokenising: Vec<f64>,
    /// The tokens of one.
    tokens: usize,
}

impl<B: Backend> Bench<'_, B> {
    /// Encodes all texts `repeat` times, behind a pass over some that counts for
    /// nothing.
    fn passes(&self, repeat: u32, observer: &mut dyn Observer) -> Result<Passes> {
        let warm = &self.texts[..self.texts.len().min(CHUNK)];
        self.encode(warm)?;
        let total = self.texts.len() as u64 * u64::from(repeat);
        let mut done = 0;
        observer.progress(WHAT, done, total);
        let mut passes = Passes {
            seconds: vec![],
            tokenising: vec![],
            tokens: 0,
        };
        for _ in 0..repeat {
            let (mut whole, mut part) = (0.0, 0.0);
            passes.tokens = 0;
            // In chunks, as the other jobs encode.
            for chunk in self.texts.chunks(CHUNK) {
                check_cancelled(observer, WHAT)?;
                let begun = Instant::now();
                let tokens = self.encoder.tokenizer().encode(chunk);
                let tokens = tokens.map_err(JobError::model)?;
                part += begun.elapsed().as_secs_f64();
                passes.tokens += tokens.iter().map(|t| t.ids.len()).sum::<usize>();
                drop(tokens);
                whole += self.encode(chunk)?;
                done += chunk.len() as u64;
                observer.progress(WHAT, done, total);
            }
            passes.seconds.push(whole);
            passes.tokenising.push(part);
        }
        Ok(passes)
    }

    /// How many seconds it takes to encode texts together.
    fn encode(&self, texts: &[&str]) -> Result<f64> {
        let begun = Instant::now();
        let vectors = self.encoder.encode(texts);
        // No time at all would make rates infinite, which JSON cannot hold.
        let seconds = begun.elapsed().as_secs_f64().max(1e-9);
        check_finite(self.model, texts, &vectors.map_err(JobError::model)?)?;
        Ok(seconds)
    }

    /// Encodes some texts, from all over, one at a time.
    fn latency(&self, repeat: u32) -> Result<Latency> {
        let queries = self.texts.len().min(QUERIES);
        let query = |i: usize| self.encode(&[self.texts[i * self.texts.len() / queries]]);
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
