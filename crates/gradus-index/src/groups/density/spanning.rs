//! The minimum spanning tree of mutual reachability.

use super::Edge;
use super::outside::nearest_outside;
use crate::Result;
use crate::neighbours::{Hit, Matrix, nearest};
use gradus::util::{Observer, check_cancelled};
use gradus_kernels::cpu::Cpu;

/// Rows whose neighbours are found together.
const BLOCK: usize = 2048;

/// Neighbours of a row that are remembered beyond those that make it dense: they save
/// searches.
const MORE: usize = 6;

/// Components as sets.
struct Sets(Vec<u32>);

impl Sets {
    fn of(&mut self, row: u32) -> u32 {
        let mut root = row;
        while self.0[root as usize] != root {
            root = self.0[root as usize];
        }
        let mut at = row;
        while at != root {
            at = std::mem::replace(&mut self.0[at as usize], root);
        }
        root
    }

    /// False where they are one already.
    fn join(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.of(a), self.of(b));
        // The lower number stays, so that names do not depend on the order of joins.
        let (low, high) = (a.min(b), a.max(b));
        self.0[high as usize] = low;
        low != high
    }
}

/// The nearest rows of each row, itself left out, at most `most`.
fn neighbours(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    live: &[usize],
    most: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<Vec<Hit>>> {
    const WHAT: &str = "finding neighbours";
    let mut all = vec![];
    for rows in live.chunks(BLOCK) {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, all.len() as u64, live.len() as u64);
        let vectors = matrix.gather(rows);
        let queries = (&vectors[..], matrix.dim());
        let hits = nearest(
            cpu,
            queries,
            matrix.stretches(),
            most + 1,
            Some(matrix.rows()),
        );
        for (row, mut hits) in rows.iter().zip(hits) {
            hits.retain(|hit| hit.row != *row);
            hits.truncate(most);
            hits.shrink_to_fit();
            all.push(hits);
        }
    }
    observer.progress(WHAT, live.len() as u64, live.len() as u64);
    Ok(all)
}

