//! Cross-encoders in the jobs that use models.

use crate::common::{copy_of, model_folder};
use crate::{Heard, environment, graded};
use gradus::calibration::RawScore;
use gradus::eval::{PairScorer, Similarity, spearman};
use gradus::format::PromptChoice;
use gradus::jobs::score::{Recommended, Scorer};
use gradus::jobs::{JobError, Model, calibrate, eval};
use gradus::util::Silent;
use gradus::{CrossEncoder, Error};
use gradus_kernels::cpu::Cpu;

fn find(name: &str) -> Model {
    let folder = model_folder(&format!("../cross_encoders/{name}"));
    let name = folder.to_str().unwrap();
    environment().find(name, &mut Silent).unwrap()
}

fn scorer(model: &Model) -> Scorer {
    Scorer::load(model, None, &environment(), &mut Silent).unwrap()
}

#[test]
fn pairs_get_the_score_of_a_cross_encoder() {
    let model = find("bert");
    let pairs = [("a cat", "two dogs"), ("", "the cat"), ("a cat", "a cat")];
    let scorer = scorer(&model);
    let scores = scorer.score(&pairs).unwrap();
    let plain = CrossEncoder::load(&model.folder, Cpu::new(1)).unwrap();
    let expected = plain.predict(&pairs).unwrap();
    for (score, expected) in scores.iter().zip(expected.as_slice()) {
        assert_eq!(score.score, Some(*expected));
        assert_eq!(score.recommended, *expected);
        assert_eq!(score.recommended_is, Recommended::Score);
        assert_eq!((score.cosine, score.grade), (None, None));
    }
    let unknown: Vec<bool> = scores.iter().map(|s| s.unknown).collect();
    assert_eq!(unknown, [false, true, false]);
    assert!(scorer.notes()[0].starts_with("1 pair holds a text"));
    // A pair alone has the bits that it has among others.
    assert_eq!(scorer.score(&pairs[2..]).unwrap()[0], scores[2]);
    let long = "a cat ".repeat(100);
    assert!(scorer.score(&[(&long, "a dog")]).unwrap()[0].truncated);
    let error = Scorer::load(
        &model,
        Some(PromptChoice::Text("query: ".into())),
        &environment(),
        &mut Silent,
    );
    let error = error.err().unwrap();
    assert!(
        matches!(error, Error::Job(JobError::NoPrompt(_))),
        "{error}"
    );
}

#[test]
fn several_labels_give_the_expected_class() {
    let model = find("bert-three-labels");
    let pairs = [("a cat", "two dogs"), ("the man", "the cat")];
    let plain = CrossEncoder::load(&model.folder, Cpu::new(1)).unwrap();
    let logits = plain.logits(&plain.tokenizer().encode_pairs(&pairs).unwrap());
    let scores = plain.score_pairs(&pairs).unwrap();
    assert_eq!(scores.similarity, Similarity::Score);
    for (score, row) in scores.raw.iter().zip(logits.chunks(3)) {
        let e: Vec<f64> = row.iter().map(|&x| f64::from(x).exp()).collect();
        let expected = (e[1] + 2.0 * e[2]) / (e[0] + e[1] + e[2]);
        assert!((score - expected).abs() < 1e-12, "{score} {expected}");
    }
    let answers = scorer(&model).score(&pairs).unwrap();
    assert_eq!(answers[0].score, Some(scores.raw[0]));
}

