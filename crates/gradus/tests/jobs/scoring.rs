//! Scores, vectors, calibrations and evaluations.

use crate::common::{copy_of, model_folder};
use crate::{Heard, environment, graded};
use gradus::data::{Format, PairFile, TextFile};
use gradus::jobs::score::{Answer, Answers, PairReader, Recommended, Scorer};
use gradus::jobs::{JobError, Model, calibrate, encode, eval};
use gradus::util::Silent;
use gradus::{Error, SentenceEncoder};
use gradus_kernels::cpu::Cpu;

fn find(name: &str) -> Model {
    let folder = model_folder(name);
    let name = folder.to_str().unwrap();
    environment().find(name, &mut Silent).unwrap()
}

fn scorer(model: &Model) -> Scorer {
    Scorer::load(model, None, &environment(), &mut Silent).unwrap()
}

#[test]
fn pairs_are_scored_by_the_vectors_cosine() {
    let model = find("bert-small");
    let pairs = [("a cat", "two dogs"), ("the cat", "the cat")];
    let scores = scorer(&model).score(&pairs).unwrap();
    let encoder = SentenceEncoder::load(&model.folder, Cpu::new(1)).unwrap();
    let vectors = encoder.encode(&["a cat", "two dogs", "the cat"]).unwrap();
    let cosine = vectors.cosine(0, 1);
    assert_eq!((scores[0].cosine, scores[0].score), (Some(cosine), None));
    assert_eq!(scores[0].recommended, cosine);
    assert_eq!(scores[0].recommended_is, Recommended::Cosine);
    // Of a vector and itself it is 1 but for what two roots are rounded by.
    let own = vectors.cosine(2, 2);
    assert!((own - 1.0).abs() <= f64::EPSILON, "{own}");
    assert_eq!((scores[1].cosine, scores[1].truncated), (Some(own), false));
}

#[test]
fn rows_of_a_stream_are_answered_in_step() {
    let scorer = scorer(&find("bert-small"));
    let rows = "sentence1\tsentence2\na cat\ta cat\n\na cat\ttwo dogs\n";
    let file = PairFile::new("stream", Format::Tsv);
    let reader = PairReader::stream(file, rows.as_bytes());
    let (mut answers, mut heard) = (Answers::new(&scorer, reader), Heard::default());
    let mut all = vec![];
    while let Some(chunk) = answers.next_chunk(&mut heard).unwrap() {
        assert!(!chunk.is_empty());
        all.extend(chunk);
    }
    let [
        Answer::Header,
        Answer::Pair { score, .. },
        Answer::Blank,
        last,
    ] = &all[..]
    else {
        panic!("{all:?}");
    };
    assert!((score.cosine.unwrap() - 1.0).abs() <= f64::EPSILON);
    let Answer::Pair { second, score, .. } = last else {
        panic!("{last:?}");
    };
    assert!(second == "two dogs" && score.recommended < 1.0, "{last:?}");
    let (what, done, total) = heard.progress.last().unwrap();
    assert_eq!((what.as_str(), *done, *total), ("scoring pairs", 2, 0));
}

#[test]
fn an_observer_ends_a_job_between_its_chunks() {
    let scorer = scorer(&find("bert-small"));
    let rows = "a cat\ttwo dogs\n".repeat(3000);
    let file = PairFile {
        header: Some(false),
        ..PairFile::new("stream", Format::Tsv)
    };
    let reader = PairReader::stream(file, std::io::Cursor::new(rows));
    let mut answers = Answers::new(&scorer, reader);
    let mut heard = Heard {
        stop_at: Some(1),
        ..Heard::default()
    };
    let first = answers.next_chunk(&mut heard).unwrap().unwrap();
    assert!((1..3000).contains(&first.len()));
    let error = answers.next_chunk(&mut heard).unwrap_err();
    assert!(matches!(error, Error::Stopped(_)), "{error}");
    assert_eq!(error.to_string(), "stopped while scoring pairs");
}