/// The edges of the tree, the shortest first, between places among the rows that count.
/// A row's own cosine is that with its `density - 1`st neighbour.
pub(super) fn spanning_tree(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    density: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<Edge>> {
    const WHAT: &str = "joining neighbours";
    let live = matrix.live();
    if live.len() < 2 {
        return Ok(vec![]);
    }
    let near = neighbours(cpu, matrix, &live, density - 1 + MORE, observer)?;
    let mut own = vec![f32::NEG_INFINITY; matrix.rows().len()];
    for (row, near) in live.iter().zip(&near) {
        own[*row] = match density {
            1 => f32::INFINITY,
            // Where there are fewer rows, the farthest counts.
            _ => near[(density - 2).min(near.len() - 1)].score,
        };
    }
    let mut sets = Sets((0..matrix.rows().len() as u32).collect());
    let mut edges: Vec<Edge> = vec![];
    while edges.len() + 1 < live.len() {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, edges.len() as u64, live.len() as u64 - 1);
        let mut components = vec![u32::MAX; matrix.rows().len()];
        let mut sizes = vec![0usize; matrix.rows().len()];
        for row in &live {
            components[*row] = sets.of(*row as u32);
            sizes[components[*row] as usize] += 1;
        }
        // All but the largest component look for the shortest edge that leaves them.
        let largest = (0..sizes.len())
            .rev()
            .max_by_key(|c| sizes[*c])
            .unwrap_or(0) as u32;
        let mut best: Vec<Option<Edge>> = vec![None; matrix.rows().len()];
        let offer = |best: &mut [Option<Edge>], edge: Edge| {
            let own = &mut best[components[edge.a as usize] as usize];
            if own.as_ref().is_none_or(|own| edge.order(own).is_lt()) {
                *own = Some(edge);
            }
        };
        for (row, near) in live.iter().zip(&near) {
            if components[*row] == largest {
                continue;
            }
            for hit in near {
                if components[hit.row] != components[*row] {
                    let edge = Edge {
                        a: *row as u32,
                        b: hit.row as u32,
                        cosine: hit.score.min(own[*row]).min(own[hit.row]),
                    };
                    offer(&mut best, edge);
                }
            }
        }
        // What a row does not remember is no nearer than the last that it does.
        let open = live.iter().zip(&near).filter(|(row, near)| {
            let last = near.last().map_or(f32::INFINITY, |hit| hit.score);
            let bound = last.min(own[**row]);
            let known = best[components[**row] as usize];
            let all = near.len() + 1 >= live.len();
            components[**row] != largest && !all && known.is_none_or(|edge| bound > edge.cosine)
        });
        let open: Vec<usize> = open.map(|(row, _)| *row).collect();
        for rows in open.chunks(BLOCK) {
            check_cancelled(observer, WHAT)?;
            let floor = |row: &usize| {
                let known = best[components[*row] as usize];
                known.map_or(f32::NEG_INFINITY, |edge| edge.cosine)
            };
            let floors: Vec<f32> = rows.iter().map(floor).collect();
            let found = nearest_outside(cpu, matrix, rows, &floors, &components, &own);
            for edge in found.into_iter().flatten() {
                offer(&mut best, edge);
            }
        }
        let mut chosen: Vec<Edge> = best.into_iter().flatten().collect();
        chosen.sort_by(Edge::order);
        let before = edges.len();
        for edge in chosen {
            if sets.join(edge.a, edge.b) {
                edges.push(edge);
            }
        }
        assert!(
            edges.len() > before,
            "every component has an edge that leaves it"
        );
    }
    observer.progress(WHAT, edges.len() as u64, edges.len() as u64);
    let mut places = vec![0; matrix.rows().len()];
    for (place, row) in live.iter().enumerate() {
        places[*row] = place as u32;
    }
    for edge in &mut edges {
        (edge.a, edge.b) = (places[edge.a as usize], places[edge.b as usize]);
    }
    edges.sort_by(Edge::order);
    Ok(edges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::testing::blobs;
    use crate::neighbours::PackedVectors;
    use gradus::util::Silent;

    /// By Prim, over all pairs.
    fn lengths(vectors: &[f32], dim: usize, density: usize) -> Vec<f32> {
        let rows: Vec<&[f32]> = vectors.chunks(dim).collect();
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0f32, |s, (x, y)| x.mul_add(*y, s));
        let own = |a: usize| {
            let mut all: Vec<f32> = (0..rows.len())
                .filter(|b| *b != a)
                .map(|b| dot(rows[a], rows[b]))
                .collect();
            all.sort_by(|x, y| y.total_cmp(x));
            match density {
                1 => f32::INFINITY,
                _ => all[(density - 2).min(all.len() - 1)],
            }
        };
        let own: Vec<f32> = (0..rows.len()).map(own).collect();
        let reach = |a: usize, b: usize| dot(rows[a], rows[b]).min(own[a]).min(own[b]);
        let mut best: Vec<f32> = (0..rows.len()).map(|b| reach(0, b)).collect();
        let mut left: Vec<usize> = (1..rows.len()).collect();
        let mut tree = vec![];
        while !left.is_empty() {
            let place = (0..left.len()).max_by(|a, b| best[left[*a]].total_cmp(&best[left[*b]]));
            let row = left.swap_remove(place.unwrap());
            tree.push(best[row]);
            left.iter()
                .for_each(|b| best[*b] = best[*b].max(reach(row, *b)));
        }
        tree.sort_by(|x, y| y.total_cmp(x));
        tree
    }

    #[test]
    fn it_is_as_long_as_that_of_all_pairs() {
        for (rows, dim, clusters, spread, density) in [
            (2, 3, 1, 0.5, 5),
            (60, 3, 6, 0.05, 1),
            (300, 8, 7, 0.1, 5),
            (500, 16, 3, 0.02, 10),
            (400, 5, 200, 0.01, 3),
        ] {
            let (vectors, _) = blobs(rows, dim, clusters, spread);
            let packed = PackedVectors::new(&vectors, dim);
            let expected = lengths(&vectors, dim, density);
            for threads in [1, 3] {
                let cpu = Cpu::new(threads);
                let tree = spanning_tree(&cpu, &packed.matrix(), density, &mut Silent).unwrap();
                let found: Vec<f32> = tree.iter().map(|edge| edge.cosine).collect();
                assert_eq!(found, expected, "{rows} {dim} {clusters}");
            }
        }
    }
}
