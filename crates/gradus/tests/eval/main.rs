//! Correlations, the STS suite and reports.

mod correlation;
mod fake;
mod report;
mod retrieval;
mod suite;
#[path = "../support/mod.rs"]
mod support;
