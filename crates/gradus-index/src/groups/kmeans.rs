//! Spherical k-means: unit vectors in clusters around unit means, by cosine (Dhillon and
//! Modha, 2001), seeded as k-means++ does.

use super::means::unit;
use crate::neighbours::{Matrix, PackedVectors, nearest};
use crate::{IndexError, Result};
use gradus::util::{Observer, check_cancelled, random};
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::ScoreSink;

const WHAT: &str = "clustering";

/// Rows that are compared with means together.
const BLOCK: usize = 8192;

/// How k-means goes.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeans {
    /// How many clusters.
    pub clusters: usize,
    /// Decides which rows it begins with.
    pub seed: u64,
    /// At most so many rounds.
    pub rounds: usize,
    /// It ends when the mean cosine grows by less.
    pub tolerance: f64,
    /// Means come from at most so many rows a cluster, evenly taken; then all rows are
    /// given to them.
    pub rows_a_cluster: usize,
}

impl KMeans {
    /// So many clusters, all else as usual.
    pub fn new(clusters: usize) -> Self {
        Self {
            clusters,
            seed: 42,
            rounds: 100,
            tolerance: 1e-4,
            rows_a_cluster: 256,
        }
    }
}

/// Clusters around means.
pub struct Clusters {
    /// Unit means, `[clusters, dim]`.
    pub means: Vec<f32>,
    /// Of each row its cluster; none of rows that do not count.
    pub of: Vec<Option<u32>>,
    /// Of each row the cosine with its cluster's mean; 0 of rows that do not count.
    pub cosines: Vec<f32>,
}

/// Clusters the rows of a matrix. The result does not depend on threads.
///
/// # Errors
/// [`IndexError::Settings`] where there are fewer rows than clusters, or none are wanted.
pub fn kmeans(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    settings: &KMeans,
    observer: &mut dyn Observer,
) -> Result<Clusters> {
    let (live, dim) = (matrix.live(), matrix.dim());
    let k = settings.clusters;
    if k == 0 || k > live.len() {
        return Err(IndexError::Settings(format!(
            "{k} clusters of {} texts; ask for 1 to {}",
            live.len(),
            live.len().max(1)
        )));
    }
    let some = evenly(&live, k.saturating_mul(settings.rows_a_cluster.max(1)));
    let whole = some.len() == live.len();
    let vectors = matrix.gather(&some);
    drop(some);
    let mut means = seeds(cpu, &vectors, dim, settings, observer)?;
    let mut assigned: Vec<(u32, f32)> = vec![];
    let mut mean_cosine = f64::NEG_INFINITY;
    for round in 0..settings.rounds.max(1) {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, round as u64, 0);
        let now = assign(cpu, &vectors, dim, &PackedVectors::new(&means, dim));
        let changed = now.iter().zip(&assigned).any(|(a, b)| a.0 != b.0) || assigned.is_empty();
        assigned = now;
        let sum: f64 = assigned.iter().map(|(_, cosine)| f64::from(*cosine)).sum();
        let now = sum / assigned.len() as f64;
        if !changed || now - mean_cosine < settings.tolerance {
            break;
        }
        mean_cosine = now;
        means = means_of(&vectors, dim, k, &mut assigned);
    }
    let mut of = vec![None; matrix.rows().len()];
    let mut cosines = vec![0.0; matrix.rows().len()];
    let mut put = |rows: &[usize], assigned: &[(u32, f32)]| {
        for (row, (cluster, cosine)) in rows.iter().zip(assigned) {
            (of[*row], cosines[*row]) = (Some(*cluster), *cosine);
        }
    };
    let packed = PackedVectors::new(&means, dim);
    if whole {
        put(&live, &assign(cpu, &vectors, dim, &packed));
    } else {
        drop(vectors);
        for rows in live.chunks(BLOCK) {
            check_cancelled(observer, WHAT)?;
            put(rows, &assign(cpu, &matrix.gather(rows), dim, &packed));
        }
    }
    observer.progress(WHAT, 1, 1);
    Ok(Clusters { means, of, cosines })
}

