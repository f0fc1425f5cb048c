//! The nearest vectors by cosine, every one compared.

use gradus_kernels::Backend;
use gradus_kernels::cpu::Cpu;
use rayon::prelude::*;

use crate::Embeddings;
use crate::embeddings::cosine;

/// Queries that are compared at a time.
const QUERIES: usize = 256;
/// Vectors of the corpus that are compared at a time.
const BLOCK: usize = 4096;
/// Cosines of which the highest is looked at first.
const SOME: usize = 64;

/// The `top` vectors of `corpus` with the highest cosine to each query, best first,
/// by index; of equal ones the lower index comes first. The cosines are computed in
/// f64; all values must be finite.
///
/// ```
/// use gradus::Embeddings;
/// use gradus::eval::exact_search;
///
/// let corpus = Embeddings::new(2, vec![1.0, 0.0, 0.0, 1.0, 2.0, 0.0]);
/// let query = Embeddings::new(2, vec![3.0, 0.0]);
/// assert_eq!(exact_search(&query, &corpus, 2), [[(0, 1.0), (2, 1.0)]]);
/// ```
///
/// # Panics
/// If the vectors have different widths: a bug of the caller.
pub fn exact_search(queries: &Embeddings, corpus: &Embeddings, top: usize) -> Vec<Vec<(u32, f64)>> {
    let mut search = ExactSearch::new(queries, top);
    search.add(&Cpu::new(0), corpus);
    search.finish()
}

/// [`exact_search`] in a corpus that comes in parts.
///
/// A product in f32 finds who may be among the nearest; those are compared in f64, so
/// that the result depends on no backend, number of threads, or cut into parts.
pub struct ExactSearch<'a> {
    queries: &'a Embeddings,
    unit: Embeddings,
    top: usize,
    /// The best of each query so far, best first.
    best: Vec<Vec<(u32, f64)>>,
    seen: usize,
}

impl<'a> ExactSearch<'a> {
    /// A search for the `top` nearest of each query.
    pub fn new(queries: &'a Embeddings, top: usize) -> Self {
        Self {
            queries,
            unit: queries.clone().normalized(),
            top,
            best: vec![Vec::new(); queries.rows()],
            seen: 0,
        }
    }

    /// Adds the next vectors of the corpus, whose indices go on from the last.
    ///
    /// # Panics
    /// If their width is another than the queries': a bug of the caller.
    pub fn add<B: Backend>(&mut self, backend: &B, corpus: &Embeddings) {
        let dim = self.unit.dim();
        if corpus.rows() == 0 || self.best.is_empty() {
            return;
        }
        assert_eq!(dim, corpus.dim(), "vectors of one width");
        // The most that a cosine of two unit vectors in f32 is off.
        let slack = (dim + 16) as f64 * f64::from(f32::EPSILON);
        let (queries, top, unit) = (self.queries, self.top, self.unit.as_slice());
        for start in (0..corpus.rows()).step_by(BLOCK) {
            let rows = BLOCK.min(corpus.rows() - start);
            let values = corpus.as_slice()[start * dim..(start + rows) * dim].to_vec();
            let values = Embeddings::new(dim, values).normalized();
            let block = backend.tensor(rows, dim, values.as_slice());
            let first = self.seen + start;
            for (part, best) in self.best.chunks_mut(QUERIES).enumerate() {
                let from = part * QUERIES;
                let of_queries = &unit[from * dim..(from + best.len()) * dim];
                let of_queries = backend.tensor(best.len(), dim, of_queries);
                let cosines = backend.read(&backend.cosines(&of_queries, &block));
                let each = best.par_iter_mut().zip(cosines.par_chunks_exact(rows));
                each.enumerate().for_each(|(q, (best, cosines))| {
                    let far = |best: &[(u32, f64)], about: f32| {
                        let last = best.last().filter(|_| best.len() >= top);
                        last.is_some_and(|last| f64::from(about) < last.1 - slack)
                    };
                    for (k, some) in cosines.chunks(SOME).enumerate() {
                        let most = some
                            .iter()
                            .fold(f32::MIN, |a, &b| if b > a { b } else { a });
                        if far(best, most) {
                            continue;
                        }
                        for (j, &about) in some.iter().enumerate() {
                            if far(best, about) {
                                continue;
                            }
                            let j = k * SOME + j;
                            let score = cosine(queries.row(from + q), corpus.row(start + j));
                            insert(best, top, ((first + j) as u32, score));
                        }
                    }
                });
            }
        }
        self.seen += corpus.rows();
    }

