//! The classes of texts and of pairs, as text-embeddings-inference gives them.

use super::shared::{ErrorBody, Side, reading};
use crate::http::{ApiError, Body, Kind, Reply, State};
use crate::work::Input;
use axum::extract;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A text, a pair of texts, or a list of lists of one text or two. Two texts in a list
/// are a pair.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "expected a text, a pair of texts, or a list of lists of one or two texts"
)]
pub(super) enum PredictInputs {
    Text(String),
    Pair(Vec<String>),
    Many(Vec<Vec<String>>),
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct PredictRequest {
    inputs: PredictInputs,
    /// As of `/embed`.
    truncate: Option<bool>,
    /// As of `/embed`.
    truncation_direction: Option<Side>,
    /// Logits in place of probabilities.
    raw_scores: Option<bool>,
    /// The name of a model, where there are several.
    model: Option<String>,
}

/// A class and how likely it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Prediction<'a> {
    score: f32,
    label: &'a str,
}

fn input(texts: Vec<String>) -> Result<Input, ApiError> {
    let mut texts = texts.into_iter();
    match (texts.next(), texts.next(), texts.next()) {
        (Some(text), None, _) => Ok(Input::Text(text)),
        (Some(a), Some(b), None) => Ok(Input::Pair(a, b)),
        _ => Err(ApiError::new(
            Kind::Validation,
            "an input is one text or two",
        )),
    }
}

/// The classes of each input, the likeliest first.
#[utoipa::path(post, path = "/predict", request_body = PredictRequest, tag = "text-embeddings-inference",
    responses((status = 200, description = "Classes and how likely they are; a list of them for each input where inputs is a list of lists", body = Vec<Prediction>),
        (status = 422, description = "A value cannot be obeyed", body = ErrorBody)))]
pub(super) async fn predict(
    extract::State(state): extract::State<Arc<State>>,
    Body(request): Body<PredictRequest>,
) -> Result<Response, ApiError> {
    let (inputs, batch) = match request.inputs {
        PredictInputs::Text(text) => (vec![Input::Text(text)], false),
        PredictInputs::Pair(texts) if texts.is_empty() => (vec![], true),
        PredictInputs::Pair(texts) => (vec![input(texts)?], false),
        PredictInputs::Many(lists) => {
            let inputs: Result<Vec<Input>, ApiError> = lists.into_iter().map(input).collect();
            (inputs?, true)
        }
    };
    let mut reply = Reply::begin(batch);
    let name = request.model.as_deref();
    let at = state.find(name, |m| m.cross().is_some(), "classify")?;
    let reading = reading(None, request.truncate, request.truncation_direction);
    let answered = state.workshop.logits(at, inputs, reading).await?;
    reply.note(&answered);
    let raw = request.raw_scores.unwrap_or(false);
    let classes = answered.values.iter().map(|logits| {
        let scores = match raw {
            true => logits.clone(),
            false => probabilities(logits),
        };
        let labels = at.1.labels.iter().map(String::as_str);
        let named = scores.into_iter().zip(labels);
        let mut classes: Vec<Prediction<'_>> = named
            .map(|(score, label)| Prediction { score, label })
            .collect();
        // All are finite; equal ones stay in order.
        classes.sort_by(|a, b| b.score.total_cmp(&a.score));
        classes
    });
    let mut classes: Vec<_> = classes.collect();
    Ok(match batch {
        true => reply.json(&classes),
        false => reply.json(&classes.pop()),
    })
}

/// The softmax of logits; of a single one its logistic function.
pub(super) fn probabilities(logits: &[f32]) -> Vec<f32> {
    if let [logit] = logits {
        return vec![logistic(*logit)];
    }
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.iter().map(|&x| f64::from(x - highest).exp());
    let powers: Vec<f64> = powers.collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| (p / sum) as f32).collect()
}

pub(super) fn logistic(x: f32) -> f32 {
    (1.0 / (1.0 + (-f64::from(x)).exp())) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one() {
        let three = probabilities(&[1.0, 1.0, 1.0]);
        assert!(three.iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-7));
        let far = probabilities(&[1e30, -1e30]);
        assert_eq!(far, [1.0, 0.0]);
        assert_eq!(probabilities(&[0.0]), [0.5]);
        assert_eq!(probabilities(&[-1e30]), [0.0]);
    }
}
