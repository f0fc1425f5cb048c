use super::rules::{Dropped, MiningRules};
use crate::data::{DataError, PairIndex, RowKind, Source, TextFile};
use crate::eval::{Embedder, ExactSearch};
use crate::format::PromptChoice;
use crate::jobs::observed::{check_finite, notes_on_texts};
use crate::jobs::{Environment, JobError, Model, Observed};
use crate::models::CrossEncoder;
use crate::output::Inputs;
use crate::util::{Observer, check_cancelled};
use crate::{Embeddings, Result};
use gradus_kernels::Backend;
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;

/// What is mined, from what, by which model.
#[derive(Debug, Clone)]
pub struct MiningSettings {
    /// The model by name.
    pub model: String,
    /// The pairs of a query and a positive.
    pub pairs: Source,
    /// Further texts that may be negatives; the positives are among them anyway.
    pub corpus: Option<TextFile>,
    /// Which become negatives.
    pub rules: MiningRules,
    /// The prompt before queries; by default the model's prompt `query`.
    pub query_prompt: PromptChoice,
    /// The prompt before the corpus; by default the model's prompt `document`.
    pub corpus_prompt: PromptChoice,
}

impl MiningSettings {
    /// Pairs and a model, all else as usual.
    pub fn new(model: impl Into<String>, pairs: Source) -> Self {
        Self {
            model: model.into(),
            pairs,
            corpus: None,
            rules: MiningRules::default(),
            query_prompt: PromptChoice::Query,
            corpus_prompt: PromptChoice::Document,
        }
    }
}

/// Gives other scores than the cosines: a cross-encoder's, say.
pub trait Rescore {
    /// The score of each document for a query.
    ///
    /// # Errors
    /// Whatever the model fails with.
    fn scores(&mut self, query: &str, documents: &[&str]) -> Result<Vec<f64>>;
}

impl<B: Backend> Rescore for CrossEncoder<B> {
    fn scores(&mut self, query: &str, documents: &[&str]) -> Result<Vec<f64>> {
        let pairs: Vec<(&str, &str)> = documents.iter().map(|&d| (query, d)).collect();
        Ok(self.predict(&pairs)?.as_slice().to_vec())
    }
}

/// What was mined of one query.
#[derive(Debug, Clone, PartialEq)]
pub struct Mined<'a> {
    /// The query.
    pub query: &'a str,
    /// Its positives with their scores, in the order of the pairs.
    pub positives: Vec<(&'a str, f64)>,
    /// Its negatives with their scores, the nearest first.
    pub negatives: Vec<(&'a str, f64)>,
}

/// What mining came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct MiningReport {
    /// Different queries.
    pub queries: usize,
    /// Different texts that could be negatives.
    pub texts: usize,
    /// Different pairs of a query and a positive.
    pub pairs: usize,
    /// Negatives found.
    pub negatives: usize,
    /// Queries with fewer negatives than wanted.
    pub short: usize,
    /// The rank at which candidates end.
    pub last_rank: usize,
    /// Candidates that were refused, by rule.
    pub dropped: Dropped,
}

/// Queries, positives and corpus, each text once, and the model, at hand.
#[derive(Debug)]
pub struct Mining {
    /// The model.
    pub model: Model,
    queries: Vec<String>,
    texts: Vec<String>,
    /// The texts that are positives of each query.
    positives: Vec<Vec<u32>>,
    /// The most pairs that a query has.
    most_positives: usize,
    settings: MiningSettings,
}

impl Mining {
    /// Reads pairs and corpus and finds the model.
    ///
    /// # Errors
    /// Those of [`MiningRules::validate`]; where a file cannot be read or the model
    /// cannot be had.
    pub fn prepare(
        settings: &MiningSettings,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        settings.rules.validate()?;
        let pairs = Source {
            rows: Some(RowKind::Pairs),
            ..settings.pairs.clone()
        };
        let nothing = PairIndex::default();
        let pairs = pairs.unlabelled(&nothing, Path::new(""), &environment.data);
        let pairs = pairs.map_err(JobError::input)?;
        let mut texts = Distinct::default();
        if let Some(corpus) = &settings.corpus {
            for row in corpus.rows().map_err(JobError::input)? {
                let text = row.map_err(JobError::input)?.text;
                if !text.trim().is_empty() {
                    texts.place(text);
                }
            }
        }
        let mut queries = Distinct::default();
        let mut positives: Vec<Vec<u32>> = Vec::new();
        let mut counts: Vec<usize> = Vec::new();
        for row in pairs.rows {
            let Ok([query, positive]) = <[String; 2]>::try_from(row) else {
                continue;
            };
            let (query, positive) = (queries.place(query), texts.place(positive));
            if query == positives.len() {
                positives.push(Vec::new());
                counts.push(0);
            }
            counts[query] += 1;
            if !positives[query].contains(&(positive as u32)) {
                positives[query].push(positive as u32);
            }
        }
        let most_positives = counts.into_iter().max().unwrap_or(0);
        if texts.all.len() < 2 {
            let path = settings.pairs.path.clone().unwrap_or_default();
            let (found, least) = (texts.all.len(), 2);
            let few = DataError::TooFewTexts { path, found, least };
            return Err(JobError::input(few.into()));
        }
        Ok(Self {
            model: environment.find(&settings.model, observer)?,
            queries: queries.all,
            texts: texts.all,
            positives,
            most_positives,
            settings: settings.clone(),
        })
    }