    /// The nearest of each query, best first.
    pub fn finish(self) -> Vec<Vec<(u32, f64)>> {
        self.best
    }
}

/// Puts a hit, whose index is higher than all before, in its place.
fn insert(best: &mut Vec<(u32, f64)>, top: usize, hit: (u32, f64)) {
    let place = best.partition_point(|other| other.1 >= hit.1);
    if place < top {
        best.truncate(top - 1);
        best.insert(place, hit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_kernels::dropout::mix64;

    fn vectors(rows: usize, dim: usize, seed: u64) -> Embeddings {
        let value = |i: usize| (mix64(seed ^ mix64(i as u64)) >> 40) as f32 / (1 << 23) as f32;
        let values = (0..rows * dim).map(|i| value(i) - 1.0);
        Embeddings::new(dim, values.collect())
    }

    /// Every cosine, sorted.
    fn sorted(queries: &Embeddings, corpus: &Embeddings, top: usize) -> Vec<Vec<(u32, f64)>> {
        let each = (0..queries.rows()).map(|q| {
            let score = |j: usize| (j as u32, cosine(queries.row(q), corpus.row(j)));
            let mut all: Vec<_> = (0..corpus.rows()).map(score).collect();
            all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            all.truncate(top);
            all
        });
        each.collect()
    }

    #[test]
    fn it_finds_what_sorting_all_finds() {
        for (queries, corpus, dim, top) in [(3, 50, 7, 5), (300, 9000, 16, 12), (2, 5, 3, 9)] {
            let (queries, mut corpus) = (vectors(queries, dim, 1), vectors(corpus, dim, 2));
            // Vectors that are there several times, in several blocks, and one of zeros.
            let mut values = corpus.into_vec();
            let copy = values[..dim].to_vec();
            values.extend(&copy);
            values.extend(vec![0.0; dim]);
            values.splice(dim..2 * dim, copy.iter().map(|v| v * 3.0));
            corpus = Embeddings::new(dim, values);
            let want = sorted(&queries, &corpus, top);
            assert_eq!(exact_search(&queries, &corpus, top), want);
            for (threads, part) in [(1, 4), (3, 1000)] {
                let (cpu, mut search) = (Cpu::new(threads), ExactSearch::new(&queries, top));
                for part in corpus.as_slice().chunks(part * dim) {
                    search.add(&cpu, &Embeddings::new(dim, part.to_vec()));
                }
                assert_eq!(search.finish(), want, "{threads}");
            }
        }
    }

    #[test]
    fn very_long_and_short_vectors_have_directions() {
        let corpus = Embeddings::new(2, vec![1e-30, 1e-30, 1e30, -1e30, 1e-20, 0.0]);
        let query = Embeddings::new(2, vec![1e-25, 1e-25]);
        let found = exact_search(&query, &corpus, 3);
        let order: Vec<u32> = found[0].iter().map(|hit| hit.0).collect();
        assert_eq!(order, [0, 2, 1]);
    }

    #[test]
    fn nothing_to_find_is_no_hit() {
        let (some, none) = (vectors(2, 3, 1), Embeddings::default());
        assert_eq!(exact_search(&some, &none, 3), [[], []]);
        assert!(exact_search(&none, &some, 3).is_empty());
        assert_eq!(exact_search(&some, &some, 0), [[], []]);
    }
}