#[test]
fn cross_encoders_are_evaluated_beside_other_models() {
    let cross = find("bert").name;
    let vectors = model_folder("bert-small").to_str().unwrap().to_owned();
    let settings = eval::EvalSettings {
        tasks: vec![],
        pairs: vec![graded()],
        ..eval::EvalSettings::new([&cross, &vectors])
    };
    let mut heard = Heard::default();
    let evaluation = eval::ModelEvaluation::prepare(&settings, &environment(), &mut heard).unwrap();
    let report = evaluation.run(&environment(), &mut heard).unwrap();
    let text = report.text(Default::default());
    assert!(text.contains("similarity: score, cosine"), "{text}");
    let task = &evaluation.suite.tasks[0];
    let pairs: Vec<(&str, &str)> = task.iter().map(|p| (&*p.first, &*p.second)).collect();
    let plain = CrossEncoder::load(find("bert").folder, Cpu::new(1)).unwrap();
    let scores = plain.predict(&pairs).unwrap();
    let grades: Vec<f64> = task.iter().map(|p| p.label).collect();
    let expected = spearman(scores.as_slice(), &grades);
    assert_eq!(
        report.models[0].scores.tasks[0].scores.all.spearman,
        expected
    );
    let said: Vec<&str> = heard.progress.iter().map(|p| p.0.as_str()).collect();
    assert!(said.contains(&&*format!("{cross}: scoring pairs")));
    assert!(said.contains(&&*format!("{vectors}: encoding sentences")));
}

#[test]
fn a_calibrated_cross_encoder_gives_grades() {
    let place = copy_of("../cross_encoders/bert");
    let name = place.path().to_str().unwrap().to_owned();
    let settings = calibrate::CalibrateSettings {
        scale: Some((0.0, 5.0)),
        ..calibrate::CalibrateSettings::new(&name, graded())
    };
    let fitted = calibrate::calibrate(&settings, &environment(), &mut Silent).unwrap();
    assert_eq!(fitted.calibration.score, RawScore::Score);
    assert!(fitted.calibration.describe().starts_with("score to grades"));
    let folder = place.path().into();
    let model = Model {
        name: name.clone(),
        folder,
    };
    let score = scorer(&model).score(&[("a cat", "two dogs")]).unwrap()[0];
    assert_eq!(score.recommended_is, Recommended::Calibrated);
    let calibrated = fitted.calibration.apply(score.score.unwrap());
    assert_eq!(score.recommended, calibrated.grade);

    let by = |score, model: &str| calibrate::CalibrateSettings {
        score: Some(score),
        model: model.into(),
        ..settings.clone()
    };
    let calibrated = |s: calibrate::CalibrateSettings| {
        calibrate::calibrate(&s, &environment(), &mut Silent).map_err(|e| e.to_string())
    };
    assert!(calibrated(by(RawScore::Score, &name)).is_ok());
    let error = calibrated(by(RawScore::Cosine, &name)).unwrap_err();
    assert!(error.contains("a score, not a cosine"), "{error}");
    let error = calibrated(by(RawScore::Grade, &name)).unwrap_err();
    assert!(error.contains("no regression head"), "{error}");
    let vectors = copy_of("bert-small");
    let error = calibrated(by(RawScore::Score, vectors.path().to_str().unwrap())).unwrap_err();
    assert!(error.contains("a cosine, not a score"), "{error}");

    // One model's calibration says nothing of another kind's numbers.
    let file = "calibration.json";
    std::fs::copy(place.path().join(file), vectors.path().join(file)).unwrap();
    let model = Model {
        name: "vectors".into(),
        folder: vectors.path().into(),
    };
    let error = Scorer::load(&model, None, &environment(), &mut Silent);
    let error = error.err().unwrap().to_string();
    assert!(error.contains("scores of a cross-encoder"), "{error}");
}

#[test]
fn a_calibrated_copy_of_a_cross_encoder_is_one() {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("copy");
    let model = find("roberta");
    let settings = calibrate::CalibrateSettings {
        output: Some(output.clone()),
        ..calibrate::CalibrateSettings::new(&model.name, graded())
    };
    calibrate::calibrate(&settings, &environment(), &mut Silent).unwrap();
    let copied = Model {
        name: "copy".into(),
        folder: output,
    };
    let pair = [("a cat", "two dogs")];
    let scores = [&model, &copied].map(|model| scorer(model).score(&pair).unwrap()[0]);
    assert_eq!(scores[0].score, scores[1].score);
    assert_eq!(scores[1].recommended_is, Recommended::Calibrated);
}
