//! The texts of an index that are nearest to queries.

use super::rerank::Usage;
use super::shared::ErrorBody;
use crate::http::{ApiError, Body, Kind, Reply, State};
use crate::indexes::ServedIndex;
use crate::model::ServedModel;
use crate::work::{Input, Reading};
use axum::extract;
use axum::response::Response;
use gradus::Embeddings;
use gradus::format::PromptChoice;
use gradus_index::filter::Filter;
use gradus_index::jobs::{Approximate, Found as IndexFound, Lookup, Opened};
use gradus_index::store::Record;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::ToSchema;

/// A text or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a query, or a list of queries")]
pub(super) enum Queries {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchRequest {
    /// What is searched for: a text or several.
    query: Queries,
    /// The name of an index; by default the first.
    index: Option<String>,
    /// At most so many texts a query; 10 by default.
    top: Option<usize>,
    /// Only texts for whose columns this holds, such as `lang = "de" and year > 2019`.
    filter: Option<String>,
    /// The model's prompt of this name goes before queries; by default its prompt for
    /// queries, where it has one.
    prompt_name: Option<String>,
    /// The name of a cross-encoder of this server, which ranks the nearest texts again.
    rerank: Option<String>,
    /// Whether the query's words are looked for too, and a text's ranks in both lists put
    /// together; the index must keep words (`gradus index words`).
    hybrid: Option<bool>,
    /// Walk through the graph of the index (`gradus index graph`) as widely as found this
    /// share of the ten nearest, in place of comparing all.
    recall: Option<f64>,
    /// So many of the nearest texts the cross-encoder reads, and are put together with as
    /// many of the best by words; 100 by default.
    candidates: Option<usize>,
    /// Whether texts that are too long are cut, or an error.
    truncate: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchResponse<'a> {
    index: &'a str,
    model: &'a str,
    /// For each query its texts, the best first.
    #[schema(value_type = Vec<Vec<Object>>)]
    results: Vec<Vec<Found>>,
    usage: Usage,
}

#[derive(Debug, Serialize)]
struct Found {
    id: String,
    /// With the query.
    cosine: f32,
    /// The ranks by vectors and by words together, where both were looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    fused: Option<f64>,
    /// Of the cross-encoder, where one ranks.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    text: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    columns: Map<String, Value>,
}

/// More texts a query are not given.
const MOST: usize = 10_000;

/// More texts are not given in one answer.
const MOST_IN_ALL: usize = 1_000_000;

/// The texts of an index that are nearest to queries, as `gradus search` finds them.
#[utoipa::path(post, path = "/search", request_body = SearchRequest, tag = "Gradus",
    responses((status = 200, description = "Texts for each query", body = SearchResponse),
        (status = 422, description = "A value cannot be obeyed", body = ErrorBody)))]
pub(super) async fn search(
    extract::State(state): extract::State<Arc<State>>,
    Body(request): Body<SearchRequest>,
) -> Result<Response, ApiError> {
    // All steps together have the time of a request; what waits leaves the queue.
    let time = state.workshop.limits.request_time;
    let answer = tokio::time::timeout(time, answer(&state, request)).await;
    answer.unwrap_or_else(|_| Err(ApiError::late()))
}

