//! What a stage trains on: examples of one or more texts, from its sources.

use super::overlap::Watch;
use super::stage::StageContext;
use crate::data::{DataError, GradedPair, PairIndex, RowKind, Source};
use crate::recipe::Stage;
use crate::training::TrainError;
use crate::util::interned::Interned;
use crate::{Error, Result};
use sha2::{Digest, Sha256};

/// The examples of a stage, before their texts are tokens.
#[derive(Debug, Default)]
pub(crate) struct Examples {
    /// What its rows are called.
    pub unit: &'static str,
    /// How many texts an example has.
    pub columns: usize,
    /// Every different text.
    pub texts: Vec<String>,
    /// The texts of each example, by their places; `columns` each.
    pub rows: Vec<u32>,
    pub labels: Vec<f64>,
    pub weights: Vec<f32>,
    pub tolerances: Vec<Option<f32>>,
    /// Left out by label.
    pub skipped: usize,
    /// Left out because an evaluation set holds them.
    pub excluded: usize,
}

impl Examples {
    /// Reads a stage's sources: graded pairs where an objective needs grades.
    pub fn load(
        settings: &Stage,
        context: &StageContext<'_>,
        watch: &mut Watch,
        hash: &mut Sha256,
    ) -> Result<Self> {
        match settings.objectives().any(|o| o.loss.name().needs_labels()) {
            true => Self::graded(settings, context, watch, hash),
            false => Self::unlabelled(settings, context, watch, hash),
        }
    }

    fn graded(
        settings: &Stage,
        context: &StageContext<'_>,
        watch: &mut Watch,
        hash: &mut Sha256,
    ) -> Result<Self> {
        let mut pairs: Vec<GradedPair> = Vec::new();
        let (mut skipped, mut excluded) = (0, 0);
        for source in &settings.train {
            let graded = [None, Some(RowKind::Graded)];
            if !graded.contains(&source.rows) {
                return Err(fail(
                    settings,
                    "its objective needs grades: remove `rows` from its sources".into(),
                ));
            }
            let (base_dir, root) = (context.base_dir, context.data_root);
            let loaded = source.load_without(&watch.held_out, base_dir, root);
            let loaded = loaded.map_err(|e| triplets_remedy(settings, source, context, e))?;
            let texts = loaded.pairs.iter().map(|p| [&*p.first, &*p.second]);
            watch.see(&settings.name, source, texts);
            skipped += loaded.skipped.values().sum::<usize>();
            excluded += loaded.excluded;
            pairs.extend(loaded.pairs);
        }
        let most = settings.objective.loss.widest_tolerance();
        for pair in &pairs {
            let wide = |t: &f32| !(0.0..=most).contains(&f64::from(*t));
            if let Some(t) = pair.tolerance.filter(wide) {
                return Err(fail(
                    settings,
                    format!(
                        "the tolerance {t} of the pair {:?} / {:?} lies outside of [0, {most}] (half the label spacing)",
                        pair.first, pair.second
                    ),
                ));
            }
            hash_text(hash, &pair.first);
            hash_text(hash, &pair.second);
            hash.update(pair.label.to_le_bytes());
            hash.update(pair.weight.to_le_bytes());
            hash.update(pair.tolerance.unwrap_or(-1.0).to_le_bytes());
        }
        let mut unique = Interned::default();
        let places = pairs.iter().flat_map(|p| [&p.first, &p.second]);
        let rows = places.map(|text| unique.place(text) as u32).collect();
        Ok(Self {
            unit: RowKind::Graded.plural(),
            columns: 2,
            rows,
            texts: unique.texts.into_iter().map(str::to_owned).collect(),
            labels: pairs.iter().map(|p| p.label).collect(),
            weights: pairs.iter().map(|p| p.weight).collect(),
            tolerances: pairs.iter().map(|p| p.tolerance).collect(),
            skipped,
            excluded,
        })
    }

