use crate::Result;
use crate::data::{DataError, Source};
use std::collections::HashSet;
use std::path::Path;

/// The different texts of some files, in the order in which they first come:
/// the lines that are not blank, or both texts of each pair. Relative paths
/// start at `base_dir`.
///
/// # Errors
/// Those of the readers; [`DataError::NoTexts`] where there is not a single one.
pub fn read_texts(sources: &[Source], base_dir: &Path) -> Result<Vec<String>> {
    let mut texts: Vec<String> = Vec::new();
    for source in sources {
        let lines = !source.is_of_pairs();
        let mut add = |text| {
            texts.push(text);
            true
        };
        source.texts_of_file(base_dir, lines, &mut add)?;
    }
    if texts.is_empty() {
        let path = sources.first().map(Source::describe).unwrap_or_default();
        return Err(DataError::NoTexts { path: path.into() }.into());
    }
    let mut seen = HashSet::new();
    let news: Vec<bool> = texts
        .iter()
        .map(|text| seen.insert(text.as_str()))
        .collect();
    let mut news = news.into_iter();
    texts.retain(|_| news.next().unwrap_or(false));
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Column;

    #[test]
    fn lines_and_pairs_each_text_once() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(place.path().join(name), text).unwrap();
        write("lines.txt", "one\ttab\n\n  \ntwo\none\ttab\n");
        write("pairs.tsv", "x\ttwo\tthree\nx\tfour\tthree\n");
        let pairs = Source {
            first: Some(Column::Index(1)),
            second: Some(Column::Index(2)),
            ..Source::file("pairs.tsv")
        };
        let sources = [Source::file("lines.txt"), pairs];
        let texts = read_texts(&sources, place.path()).unwrap();
        assert_eq!(texts, ["one\ttab", "two", "three", "four"]);
        write("lines.txt", "\n \n");
        let error = read_texts(&sources[..1], place.path()).unwrap_err();
        assert!(error.to_string().contains("no texts"), "{error}");
    }
}
