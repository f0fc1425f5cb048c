//! Approximate search by cells around means (an inverted file, IVF): a query is compared
//! with the rows of the cells whose means are nearest to it, exactly.

mod build;
mod search;

pub use build::{CellRows, cells};
pub use search::Cells;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::testing::blobs;
    use crate::neighbours::{Matrix, PackedVectors, Rows, nearest};
    use gradus::util::Silent;
    use gradus_kernels::cpu::Cpu;
    use gradus_kernels::cpu::search::{CoarseRows, Stretch};

    #[test]
    fn all_cells_give_the_exact_neighbours_and_fewer_most_of_them() {
        let (dim, rows) = (20, 3000);
        let (mut vectors, _) = blobs(rows, dim, 60, 0.8);
        // Rows that are equal to others have equal scores.
        vectors.copy_within(0..200 * dim, 1500 * dim);
        let packed = PackedVectors::new(&vectors, dim);
        let mut there = Rows::all(rows);
        (0..rows).step_by(9).for_each(|row| there.remove(row));
        let matrix = Matrix::new(vec![packed.stretch()], dim, there);
        let made = cells(&Cpu::new(2), &matrix, 50, &mut Silent).unwrap();
        let means = PackedVectors::new(&made.means, dim);
        let mut allowed = matrix.rows().clone();
        (0..rows).step_by(7).for_each(|row| allowed.remove(row));
        let queries = &vectors[..40 * dim];
        let exact = nearest(
            &Cpu::new(1),
            (queries, dim),
            matrix.stretches(),
            10,
            Some(&allowed),
        );
        for coarse in [false, true] {
            let laid = Cells {
                means: &means,
                starts: &made.starts,
                rows: &made.rows,
                stretch: Stretch {
                    panels: &made.panels,
                    rows: made.rows.len(),
                    coarse: made
                        .coarse
                        .as_ref()
                        .filter(|_| coarse)
                        .map(CoarseRows::view),
                },
                dim,
            };
            assert!(laid.is_whole(rows) && !laid.is_whole(rows - 1) && laid.starts.len() == 51);
            let mut before = 0;
            for probes in [1, 5, 50, 99] {
                let run = |threads, queries: &[f32]| {
                    laid.nearest(&Cpu::new(threads), queries, 10, probes, &allowed)
                };
                let found = run(1, queries);
                assert_eq!(found, run(3, queries));
                // Whatever else is asked.
                assert_eq!(found[3..4], run(1, &queries[3 * dim..4 * dim]));
                if probes >= 50 {
                    assert_eq!(found, exact, "{coarse}");
                }
                let pairs = found.iter().zip(&exact);
                let same = pairs.map(|(f, e)| f.iter().filter(|hit| e.contains(hit)).count());
                let same: usize = same.sum();
                assert!(same >= before, "{same} of {before}");
                before = same;
            }
        }
        let laid = cells(&Cpu::new(3), &matrix, 50, &mut Silent).unwrap();
        assert_eq!((laid.rows, laid.starts), (made.rows, made.starts));
    }
}
