//! HDBSCAN: clusters as dense regions, and what lies in none as noise (Campello, Moulavi
//! and Sander, 2013; McInnes and Healy, 2017). Distances are those of unit vectors,
//! `sqrt(2 - 2 cosine)`, and exact.
//!
//! ```text
//!   tree        clusters of least size in the dendrogram, and which of them to take
//!   spanning    the minimum spanning tree of mutual reachability, by Boruvka's rounds
//! ```

mod outside;
mod spanning;
mod tree;

pub use tree::Select;

use crate::Result;
use crate::neighbours::Matrix;
use gradus::util::Observer;
use gradus_kernels::cpu::Cpu;

/// What makes a cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Density {
    /// The least number of rows.
    pub smallest: usize,
    /// A row is as dense as its distance from so many nearest ones, itself among them,
    /// says.
    pub neighbours: usize,
    /// Which clusters of the hierarchy are taken.
    pub select: Select,
}

impl Default for Density {
    fn default() -> Self {
        Self {
            smallest: 10,
            neighbours: 10,
            select: Select::Stable,
        }
    }
}

/// Clusters, and how much of one each row is.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Of each row its cluster, numbered by size, the largest first; none of noise, and of
    /// rows that do not count.
    pub of: Vec<Option<u32>>,
    /// Of each row how firmly it belongs there, from 0 to 1.
    pub membership: Vec<f32>,
    /// How many clusters there are.
    pub clusters: usize,
}

/// Finds clusters. The result does not depend on threads.
///
/// # Errors
/// Where the observer ends it.
pub fn density(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    settings: &Density,
    observer: &mut dyn Observer,
) -> Result<Dense> {
    let live = matrix.live();
    let edges = spanning::spanning_tree(cpu, matrix, settings.neighbours.max(1), observer)?;
    let found = tree::clusters(live.len(), edges, settings);
    let mut of = vec![None; matrix.rows().len()];
    let mut membership = vec![0.0; matrix.rows().len()];
    for (place, row) in live.iter().enumerate() {
        (of[*row], membership[*row]) = (found.of[place], found.membership[place]);
    }
    Ok(Dense {
        of,
        membership,
        clusters: found.clusters,
    })
}

/// An edge of the spanning tree, between places among the rows that count.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Edge {
    a: u32,
    b: u32,
    /// The least of both rows' own cosines, with the neighbours that make them dense, and
    /// of the cosine between them.
    cosine: f32,
}

impl Edge {
    fn distance(&self) -> f64 {
        distance(self.cosine)
    }

    /// The shortest first; of equal ones that between lower rows.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let ends = |edge: &Self| (edge.a.min(edge.b), edge.a.max(edge.b));
        let cosines = other.cosine.total_cmp(&self.cosine);
        cosines.then(ends(self).cmp(&ends(other)))
    }
}

/// Of unit vectors.
fn distance(cosine: f32) -> f64 {
    (2.0 - 2.0 * f64::from(cosine)).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::testing::blobs;
    use crate::neighbours::{PackedVectors, Rows};
    use gradus::util::Silent;

    #[test]
    fn dense_blobs_are_clusters_and_the_rest_is_noise() {
        let (mut vectors, mut of) = blobs(400, 10, 5, 0.15);
        // Far from all, and from each other.
        let (noise, _) = blobs(15, 10, 15, 0.0);
        vectors.extend(noise.iter().map(|x| -x));
        of.extend((0..15).map(|_| usize::MAX));
        let packed = PackedVectors::new(&vectors, 10);
        let run = |threads| {
            density(
                &Cpu::new(threads),
                &packed.matrix(),
                &Density::default(),
                &mut Silent,
            )
        };
        let found = run(1).unwrap();
        assert_eq!(found, run(3).unwrap());
        assert_eq!(found.clusters, 5);
        let mut same = 0;
        for a in 0..400 {
            same += usize::from(found.of[a].is_some());
            for b in 0..a {
                if let (Some(x), Some(y)) = (found.of[a], found.of[b]) {
                    assert_eq!(of[a] == of[b], x == y);
                }
            }
        }
        assert!(same > 350, "{same}");
        let noise = found.of[400..].iter().filter(|cluster| cluster.is_none());
        assert!(noise.count() >= 13);
        assert!(found.membership.iter().all(|m| (0.0..=1.0).contains(m)));
    }

    #[test]
    fn few_equal_or_removed_rows() {
        for rows in [0, 1, 2, 5] {
            let packed = PackedVectors::new(&[0.6, 0.8].repeat(rows), 2);
            let found = density(
                &Cpu::new(1),
                &packed.matrix(),
                &Density::default(),
                &mut Silent,
            );
            assert_eq!(found.unwrap().clusters, 0);
        }
        let packed = PackedVectors::new(&[0.6, 0.8].repeat(50), 2);
        let mut rows = Rows::all(50);
        (0..10).for_each(|row| rows.remove(row));
        let matrix = Matrix::new(vec![packed.stretch()], 2, rows);
        for select in [Select::Stable, Select::Finest] {
            let settings = Density {
                select,
                smallest: 5,
                neighbours: 5,
            };
            let found = density(&Cpu::new(2), &matrix, &settings, &mut Silent).unwrap();
            assert!(found.of[..10].iter().all(Option::is_none));
        }
    }
}
