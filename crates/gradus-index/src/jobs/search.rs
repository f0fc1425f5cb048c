//! The texts of an index that are nearest to queries.

use super::model::Encoder;
use crate::filter::Filter;
use crate::store::{Index, Record};
use crate::{IndexError, Result};
use gradus::format::PromptChoice;
use gradus::jobs::{Environment, Model};
use gradus::models::CrossEncoder;
use gradus::util::Observer;
use std::path::Path;

/// How an index is searched.
#[derive(Debug, Clone, Default)]
pub struct SearchSettings {
    /// The model, where it is no longer where the index says; it must be the same.
    pub model: Option<Model>,
    /// The prompt before queries; by default the model's for queries.
    pub prompt: Option<PromptChoice>,
    /// A cross-encoder that ranks what was found again.
    pub rerank: Option<Rerank>,
    /// Walk through the graph of the index in place of comparing all.
    pub approximate: Option<Approximate>,
}

/// How much a search finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Approximate {
    /// As wide a search as gave this recall when the graph was made.
    Recall(f64),
    /// So many candidates are kept.
    Width(usize),
}

/// What ranks again.
#[derive(Debug, Clone)]
pub struct Rerank {
    /// A cross-encoder.
    pub model: Model,
    /// So many of the nearest it reads.
    pub candidates: usize,
}

/// A text that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its row.
    pub row: usize,
    /// Its cosine with the query.
    pub cosine: f32,
    /// Its score by the cross-encoder, where one ranks.
    pub score: Option<f64>,
    /// Itself.
    pub record: Record,
}

/// Of so many texts a filter must leave one for the graph to be of use.
const FEW: usize = 20;

/// An index, and the model that its queries come from.
pub struct Searcher {
    index: Index,
    encoder: Encoder,
    rerank: Option<(CrossEncoder, usize)>,
    /// Candidates that searches of the graph keep.
    width: Option<usize>,
}

impl Approximate {
    /// The width of searches of an index.
    fn width(self, index: &Index) -> Result<usize> {
        match (self, &index.manifest().graph) {
            (Self::Width(width), Some(_)) => Ok(width),
            (Self::Recall(recall), Some(graph)) => Ok(graph.width(recall)),
            (_, None) => {
                let path = index.folder().display();
                Err(IndexError::Settings(format!(
                    "{path} has no graph to search approximately; `gradus index graph {path}` makes it"
                )))
            }
        }
    }
}

impl Searcher {
    /// Opens an index and loads its model.
    ///
    /// # Errors
    /// As [`Index::open`]; [`IndexError::OtherModel`] where the model is not the one that
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
        let width = match settings.approximate {
            None => None,
            Some(approximate) => Some(approximate.width(&index)?),
        };
        Ok(Self {
            index,
            encoder,
            rerank,
            width,
        })
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
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
        let mut allowed = self.index.rows().clone();
        if let Some(filter) = filter {
            self.index.keep(filter, &mut allowed)?;
        }
        let wide = self.rerank.as_ref().map_or(most, |(_, n)| most.max(*n));
        let cpu = self.encoder.encoder.backend();
        // Where few are allowed, a walk meets none of them.
        let few = allowed.count() < self.index.rows().count() / FEW;
        let hits = match self.width.filter(|_| !few) {
            Some(width) => {
                let index = &self.index;
                index.approximate(cpu, &vectors, wide, width, &allowed)?
            }
            None => self.index.nearest(cpu, &vectors, wide, &allowed)?,
        };
        let mut all = vec![];
        for (query, hits) in queries.iter().zip(hits) {
            let mut found = vec![];
            for hit in hits {
                found.push(Found {
                    row: hit.row,
                    cosine: hit.score,
                    score: None,
                    record: self.index.record(hit.row)?,
                });
            }
            if let Some((cross, _)) = &self.rerank {
                found = reranked(cross, query, found)?;
            }
            found.truncate(most);
            all.push(found);
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
