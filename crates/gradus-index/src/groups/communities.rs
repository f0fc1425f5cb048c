//! Community detection as sentence-transformers defines it: the neighbourhoods above a
//! threshold, the largest first, each without what an earlier one has taken.

use crate::Result;
use crate::neighbours::{Matrix, above};
use gradus::util::{Observer, check_cancelled};
use gradus_kernels::cpu::Cpu;
use std::collections::HashMap;

const WHAT: &str = "comparing texts";

/// Rows whose neighbours are found together.
const BLOCK: usize = 1024;

/// Neighbours that are kept in memory; beyond that they are found a second time.
const KEPT: usize = 1 << 26;

/// What makes a community.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Communities {
    /// The least cosine with the row in its middle.
    pub threshold: f32,
    /// The least number of rows.
    pub smallest: usize,
}

impl Default for Communities {
    fn default() -> Self {
        Self {
            threshold: 0.75,
            smallest: 10,
        }
    }
}

/// The communities of a matrix's rows, the largest first; the first row of each is in its
/// middle, and the others follow by their cosine with it.
///
/// # Errors
/// Where the observer ends it.
pub fn communities(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    settings: &Communities,
    observer: &mut dyn Observer,
) -> Result<Vec<Vec<usize>>> {
    kept_communities(cpu, matrix, settings, KEPT, observer)
}

fn kept_communities(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    settings: &Communities,
    most_kept: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<Vec<usize>>> {
    let live = matrix.live();
    let smallest = settings.smallest.max(1);
    if live.len() < smallest {
        return Ok(vec![]);
    }
    let around = |rows: &[usize]| -> Vec<Vec<u32>> {
        let vectors = matrix.gather(rows);
        let queries = (&vectors[..], matrix.dim());
        let allowed = Some(matrix.rows());
        let hits = above(
            cpu,
            queries,
            matrix.stretches(),
            settings.threshold,
            allowed,
        );
        let rows = |hits: Vec<crate::neighbours::Hit>| hits.iter().map(|h| h.row as u32).collect();
        hits.into_iter().map(rows).collect()
    };
    // The middle and the size of each, and its rows while there is room.
    let mut all: Vec<(usize, usize, Option<Vec<u32>>)> = vec![];
    let mut kept = 0;
    for (number, rows) in live.chunks(BLOCK).enumerate() {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, (number * BLOCK) as u64, live.len() as u64);
        for (row, near) in rows.iter().zip(around(rows)) {
            if near.len() >= smallest {
                let size = near.len();
                kept += size;
                all.push((*row, size, (kept <= most_kept).then_some(near)));
            }
        }
    }
    observer.progress(WHAT, live.len() as u64, live.len() as u64);
    // Stable: of equal ones the first row's.
    all.sort_by_key(|(_, size, _)| std::cmp::Reverse(*size));
    let mut taken = vec![false; matrix.rows().len()];
    let mut found: Vec<Vec<usize>> = vec![];
    for some in all.chunks(BLOCK) {
        check_cancelled(observer, WHAT)?;
        let missing = some
            .iter()
            .filter(|(row, _, near)| near.is_none() && !taken[*row]);
        let missing: Vec<usize> = missing.map(|(row, _, _)| *row).collect();
        let again: HashMap<usize, Vec<u32>> =
            missing.iter().copied().zip(around(&missing)).collect();
        for (row, _, near) in some {
            let Some(near) = near.as_ref().or_else(|| again.get(row)) else {
                continue;
            };
            if taken[*row] {
                continue;
            }
            let free = near.iter().map(|row| *row as usize);
            let free = free.filter(|other| !taken[*other] && other != row);
            let rows: Vec<usize> = std::iter::once(*row).chain(free).collect();
            if rows.len() >= smallest {
                rows.iter().for_each(|row| taken[*row] = true);
                found.push(rows);
            }
        }
    }
    found.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::testing::blobs;
    use gradus::util::Silent;

    #[test]
    fn a_neighbourhood_is_taken_whole_and_the_rest_may_make_another() {
        // Angles in a plane: 0 and 5 degrees are in two neighbourhoods.
        let angles = [
            0f32, 1.0, 2.0, 5.0, 9.0, 10.0, 11.0, 60.0, 61.0, 62.0, 120.0,
        ];
        let vectors: Vec<f32> = angles
            .iter()
            .flat_map(|a| [a.to_radians().cos(), a.to_radians().sin()])
            .collect();
        let packed = crate::neighbours::PackedVectors::new(&vectors, 2);
        let settings = Communities {
            threshold: 6.1f32.to_radians().cos(),
            smallest: 3,
        };
        let cpu = Cpu::new(2);
        for kept in [KEPT, 5, 0] {
            let found = kept_communities(&cpu, &packed.matrix(), &settings, kept, &mut Silent);
            // 5 degrees has 1, 2, 9, 10 and 11 within 6.1, 0 degrees only three more.
            let mut found = found.unwrap();
            found.iter_mut().for_each(|rows| rows.sort_unstable());
            assert_eq!(found, [vec![0, 1, 2, 3, 4, 5, 6], vec![7, 8, 9]]);
        }
    }

    #[test]
    fn it_does_not_depend_on_threads_or_memory() {
        let (vectors, _) = blobs(900, 16, 12, 0.35);
        let packed = crate::neighbours::PackedVectors::new(&vectors, 16);
        let settings = Communities::default();
        let run = |threads, kept| {
            let cpu = Cpu::new(threads);
            kept_communities(&cpu, &packed.matrix(), &settings, kept, &mut Silent).unwrap()
        };
        let first = run(1, KEPT);
        assert!(first.len() > 5, "{}", first.len());
        assert_eq!((run(3, KEPT), run(2, 1000)), (first.clone(), first));
    }
}
