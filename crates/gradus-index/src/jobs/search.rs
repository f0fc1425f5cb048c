//! The texts of an index that are nearest to queries.

use super::lookup::{Approximate, Found, Lookup, Opened};
use super::model::Encoder;
use crate::Result;
use crate::filter::Filter;
use crate::store::Index;
use gradus::format::PromptChoice;
use gradus::jobs::{Environment, Model};
use gradus::models::CrossEncoder;
use gradus::util::Observer;
use gradus_kernels::cpu::Cpu;
use std::path::Path;

/// How an index is searched.
#[derive(Debug, Clone, Default)]
pub struct SearchSettings {
    /// The model, where it is no longer where the index says; it must be the same.
    pub model: Option<Model>,
    /// The prompt before queries; by default the model's for queries.
    pub prompt: Option<PromptChoice>,
    /// Look for the query's words too, and put so many of the nearest and of the best by
    /// words together by their ranks (reciprocal rank fusion).
    pub hybrid: Option<usize>,
    /// A cross-encoder that ranks what was found again.
    pub rerank: Option<Rerank>,
    /// Walk through the graph of the index in place of comparing all.
    pub approximate: Option<Approximate>,
}

/// What ranks again.
#[derive(Debug, Clone)]
pub struct Rerank {
    /// A cross-encoder.
    pub model: Model,
    /// So many of the nearest it reads.
    pub candidates: usize,
}

/// An index, and the model that its queries come from.
pub struct Searcher {
    index: Opened,
    encoder: Encoder,
    rerank: Option<(CrossEncoder, usize)>,
    /// Texts that are put together of those by vectors and those by words.
    hybrid: Option<usize>,
    /// Candidates that searches of the graph keep.
    width: Option<usize>,
    /// What vectors are compared on, where the model is not on the processor.
    comparer: Option<Cpu>,
}

impl Searcher {
    /// Opens an index and loads its model.
    ///
    /// # Errors
    /// As [`Index::open`]; [`OtherModel`](crate::IndexError::OtherModel) where the model is not the one that
    /// made the index.
    pub fn begin(
        index: &Path,
        settings: &SearchSettings,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let index = Index::open(index)?;
        let own = &index.manifest().model;
        let found;
        let model = match &settings.model {
            Some(model) => model,
            None => {
                found = environment.find(&own.name, observer)?;
                &found
            }
        };
        let prompt = settings.prompt.clone().unwrap_or(PromptChoice::Query);
        let encoder = Encoder::load(model, prompt, environment, observer)?;
        let other = &encoder.identity;
        own.check(&other.name, &other.hash)?;
        if own.precision != other.precision {
            observer.note(&format!(
                "note: texts were encoded in {} and queries are in {}; scores differ a little from those of --precision {}",
                own.precision, other.precision, own.precision
            ));
        }
        let rerank = match &settings.rerank {
            None => None,
            Some(rerank) => {
                let backend = environment.backend_for(&rerank.model.folder, observer)?;
                let cross = CrossEncoder::load(&rerank.model.folder, backend)?;
                cross.check_one_label("rank texts")?;
                Some((cross, rerank.candidates))
            }
        };
        let comparer = match encoder.encoder.backend().as_cpu() {
            Some(_) => None,
            None => Some(environment.comparer()?),
        };
        let width = match settings.approximate {
            None => None,
            Some(approximate) => Some(approximate.width(&index)?),
        };
        let index = match settings.hybrid {
            None => Opened::new(index),
            Some(_) => Opened::with_words(index)?,
        };
        Ok(Self {
            index,
            encoder,
            rerank,
            hybrid: settings.hybrid,
            width,
            comparer,
        })
    }

    /// The index.
    pub fn index(&self) -> &Index {
        self.index.index()
    }

    /// The `most` texts nearest to each query, nearest first; of equal cosines the one
    /// that was added first. Only those for which the filter holds.
    ///
    /// # Errors
    /// Where the model fails, or a file of the index is damaged.
    pub fn search(
        &self,
        queries: &[&str],
        most: usize,
        filter: Option<&Filter>,
    ) -> Result<Vec<Vec<Found>>> {
        let vectors = self.encoder.unit_vectors(queries)?;
        let lookup = Lookup {
            most: self.rerank.as_ref().map_or(most, |(_, n)| most.max(*n)),
            filter,
            width: self.width,
            hybrid: self.hybrid,
        };
        let compute = self.encoder.encoder.backend();
        let Some(cpu) = compute.as_cpu().or(self.comparer.as_ref()) else {
            unreachable!("made where the model is on a card")
        };
        let mut all = self.index.look_up(cpu, queries, &vectors, &lookup)?;
        for (query, found) in queries.iter().zip(&mut all) {
            if let Some((cross, _)) = &self.rerank {
                *found = reranked(cross, query, std::mem::take(found))?;
            }
            found.truncate(most);
        }
        Ok(all)
    }
}

fn reranked(cross: &CrossEncoder, query: &str, found: Vec<Found>) -> Result<Vec<Found>> {
    let texts: Vec<&str> = found.iter().map(|f| f.record.text.as_str()).collect();
    let ranked = cross.rank(query, &texts, None)?;
    let place = |r: gradus::models::RankedDocument| Found {
        score: Some(r.score),
        ..found[r.index].clone()
    };
    Ok(ranked.into_iter().map(place).collect())
}