async fn answer(state: &Arc<State>, request: SearchRequest) -> Result<Response, ApiError> {
    let (queries, batch) = match request.query {
        Queries::One(query) => (vec![query], false),
        Queries::Many(queries) => (queries, true),
    };
    let mut reply = Reply::begin(batch);
    let served = index(state, request.index.as_deref())?;
    let now = current(served).await?;
    let (number, model) = model_of(state, served, &now)?;
    let top = request.top.unwrap_or(10);
    let hybrid = request.hybrid == Some(true);
    let candidates = match request.rerank.is_some() || hybrid {
        true => request.candidates.unwrap_or(100),
        false => 0,
    };
    if top == 0 || top > MOST || candidates > MOST {
        let message = format!("top and candidates are at most {MOST}, and top at least 1");
        return Err(ApiError::new(Kind::Validation, message).of("top"));
    }
    let wide = top.max(candidates);
    if queries.len().saturating_mul(wide) > MOST_IN_ALL {
        let message = format!(
            "{} queries with {wide} texts each are more than {MOST_IN_ALL} in all; send them in several requests",
            queries.len()
        );
        return Err(ApiError::new(Kind::TooLarge, message));
    }
    if hybrid && !now.has_words() {
        let message = format!(
            "the index `{}` does not keep the words of its texts; `gradus index words` makes it do so",
            served.name
        );
        return Err(ApiError::new(Kind::Validation, message).of("hybrid"));
    }
    let width = request.recall.map(|recall| width(served, &now, recall));
    let width = width.transpose()?;
    let filter = request.filter.as_deref().map(Filter::parse).transpose();
    let filter = filter.map_err(|e| ApiError::new(Kind::Validation, e.to_string()).of("filter"))?;
    let reranker = match &request.rerank {
        None => None,
        Some(name) => Some(state.find(Some(name), ServedModel::is_reranker, "rank texts")?),
    };
    let reading = Reading {
        prompt: Some(match request.prompt_name {
            Some(name) => PromptChoice::Named(name),
            None => PromptChoice::Query,
        }),
        truncate: request.truncate,
        ..Reading::default()
    };
    let inputs = queries.iter().cloned().map(Input::Text).collect();
    let mut answered = state
        .workshop
        .vectors((number, model), inputs, reading)
        .await?;
    let values = std::mem::take(&mut answered.values).concat();
    let vectors = Embeddings::new(now.index().dim(), values)
        .normalized()
        .into_vec();
    let searcher = Arc::clone(state);
    let texts = queries.clone();
    let most = match reranker {
        Some(_) => wide,
        None => top,
    };
    let look = move || {
        let lookup = Lookup {
            most,
            filter: filter.as_ref(),
            width,
            hybrid: hybrid.then_some(candidates),
        };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        now.look_up(&searcher.comparer, &texts, &vectors, &lookup)
    };
    let found = tokio::task::spawn_blocking(look).await;
    let found = found.map_err(|e| ApiError::new(Kind::Internal, e.to_string()))?;
    let found = found.map_err(|error| {
        // It names files, which are no business of clients.
        tracing::error!(%error, "an index cannot be searched");
        ApiError::new(
            Kind::Internal,
            "the index cannot be searched; the server's log says why",
        )
    })?;
    let of = |found: Vec<IndexFound>| found.into_iter().map(Found::from).collect();
    let mut results: Vec<Vec<Found>> = found.into_iter().map(of).collect();
    if let Some(at) = reranker {
        for (query, found) in queries.iter().zip(&mut results) {
            rank_again(state, at, query, found).await?;
        }
    }
    results.iter_mut().for_each(|found| found.truncate(top));
    reply.note(&answered);
    Ok(reply.json(&SearchResponse {
        index: &served.name,
        model: &model.name,
        results,
        usage: Usage::of(answered.tokens()),
    }))
}

impl From<IndexFound> for Found {
    fn from(found: IndexFound) -> Self {
        let Record { id, text, columns } = found.record;
        Self {
            id,
            cosine: found.cosine,
            fused: found.fused,
            score: found.score,
            text,
            columns,
        }
    }
}

/// How widely an index is searched for some recall.
fn width(served: &ServedIndex, index: &Opened, recall: f64) -> Result<usize, ApiError> {
    let refuse = |message: String| ApiError::new(Kind::Validation, message).of("recall");
    if !(recall > 0.0 && recall <= 1.0) {
        return Err(refuse(format!(
            "recall is {recall}; give a share of at most 1"
        )));
    }
    let width = Approximate::Recall(recall).width(index.index());
    width.map_err(|_| {
        refuse(format!(
            "the index `{}` has no graph to search approximately; `gradus index graph` makes it",
            served.name
        ))
    })
}