    fn unlabelled(
        settings: &Stage,
        context: &StageContext<'_>,
        watch: &mut Watch,
        hash: &mut Sha256,
    ) -> Result<Self> {
        let mut kind = None;
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut excluded = 0;
        for source in &settings.train {
            refuse_graded(settings, source)?;
            let (base_dir, root) = (context.base_dir, context.data_root);
            let found = source.unlabelled(&watch.held_out, base_dir, root);
            let found = found.map_err(|e| triplets_remedy(settings, source, context, e))?;
            if *kind.get_or_insert(found.kind) != found.kind {
                return Err(fail(
                    settings,
                    "its sources are of several kinds; set the same `rows` for all of them".into(),
                ));
            }
            excluded += found.excluded;
            match found.kind {
                RowKind::Texts => {
                    let texts = found.rows.iter().map(|row| [row[0].as_str()]);
                    watch.see(&settings.name, source, texts);
                }
                _ => {
                    // A triplet is pairs of its anchor.
                    let texts = found.rows.iter().flat_map(|row| {
                        let others = row[1..].iter();
                        others.map(|other| [row[0].as_str(), other.as_str()])
                    });
                    watch.see(&settings.name, source, texts);
                }
            }
            let width = |rows: &[Vec<String>]| rows.first().map_or(0, Vec::len);
            if !rows.is_empty() && width(&rows) != width(&found.rows) {
                return Err(fail(
                    settings,
                    "its sources have different numbers of negatives; set the same `negatives` for all of them".into(),
                ));
            }
            rows.extend(found.rows);
        }
        let kind = kind.unwrap_or(RowKind::Texts);
        let mut unique = Interned::default();
        let mut places = Vec::new();
        for row in &rows {
            for text in row {
                hash_text(hash, text);
                places.push(unique.place(text) as u32);
                // Alone, a text is its own positive: dropout makes two of it.
                if kind == RowKind::Texts && settings.views > 1 {
                    places.push(unique.place(text) as u32);
                }
            }
        }
        Ok(Self {
            unit: kind.plural(),
            columns: match kind {
                RowKind::Triplets => rows.first().map_or(3, Vec::len),
                RowKind::Texts => settings.views,
                _ => 2,
            },
            rows: places,
            texts: unique.texts.into_iter().map(str::to_owned).collect(),
            labels: vec![0.0; rows.len()],
            weights: vec![1.0; rows.len()],
            tolerances: vec![None; rows.len()],
            skipped: 0,
            excluded,
        })
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }
}

/// The error of a source whose columns are unclear, or what to do where they can be
/// read as triplets.
fn triplets_remedy(
    settings: &Stage,
    source: &Source,
    context: &StageContext<'_>,
    error: Error,
) -> Error {
    let unclear = matches!(error, Error::Data(DataError::UnclearColumns { .. }));
    if !unclear || source.rows.is_some_and(|rows| rows != RowKind::Graded) {
        return error;
    }
    let as_triplets = Source {
        rows: Some(RowKind::Triplets),
        max_pairs: Some(1),
        exclude: vec![],
        ..source.clone()
    };
    let nothing = PairIndex::default();
    match as_triplets.unlabelled(&nothing, context.base_dir, context.data_root) {
        Err(_) => error,
        Ok(_) => {
            let objective = match settings.objectives().any(|o| o.loss.name().needs_labels()) {
                true => "an objective without grades such as `loss = \"info_nce\"`, and ",
                false => "",
            };
            fail(
                settings,
                format!(
                    "{} has three columns of text and no grade. If they are triplets (a text, one that means the same, one that does not), set {objective}`rows = \"triplets\"` in the source",
                    source.describe()
                ),
            )
        }
    }
}

fn refuse_graded(settings: &Stage, source: &Source) -> Result<()> {
    match source.rows {
        Some(RowKind::Graded) => Err(fail(
            settings,
            "no objective of it uses grades: set `rows` of its sources to texts, pairs or triplets"
                .into(),
        )),
        _ => Ok(()),
    }
}

fn fail(settings: &Stage, message: String) -> Error {
    let stage = settings.name.clone();
    TrainError::Stage { stage, message }.into()
}

fn hash_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}
