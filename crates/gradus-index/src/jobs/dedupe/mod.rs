//! A corpus without what it says twice, and a report to choose thresholds by.

mod order;
mod report;

pub use order::Keep;
pub use report::{Bin, DedupeReport, Gone};

use super::folder::{ResultFolder, line};
use super::input::Input;
use crate::Result;
use crate::duplicates::{ByMeaning, ByWords, Duplicate, Nearest, by_meaning, by_words};
use crate::groups::{self, KMeans};
use crate::neighbours::{Matrix, PackedVectors};
use crate::store::{Index, Record};
use gradus::jobs::Environment;
use gradus::util::Observer;
use gradus_kernels::cpu::Cpu;
use serde::Serialize;
use std::path::Path;

/// How duplicates are found, and which of them stays.
#[derive(Debug, Clone)]
pub struct DedupeSettings {
    /// By words, before meaning.
    pub words: Option<ByWords>,
    /// By meaning.
    pub meaning: Option<ByMeaning>,
    /// Which text stays.
    pub keep: Keep,
    /// Compare meaning within so many clusters only, as SemDeDup does (Abbas et al.,
    /// 2023); otherwise all texts with all.
    pub clusters: Option<usize>,
    /// Pairs of the report for each stretch of cosines.
    pub examples: usize,
}

/// Why a text went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Words.
    Words,
    /// Meaning.
    Meaning,
}

/// What is decided of each row.
pub(super) struct Decided {
    /// The rows in order of preference.
    pub order: Vec<usize>,
    /// Of each row of the index what it is a duplicate of.
    pub gone: Vec<Option<(By, Duplicate)>>,
    /// Of each row the nearest row kept before it, where meaning was compared.
    pub nearest: Vec<Option<Nearest>>,
}

/// Writes an input's texts without duplicates to the folder `output` (`kept.jsonl`), with
/// what went and why (`removed.jsonl`) and the report (`report.json`).
///
/// # Errors
/// Those of the input; [`IndexError::Settings`](crate::IndexError::Settings) where a text lacks a column to choose by;
/// [`IndexError::Foreign`](crate::IndexError::Foreign) where the folder holds other things.
pub fn dedupe(
    input: &Input,
    settings: &DedupeSettings,
    output: &Path,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<DedupeReport> {
    input.check()?;
    let folder = ResultFolder::claim(output, "dedupe")?;
    let index = input.open(environment, observer)?;
    let cpu = environment.comparer()?;
    let decided = decide(&cpu, &index, settings, observer)?;
    let report = report::make(&index, &decided, settings)?;
    #[derive(Serialize)]
    struct Removed<'a> {
        #[serde(flatten)]
        record: &'a Record,
        by: By,
        score: f32,
        kept: String,
        kept_text: String,
        /// The text of the same words that went for its meaning, if there is one between.
        #[serde(skip_serializing_if = "Option::is_none")]
        through: Option<String>,
    }
    let path = folder.path().join("removed.jsonl");
    folder.file("removed.jsonl", |file| {
        for record in index.records() {
            let (row, record) = record?;
            if let Some((by, duplicate)) = decided.gone[row] {
                let first = index.record(duplicate.of)?;
                let (kept, through) = match decided.gone[duplicate.of] {
                    None => (first, None),
                    Some((_, next)) => (index.record(next.of)?, Some(first.id)),
                };
                let removed = Removed {
                    record: &record,
                    by,
                    score: duplicate.score,
                    kept: kept.id,
                    kept_text: kept.text,
                    through,
                };
                line(file, &path, &removed)?;
            }
        }
        Ok(())
    })?;
    let path = folder.path().join("kept.jsonl");
    folder.file("kept.jsonl", |file| {
        for record in index.records() {
            let (row, record) = record?;
            if decided.gone[row].is_none() && index.rows().has(row) {
                line(file, &path, &record)?;
            }
        }
        Ok(())
    })?;
    let path = folder.path().join("report.json");
    folder.file("report.json", |file| line(file, &path, &report))?;
    Ok(report)
}

fn decide(
    cpu: &Cpu,
    index: &Index,
    settings: &DedupeSettings,
    observer: &mut dyn Observer,
) -> Result<Decided> {
    let matrix = index.matrix()?;
    let rows = matrix.rows().len();
    let live = matrix.live();
    let clusters = match settings.clusters.filter(|_| settings.meaning.is_some()) {
        None => vec![live.clone()],
        Some(clusters) => {
            let found = groups::kmeans(cpu, &matrix, &KMeans::new(clusters), observer)?;
            groups::members(&found.of, clusters)
        }
    };
    let order = order::by_preference(index, &matrix, &live, &clusters, &settings.keep)?;
    let mut gone: Vec<Option<(By, Duplicate)>> = vec![None; rows];
    if let Some(words) = settings.words {
        let text = |row: usize| index.record(row).map(|record| record.text);
        let found = by_words(&order, text, words, cpu.threads(), observer)?;
        for (row, found) in order.iter().zip(found) {
            gone[*row] = found.map(|duplicate| (By::Words, duplicate));
        }
    }
    let mut nearest = vec![None; rows];
    if let Some(meaning) = settings.meaning {
        let left: Vec<usize> = order
            .iter()
            .copied()
            .filter(|r| gone[*r].is_none())
            .collect();
        let found = match settings.clusters {
            None => by_meaning(cpu, &matrix, &left, meaning, (0, left.len()), observer)?
                .into_iter()
                .zip(&left)
                .map(|(found, row)| (*row, found))
                .collect(),
            Some(_) => within(cpu, &matrix, &left, &clusters, meaning, observer)?,
        };
        observer.progress("comparing texts", left.len() as u64, left.len() as u64);
        for (row, found) in found {
            nearest[row] = found;
            let duplicate = found.and_then(|found| found.duplicate(meaning.threshold));
            gone[row] = duplicate.map(|duplicate| (By::Meaning, duplicate));
        }
    }
    Ok(Decided {
        order,
        gone,
        nearest,
    })
}

/// The same in each cluster alone.
fn within(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    order: &[usize],
    clusters: &[Vec<usize>],
    settings: ByMeaning,
    observer: &mut dyn Observer,
) -> Result<Vec<(usize, Option<Nearest>)>> {
    let mut of = vec![usize::MAX; matrix.rows().len()];
    for (cluster, rows) in clusters.iter().enumerate() {
        rows.iter().for_each(|row| of[*row] = cluster);
    }
    let mut own: Vec<Vec<usize>> = vec![vec![]; clusters.len()];
    for row in order {
        own[of[*row]].push(*row);
    }
    let mut all = vec![];
    for rows in own {
        // In the order of preference, so that they are taken as they lie.
        let packed = PackedVectors::new(&matrix.gather(&rows), matrix.dim());
        let places: Vec<usize> = (0..rows.len()).collect();
        let progress = (all.len(), order.len());
        let found = by_meaning(cpu, &packed.matrix(), &places, settings, progress, observer)?;
        let outside = |found: Nearest| Nearest {
            of: rows[found.of],
            ..found
        };
        let found = found.into_iter().map(|found| found.map(outside));
        all.extend(rows.iter().copied().zip(found));
    }
    Ok(all)
}
