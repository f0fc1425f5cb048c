//! From a request's inputs to their answers.

use crate::cache::AnswerCache;
use crate::engine::{Answer, Engine, Job};
use crate::http::{ApiError, Kind};
use crate::measures;
use crate::model::{Ask, ServedModel};
use crate::settings::Limits;
use gradus::Embeddings;
use gradus::format::PromptChoice;
use gradus::text::{Coverage, Tokens};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Texts of together more bytes are tokenised apart from the threads that answer clients.
const MUCH_TEXT: usize = 1 << 14;

/// One input of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    Text(String),
    /// A text given as token ids.
    Ids(Vec<u32>),
    Pair(String, String),
}

impl Input {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Ids(ids) => 4 * ids.len(),
            Self::Pair(a, b) => a.len() + b.len(),
        }
    }

    fn longest_text(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Ids(_) => 0,
            Self::Pair(a, b) => a.len().max(b.len()),
        }
    }

    fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Ids(ids) => ids.is_empty(),
            Self::Pair(..) => false,
        }
    }
}

/// How inputs are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// Before every text; by default the model's own.
    pub prompt: Option<PromptChoice>,
    /// Whether inputs that are too long are cut; by default as the server says.
    pub truncate: Option<bool>,
    /// Whether their beginnings are cut off; by default as the model's tokenizer says.
    pub cut_beginnings: Option<bool>,
    /// Whether an empty text is an error.
    pub refuse_empty: bool,
}

/// How long the parts of a request took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub tokenized: Duration,
    pub queued: Duration,
    pub computed: Duration,
}

/// The answers of a request's inputs, in their order.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub values: Vec<Vec<f32>>,
    /// What the tokenizer made of each input.
    pub coverage: Vec<Coverage>,
    /// Tokens of each input, special ones included.
    pub lengths: Vec<usize>,
    pub characters: usize,
    pub times: Times,
}

impl Answered {
    /// The places of the inputs that were cut.
    pub fn truncated(&self) -> Vec<usize> {
        let cut = self.coverage.iter().enumerate();
        cut.filter(|(_, c)| c.truncated).map(|(i, _)| i).collect()
    }

    pub fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }
}

/// What answers are made with.
pub(crate) struct Workshop {
    pub engine: Arc<Engine>,
    pub cache: Option<AnswerCache>,
    pub truncate: bool,
    pub limits: Limits,
}

impl Workshop {
    /// The vectors of inputs, `[inputs, dim]`.
    pub async fn vectors(
        &self,
        at: (usize, &Arc<ServedModel>),
        inputs: Vec<Input>,
        reading: Reading,
    ) -> Result<Answered, ApiError> {
        self.answer(at, inputs, reading, Wanted::Vectors).await
    }

    /// The vectors of all tokens of inputs.
    pub async fn token_vectors(
        &self,
        at: (usize, &Arc<ServedModel>),
        inputs: Vec<Input>,
        reading: Reading,
    ) -> Result<Answered, ApiError> {
        self.answer(at, inputs, reading, Wanted::TokenVectors).await
    }

    /// The logits of pairs and single texts, `[inputs, labels]`.
    pub async fn logits(
        &self,
        at: (usize, &Arc<ServedModel>),
        inputs: Vec<Input>,
        reading: Reading,
    ) -> Result<Answered, ApiError> {
        self.answer(at, inputs, reading, Wanted::Logits).await
    }

