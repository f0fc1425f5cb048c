//! What a stage trains on: pairs of texts, in lists where the loss compares those of a
//! query.

use crate::Result;
use crate::data::{DataRoot, RowKind, Source};
use crate::losses::ScoreUnit;
use crate::recipe::CrossEncoderStage;
use crate::tasks::similarity::Watch;
use crate::training::TrainError;
use crate::util::interned::Interned;
use sha2::{Digest, Sha256};
use std::path::Path;

/// The rows of a stage, before they are tokens. A row is a pair of texts with its
/// target; an example is a row, or the rows of a list.
#[derive(Debug, Default)]
pub(crate) struct Examples {
    /// What its examples are called.
    pub unit: &'static str,
    /// Every different text.
    pub texts: Vec<String>,
    /// The places of each row's texts.
    pub rows: Vec<[u32; 2]>,
    /// Of each row.
    pub targets: Vec<f64>,
    pub weights: Vec<f32>,
    pub tolerances: Vec<Option<f32>>,
    /// Offsets of examples: example `i` is the rows `lists[i]..lists[i + 1]`.
    pub lists: Vec<usize>,
    /// Left out by label.
    pub skipped: usize,
    /// Left out because an evaluation set holds them.
    pub excluded: usize,
}

/// A row before its texts have places.
struct Row {
    texts: [String; 2],
    target: f64,
    weight: f32,
    tolerance: Option<f32>,
}

impl Examples {
    /// Reads a stage's sources: lists where the loss compares within lists.
    pub fn load(
        settings: &CrossEncoderStage,
        (base_dir, root): (&Path, &DataRoot),
        watch: &mut Watch,
        hash: &mut Sha256,
    ) -> Result<Self> {
        let mut lists: Vec<Vec<Row>> = vec![];
        let mut found = Self::default();
        for source in &settings.train {
            match settings.objective.unit() {
                ScoreUnit::Pairs => {
                    let wrong = source.rows.is_some_and(|rows| rows != RowKind::Graded);
                    if wrong {
                        return Err(fail(
                            settings,
                            "its loss needs grades: remove `rows` from its sources",
                        ));
                    }
                    let loaded = source.load_without(&watch.held_out, base_dir, root)?;
                    let texts = loaded.pairs.iter().map(|p| [&*p.first, &*p.second]);
                    watch.see(&settings.name, source, texts);
                    found.skipped += loaded.skipped.values().sum::<usize>();
                    found.excluded += loaded.excluded;
                    lists.extend(loaded.pairs.into_iter().map(|pair| {
                        vec![Row {
                            texts: [pair.first, pair.second],
                            target: pair.label,
                            weight: pair.weight,
                            tolerance: pair.tolerance,
                        }]
                    }));
                }
                ScoreUnit::Lists => {
                    found.lists_of(settings, source, (base_dir, root), watch, &mut lists)?;
                }
            }
        }
        if settings.both_orders {
            if settings.objective.unit() == ScoreUnit::Lists {
                return Err(fail(
                    settings,
                    "`both_orders` is for pairs: the texts of a list are a query and documents",
                ));
            }
            let swapped = |rows: &Vec<Row>| rows.iter().map(Row::swapped).collect();
            let swapped: Vec<Vec<Row>> = lists.iter().map(swapped).collect();
            lists.extend(swapped);
        }
        found.unit = match settings.objective.unit() {
            ScoreUnit::Pairs => "pairs",
            ScoreUnit::Lists => "lists",
        };
        found.place(&lists, hash);
        found.check_tolerances(settings)?;
        Ok(found)
    }

    fn lists_of(
        &mut self,
        settings: &CrossEncoderStage,
        source: &Source,
        (base_dir, root): (&Path, &DataRoot),
        watch: &mut Watch,
        lists: &mut Vec<Vec<Row>>,
    ) -> Result<()> {
        let loaded = source.lists(&watch.held_out, base_dir, root)?;
        let texts = loaded.lists.iter().flat_map(|list| {
            let documents = list.documents.iter();
            documents.map(|document| [list.query.as_str(), document.as_str()])
        });
        watch.see(&settings.name, source, texts);
        self.excluded += loaded.excluded;
        self.skipped += loaded.skipped.values().sum::<usize>();
        lists.extend(loaded.lists.into_iter().map(|list| {
            let query = list.query;
            let rows = list.documents.into_iter().zip(list.labels);
            rows.map(|(document, target)| Row {
                texts: [query.clone(), document],
                target,
                weight: 1.0,
                tolerance: None,
            })
            .collect()
        }));
        Ok(())
    }

    /// Gives texts their places.
    fn place(&mut self, lists: &[Vec<Row>], hash: &mut Sha256) {
        let mut unique = Interned::default();
        self.lists.push(0);
        for list in lists {
            for row in list {
                for text in &row.texts {
                    hash.update((text.len() as u64).to_le_bytes());
                    hash.update(text);
                }
                hash.update(row.target.to_le_bytes());
                hash.update(row.weight.to_le_bytes());
                hash.update(row.tolerance.unwrap_or(-1.0).to_le_bytes());
                let [first, second] = &row.texts;
                let places = [unique.place(first) as u32, unique.place(second) as u32];
                self.rows.push(places);
                self.targets.push(row.target);
                self.weights.push(row.weight);
                self.tolerances.push(row.tolerance);
            }
            self.lists.push(self.rows.len());
            hash.update((list.len() as u64).to_le_bytes());
        }
        self.texts = unique.texts.into_iter().map(str::to_owned).collect();
    }

    fn check_tolerances(&self, settings: &CrossEncoderStage) -> Result<()> {
        let Some(most) = settings.objective.widest_tolerance() else {
            return Ok(());
        };
        let wide = |t: &f32| !(0.0..=most).contains(&f64::from(*t));
        let found = self.tolerances.iter().flatten().find(|t| wide(t));
        match found {
            None => Ok(()),
            Some(t) => Err(fail(
                settings,
                &format!(
                    "the tolerance {t} of a pair lies outside of [0, {most}] (half the label spacing)"
                ),
            )),
        }
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.lists.len() - 1
    }
}

impl Row {
    fn swapped(&self) -> Self {
        let [first, second] = self.texts.clone();
        Self {
            texts: [second, first],
            ..*self
        }
    }
}

fn fail(settings: &CrossEncoderStage, message: &str) -> crate::Error {
    TrainError::Stage {
        stage: settings.name.clone(),
        message: message.to_owned(),
    }
    .into()
}