    /// What is read, which the result may not replace.
    pub fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::new().with("the model", &self.model.folder);
        if let Some(path) = &self.settings.pairs.path {
            inputs.add("the pairs", path);
        }
        if let Some(corpus) = &self.settings.corpus {
            inputs.add("the corpus", &corpus.path);
        }
        inputs
    }

    /// Encodes queries and texts, compares all, and hands what was mined to `each`,
    /// query by query in the order of the pairs. With `rescore`, where a rule looks at
    /// scores, candidates and positives have its scores in place of cosines.
    ///
    /// # Errors
    /// Where the model cannot be used; those of `rescore` and of `each`;
    /// [`Error::Stopped`](crate::Error::Stopped).
    pub fn run(
        &self,
        environment: &Environment,
        rescore: Option<&mut dyn Rescore>,
        observer: &mut dyn Observer,
        mut each: impl FnMut(Mined<'_>) -> Result<()>,
    ) -> Result<MiningReport> {
        let rules = &self.settings.rules;
        let mut rescore = rescore.filter(|_| rules.look_at_scores());
        let last = rules.last_rank(self.most_positives, rescore.is_some());
        let (queries, texts, nearest) = self.search(last, environment, observer)?;
        let mut report = MiningReport {
            queries: self.queries.len(),
            texts: self.texts.len(),
            pairs: self.positives.iter().map(Vec::len).sum(),
            last_rank: last,
            ..MiningReport::default()
        };
        let what = format!("{}: mining negatives", self.model.name);
        let total = self.queries.len() as u64;
        let text = |place: u32| self.texts[place as usize].as_str();
        for (q, mut candidates) in nearest.into_iter().enumerate() {
            check_cancelled(observer, &what)?;
            observer.progress(&what, q as u64, total);
            let (query, positives) = (self.queries[q].as_str(), &self.positives[q]);
            let cosine =
                |&place: &u32| crate::embeddings::cosine(queries.row(q), texts.row(place as usize));
            let mut scores: Vec<f64> = positives.iter().map(cosine).collect();
            if let Some(model) = &mut rescore {
                let places = candidates.iter().map(|(place, _)| *place);
                let all: Vec<u32> = places.chain(positives.iter().copied()).collect();
                let documents: Vec<&str> = all.iter().map(|&place| text(place)).collect();
                let again = model.scores(query, &documents)?;
                let (of_candidates, of_positives) = again.split_at(candidates.len());
                for (candidate, score) in candidates.iter_mut().zip(of_candidates) {
                    candidate.1 = *score;
                }
                scores = of_positives.to_vec();
            }
            let hardest = scores.iter().copied().fold(f64::INFINITY, f64::min);
            let found = rules.choose(
                candidates,
                positives,
                hardest,
                (q, last),
                &mut report.dropped,
            );
            report.negatives += found.len();
            report.short += usize::from(found.len() < rules.num_negatives);
            each(Mined {
                query,
                positives: positives.iter().map(|p| text(*p)).zip(scores).collect(),
                negatives: found
                    .into_iter()
                    .map(|(p, score)| (text(p), score))
                    .collect(),
            })?;
        }
        observer.progress(&what, total, total);
        Ok(report)
    }

    /// The vectors of queries and texts, and the nearest texts of each query.
    fn search(
        &self,
        last: usize,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<(Embeddings, Embeddings, Nearest)> {
        let Model { name, folder } = &self.model;
        let prompt = Some(self.settings.query_prompt.clone());
        let mut encoder = environment.load(folder, prompt, observer)?;
        let mut encode = |encoder: &_, what: &str, all: &[String]| -> Result<Embeddings> {
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let what = format!("{name}: encoding {what}");
            let vectors = Observed::new(encoder, what, observer).embed(&all);
            let vectors = vectors.map_err(JobError::model)?;
            check_finite(name, &all, &vectors)?;
            Ok(vectors)
        };
        let queries = encode(&encoder, "queries", &self.queries)?;
        let prompt = self.settings.corpus_prompt.clone();
        encoder.set_prompt(prompt).map_err(JobError::model)?;
        let texts = encode(&encoder, "texts", &self.texts)?;
        for note in notes_on_texts(&encoder) {
            observer.note(&note);
        }
        let wanted = last
            .saturating_add(self.most_positives)
            .min(self.texts.len());
        let mut search = ExactSearch::new(&queries, wanted);
        search.add(encoder.backend(), &texts);
        encoder.backend().check()?;
        let nearest = search.finish();
        Ok((queries, texts, nearest))
    }
}

/// The nearest texts of each query with their scores, best first.
type Nearest = Vec<Vec<(u32, f64)>>;

/// Texts, each once, in the order of first sight.
#[derive(Default)]
struct Distinct {
    all: Vec<String>,
    places: HashMap<String, usize>,
}

impl Distinct {
    fn place(&mut self, text: String) -> usize {
        if let Some(&place) = self.places.get(&text) {
            return place;
        }
        let place = self.all.len();
        self.places.insert(text.clone(), place);
        self.all.push(text);
        place
    }
}
