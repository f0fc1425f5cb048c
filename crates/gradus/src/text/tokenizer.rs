use super::building::build;
use super::coverage::{Counters, Coverage, KnownTokens, TextCounts};
use super::guard::guarded;
use super::plain_words::PlainWords;
use super::settings::TokenizerOverrides;
use super::{Frame, Template, Vocabulary};
use crate::Result;
use crate::format::ModelError;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenizers::utils::truncation::{TruncationDirection, TruncationParams, truncate_encodings};
use tokenizers::{EncodeInput, Encoding, PostProcessor, PostProcessorWrapper};

/// Plain words, and the special tokens around a text.
#[derive(Debug)]
struct ShortWay {
    words: PlainWords,
    before: Vec<u32>,
    after: Vec<u32>,
}

/// One input's token ids and segments, special tokens included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Vocabulary indices.
    pub ids: Vec<u32>,
    /// Segment of each token; empty when all are 0.
    pub segments: Vec<u32>,
    /// Where the parts of the input lie, if it is a text in a template.
    pub frame: Option<Frame>,
    /// How much of the text the vocabulary covers.
    pub coverage: Coverage,
}

/// A model's own tokenizer, from `tokenizer.json` or a BERT `vocab.txt`.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// Without padding, truncation and special tokens.
    /// Shared by clones, which differ in prompt, template and limits.
    pub(super) inner: Arc<tokenizers::Tokenizer>,
    /// Adds the special tokens.
    pub(super) processor: Option<PostProcessorWrapper>,
    path: PathBuf,
    vocabulary: usize,
    segments: usize,
    /// Whether texts by themselves have the segments that the tokenizer gives.
    gives_segments: bool,
    special_ids: Vec<u32>,
    /// The side that is cut off.
    pub(super) direction: TruncationDirection,
    /// The model's own limit.
    most_tokens: usize,
    /// The limit in force.
    max_tokens: usize,
    prompt: String,
    /// What the prompt adds to the coverage of a text.
    prompt_coverage: Coverage,
    /// What every text is put into.
    pub(super) template: Option<Template>,
    known: KnownTokens,
    /// Where texts may go a shorter way.
    short: Option<Arc<ShortWay>>,
    /// What was seen of inputs so far.
    counters: Arc<Counters>,
    notes: Vec<String>,
}

impl Tokenizer {
    /// Loads the tokenizer in `folder`. Inputs are cut to `max_tokens`, and
    /// ids must lie below `vocabulary`, segments below `segments`.
    ///
    /// # Errors
    /// [`ModelError::MissingFile`] or [`ModelError::Tokenizer`].
    pub fn load(
        folder: &Path,
        max_tokens: usize,
        vocabulary: usize,
        segments: usize,
    ) -> Result<Self> {
        Self::load_with(
            folder,
            &TokenizerOverrides::default(),
            max_tokens,
            vocabulary,
            segments,
        )
    }

    /// The same, with what the model's own description adds.
    pub(crate) fn load_with(
        folder: &Path,
        overrides: &TokenizerOverrides,
        max_tokens: usize,
        vocabulary: usize,
        segments: usize,
    ) -> Result<Self> {
        let built = build(folder, overrides)?;
        let mut tokenizer = Self {
            known: guarded(|| Ok(KnownTokens::new(&built.inner))).unwrap_or_default(),
            short: None,
            inner: Arc::new(built.inner),
            processor: built.processor,
            path: built.path,
            vocabulary,
            segments,
            gives_segments: built.gives_segments,
            special_ids: built.special_ids,
            direction: match built.cuts_beginnings {
                true => TruncationDirection::Left,
                false => TruncationDirection::Right,
            },
            most_tokens: max_tokens,
            max_tokens,
            prompt: String::new(),
            prompt_coverage: Coverage::default(),
            template: None,
            counters: Arc::default(),
            notes: built.notes,
        };
        // What every text gets is wrong here or never.
        tokenizer.run(vec![("".into(), None)])?;
        tokenizer.short = tokenizer.short_way().map(Arc::new);
        tokenizer.counters = Arc::default();
        Ok(tokenizer)
    }

