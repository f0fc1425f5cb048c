//! Texts looked up by vectors and by words.

use crate::filter::Filter;
use crate::neighbours::{Hit, Rows};
use crate::store::{Index, Record};
use crate::{IndexError, Result};
use gradus_kernels::cpu::Cpu;
use gradus_words::Words;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// How texts are looked up.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'a> {
    /// So many a query.
    pub most: usize,
    /// Only those for whose columns this holds.
    pub filter: Option<&'a Filter>,
    /// Candidates that a walk through the graph keeps; without one the search is exact.
    pub width: Option<usize>,
    /// So many of the nearest, and of the best by words, are put together; without a
    /// number only the nearest are looked for.
    pub hybrid: Option<usize>,
}

/// How much an approximate search finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Approximate {
    /// As wide a search as gave this recall when the graph was made.
    Recall(f64),
    /// So many candidates are kept.
    Width(usize),
}

/// A text that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its row.
    pub row: usize,
    /// Its cosine with the query.
    pub cosine: f32,
    /// Its ranks by vectors and by words together, where both were looked for.
    pub fused: Option<f64>,
    /// Its score by a cross-encoder, where one ranks.
    pub score: Option<f64>,
    /// Itself.
    pub record: Record,
}

/// An index that is looked into.
pub struct Opened {
    index: Index,
    /// Where words are looked for.
    words: Option<Vec<Words>>,
    /// The rows of the last filters, for which all texts' columns were read.
    filters: Mutex<VecDeque<(Filter, Arc<Rows>)>>,
}

/// Filters whose rows are kept.
const FILTERS: usize = 32;

/// Of so many texts a filter must leave one for the graph to be of use.
const FEW: usize = 20;

/// What is added to a rank before it is turned over (Cormack and others, 2009).
const RANK: f64 = 60.0;

impl Approximate {
    /// The width of searches of an index.
    ///
    /// # Errors
    /// [`IndexError::Settings`] where it has no graph.
    pub fn width(self, index: &Index) -> Result<usize> {
        match (self, &index.manifest().graph) {
            (Self::Width(width), Some(_)) => Ok(width),
            (Self::Recall(recall), Some(graph)) => Ok(graph.width(recall)),
            (_, None) => {
                let path = index.folder().display();
                Err(IndexError::Settings(format!(
                    "{path} has no graph to search approximately; `gradus index graph {path}` makes it"
                )))
            }
        }
    }
}

impl Opened {
    /// An index to be searched by vectors.
    pub fn new(index: Index) -> Self {
        Self {
            index,
            words: None,
            filters: Mutex::default(),
        }
    }

    /// The same by words too.
    ///
    /// # Errors
    /// As [`Index::words`].
    pub fn with_words(index: Index) -> Result<Self> {
        let words = Some(index.words()?);
        Ok(Self {
            words,
            ..Self::new(index)
        })
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Whether words can be looked for.
    pub fn has_words(&self) -> bool {
        self.words.is_some()
    }

    /// The rows for which a filter holds.
    fn filtered(&self, cpu: &Cpu, filter: &Filter) -> Result<Arc<Rows>> {
        let filters = || self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        let known = filters().iter().find(|(other, _)| other == filter).cloned();
        if let Some((_, rows)) = known {
            return Ok(rows);
        }
        let rows = Arc::new(self.index.filtered(cpu, filter)?);
        let mut filters = filters();
        filters.push_front((filter.clone(), Arc::clone(&rows)));
        filters.truncate(FILTERS);
        Ok(rows)
    }

    /// The texts for each query, best first, by their `vectors`, `[queries, dimension]`, of
    /// length 1. Of equal cosines the text that was added first comes first.
    ///
    /// # Errors
    /// Where a file of the index is damaged.
    pub fn look_up(
        &self,
        cpu: &Cpu,
        queries: &[&str],
        vectors: &[f32],
        lookup: &Lookup<'_>,
    ) -> Result<Vec<Vec<Found>>> {
        let index = &self.index;
        let kept;
        let allowed = match lookup.filter {
            None => index.rows(),
            Some(filter) => {
                kept = self.filtered(cpu, filter)?;
                &*kept
            }
        };
        let near = lookup
            .hybrid
            .map_or(lookup.most, |wide| wide.max(lookup.most));
        // Where few are allowed, a walk meets none of them.
        let few = allowed.count() < index.rows().count() / FEW;
        let hits = match lookup.width.filter(|_| !few) {
            Some(width) => index.approximate(cpu, vectors, near, width, allowed)?,
            None => index.nearest(cpu, vectors, near, allowed)?,
        };
        let mut all = vec![];
        let pairs = queries.iter().zip(vectors.chunks(index.dim())).zip(hits);
        for ((query, vector), hits) in pairs {
            let fused = match &self.words {
                Some(words) if lookup.hybrid.is_some() => {
                    self.fused(cpu, (query, vector), words, hits, near, allowed)?
                }
                _ => hits.into_iter().map(|hit| (hit, None)).collect(),
            };
            let found = fused.into_iter().take(lookup.most).map(|(hit, fused)| {
                Ok(Found {
                    row: hit.row,
                    cosine: hit.score,
                    fused,
                    score: None,
                    record: index.record(hit.row)?,
                })
            });
            all.push(found.collect::<Result<Vec<Found>>>()?);
        }
        Ok(all)
    }

    /// The nearest and the best by words, by the sum of their turned ranks.
    fn fused(
        &self,
        cpu: &Cpu,
        (query, vector): (&str, &[f32]),
        words: &[Words],
        nearest: Vec<Hit>,
        wide: usize,
        allowed: &Rows,
    ) -> Result<Vec<(Hit, Option<f64>)>> {
        let starts = self.index.starts();
        let counts = |stretch: usize, place: usize| allowed.has(starts[stretch] + place);
        let by_words = gradus_words::best(words, query, wide, counts)
            .map_err(|e| IndexError::damaged(self.index.folder(), e.to_string()))?;
        let by_words: Vec<usize> = by_words
            .iter()
            .map(|hit| starts[hit.stretch] + hit.place)
            .collect();
        let mut fused: BTreeMap<usize, f64> = BTreeMap::new();
        let lists = [nearest.iter().map(|hit| hit.row).collect(), by_words];
        for rows in &lists {
            for (rank, row) in (1u32..).zip(rows) {
                *fused.entry(*row).or_default() += 1.0 / (RANK + f64::from(rank));
            }
        }
        let mut cosines: BTreeMap<usize, f32> =
            nearest.iter().map(|hit| (hit.row, hit.score)).collect();
        let others: Vec<usize> = lists[1]
            .iter()
            .copied()
            .filter(|row| !cosines.contains_key(row))
            .collect();
        cosines.extend(
            others
                .iter()
                .copied()
                .zip(self.index.scores(cpu, vector, &others)?),
        );
        let mut all: Vec<(Hit, Option<f64>)> = vec![];
        for (row, sum) in fused {
            let score = cosines.get(&row).copied().unwrap_or(0.0);
            all.push((Hit { row, score }, Some(sum)));
        }
        // Rows rise, and sorting keeps the order of equal ones.
        all.sort_by(|(a, x), (b, y)| {
            let sums = y.partial_cmp(x).unwrap_or(std::cmp::Ordering::Equal);
            sums.then(b.score.total_cmp(&a.score))
        });
        Ok(all)
    }
}
