//! Documents by how well they fit a query, for every protocol that has that.

use super::predict::logistic;
use crate::http::{ApiError, Kind, State};
use crate::model::ServedModel;
use crate::work::{Answered, Input, Reading};
use gradus::cosine;
use gradus::format::PromptChoice;
use std::sync::Arc;

/// A document's place in the ranking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ranked {
    /// Its place among the documents of the request.
    pub index: usize,
    pub score: f32,
}

/// Documents by falling score, those of equal score in their own order; what was read.
pub(super) struct Ranking {
    pub ranked: Vec<Ranked>,
    pub answered: Answered,
    pub model: Arc<ServedModel>,
}

/// Whether a model ranks: by one score a pair, or by the cosines of its vectors.
fn ranks(model: &ServedModel) -> bool {
    model.is_reranker() || model.sentence().is_some()
}

/// The model that ranks, by preference one that reads query and document together.
pub(super) fn find<'s>(
    state: &'s State,
    name: Option<&str>,
) -> Result<(usize, &'s Arc<ServedModel>), ApiError> {
    let what = "rank documents";
    match name {
        Some(_) => state.find(name, ranks, what),
        None => match state.find(None, ServedModel::is_reranker, what) {
            Err(e) if e.kind == Kind::WrongModel => state.find(None, ranks, what),
            found => found,
        },
    }
}

/// Ranks documents. A cross-encoder's score is the logistic function of its logit, or,
/// raw, the logit; that of vectors the cosine of those that the model's prompts for
/// queries and documents give.
pub(super) async fn rank(
    state: &State,
    name: Option<&str>,
    (query, documents): (String, &[String]),
    (reading, raw): (Reading, bool),
) -> Result<Ranking, ApiError> {
    let (number, model) = find(state, name)?;
    let at = (number, model);
    let (scores, answered) = match model.cross() {
        Some(_) => {
            let pair = |document: &String| Input::Pair(query.clone(), document.clone());
            let pairs = documents.iter().map(pair).collect();
            let answered = state.workshop.logits(at, pairs, reading).await?;
            let score = |logits: &Vec<f32>| match raw {
                true => logits[0],
                false => logistic(logits[0]),
            };
            (answered.values.iter().map(score).collect(), answered)
        }
        None => {
            let texts = documents.iter().cloned().map(Input::Text).collect();
            let of = |prompt| Reading {
                prompt: Some(prompt),
                ..reading.clone()
            };
            let (query, documents) = tokio::try_join!(
                state
                    .workshop
                    .vectors(at, vec![Input::Text(query)], of(PromptChoice::Query)),
                state
                    .workshop
                    .vectors(at, texts, of(PromptChoice::Document)),
            )?;
            let query = &query.values[0];
            let score = |vector: &Vec<f32>| cosine(query, vector) as f32;
            let scores: Vec<f32> = documents.values.iter().map(score).collect();
            (scores, documents)
        }
    };
    if let Some(place) = scores.iter().position(|score| !score.is_finite()) {
        let message = format!("document {place}: its score is no finite number");
        return Err(ApiError::new(Kind::Internal, message));
    }
    Ok(Ranking {
        ranked: by_score(&scores),
        answered,
        model: Arc::clone(model),
    })
}

fn by_score(scores: &[f32]) -> Vec<Ranked> {
    let ranked = scores.iter().enumerate();
    let mut ranked: Vec<Ranked> = ranked
        .map(|(index, &score)| Ranked { index, score })
        .collect();
    ranked.sort_by(|a, b| {
        b.score
            .partial_cmp(&a.score)
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_keep_their_order() {
        let places: Vec<usize> = by_score(&[0.5, 0.9, 0.5, -0.0, 0.0])
            .iter()
            .map(|r| r.index)
            .collect();
        assert_eq!(places, [1, 0, 2, 3, 4]);
    }
}
