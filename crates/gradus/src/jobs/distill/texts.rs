//! The texts of a distillation: those to learn from and those held out.

use crate::data::{DataError, DataRoot, Lines, PairIndex, RowKind, Source};
use crate::util::atomic::write_file;
use crate::{Error, Result};
use std::collections::HashSet;
use std::path::Path;

/// The file with the texts to learn from, one a line.
pub const TRAIN: &str = "train.txt";

/// The file with those held out.
pub const HELD_OUT: &str = "held-out.txt";

/// One text in so many is held out, within the bounds below.
const ONE_IN: usize = 50;
/// Fewer give no figure.
const LEAST: usize = 20;
/// More add little, and take time at every evaluation.
const MOST: usize = 2000;

/// Different texts, some of them held out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// Those to learn from.
    pub train: Vec<String>,
    /// Those never trained on: evenly spread over all.
    pub held_out: Vec<String>,
}

impl Texts {
    /// Reads sources, of pairs both texts. White space within a text becomes
    /// single spaces, so that a text is a line.
    ///
    /// # Errors
    /// Those of [`Source::unlabelled`]; [`DataError::TooFewTexts`].
    pub fn read(sources: &[Source], base_dir: &Path, root: &DataRoot) -> Result<Self> {
        let (mut texts, mut seen) = (Vec::new(), HashSet::new());
        for source in sources {
            let source = Source {
                rows: Some(RowKind::Texts),
                ..source.clone()
            };
            let found = source.unlabelled(&PairIndex::default(), base_dir, root)?;
            for text in found.rows.into_iter().flatten() {
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                if !text.is_empty() && seen.insert(text.clone()) {
                    texts.push(text);
                }
            }
        }
        Self::split(texts).map_err(|found| {
            let path = sources.first().map(Source::describe).unwrap_or_default();
            let path = path.into();
            DataError::TooFewTexts {
                path,
                found,
                least: 2 * LEAST,
            }
            .into()
        })
    }

    /// Holds some out; the error is how many there are where they are too few.
    fn split(texts: Vec<String>) -> Result<Self, usize> {
        if texts.len() < 2 * LEAST {
            return Err(texts.len());
        }
        let count = (texts.len() / ONE_IN).clamp(LEAST, MOST);
        let stride = texts.len() / count;
        let (mut train, mut held_out) = (Vec::with_capacity(texts.len()), Vec::new());
        for (i, text) in texts.into_iter().enumerate() {
            match i % stride == stride - 1 && held_out.len() < count {
                true => held_out.push(text),
                false => train.push(text),
            }
        }
        Ok(Self { train, held_out })
    }

    /// Writes both files to `folder`, that of the texts to learn from last: where
    /// it is, all is there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (name, texts) in [(HELD_OUT, &self.held_out), (TRAIN, &self.train)] {
            let path = folder.join(name);
            write_file(&path, |out| {
                let mut line = |text: &String| out.write_all(format!("{text}\n").as_bytes());
                texts
                    .iter()
                    .try_for_each(&mut line)
                    .map_err(Error::io(&path))
            })?;
        }
        Ok(())
    }

    /// Reads the texts held out from `folder`; `None` where nothing was written
    /// yet.
    ///
    /// # Errors
    /// Those of [`Lines`].
    pub fn held_out_of(folder: &Path) -> Result<Option<Vec<String>>> {
        if !folder.join(TRAIN).exists() {
            return Ok(None);
        }
        let mut lines = Lines::open(&folder.join(HELD_OUT))?;
        let mut texts = Vec::new();
        while let Some(line) = lines.next_line()? {
            texts.push(line.to_owned());
        }
        Ok(Some(texts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("text {i}")).collect()
    }

    proptest! {
        #[test]
        fn each_text_is_in_one_part(n in 0usize..5000) {
            match Texts::split(texts(n)) {
                Err(found) => prop_assert!(found == n && n < 2 * LEAST),
                Ok(parts) => {
                    let held = parts.held_out.len();
                    prop_assert_eq!(held, (n / ONE_IN).clamp(LEAST, MOST));
                    let mut all: Vec<&String> = parts.train.iter().chain(&parts.held_out).collect();
                    all.sort_by_key(|t| t[5..].parse::<usize>().ok());
                    let every = texts(n);
                    prop_assert_eq!(all, every.iter().collect::<Vec<_>>());
                    prop_assert!(parts.train.len() >= held);
                }
            }
        }
    }

    #[test]
    fn files_are_read_as_texts_and_each_comes_once() {
        let place = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: String| std::fs::write(place.path().join(name), text).unwrap();
        write(
            "a.txt",
            (0..60).map(|i| format!("line  {i}\u{a0}x \n\n")).collect(),
        );
        write(
            "b.tsv",
            (0..40)
                .map(|i| format!("line {i} x\tother {i}\n"))
                .collect(),
        );
        let sources = [Source::file("a.txt"), Source::file("b.tsv")];
        let root = DataRoot::resolve(Some(place.path()));
        let found = Texts::read(&sources, place.path(), &root).unwrap();
        assert_eq!((found.train.len(), found.held_out.len()), (80, 20));
        assert_eq!(found.train[0], "line 0 x");
        assert!(Texts::held_out_of(place.path()).unwrap().is_none());
        found.write(place.path()).unwrap();
        let held = Texts::held_out_of(place.path()).unwrap();
        assert_eq!(held.as_ref(), Some(&found.held_out));
        write("few.txt", "one\ntwo\n".into());
        let error = Texts::read(&[Source::file("few.txt")], place.path(), &root);
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("at least 40 different texts") && error.ends_with("has 2"),
            "{error}"
        );
        write("none.txt", "\n  \n".into());
        assert!(Texts::read(&[Source::file("none.txt")], place.path(), &root).is_err());
    }
}
