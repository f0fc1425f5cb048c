//! Graded pairs by a model.

use crate::common::{fixture, model_folder};
use crate::{Heard, environment};
use gradus::data::{DataRoot, RowKind, Source};
use gradus::jobs::label::{LabelSettings, label};
use gradus::jobs::pairing::PairSettings;
use gradus::training::Silent;
use std::path::Path;

fn settings(place: &Path, teacher: &Path, output: &str) -> LabelSettings {
    let stored = std::fs::read_to_string(fixture("training/pairs.tsv")).unwrap();
    let bare: Vec<&str> = stored
        .lines()
        .map(|l| l.split_once('\t').unwrap().1)
        .collect();
    std::fs::write(place.join("pairs.tsv"), bare.join("\n") + "\n").unwrap();
    let sources = vec![Source {
        rows: Some(RowKind::Pairs),
        ..Source::file(place.join("pairs.tsv"))
    }];
    LabelSettings {
        pairs: PairSettings {
            sources,
            ..PairSettings::default()
        },
        teacher: teacher.display().to_string(),
        neighbours_by: None,
        graded: false,
        clip: None,
        output: place.join(output),
        overwrite: false,
        seed: 1,
    }
}

#[test]
fn grades_are_the_teachers_and_a_recipe_reads_them() {
    let place = tempfile::tempdir().unwrap();
    let cross = fixture("cross_encoders").join("bert");
    for (teacher, output) in [
        (model_folder("bert-small"), "silver.tsv"),
        (cross.clone(), "silver.jsonl"),
    ] {
        let settings = settings(place.path(), &teacher, output);
        let made = label(&settings, &environment(), &mut Silent).unwrap();
        let root = DataRoot::resolve(Some(place.path()));
        let silver = Source::file(&settings.output);
        let loaded = silver.load(place.path(), &root).unwrap();
        assert_eq!(loaded.pairs.len(), made.pairs);
        let (low, high) = made.range;
        assert!(loaded.pairs.iter().all(|p| (low..=high).contains(&p.label)));
        assert!(low < high);
        let error = label(&settings, &environment(), &mut Silent).unwrap_err();
        assert!(error.to_string().contains("silver"), "{error}");
    }
    // A cross-encoder has no vectors to find neighbours by.
    let texts = place.path().join("texts.txt");
    std::fs::write(&texts, "a dog\na cat\ntwo birds\n").unwrap();
    let of_corpus = PairSettings::of_corpus(vec![Source::file(&texts)]);
    let made_up = LabelSettings {
        pairs: of_corpus,
        ..settings(place.path(), &cross, "made.tsv")
    };
    let error = label(&made_up, &environment(), &mut Silent).unwrap_err();
    assert!(error.to_string().contains("--by"), "{error}");
    let by = LabelSettings {
        neighbours_by: Some(model_folder("bert-small").display().to_string()),
        clip: Some((0.25, 0.5)),
        ..made_up
    };
    let made = label(&by, &environment(), &mut Silent).unwrap();
    assert!((1..=3).contains(&made.pairs));
    assert!(made.range.0 >= 0.25 && made.range.1 <= 0.5);
}

#[test]
fn work_that_was_stopped_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let teacher = model_folder("bert-small");
    let mut all = settings(place.path(), &teacher, "all.tsv");
    // More pairs than are graded at a time.
    let texts: Vec<String> = (0..2100)
        .map(|i| format!("a dog {i}\tthe cat {}", i / 2))
        .collect();
    std::fs::write(place.path().join("pairs.tsv"), texts.join("\n") + "\n").unwrap();
    label(&all, &environment(), &mut Silent).unwrap();
    let whole = std::fs::read(&all.output).unwrap();
    all.output = place.path().join("stopped.tsv");
    let mut observer = Heard {
        stop_at: Some(1024),
        ..Heard::default()
    };
    let error = label(&all, &environment(), &mut observer).unwrap_err();
    assert!(error.to_string().contains("stopped"), "{error}");
    assert!(!all.output.exists());
    let part = place.path().join(".stopped.tsv.part");
    let text = std::fs::read_to_string(&part).unwrap();
    assert!(text.lines().count() > 1000, "{}", text.lines().count());
    // As a kill in mid-line leaves it.
    std::fs::write(&part, &text[..text.len() - 3]).unwrap();
    let mut heard = Heard::default();
    label(&all, &environment(), &mut heard).unwrap();
    assert!(
        heard
            .notes
            .iter()
            .any(|note| note.contains("were graded before"))
    );
    assert!(whole == std::fs::read(&all.output).unwrap());
    assert!(!part.exists());
}
