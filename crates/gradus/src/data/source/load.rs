//! The graded pairs of a source.

use std::collections::BTreeMap;
use std::path::Path;

use super::Source;
use crate::Result;
use crate::data::{DataError, DataRoot, Graded, GradedPair, Known, LabelMap, PairIndex};

/// What a [`Source`] gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The pairs, in the order of the file.
    pub pairs: Vec<GradedPair>,
    /// Pairs that the label map skipped, by label.
    pub skipped: BTreeMap<String, usize>,
    /// Pairs left out because a set in `exclude` holds them.
    pub excluded: usize,
    /// The lowest and highest label there can be, where the label map or the
    /// data set says so.
    pub scale: Option<(f64, f64)>,
}

impl Source {
    /// How labels are read: as told, or as the data set usually is.
    pub(in crate::data) fn label_map(&self) -> Result<LabelMap> {
        let mut labels = self.labels.clone();
        if let Some(name) = &self.dataset {
            let usual = Known::parse(name)?.labels();
            if labels.classes.is_none() && labels.from.is_none() {
                labels.classes = usual.classes;
                labels.from = usual.from;
            }
        }
        Ok(labels)
    }

    /// Reads the pairs. A relative `path` starts at `base_dir`; known data
    /// sets are looked for under `root`.
    ///
    /// # Errors
    /// Those of [`Source::validate`], [`Known::locate`] and
    /// [`PairFile::graded`](crate::data::PairFile::graded); [`DataError::BadSource`](crate::data::DataError::BadSource) if every pair was
    /// skipped or excluded.
    pub fn load(&self, base_dir: &Path, root: &DataRoot) -> Result<Loaded> {
        self.load_without(&PairIndex::default(), base_dir, root)
    }

    /// As [`Source::load`], leaving out the pairs of `held_out` too.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn load_without(
        &self,
        held_out: &PairIndex,
        base_dir: &Path,
        root: &DataRoot,
    ) -> Result<Loaded> {
        self.needs_pairs()?;
        let files = self.files(base_dir, root)?;
        let labels = self.label_map()?;
        let index = self.exclusion(base_dir, root)?;
        let excluded = |pair: &GradedPair| {
            index.contains(&pair.first, &pair.second)
                || held_out.contains(&pair.first, &pair.second)
        };
        let mut loaded = Loaded {
            pairs: Vec::new(),
            skipped: BTreeMap::new(),
            excluded: 0,
            scale: labels.range(),
        };
        let most = self.max_pairs.unwrap_or(usize::MAX);
        for file in &files {
            let mut rows = file.graded(&labels)?;
            self.check_split(rows.rows())?;
            while loaded.pairs.len() < most
                && let Some(row) = rows.next()
            {
                match row? {
                    Graded::Skipped(label) => *loaded.skipped.entry(label).or_default() += 1,
                    Graded::Pair(pair) if excluded(&pair) => loaded.excluded += 1,
                    Graded::Pair(pair) => loaded.pairs.push(pair),
                }
            }
            loaded.scale = rows.labels().range();
        }
        if !loaded.pairs.is_empty() {
            return Ok(loaded);
        }
        let skipped: usize = loaded.skipped.values().sum();
        if skipped + loaded.excluded > 0 {
            let problem = format!(
                "no pair is left: {skipped} skipped by label, {} excluded",
                loaded.excluded
            );
            let check = "check which labels are left out, and which pairs excluded";
            return self.bad_with(problem, vec![check.into()]);
        }
        let path = files.into_iter().next().map(|f| f.path).unwrap_or_default();
        Err(DataError::Empty { path }.into())
    }
}