/// An index as it is now.
async fn current(served: &Arc<ServedIndex>) -> Result<Arc<Opened>, ApiError> {
    let served = Arc::clone(served);
    let now = tokio::task::spawn_blocking(move || served.now()).await;
    now.map_err(|e| ApiError::new(Kind::Internal, e.to_string()))
}

fn index<'a>(state: &'a State, name: Option<&str>) -> Result<&'a Arc<ServedIndex>, ApiError> {
    let found = match name {
        None => state.indexes.first(),
        Some(name) => state.indexes.iter().find(|index| index.name == name),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = state.indexes.iter().map(|i| i.name.as_str()).collect();
        let message = match (name, names.as_slice()) {
            (_, []) => "this server has no index to search".to_owned(),
            (name, names) => format!(
                "there is no index `{}`; this server has {}",
                name.unwrap_or_default(),
                names.join(", ")
            ),
        };
        ApiError::new(Kind::NoModel, message).of("index")
    })
}

/// The model that made an index.
fn model_of<'a>(
    state: &'a State,
    served: &ServedIndex,
    index: &Opened,
) -> Result<(usize, &'a Arc<ServedModel>), ApiError> {
    let own = &index.index().manifest().model;
    let is_own = |model: &ServedModel| model.hash == own.hash;
    // Says which model is still being loaded, if one is.
    state
        .find(None, is_own, "search")
        .map_err(|error| match error.kind {
            Kind::Loading => error,
            _ => {
                let message = format!(
                    "the index `{}` holds vectors of {}, which this server does not have",
                    served.name, own.name
                );
                ApiError::new(Kind::WrongModel, message).of("index")
            }
        })
}

async fn rank_again(
    state: &State,
    at: (usize, &Arc<ServedModel>),
    query: &str,
    found: &mut [Found],
) -> Result<(), ApiError> {
    if found.is_empty() {
        return Ok(());
    }
    let pairs = found
        .iter()
        .map(|f| Input::Pair(query.to_owned(), f.text.clone()));
    // What a cross-encoder cannot read of a long text is not the client's fault.
    let reading = Reading {
        truncate: Some(true),
        ..Reading::default()
    };
    let answered = state.workshop.logits(at, pairs.collect(), reading).await?;
    let scores = match at.1.cross() {
        Some(cross) => cross.pair_scores(&answered.values.concat()),
        None => vec![],
    };
    for (found, score) in found.iter_mut().zip(scores) {
        found.score = Some(score);
    }
    // Stable: equal ones stay in the order of their cosines.
    found.sort_by(|a, b| {
        b.score
            .partial_cmp(&a.score)
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    Ok(())
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IndexInfo {
    /// What requests call it.
    name: String,
    /// Texts that are there.
    texts: usize,
    /// The model that made its vectors.
    model: String,
    /// Values of a vector.
    dimension: usize,
    /// Whether it can be searched by words.
    words: bool,
    /// Whether it can be searched approximately.
    graph: bool,
}

/// The indexes of this server.
#[utoipa::path(get, path = "/indexes", tag = "Gradus",
    responses((status = 200, description = "Each index", body = Vec<IndexInfo>)))]
pub(super) async fn indexes(
    extract::State(state): extract::State<Arc<State>>,
) -> Result<axum::Json<Vec<IndexInfo>>, ApiError> {
    let mut all = vec![];
    for served in &state.indexes {
        let now = current(served).await?;
        let now = now.index();
        all.push(IndexInfo {
            name: served.name.clone(),
            texts: now.rows().count(),
            model: now.manifest().model.name.clone(),
            dimension: now.dim(),
            words: now.manifest().words,
            graph: now.manifest().graph.is_some(),
        });
    }
    Ok(axum::Json(all))
}
