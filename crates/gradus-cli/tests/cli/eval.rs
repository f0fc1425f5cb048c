//! `gradus eval`.

use crate::support::{cross_encoder, gradus, model, stdout, tiny_data};
use predicates::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

fn small() -> (tempfile::TempDir, String) {
    let root = tempfile::tempdir().unwrap();
    tiny_data(root.path());
    let path = root.path().to_str().unwrap().to_owned();
    (root, path)
}

#[test]
fn seven_tasks_and_a_row_a_model() {
    let (_root, data) = small();
    let models = [model("bert-small"), model("roberta-small")];
    let args = ["--data", &data, "eval", &models[0], &models[1]];
    let table = stdout(gradus().args(args));
    assert!(
        table.starts_with("correlation: Spearman's x 100\n"),
        "{table}"
    );
    let head = table.lines().find(|l| l.starts_with("model")).unwrap();
    let columns: Vec<_> = head.split_whitespace().collect();
    let tasks = "STS12 STS13 STS14 STS15 STS16 STS-B SICK-R Avg.";
    assert_eq!(columns[1..].join(" "), tasks);
    for model in &models {
        let row = table
            .lines()
            .find(|l| l.starts_with(model.as_str()))
            .unwrap();
        assert_eq!(row.split_whitespace().count(), 9, "{row}");
    }
}

#[test]
fn forms_and_options_of_the_report() {
    let (root, data) = small();
    let eval = |args: &[&str]| {
        let base = ["--data", &data, "eval", &model("bert-small")];
        stdout(gradus().args(base).args(args))
    };
    let json: Value = serde_json::from_str(&eval(&["--format", "json"])).unwrap();
    let tasks = json["models"][0]["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 7);
    assert_eq!(tasks[0]["pairs"], 20);
    let markdown = eval(&["--format", "markdown", "--metric", "pearson"]);
    assert!(markdown.contains("Pearson's") && markdown.contains("\n|---|--:"));
    let subsets = eval(&["--per-subset", "--aggregation", "weighted-mean"]);
    assert!(subsets.contains("\nSTS12/MSRpar "), "{subsets}");
    assert!(subsets.contains("aggregation: weighted mean"), "{subsets}");
    let text = eval(&["--text", "senteval"]);
    assert!(text.contains("text: senteval (STS12, "), "{text}");
    let path = root.path().join("scores.txt");
    assert_eq!(eval(&["--output", path.to_str().unwrap()]), "");
    assert_eq!(fs::read_to_string(path).unwrap(), eval(&[]));
}

#[test]
fn pairs_of_ones_own_stand_beside_the_seven_or_alone() {
    let (root, data) = small();
    let folder = root.path().join("more");
    fs::create_dir(&folder).unwrap();
    let write = |path: PathBuf, text: &str| {
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let one = write(
        root.path().join("reviews.csv"),
        "review,product,stars\na cat,the cat,5\na cat,two dogs,2\na cat,books!,1\n",
    );
    let base = ["--data", &data, "eval", &model("bert-small"), "--pairs"];
    let named = ["--columns", "review,product,stars"];
    let beside = stdout(gradus().args(base).arg(&one).args(named));
    assert!(beside.contains("Avg.  reviews\n"), "{beside}");
    assert!(beside.contains("note: Avg. is over STS12,"), "{beside}");
    let alone = ["--only-pairs", "--format", "json", "--pairs"];
    // Two files of one name are told apart.
    let two = write(
        folder.join("reviews.csv"),
        "review,product,stars\na,b,5\na,two dogs,2\n",
    );
    let mut command = gradus();
    command
        .args(base)
        .arg(&one)
        .args(alone)
        .arg(&two)
        .args(named);
    let json: Value = serde_json::from_str(&stdout(&mut command)).unwrap();
    let tasks = json["models"][0]["tasks"].as_array().unwrap();
    let names: Vec<_> = tasks.iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["reviews", &two]);
    let mut twice = gradus();
    twice
        .args(base)
        .arg(&one)
        .args(alone)
        .args([&one, "--pairs", &one]);
    let says = predicate::str::contains("is given twice");
    twice.args(named).assert().code(2).stderr(says);
}

#[test]
fn missing_data_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["eval", &model("bert-small"), "--data"];
    let says = predicate::str::contains("fetch it with `gradus pull sts`");
    let mut command = gradus();
    command.args(args).arg(folder.path());
    command.assert().code(3).stdout("").stderr(says);
}

