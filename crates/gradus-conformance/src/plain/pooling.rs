//! From tokens to sequences, and what is done with a sequence's vector.

use super::{Matrix, PlainArena, PlainBatch, dot};
use gradus_kernels::{DistanceBias, EmbeddingTables, Pooling, View, alibi_slopes};

/// Each table with the index of every token.
fn lookups<'a>(tables: &EmbeddingTables, batch: &'a PlainBatch) -> Vec<(View, &'a [u32])> {
    let packed = &batch.packed;
    let mut lookups = vec![(tables.words, packed.ids())];
    lookups.extend(tables.positions.map(|t| (t, packed.positions())));
    lookups.extend(tables.segments.map(|t| (t, packed.segments())));
    lookups
}

pub(super) fn embed(params: &PlainArena, tables: &EmbeddingTables, batch: &PlainBatch) -> Matrix {
    let width = tables.words.cols;
    let mut out = Matrix::zeros(batch.packed.tokens(), width);
    for (table, indices) in lookups(tables, batch) {
        for (row, &index) in indices.iter().enumerate() {
            assert!((index as usize) < table.rows, "an index beyond its table");
            let entry = View::new(table.offset + index as usize * width, 1, width);
            for (out, x) in out.row_mut(row).iter_mut().zip(params.view(entry)) {
                *out += x;
            }
        }
    }
    out
}

pub(super) fn embed_backward(
    tables: &EmbeddingTables,
    batch: &PlainBatch,
    dy: &Matrix,
    grads: &mut PlainArena,
) {
    let width = tables.words.cols;
    for (table, indices) in lookups(tables, batch) {
        for (row, &index) in indices.iter().enumerate() {
            let entry = View::new(table.offset + index as usize * width, 1, width);
            grads.add_all(entry, dy.row(row));
        }
    }
}

/// The distance of a column of the bias, and the place in the table of a head.
fn place(batch: &PlainBatch, table: View, most: usize, head: usize, column: usize) -> usize {
    let far = column as isize - (batch.packed.longest() as isize - 1);
    table.offset + DistanceBias::bucket(far, table.rows, most) * table.cols + head
}

pub(super) fn distance_bias(
    params: &PlainArena,
    bias: &DistanceBias,
    batch: &PlainBatch,
    heads: usize,
) -> Matrix {
    let longest = batch.packed.longest();
    let mut out = Matrix::zeros(heads, (2 * longest).saturating_sub(1));
    let slopes = alibi_slopes(heads);
    for (head, slope) in slopes.into_iter().enumerate() {
        for (column, x) in out.row_mut(head).iter_mut().enumerate() {
            *x = match *bias {
                DistanceBias::Alibi => -f64::from(slope) * column.abs_diff(longest - 1) as f64,
                DistanceBias::Learned {
                    table,
                    max_distance,
                } => f64::from(params.0[place(batch, table, max_distance, head, column)]),
            };
        }
    }
    out
}

pub(super) fn distance_bias_backward(
    bias: &DistanceBias,
    batch: &PlainBatch,
    dy: &Matrix,
    grads: &mut PlainArena,
) {
    let DistanceBias::Learned {
        table,
        max_distance,
    } = *bias
    else {
        return;
    };
    for head in 0..dy.rows {
        for (column, dy) in dy.row(head).iter().enumerate() {
            grads.add(place(batch, table, max_distance, head, column), *dy);
        }
    }
}

/// How much of each token's value is in a pooled one. The largest value is that
/// of its first token.
fn weights(mode: Pooling, mark: usize, column: &[f64]) -> Vec<f64> {
    let n = column.len();
    let one = |place: usize| (0..n).map(|i| f64::from(u8::from(i == place))).collect();
    match mode {
        Pooling::Marked => one(mark),
        Pooling::Cls => one(0),
        Pooling::LastToken => one(n - 1),
        Pooling::Mean => vec![1.0 / n as f64; n],
        Pooling::MeanSqrtLen => vec![1.0 / (n as f64).sqrt(); n],
        Pooling::WeightedMean => {
            let total = (n * (n + 1) / 2) as f64;
            (1..=n).map(|w| w as f64 / total).collect()
        }
        Pooling::Max => {
            let mut best = 0;
            for (i, x) in column.iter().enumerate() {
                if *x > column[best] {
                    best = i;
                }
            }
            one(best)
        }
    }
}

