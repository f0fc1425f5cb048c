//! The pairs that settings ask for.

use super::{PairSettings, neighbours};
use crate::Result;
use crate::data::{DataError, DataRoot, PairIndex, RowKind, Source};
use crate::eval::Embedder;
use crate::jobs::{JobError, Observed};
use crate::models::SentenceEncoder;
use crate::tasks::similarity::{RunOverlap, Watch};
use crate::util::Observer;
use std::collections::HashSet;
use std::path::Path;

/// Pairs without labels, and what they share with evaluation sets.
pub(in crate::jobs) struct Unlabelled {
    pub pairs: Vec<(String, String)>,
    pub overlap: RunOverlap,
}

/// Where pairs come from.
pub(in crate::jobs) struct PairMaker<'a> {
    pub settings: &'a PairSettings,
    /// Pairs that count as an evaluation set besides the seven test sets.
    pub dev: Option<&'a Source>,
    /// Where relative paths start.
    pub base: &'a Path,
    pub data: &'a DataRoot,
    /// Random pairs are drawn from it.
    pub seed: u64,
}

impl PairMaker<'_> {
    /// Reads or makes the pairs. For texts `encoder` loads the model by whose vectors
    /// they have neighbours.
    pub fn make(
        &self,
        encoder: impl FnOnce(&mut dyn Observer) -> Result<SentenceEncoder>,
        observer: &mut dyn Observer,
    ) -> Result<Unlabelled> {
        let settings = self.settings;
        let dev = match self.dev {
            Some(source) => {
                let loaded = source.load(self.base, self.data)?;
                Some((source.describe(), loaded.pairs))
            }
            None => None,
        };
        let held = dev.as_ref().map(|(name, pairs)| (name.clone(), &pairs[..]));
        let mut watch = Watch::new(settings.exclude_overlap, held, self.data)?;
        let mut pairs = match settings.corpus.is_empty() {
            true => self.read_pairs(&mut watch)?,
            false => self.of_corpus(&mut watch, encoder, observer)?,
        };
        if let Some(most) = settings.most
            && pairs.len() > most
        {
            // Evenly spread, so that no part of a corpus is left out.
            let n = pairs.len();
            pairs = (0..most).map(|i| pairs[i * n / most].clone()).collect();
        }
        if pairs.is_empty() {
            let sources = settings.sources.iter().chain(&settings.corpus);
            let path = sources.map(Source::describe).next().unwrap_or_default();
            return Err(DataError::Empty { path: path.into() }.into());
        }
        Ok(Unlabelled {
            pairs,
            overlap: watch.finish(),
        })
    }

    fn read_pairs(&self, watch: &mut Watch) -> Result<Vec<(String, String)>> {
        let mut seen = HashSet::new();
        let mut pairs = vec![];
        for source in &self.settings.sources {
            let source = Source {
                rows: Some(RowKind::Pairs),
                ..source.clone()
            };
            let found = source.unlabelled(&watch.held_out, self.base, self.data);
            let found = found.map_err(JobError::input)?;
            let texts = found.rows.iter().map(|row| [&*row[0], &*row[1]]);
            watch.see("pairs", &source, texts);
            for row in found.rows {
                let mut texts = row.into_iter();
                if let (Some(first), Some(second)) = (texts.next(), texts.next())
                    && seen.insert((first.clone(), second.clone()))
                {
                    pairs.push((first, second));
                }
            }
        }
        Ok(pairs)
    }

    fn of_corpus(
        &self,
        watch: &mut Watch,
        encoder: impl FnOnce(&mut dyn Observer) -> Result<SentenceEncoder>,
        observer: &mut dyn Observer,
    ) -> Result<Vec<(String, String)>> {
        let settings = self.settings;
        let mut unique = HashSet::new();
        let mut texts: Vec<String> = vec![];
        for source in &settings.corpus {
            let source = Source {
                rows: Some(RowKind::Texts),
                ..source.clone()
            };
            let nothing = PairIndex::default();
            let found = source.unlabelled(&nothing, self.base, self.data);
            for text in found.map_err(JobError::input)?.rows.into_iter().flatten() {
                if !text.trim().is_empty() && unique.insert(text.clone()) {
                    texts.push(text);
                }
            }
        }
        let encoder = encoder(&mut *observer)?;
        let all: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors = {
            let observed = Observed::new(&encoder, "encoding the corpus", &mut *observer);
            observed.embed(&all).map_err(JobError::model)?
        };
        observer.note(&format!(
            "pairing {} texts with their neighbours of ranks {:?} and {} at random",
            texts.len(),
            settings.ranks,
            settings.random
        ));
        let places = neighbours::pairs(&vectors, &settings.ranks, settings.random, self.seed);
        let text = |place: u32| texts[place as usize].clone();
        let pairs = places.into_iter().map(|(i, j)| (text(i), text(j)));
        let held_out = &watch.held_out;
        let pairs: Vec<_> = pairs
            .filter(|(first, second)| !held_out.contains(first, second))
            .collect();
        let made = settings.corpus[0].clone();
        let seen = pairs.iter().map(|(a, b)| [a.as_str(), b.as_str()]);
        watch.see("pairs", &made, seen);
        Ok(pairs)
    }
}