    async fn answer(
        &self,
        (number, model): (usize, &Arc<ServedModel>),
        inputs: Vec<Input>,
        reading: Reading,
        wanted: Wanted,
    ) -> Result<Answered, ApiError> {
        let began = Instant::now();
        let until = began + self.limits.request_time;
        self.check(&inputs, &reading)?;
        // Before any work: where there is too much already, this costs nothing.
        if self.engine.is_full() {
            return Err(ApiError::overloaded());
        }
        let characters = inputs.iter().map(Input::bytes).sum();
        let truncate = reading.truncate.unwrap_or(self.truncate);
        let (tokens, ask) = match characters {
            0..=MUCH_TEXT => tokenize(model, &inputs, &reading, wanted)?,
            _ => {
                let model = Arc::clone(model);
                let apart = move || tokenize(&model, &inputs, &reading, wanted);
                let done = tokio::task::spawn_blocking(apart).await;
                done.map_err(|e| ApiError::new(Kind::Internal, e.to_string()))??
            }
        };
        let mut answered = Answered {
            coverage: tokens.iter().map(|t| t.coverage).collect(),
            lengths: tokens.iter().map(|t| t.ids.len()).collect(),
            characters,
            ..Answered::default()
        };
        if !truncate && let Some(place) = answered.truncated().first() {
            let most = model.tokenizer().max_tokens();
            let message = format!(
                "input {place} has more than the model's {most} tokens; shorten it, or send \"truncate\": true"
            );
            return Err(ApiError::new(Kind::Validation, message));
        }
        answered.times.tokenized = began.elapsed();
        self.compute((number, model), (tokens, ask), until, &mut answered)
            .await?;
        let Times {
            tokenized,
            queued,
            computed,
        } = answered.times;
        measures::parts(tokenized, queued, computed, &answered.lengths);
        Ok(answered)
    }

    fn check(&self, inputs: &[Input], reading: &Reading) -> Result<(), ApiError> {
        let limits = &self.limits;
        if inputs.is_empty() {
            return Err(ApiError::new(Kind::Empty, "there are no inputs"));
        }
        if inputs.len() > limits.items {
            let message = format!(
                "{} inputs are more than the {} of a request; send them in several",
                inputs.len(),
                limits.items
            );
            return Err(ApiError::new(Kind::TooLarge, message));
        }
        if let Some(place) = inputs.iter().position(|i| i.longest_text() > limits.text) {
            let message = format!(
                "input {place} has more than {} bytes, the most of a text",
                limits.text
            );
            return Err(ApiError::new(Kind::TooLarge, message));
        }
        let blank = inputs.iter().position(Input::is_blank);
        match blank.filter(|_| reading.refuse_empty) {
            Some(place) => Err(ApiError::new(
                Kind::Empty,
                format!("input {place} is empty"),
            )),
            None => Ok(()),
        }
    }

