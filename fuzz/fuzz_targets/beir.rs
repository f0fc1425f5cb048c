//! A retrieval set as BEIR keeps it. The first byte chooses which of its files is the
//! input; the others are right.
#![no_main]

mod files;

use gradus::eval::BeirFolder;
use libfuzzer_sys::fuzz_target;
use std::collections::HashSet;

const FILES: [(&str, &str); 3] = [
    (
        "corpus.jsonl",
        "{\"_id\": \"d1\", \"title\": \"A\", \"text\": \"b\"}\n{\"_id\": \"d2\", \"text\": \"c\"}\n",
    ),
    (
        "queries.jsonl",
        "{\"_id\": \"q1\", \"text\": \"a\"}\n{\"_id\": \"q2\", \"text\": \"b\"}\n",
    ),
    (
        "qrels/test.tsv",
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td2\t1\n",
    ),
];

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, input)) = bytes.split_first() else {
        return;
    };
    for (i, (name, text)) in FILES.iter().enumerate() {
        let is_input = i == usize::from(*choice) % FILES.len();
        files::write(name, if is_input { input } else { text.as_bytes() });
    }
    let Ok(set) = BeirFolder::open(files::folder(), "test") else {
        return;
    };
    assert!(!set.qrels.is_empty() && set.qrels.len() == set.queries.len());
    let mut judged = HashSet::new();
    for (query, documents) in set.qrels.queries() {
        assert!(!set.queries[query].trim().is_empty() && !documents.is_empty());
        judged.extend(documents.keys().map(String::as_str));
    }
    let Ok(documents) = set.documents() else {
        return;
    };
    let mut seen = HashSet::new();
    let mut whole = true;
    for document in documents {
        match document {
            Ok(document) => assert!(whole && seen.insert(document.id)),
            Err(_) => whole = false,
        }
    }
    match set.contents(&judged) {
        Ok(contents) => assert!(whole && contents.keys().all(|id| seen.contains(id))),
        Err(_) => assert!(!whole),
    }
});