#[test]
fn pairs_without_a_label_or_known_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.tsv");
    fs::write(&path, "a\tb\nc\td\n").unwrap();
    let args = ["eval", &model("bert-small"), "--only-pairs", "--pairs"];
    let mut command = gradus();
    let says = predicate::str::contains("which column is the label")
        .and(predicate::str::contains("add --columns FIRST,SECOND,LABEL"));
    command.args(args).arg(&path).assert().code(3).stderr(says);
    let other = folder.path().join("pairs.data");
    fs::copy(&path, &other).unwrap();
    let says = predicate::str::contains("add --pairs-format");
    let mut command = gradus();
    command.args(args).arg(&other).assert().code(2).stderr(says);
    let args = ["eval", &model("bert-small"), "--only-pairs"];
    gradus().args(args).assert().code(2);
}

#[test]
fn real_data_is_read_in_full() {
    let data = match std::env::var_os("GRADUS_DATA") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
    };
    if !data.join("sts").is_dir() {
        println!("skipped: no data sets under {}", data.display());
        return;
    }
    let mut command = gradus();
    command.arg("--data").arg(&data);
    command.args(["eval", &model("bert-small"), "--format", "json"]);
    let json: Value = serde_json::from_str(&stdout(&mut command)).unwrap();
    let tasks = json["models"][0]["tasks"].as_array().unwrap();
    let pairs: Vec<_> = tasks.iter().map(|t| t["pairs"].as_u64().unwrap()).collect();
    assert_eq!(pairs, [3108, 1500, 3750, 3000, 1186, 1379, 4927]);
    assert_eq!(json["models"][0]["notes"], Value::Array(vec![]));
}

#[test]
fn some_of_the_tasks_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    tiny_data(folder.path());
    let run = |args: &[&str]| {
        let mut command = gradus();
        command.args(["eval", &model("bert-small"), "--data"]);
        command.arg(folder.path()).args(args);
        command
    };
    let json = |args: &[&str]| -> Value {
        let args = [args, &["--format", "json"]].concat();
        serde_json::from_str(&stdout(&mut run(&args))).unwrap()
    };
    let some = json(&["--tasks", "sts-b,STS12"]);
    let tasks = some["models"][0]["tasks"].as_array().unwrap();
    let names: Vec<_> = tasks.iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["STS12", "STS-B"]);
    let score = |task: &Value| task["all"]["spearman"].as_f64().unwrap();
    let average = score(&some["models"][0]["average"]);
    let mean = tasks.iter().map(score).sum::<f64>() / 2.0;
    assert!((average - mean).abs() < 1e-12);
    let all = json(&[]);
    let of_all = &all["models"][0]["tasks"][0];
    assert_eq!(
        of_all, &tasks[0],
        "a task's scores do not depend on the others"
    );
    let table = stdout(&mut run(&["--tasks", "STS12,STS-B"]));
    assert!(
        table.contains("Avg. is over STS12, STS-B alone, not the seven tasks"),
        "{table}"
    );
    assert!(!stdout(&mut run(&[])).contains("alone"));
    for unknown in ["sts17", "nli", ""] {
        let known = predicate::str::contains("STS12, STS13, STS14, STS15, STS16, STS-B, SICK-R");
        let mut command = run(&["--tasks", unknown]);
        command.assert().code(2).stderr(known);
    }
}

/// A folder of BEIR's form: 30 documents, each the text of a query or about it.
fn beir(folder: &std::path::Path) -> String {
    let subjects = ["cats", "rain", "bread", "chess", "maps", "songs"];
    let mut corpus = String::new();
    let mut queries = String::new();
    let mut qrels = "query-id\tcorpus-id\tscore\n".to_owned();
    for (s, subject) in subjects.iter().enumerate() {
        queries += &format!("{{\"_id\": \"q{s}\", \"text\": \"a book about {subject}\"}}\n");
        for d in 0..5 {
            let (id, words) = (format!("d{}", 5 * s + d), "and more ".repeat(d));
            corpus += &format!(
                "{{\"_id\": \"{id}\", \"title\": \"\", \"text\": \"a book about {words}{subject}\"}}\n"
            );
            if d < 2 {
                qrels += &format!("q{s}\t{id}\t{}\n", 2 - d);
            }
        }
    }
    let set = folder.join("books");
    fs::create_dir_all(set.join("qrels")).unwrap();
    fs::write(set.join("corpus.jsonl"), corpus).unwrap();
    fs::write(set.join("queries.jsonl"), queries).unwrap();
    fs::write(set.join("qrels/test.tsv"), qrels).unwrap();
    set.to_str().unwrap().to_owned()
}

