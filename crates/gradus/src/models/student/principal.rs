//! The directions in which the rows of a table vary most.

use gradus_kernels::dropout::mix64;
use rayon::prelude::*;

/// Rows that are summed up in one token, whatever the number of threads.
const PIECE: usize = 1024;

/// Multiplications by the Gram matrix. What they leave unsettled are directions
/// of nearly equal weight, of which either will do.
const ROUNDS: usize = 30;

/// Orthonormal directions, the heaviest first.
pub(crate) struct Basis {
    rows: usize,
    /// Each of them in turn.
    directions: Vec<Vec<f64>>,
}

impl Basis {
    /// The width of the space that they lie in.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many there are.
    pub fn cols(&self) -> usize {
        self.directions.len()
    }

    /// As a matrix `[rows, cols]`, a direction a column.
    pub fn values(&self) -> Vec<f32> {
        let row = |r| self.directions.iter().map(move |d| d[r] as f32);
        (0..self.rows).flat_map(row).collect()
    }

    /// Rows of the space as `[n, cols]`: their coordinates along the directions.
    pub fn project(&self, table: &[f32]) -> Vec<f32> {
        let of_row = |row: &[f32]| -> Vec<f32> {
            let along = |direction: &Vec<f64>| {
                let terms = row.iter().zip(direction).map(|(x, d)| f64::from(*x) * d);
                terms.sum::<f64>() as f32
            };
            self.directions.iter().map(along).collect()
        };
        table
            .par_chunks_exact(self.rows)
            .flat_map_iter(of_row)
            .collect()
    }
}

/// The `count` leading right singular vectors of a table with rows of `width`
/// values, by orthogonal iteration on its Gram matrix (Golub & Van Loan, Matrix
/// Computations, 8.2.4). As many as the width are the axes: nothing is turned.
pub(crate) fn principal_directions(table: &[f32], width: usize, count: usize) -> Basis {
    let axis = |i: usize| -> Vec<f64> { (0..width).map(|r| f64::from(r == i)).collect() };
    if count >= width {
        let directions = (0..width).map(axis).collect();
        return Basis {
            rows: width,
            directions,
        };
    }
    let gram = gram(table, width);
    let chance = |i: usize, r: usize| {
        let bits = mix64((i * width + r) as u64);
        bits as f64 / u64::MAX as f64 - 0.5
    };
    let start = |i| (0..width).map(|r| chance(i, r)).collect();
    let mut directions: Vec<Vec<f64>> = (0..count).map(start).collect();
    orthonormalise(&mut directions);
    for _ in 0..ROUNDS {
        directions = directions
            .par_iter()
            .map(|d| gram.chunks_exact(width).map(|row| dot(row, d)).collect())
            .collect();
        orthonormalise(&mut directions);
    }
    Basis {
        rows: width,
        directions,
    }
}

/// The table's columns with each other.
fn gram(table: &[f32], width: usize) -> Vec<f64> {
    let of_piece = |token: &[f32]| {
        let mut sums = vec![0.0; width * width];
        for row in token.chunks_exact(width) {
            let row: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
            for (x, sums) in row.iter().zip(sums.chunks_exact_mut(width)) {
                for (sum, y) in sums.iter_mut().zip(&row) {
                    *sum += x * y;
                }
            }
        }
        sums
    };
    let mut total = vec![0.0; width * width];
    // A few tokens at a time, so that memory does not grow with the table.
    for some in table.chunks(16 * PIECE * width) {
        let vocabulary: Vec<Vec<f64>> = some.par_chunks(PIECE * width).map(of_piece).collect();
        for token in vocabulary {
            for (sum, x) in total.iter_mut().zip(token) {
                *sum += x;
            }
        }
    }
    total
}

/// Gram and Schmidt's way, twice over against rounding. A direction that
/// vanishes, as in a table of lower rank, is replaced by an axis that is not in
/// the others' span.
fn orthonormalise(directions: &mut [Vec<f64>]) {
    for i in 0..directions.len() {
        let (before, rest) = directions.split_at_mut(i);
        let own = &mut rest[0];
        let width = own.len();
        let mut length = clear(before, own);
        for axis in 0..width {
            // The length before counts: what is left may be rounding alone.
            if length > 1e-10 {
                break;
            }
            own.fill(0.0);
            own[axis] = 1.0;
            length = clear(before, own);
        }
        own.iter_mut().for_each(|x| *x /= length);
    }
}

/// Takes the parts along others out; returns how much of its length is left, as
/// a length of a vector that was scaled to 1.
fn clear(others: &[Vec<f64>], own: &mut [f64]) -> f64 {
    let length = dot(own, own).sqrt();
    if length == 0.0 {
        return 0.0;
    }
    own.iter_mut().for_each(|x| *x /= length);
    for _ in 0..2 {
        for other in others {
            let along = dot(own, other);
            for (x, y) in own.iter_mut().zip(other) {
                *x -= along * y;
            }
        }
    }
    dot(own, own).sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: usize, width: usize, rank: usize) -> Vec<f32> {
        let unit = |i: usize| (mix64(i as u64) >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
        let cell = |r: usize, c: usize| -> f32 {
            let term = |k: usize| {
                let scale = 1.0 / (1 + k) as f32;
                scale * unit(7 * r + 1000 * k) * unit(5 * c + 77_777 * (k + 1))
            };
            (0..rank).map(term).sum()
        };
        (0..rows)
            .flat_map(|r| (0..width).map(move |c| (r, c)))
            .map(|(r, c)| cell(r, c))
            .collect()
    }

    #[test]
    fn directions_are_orthonormal_and_hold_a_table_of_their_rank() {
        let (rows, width, rank) = (300, 24, 6);
        let table = table(rows, width, rank);
        let basis = principal_directions(&table, width, rank);
        for (i, a) in basis.directions.iter().enumerate() {
            for (j, b) in basis.directions.iter().enumerate() {
                assert!((dot(a, b) - f64::from(i == j)).abs() < 1e-9);
            }
        }
        let squares = |values: &[f32]| values.iter().map(|x| f64::from(x * x)).sum::<f64>();
        let kept = squares(&basis.project(&table)) / squares(&table);
        assert!((kept - 1.0).abs() < 1e-5, "{kept}");
        // The heaviest come first.
        let alone = |i: usize| {
            let one = Basis {
                rows: width,
                directions: vec![basis.directions[i].clone()],
            };
            squares(&one.project(&table))
        };
        assert!((1..rank).all(|i| alone(i) < alone(i - 1)));
    }

    #[test]
    fn tables_of_low_rank_and_of_nothing_have_directions_too() {
        for table in [table(50, 8, 2), vec![0.0; 80]] {
            let basis = principal_directions(&table, 8, 5);
            assert_eq!((basis.rows(), basis.cols()), (8, 5));
            for (i, a) in basis.directions.iter().enumerate() {
                for (j, b) in basis.directions.iter().enumerate() {
                    assert!((dot(a, b) - f64::from(i == j)).abs() < 1e-6);
                }
            }
        }
        let table = table(50, 8, 8);
        assert_eq!(principal_directions(&table, 8, 8).project(&table), table);
    }
}
