//! Retrieval: measures against trec_eval's own, folders of BEIR.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gradus::eval::{
    BeirFolder, Corpus, Measure, Qrels, Ranking, RetrievalScores, exact_search, retrieve,
};
use gradus::{Embeddings, Result};
use gradus_kernels::cpu::Cpu;
use serde::Deserialize;

#[derive(Deserialize)]
struct Stored {
    qrels: BTreeMap<String, BTreeMap<String, i32>>,
    run: BTreeMap<String, BTreeMap<String, f64>>,
    values: BTreeMap<String, BTreeMap<Measure, f64>>,
}

#[test]
fn values_are_those_of_trec_eval() {
    let stored: Stored = serde_json::from_str(include_str!("../reference/retrieval.json")).unwrap();
    let (mut qrels, mut ranking) = (Qrels::default(), Ranking::default());
    for (query, judged) in &stored.qrels {
        for (document, relevance) in judged {
            qrels.insert(query, document, *relevance);
        }
    }
    for (query, found) in stored.run {
        ranking.insert(query, found.into_iter().collect());
    }
    let measures: Vec<Measure> = stored.values["q0"].keys().copied().collect();
    assert_eq!(measures.len(), 26);
    let scores = RetrievalScores::new(&qrels, &ranking, &measures);
    assert_eq!(scores.queries().len(), stored.values.len());
    let mut above = 0;
    for (query, values) in &stored.values {
        for (at, measure) in measures.iter().enumerate() {
            let (got, want) = (scores.queries()[query][at], values[measure]);
            assert!((got - want).abs() < 1e-9, "{query} {measure}: {got} {want}");
            above += usize::from(want > 0.0);
        }
    }
    assert!(above > 150, "{above}");
    for (measure, mean) in measures.iter().zip(scores.means()) {
        let all = stored.values.values().map(|values| values[measure]);
        let want = all.sum::<f64>() / stored.values.len() as f64;
        assert!((mean - want).abs() < 1e-9, "{measure}");
        assert_eq!(scores.mean(*measure), Some(*mean));
    }
    let json = serde_json::to_value(&scores).unwrap();
    assert_eq!(
        json["means"]["ndcg@10"],
        scores.mean(Measure::Ndcg(10)).unwrap()
    );
    let first = scores.queries()["q0"][0];
    assert_eq!(json["per_query"]["q0"][0], first);
}