/// Calls `job(sequence, place in the pooled vector, row, column, weight)` for
/// every share that a token has in a vector.
fn shares(
    modes: &[Pooling],
    batch: &PlainBatch,
    x: &Matrix,
    mut job: impl FnMut(usize, usize, usize, usize, f64),
) {
    let packed = &batch.packed;
    for (s, bounds) in packed.offsets().windows(2).enumerate() {
        let rows = bounds[0]..bounds[1];
        if rows.is_empty() {
            continue;
        }
        for (m, &mode) in modes.iter().enumerate() {
            for c in 0..x.cols {
                let column: Vec<f64> = rows.clone().map(|row| x.row(row)[c]).collect();
                let weights = weights(mode, packed.marks()[s], &column);
                for (row, weight) in rows.clone().zip(weights) {
                    job(s, m * x.cols + c, row, c, weight);
                }
            }
        }
    }
}

pub(super) fn pool(modes: &[Pooling], batch: &PlainBatch, x: &Matrix) -> Matrix {
    let mut out = Matrix::zeros(batch.packed.sequences(), modes.len() * x.cols);
    shares(modes, batch, x, |s, place, row, c, weight| {
        out.row_mut(s)[place] += weight * x.row(row)[c];
    });
    out
}

pub(super) fn pool_backward(
    modes: &[Pooling],
    batch: &PlainBatch,
    x: &Matrix,
    dy: &Matrix,
) -> Matrix {
    let mut dx = Matrix::zeros(x.rows, x.cols);
    shares(modes, batch, x, |s, place, row, c, weight| {
        dx.row_mut(row)[c] += weight * dy.row(s)[place];
    });
    dx
}

fn length(row: &[f64]) -> f64 {
    row.iter().map(|x| x * x).sum::<f64>().sqrt()
}

const SHORTEST: f64 = 1e-12;

pub(super) fn normalize(x: &Matrix) -> Matrix {
    let mut out = x.clone();
    for row in 0..x.rows {
        let length = length(x.row(row)).max(SHORTEST);
        for x in out.row_mut(row) {
            *x /= length;
        }
    }
    out
}

pub(super) fn normalize_backward(x: &Matrix, dy: &Matrix) -> Matrix {
    let mut dx = dy.clone();
    for row in 0..x.rows {
        let (length, x) = (length(x.row(row)), x.row(row));
        let along: f64 = x.iter().zip(dy.row(row)).map(|(x, d)| x * d).sum();
        // A vector at the bound is divided by a constant.
        let along = if length > SHORTEST {
            along / length.powi(2)
        } else {
            0.0
        };
        for (dx, x) in dx.row_mut(row).iter_mut().zip(x) {
            *dx = (*dx - x * along) / length.max(SHORTEST);
        }
    }
    dx
}

pub(super) fn cosines(a: &Matrix, b: &Matrix) -> Matrix {
    let (a, b) = (normalize(a), normalize(b));
    let mut out = Matrix::zeros(a.rows, b.rows);
    for i in 0..a.rows {
        for j in 0..b.rows {
            out.row_mut(i)[j] = dot(a.row(i), b.row(j));
        }
    }
    out
}

pub(super) fn cosines_backward(a: &Matrix, b: &Matrix, dy: &Matrix) -> (Matrix, Matrix) {
    let (unit_a, unit_b) = (normalize(a), normalize(b));
    let (mut da, mut db) = (Matrix::zeros(a.rows, a.cols), Matrix::zeros(b.rows, b.cols));
    for i in 0..a.rows {
        for j in 0..b.rows {
            let dy = dy.row(i)[j];
            for (da, b) in da.row_mut(i).iter_mut().zip(unit_b.row(j)) {
                *da += dy * b;
            }
            for (db, a) in db.row_mut(j).iter_mut().zip(unit_a.row(i)) {
                *db += dy * a;
            }
        }
    }
    (normalize_backward(a, &da), normalize_backward(b, &db))
}