    /// Puts `prompt` before every text from now on.
    pub fn set_prompt(&mut self, prompt: impl Into<String>) {
        self.prompt = prompt.into();
        let prompt = guarded(|| self.bare(self.prompt.as_str().into()));
        self.prompt_coverage = prompt.map_or_else(
            |_| Coverage::default(),
            |prompt| self.known.coverage(&prompt),
        );
    }

    /// How many tokens at the beginning of an input are the prompt's, by itself,
    /// as sentence-transformers counts them: with the special tokens before it.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub(crate) fn prompt_length(&self) -> Result<usize> {
        // It is no text, and not to be counted as one.
        let apart = Self {
            counters: Arc::default(),
            ..self.clone()
        };
        let prompt = apart.run(vec![(self.prompt.as_str().into(), None)])?;
        let ids = prompt.first().map_or(&[][..], |t| &t.ids);
        let special = ids.last().is_some_and(|id| self.special_ids.contains(id));
        Ok(ids.len() - usize::from(special))
    }

    /// Cuts inputs to at most `max_tokens` tokens from now on; never to more
    /// than the model's own limit.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] where the special tokens leave no room for
    /// text, or a template does.
    pub fn set_max_tokens(&mut self, max_tokens: usize) -> Result<()> {
        let max_tokens = max_tokens.min(self.most_tokens);
        match &self.template {
            Some(template) => self.room_within(template, max_tokens),
            None => self.room(max_tokens, false),
        }
        .map_err(|e| self.fail(e))?;
        self.max_tokens = max_tokens;
        Ok(())
    }

    /// Cuts off the beginnings of inputs that are too long, or their ends, from now on.
    pub fn set_cuts_beginnings(&mut self, beginnings: bool) {
        self.direction = match beginnings {
            true => TruncationDirection::Left,
            false => TruncationDirection::Right,
        };
    }

    /// The most tokens of an input, special ones included.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// What a user should know of it.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How many inputs so far, of this tokenizer and its clones, were cut to
    /// the limit, and how many it hardly knows.
    pub fn counts(&self) -> TextCounts {
        self.counters.read()
    }

    /// What its tokens are.
    pub fn vocabulary(&self) -> Vocabulary {
        let added = self.inner.get_added_tokens_decoder();
        let special = added.iter().filter(|(_, token)| token.special);
        let special: Vec<u32> = special.map(|(&id, _)| id).collect();
        Vocabulary::new(&self.inner.get_vocab(true), &special)
    }

    /// Where its vocabulary is another than `other`'s: the first token, by id,
    /// that does not stand for the same in both.
    pub fn differs_from(&self, other: &Self) -> Option<String> {
        let (own, others) = (self.inner.get_vocab(true), other.inner.get_vocab(true));
        let within = |a: &HashMap<String, u32>, b: &HashMap<String, u32>| {
            let unlike = a.iter().filter(|(token, id)| b.get(*token) != Some(*id));
            unlike
                .min_by_key(|(token, id)| (**id, *token))
                .map(|(token, id)| (token.clone(), *id))
        };
        let (token, _) = within(&own, &others).or_else(|| within(&others, &own))?;
        let number = |of: &HashMap<String, u32>| match of.get(&token) {
            Some(id) => format!("number {id}"),
            None => "missing".to_owned(),
        };
        Some(format!(
            "token `{token}` is {} in {}, {} in {}",
            number(&own),
            self.path.display(),
            number(&others),
            other.path.display()
        ))
    }

    pub(super) fn fail(&self, message: String) -> ModelError {
        let path = self.path.clone();
        ModelError::Tokenizer { path, message }
    }

    /// How many of `max_tokens` tokens the special ones leave.
    pub(super) fn room(&self, max_tokens: usize, pair: bool) -> Result<usize, String> {
        let added = self.processor.as_ref().map_or(0, |p| p.added_tokens(pair));
        match max_tokens.checked_sub(added) {
            Some(room) if room > usize::from(pair) => Ok(room),
            _ => Err(format!(
                "an input of {max_tokens} tokens, {added} of them special, has no room for text"
            )),
        }
    }

    /// The tokens of each text.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] where the tokenizer fails or yields an id
    /// outside of the model's vocabulary.
    pub fn encode(&self, texts: &[&str]) -> Result<Vec<Tokens>> {
        if let Some(template) = &self.template {
            return self.encode_within(template, texts);
        }
        let prompted = texts.iter().map(|&text| {
            if self.prompt.is_empty() {
                (text.into(), None)
            } else {
                (format!("{}{text}", self.prompt).into(), None)
            }
        });
        self.run(prompted.collect())
    }

    /// The tokens of each pair, as one input, without prompt and template.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_pairs(&self, pairs: &[(&str, &str)]) -> Result<Vec<Tokens>> {
        let inputs = pairs.iter().map(|&(a, b)| (a.into(), Some(b.into())));
        self.run(inputs.collect())
    }

    fn run(&self, inputs: Vec<(Cow<'_, str>, Option<Cow<'_, str>>)>) -> Result<Vec<Tokens>> {
        self.each(inputs, |(first, second)| {
            let short = self.short.as_ref().filter(|_| second.is_none());
            if let Some(tokens) = short.and_then(|way| self.shortly(way, &first)) {
                return Ok(tokens);
            }
            let first = self.bare(first)?;
            let second = second.map(|text| self.bare(text)).transpose()?;
            let single = second.is_none();
            let mut tokens = self.finish(first, second)?;
            if single {
                self.clear_single_segments(&mut tokens);
            }
            Ok(tokens)
        })
    }

    /// The short way, where it gives a text what the library gives it.
    fn short_way(&self) -> Option<ShortWay> {
        let words = PlainWords::of(&self.inner)?;
        // What stands around a text, and that it has no segments.
        const SAMPLE: &str = "a";
        let whole = self.run(vec![(SAMPLE.into(), None)]).ok()?.pop()?;
        let own = words.ids(SAMPLE)?;
        let at = whole.ids.windows(own.len()).position(|ids| ids == own)?;
        let (before, rest) = whole.ids.split_at(at);
        whole.segments.is_empty().then(|| ShortWay {
            before: before.to_vec(),
            after: rest[own.len()..].to_vec(),
            words,
        })
    }

    /// A text's tokens the short way; `None` where it is for the library.
    fn shortly(&self, way: &ShortWay, text: &str) -> Option<Tokens> {
        let mut ids = way.words.ids(text)?;
        let room = self
            .max_tokens
            .checked_sub(way.before.len() + way.after.len())?;
        // What is wrong with these is said there.
        self.check_ids(&ids).ok()?;
        let truncated = ids.len() > room;
        if truncated {
            match self.direction {
                TruncationDirection::Right => ids.truncate(room),
                TruncationDirection::Left => drop(ids.drain(..ids.len() - room)),
            }
        }
        let whole = self.known.coverage_of(&ids).without(self.prompt_coverage);
        let coverage = Coverage { truncated, ..whole };
        self.counters.add(&coverage);
        ids.splice(0..0, way.before.iter().copied());
        ids.extend(&way.after);
        Some(Tokens {
            ids,
            coverage,
            ..Tokens::default()
        })
    }

    /// A text by itself has no segments where the tokenizer gives none.
    pub(super) fn clear_single_segments(&self, tokens: &mut Tokens) {
        if !self.gives_segments {
            tokens.segments.clear();
        }
    }

    /// The ids of special tokens.
    pub(super) fn special_ids(&self) -> &[u32] {
        &self.special_ids
    }

    /// Whether all ids are the vocabulary's.
    pub(super) fn check_ids(&self, ids: &[u32]) -> Result<(), String> {
        let foreign = ids.iter().find(|&&id| id as usize >= self.vocabulary);
        match foreign {
            None => Ok(()),
            Some(id) => Err(format!(
                "token id {id} lies outside of the model's vocabulary of {}",
                self.vocabulary
            )),
        }
    }

    /// What `tokens` makes of each input.
    pub(super) fn each<I: Send, T: Send>(
        &self,
        inputs: Vec<I>,
        tokens: impl Fn(I) -> Result<T, String> + Sync,
    ) -> Result<Vec<T>> {
        let one = |input| guarded(|| tokens(input));
        let tokens: Vec<Result<T, String>> = match inputs.len() {
            // Alone it is done before another thread has woken.
            1 => inputs.into_iter().map(one).collect(),
            _ => inputs.into_par_iter().map(one).collect(),
        };
        // The first error in order, whichever came first in time.
        let tokens: Result<Vec<_>, _> = tokens.into_iter().collect();
        Ok(tokens.map_err(|e| self.fail(e))?)
    }

    /// The tokens of a token of text, without special ones.
    pub(super) fn bare(&self, text: Cow<'_, str>) -> Result<Encoding, String> {
        let bare = self
            .inner
            .encode_fast(EncodeInput::Single(text.into()), false);
        bare.map_err(|e| e.to_string())
    }

    /// Put before every text.
    pub(super) fn prompt(&self) -> &str {
        &self.prompt
    }

    /// How much of an input the vocabulary covers, counted: of a text without
    /// the prompt before it, or of a pair, which has none.
    pub(super) fn cover(
        &self,
        first: &Encoding,
        second: Option<&Encoding>,
        truncated: bool,
    ) -> Coverage {
        let whole = self.known.coverage(first);
        let whole = match second {
            Some(second) => whole.with(self.known.coverage(second)),
            None => whole.without(self.prompt_coverage),
        };
        let coverage = Coverage { truncated, ..whole };
        self.counters.add(&coverage);
        coverage
    }

    /// An input cut to its limit, with the special tokens.
    ///
    /// The library would do both, but with the special tokens of every token it
    /// cuts off, for pairs of every pair of tokens, and it subtracts their
    /// number from the limit unchecked.
    pub(super) fn finish(
        &self,
        mut first: Encoding,
        second: Option<Encoding>,
    ) -> Result<Tokens, String> {
        let mut second = second;
        let params = TruncationParams {
            max_length: self.room(self.max_tokens, second.is_some())?,
            direction: self.direction,
            ..TruncationParams::default()
        };
        let whole = first.len() + second.as_ref().map_or(0, Encoding::len);
        let truncated = whole > params.max_length;
        (first, second) = truncate_encodings(first, second, &params).map_err(|e| e.to_string())?;
        drop(first.take_overflowing());
        if let Some(second) = &mut second {
            drop(second.take_overflowing());
            second.set_type_ids(vec![1; second.len()]);
        }
        let coverage = self.cover(&first, second.as_ref(), truncated);
        let mut tokens = self.check(self.with_special(first, second)?)?;
        tokens.coverage = coverage;
        Ok(tokens)
    }

    /// The tokens, if the model can take them.
    pub(super) fn check(&self, encoding: Encoding) -> Result<Tokens, String> {
        let ids = encoding.get_ids().to_vec();
        if ids.len() > self.max_tokens {
            return Err(format!(
                "it makes {} tokens of an input cut to {}",
                ids.len(),
                self.max_tokens
            ));
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.vocabulary) {
            return Err(format!(
                "token id {id} lies outside of the model's vocabulary of {}; \
                 tokenizer and config.json do not belong together",
                self.vocabulary
            ));
        }
        let mut segments = encoding.get_type_ids().to_vec();
        // RoBERTa's single segment ignores what its tokenizer says.
        if self.segments < 2 || segments.iter().all(|&s| s == 0) {
            segments.clear();
        }
        if let Some(s) = segments.iter().find(|&&s| s as usize >= self.segments) {
            return Err(format!(
                "segment {s} is outside of the model's {}",
                self.segments
            ));
        }
        Ok(Tokens {
            ids,
            segments,
            ..Tokens::default()
        })
    }

    /// The same tokenizer, all of whose texts go through the library.
    #[doc(hidden)]
    pub fn without_short_way(&self) -> Self {
        Self {
            short: None,
            ..self.clone()
        }
    }

    /// Whether plain texts go a shorter way.
    #[doc(hidden)]
    pub fn has_short_way(&self) -> bool {
        self.short.is_some()
    }
}