#[test]
fn texts_become_vectors_cut_and_scaled() {
    let model = find("bert-small");
    let whole = SentenceEncoder::load(&model.folder, Cpu::new(1)).unwrap();
    let texts = ["a cat", "", "two dogs in the park"];
    let expected = whole.encode(&texts).unwrap();
    let settings = encode::EncodeSettings {
        width: Some(8),
        normalize: true,
        ..Default::default()
    };
    let begin = |reader, settings: &encode::EncodeSettings| {
        encode::Vectors::begin(&model, reader, settings, &environment(), &mut Silent)
    };
    let given = texts.map(str::to_owned).to_vec();
    let reader = encode::TextReader::of(given.clone());
    let (mut vectors, mut heard) = (begin(reader, &settings).unwrap(), Heard::default());
    assert_eq!(vectors.width(), 8);
    let chunk = vectors.next_chunk(&mut heard).unwrap().unwrap();
    assert_eq!(chunk.texts, given);
    assert_eq!(chunk.vectors, expected.truncated(8).normalized());
    let unknown: Vec<bool> = chunk.coverage.iter().map(|c| c.is_unknown()).collect();
    assert_eq!(unknown, [false, true, false]);
    assert!(vectors.next_chunk(&mut heard).unwrap().is_none());
    let (_, done, total) = heard.progress.last().unwrap();
    assert_eq!((*done, *total), (3, 3));
    assert!(
        vectors.notes()[0].contains("it is empty"),
        "{:?}",
        vectors.notes()
    );

    let wide = encode::EncodeSettings {
        width: Some(1000),
        ..Default::default()
    };
    let lines = TextFile::new("stream", None);
    let reader = encode::TextReader::stream(lines, "a cat\n".as_bytes());
    match begin(reader, &wide) {
        Err(Error::Job(JobError::Width { wanted, width })) => {
            assert_eq!((wanted, width), (1000, whole.dim()));
        }
        _ => panic!("vectors are not that wide"),
    }
}

#[test]
fn a_calibrated_model_puts_grades_first() {
    let place = copy_of("bert-small");
    let name = place.path().to_str().unwrap().to_owned();
    let settings = calibrate::CalibrateSettings {
        scale: Some((0.0, 5.0)),
        ..calibrate::CalibrateSettings::new(&name, graded())
    };
    let mut heard = Heard::default();
    let fitted = calibrate::calibrate(&settings, &environment(), &mut heard).unwrap();
    assert_eq!(fitted.path, place.path().join("calibration.json"));
    assert_eq!(fitted.calibration.scale, (0.0, 5.0));
    assert_eq!(fitted.calibration.fitted_on, "pairs.tsv");
    assert!(heard.notes.is_empty(), "{:?}", heard.notes);
    assert_eq!(heard.progress[0].0, "encoding sentences");
    let model = Model {
        name: name.clone(),
        folder: place.path().into(),
    };
    let score = scorer(&model).score(&[("a cat", "two dogs")]).unwrap()[0];
    assert_eq!(score.recommended_is, Recommended::Calibrated);
    let of_cosine = fitted.calibration.apply(score.cosine.unwrap());
    assert_eq!(score.calibrated, Some(of_cosine));
    assert_eq!(score.recommended, of_cosine.grade);

    // Again, over what this job wrote itself.
    calibrate::calibrate(&settings, &environment(), &mut heard).unwrap();
    assert!(heard.notes[0].contains("replaced"), "{:?}", heard.notes);
    let by_head = calibrate::CalibrateSettings {
        score: Some(gradus::calibration::RawScore::Grade),
        ..settings
    };
    let error = calibrate::calibrate(&by_head, &environment(), &mut Silent).unwrap_err();
    assert!(matches!(error, Error::Job(JobError::NoHead(named)) if named == name));
    let shared = calibrate::CalibrateSettings::new("some-model", graded());
    let error = calibrate::calibrate(&shared, &environment(), &mut Silent).unwrap_err();
    assert!(
        matches!(error, Error::Job(JobError::NoFolder(_))),
        "{error}"
    );
}

#[test]
fn models_are_evaluated_on_pairs_of_ones_own() {
    let names = ["bert-small", "roberta-small"].map(|name| find(name).name);
    let settings = eval::EvalSettings {
        tasks: vec![],
        pairs: vec![graded()],
        ..eval::EvalSettings::new(names.clone())
    };
    let mut heard = Heard::default();
    let evaluation = eval::ModelEvaluation::prepare(&settings, &environment(), &mut heard).unwrap();
    assert_eq!(evaluation.suite.tasks[0].name, "pairs");
    let report = evaluation.run(&environment(), &mut heard).unwrap();
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    let models = json["models"].as_array().unwrap();
    assert_eq!(models.len(), 2);
    for (model, name) in models.iter().zip(&names) {
        assert_eq!(model["model"].as_str(), Some(name.as_str()));
    }
    let ended = heard
        .progress
        .iter()
        .filter(|(_, done, total)| done == total);
    assert_eq!(ended.count(), 2, "{:?}", heard.progress);

    let twice = eval::EvalSettings {
        pairs: vec![graded(), graded(), graded()],
        ..settings
    };
    let error = eval::ModelEvaluation::prepare(&twice, &environment(), &mut Silent).unwrap_err();
    assert!(
        matches!(error, Error::Job(JobError::SamePairs(_))),
        "{error}"
    );
}