/// At most so many of some rows, at even distances.
pub(crate) fn evenly(rows: &[usize], most: usize) -> Vec<usize> {
    let count = rows.len().min(most);
    let place = |i: usize| (i as u128 * rows.len() as u128 / count.max(1) as u128) as usize;
    (0..count).map(|i| rows[place(i)]).collect()
}

/// Of each row the mean of highest cosine, the first of equal ones, and the cosine.
fn assign(cpu: &Cpu, vectors: &[f32], dim: usize, means: &PackedVectors) -> Vec<(u32, f32)> {
    let stretches = [means.stretch()];
    let mut all = vec![];
    for block in vectors.chunks(BLOCK * dim) {
        let hits = nearest(cpu, (block, dim), &stretches, 1, None);
        // A row that is not finite is near to nothing.
        all.extend(hits.iter().map(|hits| match hits.first() {
            Some(hit) => (hit.row as u32, hit.score),
            None => (0, 0.0),
        }));
    }
    all
}

/// Unit means of clusters. A cluster without rows gets the row that is farthest from its
/// own mean.
fn means_of(vectors: &[f32], dim: usize, k: usize, assigned: &mut [(u32, f32)]) -> Vec<f32> {
    let mut sizes = vec![0usize; k];
    for (cluster, _) in assigned.iter() {
        sizes[*cluster as usize] += 1;
    }
    let empty: Vec<usize> = (0..k).filter(|cluster| sizes[*cluster] == 0).collect();
    if !empty.is_empty() {
        let mut far: Vec<usize> = (0..assigned.len()).collect();
        far.sort_by(|a, b| assigned[*a].1.total_cmp(&assigned[*b].1).then(a.cmp(b)));
        let mut far = far.into_iter();
        for cluster in empty {
            let alone = |row: &usize| sizes[assigned[*row].0 as usize] > 1;
            if let Some(row) = far.find(alone) {
                sizes[assigned[row].0 as usize] -= 1;
                sizes[cluster] = 1;
                assigned[row] = (cluster as u32, 1.0);
            }
        }
    }
    let mut sums = vec![0f64; k * dim];
    for (values, (cluster, _)) in vectors.chunks_exact(dim).zip(assigned.iter()) {
        let sum = &mut sums[*cluster as usize * dim..][..dim];
        for (sum, x) in sum.iter_mut().zip(values) {
            *sum += f64::from(*x);
        }
    }
    sums.chunks_exact(dim).flat_map(unit).collect()
}

/// Scores of the only query with all rows.
struct All(Vec<f32>);

impl ScoreSink for All {
    #[inline(always)]
    fn take(&mut self, _: usize, _: usize, scores: &[f32]) {
        self.0.extend_from_slice(scores);
    }

    #[inline(always)]
    fn floor(&self, _: usize) -> f32 {
        f32::NEG_INFINITY
    }
}

/// Rows to begin from: each with a chance that grows with the square of its distance from
/// the nearest that was taken before (Arthur and Vassilvitskii, 2007).
fn seeds(
    cpu: &Cpu,
    vectors: &[f32],
    dim: usize,
    settings: &KMeans,
    observer: &mut dyn Observer,
) -> Result<Vec<f32>> {
    const WHAT: &str = "choosing first means";
    // Of more rows a cluster it would take longer than all rounds.
    const ROWS: usize = 32;
    let rows: Vec<usize> = (0..vectors.len() / dim).collect();
    let some = evenly(&rows, settings.clusters * ROWS);
    let values = |row: usize| &vectors[row * dim..(row + 1) * dim];
    let few: Vec<f32> = some.iter().flat_map(|row| values(*row)).copied().collect();
    let packed = PackedVectors::plain(&few, dim);
    let mut random = Random::new(settings.seed);
    let mut far = vec![4f64; some.len()];
    let mut means = vec![];
    for chosen in 0..settings.clusters {
        if chosen % 64 == 0 {
            check_cancelled(observer, WHAT)?;
            observer.progress(WHAT, chosen as u64, settings.clusters as u64);
        }
        let total: f64 = far.iter().sum();
        let mut point = random.unit() * total;
        let mut place = None;
        for (row, weight) in far.iter().enumerate() {
            if *weight > 0.0 {
                place = Some(row);
                point -= weight;
                if point < 0.0 {
                    break;
                }
            }
        }
        // Where all rows are equal to one that was taken, any does.
        let place = place.unwrap_or(chosen % some.len());
        let query = &few[place * dim..(place + 1) * dim];
        means.extend_from_slice(query);
        let parts = cpu.score_panels((query, dim), packed.stretch(), || All(vec![]));
        let scores = parts.iter().flat_map(|part| &part.0);
        for (far, score) in far.iter_mut().zip(scores) {
            // The squared distance of unit vectors.
            *far = far.min((2.0 - 2.0 * f64::from(*score)).max(0.0));
        }
        far[place] = 0.0;
    }
    observer.progress(WHAT, settings.clusters as u64, settings.clusters as u64);
    Ok(means)
}

