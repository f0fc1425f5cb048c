//! The known data sets, real and in small.

use std::fs;
use std::path::Path;

use gradus::data::overlap::{parse_test, parse_train};
use gradus::data::{
    DataError, DataRoot, GradedPair, Known, LabelMap, Matching, PairIndex, RowKind, SetLayout,
    Source, Split, TextVariant, Unlabelled,
};

use crate::support::real_data;

fn pairs(root: &DataRoot, known: Known, split: Split, text: TextVariant) -> Vec<GradedPair> {
    let located = known.locate(root, split, text).unwrap();
    let subsets = located.load(&known.labels()).unwrap();
    subsets.into_iter().flat_map(|s| s.pairs).collect()
}

#[test]
fn every_set_has_its_published_size() {
    let Some(root) = real_data() else { return };
    let original = TextVariant::Original;
    for known in Known::SUITE {
        let test = pairs(&root, known, Split::Test, original);
        assert_eq!(Some(test.len()), known.test_pairs(), "{known:?}");
    }
    for (known, split, size) in [
        (Known::StsB, Split::Train, 5749),
        (Known::StsB, Split::Dev, 1500),
        (Known::SickR, Split::Train, 4500),
        (Known::SickR, Split::Dev, 500),
        (Known::Nli, Split::Train, 83_225),
    ] {
        let found = pairs(&root, known, split, original).len();
        assert_eq!(found, size, "{known:?} {split:?}");
    }
    let nli = pairs(&root, Known::Nli, Split::Train, original);
    let sizes = [0.0, 1.0, 2.0].map(|class| nli.iter().filter(|p| p.label == class).count());
    assert_eq!(sizes, [29_899, 27_267, 26_059]);
}

#[test]
fn subsets_and_texts_are_those_of_the_files() {
    let Some(root) = real_data() else { return };
    let sts12 = Known::Sts12
        .locate(&root, Split::Test, TextVariant::Original)
        .unwrap();
    assert_eq!(sts12.layout, SetLayout::Released);
    let subsets = sts12.load(&Known::Sts12.labels()).unwrap();
    let sizes: Vec<_> = subsets
        .iter()
        .map(|s| (s.name.as_str(), s.pairs.len()))
        .collect();
    assert_eq!(
        sizes,
        [
            ("MSRpar", 750),
            ("MSRvid", 750),
            ("SMTeuroparl", 459),
            ("surprise.OnWN", 750),
            ("surprise.SMTnews", 399)
        ]
    );
    let want = GradedPair::new("A plane is taking off.", "An air plane is taking off.", 5.0);
    assert_eq!(subsets[1].pairs[1], want);
    let senteval = pairs(&root, Known::Sts12, Split::Test, TextVariant::SentEval);
    assert_eq!(senteval.len(), 3108);
    assert!(senteval.iter().all(|p| p.first == p.first.to_lowercase()));
    // The last column of this CRLF file is not read, the one before it is.
    let sick = pairs(&root, Known::SickR, Split::Test, TextVariant::Original);
    assert_eq!(sick[0].label, 3.3);
    assert_eq!(
        sick[0].first,
        "There is no boy playing outdoors and there is no man smiling"
    );
}

#[test]
fn stsb_overlaps_the_older_tests_as_documented() {
    let Some(root) = real_data() else { return };
    let original = TextVariant::Original;
    for (matching, train, dev, test) in [
        (Matching::Exact, 4757, 1131, 1007),
        (Matching::Normalised, 4759, 1131, 1007),
    ] {
        let mut index = PairIndex::new(matching);
        for known in &Known::SUITE[..5] {
            index.extend(pairs(&root, *known, Split::Test, original));
        }
        let overlap = |split| index.count(&pairs(&root, Known::StsB, split, original));
        let found = [Split::Train, Split::Dev, Split::Test].map(overlap);
        assert_eq!(found, [train, dev, test], "{matching:?}");
    }
}

#[test]
fn a_source_leaves_out_what_tests_hold() {
    let Some(root) = real_data() else { return };
    let mut source = Source::dataset(Known::StsB, Split::Train);
    source.exclude = ["sts12", "STS13", "sts-14", "sts15", "sts16"]
        .map(String::from)
        .to_vec();
    let loaded = source.load(Path::new("."), &root).unwrap();
    assert_eq!((loaded.pairs.len(), loaded.excluded), (990, 4759));
    assert_eq!(loaded.scale, Some((0.0, 5.0)));
    source.exclude.push("sts".into());
    let all = source.load(Path::new("."), &root).unwrap();
    assert!(all.excluded > 4759);
    source.exclude = vec!["stsb/dev".into()];
    source.max_pairs = Some(10);
    let few = source.load(Path::new("."), &root).unwrap();
    assert_eq!(few.pairs.len(), 10);

    let mut sick = Source::dataset(Known::SickR, Split::Train);
    sick.labels = LabelMap {
        to: Some([0.0, 5.0]),
        ..LabelMap::scale(1.0, 5.0)
    };
    let loaded = sick.load(Path::new("."), &root).unwrap();
    let (low, high) = loaded.pairs.iter().fold((9.0f64, -9.0f64), |(l, h), p| {
        (l.min(p.label), h.max(p.label))
    });
    assert_eq!((low, high), (0.0, 5.0));
}