#[test]
fn retrieval_is_scored_on_folders_of_beir() {
    let root = tempfile::tempdir().unwrap();
    let set = beir(root.path());
    let models = [model("bert-small"), model("mpnet-small")];
    let eval = |args: &[&str]| {
        let base = ["eval", &models[0], &models[1], "--beir", &set];
        stdout(gradus().args(base).args(args))
    };
    let table = eval(&["--top", "10"]);
    let head = "books, test: 6 queries, 30 documents, the best 10 of each query; values x 100\n";
    assert!(table.starts_with(head), "{table}");
    assert!(
        table.contains("ndcg@10  mrr@10") && !table.contains("map@100"),
        "{table}"
    );
    let json: Value = serde_json::from_str(&eval(&["--format", "json"])).unwrap();
    let scored = &json["sets"][0];
    assert_eq!(
        (&scored["documents"], &scored["top"]),
        (&30.into(), &100.into())
    );
    for (at, model) in models.iter().enumerate() {
        let of_model = &scored["models"][at];
        assert_eq!(of_model["model"], model.as_str());
        // The first judged document is the query's own text.
        assert_eq!(of_model["means"]["accuracy@1"], 1.0, "{of_model}");
        let ndcg = of_model["means"]["ndcg@10"].as_f64().unwrap();
        assert!((0.7..=1.0).contains(&ndcg), "{ndcg}");
        assert_eq!(of_model["means"]["recall@100"], 1.0);
        assert_eq!(of_model["per_query"].as_object().unwrap().len(), 6);
    }
    let path = root.path().join("scores.md");
    let to = ["--format", "markdown", "--output", path.to_str().unwrap()];
    assert_eq!(eval(&to), "");
    assert!(fs::read_to_string(&path).unwrap().contains("|---|--:"));
    // The bits are the same on other threads.
    let threads = ["--threads", "1", "--format", "json"];
    assert_eq!(
        eval(&threads),
        eval(&["--threads", "3", "--format", "json"])
    );
}

#[test]
fn retrieval_says_what_is_missing_or_means_nothing() {
    let root = tempfile::tempdir().unwrap();
    let set = beir(root.path());
    let fails = |args: &[&str], code: i32, says: &str| {
        let mut command = gradus();
        command.args(["eval", &model("bert-small")]).args(args);
        let says = predicate::str::contains(says.to_owned());
        command.assert().code(code).stdout("").stderr(says);
    };
    fails(&["--beir", &set, "--split", "dev"], 3, "qrels/dev.tsv");
    fails(&["--beir", &set, "--metric", "pearson"], 2, "--metric");
    fails(&["--beir", &set, "--top", "0"], 2, "--top");
    fails(&["--top", "5"], 2, "--beir");
    fails(
        &["--beir", &set, "--query-prompt", "ask"],
        4,
        "no prompt `ask`",
    );
    fs::write(root.path().join("books/corpus.jsonl"), "{\"_id\": 1}\n").unwrap();
    fails(&["--beir", &set], 3, "corpus.jsonl:1: \"text\" is missing");
}

#[test]
fn cross_encoders_rank_again_what_a_model_found() {
    let root = tempfile::tempdir().unwrap();
    let (set, cross) = (beir(root.path()), cross_encoder("bert"));
    let json = |top: &str| -> Value {
        let args = [
            "eval",
            &model("bert-small"),
            "--beir",
            &set,
            "--rerank",
            &cross,
        ];
        let text = stdout(gradus().args(args).args(["--format", "json", "--top", top]));
        serde_json::from_str(&text).unwrap()
    };
    let scored = json("10");
    let rows = scored["sets"][0]["models"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let both = rows[1]["model"].as_str().unwrap();
    assert!(
        both.contains("bert-small, then ") && both.ends_with("bert"),
        "{both}"
    );
    // The same documents in another order.
    let mean = |row: &Value, name: &str| row["means"][name].as_f64().unwrap();
    assert_eq!(mean(&rows[0], "recall@10"), mean(&rows[1], "recall@10"));
    assert_ne!(mean(&rows[0], "ndcg@10"), mean(&rows[1], "ndcg@10"));
    let alone = gradus()
        .args(["eval", &cross, "--beir", &set])
        .assert()
        .failure();
    let error = String::from_utf8_lossy(&alone.get_output().stderr).into_owned();
    assert!(error.contains("add --rerank"), "{error}");
}