/// Random numbers one after another.
pub(crate) struct Random {
    seed: u64,
    next: u64,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self { seed, next: 0 }
    }

    pub fn next(&mut self) -> u64 {
        let number = random(self.seed, self.next);
        self.next += 1;
        number
    }

    /// From 0 to 1, without 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The rows that a cluster has.
pub fn members(of: &[Option<u32>], clusters: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]; clusters];
    for (row, cluster) in of.iter().enumerate() {
        if let Some(cluster) = cluster {
            all[*cluster as usize].push(row);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::testing::blobs;
    use crate::neighbours::Rows;
    use gradus::util::Silent;

    #[test]
    fn blobs_are_found_on_any_number_of_threads() {
        let (vectors, of) = blobs(600, 24, 6, 0.4);
        let packed = PackedVectors::new(&vectors, 24);
        let run = |threads: usize| {
            let settings = KMeans::new(6);
            kmeans(&Cpu::new(threads), &packed.matrix(), &settings, &mut Silent).unwrap()
        };
        let (one, three) = (run(1), run(3));
        let bits = |means: &[f32]| means.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!((&one.of, bits(&one.means)), (&three.of, bits(&three.means)));
        for a in 0..600 {
            for b in 0..a {
                assert_eq!(of[a] == of[b], one.of[a] == one.of[b], "{a} {b}");
            }
        }
        for (row, cosine) in vectors.chunks(24).zip(&one.cosines) {
            let cluster = &one
                .means
                .chunks(24)
                .map(|m| m.iter().zip(row).map(|(a, b)| a * b).sum());
            let best = cluster.clone().fold(f32::MIN, f32::max);
            assert!((best - cosine).abs() < 1e-5);
        }
    }

    #[test]
    fn means_of_some_rows_take_all_and_leave_removed_ones_out() {
        let (vectors, _) = blobs(500, 8, 3, 0.2);
        let packed = PackedVectors::new(&vectors, 8);
        let mut rows = Rows::all(500);
        (0..500).step_by(7).for_each(|row| rows.remove(row));
        let matrix = Matrix::new(vec![packed.stretch()], 8, rows);
        let settings = KMeans {
            rows_a_cluster: 20,
            ..KMeans::new(3)
        };
        let found = kmeans(&Cpu::new(2), &matrix, &settings, &mut Silent).unwrap();
        assert!((0..500).all(|row| found.of[row].is_none() == (row % 7 == 0)));
        let sizes: Vec<usize> = members(&found.of, 3).iter().map(Vec::len).collect();
        assert!(sizes.iter().all(|size| *size > 50), "{sizes:?}");
    }

    #[test]
    fn equal_rows_and_odd_numbers_of_clusters() {
        let packed = PackedVectors::new(&[1.0, 0.0].repeat(5), 2);
        for clusters in [1, 3, 5] {
            let run = kmeans(
                &Cpu::new(1),
                &packed.matrix(),
                &KMeans::new(clusters),
                &mut Silent,
            );
            let sizes: usize = members(&run.unwrap().of, clusters)
                .iter()
                .map(Vec::len)
                .sum();
            assert_eq!(sizes, 5);
        }
        for clusters in [0, 6] {
            let run = kmeans(
                &Cpu::new(1),
                &packed.matrix(),
                &KMeans::new(clusters),
                &mut Silent,
            );
            let error = run.err().unwrap().to_string();
            assert!(error.contains("ask for 1 to 5"), "{error}");
        }
    }
}
