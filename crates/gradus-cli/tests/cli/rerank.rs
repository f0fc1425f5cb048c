//! `gradus rerank`.

use crate::support::{cross_encoder, gradus, model, stdout};
use serde_json::Value;
use std::fs;
use std::path::Path;

const DOCUMENTS: &str = "a cat sat\ntwo birds\na dog in the park\ntwo birds\n";

fn rerank(args: &[&str], documents: &str) -> String {
    let base = ["rerank", &cross_encoder("bert")];
    stdout(gradus().args(base).args(args).write_stdin(documents))
}

/// The rows of tab-separated answers.
fn rows(text: &str) -> Vec<Vec<String>> {
    let row = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().map(row).collect()
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn documents_come_best_first_with_the_scores_of_gradus_score() {
    let all = rows(&rerank(&["--query", "the dog"], DOCUMENTS));
    assert_eq!(all.len(), 4);
    let scores: Vec<f64> = all.iter().map(|row| row[2].parse().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    for (place, row) in (1..).zip(&all) {
        assert_eq!(
            (row[0].as_str(), row[1].as_str()),
            ("1", &*place.to_string())
        );
        let number: usize = row[3].parse().unwrap();
        assert_eq!(row[4], DOCUMENTS.lines().nth(number - 1).unwrap());
        let args = ["score", &cross_encoder("bert"), "the dog", &row[4]];
        let score = stdout(gradus().args(args));
        assert_eq!(score.split('\t').next().unwrap(), row[2]);
    }
    // Equal ones keep their order.
    let birds: Vec<&str> = all
        .iter()
        .filter(|row| row[4] == "two birds")
        .map(|row| row[3].as_str())
        .collect();
    assert_eq!(birds, ["2", "4"]);
    let two = rerank(
        &["--query", "the dog", "--top", "2", "--output-header"],
        DOCUMENTS,
    );
    let two = rows(&two);
    assert_eq!(two[0], ["query", "rank", "score", "document", "text"]);
    assert_eq!(two[1..], all[..2]);
    let threads = rerank(&["--query", "the dog", "--threads", "1"], DOCUMENTS);
    assert_eq!(rows(&threads), all);
}

#[test]
fn queries_and_documents_have_ids() {
    let folder = tempfile::tempdir().unwrap();
    let queries = "qid\ttext\nq7\tthe dog\nq9\ta cat sat\n";
    let queries = written(folder.path(), "queries.tsv", queries);
    let documents =
        "{\"_id\": \"d1\", \"text\": \"a cat\\tsat\"}\n{\"_id\": 2, \"text\": \"two birds\"}\n";
    let documents = written(folder.path(), "documents.jsonl", documents);
    let base = ["--queries", &queries, "--documents", &documents];
    let tsv = rows(&rerank(&base, ""));
    let mut names: Vec<(&str, &str)> = tsv.iter().map(|r| (&*r[0], &*r[3])).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [("q7", "2"), ("q7", "d1"), ("q9", "2"), ("q9", "d1")]
    );
    assert!(tsv.iter().all(|row| row.len() == 5), "tabs in texts go");
    let trec = rerank(&[&base[..], &["--format", "trec"]].concat(), "");
    for (line, row) in trec.lines().zip(&tsv) {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words, [&row[0], "Q0", &row[3], &row[1], &row[2], "gradus"]);
    }
    assert_eq!(trec.lines().count(), 4);
    let json = rerank(
        &[&base[..], &["--format", "json", "--top", "1"]].concat(),
        "",
    );
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["query_id"], &first["query"]),
        (&"q7".into(), &"the dog".into())
    );
    assert_eq!(first["rank"], 1);
    assert_eq!(first["score"].as_f64().unwrap().to_string(), tsv[0][2]);
    let text = ["a cat\tsat", "two birds"][first["index"].as_u64().unwrap() as usize];
    assert_eq!(first["text"], text);
    let text = rerank(&[&base[..], &["--format", "text"]].concat(), "");
    assert!(text.starts_with("q7: the dog\n   1 "), "{text}");
    assert!(text.contains("\n\nq9: a cat sat\n"), "{text}");
    // Columns that are named.
    let odd = "name\tquery\tanswer\nx\tthe dog\tno\n";
    let odd = written(folder.path(), "odd.tsv", odd);
    let args = [
        "--queries",
        &odd,
        "--header",
        "--query-column",
        "query",
        "--query-id-column",
        "name",
        "--documents",
        &documents,
        "--id-column",
        "text",
    ];
    let named = rows(&rerank(&args, ""));
    assert_eq!(named[0][0], "x");
    assert_eq!(named[0][3], named[0][4]);
}

#[test]
fn a_model_of_vectors_ranks_by_cosine() {
    let args = ["rerank", &model("bert-small"), "--query", "a cat"];
    let out = stdout(gradus().args(args).write_stdin("two dogs\na cat\n"));
    let all = rows(&out);
    assert_eq!((all[0][3].as_str(), all[0][2].as_str()), ("2", "1"));
    let pair = ["score", &model("bert-small"), "a cat", "two dogs"];
    let cosine = stdout(gradus().args(pair));
    assert_eq!(cosine.split('\t').next().unwrap(), all[1][2]);
    let text = ["--format", "text", "--top", "1"];
    let out = stdout(
        gradus()
            .args(args)
            .args(text)
            .write_stdin("two dogs\na cat\n"),
    );
    assert_eq!(out, "rank   cosine\n   1   1.0000  [2] a cat\n");
}

#[test]
fn what_cannot_be_ranked_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |args: &[&str], documents: &str, code: i32, what: &str| {
        let run = gradus()
            .arg("rerank")
            .args(args)
            .write_stdin(documents)
            .assert();
        let run = run.code(code).stdout("");
        let error = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(error.contains(what), "{error}");
    };
    let cross = cross_encoder("bert");
    let three = cross_encoder("bert-three-labels");
    fails(&[&three, "--query", "a"], "b\n", 4, "3 scores");
    fails(&[&cross, "--query", "a"], "", 3, "holds no documents");
    fails(&[&cross], "b\n", 2, "--query");
    let missing = [&cross, "--query", "a", "--documents", "nowhere.txt"];
    fails(&missing, "", 3, "nowhere.txt");
    let spaced = written(folder.path(), "spaced.csv", "id,text\na b,two birds\n");
    let trec = ["--query", "a", "--format", "trec", "--documents", &spaced];
    fails(&[&[&*cross], &trec[..]].concat(), "", 2, "\"a b\"");
    let lines = [&cross, "--query", "a", "--id-column", "id"];
    fails(&lines, "b\n", 2, "read as lines");
    let unclear = written(folder.path(), "unclear.csv", "topic,need\na,b\n");
    let unclear = [&cross, "--queries", &unclear, "--header"];
    fails(&unclear, "b\n", 3, "--query-column NAME");
}
