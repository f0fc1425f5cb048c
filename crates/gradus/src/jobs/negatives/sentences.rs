//! The sentences that negatives are made for.

use crate::Result;
use crate::data::Source;
use crate::jobs::JobError;
use std::collections::HashSet;
use std::path::Path;

/// Different sentences in the order of their files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sentences {
    pub all: Vec<String>,
    /// How many texts were there before.
    pub repeated: u64,
}

impl Sentences {
    /// Reads files of texts, at most `most`. White space becomes single spaces.
    ///
    /// # Errors
    /// Those of reading; [`JobError::NoSentences`].
    pub fn read(sources: &[Source], most: Option<usize>) -> Result<Self> {
        let most = most.unwrap_or(usize::MAX);
        let mut found = Self::default();
        let mut seen = HashSet::new();
        for source in sources {
            let lines = !source.is_of_pairs();
            let mut add = |text: String| {
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                match seen.insert(text.clone()) {
                    true => found.all.push(text),
                    false => found.repeated += 1,
                }
                found.all.len() < most
            };
            let read = source.texts_of_file(Path::new(""), lines, &mut add);
            read.map_err(JobError::input)?;
            if found.all.len() >= most {
                break;
            }
        }
        match found.all.is_empty() {
            false => Ok(found),
            true => {
                let path = sources.first().map(Source::describe).unwrap_or_default();
                Err(JobError::NoSentences(path.into()).into())
            }
        }
    }
}
