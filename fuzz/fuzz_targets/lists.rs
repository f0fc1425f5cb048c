//! Queries with several documents each. The first byte chooses the format.
#![no_main]

mod files;

use gradus::data::{DataRoot, Format, PairIndex, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rows)) = bytes.split_first() else {
        return;
    };
    let formats = [Format::Jsonl, Format::Tsv, Format::Csv, Format::Parquet];
    let source = Source {
        format: Some(formats[usize::from(*choice) % 4]),
        ..Source::file(files::write("lists", rows))
    };
    let root = DataRoot::resolve(Some(files::folder()));
    let Ok(read) = source.lists(&PairIndex::default(), files::folder(), &root) else {
        return;
    };
    assert!(!read.lists.is_empty());
    for list in &read.lists {
        let texts = std::iter::once(&list.query).chain(&list.documents);
        assert!(texts.into_iter().all(|text| !text.is_empty()));
        assert!(!list.documents.is_empty() && list.documents.len() == list.labels.len());
        assert!(list.labels.iter().all(|label| label.is_finite()));
    }
});
