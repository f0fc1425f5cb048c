//! Relevance judgments, in BEIR's form or TREC's.
#![no_main]

mod files;

use gradus::eval::Qrels;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(qrels) = Qrels::read(&files::write("qrels.tsv", bytes)) else {
        return;
    };
    assert!(!qrels.is_empty());
    for (query, judged) in qrels.queries() {
        assert!(!query.is_empty() && !judged.is_empty());
        assert!(judged.keys().all(|document| !document.is_empty()));
    }
});
