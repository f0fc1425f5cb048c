//! Numbers on how the server gets on, under the names of text-embeddings-inference, so
//! that its dashboards show them.

use crate::model::Ask;
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Begins to count, once in a process.
pub(crate) fn begin() {
    HANDLE.get_or_init(|| {
        let durations: Vec<f64> = (0..35).map(|n| 1e-5 * 1.5f64.powi(n)).collect();
        let sizes: Vec<f64> = (0..18).map(|n| 2f64.powi(n)).collect();
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_duration".into()), &durations)
            .and_then(|b| b.set_buckets_for_metric(Matcher::Prefix("te_batch_".into()), &sizes))
            .and_then(|b| {
                b.set_buckets_for_metric(Matcher::Full("te_request_input_length".into()), &sizes)
            });
        builder.ok()?.install_recorder().ok()
    });
}

/// How often samples are added up; until then each has memory of its own.
pub(crate) const UPKEEP: Duration = Duration::from_secs(5);

/// Adds up the samples that came.
pub(crate) fn upkeep() {
    if let Some(Some(handle)) = HANDLE.get() {
        handle.run_upkeep();
    }
}

/// All numbers in Prometheus' text form.
pub(crate) fn text() -> String {
    if let Some(bytes) = gradus::util::machine::memory() {
        gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
    upkeep();
    match HANDLE.get() {
        Some(Some(handle)) => handle.render(),
        _ => String::new(),
    }
}

/// A request came.
pub(crate) fn request(method: &'static str) {
    counter!("te_request_count", "method" => method).increment(1);
}

/// A request was answered.
pub(crate) fn success(method: &'static str, took: Duration) {
    counter!("te_request_success", "method" => method).increment(1);
    histogram!("te_request_duration").record(took);
}

/// A request had no answer.
pub(crate) fn failure(why: &'static str) {
    counter!("te_request_failure", "err" => why).increment(1);
}

/// The parts of a request's time, and the tokens of its inputs.
pub(crate) fn parts(tokenized: Duration, queued: Duration, computed: Duration, lengths: &[usize]) {
    histogram!("te_request_tokenization_duration").record(tokenized);
    histogram!("te_request_queue_duration").record(queued);
    histogram!("te_request_inference_duration").record(computed);
    for &length in lengths {
        histogram!("te_request_input_length").record(length as f64);
    }
}

/// How many tokens wait.
pub(crate) fn queue(tokens: usize) {
    gauge!("te_queue_size").set(tokens as f64);
}

/// A batch begins.
pub(crate) fn batch(inputs: usize, tokens: usize) {
    histogram!("te_batch_next_size").record(inputs as f64);
    histogram!("te_batch_next_tokens").record(tokens as f64);
}

/// A batch was computed.
pub(crate) fn computed(ask: Ask, took: Duration) {
    match ask {
        Ask::Logits => histogram!("te_predict_inference_duration").record(took),
        _ => histogram!("te_embed_inference_duration").record(took),
    }
}

/// Answers were in the cache, or were not.
pub(crate) fn cache(hits: usize, misses: usize) {
    counter!("gradus_cache_hits").increment(hits as u64);
    counter!("gradus_cache_misses").increment(misses as u64);
}

/// A connection was accepted, or has ended.
pub(crate) fn connections(open: usize) {
    gauge!("gradus_connections").set(open as f64);
}
