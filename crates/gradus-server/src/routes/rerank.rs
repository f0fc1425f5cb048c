//! Rerankers: as text-embeddings-inference, and as Jina and Cohere have them.

use super::rank::{Ranking, find, rank};
use super::shared::{Document, ErrorBody, Side, most, reading};
use crate::http::{ApiError, Body, Kind, Reply, State};
use axum::extract;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct TeiRequest {
    query: String,
    texts: Option<Vec<String>>,
    /// Jina's name of `texts`; with it the answer is Jina's.
    documents: Option<Vec<Document>>,
    /// As of `/embed`.
    truncate: Option<bool>,
    /// As of `/embed`.
    truncation_direction: Option<Side>,
    /// Logits in place of their logistic function.
    raw_scores: Option<bool>,
    /// Whether texts come back.
    return_text: Option<bool>,
    /// With `documents`: so many of the best.
    top_n: Option<i64>,
    /// With `documents`: whether they come back.
    return_documents: Option<bool>,
    /// The name of a model, where there are several.
    model: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rank<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    score: f32,
}

/// Texts by how well they fit a query, best first.
#[utoipa::path(post, path = "/rerank", request_body = TeiRequest, tag = "text-embeddings-inference",
    responses((status = 200, description = "Texts by falling score", body = Vec<Rank>),
        (status = 422, description = "A value cannot be obeyed", body = ErrorBody)))]
pub(super) async fn tei(
    extract::State(state): extract::State<Arc<State>>,
    Body(request): Body<TeiRequest>,
) -> Result<Response, ApiError> {
    let texts = match (request.texts, request.documents) {
        (Some(texts), None) => texts,
        (None, Some(documents)) => {
            let request = RerankRequest {
                model: request.model,
                query: Document::Text(request.query),
                documents,
                top_n: request.top_n,
                return_documents: request.return_documents,
                raw_scores: request.raw_scores,
                truncate: request.truncate,
                max_tokens_per_doc: None,
            };
            return ranked(&state, request).await;
        }
        _ => {
            let message = "send `texts`, or `documents` for an answer in the shape of Jina's";
            return Err(ApiError::new(Kind::Shape, message));
        }
    };
    let mut reply = Reply::begin(true);
    let name = request.model.as_deref();
    let reading = reading(None, request.truncate, request.truncation_direction);
    let raw = request.raw_scores.unwrap_or(false);
    let Ranking {
        ranked, answered, ..
    } = rank(&state, name, (request.query, &texts), (reading, raw)).await?;
    reply.note(&answered);
    let with_text = request.return_text.unwrap_or(false);
    let ranks = ranked.iter().map(|r| Rank {
        index: r.index,
        text: with_text.then(|| texts[r.index].as_str()),
        score: r.score,
    });
    Ok(reply.json(&ranks.collect::<Vec<_>>()))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct RerankRequest {
    /// The name of a model; by default the first that ranks.
    model: Option<String>,
    query: Document,
    /// Texts, or objects with the field `text`.
    documents: Vec<Document>,
    /// So many of the best; none or 0 for all.
    top_n: Option<i64>,
    /// Whether documents come back; false by default.
    return_documents: Option<bool>,
    /// Logits in place of their logistic function.
    raw_scores: Option<bool>,
    /// As of `/embed`.
    truncate: Option<bool>,
    /// Cohere's limit of a document; longer ones are cut to the model's own, which must
    /// not be more.
    max_tokens_per_doc: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RerankResponse<'a> {
    id: String,
    object: &'static str,
    model: &'a str,
    created: u64,
    results: Vec<RerankResult<'a>>,
    usage: Usage,
    meta: Meta,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RerankResult<'a> {
    index: usize,
    relevance_score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<ReturnedDocument<'a>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReturnedDocument<'a> {
    text: &'a str,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

impl Usage {
    pub fn of(tokens: usize) -> Self {
        Self {
            prompt_tokens: tokens,
            total_tokens: tokens,
        }
    }
}

/// What Cohere's clients read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Meta {
    api_version: ApiVersion,
    billed_units: BilledUnits,
    tokens: InputTokens,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiVersion {
    version: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BilledUnits {
    search_units: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InputTokens {
    input_tokens: usize,
}

/// Documents by how well they fit a query, best first, as Jina (`/v1/rerank`) and Cohere
/// (`/v2/rerank`) have it.
#[utoipa::path(post, path = "/v1/rerank", request_body = RerankRequest, tag = "Jina and Cohere",
    responses((status = 200, description = "Documents by falling relevance", body = RerankResponse)))]
pub(super) async fn rerank(
    extract::State(state): extract::State<Arc<State>>,
    Body(request): Body<RerankRequest>,
) -> Result<Response, ApiError> {
    ranked(&state, request).await
}

async fn ranked(state: &State, request: RerankRequest) -> Result<Response, ApiError> {
    let mut reply = Reply::begin(true);
    let documents = request.documents.into_iter().map(Document::into_text);
    let documents: Vec<String> = documents.collect();
    let top = most(request.top_n, "top_n")?.unwrap_or(documents.len());
    let reading = reading(None, request.truncate, None);
    let raw = request.raw_scores.unwrap_or(false);
    let query = request.query.into_text();
    let name = request.model.as_deref();
    if let Some(most) = request.max_tokens_per_doc {
        let (_, model) = find(state, name)?;
        let limit = model.tokenizer().max_tokens();
        if most < limit {
            let message =
                format!("this model's limit is {limit} tokens, and no lower one can be set");
            return Err(ApiError::new(Kind::Validation, message).of("max_tokens_per_doc"));
        }
    }
    let Ranking {
        ranked,
        answered,
        model,
    } = rank(state, name, (query, &documents), (reading, raw)).await?;
    reply.note(&answered);
    let with_text = request.return_documents.unwrap_or(false);
    let result = |r: &super::rank::Ranked| RerankResult {
        index: r.index,
        relevance_score: r.score,
        document: with_text.then(|| ReturnedDocument {
            text: &documents[r.index],
        }),
    };
    let tokens = answered.tokens();
    Ok(reply.json(&RerankResponse {
        id: id("rerank"),
        object: "rerank",
        model: &model.name,
        created: now(),
        results: ranked.iter().take(top).map(result).collect(),
        usage: Usage::of(tokens),
        meta: Meta {
            api_version: ApiVersion { version: "2" },
            billed_units: BilledUnits { search_units: 1 },
            tokens: InputTokens {
                input_tokens: tokens,
            },
        },
    }))
}

/// A name that no other answer has.
fn id(kind: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{kind}-{:x}-{:x}-{number:x}", std::process::id(), now())
}

pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