    async fn compute(
        &self,
        (number, model): (usize, &ServedModel),
        (tokens, ask): (Vec<Tokens>, Ask),
        until: Instant,
        answered: &mut Answered,
    ) -> Result<(), ApiError> {
        let mut known: Vec<Option<Vec<f32>>> = vec![None; tokens.len()];
        let mut keys = vec![];
        if let Some(cache) = &self.cache {
            keys.extend(tokens.iter().map(|t| AnswerCache::key(model, ask, t)));
            for (known, key) in known.iter_mut().zip(&keys) {
                *known = cache.get(key).map(|values| values.to_vec());
            }
            let hits = known.iter().flatten().count();
            measures::cache(hits, known.len() - hits);
        }
        let unknown = tokens.into_iter().enumerate();
        let jobs: Vec<Job> = unknown
            .filter(|(place, _)| known[*place].is_none())
            .map(|(place, tokens)| Job { place, tokens, ask })
            .collect();
        // Answers are counted, not their places.
        let places: Vec<usize> = jobs.iter().map(|job| job.place).collect();
        let jobs = (0..).zip(jobs).map(|(place, job)| Job { place, ..job });
        if !places.is_empty() {
            let ticket = self.engine.submit(number, jobs.collect(), until);
            let ticket = ticket.map_err(|_| ApiError::overloaded())?;
            let answers = tokio::time::timeout_at(until.into(), ticket.answers()).await;
            let answers = match answers {
                Ok(answers) => answers,
                Err(_) => return Err(ApiError::late()),
            };
            let answers = answers.map_err(|(at, error)| ApiError::of_item(places[at], error))?;
            for (place, answer) in places.iter().zip(answers) {
                let Answer {
                    values,
                    queued,
                    computed,
                } = answer;
                if let (Some(cache), Some(key)) = (&self.cache, keys.get(*place)) {
                    cache.put(*key, &values);
                }
                answered.times.queued = answered.times.queued.max(queued);
                answered.times.computed += computed / places.len() as u32;
                known[*place] = Some(values);
            }
        }
        answered.values = known.into_iter().flatten().collect();
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Wanted {
    Vectors,
    TokenVectors,
    Logits,
}

fn tokenize(
    model: &ServedModel,
    inputs: &[Input],
    reading: &Reading,
    wanted: Wanted,
) -> Result<(Vec<Tokens>, Ask), ApiError> {
    let bad = |e| ApiError::of_library(Kind::Tokenizer, e);
    let (mut tokenizer, mut unpooled) = (None, 0);
    match (model.sentence(), &reading.prompt) {
        (Some(encoder), None) => unpooled = encoder.unpooled(),
        (Some(encoder), Some(choice)) => {
            let prompted = encoder.prompted(choice);
            let bad = |e| ApiError::of_library(Kind::Validation, e).of("prompt_name");
            let prompted = prompted.map_err(bad)?;
            unpooled = prompted.unpooled();
            tokenizer = Some(prompted.into_tokenizer());
        }
        (None, Some(PromptChoice::Named(_))) => {
            let message = "a model that scores pairs has no prompts";
            return Err(ApiError::new(Kind::Validation, message).of("prompt_name"));
        }
        (None, _) => {}
    }
    if let Some(beginnings) = reading.cut_beginnings {
        let own = tokenizer.get_or_insert_with(|| model.tokenizer().clone());
        own.set_cuts_beginnings(beginnings);
    }
    let tokenizer = tokenizer.as_ref().unwrap_or(model.tokenizer());
    // Mostly all inputs are of one kind; where not, they go in runs.
    let mut tokens = Vec::with_capacity(inputs.len());
    let mut rest = inputs;
    while let Some(first) = rest.first() {
        let same = |input: &&Input| std::mem::discriminant(*input) == std::mem::discriminant(first);
        let (run, after) = rest.split_at(rest.iter().take_while(same).count());
        match first {
            Input::Ids(_) => {
                for input in run {
                    let Input::Ids(ids) = input else { continue };
                    let own = tokenizer.encode_ids(ids);
                    let own = own.map_err(|e| ApiError::of_library(Kind::Validation, e))?;
                    tokens.push(own);
                }
            }
            Input::Text(_) => {
                let texts = run.iter().filter_map(|input| match input {
                    Input::Text(text) => Some(text.as_str()),
                    _ => None,
                });
                let texts: Vec<&str> = texts.collect();
                tokens.extend(tokenizer.encode(&texts).map_err(bad)?);
            }
            Input::Pair(..) => {
                let pairs = run.iter().filter_map(|input| match input {
                    Input::Pair(a, b) => Some((a.as_str(), b.as_str())),
                    _ => None,
                });
                let pairs: Vec<(&str, &str)> = pairs.collect();
                tokens.extend(tokenizer.encode_pairs(&pairs).map_err(bad)?);
            }
        }
        rest = after;
    }
    let ask = match wanted {
        Wanted::Vectors => Ask::Vector { unpooled },
        Wanted::TokenVectors => Ask::TokenVectors,
        Wanted::Logits => Ask::Logits,
    };
    Ok((tokens, ask))
}

/// Vectors as a request wants them: the first `dimensions` values, divided by their
/// length where that is asked for. Whole vectors that have length 1 by the model's own
/// description keep their bits.
pub(crate) fn shaped(
    model: &ServedModel,
    vectors: Vec<Vec<f32>>,
    dimensions: Option<usize>,
    normalize: bool,
) -> Result<Vec<Vec<f32>>, ApiError> {
    let Some(encoder) = model.sentence() else {
        return Ok(vectors);
    };
    let dim = encoder.dim();
    let width = dimensions.unwrap_or(dim);
    if width == 0 || width > dim {
        let message = format!("dimensions must be 1 to {dim} for this model, not {width}");
        return Err(ApiError::new(Kind::Validation, message).of("dimensions"));
    }
    let whole = width == dim;
    if whole && (!normalize || encoder.folder().modules.normalize) {
        return Ok(vectors);
    }
    let cut = |mut vector: Vec<f32>| {
        vector.truncate(width);
        match normalize {
            true => Embeddings::new(width, vector).normalized().into_vec(),
            false => vector,
        }
    };
    Ok(vectors.into_iter().map(cut).collect())
}
