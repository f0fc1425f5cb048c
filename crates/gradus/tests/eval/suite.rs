//! The seven tasks, with a model that SciPy's reference rebuilds.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use gradus::data::{DataRoot, Known, Source, Split, Subset, TextVariant};
use gradus::eval::{
    Aggregation, Correlation, Embedder, EvalTask, Geometry, Metric, Suite, Undefined,
};
use gradus::{Embeddings, Result};
use serde_json::Value;

use crate::fake::WordCounts;
use crate::support::real_data;

#[test]
fn all_seven_tasks_score_as_scipy_says() {
    let Some(root) = real_data() else { return };
    let reference: Value = serde_json::from_str(include_str!("../reference/suite.json")).unwrap();
    for text in [TextVariant::Original, TextVariant::SentEval] {
        let suite = Suite::load(&root, text).unwrap();
        let scores = suite.evaluate(&WordCounts::default()).unwrap();
        let names: Vec<_> = scores.tasks.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R"
            ]
        );
        assert_eq!(scores.notes, Vec::<String>::new());
        for (aggregation, key) in [
            (Aggregation::All, "all"),
            (Aggregation::Mean, "mean"),
            (Aggregation::WeightedMean, "weighted_mean"),
        ] {
            for (metric, name) in [(Metric::Spearman, "spearman"), (Metric::Pearson, "pearson")] {
                let mut sum = 0.0;
                for task in &scores.tasks {
                    let want = reference[text.name()][&task.name][name][key]
                        .as_f64()
                        .unwrap();
                    let got = task.scores.get(aggregation).get(metric).value().unwrap();
                    assert!(
                        (got - want).abs() < 1e-12,
                        "{} {name} {key}: {got} {want}",
                        task.name
                    );
                    sum += want;
                }
                let average = scores.average.get(aggregation).get(metric).value().unwrap();
                assert!((average - sum / 7.0).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn the_report_does_not_claim_a_text_that_was_not_read() {
    let Some(root) = real_data() else { return };
    let suite = Suite::load(&root, TextVariant::SentEval).unwrap();
    for task in &suite.tasks {
        let want = match task.name.as_str() {
            "STS-B" | "SICK-R" => TextVariant::Original,
            _ => TextVariant::SentEval,
        };
        assert_eq!(task.text, want, "{}", task.name);
    }
    let dev = EvalTask::known(&root, Known::StsB, Split::Dev, TextVariant::Original).unwrap();
    assert_eq!(
        (dev.name.as_str(), dev.pairs(), dev.in_average),
        ("STS-B dev", 1500, false)
    );
    assert!(
        dev.evaluate(&WordCounts::default())
            .unwrap()
            .scores
            .all
            .spearman
            .value()
            .unwrap()
            > 0.5
    );
}

/// A task with these subsets, all texts different.
fn task(name: &str, subsets: &[&[f64]]) -> EvalTask {
    let pair = |s: usize, i: usize, grade: f64| {
        gradus::data::GradedPair::new(format!("a {s} {i}"), format!("b {s} {i}"), grade)
    };
    let subset = |(s, grades): (usize, &&[f64])| Subset {
        name: format!("part{s}"),
        pairs: grades
            .iter()
            .enumerate()
            .map(|(i, &g)| pair(s, i, g))
            .collect(),
    };
    EvalTask {
        name: name.into(),
        text: TextVariant::Original,
        scale: (0.0, 5.0),
        subsets: subsets.iter().enumerate().map(subset).collect(),
        in_average: true,
        notes: Vec::new(),
    }
}

#[test]
fn every_sentence_is_embedded_once() {
    let tasks = vec![
        task("one", &[&[1.0, 2.0], &[3.0]]),
        task("two", &[&[1.0, 5.0]]),
    ];
    let text = TextVariant::Original;
    let model = WordCounts::default();
    Suite { text, tasks }.evaluate(&model).unwrap();
    let calls = model.calls.borrow();
    let texts: HashSet<_> = calls.iter().flatten().collect();
    assert_eq!((calls.len(), calls[0].len(), texts.len()), (1, 6, 6));
}

#[test]
fn subsets_are_put_together_in_three_ways() {
    let similarities = [0.1, 0.2, 0.3, 0.9, 0.25];
    let mut next = similarities.iter();
    let scores = task("t", &[&[1.0, 2.0, 3.0], &[1.0, 2.0]]).score(|_| *next.next().unwrap());
    let of = |aggregation| scores.scores.get(aggregation).spearman.value().unwrap();
    let parts: Vec<_> = scores
        .subsets
        .iter()
        .map(|s| s.scores.spearman.value().unwrap())
        .collect();
    assert!((parts[0] - 1.0).abs() < 1e-12 && (parts[1] + 1.0).abs() < 1e-12);
    assert!(of(Aggregation::Mean).abs() < 1e-12);
    assert!((of(Aggregation::WeightedMean) - 0.2).abs() < 1e-12);
    // scipy.stats.spearmanr([.1, .2, .3, .9, .25], [1, 2, 3, 1, 2])
    assert!((of(Aggregation::All) - 0.15811388300841897).abs() < 1e-12);
    let one = task("t", &[&[1.0, 2.0], &[1.0]]).score(|p| p.label);
    assert!(one.scores.all.spearman.value().is_some());
    let undefined = Correlation::Undefined(Undefined::UndefinedPart);
    assert_eq!(one.scores.mean.spearman, undefined);
}

struct Broken;

impl Embedder for Broken {
    fn embed(&self, texts: &[&str]) -> Result<Embeddings> {
        let row = |text: &&str| match text.as_bytes()[0] {
            b'a' => [f32::NAN, 1.0],
            _ => [1.0, 0.0],
        };
        Ok(Embeddings::new(2, texts.iter().flat_map(row).collect()))
    }
}

#[test]
fn broken_vectors_do_not_pass_unnoticed() {
    let tasks = vec![task("one", &[&[1.0, 2.0]])];
    let text = TextVariant::Original;
    let scores = Suite { text, tasks }.evaluate(&Broken).unwrap();
    assert!(
        scores.notes[0].starts_with("2 of 4 sentences"),
        "{:?}",
        scores.notes
    );
    let constant = Correlation::Undefined(Undefined::Constant);
    assert_eq!(scores.tasks[0].scores.all.spearman, constant);
}

#[test]
fn a_task_of_ones_own_is_scored_beside_the_seven() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("own.tsv"),
        "x y\tx y\t3\nx y\tx z\t2\nx y\tw v\t1\n",
    )
    .unwrap();
    let root = DataRoot::resolve(Some(folder.path()));
    let own = EvalTask::from_source("own", &Source::file("own.tsv"), folder.path(), &root).unwrap();
    assert_eq!(
        (own.pairs(), own.scale, own.in_average),
        (3, (1.0, 3.0), false)
    );
    let scores = own.evaluate(&WordCounts::default()).unwrap();
    assert!((scores.scores.all.spearman.value().unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn the_hub_layout_is_scored_with_what_it_lacks_said() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("mteb/sts16-sts");
    fs::create_dir_all(&set).unwrap();
    let rows = "{\"sentence1\":\"a b\",\"sentence2\":\"a b\",\"score\":5}\n{\"sentence1\":\"a b\",\"sentence2\":\"c\",\"score\":0}\n";
    fs::write(set.join("test.jsonl"), rows).unwrap();
    let root = DataRoot::resolve(Some(Path::new(folder.path())));
    let task = EvalTask::known(&root, Known::Sts16, Split::Test, TextVariant::Original).unwrap();
    assert_eq!(task.notes.len(), 2);
    assert!(task.notes[0].contains("without its subsets"));
    assert!(task.notes[1].contains("2 pairs where published tables have 1186"));
}

#[test]
fn geometry_is_measured_on_different_sentences_of_a_task() {
    let Some(root) = real_data() else { return };
    let dev = EvalTask::known(&root, Known::StsB, Split::Dev, TextVariant::Original).unwrap();
    let pairs: Vec<_> = dev.iter().cloned().collect();
    let geometry = Geometry::measure(&WordCounts::default(), &pairs, dev.scale, 1).unwrap();
    let texts: HashSet<_> = pairs.iter().flat_map(|p| [&p.first, &p.second]).collect();
    assert_eq!(geometry.sentences, texts.len());
    assert_eq!(
        geometry.positives,
        pairs.iter().filter(|p| p.label >= 4.0).count()
    );
    // Word counts are no trained model, but pairs that mean the same share words.
    assert!(geometry.alignment.unwrap() < 2.0 * (1.0 - geometry.mean_cosine.unwrap()));
    assert_eq!(geometry.collapse_warning(), None);
}
