use super::Item;
use crate::embeddings::cosine;
use crate::format::PromptChoice;
use crate::jobs::chunks::CHUNK;
use crate::jobs::observed::{finite_scores_of_bare, finite_vectors};
use crate::jobs::{Environment, JobError, Model, PairModel};
use crate::models::{RankedDocument, inputs_at_a_time};
use crate::text::BareText;
use crate::util::{Observer, check_cancelled};
use crate::{Embeddings, Result};
use std::cmp::Ordering;

const ENCODING: &str = "encoding documents";
const RANKING: &str = "ranking documents";

/// The documents that fit a query best, best first.
pub type Ranked = Vec<RankedDocument>;

/// Documents, and a model that says how well each fits a query.
pub struct Reranker {
    name: String,
    model: PairModel,
    documents: Vec<Item>,
    read: Documents,
}

/// The documents as a model wants them, made once for all queries.
enum Documents {
    /// Vectors, of a sentence encoder.
    Vectors(Embeddings),
    /// Tokens, of a cross-encoder.
    Tokens(Vec<BareText>),
}

impl Reranker {
    /// Loads a model. One that makes vectors encodes the documents here, once for all
    /// queries, behind its prompt for documents where it has one, as
    /// sentence-transformers' `encode_document` does; for a cross-encoder they are
    /// tokenised here once.
    ///
    /// # Errors
    /// As [`Environment::load_pair_model`]; where a cross-encoder gives several scores
    /// to a pair; where a vector is not finite; [`Error::Stopped`](crate::Error::Stopped).
    pub fn begin(
        model: &Model,
        documents: Vec<Item>,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let folder = &model.folder;
        let mut loaded = environment.load_pair_model(folder, None, observer)?;
        let name = model.name.clone();
        let read = match &mut loaded {
            PairModel::Cross(cross) => {
                let one = cross.check_one_label("rank documents");
                one.map_err(JobError::model)?;
                let mut tokens = Vec::with_capacity(documents.len());
                for chunk in documents.chunks(CHUNK) {
                    check_cancelled(observer, RANKING)?;
                    let found = cross.tokenizer().bare_texts(&texts_of(chunk));
                    tokens.extend(found.map_err(JobError::model)?);
                }
                Documents::Tokens(tokens)
            }
            PairModel::Sentence(encoder) => {
                let prompt = |e| JobError::model(e);
                encoder.set_prompt(PromptChoice::Document).map_err(prompt)?;
                let (total, mut done) = (documents.len() as u64, 0);
                let mut values = Vec::with_capacity(documents.len() * encoder.dim());
                let at_a_time = inputs_at_a_time(encoder.backend(), CHUNK);
                observer.progress(ENCODING, done, total);
                for chunk in documents.chunks(at_a_time) {
                    check_cancelled(observer, ENCODING)?;
                    let (_, vectors) = finite_vectors(&name, encoder, &texts_of(chunk))?;
                    values.extend(vectors.into_vec());
                    done += chunk.len() as u64;
                    observer.progress(ENCODING, done, total);
                }
                encoder.set_prompt(PromptChoice::Query).map_err(prompt)?;
                Documents::Vectors(Embeddings::new(encoder.dim(), values))
            }
        };
        Ok(Self {
            name,
            model: loaded,
            documents,
            read,
        })
    }

    /// The documents, in the order in which they were given.
    pub fn documents(&self) -> &[Item] {
        &self.documents
    }

    /// The model.
    pub fn model(&self) -> &PairModel {
        &self.model
    }

    /// The documents by their score with the query, highest first, at most `top`;
    /// those of equal score in their own order. A score does not depend on the other
    /// documents.
    ///
    /// # Errors
    /// Where the tokenizer or the device fails; [`JobError::NotFinite`] and
    /// [`JobError::NotFiniteScore`]; [`Error::Stopped`](crate::Error::Stopped).
    pub fn rank(&self, query: &str, top: usize, observer: &mut dyn Observer) -> Result<Ranked> {
        check_cancelled(observer, RANKING)?;
        let scores = match (&self.model, &self.read) {
            (PairModel::Sentence(encoder), Documents::Vectors(vectors)) => {
                let (_, query) = finite_vectors(&self.name, encoder, &[query])?;
                let score = |row| cosine(query.row(0), vectors.row(row));
                (0..vectors.rows()).map(score).collect()
            }
            (PairModel::Cross(model), Documents::Tokens(tokens)) => {
                let total = self.documents.len() as u64;
                let mut scores = Vec::with_capacity(self.documents.len());
                observer.progress(RANKING, 0, total);
                let bare = model.tokenizer().bare_text(query);
                let bare = bare.map_err(JobError::model)?;
                let most = inputs_at_a_time(model.backend(), CHUNK);
                for (texts, chunk) in self.documents.chunks(most).zip(tokens.chunks(most)) {
                    check_cancelled(observer, RANKING)?;
                    let pairs: Vec<_> = chunk.iter().map(|document| (&bare, document)).collect();
                    let texts = |place: usize| (query, texts[place].text.as_str());
                    scores.extend(finite_scores_of_bare(&self.name, model, &pairs, texts)?);
                    observer.progress(RANKING, scores.len() as u64, total);
                }
                scores
            }
            // Each model makes what it reads.
            _ => vec![],
        };
        Ok(best(scores, top))
    }

    /// Sentences on inputs so far that were truncated, or that the vocabulary
    /// hardly knows; none where there were none.
    pub fn notes(&self) -> Vec<String> {
        self.model.notes()
    }
}

fn texts_of(documents: &[Item]) -> Vec<&str> {
    documents.iter().map(|d| d.text.as_str()).collect()
}

/// The places of the highest scores, highest first; the sort leaves equal ones in
/// order.
fn best(scores: Vec<f64>, top: usize) -> Ranked {
    let mut ranked: Ranked = scores
        .into_iter()
        .enumerate()
        .map(|(index, score)| RankedDocument { index, score })
        .collect();
    // All are finite.
    ranked.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal));
    ranked.truncate(top);
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_come_first_and_equal_ones_keep_their_order() {
        let places = |scores: &[f64], top| -> Vec<usize> {
            let ranked = best(scores.to_vec(), top);
            ranked.iter().map(|d| d.index).collect()
        };
        assert_eq!(places(&[0.5, 2.0, 0.5, -1.0, 2.0], 9), [1, 4, 0, 2, 3]);
        assert_eq!(places(&[-0.0, 0.0, 1.0], 2), [2, 0]);
        assert!(places(&[], 3).is_empty());
    }
}
