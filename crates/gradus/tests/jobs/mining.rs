//! Hard negatives against sentence-transformers' own.

use crate::common::model_folder;
use crate::environment;
use gradus::data::{Format, Source, TextFile};
use gradus::jobs::mine_negatives::{
    MinedForm, MinedFormat, Mining, MiningRules, MiningSettings, Rescore, Written,
};
use gradus::util::Silent;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn stored() -> Value {
    serde_json::from_str(include_str!("../reference/mine_negatives.json")).unwrap()
}

/// Writes the stored pairs and corpus; a source and a file of them.
fn written(folder: &Path, stored: &Value) -> (Source, TextFile) {
    let write = |name: &str, rows: Vec<Value>| -> PathBuf {
        let path = folder.join(name);
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        fs::write(&path, lines.join("\n")).unwrap();
        path
    };
    let pairs = stored["pairs"].as_array().unwrap().iter();
    let pairs = pairs.map(|pair| json!({"query": pair[0], "positive": pair[1]}));
    let texts = stored["corpus"].as_array().unwrap().iter();
    let texts = texts.map(|text| json!({"text": text}));
    let pairs = Source::file(write("pairs.jsonl", pairs.collect()));
    let corpus = TextFile::new(write("corpus.jsonl", texts.collect()), Some(Format::Jsonl));
    (pairs, corpus)
}

fn model() -> String {
    model_folder("bert-small").display().to_string()
}

fn rules(options: &Value) -> MiningRules {
    let number = |key: &str| options[key].as_f64();
    let count = |key: &str| options[key].as_u64().map(|n| n as usize);
    MiningRules {
        range_min: count("range_min").unwrap_or(0),
        range_max: count("range_max"),
        max_score: number("max_score"),
        min_score: number("min_score"),
        absolute_margin: number("absolute_margin"),
        relative_margin: number("relative_margin"),
        num_negatives: count("num_negatives").unwrap_or(3),
        include_positives: options["include_positives"] == true,
        ..MiningRules::default()
    }
}

/// The same texts and labels, and scores that differ by no more than f32 does.
fn same(got: &Value, want: &Value) -> bool {
    match (got, want) {
        (Value::Array(got), Value::Array(want)) => {
            let mut both = got.iter().zip(want);
            got.len() == want.len() && both.all(|(got, want)| same(got, want))
        }
        (Value::Number(got), Value::Number(want)) => {
            let (got, want) = (got.as_f64().unwrap(), want.as_f64().unwrap());
            (got - want).abs() < 2e-5
        }
        _ => got == want,
    }
}

#[test]
fn rows_are_those_of_sentence_transformers() {
    let (folder, stored) = (tempfile::tempdir().unwrap(), stored());
    let (pairs, corpus) = written(folder.path(), &stored);
    let cases = stored["cases"].as_array().unwrap();
    assert!(cases.len() > 12);
    for case in cases {
        let options = &case["options"];
        let rules = rules(options);
        let form = MinedForm {
            format: match options["output_format"].as_str() {
                Some("n-tuple") => MinedFormat::Tuple,
                Some("labeled-pair") => MinedFormat::LabeledPair,
                Some("labeled-list") => MinedFormat::LabeledList,
                _ => MinedFormat::Triplet,
            },
            scores: options["output_scores"] == true,
            negatives: rules.num_negatives,
            written: Written::Jsonl,
        };
        let settings = MiningSettings {
            corpus: (case["corpus"] == true).then(|| corpus.clone()),
            rules,
            ..MiningSettings::new(model(), pairs.clone())
        };
        let environment = environment();
        let mining = Mining::prepare(&settings, &environment, &mut Silent).unwrap();
        let mut rows = Vec::new();
        let report = mining.run(&environment, None, &mut Silent, |mined| {
            rows.extend(form.rows(&mined).into_iter().map(Value::Array));
            Ok(())
        });
        let report = report.unwrap();
        let want = case["rows"].as_array().unwrap();
        assert_eq!(rows.len(), want.len(), "{options}");
        for (got, want) in rows.iter().zip(want) {
            assert!(same(got, want), "{options}: {got} {want}");
        }
        assert_eq!((report.queries, report.pairs), (9, 18), "{options}");
        if !settings.rules.include_positives {
            assert!(report.dropped.positives > 0, "{options}");
        }
    }
}

/// Scores by the length of the document alone.
struct ByLength;

impl Rescore for ByLength {
    fn scores(&mut self, _: &str, documents: &[&str]) -> gradus::Result<Vec<f64>> {
        Ok(documents.iter().map(|d| -(d.len() as f64)).collect())
    }
}

#[test]
fn another_model_may_score_the_candidates() {
    let (folder, stored) = (tempfile::tempdir().unwrap(), stored());
    let (pairs, corpus) = written(folder.path(), &stored);
    let mut settings = MiningSettings {
        corpus: Some(corpus),
        ..MiningSettings::new(model(), pairs)
    };
    settings.rules.min_score = Some(-1e9);
    let environment = environment();
    let mining = Mining::prepare(&settings, &environment, &mut Silent).unwrap();
    let mut checked = 0;
    let mut by_length = ByLength;
    let run = mining.run(&environment, Some(&mut by_length), &mut Silent, |mined| {
        let lengths: Vec<usize> = mined.negatives.iter().map(|(text, _)| text.len()).collect();
        assert!(lengths.is_sorted(), "{lengths:?}");
        for (text, score) in mined.positives.iter().chain(&mined.negatives) {
            assert_eq!(*score, -(text.len() as f64));
            checked += 1;
        }
        Ok(())
    });
    assert!(run.is_ok() && checked > 20);
}

#[test]
fn too_little_to_mine_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.tsv");
    fs::write(&path, "query\tpositive\nq\tp\nr\tp\n").unwrap();
    let settings = MiningSettings::new(model(), Source::file(&path));
    let error = Mining::prepare(&settings, &environment(), &mut Silent).unwrap_err();
    assert!(
        error.to_string().contains("at least 2 different texts"),
        "{error}"
    );
}
