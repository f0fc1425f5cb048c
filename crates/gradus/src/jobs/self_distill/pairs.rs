//! The pairs of a self distillation: read as they are, or made from a corpus.

use super::neighbours;
use super::{PairSettings, SelfDistillation};
use crate::Result;
use crate::data::{DataError, PairIndex, RowKind, Source};
use crate::eval::Embedder;
use crate::jobs::{JobError, Observed};
use crate::tasks::similarity::{RunOverlap, Watch};
use crate::util::Observer;
use crate::util::interned::Interned;
use std::collections::HashSet;

/// Pairs without labels, and what they share with test sets.
pub(super) struct Unlabelled {
    pub pairs: Vec<(String, String)>,
    pub overlap: RunOverlap,
}

impl SelfDistillation {
    /// Reads or makes the pairs.
    pub(super) fn make_pairs(&self, observer: &mut dyn Observer) -> Result<Unlabelled> {
        let settings = &self.settings.pairs;
        let data = &self.environment.data;
        let dev = match &self.settings.evaluation.dev {
            Some(source) => {
                let loaded = source.load(&self.base, data)?;
                Some((source.describe(), loaded.pairs))
            }
            None => None,
        };
        let held = dev.as_ref().map(|(name, pairs)| (name.clone(), &pairs[..]));
        let mut watch = Watch::new(settings.exclude_overlap, held, data)?;
        let mut pairs = match settings.corpus.is_empty() {
            true => self.read_pairs(settings, &mut watch)?,
            false => self.of_corpus(settings, &mut watch, observer)?,
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

    fn read_pairs(
        &self,
        settings: &PairSettings,
        watch: &mut Watch,
    ) -> Result<Vec<(String, String)>> {
        let mut seen = HashSet::new();
        let mut pairs = vec![];
        for source in &settings.sources {
            let source = Source {
                rows: Some(RowKind::Pairs),
                ..source.clone()
            };
            let found = source.unlabelled(&watch.held_out, &self.base, &self.environment.data);
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
        settings: &PairSettings,
        watch: &mut Watch,
        observer: &mut dyn Observer,
    ) -> Result<Vec<(String, String)>> {
        let mut unique = HashSet::new();
        let mut texts: Vec<String> = vec![];
        for source in &settings.corpus {
            let source = Source {
                rows: Some(RowKind::Texts),
                ..source.clone()
            };
            let nothing = PairIndex::default();
            let found = source.unlabelled(&nothing, &self.base, &self.environment.data);
            for text in found.map_err(JobError::input)?.rows.into_iter().flatten() {
                if !text.trim().is_empty() && unique.insert(text.clone()) {
                    texts.push(text);
                }
            }
        }
        let encoder = self.bi_encoder(&self.given[0].0, observer)?;
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
        let seed = self.settings.seed;
        let places = neighbours::pairs(&vectors, &settings.ranks, settings.random, seed);
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

    /// The cosines of pairs by the bi-encoder in `folder`.
    pub(super) fn cosines(
        &self,
        folder: &std::path::Path,
        pairs: &[(String, String)],
        observer: &mut dyn Observer,
    ) -> Result<Vec<f64>> {
        let encoder = self.bi_encoder(folder, observer)?;
        let mut unique = Interned::default();
        let places: Vec<(usize, usize)> = pairs
            .iter()
            .map(|(a, b)| (unique.place(a), unique.place(b)))
            .collect();
        let observed = Observed::new(&encoder, "labelling pairs by cosines", observer);
        let vectors = observed.embed(&unique.texts).map_err(JobError::model)?;
        Ok(places.iter().map(|&(a, b)| vectors.cosine(a, b)).collect())
    }
}
