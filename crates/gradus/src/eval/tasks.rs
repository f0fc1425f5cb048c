//! The tasks that models are scored on.

use std::path::Path;

use crate::Result;
use crate::data::{DataRoot, GradedPair, Known, SetLayout, Source, Split, Subset, TextVariant};

/// Graded pairs to score a model on, in one or more subsets.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalTask {
    /// As tables head its column.
    pub name: String,
    /// The text that its pairs really have.
    pub text: TextVariant,
    /// The lowest and the highest grade.
    pub scale: (f64, f64),
    /// The parts that are also scored by themselves.
    pub subsets: Vec<Subset>,
    /// Whether it is one of the seven whose average is reported.
    pub in_average: bool,
    /// What a reader of its scores must know.
    pub notes: Vec<String>,
}

/// Tasks that are evaluated together.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// The text variant asked for. A task's own [`EvalTask::text`] says what it
    /// has.
    pub text: TextVariant,
    /// The tasks, in the order of the report.
    pub tasks: Vec<EvalTask>,
}

impl EvalTask {
    /// A known data set's split. STS12-16 come in both text variants, the
    /// others as original text only.
    ///
    /// # Errors
    /// Those of [`Known::locate`] and of reading its files.
    pub fn known(root: &DataRoot, known: Known, split: Split, text: TextVariant) -> Result<Self> {
        let located = known.locate(root, split, text)?;
        let labels = known.labels();
        let subsets = located.load(&labels)?;
        let name = match split {
            Split::Test => known.title().to_string(),
            _ => format!("{} {}", known.title(), split.name()),
        };
        let text = match known.subsets() {
            [] => TextVariant::Original,
            _ => text,
        };
        let mut task = Self {
            name,
            text,
            scale: labels.range().unwrap_or((0.0, 1.0)),
            subsets,
            in_average: false,
            notes: Vec::new(),
        };
        if located.layout == SetLayout::Hub && !known.subsets().is_empty() {
            task.notes.push(format!(
                "{}: read without its subsets, so mean and weighted mean are those of all pairs",
                task.name
            ));
        }
        let published = known.test_pairs().filter(|_| split == Split::Test);
        if let Some(published) = published.filter(|n| *n != task.pairs()) {
            let remedy = match located.layout {
                SetLayout::Hub => format!("; `gradus pull {}` says why", known.name()),
                SetLayout::Released => String::new(),
            };
            task.notes.push(format!(
                "{}: {} pairs where published tables have {published}; not comparable with them{remedy}",
                task.name,
                task.pairs()
            ));
        }
        Ok(task)
    }

    /// A task of one's own. Where the source does not say the scale of its
    /// labels, it is that of the labels found.
    ///
    /// # Errors
    /// Those of [`Source::load`].
    pub fn from_source(
        name: impl Into<String>,
        source: &Source,
        base_dir: &Path,
        root: &DataRoot,
    ) -> Result<Self> {
        let loaded = source.load(base_dir, root)?;
        let found = || {
            let labels = loaded.pairs.iter().map(|pair| pair.label);
            let low = labels.clone().fold(f64::INFINITY, f64::min);
            (low, labels.fold(f64::NEG_INFINITY, f64::max))
        };
        Ok(Self {
            name: name.into(),
            text: TextVariant::Original,
            scale: loaded.scale.unwrap_or_else(found),
            subsets: vec![Subset {
                name: String::new(),
                pairs: loaded.pairs,
            }],
            in_average: false,
            notes: Vec::new(),
        })
    }

    /// How many pairs it has.
    pub fn pairs(&self) -> usize {
        self.subsets.iter().map(|s| s.pairs.len()).sum()
    }

    /// Its pairs, subset after subset.
    pub fn iter(&self) -> impl Iterator<Item = &GradedPair> {
        self.subsets.iter().flat_map(|s| &s.pairs)
    }
}

impl Suite {
    /// The test splits of the seven data sets of the published tables.
    ///
    /// # Errors
    /// Those of [`EvalTask::known`].
    pub fn load(root: &DataRoot, text: TextVariant) -> Result<Self> {
        Self::load_some(root, text, &Known::SUITE)
    }

    /// The test splits of some of them, in the order of the published tables;
    /// the average is over these alone.
    ///
    /// # Errors
    /// Those of [`EvalTask::known`].
    pub fn load_some(root: &DataRoot, text: TextVariant, wanted: &[Known]) -> Result<Self> {
        let mut tasks = Vec::with_capacity(wanted.len());
        for known in Known::SUITE.into_iter().filter(|k| wanted.contains(k)) {
            let mut task = EvalTask::known(root, known, Split::Test, text)?;
            task.in_average = true;
            tasks.push(task);
        }
        Ok(Self { text, tasks })
    }
}