#[test]
fn the_hub_layout_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let root = DataRoot::resolve(Some(folder.path()));
    let set = folder.path().join("mteb/stsbenchmark-sts");
    fs::create_dir_all(&set).unwrap();
    let row = "{\"split\":\"dev\",\"sentence1\":\"a b\",\"sentence2\":\"c\",\"score\":4.5}\n";
    fs::write(set.join("validation.jsonl"), row).unwrap();
    let found = Known::StsB.locate(&root, Split::Dev, TextVariant::SentEval);
    let found = found.unwrap();
    assert_eq!(found.layout, SetLayout::Hub);
    let subsets = found.load(&Known::StsB.labels()).unwrap();
    assert_eq!(subsets.len(), 1);
    assert_eq!(subsets[0].pairs, [GradedPair::new("a b", "c", 4.5)]);

    let off = row.replace("4.5", "5.5");
    fs::write(set.join("validation.jsonl"), off).unwrap();
    let error = found.load(&Known::StsB.labels()).unwrap_err().to_string();
    assert!(
        error.contains("validation.jsonl:1: the label 5.5"),
        "{error}"
    );
}

#[test]
fn what_is_missing_is_said_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let root = DataRoot::resolve(Some(folder.path()));
    let message = |known: Known, split, text| {
        let error = known.locate(&root, split, text).unwrap_err();
        error.to_string()
    };
    let sts = message(Known::Sts12, Split::Test, TextVariant::Original);
    for part in [
        "sts12 (test)",
        folder.path().to_str().unwrap(),
        "given explicitly",
        "sts/STS12/MSRpar.tsv or mteb/sts12-sts/test.jsonl",
        "gradus pull sts",
        "GRADUS_DATA",
    ] {
        assert!(sts.contains(part), "{part} not in: {sts}");
    }
    // What cannot be fetched is not promised.
    let senteval = message(Known::Sts12, Split::Test, TextVariant::SentEval);
    assert!(!senteval.contains("pull"), "{senteval}");
    let nli = message(Known::Nli, Split::Train, TextVariant::Original);
    for part in [
        "nli/nli_all.tsv or sentence-transformers/all-nli/train.jsonl",
        "`gradus pull nli`",
    ] {
        assert!(nli.contains(part), "{part} not in: {nli}");
    }
    // The released files of 2012 are its test set, and not taken for the other.
    let released = folder.path().join("sts/STS12");
    fs::create_dir_all(&released).unwrap();
    for subset in Known::Sts12.subsets() {
        fs::write(released.join(format!("{subset}.tsv")), "1\ta\tb\n").unwrap();
    }
    let train = message(Known::Sts12, Split::Train, TextVariant::Original);
    assert!(
        train.contains("looked for mteb/sts12-sts/train.jsonl;"),
        "{train}"
    );
    let split = message(Known::Sts12, Split::Dev, TextVariant::Original);
    assert!(
        split.contains("no split \"dev\"; it has: train, test"),
        "{split}"
    );
    let name = Known::parse("stsbb").unwrap_err();
    assert!(matches!(
        name,
        gradus::Error::Data(DataError::UnknownDataset { suggestion: Some(s), .. }) if s == "stsb"
    ));
}

fn unlabelled(root: &DataRoot, name: &str, rows: RowKind) -> gradus::Result<Unlabelled> {
    let source = Source {
        dataset: Some(name.into()),
        rows: Some(rows),
        ..Source::default()
    };
    source.unlabelled(&PairIndex::default(), Path::new(""), root)
}

#[test]
fn texts_and_triplets_have_their_sizes() {
    let Some(root) = real_data() else { return };
    let wiki = unlabelled(&root, "wiki", RowKind::Texts).unwrap();
    assert_eq!((wiki.kind, wiki.rows.len()), (RowKind::Texts, 97_271));
    let nli = unlabelled(&root, "nli", RowKind::Triplets).unwrap();
    assert_eq!((nli.kind, nli.rows.len()), (RowKind::Triplets, 16_063));
    assert!(nli.rows.iter().all(|row| row.len() == 3));
}

#[test]
fn sentences_are_no_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let root = DataRoot::resolve(Some(folder.path()));
    let missing = unlabelled(&root, "wiki", RowKind::Texts).unwrap_err();
    let missing = missing.to_string();
    assert!(missing.contains("wiki/sentences.txt"), "{missing}");
    assert!(missing.contains("GRADUS_DATA"), "{missing}");
    let missing = unlabelled(&root, "nli", RowKind::Triplets).unwrap_err();
    assert!(missing.to_string().contains("nli/nli_triplets.tsv"));

    fs::create_dir(folder.path().join("wiki")).unwrap();
    let text = "One, and \"two\".\n\nThree.\nThree.\n";
    fs::write(folder.path().join("wiki/sentences.txt"), text).unwrap();
    let wiki = unlabelled(&root, "Wiki", RowKind::Texts).unwrap();
    assert_eq!(wiki.rows, [["One, and \"two\"."], ["Three."]]);
    let mut source = Source::dataset(Known::Wiki, Split::Train);
    let error = source.validate().unwrap_err().to_string();
    assert!(error.contains("rows = \"texts\""), "{error}");
    assert!(unlabelled(&root, "wiki", RowKind::Pairs).is_err());
    source.rows = Some(RowKind::Texts);
    let error = source.load(Path::new(""), &root).unwrap_err().to_string();
    assert!(error.contains("pairs are needed"), "{error}");
    for entry in ["wiki", "wiki/train"] {
        source.exclude = vec![entry.into()];
        let index = PairIndex::default();
        let error = source.unlabelled(&index, Path::new(""), &root).unwrap_err();
        assert!(error.to_string().contains("pairs are needed"), "{error}");
    }
    assert!(
        parse_train("wiki", &Source::default()).is_err()
            && parse_test("wiki", &Source::default()).is_err()
    );
}
