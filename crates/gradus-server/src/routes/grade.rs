//! Grades of pairs, on the scale of the labels that a model was calibrated with.

use super::rerank::Usage;
use super::shared::ErrorBody;
use crate::http::{ApiError, Body, Kind, Reply, State};
use crate::work::{Input, Reading};
use axum::extract;
use axum::response::Response;
use gradus::jobs::score::PairScore;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GradeRequest {
    /// Pairs of texts.
    pairs: Vec<(String, String)>,
    /// The name of a model; by default the first.
    model: Option<String>,
    /// Whether texts beyond the model's length are cut, or an error.
    truncate: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GradeResponse<'a> {
    model: &'a str,
    /// The lowest and the highest grade, of a model with a calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<[f64; 2]>,
    /// How many of all intervals hold the grade that people give: 0.9 is 90 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<f64>,
    /// Of each pair, as `gradus score` prints it: `recommended` is the number to use,
    /// `calibrated` a grade with the ends of its interval.
    #[schema(value_type = Vec<Object>)]
    grades: Vec<PairScore>,
    usage: Usage,
}

/// How alike the texts of each pair are.
#[utoipa::path(post, path = "/grade", request_body = GradeRequest, tag = "Gradus",
    responses((status = 200, description = "A grade for each pair", body = GradeResponse),
        (status = 422, description = "A value cannot be obeyed", body = ErrorBody)))]
pub(super) async fn grade(
    extract::State(state): extract::State<Arc<State>>,
    Body(request): Body<GradeRequest>,
) -> Result<Response, ApiError> {
    let mut reply = Reply::begin(request.pairs.len() > 1);
    let (number, model) = state.find(request.model.as_deref(), |_| true, "score pairs")?;
    let reading = Reading {
        truncate: request.truncate,
        ..Reading::default()
    };
    let at = (number, model);
    let scorer = model.scorer();
    let (grades, answered): (Vec<PairScore>, _) = match model.cross() {
        Some(cross) => {
            let pairs = request.pairs.into_iter();
            let pairs = pairs.map(|(a, b)| Input::Pair(a, b)).collect();
            let answered = state.workshop.logits(at, pairs, reading).await?;
            let scores = cross.pair_scores(&answered.values.concat());
            let scores = scores.into_iter().zip(&answered.coverage);
            let grades = scores.map(|(score, coverage)| scorer.of_score(score, *coverage));
            (grades.collect(), answered)
        }
        None => {
            let texts = request.pairs.into_iter().flat_map(|(a, b)| [a, b]);
            let texts = texts.map(Input::Text).collect();
            let answered = state.workshop.vectors(at, texts, reading).await?;
            let pairs = answered.values.chunks_exact(2);
            let pairs = pairs.zip(answered.coverage.chunks_exact(2));
            let grades = pairs.map(|(v, coverage)| scorer.of_vectors(&v[0], &v[1], coverage));
            (grades.collect(), answered)
        }
    };
    if let Some(place) = grades.iter().position(|g| !g.recommended.is_finite()) {
        let message = format!("pair {place}: its score is no finite number");
        return Err(ApiError::new(Kind::Internal, message));
    }
    reply.note(&answered);
    let calibration = model.calibration();
    Ok(reply.json(&GradeResponse {
        model: &model.name,
        scale: calibration.map(|c| [c.scale.0, c.scale.1]),
        coverage: calibration.map(|c| c.coverage),
        grades,
        usage: Usage::of(answered.tokens()),
    }))
}