/// Writes a folder of BEIR's form.
fn folder(corpus: &str, queries: &str, qrels: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("qrels")).unwrap();
    for (name, text) in [
        ("corpus.jsonl", corpus),
        ("queries.jsonl", queries),
        ("qrels/test.tsv", qrels),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const CORPUS: &str = "{\"_id\": \"a\", \"title\": \"T\", \"text\": \"x \"}\n{\"_id\": 7, \"text\": \"y\", \"metadata\": {}}\n{\"_id\": \"c\", \"title\": \"\", \"text\": \"\"}\n";
const QUERIES: &str =
    "{\"_id\": \"q\", \"text\": \"what\"}\n{\"_id\": \"other\", \"text\": \"\"}\n";
const QRELS: &str = "query-id\tcorpus-id\tscore\nq\ta\t2\nq\t7\t0\n";

fn open(corpus: &str, queries: &str, qrels: &str) -> Result<Vec<(String, String)>> {
    let folder = folder(corpus, queries, qrels);
    let set = BeirFolder::open(folder.path(), "test")?;
    assert_eq!(set.queries["q"], "what");
    let documents = set.documents()?;
    documents
        .map(|document| document.map(|d| (d.id.clone(), d.content())))
        .collect()
}

#[test]
fn folders_of_beir_are_read() {
    let documents = open(CORPUS, QUERIES, QRELS).unwrap();
    let want = [("a", "T x"), ("7", "y"), ("c", "")];
    assert_eq!(documents, want.map(|(id, text)| (id.into(), text.into())));
    // Packed ones too.
    let plain = folder(CORPUS, QUERIES, QRELS);
    let path = plain.path().join("corpus.jsonl");
    let packed = zstd::encode_all(CORPUS.as_bytes(), 3).unwrap();
    fs::write(plain.path().join("corpus.jsonl.zst"), packed).unwrap();
    fs::remove_file(path).unwrap();
    let set = BeirFolder::open(plain.path(), "test").unwrap();
    assert_eq!(set.documents().unwrap().count(), 3);
    assert_eq!(set.qrels.judged("q").unwrap()["a"], 2);
    let texts = set.contents(&["7", "a", "not there"].into()).unwrap();
    assert_eq!(texts.len(), 2);
    assert_eq!(texts["a"], "T x");
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (corpus, queries, qrels, what) in [
        (
            "{\"_id\": \"a\"}",
            QUERIES,
            QRELS,
            "corpus.jsonl:1: \"text\" is missing",
        ),
        (
            "{\"text\": \"a\"}",
            QUERIES,
            QRELS,
            "corpus.jsonl:1: \"_id\" is missing",
        ),
        (
            "nothing",
            QUERIES,
            QRELS,
            "corpus.jsonl:1: not a JSON object",
        ),
        (
            "{\"_id\": \"a\", \"text\": \"x\"}\n{\"_id\": \"a\", \"text\": \"x\"}",
            QUERIES,
            QRELS,
            "corpus.jsonl:2: the id \"a\" is there twice",
        ),
        (
            CORPUS,
            "{\"_id\": \"r\", \"text\": \"x\"}",
            QRELS,
            "queries.jsonl: no query \"q\"",
        ),
        (
            CORPUS,
            "{\"_id\": \"q\", \"text\": \" \"}",
            QRELS,
            "queries.jsonl:1: the sentence in text",
        ),
        (
            CORPUS,
            QUERIES,
            "q\ta\tb\tc\td",
            "test.tsv:1: not a relevance judgment",
        ),
    ] {
        let error = open(corpus, queries, qrels).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    let folder = folder(CORPUS, QUERIES, QRELS);
    let error = BeirFolder::open(folder.path(), "dev")
        .unwrap_err()
        .to_string();
    assert!(error.contains("qrels/dev.tsv"), "{error}");
    assert!(BeirFolder::open(Path::new("nowhere"), "test").is_err());
}

/// A corpus in parts of two.
struct Parts(Vec<(String, Vec<f32>)>);

impl Corpus for Parts {
    fn next_part(&mut self) -> Result<Option<(Vec<String>, Embeddings)>> {
        let count = self.0.len().min(2);
        let part: Vec<_> = self.0.drain(..count).collect();
        let (ids, values): (Vec<_>, Vec<_>) = part.into_iter().unzip();
        let vectors = Embeddings::new(2, values.concat());
        Ok((!ids.is_empty()).then_some((ids, vectors)))
    }
}

#[test]
fn the_nearest_are_ranked_without_the_query_itself() {
    let all = [
        ("q", [1.0, 0.0]),
        ("a", [0.5, 0.5]),
        ("b", [1.0, 0.1]),
        ("c", [-1.0, 0.0]),
        ("d", [1.0, 0.1]),
    ];
    let all = all.map(|(id, vector)| (id.to_owned(), vector.to_vec()));
    let queries = Embeddings::new(2, vec![2.0, 0.0]);
    let found = retrieve(&["q"], &queries, &mut Parts(all.to_vec()), 3, &Cpu::new(2)).unwrap();
    let ids: Vec<&str> = found.documents("q").iter().map(|(id, _)| &**id).collect();
    // Equal scores by falling id.
    assert_eq!(ids, ["d", "b", "a"]);
    let corpus = Embeddings::new(2, all.iter().flat_map(|(_, v)| v.clone()).collect());
    let order: Vec<u32> = exact_search(&queries, &corpus, 4)[0]
        .iter()
        .map(|hit| hit.0)
        .collect();
    assert_eq!(order, [0, 2, 4, 1]);
}
